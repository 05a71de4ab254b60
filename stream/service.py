"""`Service`: everything that a running server owns, and the order in which it goes up and down."""

import asyncio
import logging
import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from unmask.models.engine import Engine
from unmask.stream.auth import Origins, TokenStore
from unmask.stream.hub import Hub
from unmask.stream.redact import redact
from unmask.stream.settings import ServeSettings
from unmask.stream.source import open_source
from unmask.stream.streams import JudgeFactory, RunningStream, Streams
from unmask.stream.upload import Analyze, Uploads, analyze_file
from unmask.stream.whip import Peers

log = logging.getLogger(__name__)


class Service:
    """The parts of one server; `close` ends them in the order peers, sessions, uploads, threads."""

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
        self.peers = Peers(self.streams, max_viewers=settings.max_viewers, ice_servers=settings.ice_servers)
        self.uploads = Uploads(engine, analyze, max_seconds=settings.max_analyze_s)
        self.sockets = 0
        self.ready = False

    def start(self) -> None:
        """Opens the configured sources; from then on the service is ready.

        Raises:
            UnmaskError: a source's address makes no sense or its file cannot be read.
        """
        for source in self.settings.sources:
            self.open(source.name, source.url.get_secret_value())
        self.ready = True

    def open(self, name: str, url: str) -> RunningStream:
        """Starts a stream from an address.

        Raises:
            UsageError, UnreadableFile: see `open_source`.
            NameTaken, TooManyStreams: see `Streams.admit`.
        """
        kind = url.partition(":")[0].lower() if ":" in url else "file"
        return self.streams.add(name, partial(open_source, url, name), kind=kind, url=redact(url))

    async def close(self) -> None:
        """Ends everything but the engine, which belongs to whoever opened it."""
        self.ready = False
        await self.peers.close_all()
        await self.streams.close()
        await self.uploads.close()
        await asyncio.to_thread(self.executor.shutdown, wait=True, cancel_futures=True)
