"""`unmask watch`: what is written, and how it ends."""

import asyncio
import io
import json
import os
import threading
from collections import Counter
from pathlib import Path
from typing import Any, cast

import pytest
from pydantic import TypeAdapter
from rich.console import Console

from tests.fake_streams import LIMIT_S, verdict
from unmask.pipeline.errors import UnreadableFile, UsageError
from unmask.pipeline.types import StreamState
from unmask.stream.session import StreamSession
from unmask.stream.session_stats import SessionStats
from unmask.stream.watch import run_watch
from unmask.stream.watch_views import JsonView, LineView, LineWriter, TableView, summary_line, verdict_line
from unmask.stream.wire import AnyMessage

NOTHING = SessionStats()
SOME = SessionStats(
    frames_in=100, analyzed=60, dropped=Counter({"superseded": 38, "stale": 2}), p50_ms=41.2, p95_ms=80.0
)


def test_the_summary_of_nothing_is_a_sentence() -> None:
    """No frames, no latency."""
    assert summary_line(NOTHING) == "0 frames in, 0 analysed, 0 dropped"


def test_the_summary_names_every_cause() -> None:
    """Frames in, analysed, dropped by cause, latency, lost lines."""
    assert summary_line(SOME, lost_lines=3) == (
        "100 frames in, 60 analysed, 40 dropped (2 stale, 38 superseded), p50 41 ms, p95 80 ms, "
        "3 lines lost because the output is not read"
    )


def test_a_verdict_is_one_line() -> None:
    """Time, face, state, probability."""
    line = verdict_line(verdict(seq=50, track=3))

    assert line.split() == ["2.00", "s", "face", "3", "authentic", "p=0.10", "0", "ms"]


async def test_json_lines_are_messages_of_the_wire_format() -> None:
    """Each line is valid by itself; the summary goes elsewhere."""
    out = io.StringIO()
    with JsonView("watch", out) as view:
        view.state(StreamState.LIVE, "")
        view.verdicts([verdict(1), verdict(1, track=2)])

    messages = [json.loads(line) for line in out.getvalue().splitlines()]
    messages_of_v1: TypeAdapter[Any] = TypeAdapter(AnyMessage)
    assert [message["type"] for message in messages] == ["state", "verdict", "verdict"]
    for message in messages:
        messages_of_v1.validate_python(message)


async def test_plain_lines_tell_states_and_verdicts() -> None:
    """Where the output is not a terminal."""
    out = io.StringIO()
    with LineView(out) as view:
        view.verdicts([])
        view.state(StreamState.RECONNECTING, "stalled: no picture for 3 s")
        view.verdicts([verdict()])
        view.summary(SOME)

    lines = out.getvalue().splitlines()
    assert len(lines) == 3
    assert lines[0] == "reconnecting  stalled: no picture for 3 s"
    assert lines[2].startswith("100 frames in")


async def test_a_table_shows_the_newest_verdict_of_each_face() -> None:
    """And leaves verdicts and summary on the screen."""
    console = Console(file=io.StringIO(), width=120, force_terminal=True)
    with TableView(console) as view:
        view.state(StreamState.LIVE, "")
        view.verdicts([verdict(1), verdict(1, track=2)])
        view.verdicts([verdict(2)])
        view.summary(SOME)

    assert isinstance(console.file, io.StringIO)
    written = console.file.getvalue()
    assert written.count("authentic") == 2
    assert "100 frames in" in written


async def test_a_reader_that_does_not_read_costs_lines_and_nothing_else() -> None:
    """Writing never waits; what is lost is counted."""
    release = threading.Event()

    class Stuck(io.StringIO):
        def write(self, text: str) -> int:
            release.wait(LIMIT_S)
            return super().write(text)

    out = Stuck()
    writer = LineWriter(out)
    for index in range(LineWriter.MOST + 100):
        writer.write(str(index))
    release.set()
    writer.close()

    assert 99 <= writer.lost <= 100
    assert len(out.getvalue().splitlines()) == LineWriter.MOST + 100 - writer.lost


async def test_a_reader_that_goes_away_ends_the_watch() -> None:
    """`unmask watch … | head` returns."""
    reading, writing = os.pipe()
    os.close(reading)
    out = os.fdopen(writing, "w")
    with LineView(out) as view:
        view.state(StreamState.LIVE, "")
        async with asyncio.timeout(LIMIT_S):
            await view.refresh(cast(StreamSession, None))
    with pytest.raises(BrokenPipeError):
        out.close()


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan"), float("inf")])
def test_a_time_that_makes_no_sense_is_refused(seconds: float) -> None:
    """Before anything is opened."""
    with pytest.raises(UsageError, match="--seconds"):
        run_watch("demo:", json_lines=True, seconds=seconds, device="cpu")


def test_an_input_that_cannot_be_read_is_said_before_the_networks_are_loaded(tmp_path: Path) -> None:
    """A typing error costs no half minute."""
    with pytest.raises(UnreadableFile, match="does not exist"):
        run_watch(str(tmp_path / "missing.mp4"), json_lines=True, seconds=1.0, device="no such device")
    with pytest.raises(UsageError, match="is not a source"):
        run_watch("http://example.org/", json_lines=True, seconds=1.0, device="no such device")
