"""`Service`: everything that a running server owns, and the order in which it goes up and down."""

import asyncio
import logging
import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from pydantic import SecretStr

from unmask.models.engine import Engine
from unmask.pipeline.errors import UnmaskError
from unmask.pipeline.types import Frame, StreamState, Verdict
from unmask.stream.auth import Origins, TokenStore
from unmask.stream.challenge import Challenges
from unmask.stream.findings import Analyze, analyze_file
from unmask.stream.history import History
from unmask.stream.hub import Hub
from unmask.stream.jobs import Jobs
from unmask.stream.kept import KeptCameras
from unmask.stream.probe import ConnectionTests
from unmask.stream.redact import redact
from unmask.stream.settings import ServeSettings
from unmask.stream.source import open_capture, open_source
from unmask.stream.streams import JudgeFactory, NameTaken, RunningStream, Streams
from unmask.stream.upload import Uploads
from unmask.stream.whip import Peers

log = logging.getLogger(__name__)


class Service:
    """The parts of one server; `close` ends them in the order peers, sessions, uploads, threads.

    Raises:
        UsageError: the file of the kept cameras holds something else.
    """

    def __init__(
        self,
        settings: ServeSettings,
        engine: Engine,
        tokens: TokenStore,
        *,
        make_judge: JudgeFactory | None = None,
        analyze: Analyze = analyze_file,
    ) -> None:
        workers = min(settings.max_streams, max(2, os.cpu_count() or 1))
        self.settings = settings
        self.engine = engine
        self.tokens = tokens
        self.origins = Origins(settings, token_required=tokens.required)
        self.hub = Hub()
        self.executor = ThreadPoolExecutor(workers, thread_name_prefix="detector")
        self.streams = Streams(
            engine,
            self.hub,
            self.executor,
            max_streams=settings.max_streams,
            method=settings.method,
            make_judge=make_judge,
        )
        self.challenges = Challenges(self.streams, self.hub)
        self.peers = Peers(self.streams, max_viewers=settings.max_viewers, ice_servers=settings.ice_servers)
        self.uploads = Uploads(engine, analyze, max_seconds=settings.max_analyze_s)
        self.jobs = Jobs()
        self.tests = ConnectionTests()
        self.kept = KeptCameras(settings.cameras_file)
        self.history = History(pictures=settings.history_pictures)
        self.streams.listen(self._remember)
        self.streams.listen_states(self._stream_is)
        self.sockets = 0
        self.ready = False

    def start(self) -> None:
        """Opens the configured sources and the kept cameras; from then on the service is ready.

        Raises:
            UnmaskError: a source's address makes no sense or its file cannot be read. A kept camera that cannot be
                opened is left out, with a warning.
        """
        for source in self.settings.sources:
            self.open(source.name, source.url.get_secret_value())
        for camera in self.kept.all():
            try:
                self.open(camera.name, camera.url.get_secret_value())
            except UnmaskError as error:
                log.warning("the kept camera %s is left out: %s", camera.name, error)
        self.jobs.start()
        self.ready = True

    def open(self, name: str, url: str, *, replacing: bool = False) -> RunningStream:
        """Starts a stream from an address.

        Raises:
            UsageError, UnreadableFile: see `open_source`.
            NameTaken, TooManyStreams: see `Streams.admit`.
        """
        kind = url.partition(":")[0].lower() if ":" in url else "file"
        source = partial(open_source, url, name)
        stream = self.streams.add(name, source, kind=kind, url=redact(url), replacing=replacing)
        stream.address = SecretStr(url)
        return stream

    async def add(self, name: str, address: SecretStr) -> RunningStream:
        """Opens a camera and keeps it for the next start.

        Raises:
            UsageError, UnreadableFile, NameTaken, TooManyStreams: see `open`.
            NotKept: it runs, but will not be there at the next start.
        """
        stream = self.open(name, address.get_secret_value())
        await asyncio.to_thread(self.kept.keep, name, address)
        return stream

    async def remove(self, name: str) -> bool:
        """Ends a stream and forgets it; False when there is none of this name.

        Raises:
            NotKept: it has ended, but will be there at the next start.
        """
        there = await self.streams.remove(name)
        await asyncio.to_thread(self.kept.drop, name)
        return there

    async def change(self, stream: RunningStream, name: str, address: SecretStr) -> RunningStream:
        """Ends a stream and opens it again under this name and address.

        Raises:
            UsageError, UnreadableFile, NameTaken, TooManyStreams: see `open`; the stream that was there runs on or
                is opened again.
            NotKept: it is changed, but will be as before at the next start.
        """
        if name != stream.name and self.streams.get(name) is not None:
            raise NameTaken(f"a stream named {name} is already there")
        await self.streams.remove(stream.name)
        try:
            changed = self.open(name, address.get_secret_value(), replacing=True)
        except UnmaskError:
            if stream.address is not None:
                self.open(stream.name, stream.address.get_secret_value(), replacing=True)
            raise
        if self.kept.has(stream.name):
            await asyncio.to_thread(self.kept.keep, name, address, stream.name)
        return changed

    async def test(self, url: str) -> dict[str, object]:
        """Opens a camera for a few seconds; see `ConnectionTests.test`."""
        return await self.tests.test(lambda: open_capture(url, "the camera")[0])

    async def close(self) -> None:
        """Ends everything but the engine, which belongs to whoever opened it."""
        self.ready = False
        self.challenges.close()
        await self.peers.close_all()
        await self.streams.close()
        await self.jobs.close()
        await self.uploads.close()
        await asyncio.to_thread(self.executor.shutdown, wait=True, cancel_futures=True)

    def _remember(self, frame: Frame, verdicts: list[Verdict]) -> None:
        stream = self.streams.get(frame.stream)
        self.history.verdicts(frame, verdicts, picture=stream is not None and not stream.ephemeral)

    def _stream_is(self, stream: RunningStream) -> None:
        """A stream that a browser publishes leaves nothing behind."""
        if not stream.ephemeral:
            self.history.state(stream.name, stream.state, stream.reason)
        elif stream.state is StreamState.ENDED:
            self.history.forget(stream.name)
