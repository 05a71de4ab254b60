"""How `unmask watch` shows a stream: JSON lines, plain lines or a live table."""

import asyncio
import queue
import sys
import threading
import time
from types import TracebackType
from typing import Protocol, Self, TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from unmask.pipeline.types import StreamState, Verdict, VerdictState
from unmask.stream.session import StreamSession
from unmask.stream.session_stats import SessionStats
from unmask.stream.wire import encode, state_message, verdict_message

REFRESH_S = 0.2
TRACK_MEMORY_S = 2.0
COLOURS = {
    VerdictState.AUTHENTIC: "green",
    VerdictState.SUSPICIOUS: "yellow",
    VerdictState.MANIPULATED: "bold red",
    VerdictState.WARMING: "dim",
    VerdictState.UNCERTAIN: "cyan",
}


class View(Protocol):
    """Shows what happens; nothing here waits for the terminal but `__exit__`."""

    def state(self, state: StreamState, reason: str) -> None:
        """The stream's state changed."""

    def verdicts(self, verdicts: list[Verdict]) -> None:
        """A frame was judged."""

    def summary(self, stats: SessionStats) -> None:
        """Says how it went, at the end."""

    async def refresh(self, session: StreamSession) -> None:
        """Repaints for as long as somebody reads the output; returns when nobody does any more."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class LineWriter:
    """Writes lines in a thread of its own, so that a slow reader of the output never holds up the stream.

    At most `MOST` lines wait; a new line that finds the queue full is lost and counted.

    Attributes:
        lost: lines that were not written.
        broken: set when the reader has gone away.
    """

    MOST = 1000
    FLUSH_S = 2.0

    def __init__(self, out: TextIO) -> None:
        self.lost = 0
        self.broken = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._out = out
        self._lines: queue.Queue[str | None] = queue.Queue(self.MOST)
        self._thread = threading.Thread(target=self._run, name="output", daemon=True)
        self._thread.start()

    def write(self, line: str) -> None:
        """Queues a line."""
        try:
            self._lines.put_nowait(line)
        except queue.Full:
            self.lost += 1

    def close(self) -> None:
        """Writes what waits, for two seconds at most."""
        try:
            self._lines.put(None, timeout=self.FLUSH_S)
        except queue.Full:
            return
        self._thread.join(self.FLUSH_S)

    def _run(self) -> None:
        broken = False
        while (line := self._lines.get()) is not None:
            try:
                if not broken:
                    self._out.write(line + "\n")
                    self._out.flush()
            except (BrokenPipeError, ValueError):
                broken = True
                if not self._loop.is_closed():
                    self._loop.call_soon_threadsafe(self.broken.set)


class LineView:
    """One line per verdict and per change of state."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._writer = LineWriter(out or sys.stdout)

    def state(self, state: StreamState, reason: str) -> None:
        """One line: the state and why."""
        self._writer.write(f"{state.value}  {reason}".rstrip())

    def verdicts(self, verdicts: list[Verdict]) -> None:
        """One line per face."""
        for verdict in verdicts:
            self._writer.write(verdict_line(verdict))

    def summary(self, stats: SessionStats) -> None:
        """One line."""
        self._writer.write(summary_line(stats, self._writer.lost))

    async def refresh(self, session: StreamSession) -> None:
        """Returns when the reader of the output has gone away."""
        await self._writer.broken.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()


class JsonView(LineView):
    """One JSON object of the wire format per line; the summary goes to the error output."""

    def __init__(self, name: str, out: TextIO | None = None) -> None:
        super().__init__(out)
        self._name = name

    def state(self, state: StreamState, reason: str) -> None:
        """A `state` message."""
        self._writer.write(encode(state_message(self._name, state, reason)))

    def verdicts(self, verdicts: list[Verdict]) -> None:
        """A `verdict` message per face."""
        for verdict in verdicts:
            self._writer.write(encode(verdict_message(verdict)))

    def summary(self, stats: SessionStats) -> None:
        """One plain line, apart from the messages."""
        sys.stderr.write(summary_line(stats, self._writer.lost) + "\n")


class TableView:
    """A table that is repainted in place."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console()
        self._live = Live(console=self._console, auto_refresh=False, transient=True)
        self._state = (StreamState.CONNECTING, "")
        self._newest: dict[int, tuple[float, Verdict]] = {}

    def state(self, state: StreamState, reason: str) -> None:
        """Remembers the state for the next repaint."""
        self._state = (state, reason)

    def verdicts(self, verdicts: list[Verdict]) -> None:
        """Remembers the newest verdict of each face and forgets the faces that left."""
        now_s = time.monotonic()
        self._newest = {track: seen for track, seen in self._newest.items() if now_s - seen[0] < TRACK_MEMORY_S}
        self._newest.update({verdict.track: (now_s, verdict) for verdict in verdicts})

    def summary(self, stats: SessionStats) -> None:
        """Leaves the last verdicts and one line on the screen."""
        self._live.update(Group(), refresh=True)
        for _, verdict in self._newest.values():
            self._console.print(verdict_line(verdict), highlight=False)
        self._console.print(summary_line(stats), highlight=False)

    async def refresh(self, session: StreamSession) -> None:
        """Repaints five times a second."""
        while True:
            await asyncio.to_thread(self._live.update, self._paint(session.stats), refresh=True)
            await asyncio.sleep(REFRESH_S)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def _paint(self, stats: SessionStats) -> Group:
        state, reason = self._state
        table = Table("face", "verdict", "p(fake)", "branches", "reasons", "latency", expand=True)
        for track, (_, verdict) in sorted(self._newest.items()):
            table.add_row(
                str(track),
                Text(verdict.state.value, COLOURS[verdict.state]),
                _probability(verdict.p_fake),
                _branches(verdict),
                ", ".join((*verdict.reasons, *verdict.degraded)),
                f"{verdict.timing_ms.get('total', 0):.0f} ms",
            )
        head = Text(f"{state.value}  {reason}".rstrip(), "bold" if state is StreamState.LIVE else "bold yellow")
        return Group(head, table, Text(f"{stats.analyzed_fps:.1f} frames/s   {summary_line(stats)}", "dim"))


def verdict_line(verdict: Verdict) -> str:
    """A verdict as one line of text."""
    parts = [
        f"{verdict.pts_s:8.2f} s",
        f"face {verdict.track}",
        f"{verdict.state.value:<11}",
        f"p={_probability(verdict.p_fake)}",
        _branches(verdict),
        f"{verdict.timing_ms.get('total', 0):.0f} ms",
        ", ".join((*verdict.reasons, *verdict.degraded)),
    ]
    return "  ".join(part for part in parts if part)


def summary_line(stats: SessionStats, lost_lines: int = 0) -> str:
    """How a session went, as one line of text."""
    causes = ", ".join(f"{count} {cause}" for cause, count in sorted(stats.dropped.items()) if count)
    latency = "" if stats.p95_ms is None else f", p50 {stats.p50_ms:.0f} ms, p95 {stats.p95_ms:.0f} ms"
    lost = f", {lost_lines} lines lost because the output is not read" if lost_lines else ""
    dropped = f"{stats.dropped.total()} dropped" + (f" ({causes})" if causes else "")
    return f"{stats.frames_in} frames in, {stats.analyzed} analysed, {dropped}{latency}{lost}"


def _probability(p_fake: float | None) -> str:
    return "  - " if p_fake is None else f"{p_fake:.2f}"


def _branches(verdict: Verdict) -> str:
    return " ".join(f"{name} {result.p_fake:.2f}" for name, result in verdict.branches.items())
