"""How the evidence changes while a prompt is answered, and what that says of a live swap."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from unmask.pipeline.challenge_sample import Sample
from unmask.pipeline.fusion import sigmoid

WEIGHTS = {"fused": 0.7, "map": 2.0, "flicker": 0.8, "jitter": 0.15}
BIAS = -2.2
"""Set so that what genuine faces do in natural head turns mostly stays below even odds; not fitted, see
docs/challenge.md."""
MOST_CONFIDENCE = 0.1
"""No result claims more, as long as the benchmark does not show that the change tells swaps from genuine faces."""
TELLING = 0.3
"""A part that moves the log-odds by this much is named as a reason."""
MOST_STEP_S = 0.5
"""Two samples further apart are not compared."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """The change from the baseline to the answer.

    Attributes:
        fused: log-odds: upper quartile of the answer minus median of the baseline.
        map: strength of the MRI map, 0..1, likewise.
        flicker: mean step of the log-odds from sample to sample, likewise.
        jitter: mean tremble of the landmarks in crop pixels, likewise.
        breaks: how often the face was lost and found again during the answer.
        baseline_fused: median log-odds of the baseline.
        samples: of the answer.
    """

    fused: float
    map: float
    flicker: float
    jitter: float
    breaks: int
    baseline_fused: float
    samples: int

    @property
    def p_swap(self) -> float:
        """0..1: how likely such a change is for a live swap rather than for a genuine face."""
        return sigmoid(BIAS + sum(weight * getattr(self, name) for name, weight in WEIGHTS.items()))

    def reasons(self) -> tuple[str, ...]:
        """What speaks for a swap, strongest first; `little_change` where nothing does."""
        names = {"fused": "evidence_rose", "map": "map_rose", "flicker": "flicker", "jitter": "landmarks_trembled"}
        parts = {reason: WEIGHTS[name] * getattr(self, name) for name, reason in names.items()}
        found = sorted((r for r, part in parts.items() if part >= TELLING), key=lambda r: -parts[r])
        if self.breaks:
            found.append("track_broke")
        return tuple(found) or ("little_change",)

    def as_numbers(self) -> Mapping[str, float]:
        """All parts by name, rounded."""
        names = ("fused", "map", "flicker", "jitter", "breaks", "baseline_fused", "samples")
        return {name: round(float(getattr(self, name)), 4) for name in names}


def weigh(baseline: Sequence[Sample], answer: Sequence[Sample], breaks: int) -> Evidence | None:
    """The change of the evidence; None where one of the two has nothing to compare."""
    before, during = _fused(baseline), _fused(answer)
    if not before or not during:
        return None
    return Evidence(
        fused=float(np.quantile(during, 0.75) - np.median(before)),
        map=_rise([s.map_strength for s in baseline], [s.map_strength for s in answer]),
        flicker=_flicker(answer) - _flicker(baseline),
        jitter=_jitter(answer) - _jitter(baseline),
        breaks=breaks,
        baseline_fused=float(np.median(before)),
        samples=len(during),
    )


def _fused(samples: Sequence[Sample]) -> list[float]:
    return [s.fused for s in samples if s.fused is not None]


def _rise(before: Sequence[float | None], during: Sequence[float | None]) -> float:
    first, then = [v for v in before if v is not None], [v for v in during if v is not None]
    return float(np.quantile(then, 0.75) - np.median(first)) if first and then else 0.0


def _flicker(samples: Sequence[Sample]) -> float:
    steps = [
        abs(b.fused - a.fused)
        for a, b in zip(samples, samples[1:], strict=False)
        if a.fused is not None and b.fused is not None and b.pts_s - a.pts_s <= MOST_STEP_S
    ]
    return float(np.mean(steps)) if steps else 0.0


def _jitter(samples: Sequence[Sample]) -> float:
    """Mean second difference of the landmarks: a steady turn has none."""
    trembles = [
        float(np.abs(a.shape_xy - 2 * b.shape_xy + c.shape_xy).mean())
        for a, b, c in zip(samples, samples[1:], samples[2:], strict=False)
        if c.pts_s - a.pts_s <= 2 * MOST_STEP_S
    ]
    return float(np.mean(trembles)) if trembles else 0.0
