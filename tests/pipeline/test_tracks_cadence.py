"""When a frame is searched, and what of a scene counts as movement."""

import numpy as np
import pytest
from numpy.typing import NDArray

from unmask.pipeline.cadence import Cadence, Scenery

SIZE_WH = (640, 480)
FACE = np.array([200, 100, 280, 200], np.float32)


def scene(**changed: tuple[slice, slice]) -> NDArray[np.uint8]:
    """A thumbnail of 80 x 60 grey levels, bright where something stands."""
    thumb = np.full((60, 80), 90, np.uint8)
    for place in changed.values():
        thumb[place] = 170
    return thumb


def watched(before: NDArray[np.uint8], now: NDArray[np.uint8]) -> Scenery:
    """Scenery that was searched once, and then changed."""
    scenery = Scenery(40.0)
    assert not scenery.is_cut(before)
    scenery.searched()
    scenery.is_cut(now)
    return scenery


def searches(cadence: Cadence, seconds: float, steady: bool = True) -> list[float]:
    times = []
    for i in range(round(seconds * 25)):
        if cadence.due(i / 25, False, False):
            cadence.searched(i / 25, steady)
            times.append(i / 25)
    return times


def test_the_first_frame_is_searched() -> None:
    assert Cadence(0.2, 0.4, 1.0).due(0.0, False, False)
    assert Cadence(0.2, 0.4, 1.0).due(-5.0, True, True)


def test_waits_grow_from_the_shortest_to_the_longest() -> None:
    waits = np.diff(searches(Cadence(0.2, 0.4, 1.0), 8.0))

    assert waits[0] <= 0.32
    assert (np.diff(waits) >= -0.05).all()
    assert waits[-1] == pytest.approx(1.0)


def test_waits_stay_short_while_searches_surprise() -> None:
    assert np.diff(searches(Cadence(0.2, 0.4, 1.0), 4.0, steady=False)).max() <= 0.25


def test_doubt_shortens_the_waits_after_it() -> None:
    cadence = Cadence(0.2, 0.4, 1.0)
    last_s = searches(cadence, 8.0)[-1]
    assert not cadence.due(last_s + 0.1, True, False)

    assert cadence.due(last_s + 0.21, False, False)


def test_movement_is_searched_before_a_long_wait_ends() -> None:
    cadence = Cadence(0.2, 0.4, 1.0)
    last_s = searches(cadence, 8.0)[-1]

    assert not cadence.due(last_s + 0.3, False, True)
    assert cadence.due(last_s + 0.4, False, True)
    assert not cadence.due(last_s + 0.4, False, False)


def test_before_the_first_search_all_is_new() -> None:
    assert Scenery(40.0).moved([], SIZE_WH)


def test_a_still_scene_does_not_move() -> None:
    assert not watched(scene(), scene()).moved([], SIZE_WH)


def test_what_enters_moves_even_when_known_faces_are_elsewhere() -> None:
    entered = scene(right=(slice(10, 22), slice(60, 70)))

    assert watched(scene(), entered).moved([FACE], SIZE_WH)


def test_a_known_face_and_the_body_below_it_do_not_count() -> None:
    nodded = scene(head=(slice(12, 24), slice(24, 36)), body=(slice(30, 60), slice(20, 40)))

    assert watched(scene(), nodded).moved([], SIZE_WH)
    assert not watched(scene(), nodded).moved([FACE], SIZE_WH)


def test_a_face_that_is_partly_outside_the_frame_hides_only_its_own_place() -> None:
    entered = scene(right=(slice(10, 22), slice(60, 70)))
    half_out = np.array([-60, -40, 40, 70], np.float32)

    assert watched(scene(), entered).moved([half_out], SIZE_WH)


def test_a_change_of_exposure_is_no_movement() -> None:
    assert not watched(scene(), scene() + np.uint8(30)).moved([], SIZE_WH)


def test_a_colour_thumbnail_is_seen_in_grey() -> None:
    scenery = Scenery(40.0)

    assert not scenery.is_cut(np.zeros((60, 80, 3), np.uint8))
    assert scenery.is_cut(np.full((60, 80, 3), 255, np.uint8))
