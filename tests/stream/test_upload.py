"""Uploads are bounded in size, kind and number, and their temporary file is always gone afterwards."""

import asyncio
import json
import tempfile
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest

from tests.stream.serving import Running, serving
from unmask.models.engine import Engine
from unmask.stream.findings import Finding
from unmask.stream.upload import clean_name, looks_like_media

MP4 = b"\x00\x00\x00\x18ftypisom" + b"\x00" * 3000


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of its own for temporary files."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def left(temporary: Path) -> list[Path]:
    """The files that are still there."""
    return list(temporary.iterdir())


async def send(running: Running, content: bytes = MP4, name: str = "clip.mp4", **options: object) -> httpx.Response:
    """Uploads a file."""
    files = {"file": (name, content, "video/mp4")}
    return await running.client.post("/api/analyze", files=files, **options)  # type: ignore[arg-type]


async def gone(running: Running, temporary: Path) -> None:
    """Waits until no analysis runs and no file is left."""
    await running.until(lambda: running.service.uploads.active == 0 and left(temporary) == [])


async def test_file_is_analysed_and_removed(temporary: Path) -> None:
    async with serving() as running:
        answer = await send(running, params={"method": "mri"})
        assert answer.json() == {"file": "clip.mp4", "method": "mri", "bytes": len(MP4)}
        await gone(running, temporary)


async def test_progress_comes_before_the_result(temporary: Path) -> None:
    async with serving() as running:
        answer = await send(running, headers={"Accept": "application/x-ndjson"})
        lines = [json.loads(line) for line in answer.text.splitlines()]
        assert all(0 <= line["progress"] <= 1 for line in lines[:-1]) and lines[-1]["result"]["bytes"] == len(MP4)
        await gone(running, temporary)


async def test_other_form_fields_are_ignored(temporary: Path) -> None:
    async with serving() as running:
        files = {"note": ("", b"x" * 5000), "file": ("a.mp4", MP4), "file2": ("b.mp4", b"other")}
        assert (await running.client.post("/api/analyze", files=files)).json()["bytes"] == len(MP4)


async def test_unreadable_file_is_422_and_removed(temporary: Path) -> None:
    async with serving() as running:
        answer = await send(running, MP4 + b"broken")
        assert (answer.status_code, answer.json()["error"]) == (422, "unreadable_file")
        answer = await send(running, MP4 + b"broken", headers={"Accept": "application/x-ndjson"})
        assert json.loads(answer.text.splitlines()[-1])["error"] == "unreadable_file"
        await gone(running, temporary)


@pytest.mark.parametrize(
    "content",
    [b"hello", b"#EXTM3U\n#EXTINF:1\nfile:///etc/passwd", b"ffconcat version 1.0\n", b"<?xml?><MPD/>", b"v=0\r\n"],
)
async def test_texts_and_playlists_are_415(temporary: Path, content: bytes) -> None:
    async with serving() as running:
        answer = await send(running, content)
        assert (answer.status_code, answer.json()["error"]) == (415, "not_media")
        await gone(running, temporary)


async def test_too_large_a_file_is_413_with_and_without_a_length(temporary: Path) -> None:
    async with serving(max_upload_mb=0.2) as running:
        assert (await send(running, MP4 + b"x" * 1_000_000)).status_code == 413

        async def chunks() -> AsyncIterator[bytes]:
            yield b'--B\r\nContent-Disposition: form-data; name="file"; filename="a.mp4"\r\n\r\n' + MP4
            for _ in range(40):
                yield b"x" * 10_000

        headers = {"Content-Type": "multipart/form-data; boundary=B"}
        answer = await running.client.post("/api/analyze", content=chunks(), headers=headers)
        assert (answer.status_code, answer.json()["error"]) == (413, "too_large")
        await gone(running, temporary)


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("application/json", b"{}", 415),
        ("multipart/form-data", b"", 415),
        ("multipart/form-data; boundary=B", b"", 400),
        ("multipart/form-data; boundary=B", b"nonsense", 400),
        ("multipart/form-data; boundary=B", b'--B\r\nContent-Disposition: form-data; name="file"\r\n\r\nab', 400),
        ("multipart/form-data; boundary=B", b'--B\r\nContent-Disposition: form-data; name="x"\r\n\r\nab\r\n--B--', 400),
        (
            "multipart/form-data; boundary=B",
            b'--B\r\nContent-Disposition: form-data; name="file"\r\n\r\n\r\n--B--',
            400,
        ),
    ],
)
async def test_malformed_uploads(temporary: Path, content_type: str, body: bytes, status: int) -> None:
    async with serving() as running:
        answer = await running.client.post("/api/analyze", content=body, headers={"Content-Type": content_type})
        assert answer.status_code == status and set(answer.json()) == {"error", "message"}
        await gone(running, temporary)


