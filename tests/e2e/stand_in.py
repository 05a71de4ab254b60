"""The client's pages without a server: the files come from the checkout, the answers from a script inside the page."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Browser, Page, Route

ROOT = "http://localhost:9"
FILES = Path(__file__).parents[2] / "client_web"
SCRIPT = Path(__file__).with_name("stand_in.js")
TYPES = {"html": "text/html", "js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}
POLICY = "default-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; connect-src 'self' ws: wss:"


def _answer(route: Route) -> None:
    path = route.request.url.removeprefix(ROOT).partition("?")[0].partition("#")[0]
    if path.startswith("/client/"):
        name = path.removeprefix("/client/")
    else:
        name = "overlay.html" if path.startswith("/overlay/") else f"{path.strip('/') or 'index'}.html"
    file = FILES / name
    if file.is_file():
        headers = {"Content-Security-Policy": POLICY}
        route.fulfill(body=file.read_bytes(), content_type=TYPES[file.suffix[1:]], headers=headers)
    else:
        route.fulfill(status=404, body="")


@contextlib.contextmanager
def staged(
    browser: Browser,
    *,
    width: int = 1280,
    height: int = 800,
    scheme: str = "dark",
    script: str = "",
    motion: bool = True,
) -> Iterator[Page]:
    """A page whose server is `window.fake`; nothing may go wrong in its console.

    `script` runs before the page's own modules.
    """
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="light" if scheme == "light" else "dark",
        reduced_motion="no-preference" if motion else "reduce",
        permissions=["camera"],
    )
    try:
        page = context.new_page()
        problems: list[str] = []
        page.on("console", lambda said: problems.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: problems.append(str(error)))
        context.route(f"{ROOT}/**", _answer)
        page.add_init_script(path=SCRIPT)
        if script:
            page.add_init_script(script)
        yield page
        assert problems == []
    finally:
        context.close()
