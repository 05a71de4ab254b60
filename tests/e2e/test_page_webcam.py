"""The webcam page in a real browser: camera with drawn verdict, restart of the server, refused cameras, what stays."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Playwright

from tests.e2e.browser import ServerProcess, camera_pictures, overlap, server, wait_for
from tests.e2e.pages import DRAWN, FACES, launch, needs_browser, save, settled_face, watched_page, webcams
from tests.e2e.stand_in import ROOT, staged
from unmask.models.mtcnn import FaceFinder

pytestmark = needs_browser

REFUSED = "navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('', '{}'))"


@pytest.fixture(scope="module")
def served() -> Iterator[ServerProcess]:
    """A server without any other stream."""
    with server() as running:
        yield running
        assert running.stop() == 0


def faces_of_the_camera() -> list[list[float]]:
    """Where the face is in some of the camera's pictures, 0..1."""
    pictures = camera_pictures()
    height, width = pictures[0].shape[:2]
    finder = FaceFinder("cpu")
    boxes = [finder.find(image_rgb, 640, 40)[0].box_xyxy for image_rgb in pictures[:: len(pictures) // 5]]
    return [[box[0] / width, box[1] / height, box[2] / width, box[3] / height] for box in boxes]


def test_camera_gets_a_drawn_verdict_and_closing_the_page_frees_it(page: Page, served: ServerProcess) -> None:
    page.click("#start-camera")
    face = settled_face(page)
    assert face["state"] in ("authentic", "suspicious", "manipulated", "uncertain")
    assert face["p"] == "" or 0 <= float(face["p"]) <= 1
    assert max(overlap(json.loads(face["box"]), box) for box in faces_of_the_camera()) > 0.4
    wait_for(lambda: page.evaluate(DRAWN) > 500)
    assert page.text_content("#fact-state") == "live"
    assert len(webcams(served)) == 1
    page.check("#show-map")
    wait_for(lambda: "% of the face looks drawn" in (page.text_content("#map-text") or ""))
    save(page, "browser_camera.png")

    page.close()

    wait_for(lambda: webcams(served) == [])


def test_camera_of_a_browser_that_vanishes_is_freed(
    playwright: Playwright, served: ServerProcess, camera: Path
) -> None:
    with launch(playwright, camera) as browser:
        page = browser.new_page()
        page.goto(served.url)
        page.click("#start-camera")
        wait_for(lambda: webcams(served))
        settled_face(page)
    wait_for(lambda: webcams(served) == [])


def test_camera_is_published_again_after_a_restart_of_the_server(browser: Browser) -> None:
    with watched_page(browser) as (page, _):
        with server() as first:
            page.goto(first.url)
            page.click("#start-camera")
            settled_face(page)
            first.process.terminate()
            wait_for(lambda: page.evaluate(FACES) == [], 1.5)
            assert "nothing is being judged" in (page.text_content("#banner-text") or "")
            assert first.process.wait(90) == 0
        with server(port=int(first.url.rpartition(":")[2])) as second:
            settled_face(page)
            assert len(webcams(second)) == 1


@pytest.mark.parametrize(
    ("script", "says"),
    [
        (REFUSED.format("NotAllowedError"), "not allowed"),
        (REFUSED.format("NotFoundError"), "No camera"),
        (REFUSED.format("NotReadableError"), "in use by another program"),
        (REFUSED.format("SecurityError"), "settings forbid"),
        ("Object.defineProperty(navigator, 'mediaDevices', { value: undefined })", "https"),
    ],
)
def test_refused_camera_is_explained(stage: Browser, script: str, says: str) -> None:
    with staged(stage, script=script) as page:
        page.goto(f"{ROOT}/")
        page.click("#start-camera")
        wait_for(lambda: says in (page.text_content("#problem") or ""))
        assert page.is_visible("#problem") and page.is_visible("#start-camera")
        assert page.evaluate("fake.published") == []