async def test_unknown_method_is_422() -> None:
    async with serving() as running:
        assert (await send(running, params={"method": "astrology"})).status_code == 422


class Slow:
    """An analysis that goes on until it is told to stop."""

    def __init__(self) -> None:
        self.started = threading.Event()
        self.stopped = threading.Event()

    def __call__(
        self, path: Path, name: str, method: str, engine: Engine, progress: Callable[[float], None]
    ) -> Finding:
        """Reports progress for ever."""
        self.started.set()
        try:
            while True:
                progress(0.1)
                threading.Event().wait(0.01)
        finally:
            self.stopped.set()


async def test_analysis_stops_when_its_caller_leaves(temporary: Path) -> None:
    slow = Slow()
    async with serving(analyze=slow) as running:
        for headers in ({}, {"Accept": "application/x-ndjson"}):
            slow.started.clear()
            slow.stopped.clear()
            sending = asyncio.create_task(send(running, headers=headers))
            await running.until(slow.started.is_set)
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
            await running.until(slow.stopped.is_set)
            await gone(running, temporary)


async def test_server_stops_while_a_file_is_analysed(temporary: Path) -> None:
    slow = Slow()
    async with serving(analyze=slow) as running:
        sending = asyncio.create_task(send(running))
        await running.until(slow.started.is_set)
    assert slow.stopped.is_set() and left(temporary) == []
    await asyncio.gather(sending, return_exceptions=True)


async def test_too_long_an_analysis_is_504(temporary: Path) -> None:
    async with serving(analyze=Slow(), max_analyze_s=0.2) as running:
        answer = await send(running)
        assert (answer.status_code, answer.json()["error"]) == (504, "too_long")
        await gone(running, temporary)


async def test_fourth_file_at_a_time_is_503() -> None:
    slow = Slow()
    async with serving(analyze=slow) as running:
        sending = [asyncio.create_task(send(running)) for _ in range(3)]
        await running.until(lambda: running.service.uploads.active == 3)
        answer = await send(running)
        assert answer.status_code == 503 and "retry-after" in answer.headers
    await asyncio.gather(*sending, return_exceptions=True)


@pytest.mark.parametrize(
    ("name", "clean"),
    [
        ("", "upload"),
        ("../../etc/passwd", "passwd"),
        ("C:\\x\\a.mp4", "a.mp4"),
        ("a\x00\nb.mp4", "ab.mp4"),
        ("/", "upload"),
    ],
)
def test_file_names_lose_folders_and_control_characters(name: str, clean: str) -> None:
    assert clean_name(name) == clean


def test_transport_stream_needs_two_sync_bytes() -> None:
    assert looks_like_media(b"G" + b"\x00" * 187 + b"G" + b"\x00" * 11)
    assert not looks_like_media(b"Good morning" + b" " * 188) and not looks_like_media(b"")


async def test_upload_that_breaks_off_leaves_nothing(temporary: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with serving() as running:
        _, writer = await asyncio.open_connection("127.0.0.1", running.port)
        head = f"POST /api/analyze HTTP/1.1\r\nHost: 127.0.0.1:{running.port}\r\nContent-Length: 100000\r\n"
        writer.write(f"{head}Content-Type: multipart/form-data; boundary=B\r\n\r\n--B\r\n".encode())
        await writer.drain()
        await running.until(lambda: left(temporary) != [])
        writer.close()
        await gone(running, temporary)
    assert caplog.records == []
