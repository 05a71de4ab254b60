"""The file page in a real browser: sending, progress, cancelling, result, report, and every refusal."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, FileChooser, Page, Playwright, TimeoutError

from tests.build import portrait
from tests.e2e.browser import ServerProcess, server, wait_for
from tests.e2e.clips import demo_clip
from tests.e2e.pages import focus_by_tabbing, launch, needs_browser, save, watched_page

pytestmark = needs_browser


@pytest.fixture(scope="module")
def small() -> Iterator[ServerProcess]:
    """A server that takes 8 MB."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UNMASK_MAX_UPLOAD_MB", "8")
        with server() as running:
            yield running


@pytest.fixture(scope="module")
def plain(playwright: Playwright) -> Iterator[Browser]:
    """A browser without a camera."""
    with launch(playwright) as opened:
        yield opened


@pytest.fixture
def page(plain: Browser, small: ServerProcess) -> Iterator[Page]:
    """The file page, connected."""
    with watched_page(plain) as (opened, _):
        opened.goto(f"{small.url}/file")
        wait_for(lambda: "8 MB" in (opened.text_content("#limits") or ""))
        yield opened


def chooser_by_enter(page: Page) -> FileChooser:
    """What Enter opens on the focused field; a page that has just come to the front may miss the first press."""
    for timeout_ms in (5_000, 5_000, 30_000):
        with contextlib.suppress(TimeoutError):
            with page.expect_file_chooser(timeout=timeout_ms) as chooser:
                page.keyboard.press("Enter")
            return chooser.value
    raise AssertionError("Enter opened no file chooser")


def result(page: Page) -> str:
    """The text of the result once it is there."""
    wait_for(lambda: page.is_visible("#result"), seconds=120)
    return page.text_content("#result") or ""


def test_video_gets_course_faces_deciding_frames_and_downloads(page: Page, tmp_path: Path) -> None:
    page.set_input_files("#file", demo_clip(tmp_path, 4.0))
    wait_for(lambda: page.is_visible("#work") or page.is_visible("#result"))
    said = result(page)
    for title in ("Over time", "Frames that decided", "Faces", "What each branch found", "Facts"):
        assert title in said
    assert page.locator(".chart .course-line").count() > 0 and page.locator(".keyframes img").count() >= 2
    page.check("#show-branches")
    assert page.locator(".chart .branch-line").count() > 0
    assert page.evaluate("document.activeElement.id") in ("result", "show-branches")
    with page.expect_download() as download:
        page.get_by_role("button", name="JSON").click()
    found = json.loads(Path(download.value.path()).read_text("utf-8"))
    assert found["schema"] == 1 and download.value.suggested_filename == "demo.unmask.json"
    with page.expect_download() as download:
        page.get_by_role("button", name="report").click()
    report = Path(download.value.path()).read_text("utf-8")
    assert "Face authenticity report" in report and "<script" not in report
    page.evaluate("scrollTo(0, 0)")
    save(page, "page_file.png")
    assert page.pdf().startswith(b"%PDF")
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    save(page, "page_file_phone.png")
    page.reload()
    assert "Over time" in result(page)


def test_picture_without_a_face_is_said_so_with_the_keyboard_alone(page: Page, tmp_path: Path) -> None:
    Image.fromarray(portrait()[300:500, 300:500]).save(tmp_path / "wall.png")
    page.bring_to_front()
    focus_by_tabbing(page, "file")
    chooser_by_enter(page).set_files(tmp_path / "wall.png")
    said = result(page)
    assert "No face was found" in said and "no probability" in said and page.locator(".chart").count() == 0
    page.get_by_role("button", name="Another file").press("Enter")
    assert page.evaluate("document.activeElement.id") == "file" and not page.is_visible("#result")


def test_cancelling_stops_the_work_on_the_server(page: Page, small: ServerProcess, tmp_path: Path) -> None:
    page.set_input_files("#file", demo_clip(tmp_path, 12.0))
    wait_for(lambda: "Looking" in (page.text_content("#work-step") or ""))
    assert page.evaluate("document.activeElement.id") == "cancel"
    page.keyboard.press("Enter")
    wait_for(lambda: page.is_visible("#drop") and not page.is_visible("#work"))
    wait_for(lambda: "unmask_uploads_active 0" in small.text("/metrics"))
    assert not page.is_visible("#failed") and not page.is_visible("#result")


def test_refusals_are_explained(page: Page, tmp_path: Path) -> None:
    (tmp_path / "large.mp4").write_bytes(b"\x00" * 8_100_000)
    (tmp_path / "note.mp4").write_text("hello")
    (tmp_path / "note.txt").write_text("hello")
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "broken.mp4").write_bytes(b"\x00\x00\x00\x18ftypisom" + b"\x00" * 3000)
    for name, head, advice in (
        ("large.mp4", "at most 8 MB", "Cut out the part"),
        ("note.mp4", "not a video or image", "MP4, MOV"),
        ("note.txt", "not a video or an image", "MP4, MOV"),
        ("empty.mp4", "is empty", "damaged"),
        ("broken.mp4", "broken.mp4 is not a video or image", "damaged or incomplete"),
    ):
        page.set_input_files("#file", tmp_path / name)
        wait_for(lambda head=head: head in (page.text_content("#failed-head") or ""))  # type: ignore[misc]
        assert advice in (page.text_content("#failed-advice") or "") and page.is_visible("#failed")
        assert "/tmp" not in (page.text_content("#failed") or "")
    save(page, "page_file_refused.png")


def test_dropped_file_is_analysed(page: Page, tmp_path: Path) -> None:
    Image.fromarray(portrait()).save(tmp_path / "astronaut.png")
    data = list((tmp_path / "astronaut.png").read_bytes())
    page.evaluate(
        """(data) => {
          const transfer = new DataTransfer();
          transfer.items.add(new File([new Uint8Array(data)], 'astronaut.png', { type: 'image/png' }));
          dispatchEvent(new DragEvent('drop', { dataTransfer: transfer, bubbles: true, cancelable: true }));
        }""",
        data,
    )
    assert "astronaut.png" in result(page)
