"""Fan-out of verdicts, states and events to websocket clients: newest verdict wins, events are kept, all is bounded.

A client owns one conflating map (newest verdict per stream and track), one map of newest stream states and a cursor
into the hub's event log. Publishing never waits; a slow client loses old verdicts, which are counted by cause.
"""

import asyncio
import secrets
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from unmask.pipeline.types import StreamState, Verdict
from unmask.stream import wire

EVENT_LOG = 256
MAX_CHALLENGES_HELD = 32
MAX_TRACKS_HELD = 128
TRACK_MEMORY_S = 10.0

StreamFilter = Callable[[str], bool]


@dataclass(frozen=True)
class Event:
    """A remembered change with the verdict that made it, if one did."""

    message: wire.Message
    verdict: wire.Message | None

    @property
    def id(self) -> int:
        """Number of the event, from 1."""
        value = self.message["id"]
        return value if isinstance(value, int) else 0

    @property
    def stream(self) -> str:
        """Name of the stream that it is about."""
        return str(self.message["stream"])


@dataclass
class Subscription:
    """What a client asked for; `streams` None means every stream that it may see."""

    streams: frozenset[str] | None = None
    max_hz: float | None = None
    events: bool = True
    resume: int | None = None


class Client:
    """One receiver's bounded outbox; filled by the hub, emptied by the receiver's own task."""

    def __init__(self, may_see: StreamFilter, drops: Counter[str]) -> None:
        self.may_see = may_see
        self.subscription: Subscription | None = None
        self.drops = drops
        self._verdicts: OrderedDict[tuple[str, int], wire.Message] = OrderedDict()
        self._states: dict[str, wire.Message] = {}
        self._challenges: OrderedDict[str, wire.Message] = OrderedDict()
        self._events: deque[wire.Message] = deque()
        self._notices: deque[wire.Message] = deque()
        self._next_due: dict[tuple[str, int], float] = {}
        self._wake = asyncio.Event()

    def wants(self, stream: str) -> bool:
        """Whether the client asked for this stream and may see it."""
        asked = self.subscription
        return asked is not None and (asked.streams is None or stream in asked.streams) and self.may_see(stream)

    def notice(self, message: wire.Message) -> None:
        """Queues an answer to the client itself; the oldest of more than 16 is dropped and counted."""
        self._push(self._notices, message, 16, "notices_full")

    def put_verdict(self, stream: str, track: int, message: wire.Message) -> None:
        """Replaces the waiting verdict of this track, which is dropped and counted."""
        key = (stream, track)
        if self._verdicts.pop(key, None) is not None:
            self.drops["superseded"] += 1
        elif len(self._verdicts) >= MAX_TRACKS_HELD:
            self._verdicts.popitem(last=False)
            self.drops["too_many_tracks"] += 1
        self._verdicts[key] = message
        self._wake.set()

    def put_state(self, stream: str, message: wire.Message) -> None:
        """Replaces the waiting state of this stream; only the newest counts."""
        self._states[stream] = message
        self._wake.set()

    def put_challenge(self, number: str, message: wire.Message) -> None:
        """Replaces what waits on this challenge; beyond 32 waiting ones the oldest is dropped and counted."""
        self._challenges.pop(number, None)
        if len(self._challenges) >= MAX_CHALLENGES_HELD:
            self._challenges.popitem(last=False)
            self.drops["challenges_full"] += 1
        self._challenges[number] = message
        self._wake.set()

    def put_event(self, message: wire.Message) -> None:
        """Queues an event; beyond 256 waiting ones the oldest is dropped and counted."""
        self._push(self._events, message, EVENT_LOG, "events_full")

    def forget(self, stream: str) -> None:
        """Drops what waits of a stream that is gone."""
        for key in [key for key in self._verdicts if key[0] == stream]:
            del self._verdicts[key]
            self.drops["stream_gone"] += 1

    def take(self, now: float) -> tuple[list[wire.Message], float | None]:
        """Empties what is due at `now` (monotonic seconds); the second value is when the next verdict falls due."""
        batch = [*self._notices, *self._states.values(), *self._events, *self._challenges.values()]
        self._notices.clear()
        self._states.clear()
        self._events.clear()
        self._challenges.clear()
        self._wake.clear()
        period = self._period()
        soonest: float | None = None
        for key in list(self._verdicts):
            due = self._next_due.get(key, now)
            if due <= now:
                batch.append(self._verdicts.pop(key))
                self._next_due[key] = due + period if due + period > now else now + period
            else:
                soonest = due if soonest is None else min(soonest, due)
        self._next_due = {key: due for key, due in self._next_due.items() if due > now - TRACK_MEMORY_S}
        return batch, soonest

    async def wait(self, until: float | None) -> None:
        """Returns when something new was put, or at `until` (monotonic seconds)."""
        try:
            async with asyncio.timeout(None if until is None else max(0.0, until - time.monotonic())):
                await self._wake.wait()
        except TimeoutError:
            return

    def _period(self) -> float:
        rate = self.subscription.max_hz if self.subscription else None
        return 1.0 / rate if rate else 0.0

    def _push(self, queue: deque[wire.Message], message: wire.Message, limit: int, cause: str) -> None:
        if len(queue) >= limit:
            queue.popleft()
            self.drops[cause] += 1
        queue.append(message)
        self._wake.set()


