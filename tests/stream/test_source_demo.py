"""The demo stream: a face that moves, and a forgery that comes and goes."""

import threading

import numpy as np
import pytest

from unmask.stream.source_base import Captured
from unmask.stream.source_demo import TURN_S, DemoScene, demo_capture


@pytest.fixture(scope="module")
def scene() -> DemoScene:
    """The scene as `demo:` shows it."""
    return DemoScene()


def test_the_forged_face_takes_turns_with_the_genuine_one() -> None:
    """Eight seconds each, genuine first."""
    turns = [DemoScene.forged_at(TURN_S * turn + 1.0) for turn in range(5)]

    assert turns == [False, True, False, True, False]


def test_the_picture_moves_and_is_noisy(scene: DemoScene) -> None:
    """No two pictures are the same, not even of the same moment."""
    assert scene.picture_rgb(1.0).shape == (480, 640, 3)
    assert not np.array_equal(scene.picture_rgb(1.0), scene.picture_rgb(1.0))
    assert np.abs(scene.landmarks_xy(1.0) - scene.landmarks_xy(2.0)).max() > 3.0


def test_the_forgery_changes_the_face_and_nothing_else(scene: DemoScene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Same moment, forged and not: the difference lies at the face (and in the caption's words)."""
    at_s = TURN_S + 1.0
    forged = np.mean([scene.picture_rgb(at_s) for _ in range(8)], axis=0)
    monkeypatch.setattr(DemoScene, "forged_at", staticmethod(lambda pts_s: False))
    genuine = np.mean([scene.picture_rgb(at_s) for _ in range(8)], axis=0)

    difference = np.abs(forged - genuine).mean(2)[:-30]
    x, y = scene.landmarks_xy(at_s).mean(0).astype(int)
    at_face = difference[y - 40 : y + 40, x - 40 : x + 40].mean()
    assert at_face > 2 * difference[:, :100].mean()
    assert at_face > 2.0


def test_drawing_slower_than_the_pace_leaves_pictures_out() -> None:
    """The stream's time keeps up with the clock."""
    stop = threading.Event()

    def slowly(pts_s: float) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
        threading.Event().wait(0.05)
        return np.zeros((4, 4, 3), np.uint8)

    times: list[float] = []
    for item in demo_capture(slowly, fps=100.0)(stop):
        assert isinstance(item, Captured)
        times.append(item.pts_s or 0.0)
        if len(times) == 5:
            stop.set()

    assert all(after - before >= 0.04 for before, after in zip(times, times[1:], strict=False))
