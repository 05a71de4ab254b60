"""`run_serve` from start to end, with an engine that needs no weights."""

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stream.serving import FakeEngine, FakeJudge
from unmask.models.engine import Engine
from unmask.pipeline.errors import UnreadableFile, UsageError
from unmask.stream import session
from unmask.stream.serve import run_serve
from unmask.stream.settings import ServeSettings, parse_sources


class OpenedEngine(FakeEngine):
    """Counts how often it was opened and closed."""

    opened = closed = 0

    def __enter__(self) -> "OpenedEngine":
        type(self).opened += 1
        return self

    def __exit__(self, *_: object) -> None:
        type(self).closed += 1


@pytest.fixture(autouse=True)
def engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[OpenedEngine]]:
    """An engine and judges without networks."""
    OpenedEngine.opened = OpenedEngine.closed = 0
    monkeypatch.setattr(Engine, "open", lambda *_: OpenedEngine())
    monkeypatch.setattr(session, "Detector", lambda engine, name, method, ladder: FakeJudge(name))
    yield OpenedEngine
    assert OpenedEngine.opened == OpenedEngine.closed


def settings(**said: object) -> ServeSettings:
    """Settings on a free port."""
    return ServeSettings.load(None, **{"port": 0, **said})


def test_server_ends_by_itself_and_prints_address_and_verdicts(
    capsys: pytest.CaptureFixture[str], engine: type[OpenedEngine]
) -> None:
    before = threading.active_count()
    sources = parse_sources(["demo=demo:"])
    assert run_serve(settings(sources=sources), seconds=1.5, print_verdicts=True) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("unmask on test: open http://127.0.0.1:")
    assert any(line.startswith("demo  face 1  authentic") for line in lines[1:])
    assert engine.opened == 1 and threading.active_count() == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_the_server_in_order(number: signal.Signals) -> None:
    before = signal.getsignal(number)

    def kill_when_handled() -> None:
        deadline = time.monotonic() + 15
        while signal.getsignal(number) is before and time.monotonic() < deadline:
            time.sleep(0.05)
        os.kill(os.getpid(), number)

    killer = threading.Thread(target=kill_when_handled)
    killer.start()
    assert run_serve(settings(), seconds=20) == 0
    killer.join()


def test_open_address_prints_its_token_once(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    open_to_all = settings(host="0.0.0.0", token_file=tmp_path / "token")
    run_serve(open_to_all, seconds=0.2)
    first = capsys.readouterr().out
    run_serve(open_to_all, seconds=0.2)
    assert "access token" in first and "#token=" in first
    assert "#token=" not in capsys.readouterr().out


def test_taken_port_is_a_usage_error(engine: type[OpenedEngine]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(UsageError, match="cannot listen"):
        run_serve(settings(port=taken.getsockname()[1]), seconds=1)
    assert engine.opened == 0


@pytest.mark.parametrize(("url", "error"), [("gopher://x", UsageError), ("/nowhere.mp4", UnreadableFile)])
def test_unusable_source_ends_the_start(url: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        run_serve(settings(sources=parse_sources([f"x={url}"])), seconds=1)
