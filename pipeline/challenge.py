"""One liveness challenge of one face: a baseline, a prompt, and how the evidence changes during the answer.

Pure and on the stream's own time: call `update` with the samples of every analysed frame. After GOTCHA (Mittal et al.
2024, arXiv 2210.06186). The result stands beside the verdict and never goes into it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from unmask.pipeline.challenge_follow import HOLD_S, Pose, Prompt, extent, pose_of
from unmask.pipeline.challenge_sample import Sample, overlap
from unmask.pipeline.challenge_score import MOST_CONFIDENCE, Evidence, weigh

__all__ = ["Challenge", "ChallengeResult", "ChallengeSettings", "Outcome", "Phase", "Prompt"]

SUCCESSOR_IOU = 0.2
"""A new track that overlaps so much with where the face was last seen is the same face found again."""
FRONTAL_YAW = 0.6
HALF_WAY = 0.5
"""An answer that got this far was an attempt."""
MOST_STEP_S = 0.3
"""A longer step between two samples counts as this much of a prompt held."""
ALREADY_LOGIT = 0.85
"""Baseline log-odds (70 %) from which a small change says nothing in the face's favour."""


class Phase(StrEnum):
    """Where a challenge stands."""

    BASELINE = "baseline"
    ANSWER = "answer"
    DONE = "done"


class Outcome(StrEnum):
    """What a challenge says in the end."""

    PASSED = "passed"
    SUSPICIOUS = "suspicious"
    NOT_FOLLOWED = "not_followed"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True)
class ChallengeSettings:
    """Times in seconds of the stream's clock, and where outcomes begin.

    Attributes:
        baseline_s, baseline_limit_s: frontal video that is needed before the prompt, and how long it is waited for.
        baseline_samples: least number of samples in it.
        answer_limit_s: how long the prompt may take to be followed.
        lead_s, after_s: how long before the prompt was followed, and how long after that, the answer is weighed.
        answer_samples: least number of samples in the answer.
        lost_s: a face unseen for this long is gone.
        suspicious_at, passed_below: of the probability that the change is a swap's.
    """

    baseline_s: float = 2.0
    baseline_limit_s: float = 8.0
    baseline_samples: int = 6
    answer_limit_s: float = 8.0
    lead_s: float = 1.0
    after_s: float = 1.5
    answer_samples: int = 4
    lost_s: float = 3.0
    suspicious_at: float = 0.7
    passed_below: float = 0.4


@dataclass(frozen=True, slots=True)
class ChallengeResult:
    """The end of a challenge.

    Attributes:
        p_swap: 0..1, how likely the change is a swap's; None where there was nothing to compare.
        confidence: 0..1, the challenge's own; 0 for an outcome that says nothing.
        reasons: of `turned_other_way`, `not_far_enough`, `no_answer`, `no_baseline`, `face_lost`, `stream_jumped`,
            `too_few_samples`, `already_suspicious`, `little_change`, `evidence_rose`, `map_rose`, `flicker`,
            `landmarks_trembled`, `track_broke`, or what `stop` was told.
    """

    outcome: Outcome
    p_swap: float | None
    confidence: float
    reasons: tuple[str, ...]
    evidence: Evidence | None = None


