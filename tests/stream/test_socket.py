"""The websocket over a real server: hello, token, subscription, verdicts, mistakes, and clients that do not read."""

import asyncio
import json
import socket
from collections.abc import MutableMapping
from importlib.metadata import version
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from tests.stream.serving import Running, make_verdict, serving
from unmask.pipeline.types import StreamState
from unmask.stream import routes_ws, sockets, wire
from unmask.stream.server import create_app

V1 = [Subprotocol(wire.SUBPROTOCOL)]


def opened(running: Running, **options: Any) -> connect:
    """A connection to the server's websocket."""
    return connect(f"ws://127.0.0.1:{running.port}/ws", subprotocols=V1, proxy=None, **options)


async def read(client: ClientConnection) -> dict[str, Any]:
    """The next message."""
    message: dict[str, Any] = json.loads(await asyncio.wait_for(client.recv(), 10))
    return message


async def say(client: ClientConnection, **message: object) -> None:
    """Sends a message."""
    await client.send(json.dumps(message))


async def test_hello_states_and_verdicts() -> None:
    async with serving() as running, opened(running) as client:
        assert client.subprotocol == wire.SUBPROTOCOL
        hello = await read(client)
        assert hello == wire.hello(
            "unmask", [], auth_required=False, version=version("unmask"), instance=running.service.hub.instance
        )
        running.service.hub.publish_state("door", StreamState.LIVE)
        await say(client, type="subscribe", streams=["door"])
        assert (await read(client))["state"] == "live"
        running.service.hub.publish_verdicts([make_verdict("yard"), make_verdict("door", seq=7)])
        got = [await read(client), await read(client)]
        assert [message["type"] for message in got] == ["event", "verdict"]
        assert got[1] == wire.verdict_message(make_verdict("door", seq=7))


async def test_ping_is_answered() -> None:
    async with serving() as running, opened(running) as client:
        await read(client)
        await say(client, type="ping", t0=1.25)
        answer = await read(client)
        assert (answer["type"], answer["t0"]) == ("pong", 1.25)


async def test_client_that_leaves_is_forgotten() -> None:
    async with serving() as running:
        async with opened(running) as client:
            await read(client)
            await running.until(lambda: running.service.hub.clients == 1)
        await running.until(lambda: running.service.hub.clients == 0 and running.service.sockets == 0)


@pytest.mark.parametrize("text", ["nonsense", '{"type":"verdict"}', b"\x00"])
async def test_nonsense_is_answered_with_an_error(text: str | bytes) -> None:
    async with serving() as running, opened(running) as client:
        await read(client)
        await client.send(text)
        assert (await read(client))["type"] == "error"
        await say(client, type="ping")
        assert (await read(client))["type"] == "pong"


async def test_endless_nonsense_closes_the_connection() -> None:
    async with serving() as running, opened(running) as client:
        await read(client)
        with pytest.raises(ConnectionClosed):
            for _ in range(50):
                await client.send("nonsense")
                await read(client)
        assert client.close_code == routes_ws.CLOSE_POLICY


@pytest.mark.parametrize(
    "options",
    [{"origin": "http://evil.example"}, {"additional_headers": {"Origin": "null"}}],
)
async def test_foreign_origin_is_refused(options: dict[str, Any]) -> None:
    async with serving() as running:
        with pytest.raises(InvalidStatus) as caught:
            async with opened(running, **options):
                pass
        assert caught.value.response.status_code == 403


async def test_other_subprotocol_is_refused_and_none_is_taken() -> None:
    async with serving() as running:
        url = f"ws://127.0.0.1:{running.port}/ws"
        with pytest.raises(InvalidStatus):
            async with connect(url, subprotocols=[Subprotocol("unmask.v9")], proxy=None):
                pass
        async with connect(url, proxy=None) as client:
            assert (await read(client))["type"] == "hello"


async def test_full_server_closes_with_try_again_later() -> None:
    async with serving(max_clients=1) as running, opened(running) as first:
        await read(first)
        async with opened(running) as second:
            with pytest.raises(ConnectionClosed):
                await read(second)
            assert second.close_code == routes_ws.CLOSE_TRY_LATER


async def test_token_opens_what_it_has_a_right_to() -> None:
    async with serving(token="right", tokens=[{"token": "guest", "streams": ["door"]}]) as running:
        hub = running.service.hub
        hub.publish_state("yard", StreamState.LIVE)
        hub.publish_state("door", StreamState.LIVE)
        async with opened(running) as client:
            assert (await read(client))["auth_required"] is True
            await say(client, type="auth", token="guest")
            assert (await read(client))["auth_required"] is False
            await say(client, type="subscribe", resume=0)
            got = [await read(client), await read(client)]
            assert [message["stream"] for message in got] == ["door", "door"]
            hub.publish_verdicts([make_verdict("yard"), make_verdict("door")])
            assert {(await read(client))["stream"], (await read(client))["stream"]} == {"door"}
        async with opened(running, additional_headers={"Authorization": "Bearer right"}) as client:
            assert (await read(client))["auth_required"] is False


