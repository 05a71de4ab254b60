"""The page in a real browser: camera and server streams with drawn verdicts, the keyboard, failures, and what stays."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, Playwright, sync_playwright

from tests.build import portrait
from tests.e2e.browser import (
    ARTIFACTS,
    CHROMIUM,
    FLAGS,
    ServerProcess,
    camera_pictures,
    overlap,
    server,
    wait_for,
    write_y4m,
)
from unmask.models.mtcnn import FaceFinder

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium at /usr/bin/chromium")]

FACES = "[...document.querySelectorAll('#faces > li')].map((face) => ({...face.dataset}))"
DRAWN = """() => {
  const canvas = document.getElementById('overlay');
  const pixels = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
  let drawn = 0;
  for (let at = 3; at < pixels.length; at += 4) drawn += pixels[at] > 0;
  return drawn;
}"""


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


def launch(playwright: Playwright, camera: Path | None = None) -> Browser:
    """Headless Chromium with a file as its camera."""
    flags = [*FLAGS, f"--use-file-for-fake-video-capture={camera}"] if camera else list(FLAGS)
    return playwright.chromium.launch(executable_path=CHROMIUM, args=flags)


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


@contextlib.contextmanager
def watched_page(browser: Browser) -> Iterator[tuple[Page, list[str]]]:
    """A page and the list of what goes wrong in it."""
    page = browser.new_page(viewport={"width": 1280, "height": 800}, color_scheme="dark")
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    try:
        yield page, problems
    finally:
        page.close()


def settled_face(page: Page) -> dict[str, str]:
    """The first face of the page once its verdict has left `warming`."""

    def found() -> dict[str, str] | None:
        faces = [face for face in page.evaluate(FACES) if face["state"] != "warming"]
        return faces[0] if faces else None

    face: dict[str, str] = wait_for(found)
    return face


def focus_by_tabbing(page: Page, target: str) -> None:
    """Presses Tab until an element has the focus."""
    for _ in range(20):
        if page.evaluate("document.activeElement?.id") == target:
            return
        page.keyboard.press("Tab")
    pytest.fail(f"{target} cannot be reached with the keyboard")


def save(page: Page, name: str) -> None:
    """Keeps a picture of the page beside the checkout's other products."""
    ARTIFACTS.mkdir(exist_ok=True)
    page.screenshot(path=ARTIFACTS / name)


def webcams(served: ServerProcess) -> list[str]:
    """Names of the streams that browsers publish."""
    return [name for name, stream in served.streams().items() if stream["kind"] == "webrtc"]


def test_camera_gets_a_drawn_verdict_and_closing_the_page_frees_it(
    page: Page, served: ServerProcess, camera: tuple[Path, list[list[float]]]
) -> None:
    page.click("#start-camera")
    face = settled_face(page)
    assert face["state"] in ("authentic", "suspicious", "manipulated", "uncertain")
    assert face["p"] == "" or 0 <= float(face["p"]) <= 1
    assert max(overlap(json.loads(face["box"]), box) for box in camera[1]) > 0.4
    wait_for(lambda: page.evaluate(DRAWN) > 500)
    assert page.text_content("#fact-state") == "live"
    assert len(webcams(served)) == 1
    save(page, "browser_camera.png")

    page.close()

    wait_for(lambda: webcams(served) == [])


def test_camera_starts_and_stops_with_the_keyboard_alone(page: Page, served: ServerProcess) -> None:
    wait_for(lambda: page.text_content("#link-text") == "connected")
    focus_by_tabbing(page, "start-camera")
    page.keyboard.press("Enter")
    settled_face(page)
    wait_for(lambda: page.evaluate("document.activeElement.id") == "stop-camera")
    wait_for(lambda: "Face 1" in (page.text_content("#announcer") or ""))
    page.keyboard.press("Enter")
    wait_for(lambda: webcams(served) == [])
    assert page.evaluate(FACES) == [] and page.evaluate(DRAWN) == 0
    assert page.evaluate("document.activeElement.id") == "start-camera"


