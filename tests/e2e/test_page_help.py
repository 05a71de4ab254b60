"""The help page: every state and reason of the wire is told there, and its figures are those of the model card."""

import re
from pathlib import Path

from playwright.sync_api import Playwright

from tests.e2e.browser import server, wait_for
from tests.e2e.pages import launch, needs_browser, save, watched_page

pytestmark = needs_browser

ROOT = Path(__file__).parents[2]


def test_help_is_reached_from_every_page_and_reads_on_a_phone(playwright: Playwright) -> None:
    with server() as running, launch(playwright) as browser, watched_page(browser) as (page, problems):
        for path in ("/cameras", "/file"):
            page.goto(running.url + path)
            assert page.locator("main a[href^='/help#']").count() > 0
        page.locator("main a[href^='/help#']").first.press("Enter")
        wait_for(lambda: page.locator("#state-list dt").count() == 5)
        words = page.text_content("main") or ""
        for word in ("authentic", "suspicious", "manipulated", "uncertain", "looking", "never a proof"):
            assert word in words
        targets = page.eval_on_selector_all(".contents a", "links => links.map((link) => link.getAttribute('href'))")
        assert all(page.locator(target).count() == 1 for target in targets)
        page.set_viewport_size({"width": 390, "height": 844})
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.set_viewport_size({"width": 1280, "height": 800})
        page.evaluate("scrollTo(0, 0)")
        save(page, "page_help.png")
        assert problems == []


def test_every_reason_of_the_documents_has_its_place_on_the_page() -> None:
    page = (ROOT / "client_web" / "help.html").read_text("utf-8")
    words = (ROOT / "client_web" / "words.js").read_text("utf-8")
    documented = re.findall(r"`([a-z_]+)`", (ROOT / "docs" / "verdicts.md").read_text("utf-8").split("## Reasons")[1])
    for code in documented[: documented.index("not_a_face") + 1]:
        if code not in ("no_frames", "too_bright"):
            said = re.search(rf'  {code}: "(?:the|this)? ?(.+?)"', words)
            assert said is not None and said.group(1).lower() in page.lower(), code
    assert "too bright" in page


def test_figures_of_the_page_are_those_of_the_model_card() -> None:
    page = (ROOT / "client_web" / "help.html").read_text("utf-8")
    card = (ROOT / "MODEL_CARD.md").read_text("utf-8")
    assert "18 `authentic`, 1 `uncertain`, 1 `suspicious`" in card
    assert "18 were called “authentic”, one “uncertain”, and one raised a suspicion" in page
    assert "15 of the 41 fake videos" in card and "of 41 fake ones, 18 raised an alarm, 8 were “uncertain”" in page
    assert "2 `manipulated`, 16 `suspicious`, 8 `uncertain`, 15 `authentic`" in card
    assert "narrower than 48 px" in card and "narrower than 48 pixels" in page
