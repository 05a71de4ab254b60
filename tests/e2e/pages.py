"""What the tests of the pages share: a browser, a watched page, and what can be read from it."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Playwright

from tests.e2e.browser import ARTIFACTS, CHROMIUM, FLAGS, ServerProcess, wait_for

needs_browser = [pytest.mark.e2e, pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium at /usr/bin/chromium")]

FACES = "[...document.querySelectorAll('#faces > li')].map((face) => ({...face.dataset}))"
DRAWN = """() => {
  const canvas = document.getElementById('overlay');
  const copy = Object.assign(document.createElement('canvas'), { width: canvas.width, height: canvas.height });
  const ink = copy.getContext('2d', { willReadFrequently: true });
  ink.drawImage(canvas, 0, 0);
  const pixels = ink.getImageData(0, 0, copy.width, copy.height).data;
  let drawn = 0;
  for (let at = 3; at < pixels.length; at += 4) drawn += pixels[at] > 0;
  return drawn;
}"""


def launch(playwright: Playwright, camera: Path | None = None) -> Browser:
    """Headless Chromium with a file as its camera."""
    flags = [*FLAGS, f"--use-file-for-fake-video-capture={camera}"] if camera else list(FLAGS)
    return playwright.chromium.launch(executable_path=CHROMIUM, args=flags)


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
