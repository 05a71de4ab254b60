"""The hub: newest verdict wins, events are kept and can be resumed, everything is bounded and counted."""

import asyncio
from collections import Counter
from typing import Any

import pytest

from tests.stream.serving import make_verdict
from unmask.pipeline.types import StreamState, VerdictState
from unmask.stream.hub import EVENT_LOG, MAX_TRACKS_HELD, Client, Hub, Subscription
from unmask.stream.routes_ws import _Blocked, write


def everything(_: str) -> bool:
    """The rights of an administrator."""
    return True


def joined(hub: Hub, **subscription: Any) -> Client:
    """A client that has subscribed."""
    client = hub.join(everything)
    hub.subscribe(client, Subscription(**subscription))
    return client


def types(client: Client, now: float = 0.0) -> list[str]:
    """Types of the messages that are due."""
    return [str(message["type"]) for message in client.take(now)[0]]


def test_client_gets_nothing_before_it_subscribes() -> None:
    hub = Hub()
    client = hub.join(everything)
    hub.publish_state("door", StreamState.LIVE)
    hub.publish_verdicts([make_verdict()])
    assert client.take(0.0) == ([], None)


def test_subscriber_gets_the_newest_state_at_once() -> None:
    hub = Hub()
    hub.publish_state("door", StreamState.CONNECTING)
    hub.publish_state("door", StreamState.LIVE)
    (message,) = joined(hub).take(0.0)[0]
    assert (message["type"], message["state"]) == ("state", "live")


def test_newest_verdict_wins_and_the_old_one_is_counted() -> None:
    hub = Hub()
    client = joined(hub, events=False)
    for seq in range(3):
        hub.publish_verdicts([make_verdict(seq=seq), make_verdict(track=2, seq=seq)])
    batch, _ = client.take(0.0)
    assert [(message["track"], message["seq"]) for message in batch] == [(1, 2), (2, 2)]
    assert hub.drops == Counter(superseded=4)


def test_only_the_asked_streams_come() -> None:
    hub = Hub()
    client = joined(hub, streams=frozenset({"door"}), events=False)
    hub.publish_verdicts([make_verdict("door"), make_verdict("yard")])
    assert [message["stream"] for message in client.take(0.0)[0]] == ["door"]


def test_streams_without_a_right_never_come() -> None:
    hub = Hub()
    client = hub.join(lambda stream: stream == "door")
    hub.publish_state("yard", StreamState.LIVE)
    hub.subscribe(client, Subscription(streams=frozenset({"door", "yard"}), resume=0))
    hub.publish_verdicts([make_verdict("yard")])
    hub.publish_state("yard", StreamState.ENDED)
    assert client.take(0.0) == ([], None)
    assert hub.events(may_see=client.may_see) == []


def test_max_hz_holds_verdicts_back_and_sends_the_newest() -> None:
    hub = Hub()
    client = joined(hub, max_hz=10.0, events=False)
    hub.publish_verdicts([make_verdict(seq=0)])
    assert [message["seq"] for message in client.take(100.0)[0]] == [0]
    hub.publish_verdicts([make_verdict(seq=1)])
    batch, due = client.take(100.05)
    assert batch == [] and due == pytest.approx(100.1)
    hub.publish_verdicts([make_verdict(seq=2)])
    assert [message["seq"] for message in client.take(100.11)[0]] == [2]


def test_change_of_state_is_an_event_and_the_same_state_is_none() -> None:
    hub = Hub()
    hub.publish_verdicts([make_verdict(seq=0), make_verdict(seq=1)])
    hub.publish_verdicts([make_verdict(seq=2, state=VerdictState.MANIPULATED, p_fake=0.97)])
    events = hub.events()
    assert [(event.message["before"], event.message["after"]) for event in events] == [
        (None, "authentic"),
        ("authentic", "manipulated"),
    ]
    assert events[1].verdict is not None and events[1].verdict["seq"] == 2


def test_resume_brings_the_missed_events_once() -> None:
    hub = Hub()
    for state in (StreamState.CONNECTING, StreamState.LIVE, StreamState.NO_FACE):
        hub.publish_state("door", state)
    client = joined(hub, resume=1)
    events = [message for message in client.take(0.0)[0] if message["type"] == "event"]
    assert [event["id"] for event in events] == [2, 3]


def test_resume_says_when_events_are_lost() -> None:
    hub = Hub()
    for index in range(EVENT_LOG + 2):
        hub.publish_state("door", StreamState.LIVE if index % 2 else StreamState.NO_FACE)
    first = joined(hub, resume=0).take(0.0)[0][0]
    assert (first["type"], first["code"]) == ("error", "events_lost")
    assert len(hub.events()) == EVENT_LOG


def test_client_that_takes_nothing_stays_bounded() -> None:
    hub = Hub()
    client = joined(hub)
    for track in range(1000):
        hub.publish_verdicts([make_verdict(track=track)])
    batch, _ = client.take(0.0)
    assert len(batch) == MAX_TRACKS_HELD + EVENT_LOG
    assert hub.drops == Counter(too_many_tracks=1000 - MAX_TRACKS_HELD, events_full=1000 - EVENT_LOG)


def test_removed_stream_is_forgotten_but_its_events_stay() -> None:
    hub = Hub()
    client = joined(hub, events=False)
    hub.publish_verdicts([make_verdict()])
    hub.forget("door")
    assert client.take(0.0) == ([], None)
    assert len(hub.events()) == 1
    assert types(joined(hub)) == []


def test_client_that_left_gets_nothing() -> None:
    hub = Hub()
    client = joined(hub)
    hub.leave(client)
    hub.publish_state("door", StreamState.LIVE)
    assert hub.clients == 0 and client.take(0.0) == ([], None)


async def test_waiting_ends_with_the_next_message() -> None:
    hub = Hub()
    client = joined(hub)
    waiting = asyncio.create_task(client.wait(None))
    await asyncio.sleep(0)
    hub.publish_state("door", StreamState.LIVE)
    await asyncio.wait_for(waiting, 5)


class Stuck:
    """A receiver that never takes anything."""

    async def send_text(self, text: str) -> None:
        """Waits for ever."""
        await asyncio.Event().wait()


async def test_receiver_that_stays_blocked_is_given_up() -> None:
    hub = Hub()
    client = joined(hub)
    hub.publish_state("door", StreamState.LIVE)
    with pytest.raises(_Blocked):
        await asyncio.wait_for(write(Stuck(), client, blocked_s=0.05), 5)
