"""What the client shows, measured in a real browser: overlay error, stale verdicts, time to the alarm, painting rate.

The fake camera's frames show their own numbers, and a face in them goes there and back at a steady speed: where a box
is drawn tells which frame it belongs to, and the number tells which frame is under it.
"""

import argparse
import contextlib
import json
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from machine import describe, write_result
from overlay_page import CHROMIUM, launch, spied
from overlay_scene import (
    FPS,
    PERIOD_FRAMES,
    SIZE_WH,
    SPEED_PX_S,
    crowd,
    direction,
    face_x,
    moving_face,
    read_clip,
    splice,
    write_mp4,
    write_y4m,
)
from playwright.sync_api import Page, Playwright, sync_playwright
from served import serving, wait_for

from unmask.models.mtcnn import FaceFinder
from unmask.models.training.clips import load_clip
from unmask.models.training.swaps import draw_swap

PATIENCE_S = 300.0
ALARMS = ("suspicious", "manipulated")
BEFORE_S, SWAP_S, AFTER_S = 10.0, 14.0, 16.0
CLIP_S = 8.0

CROWD = """<!doctype html>
<title>Crowd</title>
<style>video { position: fixed; inset: 0; inline-size: 1280px; block-size: 720px }</style>
<video src="crowd.mp4" autoplay loop muted></video>
"""
CAPTURE = ("--auto-select-tab-capture-source-by-title=Crowd", "--autoplay-policy=no-user-gesture-required")

Result = dict[str, Any]


def quantiles(values: Sequence[float]) -> Result:
    """Median, p95 and the number of values."""
    if not values:
        return {"p50": None, "p95": None, "n": 0}
    p50, p95 = np.percentile(values, (50, 95))
    return {"p50": round(float(p50), 1), "p95": round(float(p95), 1), "n": len(values)}


def overlay_errors_ms(boxes: Sequence[tuple[int | None, float, float]]) -> list[float]:
    """How many ms the boxes are ahead of (positive) or behind their frames.

    A box is where the detector saw the face, which is not exactly its middle: the mean difference over both
    directions, which lag does not change, is taken away first.
    """
    known = [(direction(n), x * SIZE_WH[0] - SIZE_WH[0] / 2 - face_x(n)) for n, x, _ in boxes if n is not None]
    ways = {way: [off for side, off in known if side == way] for way in (-1, 1)}
    if not all(ways.values()):
        return []
    bias = (float(np.median(ways[-1])) + float(np.median(ways[1]))) / 2
    return [side * (off - bias) / SPEED_PX_S * 1e3 for side, off in known if side]


@contextlib.contextmanager
def address(given: str | None) -> Iterator[str]:
    """The address of a running server, or of one that is started for the time being."""
    if given:
        yield given.rstrip("/")
        return
    with serving() as server:
        yield server.url


def own_preview(playwright: Playwright, folder: Path, seconds: float, server: str | None) -> Result:
    """The webcam page's boxes over its own picture: delayed until its verdict is there, and at once."""
    camera = folder / "moving.y4m"
    write_y4m(moving_face(PERIOD_FRAMES * 3), camera)
    found: Result = {}
    with address(server) as url, launch(playwright, camera) as browser:
        for name, exact in (("exact", "yes"), ("newest", "no")):
            with spied(browser) as page:
                page.add_init_script(f"localStorage.setItem('unmask-exact', '{exact}')")
                page.goto(url)
                page.click("#start-camera")
                found[name] = watched(page, seconds)
    return found


def returned_stream(playwright: Playwright, folder: Path, seconds: float) -> Result:
    """Boxes over a stream of the server that the browser receives over WebRTC."""
    clip = folder / "moving.mp4"
    write_mp4(moving_face(int((seconds + PATIENCE_S) * FPS)), clip)
    with serving("--source", f"door={clip}") as server, launch(playwright) as browser, spied(browser) as page:
        page.goto(f"{server.url}/cameras/door")
        return watched(page, seconds)


