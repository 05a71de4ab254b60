"""The wire format: what the server builds fits the published schema, and what clients send is read with patience."""

import json
import math

import pytest
from jsonschema import Draft202012Validator

from tests.stream.serving import make_verdict
from unmask.pipeline.types import StreamState, VerdictState
from unmask.stream import wire
from unmask.stream.hub import Hub

VALIDATOR = Draft202012Validator(wire.schema())


def sent_messages() -> list[wire.Message]:
    """One message of every kind that the server sends."""
    hub = Hub()
    hub.publish_state("door", StreamState.LIVE)
    hub.publish_verdicts([make_verdict(), make_verdict(track=2, p_fake=None, state=VerdictState.UNCERTAIN)])
    return [
        wire.hello("unmask", ["b", "a"], auth_required=False),
        wire.verdict_message(make_verdict()),
        wire.verdict_message(make_verdict(p_fake=None, state=VerdictState.WARMING)),
        *(wire.state_message("door", state, "why") for state in StreamState),
        *(event.message for event in hub.events()),
        wire.error_message("bad_json", "a message must be JSON", retryable=True),
        wire.ping(1.5),
        wire.pong(None, 2.5),
    ]


@pytest.mark.parametrize("message", sent_messages(), ids=lambda message: str(message["type"]))
def test_every_sent_message_fits_the_schema(message: wire.Message) -> None:
    VALIDATOR.validate(json.loads(wire.encode(message)))


@pytest.mark.parametrize("field", ["stream", "box_xyxy", "state", "p_fake", "branches", "quality", "timing_ms", "v"])
def test_schema_misses_every_field_of_a_verdict(field: str) -> None:
    message = wire.verdict_message(make_verdict())
    del message[field]
    assert not VALIDATOR.is_valid(message)


def test_schema_itself_is_valid() -> None:
    Draft202012Validator.check_schema(wire.schema())


def test_verdict_has_exactly_the_fields_of_the_contract() -> None:
    message = wire.verdict_message(make_verdict())
    contract = "type v stream track seq pts_s box_xyxy state p_fake branches quality reasons degraded timing_ms"
    assert list(message) == contract.split()
    assert message["branches"] == {
        "spatial": {"p_fake": 0.2, "confidence": 0.6, "weight": 0.7},
        "mri": {"p_fake": 0.1, "confidence": 0.8, "weight": 0.3},
    }


def test_streams_stay_unnamed_before_the_token_was_shown() -> None:
    said = wire.hello("unmask", ["secret"], auth_required=True, version="1.2", instance="abc")
    assert (said["streams"], said["version"], said["instance"]) == ([], "", "")


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_numbers_that_are_not_finite_never_leave(value: float) -> None:
    with pytest.raises(ValueError, match="JSON"):
        wire.encode({"p_fake": value})


def test_unknown_fields_are_ignored() -> None:
    message = wire.parse_client('{"type":"subscribe","streams":["a"],"max_hz":5,"colour":"red"}')
    assert message == wire.SubscribeMessage(type="subscribe", streams=["a"], max_hz=5)


@pytest.mark.parametrize("text", ['{"type":"auth","token":"x"}', '{"type":"ping"}', '{"type":"pong","t0":1}'])
def test_client_messages_are_read(text: str) -> None:
    assert wire.parse_client(text).type == json.loads(text)["type"]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "bad_json"),
        ("{", "bad_json"),
        ("[" * 9000, "bad_json"),
        ("x" * 20_000, "too_large"),
        ("[]", "unknown_type"),
        ("3", "unknown_type"),
        ('{"type":[]}', "unknown_type"),
        ('{"type":"verdict"}', "unknown_type"),
        ('{"type":"auth"}', "bad_message"),
        ('{"type":"auth","token":""}', "bad_message"),
        ('{"type":"subscribe","streams":"door"}', "bad_message"),
        ('{"type":"subscribe","max_hz":0}', "bad_message"),
        ('{"type":"subscribe","max_hz":"fast"}', "bad_message"),
        ('{"type":"subscribe","resume":-1}', "bad_message"),
    ],
)
def test_nonsense_is_a_typed_error(text: str, code: str) -> None:
    with pytest.raises(wire.ProtocolError) as caught:
        wire.parse_client(text)
    assert caught.value.code == code


def test_error_never_repeats_a_token() -> None:
    with pytest.raises(wire.ProtocolError) as caught:
        wire.parse_client('{"type":"auth","token":["hunter2"]}')
    assert "hunter2" not in str(caught.value)
