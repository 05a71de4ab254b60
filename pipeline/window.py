"""A face's last four seconds of features, kept on time and not on frame count."""

from collections import deque

import numpy as np
from numpy.typing import NDArray

from unmask.models.preprocess import WINDOW_STEPS, temporal_input

MIN_STEP_S = 0.095
"""Features come at most this often; frames in between add nothing to an 8 Hz grid."""
MAX_GAP_S = 1.0
"""A longer gap empties the window."""
MIN_VALID_STEPS = 12
"""Fewer filled steps (1.5 s) are not judged."""

Floats = NDArray[np.float32]


class FeatureWindow:
    """A sliding window of features of one track."""

    def __init__(self) -> None:
        self._entries: deque[tuple[float, Floats]] = deque(maxlen=2 * WINDOW_STEPS)

    def wants(self, pts_s: float) -> bool:
        """Whether a feature of that time would be kept."""
        return not self._entries or not 0 <= pts_s - self._entries[-1][0] < MIN_STEP_S

    def push(self, pts_s: float, features: Floats) -> None:
        """Append the features (k,) of a frame; time running backwards or a gap over 1 s empties the window first."""
        if self._entries and not 0 < pts_s - self._entries[-1][0] <= MAX_GAP_S:
            self._entries.clear()
        self._entries.append((pts_s, features))

    def continues(self, pts_s: float) -> bool:
        """Whether a frame of that time follows on the newest entry without a gap."""
        return bool(self._entries) and 0 < pts_s - self._entries[-1][0] <= MAX_GAP_S

    def resampled(self) -> tuple[Floats, Floats] | None:
        """Features (32, k) on the 8 Hz grid that ends at the newest entry, and the mask (32,) of filled steps.

        Returns:
            None while fewer than 12 steps are filled.
        """
        if not self._entries:
            return None
        times = np.array([t for t, _ in self._entries])
        features, mask = temporal_input(times, np.stack([row for _, row in self._entries]))
        return (features, mask) if mask.sum() >= MIN_VALID_STEPS else None
