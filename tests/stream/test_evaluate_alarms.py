"""Alarms of live streams: what counts, what lasts how long, and how soon a swap is noticed."""

from typing import Any

import pytest

from unmask.stream.evaluate_alarms import (
    Moment,
    alarms,
    false_alarms,
    played,
    segments,
    stream_state,
    swap_delays,
    time_to_alarm,
)

CALM, DOUBT, ALARM = "authentic", "suspicious", "manipulated"


def moments(*states: str | None, track: int = 1, step_s: float = 0.1) -> list[Moment]:
    return [Moment(index * step_s, {} if state is None else {track: state}) for index, state in enumerate(states)]


def clip(seconds: float, manipulated: int, group: str = "g", state: str = CALM) -> dict[str, Any]:
    states = dict.fromkeys(("no_face", "warming", "uncertain", CALM, DOUBT, ALARM), 0.0)
    return {
        "group": group,
        "seconds": {**states, state: seconds},
        "alarms": {DOUBT: [1.0] * manipulated, ALARM: [1.0] * manipulated},
    }


def test_nothing_played_has_no_rate() -> None:
    """No video is not zero alarms an hour."""
    found = false_alarms([])

    assert found["clips"] == 0 and found["hours"] == 0
    assert found["coverage"] is None and found["face_share"] is None
    assert found["alarms"][ALARM] == {"count": 0, "clips": 0, "per_hour": None, "per_hour_ci95": None}
    assert segments([]) == [] and alarms([], ALARM) == []


def test_a_stream_is_as_alarming_as_its_most_alarming_face() -> None:
    """Two people, one of them forged."""
    assert stream_state({1: CALM, 2: ALARM, 3: "uncertain"}) == ALARM
    assert stream_state({}) == "no_face"


def test_equal_states_in_a_row_are_one_segment() -> None:
    """The last moment lasts as long as the step before it."""
    found = segments(moments(CALM, CALM, DOUBT, None))

    assert [state for _, _, state in found] == [CALM, DOUBT, "no_face"]
    assert [end for _, end, _ in found] == pytest.approx([0.2, 0.3, 0.4])


def test_a_long_gap_does_not_count_as_time_watched() -> None:
    """A moment lasts one second at most."""
    found = segments([Moment(0.0, {1: CALM}), Moment(60.0, {1: CALM})])

    assert [(start, end) for start, end, _ in found] == [(0.0, 1.0), (60.0, 61.0)]


def test_an_alarm_that_goes_on_is_one_alarm_and_one_that_comes_back_is_two() -> None:
    """Only entering a level counts; falling from manipulated to suspicious is no new suspicion."""
    states = moments(CALM, DOUBT, ALARM, ALARM, DOUBT, ALARM, CALM, DOUBT)

    assert alarms(states, ALARM) == pytest.approx([0.2, 0.5])
    assert alarms(states, DOUBT) == pytest.approx([0.1, 0.7])


def test_a_face_that_was_out_of_sight_does_not_alarm_again_but_a_new_face_does() -> None:
    """Alarms belong to tracks."""
    hidden = moments(ALARM, None, ALARM)
    other = [*hidden, Moment(0.3, {2: ALARM})]

    assert alarms(hidden, ALARM) == [0.0]
    assert alarms(other, ALARM) == pytest.approx([0.0, 0.3])


def test_false_alarms_are_counted_per_hour_with_the_exact_interval() -> None:
    """Two alarms in half an hour; nothing in an hour still allows for 3.7 an hour."""
    two = false_alarms([clip(900, 1), clip(900, 1, "h")])
    none = false_alarms([clip(3600, 0)])

    assert two["groups"] == 2 and two["hours"] == 0.5
    assert two["alarms"][ALARM]["per_hour"] == 4.0
    assert two["alarms"][ALARM]["per_hour_ci95"] == pytest.approx([2 * 0.2422, 2 * 7.2247], abs=1e-3)
    assert none["alarms"][ALARM]["per_hour_ci95"] == pytest.approx([0, 3.6889], abs=1e-3)


def test_coverage_is_the_share_of_time_with_a_face_that_has_a_verdict() -> None:
    """Time without a face counts in the hours and not in the coverage."""
    found = false_alarms([clip(30, 0), clip(30, 0, state="uncertain"), clip(60, 0, state="no_face")])

    assert found["face_share"] == 0.5 and found["coverage"] == 0.5
    assert found["minutes"]["no_face"] == 1.0


def test_delays_run_from_the_swap_to_the_alarm_and_from_its_end_to_calm() -> None:
    """Suspicious comes first, manipulated later; being suspicious still is not being clear."""
    parts = [(0, 5, CALM), (5, 6, DOUBT), (6, 11, ALARM), (11, 13, DOUBT), (13, 20, CALM)]
    found = swap_delays(parts, 3.0, 9.0)

    assert found[DOUBT] == {"before": False, "after_s": 2.0, "on_at_end": True, "clear_s": 4.0}
    assert found[ALARM] == {"before": False, "after_s": 3.0, "on_at_end": True, "clear_s": 2.0}


def test_an_alarm_after_the_swap_has_ended_is_no_catch() -> None:
    """Too late is missed."""
    found = swap_delays([(0, 9.5, CALM), (9.5, 20, ALARM)], 3.0, 9.0)

    assert found[ALARM] == {"before": False, "after_s": None, "on_at_end": False, "clear_s": None}


def test_an_alarm_that_stays_on_is_never_clear_and_one_that_ends_with_the_swap_is_clear_at_once() -> None:
    """None is not zero."""
    stays = swap_delays([(0, 4, CALM), (4, 20, ALARM)], 3.0, 9.0)[ALARM]
    ends = swap_delays([(0, 4, CALM), (4, 9, ALARM), (9, 20, CALM)], 3.0, 9.0)[ALARM]

    assert stays["on_at_end"] and stays["clear_s"] is None
    assert ends["on_at_end"] and ends["clear_s"] == 0.0


def test_a_stream_that_was_alarming_before_its_swap_proves_nothing() -> None:
    """It is counted apart and is in no delay."""
    before = {"group": "a", "swap": swap_delays([(0, 20, ALARM)], 3.0, 9.0)}
    caught = {"group": "b", "swap": swap_delays([(0, 5, CALM), (5, 20, ALARM)], 3.0, 9.0)}
    missed = {"group": "c", "swap": swap_delays([(0, 20, CALM)], 3.0, 9.0)}
    found = time_to_alarm([before, caught, missed])[ALARM]

    assert (found["alarmed_before"], found["judged"], found["caught"], found["share_caught"]) == (1, 2, 1, 0.5)
    assert found["seconds"] == {"median": 2.0, "p90": 2.0}
    assert time_to_alarm([])[ALARM]["share_caught"] is None


def test_a_played_clip_keeps_its_seconds_alarms_and_segments() -> None:
    """The seconds of all states add up to the length."""
    found = played(moments("warming", CALM, ALARM, None))

    assert sum(found["seconds"].values()) == pytest.approx(0.4)
    assert found["alarms"] == {DOUBT: [0.2], ALARM: [0.2]}
    assert [part[2] for part in found["segments"]] == ["warming", CALM, ALARM, "no_face"]
