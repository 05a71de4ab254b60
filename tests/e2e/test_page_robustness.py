"""What the webcam page shows when things go wrong, in a real browser whose server is played by a script."""

import pytest
from playwright.sync_api import Browser, Page

from tests.e2e.browser import wait_for
from tests.e2e.pages import FACES, focus_by_tabbing, needs_browser, save
from tests.e2e.stand_in import ROOT, staged
from unmask.stream.whip import marked_ticks

pytestmark = needs_browser

AUTHENTIC = "fake.faces = [fake.face(1, 'authentic', 0.08, [0.35, 0.12])]"
GONE_S = 1.5


def started(page: Page, faces: str = AUTHENTIC) -> None:
    """Opens the webcam page and waits for its first verdict."""
    page.goto(f"{ROOT}/")
    page.evaluate(faces)
    page.click("#start-camera")
    wait_for(lambda: page.evaluate(FACES))


def seconds_until_no_face(page: Page, trouble: str) -> float:
    """How long a verdict stays on the page after the trouble began, measured inside the page."""
    script = f"""() => new Promise((resolve) => {{
      {trouble};
      const begun = performance.now();
      const look = () => {{
        const drawn = document.getElementById('overlay').dataset.boxes !== '0';
        if (drawn || document.querySelector('#faces > li')) setTimeout(look, 10);
        else resolve((performance.now() - begun) / 1000);
      }};
      look();
    }})"""
    return float(page.evaluate(script))


def test_verdict_vanishes_when_the_server_stops_and_comes_back_with_a_new_one(stage: Browser) -> None:
    with staged(stage) as page:
        started(page)
        assert seconds_until_no_face(page, "fake.stop()") <= GONE_S
        assert "nothing is being judged" in (page.text_content("#banner-text") or "")
        assert "connection lost" in (page.text_content("#link-text") or "")
        save(page, "page_webcam_server_gone.png")
        page.evaluate("fake.start('second', '2.0')")
        wait_for(lambda: page.evaluate(FACES))
        assert page.evaluate("new Set(fake.published).size") == 2
        assert page.is_visible("#stop-camera") and page.is_visible("#reload")


def test_server_that_falls_silent_leaves_no_verdict_standing(stage: Browser) -> None:
    with staged(stage) as page:
        started(page)
        assert seconds_until_no_face(page, "fake.faces = []") <= GONE_S
        wait_for(lambda: page.text_content("#banner-text") == "no verdict for 3 s")
        assert "authentic" not in (page.text_content("#faces") or "")


def test_broken_picture_line_is_published_again(stage: Browser) -> None:
    with staged(stage) as page:
        started(page)
        page.evaluate("""() => {
          const peer = fake.peers.at(-1);
          peer.connectionState = 'failed';
          peer.dispatchEvent(new Event('connectionstatechange'));
        }""")
        wait_for(lambda: page.evaluate("fake.published.length") == 2)
        wait_for(lambda: page.evaluate(FACES))


def test_camera_that_is_unplugged_is_said_and_can_be_started_again(stage: Browser) -> None:
    with staged(stage) as page:
        started(page)
        page.evaluate(
            "document.getElementById('video').srcObject.getVideoTracks()[0].dispatchEvent(new Event('ended'))"
        )
        wait_for(lambda: "disconnected" in (page.text_content("#problem") or ""))
        assert page.is_visible("#start-camera") and page.evaluate(FACES) == []


def test_full_server_is_explained_and_tried_again(stage: Browser) -> None:
    with staged(stage) as page:
        page.goto(f"{ROOT}/")
        page.evaluate("fake.refuse = { status: 503, error: 'too_many_streams', message: 'this server is full' }")
        page.click("#start-camera")
        wait_for(lambda: "This server is full." in (page.text_content("#banner-text") or ""))
        page.evaluate(f"{AUTHENTIC}; fake.refuse = null")
        wait_for(lambda: page.evaluate(FACES))
        assert page.is_hidden("#banner")


def test_refusal_is_explained_and_frees_the_camera(stage: Browser) -> None:
    with staged(stage) as page:
        page.goto(f"{ROOT}/")
        page.evaluate("fake.refuse = { status: 403, error: 'no_right', message: 'this token may not publish' }")
        page.click("#start-camera")
        wait_for(lambda: page.text_content("#problem") == "This token may not publish.")
        assert page.is_visible("#start-camera") and page.evaluate("document.getElementById('video').srcObject") is None


def test_server_of_another_version_is_explained(stage: Browser) -> None:
    with staged(stage, script="fake.v = 2") as page:
        page.goto(f"{ROOT}/")
        wait_for(lambda: "different versions" in (page.text_content("#notice-text") or ""))
        assert page.is_visible("#reload") and page.text_content("#link-text") == "page and server do not fit"


