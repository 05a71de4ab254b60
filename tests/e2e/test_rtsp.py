"""`unmask watch` on a real RTSP server: verdicts, reconnects, refusals, silence."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.clips import face_clip

pytestmark = pytest.mark.e2e

SYSTEM_PYTHON = "/usr/bin/python3"
SERVER = Path(__file__).with_name("rtsp_server.py")
BINDINGS = "import gi; gi.require_version('GstRtspServer', '1.0')"
START_S = 120.0
"""A busy machine needs its time to load the networks."""


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


class RtspServer:
    """The camera: a process that can be killed and started again at the same address."""

    def __init__(self, clip: Path, *options: str) -> None:
        self.port = free_port()
        self._command = [SYSTEM_PYTHON, str(SERVER), str(clip), str(self.port), *options]
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Returns when it listens."""
        environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")}
        self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, text=True, env=environment)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"

    def kill(self) -> None:
        """At once, as a cable is pulled."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


class Watch:
    """A running `unmask watch --json`, whose lines are read as they come."""

    def __init__(self, url: str, seconds: float) -> None:
        run = "from unmask.stream.cli import main; main()"
        command = [sys.executable, "-c", run, "watch", url, "--json", "--seconds", str(seconds)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.lines.append(line)

    @property
    def messages(self) -> list[dict[str, Any]]:
        """What was said so far."""
        return [json.loads(line) for line in list(self.lines)]

    def until(self, condition: Callable[[list[dict[str, Any]]], bool]) -> None:
        """Waits for what was said to meet the condition."""
        deadline_s = time.monotonic() + START_S
        while not condition(self.messages):
            assert time.monotonic() < deadline_s, f"did not happen; said so far: {self.lines[-5:]}"
            assert self._process.poll() is None, f"ended too soon; said: {self.lines[-5:]}"
            time.sleep(0.05)

    def end(self) -> tuple[int, str]:
        """Waits for its end; exit code and everything that it ever wrote."""
        code = self._process.wait(START_S)
        self._reader.join()
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        written = "".join(self.lines) + self._process.stderr.read()
        self._process.stdout.close()
        self._process.stderr.close()
        return code, written

    def kill(self) -> None:
        """Leaves nothing behind, whatever happened."""
        if self._process.returncode is None:
            self._process.kill()
            self.end()


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A face, in H.264."""
    if subprocess.run([SYSTEM_PYTHON, "-c", BINDINGS], capture_output=True, check=False).returncode:
        pytest.skip("GStreamer's RTSP server is missing: apt install gir1.2-gst-rtsp-server-1.0 python3-gi")
    return face_clip(tmp_path_factory.mktemp("clip"))


@pytest.fixture
def serve(clip: Path) -> Iterator[Callable[..., RtspServer]]:
    """Starts servers and ends them."""
    servers: list[RtspServer] = []

    def start(*options: str) -> RtspServer:
        servers.append(RtspServer(clip, *options))
        servers[-1].start()
        return servers[-1]

    yield start
    for server in servers:
        server.kill()


@pytest.fixture
def watch() -> Iterator[Callable[[str, float], Watch]]:
    """Starts watching and ends it."""
    watches: list[Watch] = []

    def start(url: str, seconds: float) -> Watch:
        watches.append(Watch(url, seconds))
        return watches[-1]

    yield start
    for running in watches:
        running.kill()


def verdicts(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The verdicts among the messages."""
    return [message for message in messages if message["type"] == "verdict"]


def states(messages: list[dict[str, Any]]) -> list[str]:
    """The stream's states in order, with the code of the reason where there is one."""
    said = [message for message in messages if message["type"] == "state"]
    return [":".join(filter(None, (m["state"], m["reason"].partition(":")[0]))) for m in said]


def test_a_camera_gives_verdicts(serve: Callable[..., RtspServer], watch: Callable[[str, float], Watch]) -> None:
    """Ten seconds of a camera: connecting, live, verdicts in order, ended, exit code 0 and a summary."""
    server = serve()

    running = watch(f"rtsp://127.0.0.1:{server.port}/face", 10)
    code, written = running.end()

    assert code == 0
    assert states(running.messages)[:2] == ["connecting", "live"]
    assert states(running.messages)[-1] == "ended"
    given = verdicts(running.messages)
    assert len(given) >= 5
    assert [verdict["seq"] for verdict in given] == sorted(verdict["seq"] for verdict in given)
    assert all(verdict["timing_ms"]["total"] > 0 for verdict in given)
    assert "frames in" in written


def test_a_camera_that_dies_and_returns_is_found_again(
    serve: Callable[..., RtspServer], watch: Callable[[str, float], Watch]
) -> None:
    """`reconnecting` is said, and after the return there are new verdicts, later in time."""
    server = serve()
    running = watch(f"rtsp://127.0.0.1:{server.port}/face", 90)
    running.until(lambda messages: len(verdicts(messages)) >= 3)

    server.kill()
    running.until(lambda messages: any(state.startswith("reconnecting") for state in states(messages)))
    before = len(verdicts(running.messages))
    server.start()
    running.until(lambda messages: len(verdicts(messages)) >= before + 3)
    running.kill()

    given = verdicts(running.messages)
    assert states(running.messages)[:2] == ["connecting", "live"]
    assert states(running.messages)[2].startswith("reconnecting:")
    assert "live" in states(running.messages)[3:]
    assert all(a["pts_s"] < b["pts_s"] for a, b in zip(given, given[1:], strict=False) if a["track"] == b["track"])


def test_a_wrong_path_is_not_found(serve: Callable[..., RtspServer], watch: Callable[[str, float], Watch]) -> None:
    """Said as such, and with the exit code of an input that cannot be read."""
    server = serve()

    running = watch(f"rtsp://127.0.0.1:{server.port}/nobody", 3)
    code, written = running.end()

    assert code == 3
    assert "reconnecting:not_found" in states(running.messages)
    assert "there is no such stream" in written


@pytest.mark.parametrize(("password", "code"), [("s3:c/r@t#1", 0), ("wr:o/n@g-s3cret", 3)])
def test_a_password_is_used_and_never_shown(
    password: str, code: int, serve: Callable[..., RtspServer], watch: Callable[[str, float], Watch]
) -> None:
    """The right one opens the camera, whatever is in it; the wrong one is told apart; neither is printed."""
    server = serve("--user", "viewer-7", "--password", "s3:c/r@t#1")

    running = watch(f"rtsp://viewer-7:{password}@127.0.0.1:{server.port}/face", 3)
    ended, written = running.end()

    assert ended == code
    assert ("reconnecting:auth_failed" in states(running.messages)) == (code == 3)
    for secret in (password, "viewer-7", "s3:c", "r@t#1", "n@g", "s3cret"):
        assert secret not in written


def test_a_server_that_says_nothing_is_a_timeout(watch: Callable[[str, float], Watch]) -> None:
    """It accepts and is silent: a typed reason, not a hang."""
    with socket.create_server(("127.0.0.1", 0), backlog=16) as silent:
        running = watch(f"rtsp://127.0.0.1:{silent.getsockname()[1]}/face", 9)
        code, _ = running.end()

    assert code == 3
    assert "reconnecting:timeout" in states(running.messages)
