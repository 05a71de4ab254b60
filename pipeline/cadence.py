"""When to search a whole frame for faces again: often in doubt, seldom while steady, soon when something moves."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

GRID_WH = (32, 24)
GROWTH = 1.5
"""Each steady search makes the wait for the next so much longer."""
MOVED_GREY_LEVELS = 16.0
MOVED_CELLS = 2
"""So many cells of the grid that changed by so much are worth a search."""


class Cadence:
    """The wait between two searches, in seconds of the stream's clock.

    Args:
        shortest_s: in doubt.
        moved_s: when something moved outside the known faces.
        longest_s: what steady tracking grows to.
    """

    def __init__(self, shortest_s: float, moved_s: float, longest_s: float) -> None:
        self._shortest_s, self._moved_s, self._longest_s = shortest_s, moved_s, longest_s
        self.restart()

    def restart(self) -> None:
        """The next frame is searched, whenever it comes."""
        self.searched_s = -np.inf
        self._steady_s = self._shortest_s

    def due(self, now_s: float, doubt: bool, moved: bool) -> bool:
        """Whether this frame is to be searched; doubt also makes the waits after it short again."""
        waited_s = now_s - self.searched_s + 1e-6
        if doubt:
            self._steady_s = self._shortest_s
            return waited_s >= self._shortest_s
        return waited_s >= self._steady_s or (moved and waited_s >= self._moved_s)

    def searched(self, now_s: float, steady: bool) -> None:
        """A search at this time found what was known, or did not."""
        self.searched_s = now_s
        self._steady_s = min(self._steady_s * GROWTH, self._longest_s) if steady else self._shortest_s


class Scenery:
    """Sees cuts, and movement where no face is known, on pictures of 32 x 24 grey levels.

    Args:
        cut_grey_levels: mean change from one frame to the next that counts as a cut.
    """

    def __init__(self, cut_grey_levels: float) -> None:
        self._cut_grey_levels = cut_grey_levels
        self._now: Floats | None = None
        self._searched: Floats | None = None

    def is_cut(self, thumb: NDArray[np.uint8]) -> bool:
        """Take the next frame's thumbnail, (h, w) grey levels or (h, w, 3) RGB."""
        grey = thumb if thumb.ndim == 2 else cv2.cvtColor(thumb, cv2.COLOR_RGB2GRAY)
        before, self._now = self._now, cv2.resize(grey, GRID_WH, interpolation=cv2.INTER_AREA).astype(np.float32)
        return before is not None and float(np.abs(self._now - before).mean()) > self._cut_grey_levels

    def moved(self, known_xyxy: Sequence[Floats], size_wh: tuple[int, int]) -> bool:
        """Whether something changed since the last search, apart from known faces, what is below them, and exposure.

        Args:
            known_xyxy: boxes of faces in pixels of the frame.
            size_wh: of the frame.
        """
        if self._now is None or self._searched is None:
            return True
        change = self._now - self._searched
        change = np.abs(change - np.median(change)) > MOVED_GREY_LEVELS
        cell = np.array(GRID_WH, np.float32) / size_wh
        for box in known_xyxy:
            width = box[2] - box[0]
            left, right = (int(x) for x in ((box[0] - width) * cell[0], (box[2] + width) * cell[0] + 1))
            top = int((box[1] - width / 2) * cell[1])
            change[max(top, 0) :, max(left, 0) : max(right, 0)] = False
        return int(np.count_nonzero(change)) >= MOVED_CELLS

    def searched(self) -> None:
        """The newest frame was searched: from here on, changes count from it."""
        self._searched = self._now
