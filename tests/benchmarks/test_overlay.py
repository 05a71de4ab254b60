"""What the client's measurements compute from what a page showed, and the pictures that they show it."""

from importlib import import_module
from types import ModuleType

import numpy as np
import pytest


@pytest.fixture
def overlay() -> ModuleType:
    return import_module("overlay")


@pytest.fixture
def scene() -> ModuleType:
    return import_module("overlay_scene")


def boxes(scene: ModuleType, lag_s: float, bias_px: float = 4.0) -> list[tuple[int, float, float]]:
    """Boxes drawn over the frames 0..279 that belong to frames `lag_s` earlier."""
    width = scene.SIZE_WH[0]
    middle = [width / 2 + bias_px + scene.face_x(n - lag_s * scene.FPS) for n in range(280)]
    return [(n, x / width, 40.0 * n) for n, x in enumerate(middle)]


def test_no_boxes_have_no_error(overlay: ModuleType) -> None:
    assert overlay.overlay_errors_ms([]) == []
    assert overlay.overlay_errors_ms([(None, 0.5, 0.0)]) == []
    assert overlay.quantiles([]) == {"p50": None, "p95": None, "n": 0}


@pytest.mark.parametrize("lag_s", [0.0, 0.04, 0.2])
def test_the_error_is_the_lag_of_the_box_behind_its_frame(overlay: ModuleType, scene: ModuleType, lag_s: float) -> None:
    errors = overlay.overlay_errors_ms(boxes(scene, lag_s))
    assert np.median(errors) == pytest.approx(-1e3 * lag_s, abs=0.5)


def test_a_box_beside_the_middle_of_the_face_is_no_lag(overlay: ModuleType, scene: ModuleType) -> None:
    assert np.abs(overlay.overlay_errors_ms(boxes(scene, 0.0, bias_px=25.0))).max() < 0.5


def test_the_face_goes_there_and_back_at_the_stated_speed(scene: ModuleType) -> None:
    steps = [scene.face_x(n + 1) - scene.face_x(n) for n in range(scene.PERIOD_FRAMES)]
    assert {round(abs(step) * scene.FPS, 3) for step in steps} == {round(scene.SPEED_PX_S, 3)}
    assert scene.face_x(0) == scene.face_x(scene.PERIOD_FRAMES) == scene.REACH_PX


def test_neighbouring_numbers_differ_in_their_check_sums(scene: ModuleType) -> None:
    sums = [scene.check_sum(number) for number in range(4096)]
    assert all(first != second for first, second in zip(sums, sums[1:], strict=False))
    assert set(sums) == set(range(16))


def test_a_number_is_painted_in_black_and_white_in_one_corner(scene: ModuleType) -> None:
    image = np.full((360, 640, 3), 90, np.uint8)
    scene.paint_number(image, 0b101)
    blocks = image[8, 8:256:16, 0].tolist()
    assert blocks[:4] == [255, 0, 255, 0] and set(blocks) <= {0, 255}
    assert (image[16:] == 90).all() and (image[:, 256:] == 90).all()


def test_a_splice_changes_sides_at_its_numbers(scene: ModuleType) -> None:
    genuine = [np.full((360, 640, 3), 50 + n, np.uint8) for n in range(10)]
    swapped = [np.full((360, 640, 3), 150 + n, np.uint8) for n in range(10)]
    made = scene.splice(genuine, swapped, 1.0, 2.0, 1.0)
    sides = [int(image[100, 400, 0]) >= 150 for image in made.frames_rgb]
    assert sides == [False] * 25 + [True] * 50 + [False] * 25 and (made.starts, made.ends) == (25, 75)
    assert [int(image[100, 400, 0]) - 50 for image in made.frames_rgb[:12]] == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 8, 7]


def test_time_to_alarm_and_calm_are_counted_from_the_splice(overlay: ModuleType) -> None:
    course = [("warming", 0.0, 5), ("authentic", 0.0, 40), ("suspicious", 0.0, 300), ("authentic", 0.0, 700)]
    found = overlay.alarms(course, starts=250, ends=600)
    assert (found["time_to_alarm_s"], found["calm_after_s"], found["alarms_before_the_splice"]) == (2.0, 4.0, 0)


def test_a_page_that_never_alarms_has_no_times(overlay: ModuleType) -> None:
    found = overlay.alarms([("authentic", 0.0, 40)], starts=250, ends=600)
    assert found["time_to_alarm_s"] is None and found["calm_after_s"] is None


def test_a_turn_is_a_head_that_was_frontal_for_a_second_and_then_is_not() -> None:
    turns = import_module("turns")
    still = [(i / 5, 0.0) for i in range(20)]
    turned = [(4 + i / 5, 0.8) for i in range(5)]
    assert turns.turns_in([]) == [] and turns.turns_in(still) == []
    (found,) = turns.turns_in(still + turned)
    assert found.prompt == "turn_left" and found.turned_s >= 3.8 and found.turned_s - found.start_s >= 1.0
    assert turns.turns_in([(at_s, 1.2) for at_s, _ in still] + [(4 + i / 5, 0.2) for i in range(5)]) == []
