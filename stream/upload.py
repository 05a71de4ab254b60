"""Uploaded files: received within bounds into a temporary file, analysed one at a time, always removed."""

import asyncio
import logging
import os
import tempfile
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header

from unmask.models.engine import Engine
from unmask.pipeline.errors import UnmaskError
from unmask.stream.findings import Analyze, Finding

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

log = logging.getLogger(__name__)

MAX_WAITING = 2
HEAD_BYTES = 200
TS_PACKET_BYTES = 188
SETTLE_TIMEOUT_S = 60.0
MAX_NAME_CHARS = 120
CHUNK_TIMEOUT_S = 30.0


_MAGIC = (
    (4, b"ftyp"), (4, b"moov"), (4, b"mdat"), (4, b"wide"), (4, b"free"), (4, b"skip"),
    (0, b"\x1a\x45\xdf\xa3"), (0, b"RIFF"), (0, b"\x00\x00\x01\xba"), (0, b"\x00\x00\x01\xb3"),
    (0, b"FLV"), (0, b"OggS"), (0, b"\x30\x26\xb2\x75"), (0, b"\xff\xd8\xff"), (0, b"\x89PNG\r\n\x1a\n"),
    (0, b"GIF8"), (0, b"BM"), (0, b"II*\x00"), (0, b"MM\x00*"),
)  # fmt: skip


