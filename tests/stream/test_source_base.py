"""Times that never run backwards."""

import pytest

from unmask.stream.source_base import SteadyClock


def test_the_sources_own_cadence_is_kept() -> None:
    """Arrivals jitter; the times of the pictures do not."""
    clock = SteadyClock()

    times = [clock.pts_s(5.0 + 0.04 * i, 100.0 + 0.04 * i + 0.01 * (i % 3)) for i in range(5)]

    assert times == pytest.approx([0.0, 0.04, 0.08, 0.12, 0.16])


def test_missing_times_fall_back_to_arrival() -> None:
    """A webcam gives no times."""
    clock = SteadyClock()

    assert [clock.pts_s(None, 10.0 + i) for i in range(3)] == pytest.approx([0.0, 1.0, 2.0])


@pytest.mark.parametrize("raw_s", [-3.0, 0.0, 0.04, 500.0])
def test_a_jump_of_the_sources_clock_never_runs_time_backwards(raw_s: float) -> None:
    """A step back, a repetition and a leap are all placed by arrival."""
    clock = SteadyClock()
    before_s = [clock.pts_s(0.04 * i, 10.0 + 0.04 * i) for i in range(3)][-1]

    after_s = clock.pts_s(raw_s, 10.12)

    assert before_s < after_s == pytest.approx(0.12)
    assert clock.pts_s(raw_s + 0.04, 10.16) == pytest.approx(0.16)


def test_after_a_restart_the_gap_has_its_true_length() -> None:
    """A camera that was away for five seconds is five seconds later, whatever its own clock says."""
    clock = SteadyClock()
    clock.pts_s(70.0, 10.0)

    clock.restart()

    assert clock.pts_s(0.0, 15.0) == pytest.approx(5.0)
    assert clock.pts_s(0.04, 15.1) == pytest.approx(5.04)
