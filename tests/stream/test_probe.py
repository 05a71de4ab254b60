"""A connection test tells what a camera sends, or why it sends nothing; it is bounded in time and number."""

import asyncio
import threading
import time

import pytest

from tests.fake_streams import captured, script, until_stopped
from unmask.pipeline.errors import SourceRefused, UsageError
from unmask.stream.probe import ConnectionTests, TooManyTests
from unmask.stream.source_base import Capture


async def probed(capture: Capture, **limits: float) -> dict[str, object]:
    """One test with short times."""
    return await ConnectionTests(**{"open_s": 0.3, "watch_s": 0.3, **limits}).test(lambda: capture)


async def test_camera_that_works_tells_size_rate_and_a_picture() -> None:
    pictures = [captured(seed, pts_s=seed / 25) for seed in range(20)]
    found = await probed(script([*pictures, until_stopped]))
    assert found["ok"] is True and found["size_wh"] == [64, 48] and found["fps"] == 25.0
    assert str(found["picture"]).startswith("data:image/jpeg;base64,") and found["codec"] is None


async def test_single_picture_has_no_rate() -> None:
    found = await probed(script([captured(1), until_stopped]))
    assert found["ok"] is True and found["fps"] is None


async def test_refusal_is_told_with_its_code() -> None:
    found = await probed(script([SourceRefused("rtsp://cam refuses the user name or the password", "auth_failed")]))
    assert found == {
        "ok": False,
        "error": "auth_failed",
        "message": "rtsp://cam refuses the user name or the password",
    }


@pytest.mark.parametrize(("steps", "code"), [([], "connection_failed"), ([until_stopped], "timeout")])
async def test_camera_without_a_picture_is_a_failure(steps: list[object], code: str) -> None:
    assert (await probed(script(steps)))["error"] == code  # type: ignore[arg-type]


async def test_address_that_makes_no_sense_frees_its_place() -> None:
    tests = ConnectionTests(open_s=0.1, watch_s=0.1)

    def refuse() -> Capture:
        raise UsageError("no such form")

    for _ in range(3):
        with pytest.raises(UsageError):
            await tests.test(refuse)


async def test_third_test_at_a_time_is_refused_and_a_hanging_camera_counts() -> None:
    release = threading.Event()

    def hang(_: threading.Event) -> None:
        release.wait(20.0)

    tests = ConnectionTests(open_s=0.1, watch_s=0.1)
    for _ in range(2):
        assert (await tests.test(lambda: script([hang])))["error"] == "timeout"
    with pytest.raises(TooManyTests):
        await tests.test(lambda: script([until_stopped]))
    release.set()
    deadline_s = time.monotonic() + 10
    while True:
        try:
            found = await tests.test(lambda: script([captured(1), until_stopped]))
            break
        except TooManyTests:
            assert time.monotonic() < deadline_s
            await asyncio.sleep(0.05)
    assert found["ok"] is True