def test_camera_of_a_browser_that_vanishes_is_freed(
    playwright: Playwright, served: ServerProcess, camera: tuple[Path, list[list[float]]]
) -> None:
    with launch(playwright, camera[0]) as browser:
        page = browser.new_page()
        page.goto(served.url)
        page.click("#start-camera")
        wait_for(lambda: webcams(served))
        settled_face(page)
    wait_for(lambda: webcams(served) == [])


def test_demo_stream_is_watched_with_verdicts_and_vanishing_viewers_are_freed(
    playwright: Playwright, served: ServerProcess
) -> None:
    with launch(playwright) as browser, watched_page(browser) as (page, problems):
        page.goto(served.url)
        focus_by_tabbing(page, "tab-webcam")
        page.keyboard.press("ArrowRight")
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
        page.goto(served.url)
        page.click("#tab-server")
        wait_for(lambda: page.input_value("#streams") == "demo")
        page.click("#watch")
        wait_for(lambda: page.evaluate("document.getElementById('still').naturalWidth") == 640)
        settled_face(page)
        wait_for(lambda: page.evaluate(DRAWN) > 500)
        assert problems == []


@pytest.mark.parametrize(
    ("script", "says"),
    [
        (
            "navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('', 'NotAllowedError'))",
            "not allowed",
        ),
        (
            "navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('', 'NotFoundError'))",
            "No camera",
        ),
        ("Object.defineProperty(navigator, 'mediaDevices', { value: undefined })", "https"),
    ],
)
def test_refused_camera_is_explained(browser: Browser, served: ServerProcess, script: str, says: str) -> None:
    with watched_page(browser) as (page, _):
        page.add_init_script(script)
        page.goto(served.url)
        page.click("#start-camera")
        wait_for(lambda: says in (page.text_content("#problem") or ""))
        assert page.is_visible("#problem") and page.is_visible("#start-camera")
        assert webcams(served) == []


def test_uploaded_picture_gets_a_result(page: Page, tmp_path: Path) -> None:
    path = tmp_path / "astronaut.png"
    Image.fromarray(portrait()).save(path)
    page.click("#tab-file")
    page.set_input_files("#file", path)
    page.click("#analyze")
    wait_for(lambda: page.get_attribute("#result", "data-state"))
    assert "astronaut.png" in (page.text_content("#result") or "")
    save(page, "browser_file.png")


def test_uploaded_nonsense_is_explained(browser: Browser, served: ServerProcess, tmp_path: Path) -> None:
    (tmp_path / "note.mp4").write_text("hello")
    with watched_page(browser) as (page, _):
        page.goto(served.url)
        page.click("#tab-file")
        page.set_input_files("#file", tmp_path / "note.mp4")
        page.click("#analyze")
        wait_for(lambda: "not a video or image" in (page.text_content("#problem") or ""))


def test_page_survives_a_restart_and_boxes_of_an_ended_stream_vanish(playwright: Playwright) -> None:
    with launch(playwright) as browser, watched_page(browser) as (page, _):
        with server("--source", "demo=demo:") as first:
            page.goto(first.url)
            page.click("#tab-server")
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


def test_page_asks_for_the_token_and_remembers_it(playwright: Playwright, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNMASK_TOKEN", "open sesame")
    with server("--source", "demo=demo:") as running, launch(playwright) as browser:
        with watched_page(browser) as (page, _):
            page.goto(running.url)
            page.fill("#token", "wrong")
            page.keyboard.press("Enter")
            wait_for(lambda: page.text_content("#link-text") == "token needed" and page.is_visible("#token"))
            page.fill("#token", "open sesame")
            page.keyboard.press("Enter")
            wait_for(lambda: page.text_content("#link-text") == "connected")
            page.click("#tab-server")
            wait_for(lambda: page.input_value("#streams") == "demo")
            page.reload()
            wait_for(lambda: page.text_content("#link-text") == "connected")
        with watched_page(browser) as (page, _):
            page.goto(f"{running.url}/#token=open%20sesame")
            wait_for(lambda: page.text_content("#link-text") == "connected")
            assert "token" not in page.url
