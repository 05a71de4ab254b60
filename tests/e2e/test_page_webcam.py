"""The webcam page in a real browser: camera with drawn verdict, keyboard, failures, and what stays."""

import json
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Playwright

from tests.e2e.browser import ServerProcess, overlap, wait_for
from tests.e2e.pages import (
    DRAWN,
    FACES,
    focus_by_tabbing,
    launch,
    needs_browser,
    save,
    settled_face,
    watched_page,
    webcams,
)

pytestmark = needs_browser


def test_camera_gets_a_drawn_verdict_and_closing_the_page_frees_it(
    page: Page, served: ServerProcess, camera: tuple[Path, list[list[float]]]
) -> None:
    page.click("#start-camera")
    face = settled_face(page)
    assert face["state"] in ("authentic", "suspicious", "manipulated", "uncertain")
    assert face["p"] == "" or 0 <= float(face["p"]) <= 1
    assert max(overlap(json.loads(face["box"]), box) for box in camera[1]) > 0.4
    wait_for(lambda: page.evaluate(DRAWN) > 500)
    assert page.text_content("#fact-state") == "live"
    assert len(webcams(served)) == 1
    save(page, "browser_camera.png")

    page.close()

    wait_for(lambda: webcams(served) == [])


def test_camera_starts_and_stops_with_the_keyboard_alone(page: Page, served: ServerProcess) -> None:
    wait_for(lambda: page.text_content("#link-text") == "connected")
    focus_by_tabbing(page, "start-camera")
    page.keyboard.press("Enter")
    settled_face(page)
    wait_for(lambda: page.evaluate("document.activeElement.id") == "stop-camera")
    wait_for(lambda: "Face 1" in (page.text_content("#announcer") or ""))
    page.keyboard.press("Enter")
    wait_for(lambda: webcams(served) == [])
    assert page.evaluate(FACES) == [] and page.evaluate(DRAWN) == 0
    assert page.evaluate("document.activeElement.id") == "start-camera"


def test_camera_of_a_browser_that_vanishes_is_freed(
    playwright: Playwright, served: ServerProcess, camera: tuple[Path, list[list[float]]]
) -> None:
    with launch(playwright, camera[0]) as browser:
        page = browser.new_page()
        page.goto(served.url)
        page.click("#start-camera")
        wait_for(lambda: webcams(served))
        settled_face(page)
    wait_for(lambda: webcams(served) == [])


@pytest.mark.parametrize(
    ("script", "says"),
    [
        (
            "navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('', 'NotAllowedError'))",
            "not allowed",
        ),
        (
            "navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('', 'NotFoundError'))",
            "No camera",
        ),
        ("Object.defineProperty(navigator, 'mediaDevices', { value: undefined })", "https"),
    ],
)
def test_refused_camera_is_explained(browser: Browser, served: ServerProcess, script: str, says: str) -> None:
    with watched_page(browser) as (page, _):
        page.add_init_script(script)
        page.goto(served.url)
        page.click("#start-camera")
        wait_for(lambda: says in (page.text_content("#problem") or ""))
        assert page.is_visible("#problem") and page.is_visible("#start-camera")
        assert webcams(served) == []
