"""The temporal window is kept on time: gaps empty it, lost frames leave holes in the mask."""

import numpy as np
import pytest

from unmask.models.preprocess import WINDOW_STEPS
from unmask.pipeline.window import MIN_VALID_STEPS, FeatureWindow


def filled(times: list[float]) -> FeatureWindow:
    window = FeatureWindow()
    for t in times:
        if window.wants(t):
            window.push(t, np.full(3, t, np.float32))
    return window


def test_empty_window_gives_nothing() -> None:
    assert FeatureWindow().resampled() is None


def test_too_short_a_window_gives_nothing() -> None:
    assert filled([i / 10 for i in range(10)]).resampled() is None


@pytest.mark.parametrize("rate_hz", [8, 10, 25, 30, 60])
def test_camera_rate_does_not_matter(rate_hz: int) -> None:
    resampled = filled([i / rate_hz for i in range(6 * rate_hz)]).resampled()

    assert resampled is not None
    features, mask = resampled
    assert features.shape == (WINDOW_STEPS, 3)
    assert mask.all()
    assert np.allclose(np.diff(features[:, 0]), 1 / 8, atol=0.125)


def test_missing_frames_are_masked() -> None:
    times = [i / 25 for i in range(150) if not 75 <= i < 90]
    resampled = filled(times).resampled()

    assert resampled is not None
    assert 3 <= (resampled[1] == 0).sum() <= 6


def test_half_a_window_is_enough_and_says_so() -> None:
    resampled = filled([i / 25 for i in range(50)]).resampled()

    assert resampled is not None
    assert MIN_VALID_STEPS <= resampled[1].sum() < WINDOW_STEPS
    assert resampled[1][-1] == 1
    assert resampled[1][0] == 0


def test_a_gap_over_a_second_empties_the_window() -> None:
    window = filled([i / 10 for i in range(40)])
    window.push(5.2, np.zeros(3, np.float32))

    assert window.resampled() is None


def test_time_running_backwards_empties_the_window() -> None:
    window = filled([i / 10 for i in range(40)])
    window.push(0.5, np.zeros(3, np.float32))

    assert window.resampled() is None
