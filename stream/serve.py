"""`unmask serve`: from settings to a running server, and down again in order."""

import asyncio
import contextlib
import queue
import signal
import socket
import threading
import time
from collections.abc import Iterator

import typer
import uvicorn

from unmask.models.engine import Engine
from unmask.pipeline.errors import UsageError
from unmask.pipeline.types import Frame, Verdict
from unmask.stream.auth import open_tokens
from unmask.stream.decoding import DECODING
from unmask.stream.server import create_app
from unmask.stream.service import Service
from unmask.stream.settings import ServeSettings
from unmask.stream.sockets import BoundedWebSocket

GRACEFUL_S = 5
LINES_WAITING = 64
LINE_EVERY_S = 0.25
TRACKS_KNOWN = 256


def run_serve(settings: ServeSettings, *, seconds: float | None = None, print_verdicts: bool = False) -> int:
    """Serves until it is told to stop (SIGINT, SIGTERM) or for `seconds`; exit code 0.

    Raises:
        UsageError: the address is taken, or a setting makes no sense.
        WeightsError, DeviceError: the networks cannot be loaded.
        UnreadableFile: a source's file cannot be read.
    """
    DECODING.want(settings.decoder)
    listener = _listen(settings)
    with contextlib.closing(listener), Printer() as printer:
        with Engine.open(settings.device, settings.weights_dir, None, settings.precision) as engine:
            asyncio.run(_serve(settings, engine, listener, printer, seconds, print_verdicts))
    return 0


class Server(uvicorn.Server):
    """A uvicorn server that leaves signals to whoever runs it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Captures none."""
        yield


class Printer:
    """Writes lines to standard output from a thread, so that a reader who stalls holds nothing up.

    At most 64 lines wait; further ones are dropped.
    """

    def __init__(self) -> None:
        self._lines: queue.Queue[str | None] = queue.Queue(LINES_WAITING)
        self._thread = threading.Thread(target=self._write, name="printer", daemon=True)
        self._last_s: dict[tuple[str, int], float] = {}
        self.dropped = 0

    def __enter__(self) -> "Printer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(queue.Full):
            self._lines.put(None, timeout=1.0)
        self._thread.join(timeout=2.0)

    def line(self, text: str) -> None:
        """Prints a line soon."""
        try:
            self._lines.put_nowait(text)
        except queue.Full:
            self.dropped += 1

    def verdicts(self, _: Frame, verdicts: list[Verdict]) -> None:
        """Prints at most four verdicts per second and face."""
        now = time.monotonic()
        for verdict in verdicts:
            key = (verdict.stream, verdict.track)
            if now - self._last_s.get(key, -1.0) >= LINE_EVERY_S:
                if len(self._last_s) >= TRACKS_KNOWN:
                    self._last_s.clear()
                self._last_s[key] = now
                self.line(verdict_line(verdict))

    def _write(self) -> None:
        while (text := self._lines.get()) is not None:
            try:
                typer.echo(text)
            except OSError:
                return


def verdict_line(verdict: Verdict) -> str:
    """One verdict as a line of text."""
    p_fake = "  --" if verdict.p_fake is None else f"{verdict.p_fake:.2f}"
    branches = " ".join(f"{name} {result.p_fake:.2f}" for name, result in verdict.branches.items())
    notes = " ".join([*verdict.reasons, *(f"degraded:{rung}" for rung in verdict.degraded)])
    total = verdict.timing_ms.get("total")
    latency = "" if total is None else f"  {total:.0f} ms"
    face = f"{verdict.stream}  face {verdict.track}  {verdict.state.value:<11} p {p_fake}"
    return f"{face}  {branches}{latency}{'  ' if notes else ''}{notes}"


async def _serve(
    settings: ServeSettings,
    engine: Engine,
    listener: socket.socket,
    printer: Printer,
    seconds: float | None,
    print_verdicts: bool,
) -> None:
    tokens, generated = await asyncio.to_thread(open_tokens, settings)
    service = Service(settings, engine, tokens)
    if print_verdicts:
        service.streams.listen(printer.verdicts)
    server = Server(_config(service, settings))
    try:
        service.start()
        _announce(printer, settings, engine, listener, generated)
        with _stopped_by_signals(server):
            await _until_stopped(server, listener, seconds)
    finally:
        await service.close()


def _config(service: Service, settings: ServeSettings) -> uvicorn.Config:
    return uvicorn.Config(
        create_app(service),
        host=settings.host,
        port=settings.port,
        http="h11",
        ws=BoundedWebSocket,
        ws_max_size=65_536,
        ws_per_message_deflate=False,
        lifespan="off",
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACEFUL_S,
    )


async def _until_stopped(server: Server, listener: socket.socket, seconds: float | None) -> None:
    task = asyncio.create_task(server.serve(sockets=[listener]), name="server")
    try:
        await asyncio.wait([task], timeout=seconds)
    finally:
        server.should_exit = True
        await task


@contextlib.contextmanager
def _stopped_by_signals(server: Server) -> Iterator[None]:
    """SIGINT and SIGTERM end the server in order; a second one ends it without waiting for connections."""
    loop = asyncio.get_running_loop()

    def stop() -> None:
        server.force_exit = server.should_exit
        server.should_exit = True

    numbers = (signal.SIGINT, signal.SIGTERM)
    try:
        for number in numbers:
            loop.add_signal_handler(number, stop)
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


def _listen(settings: ServeSettings) -> socket.socket:
    """Takes the port before anything slow is loaded.

    Raises:
        UsageError: the address cannot be listened on.
    """
    try:
        family = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][
            0
        ]
        return socket.create_server((settings.host, settings.port), family=family, backlog=128)
    except OSError as error:
        where = f"{settings.host} port {settings.port}"
        raise UsageError(f"cannot listen on {where}: {error.strerror or error}") from None


def _announce(
    printer: Printer, settings: ServeSettings, engine: Engine, listener: socket.socket, generated: str | None
) -> None:
    port = listener.getsockname()[1]
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    fragment = f"#token={generated}" if generated else ""
    printer.line(f"unmask on {engine.device}: open http://{host}:{port}/{fragment}")
    if generated:
        printer.line(f"access token, shown only this once: {generated}")
    elif not settings.loopback:
        printer.line("others can reach this server; they need its access token")
    if not settings.loopback:
        printer.line("note: browsers give pages a camera only over https or on this machine itself")