@dataclass
class _Known:
    """The newest that the hub knows of a stream."""

    state: StreamState
    reason: str = ""
    tracks: OrderedDict[int, wire.Message] = field(default_factory=OrderedDict)


class Hub:
    """All receivers, the newest state of every stream, and the log of the last 256 events.

    Attributes:
        instance: another one in every hub; ids of events are only comparable within one.
    """

    def __init__(self) -> None:
        self.instance = secrets.token_hex(8)
        self.drops: Counter[str] = Counter()
        self._clients: set[Client] = set()
        self._known: dict[str, _Known] = {}
        self._log: deque[Event] = deque(maxlen=EVENT_LOG)
        self._last_id = 0

    @property
    def clients(self) -> int:
        """How many receivers are joined."""
        return len(self._clients)

    def join(self, may_see: StreamFilter) -> Client:
        """Adds a receiver that gets nothing before it subscribes."""
        client = Client(may_see, self.drops)
        self._clients.add(client)
        return client

    def leave(self, client: Client) -> None:
        """Removes a receiver and what waits for it."""
        self._clients.discard(client)

    def subscribe(self, client: Client, subscription: Subscription) -> None:
        """Sets what a receiver gets: the newest states at once, and events since `resume` when it names one."""
        client.subscription = subscription
        for name, known in self._known.items():
            if client.wants(name):
                client.put_state(name, wire.state_message(name, known.state, known.reason))
        if subscription.events and subscription.resume is not None:
            if self._log and subscription.resume + 1 < self._log[0].id:
                client.notice(wire.error_message("events_lost", "older events are no longer held"))
            for event in self._log:
                if event.id > subscription.resume and client.wants(event.stream):
                    client.put_event(event.message)

    def publish_state(self, stream: str, state: StreamState, reason: str = "") -> None:
        """Tells every receiver of a stream's new state; a change becomes an event."""
        known = self._known.get(stream)
        if known is not None and (known.state, known.reason) == (state, reason):
            return
        before = known.state.value if known else None
        if known is None:
            self._known[stream] = _Known(state, reason)
        else:
            known.state, known.reason = state, reason
        message = wire.state_message(stream, state, reason)
        for client in self._interested(stream):
            client.put_state(stream, message)
        if before != state.value:
            self._record("stream_state", stream, before=before, after=state.value, reasons=[reason] if reason else [])

    def publish_verdicts(self, verdicts: Iterable[Verdict]) -> None:
        """Tells every receiver of new verdicts; a track's change of state becomes an event."""
        for verdict in verdicts:
            message = wire.verdict_message(verdict)
            for client in self._interested(verdict.stream):
                client.put_verdict(verdict.stream, verdict.track, message)
            known = self._known.setdefault(verdict.stream, _Known(StreamState.LIVE))
            previous = known.tracks.pop(verdict.track, None)
            known.tracks[verdict.track] = message
            if len(known.tracks) > MAX_TRACKS_HELD:
                known.tracks.popitem(last=False)
            before = str(previous["state"]) if previous else None
            if before != verdict.state.value:
                self._record(
                    "verdict_state",
                    verdict.stream,
                    track=verdict.track,
                    before=before,
                    after=verdict.state.value,
                    p_fake=message["p_fake"],
                    reasons=list(verdict.reasons),
                    verdict=message,
                )

    def publish_challenge(self, stream: str, number: str, message: wire.Message) -> None:
        """Tells every receiver of this stream how a challenge stands."""
        for client in self._interested(stream):
            client.put_challenge(number, message)

    def forget(self, stream: str) -> None:
        """Drops everything known of a stream that was removed; its events stay."""
        self._known.pop(stream, None)
        for client in self._clients:
            client.forget(stream)

    def events(self, since: int = 0, may_see: StreamFilter = lambda stream: True) -> list[Event]:
        """The remembered events after number `since`, oldest first."""
        return [event for event in self._log if event.id > since and may_see(event.stream)]

    def _interested(self, stream: str) -> list[Client]:
        return [client for client in self._clients if client.wants(stream)]

    def _record(self, kind: str, stream: str, *, verdict: wire.Message | None = None, **fields: object) -> None:
        self._last_id += 1
        message: wire.Message = {
            "type": "event",
            "v": wire.VERSION,
            "id": self._last_id,
            "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "kind": kind,
            "stream": stream,
            "track": None,
            "p_fake": None,
            **fields,
        }
        self._log.append(Event(message, verdict))
        for client in self._interested(stream):
            if client.subscription is not None and client.subscription.events:
                client.put_event(message)