class UploadError(UnmaskError):
    """Raised when an upload is refused; `status` is the HTTP status, `code` names the cause."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class Abandoned(Exception):
    """Raised inside an analysis whose caller has gone or whose time is up."""


@dataclass
class _Part:
    """The form's file while it comes in; callbacks of the multipart parser fill it."""

    file: BinaryIO
    limit: int
    name: str | None = None
    size: int = 0
    head: bytes = b""
    _header: bytes = b""
    _value: bytes = b""
    _headers: dict[bytes, bytes] = field(default_factory=dict)
    incoming: bool = False

    def callbacks(self) -> "MultipartCallbacks":
        """What the parser calls."""
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._on_field,
            "on_header_value": self._on_value,
            "on_header_end": self._end_header,
            "on_headers_finished": self._end_headers,
            "on_part_data": self._data,
            "on_part_end": self._end,
        }

    def _begin(self) -> None:
        self._headers, self._header, self._value = {}, b"", b""

    def _on_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _on_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        self._headers[self._header.lower()] = self._value
        self._header = self._value = b""

    def _end_headers(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        if options.get(b"name") == b"file" and self.name is None:
            self.name = clean_name(options.get(b"filename", b"").decode("utf-8", "replace"))
            self.incoming = True

    def _data(self, data: bytes, start: int, end: int) -> None:
        if not self.incoming:
            return
        self.size += end - start
        if self.size > self.limit:
            raise too_large(self.limit)
        self.head += data[start : min(end, start + HEAD_BYTES - len(self.head))]
        self.file.write(data[start:end])

    def _end(self) -> None:
        self.incoming = False


def too_large(limit: int) -> UploadError:
    """The refusal of a file of more than `limit` bytes."""
    return UploadError(413, "too_large", f"the file is larger than the {limit / 1_000_000:g} MB that this server takes")


def cut_off() -> UploadError:
    """The refusal of a form that does not end as it should."""
    return UploadError(400, "bad_form", "the form cannot be read: it is cut off or malformed")


def clean_name(name: str) -> str:
    """A file name without its folders and without control characters, at most 120 characters."""
    base = name.replace("\\", "/").rpartition("/")[2]
    return "".join(char for char in base if char.isprintable())[-MAX_NAME_CHARS:] or "upload"


def looks_like_media(head: bytes) -> bool:
    """Whether a file begins like a video or image; playlists and other texts, which can name files, do not."""
    if head[:1] == b"G" and head[TS_PACKET_BYTES : TS_PACKET_BYTES + 1] == b"G":
        return True
    return any(head[at : at + len(magic)] == magic for at, magic in _MAGIC)


async def receive(headers: Mapping[str, str], chunks: AsyncIterator[bytes], path: Path, limit: int) -> str:
    """Writes the form field `file` of a multipart body to `path` and gives its name.

    Raises:
        UploadError: 400, 408, 413 or 415, with a sentence.
    """
    kind, options = parse_options_header(headers.get("content-type", ""))
    if kind != b"multipart/form-data" or not options.get(b"boundary"):
        raise UploadError(415, "not_a_form", "send the file as the field `file` of a multipart/form-data form")
    length = headers.get("content-length", "")
    if length.isdigit() and int(length) > limit + 100_000:
        raise too_large(limit)
    with await asyncio.to_thread(path.open, "wb") as file:
        part = _Part(file, limit)
        await _feed(MultipartParser(options[b"boundary"], part.callbacks()), chunks)
    if part.incoming:
        raise cut_off()
    if part.name is None or part.size == 0:
        raise UploadError(400, "no_file", "the form holds no file in its field `file`")
    if not looks_like_media(part.head):
        raise UploadError(415, "not_media", f"{part.name} is not a video or image that this server knows")
    return part.name


async def _feed(parser: MultipartParser, chunks: AsyncIterator[bytes]) -> None:
    try:
        while True:
            async with asyncio.timeout(CHUNK_TIMEOUT_S):
                chunk = await anext(chunks, None)
            if chunk is None:
                break
            await asyncio.to_thread(parser.write, chunk)
        parser.finalize()
    except FormParserError:
        raise cut_off() from None
    except TimeoutError:
        raise UploadError(408, "too_slow", "the upload stopped coming in") from None


@dataclass(eq=False)
class Job:
    """One analysis: whether its turn has come, its progress from 0 to 1, and the task that ends with its finding."""

    stop: threading.Event = field(default_factory=threading.Event)
    started: bool = False
    done: float = 0.0
    task: "asyncio.Task[Finding] | None" = None

    def report(self, done: float) -> None:
        """Called by the analysis, in its thread.

        Raises:
            Abandoned: nobody waits for the result any more.
        """
        if self.stop.is_set():
            raise Abandoned
        self.done = done


class Uploads:
    """Analyses files one at a time in a thread of its own, so that live streams keep theirs."""

    def __init__(self, engine: Engine, analyze: Analyze, *, max_seconds: float) -> None:
        self._engine = engine
        self._analyze = analyze
        self._max_seconds = max_seconds
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="upload")
        self._jobs: set[Job] = set()

    @property
    def active(self) -> int:
        """How many analyses run or wait."""
        return len(self._jobs)

    def admit(self) -> None:
        """Refuses with 503 when one analysis runs and two wait."""
        if self.active > MAX_WAITING:
            raise UploadError(503, "busy", "other files are being analysed, try again in a minute")

    def start(self, file: ExitStack, path: Path, name: str, method: str) -> Job:
        """Analyses a received file; `file` is closed, which removes it, when the job is over."""
        self.admit()
        job = Job()
        self._jobs.add(job)
        job.task = asyncio.create_task(self._run(job, path, name, method), name=f"analysis of {name}")

        def over(task: "asyncio.Task[Finding]") -> None:
            self._jobs.discard(job)
            file.close()
            if not task.cancelled():
                task.exception()

        job.task.add_done_callback(over)
        return job

    async def close(self) -> None:
        """Stops every analysis at its next step and ends the thread."""
        tasks = [job.task for job in self._jobs if job.task is not None]
        for job in self._jobs:
            job.stop.set()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.to_thread(self._executor.shutdown, wait=True, cancel_futures=True)

    async def _run(self, job: Job, path: Path, name: str, method: str) -> Finding:
        """Waits for the thread; a cancelled or overdue analysis ends at its next step.

        Raises:
            UploadError: 503 when the server stops, 504 when it took too long.
            UnmaskError: what the analysis says of the file.
        """
        submitted = self._executor.submit(self._judge, job, path, name, method)
        future = asyncio.wrap_future(submitted)
        try:
            async with asyncio.timeout(self._max_seconds):
                return await asyncio.shield(future)
        except TimeoutError:
            raise UploadError(504, "too_long", "the analysis took too long and was stopped") from None
        except Abandoned:
            raise UploadError(503, "stopping", "the server is stopping") from None
        finally:
            job.stop.set()
            submitted.cancel()
            await _settled(future)

    def _judge(self, job: Job, path: Path, name: str, method: str) -> Finding:
        """In the thread."""
        job.started = True
        return self._analyze(path, name, method, self._engine, job.report)


async def _settled(future: "asyncio.Future[Finding]") -> None:
    """Waits for a stopped analysis, so that its file can be removed; swallows its result."""
    await asyncio.wait([future], timeout=SETTLE_TIMEOUT_S)
    if not future.done():
        log.error("an analysis did not stop within %.0f s", SETTLE_TIMEOUT_S)
    elif not future.cancelled():
        future.exception()


@contextmanager
def temporary_upload() -> Iterator[Path]:
    """A private path that is gone afterwards, whatever happened."""
    handle, name = tempfile.mkstemp(prefix="unmask-", suffix=".upload")
    os.close(handle)
    try:
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)
