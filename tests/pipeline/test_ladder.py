"""Overload sheds work one rung at a time; calm gives it back."""

import pytest

from unmask.pipeline.errors import UsageError
from unmask.pipeline.ladder import RUNGS, Ladder


def full() -> float:
    """The load of an engine that is never idle."""
    return 1.0


def feed(ladder: Ladder, start_s: float, seconds: float, *, hz: float, ms: float, skipped: int, load: float) -> float:
    """Frames of one stream at an even pace; returns the time of the last one."""
    for i in range(int(seconds * hz)):
        ladder.judged("a", start_s + i / hz, ms, skipped, lambda: load)
    return start_s + seconds


def test_begins_with_nothing_left_out() -> None:
    assert (Ladder().rung, Ladder().degraded, Ladder().shortest_period_s) == (0, (), 0.0)


def test_keeping_up_leaves_nothing_out() -> None:
    ladder = Ladder()
    feed(ladder, 0, 20, hz=15, ms=60, skipped=1, load=0.9)
    assert ladder.rung == 0


def test_late_verdicts_go_up_one_rung_at_a_time_to_the_last() -> None:
    ladder = Ladder()
    seen: list[int] = []
    for i in range(200):
        ladder.judged("a", i / 10, 300.0, 2, full)
        if not seen or seen[-1] != ladder.rung:
            seen.append(ladder.rung)
    assert seen == [0, 1, 2, 3]
    assert ladder.exhausted
    assert ladder.degraded == RUNGS[-1]
    assert ladder.shortest_period_s == pytest.approx(0.25)


def test_stream_looked_at_too_seldom_is_overload_although_its_verdicts_are_quick() -> None:
    ladder = Ladder()
    feed(ladder, 0, 6, hz=3, ms=50, skipped=9, load=1.0)
    assert ladder.rung > 0


def test_stream_that_is_hardly_looked_at_is_overload_too() -> None:
    ladder = Ladder()
    for second in range(0, 20, 4):
        ladder.judged("a", float(second), 50.0, 99, full)
    assert ladder.rung > 0


def test_camera_that_sends_little_is_not_overload() -> None:
    ladder = Ladder()
    feed(ladder, 0, 20, hz=3, ms=50, skipped=0, load=0.1)
    assert ladder.rung == 0


def test_one_slow_stream_of_two_is_overload() -> None:
    ladder = Ladder()
    for i in range(120):
        ladder.judged("quick", i / 20, 50.0, 0, full)
        if i % 10 == 0:
            ladder.judged("slow", i / 20, 50.0, 9, full)
    assert ladder.rung > 0


def test_calm_comes_down_to_nothing_left_out() -> None:
    ladder = Ladder()
    now_s = feed(ladder, 0, 8, hz=10, ms=300, skipped=2, load=1.0)
    assert ladder.exhausted
    feed(ladder, now_s, 60, hz=10, ms=40, skipped=1, load=0.3)
    assert ladder.rung == 0


def test_busy_engine_does_not_come_down() -> None:
    ladder = Ladder()
    now_s = feed(ladder, 0, 8, hz=10, ms=300, skipped=2, load=1.0)
    feed(ladder, now_s, 60, hz=10, ms=40, skipped=1, load=0.95)
    assert ladder.exhausted


def test_coming_down_too_early_makes_it_wait_longer() -> None:
    def steps_down(ladder: Ladder, relapses: int) -> float:
        """Seconds of calm that the ladder wants after so many relapses."""
        now_s = feed(ladder, 0, 4, hz=10, ms=300, skipped=2, load=1.0)
        for _ in range(relapses):
            rung = ladder.rung
            while ladder.rung == rung:
                now_s = feed(ladder, now_s, 0.5, hz=10, ms=40, skipped=1, load=0.3)
            now_s = feed(ladder, now_s, 4, hz=10, ms=300, skipped=2, load=1.0)
        began_s, rung = now_s, ladder.rung
        while ladder.rung >= rung:
            now_s = feed(ladder, now_s, 0.5, hz=10, ms=40, skipped=1, load=0.3)
        return now_s - began_s

    assert steps_down(Ladder(), 3) > 1.5 * steps_down(Ladder(), 0)


def test_ended_stream_no_longer_counts() -> None:
    ladder = Ladder()
    feed(ladder, 0, 1, hz=3, ms=500, skipped=9, load=1.0)
    ladder.forget("a")
    for i in range(200):
        ladder.judged("b", 1 + i / 20, 40.0, 0, lambda: 0.2)
    assert ladder.rung == 0


def test_nothing_is_left_out_of_the_first_stream_after_the_last() -> None:
    ladder = Ladder()
    feed(ladder, 0, 8, hz=10, ms=300, skipped=2, load=1.0)
    assert ladder.exhausted
    ladder.forget("a")
    assert ladder.rung == 0


def test_fixed_rung_stays() -> None:
    ladder = Ladder(fixed=2)
    feed(ladder, 0, 8, hz=10, ms=900, skipped=2, load=1.0)
    assert ladder.degraded == RUNGS[2]


def test_unknown_rung_is_refused() -> None:
    with pytest.raises(UsageError, match="rung 7"):
        Ladder(fixed=7)
