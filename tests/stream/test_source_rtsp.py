"""RTSP without a camera: typed errors, silent servers, no credentials in messages."""

import socket
import threading
from collections.abc import Iterator
from types import SimpleNamespace

import av
import pytest

from unmask.pipeline.errors import SourceLost, SourceRefused
from unmask.stream import source_rtsp
from unmask.stream.decoding import Decoding, Device
from unmask.stream.source_rtsp import rtsp_capture, source_error


@pytest.fixture
def silent_server() -> Iterator[int]:
    """The port of a server that accepts and never says a word."""
    held: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)

        def accept() -> None:
            try:
                while True:
                    held.append(server.accept()[0])
            except OSError:
                return

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
    thread.join(5)
    for connection in held:
        connection.close()


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [
        (av.error.HTTPUnauthorizedError, SourceRefused, "auth_failed"),
        (av.error.HTTPForbiddenError, SourceRefused, "auth_failed"),
        (av.error.HTTPNotFoundError, SourceRefused, "not_found"),
        (av.error.ExitError, SourceLost, "timeout"),
        (av.error.TimeoutError, SourceLost, "timeout"),
        (av.error.InvalidDataError, SourceLost, "codec_unsupported"),
        (av.error.ConnectionRefusedError, SourceLost, "connection_failed"),
        (av.error.EOFError, SourceLost, "connection_failed"),
        (av.error.OSError, SourceLost, "connection_failed"),
    ],
)
def test_every_failure_has_a_code_and_no_credentials(
    error: type[av.FFmpegError], kind: type[Exception], code: str
) -> None:
    """FFmpeg's own message holds the whole address; ours does not."""
    raised = source_error(error(1, "failed", "rtsp://bob:secret@camera/1"), "rtsp://camera/1")

    assert type(raised) is kind
    assert raised.code == code
    assert "secret" not in str(raised)


def test_a_failure_of_a_secure_address_is_one_of_tls() -> None:
    """Where FFmpeg only says that something went wrong."""
    assert source_error(av.error.OSError(5, "Input/output error"), "rtsps://camera/1").code == "tls"


def test_nobody_listening_is_a_failed_connection() -> None:
    """And the error's history holds no address with a password either."""
    capture = rtsp_capture(f"rtsp://bob:secret@127.0.0.1:{free_port()}/1")

    with pytest.raises(SourceLost) as lost:
        next(capture(threading.Event()))

    assert lost.value.code == "connection_failed"
    assert lost.value.__suppress_context__
    assert "secret" not in str(lost.value)


def test_a_server_that_says_nothing_is_a_timeout(silent_server: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not a hang."""
    monkeypatch.setattr(source_rtsp, "OPEN_S", 0.3)

    with pytest.raises(SourceLost) as lost:
        next(rtsp_capture(f"rtsp://127.0.0.1:{silent_server}/1")(threading.Event()))

    assert lost.value.code == "timeout"


@pytest.mark.parametrize("answers", [["nothing", "video"], ["no size", "video"]])
def test_a_camera_that_needs_a_longer_look_gets_one(answers: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """First the short probe; where that does not tell what the video is, the long one."""
    probes: list[int] = []

    def look(url: str, options: dict[str, str], timeout: tuple[float, float], hwaccel: object) -> object:
        probes.append(int(options["probesize"]))
        answer = answers[len(probes) - 1]
        if answer == "nothing":
            raise av.error.InvalidDataError(1, "no codec parameters")
        return ScriptedContainer(640 if answer == "video" else 0)

    monkeypatch.setattr(av, "open", look)

    assert list(rtsp_capture("rtsp://127.0.0.1/1")(threading.Event())) == []
    assert probes == sorted(probes)
    assert len(probes) == 2


class ScriptedContainer:
    """What a camera's connection looks like: one video of this width, and no packet."""

    def __init__(self, width: int) -> None:
        stream = SimpleNamespace(width=width, codec_context=SimpleNamespace(thread_type=None, flags=0))
        self.streams = SimpleNamespace(video=[stream])

    def demux(self, stream: object) -> Iterator[object]:
        return iter(())

    def close(self) -> None: ...

    def __enter__(self) -> "ScriptedContainer":
        return self

    def __exit__(self, *how: object) -> None: ...


class FaultyContainer(ScriptedContainer):
    """A connection whose decoder fails at the first packet."""

    def __init__(self, error: av.FFmpegError) -> None:
        super().__init__(640)
        self._error = error

    def demux(self, stream: object) -> Iterator[object]:
        raise self._error


@pytest.mark.parametrize(
    ("error", "next_device"),
    [(av.error.ExternalError(1, "no surfaces left"), None), (av.error.ConnectionResetError(1, "gone"), "cuda")],
)
def test_hardware_is_given_up_at_its_first_fault_but_not_for_the_networks(
    error: av.FFmpegError, next_device: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The attempt that follows a decoder's fault runs in software; one after a lost connection does not."""
    decoding = Decoding()
    monkeypatch.setattr(source_rtsp, "DECODING", decoding)
    monkeypatch.setattr("unmask.stream.decoding.devices", lambda: (Device("cuda"),))
    monkeypatch.setattr(av, "open", lambda *args, **more: FaultyContainer(error))

    with pytest.raises(SourceLost):
        list(rtsp_capture("rtsp://127.0.0.1/1")(threading.Event()))

    assert decoding.choice().device == next_device
