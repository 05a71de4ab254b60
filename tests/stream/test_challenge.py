"""Challenges over a real server: started by right and by message, fed by the stream, and always with an end."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tests.pipeline.test_challenge import sample
from tests.stream.serving import Running, live, publishing, serving
from tests.stream.test_socket import read, say
from unmask.pipeline.challenge import Outcome, Phase, Prompt
from unmask.pipeline.challenge_sample import Sample
from unmask.pipeline.types import Frame
from unmask.stream import challenge as module
from unmask.stream import wire
from unmask.stream.challenge import MOST_AT_A_TIME, CannotChallenge, Challenges
from unmask.stream.streams import RunningStream

SCHEMA = wire.schema()
VALIDATOR = Draft202012Validator(SCHEMA)


class TurningFace:
    """Samples of a face that looks ahead for a while of the stream's time and then turns to its left."""

    def __init__(self, ahead_s: float = 2.3, yaw: float = 0.7) -> None:
        self.ahead_s, self.yaw = ahead_s, yaw
        self.first_s: float | None = None

    def __call__(self, stream: RunningStream, frame: Frame) -> Sequence[Sample]:
        self.first_s = frame.pts_s if self.first_s is None else self.first_s
        turned = frame.pts_s - self.first_s > self.ahead_s
        return [replace(sample(frame.pts_s), yaw=self.yaw if turned else 0.0)]


def opened(running: Running) -> connect:
    """A connection to the server's websocket."""
    address = f"ws://127.0.0.1:{running.port}/ws"
    return connect(address, subprotocols=[Subprotocol(wire.SUBPROTOCOL)], proxy=None, open_timeout=60)


async def told(client: ClientConnection, *types: str) -> dict[str, Any]:
    """The next message of one of these types."""
    while True:
        message = await read(client)
        if message["type"] in types:
            return message


async def test_no_challenge_without_a_stream_or_a_face() -> None:
    async with serving() as running:
        assert (await running.client.get("/api/streams/door/challenge")).status_code == 404
        assert (await running.client.post("/api/streams/door/challenge", json={"track": 1})).status_code == 404
        with pytest.raises(CannotChallenge) as caught:
            running.service.challenges.start("door", 1)
        assert caught.value.code == "no_such_stream"


async def test_a_followed_prompt_is_told_from_baseline_to_result() -> None:
    async with serving() as running, publishing(running, "door"), opened(running) as client:
        await running.until(lambda: live(running, "door"))
        running.service.challenges.sampler = TurningFace()
        await say(client, type="subscribe", streams=["door"])
        await say(client, type="challenge", stream="door", track=1, prompt="turn_left")
        seen = [await told(client, "challenge_state", "error")]
        while seen[-1]["result"] is None:
            seen.append(await told(client, "challenge_state", "error"))
        for message in seen:
            VALIDATOR.validate(message)
        phases = [message["phase"] for message in seen]
        assert list(dict.fromkeys(phases)) == ["baseline", "answer", "done"]
        assert len({message["id"] for message in seen}) == 1
        assert seen[-1]["followed"] and seen[-1]["result"]["outcome"] == "passed"
        assert seen[-1]["result"]["evidence"]["samples"] > 0
        kept = (await running.client.get("/api/streams/door/challenge")).json()["challenges"]
        assert kept == [seen[-1]]
        assert [verdict.reasons for verdict in running.service.streams.all()[0].newest()] == [("inconclusive",)]


async def test_one_challenge_at_a_time_for_a_face_and_stopping_makes_room() -> None:
    async with serving() as running, publishing(running, "door"):
        await running.until(lambda: live(running, "door"))
        running.service.challenges.sampler = TurningFace()
        path = "/api/streams/door/challenge"
        first = await running.client.post(path, json={"track": 1, "prompt": "cover_one_eye"})
        assert first.status_code == 201 and first.json()["phase"] == "baseline"
        second = await running.client.post(path, json={"track": 1})
        assert (second.status_code, second.json()["error"]) == (409, "challenge_running")
        assert (await running.client.post(path, json={"track": 9})).json()["error"] == "no_such_face"
        assert (await running.client.post(path, json={"track": 1, "prompt": "sing"})).status_code == 422
        assert (await running.client.delete(path, params={"track": 1})).status_code == 204
        assert (await running.client.delete(path)).status_code == 404
        third = await running.client.post(path, json={"track": 1})
        assert third.status_code == 201 and third.json()["prompt"] in list(Prompt)
        ends = (await running.client.get(path)).json()["challenges"]
        assert [end["result"] and end["result"]["reasons"] for end in ends] == [None, ["stopped"]]


