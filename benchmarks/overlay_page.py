"""A server, a browser and a spy in its pages: what is drawn over which frame, seen from outside of the client."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, Playwright

CHROMIUM = next((path for path in ("/usr/bin/chromium", "/usr/bin/chromium-browser") if Path(path).exists()), None)
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--no-first-run",
)
FAKE_MEDIA = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
START_S = 400.0

SPY = Path(__file__).with_name("overlay_spy.js").read_text("utf-8")


class Server:
    """A running `unmask serve`."""

    def __init__(self, process: "subprocess.Popen[str]", url: str) -> None:
        self.process = process
        self.url = url

    @property
    def port(self) -> int:
        """Its port."""
        return int(self.url.rpartition(":")[2])

    def get(self, path: str) -> Any:
        """The JSON answer."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(self.url + path, timeout=20) as answer:
            return json.loads(answer.read())

    def stop(self) -> float:
        """Asks it to end; gives the time at which it was asked, epoch seconds."""
        asked_s = time.time()
        self.process.send_signal(signal.SIGTERM)
        return asked_s


@contextlib.contextmanager
def serving(*arguments: str, port: int = 0) -> Iterator[Server]:
    """A server on a free port of this machine."""
    command = [sys.executable, "-c", "from unmask.stream.cli import main; main()", "serve", "--port", str(port)]
    process = subprocess.Popen([*command, *arguments], stdout=subprocess.PIPE, text=True, env=dict(os.environ))
    try:
        said = process.stdout.readline() if process.stdout else ""
        found = re.search(r"http://\S+?(?=/)", said)
        if found is None:
            raise SystemExit(f"error: the server did not start: {said!r}")
        server = Server(process, found.group())
        wait_for(lambda: server.get("/readyz")["ready"], START_S)
        yield server
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(30)
        if process.stdout:
            process.stdout.close()


def wait_for(holds: Callable[[], Any], seconds: float) -> Any:
    """The first true value of `holds`; the last one after `seconds`."""
    deadline_s = time.monotonic() + seconds
    while True:
        value = None
        with contextlib.suppress(OSError):
            value = holds()
        if value or time.monotonic() > deadline_s:
            return value
        time.sleep(0.1)


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