def watched(page: Page, seconds: float) -> Result:
    """Waits for boxes, lets things settle, then notes them for a time."""
    if not wait_for(lambda: page.evaluate("document.getElementById('overlay')?.dataset.boxes > 0"), PATIENCE_S):
        return {"error": "no box was drawn"}
    time.sleep(min(10.0, seconds))
    page.evaluate("Object.assign(spy, { keep: true, boxes: [], paints: [] })")
    time.sleep(seconds)
    boxes, paints = page.evaluate("[spy.boxes, spy.paints]")
    errors = overlay_errors_ms(boxes)
    signed = round(float(np.median(errors)), 1) if errors else None
    return {
        "error_ms": quantiles([abs(error) for error in errors]),
        "median_signed_ms": signed,
        "boxes_read": round(sum(n is not None for n, _, _ in boxes) / max(1, len(boxes)), 3),
        "paints_per_s": round(len(paints) / seconds, 1),
        "analysed": page.text_content("#fact-fps"),
    }


def stale_verdict(playwright: Playwright, folder: Path, _: float) -> Result:
    """How long a verdict outlives its server, and how long it takes to come back after a restart."""
    camera = folder / "still.y4m"
    write_y4m(moving_face(PERIOD_FRAMES * 3), camera)
    with launch(playwright, camera) as browser, spied(browser) as page:
        with serving() as server:
            page.goto(server.url)
            page.click("#start-camera")
            wait_for(lambda: page.evaluate("spy.states.at(-1)?.[0]") not in ("", "warming", None), PATIENCE_S)
            asked_s, port = server.stop(), server.port
            gone = wait_for(lambda: page.evaluate("spy.states.at(-1)[0] === '' && spy.states.at(-1)"), PATIENCE_S)
            drawn = page.evaluate("document.getElementById('overlay').dataset.boxes")
            server.process.wait(60)
        says = page.text_content("#banner")
        with serving(port=port):
            ready_s = time.time()
            back = wait_for(lambda: page.evaluate("spy.states.at(-1)[0] !== '' && spy.states.at(-1)"), PATIENCE_S)
    return {
        "gone_after_s": round(gone[1] / 1e3 - asked_s, 2) if gone else None,
        "boxes_left": int(drawn or 0),
        "banner": says,
        "back_after_s": round(back[1] / 1e3 - ready_s, 2) if back else None,
    }


def swap_pair(given: Sequence[Path], own: bool) -> tuple[list[Any], list[Any]]:
    """A genuine clip and its frame-aligned swap: the given one, or one of our own."""
    genuine, swapped = given
    if not own:
        return read_clip(genuine, CLIP_S), read_clip(swapped, CLIP_S)
    clip = load_clip(genuine, FaceFinder())
    rng = np.random.default_rng(4)
    return clip.frames_rgb, draw_swap(rng, kind="tremble").play(clip.frames_rgb, clip.landmarks, rng)


def splice_alarm(
    playwright: Playwright, folder: Path, pair: Sequence[Path] | None, server: str | None, *, own: bool
) -> Result:
    """Genuine, swapped, genuine as the camera: when the page alarms and when it is calm again."""
    if pair is None:
        return {"error": "needs --pair"}
    made = splice(*swap_pair(pair, own), BEFORE_S, SWAP_S, AFTER_S)
    camera = folder / "splice.y4m"
    write_y4m(made.frames_rgb, camera)
    with address(server) as url, launch(playwright, camera) as browser, spied(browser) as page:
        page.add_init_script("localStorage.setItem('unmask-exact', 'no')")
        page.goto(url)
        page.click("#start-camera")
        time.sleep(2 * len(made.frames_rgb) / FPS + 10)
        states = page.evaluate("spy.states")
    return {"swap": "own" if own else pair[1].name, **alarms(states, made.starts, made.ends)}