def test_box_lies_where_the_face_was_when_the_shown_picture_was_taken(stage: Browser) -> None:
    with staged(stage) as page:
        page.goto(f"{ROOT}/")
        found = page.evaluate("""async () => {
          const { CaptureClock, Trail } = await import('/client/timing.js');
          const clock = new CaptureClock();
          clock.path = 50;
          const at = (pts_s, total) => ({ pts_s, timing_ms: { total } });
          clock.add(at(1.0, 30), 5080 + 40);
          clock.add(at(1.1, 30), 5180);
          const trail = new Trail();
          trail.add(1000, [0.1, 0.1, 0.2, 0.2]);
          trail.add(1100, [0.2, 0.1, 0.3, 0.2]);
          return [clock.captured(1.0), clock.captured(1.1), trail.at(1050)[0], trail.at(1150)[0], trail.at(900)[0]];
        }""")
        assert found == pytest.approx([5000, 5100, 0.15, 0.24, 0.1])


@pytest.mark.parametrize("lag_ms", [5, 30, 70, 110])
@pytest.mark.parametrize("pace", ["33.3 * (2 + (index * 7) % 4)", "40"])
def test_returned_picture_finds_the_verdict_of_its_own_frame(stage: Browser, pace: str, lag_ms: int) -> None:
    """However late pictures are, and at an even pace too."""
    with staged(stage) as page:
        page.goto(f"{ROOT}/")
        seqs = [3 * index for index in range(60)]
        marks = [marked_ticks(0, seq) for seq in seqs]
        wrong = page.evaluate(
            """async ([seqs, marks, lag]) => {
          const { ReturnedClock } = await import('/client/returned.js');
          const clock = new ReturnedClock();
          const [zero, turn] = [2 ** 32 - 90 * 1500 + 77, 2 ** 32];
          const wrong = [];
          let time = 0;
          for (let index = 0; index < 60; index += 1) {
            time += PACE;
            clock.verdict(time / 1000, seqs[index], 5000 + time);
            const rtp = (zero + Math.round(time * 90 / 256) * 256 + marks[index]) % turn;
            clock.picture(rtp, 5000 + lag + time);
            const found = clock.timeOf(rtp);
            if (index > 10 && (found === null || Math.abs(found - time) > 5)) wrong.push([index, time, found]);
          }
          return wrong;
        }""".replace("PACE", pace),
            [seqs, marks, lag_ms],
        )
        assert wrong == []


def test_returned_picture_waits_for_its_verdict_but_not_for_long(stage: Browser) -> None:
    with staged(stage) as page:
        page.goto(f"{ROOT}/")
        shown = page.evaluate("""async () => {
          const { Frames } = await import('/client/frames.js');
          const frames = new Frames(document.createElement('video'), document.createElement('canvas'));
          const none = frames.showReturned(0, () => true);
          const slot = (rtp, captured) => ({ rtp, captured, picture: new OffscreenCanvas(8, 8) });
          Object.assign(frames, { rtp: 3, ring: [slot(1, 1000), slot(2, 1040), slot(3, 1080)] });
          const upTo = (last) => (rtp) => rtp <= last;
          const moments = [[1090, 3], [1090, 2], [1090, 0], [1200, 0], [1240, 0]];
          return [none, ...moments.map(([now, last]) => frames.showReturned(now, upTo(last)))];
        }""")
        assert shown == [None, 3, 2, 1, 2, 3]


def test_webcam_page_works_with_the_keyboard_alone(stage: Browser) -> None:
    with staged(stage) as page:
        page.goto(f"{ROOT}/")
        page.evaluate(AUTHENTIC)
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        focus_by_tabbing(page, "start-camera")
        page.keyboard.press("Enter")
        wait_for(lambda: page.evaluate(FACES))
        wait_for(lambda: page.evaluate("document.activeElement.id") == "stop-camera")
        wait_for(lambda: "Face 1: authentic" in (page.text_content("#announcer") or ""))
        focus_by_tabbing(page, "show-map")
        page.keyboard.press("Space")
        wait_for(lambda: "97 %" in (page.text_content("#map-text") or ""))
        page.evaluate("document.getElementById('mirror').focus()")
        page.keyboard.press("Shift+Tab")
        page.keyboard.press("Shift+Tab")
        assert page.evaluate("document.activeElement.id") == "stop-camera"
        page.keyboard.press("Enter")
        wait_for(lambda: page.evaluate("document.activeElement.id") == "start-camera")


@pytest.mark.parametrize(("width", "height", "scheme"), [(390, 844, "light"), (1280, 800, "dark")])
def test_pages_fit_the_screen_and_say_their_state_in_words(
    stage: Browser, width: int, height: int, scheme: str
) -> None:
    with staged(stage, width=width, height=height, scheme=scheme, motion=False) as page:
        started(page, "fake.faces = [fake.face(1, 'suspicious', 0.7, [0.35, 0.12], { quality: ['face_too_small'] })]")
        page.evaluate("fake.degraded = ['mri_rate']")
        wait_for(lambda: "server is busy" in (page.text_content("#fact-degraded") or ""))
        wait_for(lambda: "suspicious" in (page.text_content("#timeline-text") or ""))
        assert "come closer" in (page.text_content("#faces") or "")
        assert page.evaluate("document.documentElement.scrollWidth") == width
        save(page, f"page_webcam_{width}.png")
