"""A browser and a spy in its pages: what is drawn over which frame, seen from outside of the client."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, Page, Playwright

CHROMIUM = next((path for path in ("/usr/bin/chromium", "/usr/bin/chromium-browser") if Path(path).exists()), None)
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--no-first-run",
)
FAKE_MEDIA = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")

SPY = Path(__file__).with_name("overlay_spy.js").read_text("utf-8")


def launch(playwright: Playwright, camera: Path | None = None, *flags: str, fake_media: bool = True) -> Browser:
    """Headless Chromium, with a file as its camera where one is given.

    Args:
        fake_media: cameras are fakes and nobody is asked; so are captured tabs then.
    """
    played = [f"--use-file-for-fake-video-capture={camera}"] if camera else []
    fakes = FAKE_MEDIA if fake_media else ()
    return playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS, *fakes, *played, *flags])


@contextlib.contextmanager
def spied(browser: Browser | BrowserContext, width: int = 640) -> Iterator[Page]:
    """A page with the spy in it; pictures are `width` pixels wide where their numbers were painted."""
    page = browser.new_page()
    page.set_viewport_size({"width": 1280, "height": 800})
    page.add_init_script(f"{SPY}; window.spy.width = {width};")
    page.add_init_script("localStorage.setItem('unmask-mirror', 'no')")
    try:
        yield page
    finally:
        page.close()
