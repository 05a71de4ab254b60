"""Every page, dark and light, on a desktop and on a phone, scanned by axe-core: no serious finding."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Playwright

from tests.e2e.axe_core import NotAvailable, script
from tests.e2e.browser import ServerProcess, server, wait_for
from tests.e2e.pages import launch, needs_browser, settled_face

pytestmark = needs_browser

PAGES = ("/", "/call", "/cameras", "/file", "/help", "/docs")
SERIOUS = ("serious", "critical")
SIZES = {"desktop": (1280, 800), "phone": (390, 844)}


@pytest.fixture(scope="module")
def axe() -> str:
    """The source of axe-core."""
    try:
        return script()
    except NotAvailable as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def plain_browser(playwright: Playwright) -> Iterator[Browser]:
    """A browser with Chromium's own fake camera."""
    with launch(playwright) as opened:
        yield opened


@pytest.fixture(scope="module")
def idle_server() -> Iterator[ServerProcess]:
    """A server without a stream of its own, which a slow machine could need all its time for."""
    with server() as running:
        yield running
        assert running.stop() == 0


def findings(page: Page, axe: str) -> list[str]:
    """What axe-core finds to be serious or critical, with the elements."""
    page.evaluate(axe)
    found: list[dict[str, Any]] = page.evaluate("axe.run(document).then((result) => result.violations)")
    return [
        f"{one['id']} ({one['impact']}): {node['target']} {node.get('failureSummary', '')}"
        for one in found
        if one["impact"] in SERIOUS
        for node in one["nodes"]
    ]


def opened(browser: Browser, scheme: str, size: str) -> Page:
    """A page of this look and size, without motion, so that no colour is caught half way."""
    width, height = SIZES[size]
    return browser.new_page(
        viewport={"width": width, "height": height},
        color_scheme="dark" if scheme == "dark" else "light",
        reduced_motion="reduce",
    )


def test_the_scan_finds_a_button_without_a_name(plain_browser: Browser, axe: str) -> None:
    page = opened(plain_browser, "dark", "desktop")
    page.set_content("<html lang=en><title>x</title><main><button></button></main></html>")
    assert any("button-name" in finding for finding in findings(page, axe))
    page.close()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["dark", "light"])
@pytest.mark.parametrize("path", PAGES)
def test_a_page_has_no_serious_finding(
    plain_browser: Browser, served: ServerProcess, axe: str, path: str, scheme: str, size: str
) -> None:
    page = opened(plain_browser, scheme, size)
    page.goto(served.url + path)
    if path != "/docs":
        wait_for(lambda: page.text_content("#link-text") == "connected")
    assert findings(page, axe) == []
    page.close()


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_a_page_with_a_verdict_has_no_serious_finding(
    browser: Browser, idle_server: ServerProcess, axe: str, scheme: str
) -> None:
    page = opened(browser, scheme, "desktop")
    page.goto(idle_server.url)
    page.click("#start-camera")
    settled_face(page)
    assert findings(page, axe) == []
    page.close()
