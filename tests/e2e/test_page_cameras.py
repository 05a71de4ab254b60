"""The page of the server's streams in a real browser."""

import json

from playwright.sync_api import Browser, Playwright

from tests.e2e.browser import ServerProcess, overlap, server, wait_for
from tests.e2e.pages import (
    DRAWN,
    FACES,
    focus_by_tabbing,
    launch,
    needs_browser,
    save,
    settled_face,
    watched_page,
)

pytestmark = needs_browser


def test_demo_stream_is_watched_with_verdicts_and_vanishing_viewers_are_freed(
    playwright: Playwright, served: ServerProcess
) -> None:
    with launch(playwright) as browser, watched_page(browser) as (page, problems):
        page.goto(f"{served.url}/cameras")
        wait_for(lambda: page.input_value("#streams") == "demo")
        focus_by_tabbing(page, "watch")
        page.keyboard.press("Enter")
        wait_for(lambda: page.evaluate("document.getElementById('video').videoWidth") == 640)
        face = settled_face(page)
        assert overlap(json.loads(face["box"]), [0.3, 0.1, 0.7, 0.65]) > 0.1
        wait_for(lambda: page.evaluate(DRAWN) > 500)
        assert "%" in (page.text_content("#faces .branches .value") or "")
        assert served.streams()["demo"]["viewers"] == 1
        save(page, "browser_demo.png")
        assert problems == []
    wait_for(lambda: served.streams()["demo"]["viewers"] == 0)


def test_stream_is_shown_as_pictures_where_webrtc_is_missing(browser: Browser, served: ServerProcess) -> None:
    with watched_page(browser) as (page, problems):
        page.add_init_script("delete window.RTCPeerConnection")
        page.goto(f"{served.url}/cameras")
        wait_for(lambda: page.input_value("#streams") == "demo")
        page.click("#watch")
        wait_for(lambda: page.evaluate("document.getElementById('still').naturalWidth") == 640)
        settled_face(page)
        wait_for(lambda: page.evaluate(DRAWN) > 500)
        assert problems == []


def test_page_survives_a_restart_and_boxes_of_an_ended_stream_vanish(playwright: Playwright) -> None:
    with launch(playwright) as browser, watched_page(browser) as (page, _):
        with server("--source", "demo=demo:") as first:
            page.goto(f"{first.url}/cameras")
            wait_for(lambda: page.input_value("#streams") == "demo")
            page.click("#watch")
            settled_face(page)
            first.get("/api/streams/demo", method="DELETE")
            wait_for(lambda: page.evaluate(FACES) == [] and page.get_attribute("#overlay", "data-boxes") == "0")
            assert "ended" in (page.text_content("#banner") or "")
            assert first.stop() == 0
        wait_for(lambda: "lost" in (page.text_content("#link-text") or ""))
        with server(port=int(first.url.rpartition(":")[2])):
            wait_for(lambda: page.text_content("#link-text") == "connected")
