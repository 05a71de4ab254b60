"""The video-call page in a real browser, its server played by a script: names, alarms, the small window, failures."""

import pytest
from playwright.sync_api import Browser, Page

from tests.e2e.browser import wait_for
from tests.e2e.pages import FACES, needs_browser, save
from tests.e2e.stand_in import ROOT, staged

pytestmark = needs_browser

SHARED = "navigator.mediaDevices.getDisplayMedia = () => navigator.mediaDevices.getUserMedia({ video: true })"
FOUR = """fake.faces = [
  fake.face(1, 'authentic', 0.08, [0.02, 0.3]), fake.face(2, 'suspicious', 0.7, [0.28, 0.3]),
  fake.face(3, 'uncertain', null, [0.52, 0.3], { quality: ['blurred'] }), fake.face(4, 'authentic', 0.2, [0.76, 0.3]),
]"""


def shared_call(page: Page) -> None:
    """Opens the page and shares a window with four faces."""
    page.goto(f"{ROOT}/call")
    page.evaluate(FOUR)
    page.click("#share")
    wait_for(lambda: len(page.evaluate(FACES)) == 4)


def test_each_face_of_a_call_has_its_verdict_its_label_and_the_name_that_was_typed(stage: Browser) -> None:
    with staged(stage, script=SHARED, height=1000) as page:
        shared_call(page)
        page.fill("#name-2", "The boss")
        wait_for(lambda: "1 suspicious" in (page.text_content("#call-summary") or ""))
        wait_for(lambda: page.get_attribute("#overlay", "data-boxes") == "4")
        assert "enlarge their window" in (page.text_content("#faces") or "")
        page.evaluate("fake.faces[1] = fake.face(2, 'manipulated', 0.95, [0.28, 0.3])")
        wait_for(lambda: "The boss: manipulated" in (page.text_content("#log") or ""))
        assert page.title().startswith("⚠ manipulated!")
        assert "alarm" in (page.get_attribute("#stage", "class") or "")
        assert page.evaluate("document.querySelector('link[rel=icon]').href").startswith("data:")
        save(page, "page_call.png")
        page.evaluate("fake.faces = [fake.faces[0]]")
        wait_for(lambda: page.title() == "Video call – unmask")
        assert "alarm" not in (page.get_attribute("#stage", "class") or "")


def test_small_window_shows_the_faces_and_never_an_old_verdict(stage: Browser) -> None:
    with staged(stage, script=SHARED) as page:
        shared_call(page)
        with page.context.expect_page() as opened:
            page.click("#float")
        small = opened.value
        wait_for(lambda: "Careful: suspicious" in (small.text_content(".headline") or ""))
        assert small.locator(".rows li").count() == 4
        page.evaluate("fake.stop()")
        wait_for(lambda: small.locator(".rows li").count() == 0)
        assert "nothing is being judged" in (small.text_content(".headline") or "")


def test_popup_stands_in_where_windows_on_top_are_missing(stage: Browser) -> None:
    with staged(stage, script=f"delete window.documentPictureInPicture; {SHARED}") as page:
        shared_call(page)
        with page.expect_popup() as opened:
            page.click("#float")
        wait_for(lambda: "Careful" in (opened.value.text_content(".headline") or ""))
        page.click("#stop-sharing")
        wait_for(lambda: opened.value.is_closed())


@pytest.mark.parametrize(
    ("script", "says"),
    [
        (
            "navigator.mediaDevices.getDisplayMedia = () => Promise.reject(new DOMException('', 'NotAllowedError'))",
            "Nothing was shared",
        ),
        ("navigator.mediaDevices.getDisplayMedia = undefined", "cannot look at other windows"),
    ],
)
def test_refused_sharing_is_explained(stage: Browser, script: str, says: str) -> None:
    with staged(stage, script=script) as page:
        page.goto(f"{ROOT}/call")
        page.click("#share")
        wait_for(lambda: says in (page.text_content("#problem") or ""))
        assert page.is_visible("#share") and page.is_disabled("#float")


def test_sharing_a_tab_leaves_the_page_in_front(stage: Browser) -> None:
    script = f"""{SHARED};
      const {{ getDisplayMedia }} = navigator.mediaDevices;
      navigator.mediaDevices.getDisplayMedia = (asked) => {{ window.askedFor = asked; return getDisplayMedia(asked); }};
      CaptureController.prototype.setFocusBehavior = function (behaviour) {{ this.behaviour = behaviour; }};
    """
    with staged(stage, script=script) as page:
        shared_call(page)
        assert page.evaluate("askedFor.controller.behaviour") == "no-focus-change"


def test_overlay_page_is_transparent_and_draws_only_boxes_and_labels(stage: Browser) -> None:
    with staged(stage, width=640, height=360) as page:
        page.goto(f"{ROOT}/overlay/door?size=28")
        page.evaluate(f"{FOUR}; fake.state('door', 'live')")
        wait_for(lambda: page.get_attribute("#overlay", "data-boxes") == "4")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgba(0, 0, 0, 0)"
        assert page.locator("header").count() == 0
        page.evaluate("fake.stop()")
        wait_for(lambda: page.get_attribute("#overlay", "data-boxes") == "0")
        wait_for(lambda: "No connection" in (page.text_content("#problem") or ""))