@dataclass
class Challenge:
    """A challenge under way; `track` is the track that is followed now, which may have a successor."""

    prompt: Prompt
    track: int
    mirrored: bool = False
    settings: ChallengeSettings = field(default_factory=ChallengeSettings)
    phase: Phase = Phase.BASELINE
    result: ChallengeResult | None = None
    extent: float = 0.0

    def __post_init__(self) -> None:
        self._baseline: list[Sample] = []
        self._answer: list[Sample] = []
        self._pose: Pose | None = None
        self._last: Sample | None = None
        self._now_s: float | None = None
        self._started_s = self._phase_s = 0.0
        self._held_s = 0.0
        self._followed_s: float | None = None
        self._farthest = 0.0
        self._wrong = False
        self._breaks = 0

    @property
    def followed(self) -> bool:
        """Whether the prompt was followed."""
        return self._followed_s is not None

    @property
    def progress(self) -> float:
        """0..1 of the present phase; of the answer once the prompt was followed, before that 0."""
        if self.phase is Phase.DONE:
            return 1.0
        if self._now_s is None:
            return 0.0
        if self.phase is Phase.BASELINE:
            first = self._baseline[0].pts_s if self._baseline else self._now_s
            return min(1.0, (self._now_s - first) / self.settings.baseline_s)
        since = self._followed_s
        return 0.0 if since is None else min(1.0, (self._now_s - since) / self.settings.after_s)

    def update(self, pts_s: float, samples: Sequence[Sample]) -> None:
        """Takes the samples of all faces of one analysed frame; does nothing once the challenge is over."""
        if self.phase is Phase.DONE:
            return
        if self._now_s is None:
            self._started_s = self._phase_s = pts_s
        elif not 0 <= pts_s - self._now_s <= self.settings.lost_s:
            self._end(Outcome.INCONCLUSIVE, "stream_jumped" if pts_s < self._now_s else "face_lost")
            return
        before_s, self._now_s = self._now_s, pts_s
        sample = self._own(samples)
        seen_s = self._last.pts_s if self._last is not None else self._started_s
        if sample is None and pts_s - seen_s > self.settings.lost_s:
            self._end(Outcome.INCONCLUSIVE, "face_lost")
        elif self.phase is Phase.BASELINE:
            self._prepare(pts_s, sample)
        else:
            self._watch(pts_s, sample, min(pts_s - (before_s or pts_s), MOST_STEP_S))
        if sample is not None:
            self._last = sample

    def stop(self, reason: str = "stopped") -> None:
        """Ends the challenge without saying anything of the face."""
        if self.phase is not Phase.DONE:
            self._end(Outcome.INCONCLUSIVE, reason)

    def _own(self, samples: Sequence[Sample]) -> Sample | None:
        """This face's sample; a track that broke goes on in a newer one at the same place."""
        found = next((s for s in samples if s.track == self.track), None)
        if found is not None or self._last is None:
            return found
        last = self._last
        newer = [s for s in samples if s.track > self.track and overlap(s.box_xyxy, last.box_xyxy) > SUCCESSOR_IOU]
        if not newer:
            return None
        successor = max(newer, key=lambda s: overlap(s.box_xyxy, last.box_xyxy))
        self.track = successor.track
        self._breaks += self.phase is Phase.ANSWER
        return successor

    def _prepare(self, pts_s: float, sample: Sample | None) -> None:
        settings = self.settings
        usable = sample is not None and sample.fused is not None and sample.reliability > 0
        if sample is not None and usable and abs(sample.yaw) <= FRONTAL_YAW:
            self._baseline.append(sample)
        first_s = self._baseline[0].pts_s if self._baseline else pts_s
        if pts_s - first_s >= settings.baseline_s and len(self._baseline) >= settings.baseline_samples:
            self._pose = pose_of(self._baseline)
            self.phase, self._phase_s = Phase.ANSWER, pts_s
        elif pts_s - self._phase_s >= settings.baseline_limit_s:
            self._end(Outcome.INCONCLUSIVE, "no_baseline")

    def _watch(self, pts_s: float, sample: Sample | None, step_s: float) -> None:
        hides = self.prompt is Prompt.HAND_ACROSS_FACE
        self.extent = 0.0
        if sample is not None and self._pose is not None:
            self._answer.append(sample)
            self.extent = extent(self.prompt, self._pose, sample, self.mirrored)
        elif hides:
            self.extent = 1.0
        self._held_s += step_s * (self.extent >= 1)
        self._farthest = max(self._farthest, self.extent)
        self._wrong |= self.extent <= -1
        if self._followed_s is None and self._held_s >= HOLD_S[self.prompt]:
            self._followed_s = pts_s
        if self._followed_s is not None and pts_s - self._followed_s >= self.settings.after_s and sample is not None:
            self._judge()
        elif self._followed_s is None and pts_s - self._phase_s >= self.settings.answer_limit_s:
            self._end(Outcome.NOT_FOLLOWED, self._shortcoming())

    def _shortcoming(self) -> str:
        if self._wrong:
            return "turned_other_way"
        return "not_far_enough" if self._farthest >= HALF_WAY else "no_answer"

    def _judge(self) -> None:
        since_s = (self._followed_s or 0.0) - self.settings.lead_s
        evidence = weigh(self._baseline, [s for s in self._answer if s.pts_s >= since_s], self._breaks)
        if evidence is None or evidence.samples < self.settings.answer_samples:
            self._end(Outcome.INCONCLUSIVE, "too_few_samples")
            return
        p, settings = evidence.p_swap, self.settings
        confidence = MOST_CONFIDENCE * abs(2 * p - 1) * min(1.0, evidence.samples / (2 * settings.answer_samples))
        if p >= settings.suspicious_at:
            self._end(Outcome.SUSPICIOUS, *evidence.reasons(), evidence=evidence, confidence=confidence)
        elif evidence.baseline_fused >= ALREADY_LOGIT:
            self._end(Outcome.INCONCLUSIVE, "already_suspicious", evidence=evidence)
        elif p < settings.passed_below:
            self._end(Outcome.PASSED, "little_change", evidence=evidence, confidence=confidence)
        else:
            self._end(Outcome.INCONCLUSIVE, *evidence.reasons(), evidence=evidence)

    def _end(self, outcome: Outcome, *reasons: str, evidence: Evidence | None = None, confidence: float = 0.0) -> None:
        p_swap = None if evidence is None else evidence.p_swap
        self.result = ChallengeResult(outcome, p_swap, confidence, tuple(reasons), evidence)
        self.phase = Phase.DONE
