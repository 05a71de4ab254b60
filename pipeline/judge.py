"""From a stream of log-odds to a rolling verdict: a pure state machine on time, not on frames."""

from dataclasses import dataclass

from unmask.pipeline.fusion import sigmoid
from unmask.pipeline.types import VerdictState

FULL_RELIABILITY = 0.3
"""Evidence of less reliability than this counts less towards the usable video that a verdict needs."""
MIN_MEAN_RELIABILITY = 0.12
"""Evidence of less reliability on average gives a probability, but no verdict."""


@dataclass(frozen=True, slots=True)
class JudgeSettings:
    """Thresholds on the rolling probability and dwell times in seconds.

    Attributes:
        half_life_s: of the rolling average of log-odds.
        warm_s: usable video that is needed before anything is said.
        stale_s: without usable video for this long nothing is said any more.
        authentic_below: the rolling probability must be below this for `authentic`.
        suspicious_at, suspicious_dwell_s, suspicious_off, suspicious_off_s: `suspicious` begins when the probability
            stayed at or above the first for the second, and ends when it stayed below the third for the fourth.
        manipulated_*: the same for `manipulated`.
    """

    half_life_s: float = 0.5
    warm_s: float = 1.5
    stale_s: float = 2.0
    authentic_below: float = 0.40
    suspicious_at: float = 0.65
    suspicious_dwell_s: float = 0.6
    suspicious_off: float = 0.50
    suspicious_off_s: float = 2.0
    manipulated_at: float = 0.90
    manipulated_dwell_s: float = 1.5
    manipulated_off: float = 0.65
    manipulated_off_s: float = 3.0


@dataclass(frozen=True, slots=True)
class Judgement:
    """State, rolling probability (None when there is none to give) and the reasons for `uncertain`."""

    state: VerdictState
    p_fake: float | None
    reasons: tuple[str, ...]


class _Latch:
    """On after `at` was held for `dwell_s`, off after falling below `off` for `off_s`."""

    def __init__(self, at: float, dwell_s: float, off: float, off_s: float) -> None:
        self._at, self._dwell_s, self._off, self._off_s = at, dwell_s, off, off_s
        self.on = False
        self._held_s = 0.0

    def update(self, p: float, step_s: float) -> bool:
        pushing = p < self._off if self.on else p >= self._at
        self._held_s = self._held_s + step_s if pushing else 0.0
        if pushing and self._held_s >= (self._off_s if self.on else self._dwell_s):
            self.on, self._held_s = not self.on, 0.0
        return self.on


class Judge:
    """The rolling verdict of one track. Call `update` once for each analysed frame, in order."""

    def __init__(self, settings: JudgeSettings | None = None) -> None:
        self._settings = s = settings or JudgeSettings()
        self._logit: float | None = None
        self._reliability = 0.0
        self._usable_s = 0.0
        self._updated_s: float | None = None
        self._usable_at_s: float | None = None
        self._suspicious = _Latch(s.suspicious_at, s.suspicious_dwell_s, s.suspicious_off, s.suspicious_off_s)
        self._manipulated = _Latch(s.manipulated_at, s.manipulated_dwell_s, s.manipulated_off, s.manipulated_off_s)

    def update(self, pts_s: float, logit: float | None, reliability: float, reasons: tuple[str, ...] = ()) -> Judgement:
        """Take one frame's fused log-odds.

        Args:
            pts_s: presentation time; a step of more than 0.5 s counts as 0.5 s.
            logit: None when no branch answered.
            reliability: 0..1 of this frame's evidence; at 0 the evidence is frozen, not decayed.
            reasons: why the reliability is 0, shown when nothing can be said.
        """
        step_s = 0.0 if self._updated_s is None else min(max(pts_s - self._updated_s, 0.0), 0.5)
        self._updated_s = pts_s
        if logit is not None and reliability > 0:
            self._absorb(logit, reliability, step_s)
            self._usable_at_s = pts_s
        return self._judge(pts_s, reasons)

    def _absorb(self, logit: float, reliability: float, step_s: float) -> None:
        if self._logit is None:
            self._logit, self._reliability = logit, reliability
            return
        share = 1 - 0.5 ** (step_s * reliability / self._settings.half_life_s)
        self._logit += share * (logit - self._logit)
        self._reliability += (1 - 0.5 ** (step_s / self._settings.half_life_s)) * (reliability - self._reliability)
        self._usable_s += step_s * min(1.0, reliability / FULL_RELIABILITY)
        p = sigmoid(self._logit)
        self._suspicious.update(p, step_s)
        self._manipulated.update(p, step_s)

    def _judge(self, pts_s: float, reasons: tuple[str, ...]) -> Judgement:
        settings = self._settings
        if self._logit is None or self._usable_at_s is None:
            blocked = bool(reasons)
            return Judgement(VerdictState.UNCERTAIN if blocked else VerdictState.WARMING, None, reasons)
        if pts_s - self._usable_at_s > settings.stale_s:
            return Judgement(VerdictState.UNCERTAIN, None, reasons or ("no_evidence",))
        p = sigmoid(self._logit)
        if self._usable_s < settings.warm_s:
            return Judgement(VerdictState.WARMING, p, reasons)
        if self._reliability < MIN_MEAN_RELIABILITY:
            return Judgement(VerdictState.UNCERTAIN, p, reasons or ("inconclusive",))
        if self._manipulated.on:
            return Judgement(VerdictState.MANIPULATED, p, reasons)
        if self._suspicious.on:
            return Judgement(VerdictState.SUSPICIOUS, p, reasons)
        if p < settings.authentic_below:
            return Judgement(VerdictState.AUTHENTIC, p, reasons)
        return Judgement(VerdictState.UNCERTAIN, p, (*reasons, "inconclusive"))
