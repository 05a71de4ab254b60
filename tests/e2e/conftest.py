"""A server, a browser and a camera for the tests of the pages."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Playwright, sync_playwright

from tests.e2e.browser import ServerProcess, camera_pictures, server, write_y4m
from tests.e2e.pages import launch, watched_page
from unmask.models.mtcnn import FaceFinder


@pytest.fixture(scope="module")
def served() -> Iterator[ServerProcess]:
    """One server with the demo stream."""
    with server("--source", "demo=demo:") as running:
        yield running
        assert running.stop() == 0


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    """The driver of the browser."""
    with sync_playwright() as driver:
        yield driver


@pytest.fixture(scope="module")
def camera(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, list[list[float]]]]:
    """The video that plays as the camera, and where its face is in its first pictures."""
    pictures = camera_pictures()
    height, width = pictures[0].shape[:2]
    finder = FaceFinder("cpu")
    found = [finder.find(image_rgb, 640, 40)[0].box_xyxy for image_rgb in pictures[:: len(pictures) // 5]]
    path = tmp_path_factory.mktemp("camera") / "camera.y4m"
    write_y4m(pictures, path)
    yield path, [[box[0] / width, box[1] / height, box[2] / width, box[3] / height] for box in found]
    path.unlink()


@pytest.fixture
def browser(playwright: Playwright, camera: tuple[Path, list[list[float]]]) -> Iterator[Browser]:
    """A browser with the clip as its camera."""
    with launch(playwright, camera[0]) as opened:
        yield opened


@pytest.fixture
def page(browser: Browser, served: ServerProcess) -> Iterator[Page]:
    """The client page; nothing may go wrong in its console."""
    with watched_page(browser) as (opened, problems):
        opened.goto(served.url)
        yield opened
        assert problems == []
