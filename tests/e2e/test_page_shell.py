"""What all pages share, in a real browser."""

import pytest
from playwright.sync_api import Playwright

from tests.e2e.browser import server, wait_for
from tests.e2e.pages import (
    launch,
    needs_browser,
    watched_page,
)

pytestmark = needs_browser


def test_page_asks_for_the_token_and_remembers_it(playwright: Playwright, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNMASK_TOKEN", "open sesame")
    with server("--source", "demo=demo:") as running, launch(playwright) as browser:
        with watched_page(browser) as (page, _):
            page.goto(f"{running.url}/cameras")
            page.fill("#token", "wrong")
            page.keyboard.press("Enter")
            wait_for(lambda: page.text_content("#link-text") == "token needed" and page.is_visible("#token"))
            page.fill("#token", "open sesame")
            page.keyboard.press("Enter")
            wait_for(lambda: page.text_content("#link-text") == "connected")
            wait_for(lambda: page.locator(".tile[data-name=demo]").count() == 1)
            page.reload()
            wait_for(lambda: page.text_content("#link-text") == "connected")
        with watched_page(browser) as (page, _):
            page.goto(f"{running.url}/#token=open%20sesame")
            wait_for(lambda: page.text_content("#link-text") == "connected")
            assert "token" not in page.url
