"""`unmask watch`: one source's verdicts in the terminal, as a live table, as lines or as JSON lines."""

import asyncio
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

from unmask.models.engine import Engine
from unmask.pipeline.errors import SourceLost, UsageError
from unmask.pipeline.types import Frame, StreamState, Verdict
from unmask.stream.session import StreamSession
from unmask.stream.session_stats import SessionStats
from unmask.stream.source import Source, open_source
from unmask.stream.watch_views import JsonView, LineView, TableView, View

NAME = "watch"
END_S = 5.0
"""Seconds that ending may take."""


def run_watch(source_url: str, *, json_lines: bool, seconds: float | None, device: str) -> int:
    """Shows verdicts until the source ends, `seconds` are over or the user interrupts; returns the exit code 0.

    Raises:
        UsageError: the address is not a source, or `seconds` is not positive.
        InputError: the file or camera cannot be read, or the camera never sent a picture.
        WeightsError, DeviceError: there is nothing to judge with.
    """
    if seconds is not None and not 0 < seconds < 1e9:
        raise UsageError("--seconds must be more than 0")
    return asyncio.run(_watch(source_url, json_lines, seconds, device))


async def _watch(source_url: str, json_lines: bool, seconds: float | None, device: str) -> int:
    source = open_source(source_url, NAME, _ignore_state)
    with _interrupts() as interrupted:
        engine = await asyncio.to_thread(Engine.open, device)
        try:
            stats, reason = await _show(source, engine, _view(json_lines), seconds, interrupted)
        finally:
            await source.close()
            await asyncio.to_thread(engine.close)
    if stats.frames_in == 0 and not interrupted.is_set():
        code, _, sentence = reason.partition(": ")
        raise SourceLost(sentence or "the source sent no picture", code if sentence else "timeout")
    return 0


async def _show(
    source: Source, engine: Engine, view: View, seconds: float | None, interrupted: asyncio.Event
) -> tuple[SessionStats, str]:
    """Runs the session for the time that was asked for; its final counts and the newest reason that was given."""
    reason = ""

    def on_state(state: StreamState, why: str) -> None:
        nonlocal reason
        reason = why or reason
        view.state(state, why)

    def on_verdicts(frame: Frame, verdicts: list[Verdict]) -> None:
        view.verdicts(verdicts)

    executor = ThreadPoolExecutor(1, thread_name_prefix="detector")
    session = StreamSession(NAME, source, engine, on_verdicts=on_verdicts, on_state=on_state, executor=executor)
    try:
        with view:
            await _run(session, view, seconds, interrupted)
            view.summary(session.stats)
    finally:
        executor.shutdown(wait=False, cancel_futures=True)
    return session.stats, reason


async def _run(session: StreamSession, view: View, seconds: float | None, interrupted: asyncio.Event) -> None:
    """Waits for the first of: the session's end, the time, an interrupt, a reader of our output that went away."""
    running = asyncio.create_task(session.run())
    stopping = [asyncio.create_task(interrupted.wait()), asyncio.create_task(view.refresh(session))]
    try:
        await asyncio.wait([running, *stopping], timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (*stopping, running):
            task.cancel()
        await asyncio.wait([running, *stopping], timeout=END_S)
    if running.done() and not running.cancelled():
        running.result()


def _view(json_lines: bool) -> View:
    if json_lines:
        return JsonView(NAME)
    return TableView() if sys.stdout.isatty() else LineView()


def _ignore_state(state: StreamState, reason: str) -> None:
    """Before a session has taken the source over there is nobody to tell."""


@contextmanager
def _interrupts() -> Iterator[asyncio.Event]:
    """An event that Ctrl-C and SIGTERM set instead of killing the program."""
    interrupted = asyncio.Event()
    loop = asyncio.get_running_loop()
    taken = []
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError, RuntimeError):
            loop.add_signal_handler(number, interrupted.set)
            taken.append(number)
    try:
        yield interrupted
    finally:
        for number in taken:
            loop.remove_signal_handler(number)