async def test_a_client_stops_its_challenge_and_hears_when_there_is_none() -> None:
    async with serving() as running, publishing(running, "door"), opened(running) as client:
        await running.until(lambda: live(running, "door"))
        running.service.challenges.sampler = TurningFace()
        await say(client, type="subscribe", streams=["door"])
        await say(client, type="challenge", action="stop", stream="door", track=1)
        assert (await told(client, "error"))["code"] == "no_such_challenge"
        await say(client, type="challenge", stream="door", track=1)
        await told(client, "challenge_state")
        await say(client, type="challenge", action="stop", stream="door", track=1)
        while (message := await told(client, "challenge_state"))["result"] is None:
            continue
        assert message["result"]["outcome"] == "inconclusive"


@pytest.mark.parametrize("message", [{}, {"stream": "door"}, {"stream": "door", "track": 0}, {"stream": 3, "track": 1}])
async def test_a_challenge_that_makes_no_sense_is_a_mistake(message: dict[str, object]) -> None:
    async with serving() as running, opened(running) as client:
        await say(client, type="challenge", **message)
        assert (await told(client, "error"))["code"] == "bad_message"


async def test_streams_without_a_right_to_them_cannot_be_challenged() -> None:
    settings = {"tokens": [{"token": "only the yard", "streams": ["yard"]}]}
    async with serving(**settings) as running, opened(running) as client:
        await read(client)
        await say(client, type="auth", token="only the yard")
        await told(client, "hello")
        await say(client, type="challenge", stream="door", track=1)
        assert (await told(client, "error"))["code"] == "no_such_stream"
        header = {"Authorization": "Bearer only the yard"}
        for method in ("GET", "POST", "DELETE"):
            body = {"track": 1} if method == "POST" else None
            answer = await running.client.request(method, "/api/streams/door/challenge", headers=header, json=body)
            assert answer.status_code == 404


async def test_a_judge_that_gives_no_samples_ends_the_challenge() -> None:
    async with serving() as running, publishing(running, "door"):
        await running.until(lambda: live(running, "door"))
        running.service.challenges.start("door", 1)
        await running.until(lambda: running.service.challenges.find("door", 1) is None)
        (end,) = running.service.challenges.messages("door")
        assert end["result"]["reasons"] == ["no_samples"]  # type: ignore[index]


async def test_a_challenge_ends_with_its_stream() -> None:
    async with serving() as running, publishing(running, "door"):
        await running.until(lambda: live(running, "door"))
        running.service.challenges.sampler = TurningFace()
        started = running.service.challenges.start("door", 1)
        await running.service.streams.remove("door")
        await running.until(lambda: started.challenge.phase is Phase.DONE)
        assert started.challenge.result is not None
        assert started.challenge.result.reasons == ("stream_ended",)


async def test_a_stream_that_falls_silent_ends_its_challenge(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "NO_FRAMES_S", 0.3)
    async with serving() as running, publishing(running, "door") as publisher:
        await running.until(lambda: live(running, "door"))
        running.service.challenges.sampler = TurningFace()
        publisher.track.flowing.clear()
        await asyncio.sleep(0.3)
        known = running.service.streams.get("door")
        assert known is not None
        known.remember(known.newest())
        started = running.service.challenges.start("door", 1)
        await running.until(lambda: started.challenge.phase is Phase.DONE)
        assert started.challenge.result is not None and started.challenge.result.outcome is Outcome.INCONCLUSIVE
        assert started.challenge.result.reasons == ("no_frames",)


async def test_challenges_are_bounded_in_number_and_end_with_the_server() -> None:
    async with serving() as running, publishing(running, "door"):
        await running.until(lambda: live(running, "door"))
        challenges: Challenges = running.service.challenges
        challenges.sampler = TurningFace()
        known = running.service.streams.get("door")
        assert known is not None
        (verdict,) = known.newest()
        for track in range(1, MOST_AT_A_TIME + 2):
            known.remember([replace(verdict, track=track)])
        started = [challenges.start("door", track) for track in range(1, MOST_AT_A_TIME + 1)]
        with pytest.raises(CannotChallenge) as caught:
            challenges.start("door", MOST_AT_A_TIME + 1)
        assert caught.value.code == "too_many_challenges"
        challenges.close()
        assert all(running_one.challenge.phase is Phase.DONE for running_one in started)
        assert challenges.stop("door") == 0
