"""`WS /ws`, subprotocol `unmask.v1`: verdicts, states and events out, subscriptions in."""

import asyncio
import time
from contextlib import suppress
from importlib.metadata import version
from typing import Protocol

from fastapi import APIRouter, WebSocket, WebSocketDisconnect

from unmask.stream import wire
from unmask.stream.auth import AccessDenied, Grant, bearer
from unmask.stream.challenge import CannotChallenge, Challenges
from unmask.stream.challenge_wire import ChallengeMessage
from unmask.stream.hub import Client, Hub, Subscription
from unmask.stream.service import Service
from unmask.stream.sockets import FORCE_CLOSE

AUTH_TIMEOUT_S = 5.0
BLOCKED_TIMEOUT_S = 5.0
MAX_MISTAKES = 16
SERVER_NAME = "unmask"

CLOSE_UNAUTHORISED = 4401
CLOSE_BLOCKED = 4008
CLOSE_POLICY = 1008
CLOSE_TRY_LATER = 1013

router = APIRouter()


class Outlet(Protocol):
    """The sending side of a websocket."""

    async def send_text(self, text: str) -> None:
        """Waits while the peer's buffers are full."""


class _Gone(Exception):
    """Raised when the peer has closed the connection."""


class _Blocked(Exception):
    """Raised when the peer has not read for five seconds."""


@router.websocket("/ws")
async def live(socket: WebSocket) -> None:
    """One client, from its handshake to its end."""
    service: Service = socket.app.state.service
    offered = socket.scope["subprotocols"]
    if offered and wire.SUBPROTOCOL not in offered:
        await socket.close(CLOSE_POLICY)
        return
    await socket.accept(wire.SUBPROTOCOL if offered else None)
    if service.sockets >= service.settings.max_clients:
        await socket.close(CLOSE_TRY_LATER, "too many clients")
        return
    service.sockets += 1
    try:
        with suppress(_Gone, WebSocketDisconnect):
            await _admitted(socket, service)
    finally:
        service.sockets -= 1


async def _admitted(socket: WebSocket, service: Service) -> None:
    try:
        grant = await _welcome(socket, service)
    except AccessDenied as error:
        await socket.close(CLOSE_UNAUTHORISED, str(error))
    else:
        await _converse(socket, service, grant)


async def _welcome(socket: WebSocket, service: Service) -> Grant:
    """Says hello and learns the client's rights.

    Raises:
        AccessDenied: no right token came in time.
    """
    token = bearer(socket.headers.get("authorization"))
    pending = service.tokens.required and token is None
    grant = None if pending else await service.tokens.check(token)
    names = [stream.name for stream in service.streams.all() if grant is not None and grant.allows(stream.name)]
    await _hello(socket, service.hub, names, auth_required=pending)
    if grant is not None:
        return grant
    try:
        async with asyncio.timeout(AUTH_TIMEOUT_S):
            message = wire.parse_client(await _receive(socket))
    except (TimeoutError, wire.ProtocolError):
        message = None
    grant = await service.tokens.check(message.token if isinstance(message, wire.AuthMessage) else None)
    names = [stream.name for stream in service.streams.all() if grant.allows(stream.name)]
    await _hello(socket, service.hub, names, auth_required=False)
    return grant


async def _hello(socket: WebSocket, hub: Hub, names: list[str], *, auth_required: bool) -> None:
    said = wire.hello(SERVER_NAME, names, auth_required=auth_required, version=version("unmask"), instance=hub.instance)
    await socket.send_text(wire.encode(said))


async def _converse(socket: WebSocket, service: Service, grant: Grant) -> None:
    """Runs the reading and the writing side until one of them ends; both are over when it returns."""
    hub = service.hub
    client = hub.join(grant.allows)
    reader = asyncio.create_task(_read(socket, service, client))
    writer = asyncio.create_task(write(socket, client))
    try:
        await asyncio.wait([reader, writer], return_when=asyncio.FIRST_COMPLETED)
    finally:
        hub.leave(client)
        for task in (reader, writer):
            task.cancel()
        ends = await asyncio.gather(reader, writer, return_exceptions=True)
    if any(isinstance(end, _Blocked) for end in ends):
        hub.drops["blocked_client"] += 1
        await _drop(socket, CLOSE_BLOCKED, "the client does not read its messages")
        return
    for end in ends:
        if isinstance(end, Exception) and not isinstance(end, _Gone):
            raise end


async def _read(socket: WebSocket, service: Service, client: Client) -> None:
    """Answers the client's messages; after 16 mistakes the connection is closed."""
    mistakes = 0
    while mistakes < MAX_MISTAKES:
        try:
            message = wire.parse_client(await _receive(socket))
        except wire.ProtocolError as error:
            mistakes += 1
            client.notice(wire.error_message(error.code, str(error)))
            continue
        if isinstance(message, wire.SubscribeMessage):
            streams = None if message.streams is None else frozenset(message.streams)
            service.hub.subscribe(client, Subscription(streams, message.max_hz, message.events, message.resume))
        elif isinstance(message, ChallengeMessage):
            _challenge(service.challenges, client, message)
        elif isinstance(message, wire.PingMessage):
            client.notice(wire.pong(message.t0, time.time()))
    await _drop(socket, CLOSE_POLICY, "too many messages that make no sense")


def _challenge(challenges: Challenges, client: Client, asked: ChallengeMessage) -> None:
    """Starts or stops a challenge, or says why not; a stream without a right to it does not exist."""
    try:
        if not client.may_see(asked.stream):
            raise CannotChallenge("no_such_stream", "there is no running stream of this name")
        if asked.action == "start":
            challenges.start(asked.stream, asked.track, asked.prompt, mirrored=asked.mirrored)
        elif not challenges.stop(asked.stream, asked.track):
            raise CannotChallenge("no_such_challenge", "no challenge is running there")
    except CannotChallenge as error:
        client.notice(wire.error_message(error.code, str(error), error.retryable))


async def write(outlet: Outlet, client: Client, blocked_s: float = BLOCKED_TIMEOUT_S) -> None:
    """Sends what is due, for ever.

    Raises:
        _Blocked: one message could not be handed over within `blocked_s` seconds.
    """
    while True:
        batch, due = client.take(time.monotonic())
        for message in batch:
            try:
                async with asyncio.timeout(blocked_s):
                    await outlet.send_text(wire.encode(message))
            except TimeoutError:
                raise _Blocked from None
        if not batch:
            await client.wait(due)


async def _receive(socket: WebSocket) -> str:
    """The next text message.

    Raises:
        _Gone: the peer closed.
        ProtocolError: the message is binary.
    """
    message = await socket.receive()
    if message["type"] == "websocket.disconnect":
        raise _Gone
    text = message.get("text")
    if not isinstance(text, str):
        raise wire.ProtocolError("bad_json", "a message must be JSON text")
    return text


async def _drop(socket: WebSocket, code: int, reason: str) -> None:
    """Closes the connection without waiting for a peer that does not read."""
    force_close = socket.scope.get("extensions", {}).get(FORCE_CLOSE)
    if force_close is not None:
        force_close(code, reason)
    else:
        await socket.close(code, reason)
