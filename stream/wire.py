"""The messages of subprotocol `unmask.v1`: pure functions from values to JSON objects and back.

Every message is a JSON object with a `type`. Receivers ignore fields that they do not know. The JSON Schema of
all messages is `schema()`, published at /schema/v1.json.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictStr, TypeAdapter, ValidationError

from unmask.pipeline.types import BranchResult, Quality, StreamState, Verdict, VerdictState
from unmask.stream.challenge_wire import ChallengeMessage, ChallengeStateMessage

VERSION = 1
SUBPROTOCOL = "unmask.v1"
MAX_CLIENT_BYTES = 16_384

Probability = Annotated[float, Field(ge=0, le=1)]
Message = dict[str, object]


class ProtocolError(Exception):
    """Raised when a client's message makes no sense; `code` is the wire's error code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class _Model(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class BranchModel(_Model):
    """One branch's part in a verdict."""

    p_fake: Probability
    confidence: Probability
    weight: Probability


class QualityModel(_Model):
    """How much the crop can carry."""

    face_px: float
    sharpness: float
    brightness: float
    yaw: float
    reliability: Probability
    reasons: list[str]


class VerdictMessage(_Model):
    """What is said of one face at one moment."""

    type: Literal["verdict"]
    v: Literal[1]
    stream: str
    track: int
    seq: int
    pts_s: float
    box_xyxy: Annotated[list[float], Field(min_length=4, max_length=4)]
    state: VerdictState
    p_fake: Probability | None
    branches: dict[str, BranchModel]
    quality: QualityModel
    reasons: list[str]
    degraded: list[str]
    timing_ms: dict[str, float]


class StateMessage(_Model):
    """What is said of one stream; sent on every change, and once per stream after `subscribe`."""

    type: Literal["state"]
    v: Literal[1]
    stream: str
    state: StreamState
    reason: str


class EventMessage(_Model):
    """A change worth remembering; `id` grows by one and serves to resume."""

    type: Literal["event"]
    v: Literal[1]
    id: int
    at: str
    kind: Literal["verdict_state", "stream_state"]
    stream: str
    track: int | None
    before: str | None
    after: str
    p_fake: Probability | None
    reasons: list[str]


class HelloMessage(_Model):
    """The server's first message; `auth_required` says that `auth` must be the client's first one.

    `version` is the server's; `instance` is another one after a restart, where the ids of events begin anew. Both are
    empty until the client has shown its token.
    """

    type: Literal["hello"]
    v: Literal[1]
    server: str
    version: str = ""
    instance: str = ""
    auth_required: bool
    streams: list[str]


class ErrorMessage(_Model):
    """Something went wrong; `retryable` says whether the same request may succeed later."""

    type: Literal["error"]
    v: Literal[1]
    code: str
    message: str
    retryable: bool


class AuthMessage(_Model):
    """From the client: its token."""

    type: Literal["auth"]
    token: Annotated[StrictStr, Field(min_length=1, max_length=512)]


class SubscribeMessage(_Model):
    """From the client: which streams (null = all), how many verdicts per second and track, and from which event on."""

    type: Literal["subscribe"]
    streams: Annotated[list[StrictStr], Field(max_length=256)] | None = None
    max_hz: Annotated[float, Field(gt=0, le=120)] | None = None
    events: StrictBool = True
    resume: Annotated[int, Field(ge=0)] | None = None


class PingMessage(_Model):
    """From either side: asks for a `pong` with the same `t0` (the asker's clock in seconds)."""

    type: Literal["ping"]
    t0: float | None = None


class PongMessage(_Model):
    """The answer to a `ping`; `t1` is the answering side's clock in seconds."""

    type: Literal["pong"]
    t0: float | None = None
    t1: float | None = None


Asked = AuthMessage | SubscribeMessage | ChallengeMessage | PingMessage | PongMessage
ClientMessage = Annotated[Asked, Field(discriminator="type")]
ServerMessage = Annotated[
    HelloMessage
    | VerdictMessage
    | StateMessage
    | EventMessage
    | ChallengeStateMessage
    | ErrorMessage
    | PingMessage
    | PongMessage,
    Field(discriminator="type"),
]
AnyMessage = Annotated[
    HelloMessage
    | VerdictMessage
    | StateMessage
    | EventMessage
    | ChallengeStateMessage
    | ErrorMessage
    | AuthMessage
    | SubscribeMessage
    | ChallengeMessage
    | PingMessage
    | PongMessage,
    Field(discriminator="type"),
]
_CLIENT: TypeAdapter[Asked] = TypeAdapter(ClientMessage)
_ANY: TypeAdapter[Any] = TypeAdapter(AnyMessage)
_CLIENT_TYPES = ("auth", "subscribe", "challenge", "ping", "pong")


def schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of every message of version 1."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": SUBPROTOCOL, **_ANY.json_schema()}


