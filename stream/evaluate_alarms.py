"""What a person in front of a live stream would have seen: states over time, alarms, delays. Pure: no frames, no files.

A stream's state at a moment is that of its most alarming face. An alarm begins when a face enters its level from
below: `suspicious` counts a face that becomes suspicious or worse, `manipulated` one that becomes manipulated.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from unmask.models.training import metrics
from unmask.stream.figures import rounded, rounded_pair

NO_FACE = "no_face"
STATES = (NO_FACE, "warming", "uncertain", "authentic", "suspicious", "manipulated")
"""From calm to alarming."""
SAID = ("authentic", "suspicious", "manipulated")
LEVELS: dict[str, tuple[str, ...]] = {"suspicious": ("suspicious", "manipulated"), "manipulated": ("manipulated",)}
LONGEST_STEP_S = 1.0
"""A moment counts until the next one, but not longer."""

Segment = tuple[float, float, str]


@dataclass(frozen=True, slots=True)
class Moment:
    """One analysed frame: its time in seconds and the state of every face in it, by track."""

    pts_s: float
    states: Mapping[int, str]


def stream_state(states: Mapping[int, str]) -> str:
    """The most alarming state of some faces."""
    return max(states.values(), key=STATES.index, default=NO_FACE)


def segments(moments: Sequence[Moment]) -> list[Segment]:
    """(start, end, state) in seconds, without two equal neighbours; the last moment lasts as long as the one before."""
    found: list[Segment] = []
    times = [moment.pts_s for moment in moments]
    steps = [min(after - before, LONGEST_STEP_S) for before, after in zip(times, times[1:], strict=False)]
    for moment, step_s in zip(moments, [*steps, *(steps[-1:] or [0.0])], strict=False):
        state, end_s = stream_state(moment.states), moment.pts_s + step_s
        if found and found[-1][2] == state and moment.pts_s - found[-1][1] < 1e-6:
            found[-1] = (found[-1][0], end_s, state)
        else:
            found.append((moment.pts_s, end_s, state))
    return found


def alarms(moments: Iterable[Moment], level: str) -> list[float]:
    """When a face entered an alarm of this level, seconds; a face out of sight keeps its last state."""
    onsets: list[float] = []
    last: dict[int, str] = {}
    for moment in moments:
        onsets += [
            moment.pts_s
            for track, state in moment.states.items()
            if state in LEVELS[level] and last.get(track) not in LEVELS[level]
        ]
        last.update(moment.states)
    return onsets


def played(moments: Sequence[Moment]) -> dict[str, Any]:
    """One clip as it is kept: its segments, the seconds in each state, and its alarms."""
    parts = segments(moments)
    return {
        "seconds": {state: sum(end - start for start, end, own in parts if own == state) for state in STATES},
        "alarms": {level: alarms(moments, level) for level in LEVELS},
        "segments": [[round(start, 3), round(end, 3), state] for start, end, state in parts],
    }


def false_alarms(clips: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Figures of genuine clips that were played: minutes in each state, coverage, alarms per hour of video."""
    seconds = {state: float(sum(clip["seconds"][state] for clip in clips)) for state in STATES}
    total_s = sum(seconds.values())
    face_s = total_s - seconds[NO_FACE]
    return {
        "clips": len(clips),
        "groups": len({clip["group"] for clip in clips}),
        "hours": rounded(total_s / 3600),
        "minutes": {state: rounded(seconds[state] / 60) for state in STATES},
        "face_share": rounded(face_s / total_s) if total_s else None,
        "coverage": rounded(sum(seconds[state] for state in SAID) / face_s) if face_s else None,
        "alarms": {level: _rate(clips, level, total_s / 3600) for level in LEVELS},
    }


def _rate(clips: Sequence[Mapping[str, Any]], level: str, hours: float) -> dict[str, Any]:
    count = sum(len(clip["alarms"][level]) for clip in clips)
    interval = metrics.poisson_interval(count)
    return {
        "count": count,
        "clips": sum(bool(clip["alarms"][level]) for clip in clips),
        "per_hour": rounded(count / hours) if hours else None,
        "per_hour_ci95": rounded_pair((interval[0] / hours, interval[1] / hours)) if hours else None,
    }


def swap_delays(parts: Sequence[Sequence[Any]], swap_s: float, end_s: float) -> dict[str, Any]:
    """Delays around a swap that is on from `swap_s` to `end_s`, by level, from a stream's segments.

    Returns:
        By level `before`: whether the alarm was on already when the swap began; `after_s`: seconds until it went on,
        None when it never did; `on_at_end`: whether it was on when the swap ended; `clear_s`: seconds from there until
        it was off, None when it was off already or stayed on to the end of the stream.
    """
    found: dict[str, Any] = {}
    for level, alarming in LEVELS.items():
        on = [(float(start), float(end)) for start, end, state in parts if state in alarming]
        before = any(start < swap_s <= end for start, end in on)
        onsets = [] if before else [start - swap_s for start, _ in on if swap_s <= start < end_s]
        at_end = any(start < end_s <= end for start, end in on)
        calm = [float(start) - end_s for start, end, state in parts if end > end_s and state not in alarming]
        found[level] = {
            "before": before,
            "after_s": round(min(onsets), 3) if onsets else None,
            "on_at_end": at_end,
            "clear_s": round(max(min(calm), 0.0), 3) if at_end and calm else None,
        }
    return found


def time_to_alarm(pairs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Figures of spliced streams by level; pairs that were alarming before their swap are told apart."""
    return {
        "pairs": len(pairs),
        "groups": len({pair["group"] for pair in pairs}),
        **{level: _delays([pair["swap"][level] for pair in pairs]) for level in LEVELS},
    }


def _delays(found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    fair = [one for one in found if not one["before"]]
    after_s = [float(one["after_s"]) for one in fair if one["after_s"] is not None]
    ended = [one for one in found if one["on_at_end"]]
    clear_s = [float(one["clear_s"]) for one in ended if one["clear_s"] is not None]
    return {
        "alarmed_before": len(found) - len(fair),
        "judged": len(fair),
        "caught": len(after_s),
        "share_caught": rounded(len(after_s) / len(fair)) if fair else None,
        "share_caught_ci95": rounded_pair(metrics.share_interval(len(after_s), len(fair))),
        "seconds": _spread(after_s),
        "on_when_swap_ended": len(ended),
        "cleared": len(clear_s),
        "clear_seconds": _spread(clear_s),
    }


def _spread(values: Sequence[float]) -> dict[str, float | None]:
    if not values:
        return {"median": None, "p90": None}
    return {"median": rounded(float(np.median(values))), "p90": rounded(float(np.percentile(values, 90)))}
