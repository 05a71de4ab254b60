"""A server, a browser and a camera for the tests of the pages."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Playwright, sync_playwright

from tests.e2e.browser import ServerProcess, camera_pictures, server, write_y4m
from tests.e2e.pages import launch, watched_page


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
def camera(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The video that plays as the camera."""
    path = tmp_path_factory.mktemp("camera") / "camera.y4m"
    write_y4m(camera_pictures(), path)
    yield path
    path.unlink()


@pytest.fixture
def browser(playwright: Playwright, camera: Path) -> Iterator[Browser]:
    """A browser of its own with the clip as its camera."""
    with launch(playwright, camera) as opened:
        yield opened


@pytest.fixture(scope="module")
def stage(playwright: Playwright, camera: Path) -> Iterator[Browser]:
    """A browser for all tests of a module whose pages do without a server."""
    with launch(playwright, camera) as opened:
        yield opened


@pytest.fixture
def page(browser: Browser, served: ServerProcess) -> Iterator[Page]:
    """The client page; nothing may go wrong in its console."""
    with watched_page(browser) as (opened, problems):
        opened.goto(served.url)
        yield opened
        assert problems == []
