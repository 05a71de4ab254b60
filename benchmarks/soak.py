"""A server over a long time: do memory, files or threads grow while verdicts flow and clients come and go?

One websocket client stays; every few seconds another one comes, listens for a moment and leaves without a word, and the
stream's picture is fetched.
"""

import contextlib
import json
import os
import socket
import threading
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from common import Result, parser, publish, rss_mb_of
from matplotlib.figure import Figure
from served import Server, serving
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

STREAM = "door"
WARM_UP_SHARE = 0.2
VISIT_S = 1.0


@dataclass
class Listener:
    """What the client that stays has received."""

    verdicts: int = 0
    longest_gap_s: float = 0.0
    last_s: float = field(default_factory=time.monotonic)

    def listen(self, client: ClientConnection, stop: threading.Event) -> None:
        """Counts verdicts until it is told to stop."""
        self.last_s = time.monotonic()
        while not stop.is_set():
            try:
                message = json.loads(client.recv(timeout=1.0))
            except TimeoutError:
                continue
            except ConnectionClosed:
                return
            if message["type"] == "verdict":
                now_s = time.monotonic()
                self.longest_gap_s = max(self.longest_gap_s, now_s - self.last_s)
                self.verdicts, self.last_s = self.verdicts + 1, now_s


@contextlib.contextmanager
def subscribed(server: Server) -> Iterator[ClientConnection]:
    """A websocket that gets every verdict."""
    url = server.url.replace("http", "ws", 1) + "/ws"
    with connect(url, subprotocols=[Subprotocol("unmask.v1")], proxy=None, open_timeout=20) as client:
        client.send(json.dumps({"type": "subscribe"}))
        yield client


def visit(server: Server) -> None:
    """A client that listens for a moment, fetches the picture and goes."""
    deadline_s = time.monotonic() + VISIT_S
    with subscribed(server) as client:
        with contextlib.suppress(TimeoutError, ConnectionClosed):
            while time.monotonic() < deadline_s:
                client.recv(timeout=VISIT_S)
        client.socket.shutdown(socket.SHUT_RDWR)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    picture = f"{server.url}/api/streams/{STREAM}/frame.jpg"
    with contextlib.suppress(OSError), opener.open(picture, timeout=20) as answer:
        answer.read()


def sample(server: Server, start_s: float) -> dict[str, float]:
    """What the server uses now.

    Raises:
        OSError: it is gone.
    """
    pid = server.process.pid
    files, threads = (len(os.listdir(f"/proc/{pid}/{what}")) for what in ("fd", "task"))
    return {
        "at_s": round(time.monotonic() - start_s, 1), "rss_mb": round(rss_mb_of(pid), 1),
        "files": files, "threads": threads,
    }  # fmt: skip


def watch(server: Server, seconds: float, every_s: float) -> tuple[list[dict[str, float]], Listener, int]:
    """Samples, what the staying client got, and the number of visits."""
    listener, stop, samples, visits = Listener(), threading.Event(), list[dict[str, float]](), 0
    with subscribed(server) as client:
        thread = threading.Thread(target=listener.listen, args=(client, stop), daemon=True)
        thread.start()
        start_s = time.monotonic()
        while time.monotonic() - start_s < seconds:
            visit(server)
            visits += 1
            samples.append(sample(server, start_s))
            time.sleep(max(0.0, min(start_s + visits * every_s, start_s + seconds) - time.monotonic()))
        stop.set()
        thread.join(5)
        listener.longest_gap_s = max(listener.longest_gap_s, time.monotonic() - listener.last_s)
    return samples, listener, visits


def growth(samples: list[dict[str, float]], name: str, seconds: float) -> Result:
    """A quantity after a fifth of the time: first, last and highest, and the slope of a line, per hour."""
    late = [s for s in samples if s["at_s"] >= WARM_UP_SHARE * seconds]
    at_s, values = np.array([s["at_s"] for s in late]), np.array([s[name] for s in late])
    slope = float(np.polyfit(at_s, values, 1)[0]) * 3600 if len(late) > 1 else None
    ends = {"first": values[0].item(), "last": values[-1].item(), "highest": values.max().item()}
    return {**ends, "slope_per_hour": None if slope is None else round(slope, 2)}


def draw(result: Result, figure: Figure) -> None:
    """Memory over time, and files and threads."""
    minutes = [s["at_s"] / 60 for s in result["samples"]]
    axes = figure.add_subplot(1, 2, 1)
    axes.plot(minutes, [s["rss_mb"] for s in result["samples"]])
    axes.set(xlabel="minutes", ylabel="resident memory, MB")
    axes = figure.add_subplot(1, 2, 2)
    for name in ("files", "threads"):
        axes.plot(minutes, [s[name] for s in result["samples"]], label=name)
    axes.set(xlabel="minutes", ylim=(0, None))
    axes.legend(fontsize=7)
    figure.suptitle(f"{result['source']}, {result['machine']['cpu']}", fontsize=10)


def options() -> Any:
    """What was asked for."""
    made = parser("Watch a server's memory over a long time.", "soak")
    made.add_argument("--minutes", type=float, help="60 without it; at least 0.2")
    made.add_argument("--source", default="demo:", help="what the server watches, as `unmask serve --source` takes it")
    made.add_argument("--every", type=float, default=10.0, metavar="SECONDS", help="between two samples and visitors")
    asked = made.parse_args()
    asked.minutes = asked.minutes or (0.3 if asked.quick else 60.0)
    asked.every = min(asked.every, 3.0) if asked.quick else asked.every
    if not os.path.isdir("/proc/self/fd"):
        made.error("this needs Linux's /proc")
    if asked.minutes < 0.2 or asked.every < 2 * VISIT_S:
        made.error(f"--minutes is at least 0.2, --every at least {2 * VISIT_S:g}")
    return asked


def main() -> None:
    """Measures, prints and writes the result and its plot."""
    asked = options()
    seconds = asked.minutes * 60
    with serving("--source", f"{STREAM}={asked.source}", "--device", asked.device) as server:
        try:
            samples, listener, visits = watch(server, seconds, asked.every)
            stream = server.get(f"/api/streams/{STREAM}")
        except (OSError, WebSocketException) as error:
            raise SystemExit(f"error: the server stopped answering: {error}") from None
    result = {
        "source": stream["url"], "minutes": asked.minutes, "visits": visits, "verdicts": listener.verdicts,
        "longest_gap_s": round(listener.longest_gap_s, 2), "reconnects": stream["reconnects"],
        "frames": stream["frames"],
        **{name: growth(samples, name, seconds) for name in ("rss_mb", "files", "threads")}, "samples": samples,
    }  # fmt: skip
    lines = [
        f"{name}: {found['first']} to {found['last']}, {found['slope_per_hour']} an hour"
        for name, found in ((name, result[name]) for name in ("rss_mb", "files", "threads"))
    ]
    lines.append(f"{listener.verdicts} verdicts, longest gap {result['longest_gap_s']} s, {visits} visits")
    publish(asked, result, lines, draw)


if __name__ == "__main__":
    main()
