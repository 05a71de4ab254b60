"""What is said of a stream: a pure state machine over what its source reports and what its pictures show."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from unmask.pipeline.types import StreamState

BLACK_LUMA, BLACK_SPREAD = 20.0, 3.0
"""Mean and standard deviation of the grey levels below which a picture shows nothing."""


@dataclass(frozen=True, slots=True)
class SignalLimits:
    """Seconds until something is said.

    Attributes:
        no_face_s: without a face.
        black_s: of black pictures.
        frozen_s: of pictures that are the same to the last bit.
        silent_s: without any picture.
    """

    no_face_s: float = 1.0
    black_s: float = 1.0
    frozen_s: float = 3.0
    silent_s: float = 3.0


class StreamSignal:
    """The state of one stream; times are `time.monotonic()` seconds.

    Attributes:
        state: what is said now.
        reason: why; empty, or a code, or `code: sentence`.
    """

    def __init__(self, limits: SignalLimits | None = None) -> None:
        self.state = StreamState.CONNECTING
        self.reason = ""
        self._limits = limits or SignalLimits()
        self._source = (StreamState.CONNECTING, "")
        self._picture_s: float | None = None
        self._dark_since_s: float | None = None
        self._same_since_s: float | None = None
        self._faceless_since_s: float | None = None
        self._thumb: NDArray[np.uint8] | None = None

    def source_said(self, state: StreamState, reason: str, now_s: float) -> bool:
        """Takes over what the source reports; True where the stream's state changes."""
        if state is not StreamState.LIVE:
            self._forget()
        self._source = (state, reason)
        return self.tick(now_s)

    def picture(self, thumb: NDArray[np.uint8], now_s: float) -> bool:
        """Looks at a picture that came, by its thumbnail (h, w) or (h, w, 3), see `Frame.thumb`.

        Returns:
            True where it shows something that can be judged.
        """
        mean, spread = cv2.meanStdDev(thumb.reshape(len(thumb), -1))
        dark = float(mean[0, 0]) < BLACK_LUMA and float(spread[0, 0]) < BLACK_SPREAD
        same = self._thumb is not None and np.array_equal(thumb, self._thumb)
        self._dark_since_s = (self._dark_since_s or now_s) if dark else None
        self._same_since_s = (self._same_since_s or now_s) if same else None
        self._thumb = thumb
        self._picture_s = now_s
        if self._source[0] is not StreamState.ENDED:
            self._source = (StreamState.LIVE, "")
        return not dark and not self._lasts(self._same_since_s, self._limits.frozen_s, now_s)

    def faces(self, found: bool, now_s: float) -> None:
        """Takes over whether the newest judged picture had a face."""
        self._faceless_since_s = None if found else (self._faceless_since_s or now_s)

    def tick(self, now_s: float) -> bool:
        """Says again what holds now; True where it has changed."""
        before = (self.state, self.reason)
        self.state, self.reason = self._now(now_s)
        return before != (self.state, self.reason)

    def _now(self, now_s: float) -> tuple[StreamState, str]:
        if self._source[0] is not StreamState.LIVE:
            return self._source
        limits = self._limits
        if self._lasts(self._picture_s, limits.silent_s, now_s):
            return StreamState.NO_SIGNAL, "no_pictures"
        if self._lasts(self._dark_since_s, limits.black_s, now_s):
            return StreamState.NO_SIGNAL, "black"
        if self._lasts(self._same_since_s, limits.frozen_s, now_s):
            return StreamState.NO_SIGNAL, "frozen"
        if self._lasts(self._faceless_since_s, limits.no_face_s, now_s):
            return StreamState.NO_FACE, ""
        return StreamState.LIVE, ""

    def _forget(self) -> None:
        self._picture_s = self._dark_since_s = self._same_since_s = self._faceless_since_s = None
        self._thumb = None

    @staticmethod
    def _lasts(since_s: float | None, limit_s: float, now_s: float) -> bool:
        return since_s is not None and now_s - since_s >= limit_s