def encode(message: Mapping[str, object]) -> str:
    """Compact JSON; a number that is not finite raises ValueError instead of leaving the server as `NaN`."""
    return json.dumps(message, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def parse_client(text: str) -> Asked:
    """Reads a client's message, ignoring fields that are not known.

    Raises:
        ProtocolError: `too_large`, `bad_json`, `unknown_type` or `bad_message`.
    """
    if len(text) > MAX_CLIENT_BYTES:
        raise ProtocolError("too_large", f"a message may have at most {MAX_CLIENT_BYTES} characters")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise ProtocolError("bad_json", "a message must be JSON") from None
    if not isinstance(value, dict) or value.get("type") not in _CLIENT_TYPES:
        raise ProtocolError("unknown_type", f"a message must have a type of: {', '.join(_CLIENT_TYPES)}")
    try:
        return _CLIENT.validate_python(value)
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors(include_input=False)[0]["loc"][1:])
        raise ProtocolError("bad_message", f"field `{where}` of `{value['type']}` does not fit the schema") from None


def verdict_message(verdict: Verdict) -> Message:
    """Every field of a verdict, with numbers rounded to what they can carry."""
    return {
        "type": "verdict",
        "v": VERSION,
        "stream": verdict.stream,
        "track": verdict.track,
        "seq": verdict.seq,
        "pts_s": round(float(verdict.pts_s), 4),
        "box_xyxy": [round(float(value), 5) for value in verdict.box_xyxy],
        "state": verdict.state.value,
        "p_fake": _probability(verdict.p_fake),
        "branches": {name: _branch(result) for name, result in verdict.branches.items()},
        "quality": _quality(verdict.quality),
        "reasons": list(verdict.reasons),
        "degraded": list(verdict.degraded),
        "timing_ms": {stage: round(float(value), 2) for stage, value in verdict.timing_ms.items()},
    }


def state_message(stream: str, state: StreamState, reason: str = "") -> Message:
    """What is said of a stream, and why."""
    return {"type": "state", "v": VERSION, "stream": stream, "state": state.value, "reason": reason}


def hello(
    server: str, streams: Sequence[str], *, auth_required: bool, version: str = "", instance: str = ""
) -> Message:
    """The server's first message; streams, version and instance stay unsaid until the client has shown its token."""
    return {
        "type": "hello",
        "v": VERSION,
        "server": server,
        "version": "" if auth_required else version,
        "instance": "" if auth_required else instance,
        "auth_required": auth_required,
        "streams": [] if auth_required else sorted(streams),
    }


def error_message(code: str, message: str, retryable: bool = False) -> Message:
    """What went wrong, in one sentence."""
    return {"type": "error", "v": VERSION, "code": code, "message": message, "retryable": retryable}


def ping(t0: float) -> Message:
    """Asks for a sign of life."""
    return {"type": "ping", "v": VERSION, "t0": t0}


def pong(t0: float | None, t1: float) -> Message:
    """Answers a ping."""
    return {"type": "pong", "v": VERSION, "t0": t0, "t1": t1}


def _probability(value: float | None) -> float | None:
    return None if value is None else round(float(value), 4)


def _branch(result: BranchResult) -> dict[str, float]:
    parts = {"p_fake": result.p_fake, "confidence": result.confidence, "weight": result.weight}
    return {name: round(float(value), 4) for name, value in parts.items()}


def _quality(quality: Quality) -> dict[str, object]:
    return {
        "face_px": round(float(quality.face_px), 1),
        "sharpness": round(float(quality.sharpness), 2),
        "brightness": round(float(quality.brightness), 1),
        "yaw": round(float(quality.yaw), 3),
        "reliability": round(float(quality.reliability), 3),
        "reasons": list(quality.reasons),
    }