@pytest.mark.parametrize(
    "message", ['{"type":"auth","token":"wrong"}', '{"type":"subscribe"}', "nonsense", '{"type":"ping"}']
)
async def test_without_the_right_token_the_connection_is_closed(message: str) -> None:
    async with serving(token="right") as running, opened(running) as client:
        await read(client)
        await client.send(message)
        with pytest.raises(ConnectionClosed):
            await read(client)
        assert client.close_code == routes_ws.CLOSE_UNAUTHORISED
        assert running.service.hub.clients == 0


async def test_silence_instead_of_a_token_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routes_ws, "AUTH_TIMEOUT_S", 0.1)
    async with serving(token="right") as running, opened(running) as client:
        await read(client)
        with pytest.raises(ConnectionClosed):
            await read(client)
        assert client.close_code == routes_ws.CLOSE_UNAUTHORISED


async def test_client_that_does_not_read_is_closed_with_4008_and_harms_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routes_ws.write, "__defaults__", (0.3,))
    monkeypatch.setattr(sockets, "LINGER_S", 2.0)
    async with serving() as running, opened(running) as healthy:
        await read(healthy)
        await say(healthy, type="subscribe", events=False)
        frozen = await frozen_client(running)
        hub = running.service.hub
        await running.until(lambda: hub.clients == 2)
        long_name = "x" * 60_000
        seq = 0
        async with asyncio.timeout(20):
            while hub.drops["blocked_client"] == 0:
                seq += 1
                hub.publish_verdicts([make_verdict(long_name, seq=seq)])
                if seq % 8 == 0:
                    assert (await read(healthy))["type"] == "verdict"
                await asyncio.sleep(0.005)
        await running.until(lambda: hub.clients == 1)
        assert hub.drops["superseded"] > 0
        received = await drained(frozen)
        assert received.endswith(close_frame(routes_ws.CLOSE_BLOCKED))
        await say(healthy, type="ping")
        async with asyncio.timeout(10):
            while (await read(healthy))["type"] != "pong":
                pass


async def test_client_that_vanishes_while_it_is_written_to_leaves_no_error() -> None:
    incoming = [{"type": "websocket.connect"}, {"type": "websocket.receive", "text": '{"type":"subscribe"}'}]
    sent: list[str] = []

    async def receive() -> dict[str, Any]:
        if not incoming:
            await asyncio.Event().wait()
        return incoming.pop(0)

    async def send(message: MutableMapping[str, Any]) -> None:
        if len(sent) == 2:
            raise OSError
        sent.append(message["type"])

    async with serving() as running:
        running.service.hub.publish_state("door", StreamState.LIVE)
        host = f"127.0.0.1:{running.port}".encode()
        scope = {
            "type": "websocket", "path": "/ws", "raw_path": b"/ws", "query_string": b"", "scheme": "ws",
            "subprotocols": [wire.SUBPROTOCOL], "headers": [(b"host", host)], "extensions": {},
        }  # fmt: skip
        await asyncio.wait_for(create_app(running.service)(scope, receive, send), 5)
        assert sent == ["websocket.accept", "websocket.send"]
        assert running.service.hub.clients == 0 and running.service.sockets == 0


async def frozen_client(running: Running) -> socket.socket:
    """A websocket client that subscribes and then reads nothing; its receive buffer is small."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    sock.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(sock, ("127.0.0.1", running.port))
    head = (
        f"GET /ws HTTP/1.1\r\nHost: 127.0.0.1:{running.port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Protocol: unmask.v1\r\n\r\n"
    )
    await loop.sock_sendall(sock, head.encode())
    while b"hello" not in await loop.sock_recv(sock, 4096):
        pass
    payload = b'{"type":"subscribe","events":false}'
    await loop.sock_sendall(sock, bytes([0x81, 0x80 | len(payload), 0, 0, 0, 0]) + payload)
    return sock


async def drained(sock: socket.socket) -> bytes:
    """Everything that still comes until the connection ends."""
    loop = asyncio.get_running_loop()
    received = b""
    async with asyncio.timeout(10):
        try:
            while chunk := await loop.sock_recv(sock, 65_536):
                received += chunk
        except ConnectionError:
            return received
        finally:
            sock.close()
    return received


def close_frame(code: int) -> bytes:
    """The close frame of the server for blocked clients."""
    reason = b"the client does not read its messages"
    return bytes([0x88, len(reason) + 2]) + code.to_bytes(2, "big") + reason
