"""The messages of liveness challenges, and how they are built."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictStr

from unmask.pipeline.challenge import Challenge, Outcome, Phase, Prompt

Probability = Annotated[float, Field(ge=0, le=1)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class ChallengeMessage(_Model):
    """From the client: starts a challenge of one face, or stops it.

    `prompt` may be left out: then the server draws one. `mirrored` says that the picture is a mirror image, as a
    self-view is: then the person's left is on the picture's left.
    """

    type: Literal["challenge"]
    action: Literal["start", "stop"] = "start"
    stream: Annotated[StrictStr, Field(min_length=1, max_length=64)]
    track: Annotated[int, Field(ge=1)]
    prompt: Prompt | None = None
    mirrored: StrictBool = False


class ChallengeEvidence(_Model):
    """How the evidence changed from the baseline to the answer; see docs/challenge.md."""

    fused: float
    map: float
    flicker: float
    jitter: float
    breaks: float
    baseline_fused: float
    samples: float


class ChallengeResultModel(_Model):
    """The end of a challenge: an extra cue with its own confidence, which is in no verdict."""

    outcome: Outcome
    p_swap: Probability | None
    confidence: Probability
    reasons: list[str]
    evidence: ChallengeEvidence | None


class ChallengeStateMessage(_Model):
    """How a challenge stands; sent to whoever subscribed to the stream, up to five times a second and at its end.

    `track` is the face's track now, which may have a new number since it was found again; `first_track` is the one
    it was started on.
    """

    type: Literal["challenge_state"]
    v: Literal[1]
    id: str
    stream: str
    track: int
    first_track: int
    prompt: Prompt
    mirrored: bool
    phase: Phase
    followed: bool
    progress: Probability
    result: ChallengeResultModel | None


def challenge_state(number: str, stream: str, first_track: int, challenge: Challenge) -> dict[str, object]:
    """The message on a challenge."""
    return {
        "type": "challenge_state",
        "v": 1,
        "id": number,
        "stream": stream,
        "track": challenge.track,
        "first_track": first_track,
        "prompt": challenge.prompt.value,
        "mirrored": challenge.mirrored,
        "phase": challenge.phase.value,
        "followed": challenge.followed,
        "progress": round(challenge.progress, 3),
        "result": _result(challenge),
    }


def _result(challenge: Challenge) -> dict[str, object] | None:
    result = challenge.result
    if result is None:
        return None
    return {
        "outcome": result.outcome.value,
        "p_swap": None if result.p_swap is None else round(result.p_swap, 4),
        "confidence": round(result.confidence, 4),
        "reasons": list(result.reasons),
        "evidence": None if result.evidence is None else dict(result.evidence.as_numbers()),
    }
