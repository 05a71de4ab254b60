"""The basics in Firefox: every page opens and connects, and a camera is published and seen by the server."""

from collections.abc import Iterator

import pytest

from tests.e2e.browser import ServerProcess, wait_for
from tests.e2e.firefox import FIREFOX, FirefoxPage, firefox

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(FIREFOX is None, reason="needs firefox-esr or firefox")]


@pytest.fixture(scope="module")
def page() -> Iterator[FirefoxPage]:
    """One tab."""
    with firefox() as opened:
        yield opened


@pytest.mark.parametrize("path", ["/", "/call", "/cameras", "/file", "/help"])
def test_a_page_opens_and_connects(page: FirefoxPage, served: ServerProcess, path: str) -> None:
    page.goto(served.url + path)
    wait_for(lambda: page.evaluate("document.getElementById('link-text')?.textContent") == "connected")
    assert page.evaluate("document.getElementById('problem').hidden")


def test_a_camera_is_published_and_judged(page: FirefoxPage, served: ServerProcess) -> None:
    page.goto(served.url)
    wait_for(lambda: page.evaluate("document.getElementById('link-text')?.textContent") == "connected")
    page.evaluate("document.getElementById('start-camera').click()")
    streams = wait_for(lambda: [s for s in served.streams().values() if s["kind"] == "webrtc"])
    name = streams[0]["name"]
    wait_for(lambda: served.streams()[name]["frames"]["analyzed"] > 3)
    wait_for(lambda: "no face" in page.evaluate("document.getElementById('fact-state').textContent"))
    page.evaluate("document.getElementById('stop-camera').click()")
    wait_for(lambda: name not in served.streams())