def alarms(states: Sequence[tuple[str, float, int | None]], starts: int, ends: int) -> Result:
    """From the page's course of states: seconds from the splice to the alarm, and from its end to calm."""
    shown = [(state, number) for state, _, number in states if number is not None]
    onsets = [(n - starts) / FPS for state, n in shown if state in ALARMS and starts <= n]
    before = sum(state in ALARMS and n < starts for state, n in shown)
    calm = [(n - ends) / FPS for state, n in shown if state not in (*ALARMS, "") and n >= ends]
    return {
        "time_to_alarm_s": round(min(onsets), 2) if onsets else None,
        "calm_after_s": round(min(calm), 2) if onsets and calm else None,
        "alarms_before_the_splice": before,
        "states": [state for state, _ in shown],
    }


def eight_faces(playwright: Playwright, folder: Path, seconds: float, server: str | None) -> Result:
    """Eight faces in a captured tab of 1280 x 720: how often the page paints, and how many labels it draws."""
    write_mp4(crowd(50), folder / "crowd.mp4")
    (folder / "crowd.html").write_text(CROWD, "utf-8")
    with address(server) as url, launch(playwright, None, *CAPTURE, fake_media=False) as browser:
        context = browser.new_context(viewport={"width": 1280, "height": 720})
        context.new_page().goto((folder / "crowd.html").as_uri())
        with spied(context, 1280) as page:
            page.goto(f"{url}/call")
            page.click("#share")
            return crowded(page, seconds)


def crowded(page: Page, seconds: float) -> Result:
    """Waits for eight boxes, then counts paints and labels for a time."""
    eight = "Number(document.getElementById('overlay')?.dataset.boxes) === 8"
    reached = bool(wait_for(lambda: page.evaluate(eight), PATIENCE_S))
    page.evaluate("Object.assign(spy, { keep: true, boxes: [], paints: [] })")
    time.sleep(seconds)
    paints = page.evaluate("spy.paints")
    return {
        "eight_faces_seen": reached,
        "paints_per_s": round(len(paints) / seconds, 1),
        "labels_per_paint": quantiles([count for _, count in paints[1:]]),
        "cards": page.evaluate("document.querySelectorAll('#faces > li').length"),
    }


def main() -> None:
    """Measures the chosen parts, prints and writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", help="of: own, returned, stale, splice, splice_own, faces")
    parser.add_argument("--seconds", type=float, default=30.0, help="of each measurement")
    parser.add_argument(
        "--pair",
        type=Path,
        nargs=2,
        metavar=("GENUINE", "SWAP"),
        help="videos to splice, the second a swap of the first",
    )
    parser.add_argument("--server", help="measure the pages of this running server (own, splice, faces)")
    parser.add_argument("--json", action="store_true", help="print one JSON object only")
    parser.add_argument("--keep", action="store_true", help="write the result file also when only parts were measured")
    asked = parser.parse_args()
    if CHROMIUM is None:
        raise SystemExit("error: needs Chromium at /usr/bin/chromium")
    parts: dict[str, Callable[[Playwright, Path], Result]] = {
        "own": lambda p, f: own_preview(p, f, asked.seconds, asked.server),
        "returned": lambda p, f: returned_stream(p, f, asked.seconds),
        "stale": lambda p, f: stale_verdict(p, f, asked.seconds),
        "splice": lambda p, f: splice_alarm(p, f, asked.pair, asked.server, own=False),
        "splice_own": lambda p, f: splice_alarm(p, f, asked.pair, asked.server, own=True),
        "faces": lambda p, f: eight_faces(p, f, asked.seconds, asked.server),
    }
    result: Result = {"seconds": asked.seconds}
    with sync_playwright() as playwright:
        for name in asked.only or parts:
            with tempfile.TemporaryDirectory() as folder:
                result[name] = parts[name](playwright, Path(folder))
    result["machine"] = describe()
    if asked.keep or not asked.only:
        write_result("overlay", result)
    print(json.dumps(result, indent=None if asked.json else 2))


if __name__ == "__main__":
    main()
