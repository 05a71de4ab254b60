"""The file page in a real browser."""

from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page

from tests.build import portrait
from tests.e2e.browser import ServerProcess, wait_for
from tests.e2e.pages import (
    needs_browser,
    save,
    watched_page,
)

pytestmark = needs_browser


def test_uploaded_picture_gets_a_result(page: Page, served: ServerProcess, tmp_path: Path) -> None:
    path = tmp_path / "astronaut.png"
    Image.fromarray(portrait()).save(path)
    page.goto(f"{served.url}/file")
    page.set_input_files("#file", path)
    page.click("#analyze")
    wait_for(lambda: page.get_attribute("#result", "data-state"))
    assert "astronaut.png" in (page.text_content("#result") or "")
    save(page, "browser_file.png")


def test_uploaded_nonsense_is_explained(browser: Browser, served: ServerProcess, tmp_path: Path) -> None:
    (tmp_path / "note.mp4").write_text("hello")
    with watched_page(browser) as (page, _):
        page.goto(f"{served.url}/file")
        page.set_input_files("#file", tmp_path / "note.mp4")
        page.click("#analyze")
        wait_for(lambda: "not a video or image" in (page.text_content("#problem") or ""))
