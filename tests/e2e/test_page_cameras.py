"""The camera wall and the page of one camera in a real browser."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Browser, Page, Playwright

from tests.e2e.browser import ServerProcess, server, wait_for
from tests.e2e.pages import DRAWN, FACES, focus_by_tabbing, launch, needs_browser, save, settled_face, watched_page

pytestmark = needs_browser


@pytest.fixture(scope="module")
def plain(playwright: Playwright) -> Iterator[Browser]:
    """A browser without a camera."""
    with launch(playwright) as opened:
        yield opened


@pytest.fixture(scope="module")
def empty() -> Iterator[ServerProcess]:
    """A server without a stream, which is never too busy for the first one."""
    with server() as running:
        yield running


@pytest.fixture
def wall(plain: Browser, served: ServerProcess) -> Iterator[Page]:
    """The wall with the demo stream; nothing may go wrong in its console."""
    with watched_page(plain) as (page, problems):
        page.goto(f"{served.url}/cameras")
        page.wait_for_selector(".tile[data-name=demo]", timeout=60_000)
        yield page
        assert problems == []


def test_wall_shows_pictures_boxes_states_and_health(wall: Page) -> None:
    wait_for(lambda: wall.evaluate("document.querySelector('.frame img').naturalWidth") == 480)
    wait_for(lambda: wall.locator(".box").count() > 0 and wall.get_attribute(".tile", "data-state") != "warming")
    assert wall.get_attribute(".tile", "data-stream") == "live"
    assert all(word in (wall.text_content(".health") or "") for word in ("Analysed", "Latency", "Lost", "Reconnects"))
    wait_for(lambda: "face 1" in (wall.text_content(".says") or ""))
    save(wall, "page_cameras.png")
    wall.set_viewport_size({"width": 390, "height": 844})
    assert wall.evaluate("document.documentElement.scrollWidth <= innerWidth")
    save(wall, "page_cameras_phone.png")


def test_camera_is_tested_added_renamed_and_removed_with_the_keyboard_alone(
    plain: Browser, empty: ServerProcess
) -> None:
    with watched_page(plain) as (page, problems):
        page.goto(f"{empty.url}/cameras")
        wait_for(lambda: page.is_visible("#add"))
        add_rename_and_remove(page, empty)
        assert problems == []


def add_rename_and_remove(wall: Page, served: ServerProcess) -> None:
    """Every step with keys only."""
    focus_by_tabbing(wall, "add")
    wall.keyboard.press("Enter")
    wall.keyboard.type("gate")
    focus_by_tabbing(wall, "camera-url")
    wall.keyboard.type("rtsp://admin:hunter2@127.0.0.1:9/x")
    focus_by_tabbing(wall, "camera-test")
    wall.keyboard.press("Enter")
    wait_for(lambda: wall.get_attribute("#tested", "data-outcome") == "fails")
    said = wall.text_content("#tested") or ""
    assert "cannot be reached" in said and "Check host and port" in said and "hunter2" not in said
    focus_by_tabbing(wall, "camera-save")
    wall.keyboard.press("Enter")
    wait_for(lambda: wall.locator(".tile[data-name=gate]").count() == 1)
    wait_for(lambda: wall.evaluate("document.activeElement.textContent") == "gate")

    wall.get_by_label("Edit gate").press("Enter")
    assert "127.0.0.1:9/x" in (wall.text_content("#camera-url-hint") or "")
    wall.fill("#camera-name", "yard")
    wall.press("#camera-name", "Enter")
    wait_for(lambda: wall.locator(".tile[data-name=yard]").count() == 1 and "gate" not in served.streams())

    wall.get_by_label("Remove yard").press("Enter")
    focus_by_tabbing(wall, "remove-yes")
    wall.keyboard.press("Enter")
    wait_for(lambda: wall.locator(".tile[data-name=yard]").count() == 0 and served.streams() == {})


def test_mistakes_in_the_form_are_explained(plain: Browser, empty: ServerProcess) -> None:
    with watched_page(plain) as (page, _):
        page.goto(f"{empty.url}/cameras")
        wait_for(lambda: page.is_visible("#add-sample"))
        page.click("#add-sample")
        assert page.input_value("#camera-url") == "demo:"
        page.fill("#camera-name", "demo")
        page.press("#camera-name", "Enter")
        page.wait_for_selector(".tile", timeout=60_000)
        page.click("#add")
        for name, url, says in (
            ("../x", "demo:", "letters, digits"),
            ("x", "", "address of the camera is missing"),
            ("x", "http://169.254.169.254/", "may not be opened"),
            ("demo", "demo:", "already running"),
        ):
            page.fill("#camera-name", name)
            page.fill("#camera-url", url)
            page.click("#camera-save")
            wait_for(lambda says=says: says in (page.text_content("#camera-problem") or ""))  # type: ignore[misc]
        page.fill("#camera-url", "demo:")
        page.click("#camera-test")
        wait_for(lambda: page.get_attribute("#tested", "data-outcome") == "works")
        assert "640 × 480" in (page.text_content("#tested") or "")
        save(page, "page_camera_test.png")


def test_alarm_is_pinned_until_it_is_read_and_parts_of_it_are_one(plain: Browser, served: ServerProcess) -> None:
    now = datetime.now(UTC)
    parts = [
        chapter(3, "suspicious", now - timedelta(seconds=20), None, 0.8),
        chapter(2, "manipulated", now - timedelta(seconds=40), now - timedelta(seconds=20), 0.97),
        chapter(1, "manipulated", now - timedelta(hours=3), now - timedelta(hours=2), 0.99),
    ]
    with watched_page(plain) as (page, problems):
        page.route("**/api/history?kind=face*", lambda route: route.fulfill(json={"history": parts, "pictures": True}))
        page.goto(f"{served.url}/cameras")
        wait_for(lambda: page.is_visible("#alarms .alarm"))
        assert page.locator(".alarm").count() == 1 and page.get_attribute(".alarm", "data-state") == "manipulated"
        said = page.text_content(".alarm") or ""
        assert "demo" in said and "Face 1" in said and "97 % fake" in said and "lasting" in said
        wait_for(lambda: "1 with an alarm" in (page.text_content("#summary") or ""))
        page.get_by_role("button", name="Mark as read: demo, face 1").press("Enter")
        wait_for(lambda: not page.is_visible("#alarms"))
        page.reload()
        page.wait_for_selector(".tile")
        wait_for(lambda: "1 of at most" in (page.text_content("#summary") or ""))
        assert not page.is_visible("#alarms") and problems == []


def chapter(number: int, state: str, at: datetime, until: datetime | None, p_highest: float) -> dict[str, object]:
    """An entry of /api/history about face 1 of the demo."""
    seconds = ((until or datetime.now(UTC)) - at).total_seconds()
    return {
        "id": number,
        "kind": "face",
        "stream": "demo",
        "track": 1,
        "state": state,
        "at": at.isoformat(),
        "until": None if until is None else until.isoformat(),
        "duration_s": seconds,
        "p_highest": p_highest,
        "branches": {},
        "reasons": [],
        "picture": False,
    }


def test_one_camera_has_its_live_picture_and_its_history(plain: Browser, served: ServerProcess) -> None:
    with watched_page(plain) as (page, problems):
        page.goto(f"{served.url}/cameras")
        page.wait_for_selector(".tile", timeout=60_000)
        page.get_by_role("link", name="demo").first.press("Enter")
        wait_for(lambda: page.evaluate("document.getElementById('video')?.videoWidth") == 640)
        settled_face(page)
        wait_for(lambda: page.evaluate(DRAWN) > 500)
        assert served.streams()["demo"]["viewers"] == 1
        wait_for(lambda: page.locator(".chapter .shot img").count() > 0)
        page.select_option("#filter", "stream")
        wait_for(
            lambda: page.locator(".chapter.of-stream").count() > 0 and page.locator(".chapter.of-face").count() == 0
        )
        page.select_option("#filter", "all")
        wait_for(lambda: page.locator(".chapter .shot img").count() > 0)
        save(page, "page_camera.png")
        assert problems == []
    wait_for(lambda: served.streams()["demo"]["viewers"] == 0)


def test_live_picture_plays_in_a_page_that_was_opened_directly(plain: Browser, served: ServerProcess) -> None:
    """Nobody has touched the page: browsers then start muted videos only. `evaluate` would count as a touch."""
    script = """document.addEventListener("loadeddata", ({ target }) => {
      setTimeout(() => console.info(target.paused ? "stands still" : "plays"), 500);
    }, true);"""
    with watched_page(plain) as (page, problems):
        page.add_init_script(script)
        said = ("plays", "stands still")
        with page.expect_console_message(lambda message: message.text in said, timeout=60_000) as heard:
            page.goto(f"{served.url}/cameras/demo")
        assert heard.value.text == "plays"
        assert problems == []
    wait_for(lambda: served.streams()["demo"]["viewers"] == 0)


def test_one_camera_is_shown_as_pictures_where_webrtc_is_missing(plain: Browser, served: ServerProcess) -> None:
    with watched_page(plain) as (page, problems):
        page.add_init_script("delete window.RTCPeerConnection")
        page.goto(f"{served.url}/cameras/demo")
        wait_for(lambda: page.evaluate("document.getElementById('still').naturalWidth") == 640)
        settled_face(page)
        assert problems == []


def test_wall_says_when_the_server_is_gone_and_an_ended_camera_keeps_no_box(playwright: Playwright) -> None:
    with launch(playwright) as browser, watched_page(browser) as (wall, _), watched_page(browser) as (page, _):
        with server("--source", "demo=demo:") as first:
            wall.goto(f"{first.url}/cameras")
            page.goto(f"{first.url}/cameras/demo")
            settled_face(page)
            wait_for(lambda: wall.locator(".box").count() > 0)
            assert first.stop() == 0
        wait_for(lambda: wall.locator(".box").count() == 0 and "no picture for" in (wall.text_content(".tile") or ""))
        wait_for(lambda: page.evaluate(FACES) == [] and page.get_attribute("#overlay", "data-boxes") == "0")
        assert "no verdict now" in (wall.text_content(".says") or "")
        wait_for(lambda: "lost" in (wall.text_content("#link-text") or ""))
        with server(port=int(first.url.rpartition(":")[2])):
            wait_for(lambda: wall.text_content("#link-text") == "connected" and wall.is_visible("#nothing"))
            assert wall.is_visible("#add-sample")
