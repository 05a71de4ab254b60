"""A websocket client in a process of its own: notes when each verdict arrives.

Prints `ready` once it is subscribed. When its input ends it prints one JSON list of
[stream, seq, received_s, ms from arrival to the verdict, degraded] and ends; times are those of `time.monotonic()`,
which all processes of a machine share.
"""

import asyncio
import json
import sys
import time

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

Row = tuple[str, int, float, float, list[str]]


async def note(socket: ClientConnection, rows: list[Row]) -> None:
    """Notes verdicts until the server closes."""
    try:
        async for text in socket:
            now_s = time.monotonic()
            message = json.loads(text)
            if message["type"] == "verdict":
                timing_ms = message["timing_ms"].get("total", 0.0)
                rows.append((message["stream"], message["seq"], now_s, timing_ms, message["degraded"]))
    except ConnectionClosed:
        return


async def main(url: str) -> None:
    """Listens until the input ends."""
    rows: list[Row] = []
    async with connect(url, subprotocols=[Subprotocol("unmask.v1")]) as socket:
        await socket.send(json.dumps({"type": "subscribe", "events": False}))
        await socket.send(json.dumps({"type": "ping"}))
        while json.loads(await asyncio.wait_for(socket.recv(), 10))["type"] != "pong":
            pass
        print("ready", flush=True)
        noting = asyncio.create_task(note(socket, rows))
        await asyncio.to_thread(sys.stdin.read)
        noting.cancel()
        await asyncio.gather(noting, return_exceptions=True)
    print(json.dumps(rows))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
