"""Averages over rectangles, and the arithmetic on boxes between the cascade's networks."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch.nn.functional import interpolate

from unmask.models.mtcnn_area import AreaImage
from unmask.models.mtcnn_boxes import (
    cells,
    landmarks_of,
    moved,
    pixels_of,
    pyramid,
    squared,
    suppress,
    suppress_inside,
)

Floats = NDArray[np.float32]


def noise(height: int, width: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def by_torch(image_rgb: NDArray[np.uint8], size_hw: tuple[int, int]) -> Floats:
    tensor = torch.from_numpy(image_rgb.copy()).permute(2, 0, 1)[None].float()
    return np.asarray(interpolate(tensor, size=size_hw, mode="area")[0].permute(1, 2, 0).numpy())


def boxes(*rows: tuple[float, float, float, float, float]) -> Floats:
    return np.array(rows, np.float32).reshape(-1, 5)


@pytest.mark.parametrize("size_hw", [(54, 97), (13, 24), (90, 160), (120, 200), (1, 1)])
def test_a_scaled_image_is_torchs_area_interpolation(size_hw: tuple[int, int]) -> None:
    image = noise(90, 160)

    assert AreaImage(image).scaled(size_hw)[..., :3] == pytest.approx(by_torch(image, size_hw), abs=1e-3)


def test_white_stays_white_where_sums_pass_16_bits() -> None:
    scaled = AreaImage(np.full((400, 600, 3), 255, np.uint8)).scaled((12, 18))

    assert scaled[..., :3] == pytest.approx(np.full((12, 18, 3), 255.0), abs=1e-3)


def test_no_box_no_crop() -> None:
    assert AreaImage(noise(20, 20)).crops(np.empty((0, 4), np.int64), 24).shape == (0, 24, 24, 4)


@pytest.mark.parametrize("largest", [100, 480])
def test_crops_larger_and_smaller_than_their_target_are_torchs(largest: int) -> None:
    image = noise(480, 640)
    rectangles = np.array([[0, 0, 24, 24], [5, 7, 15, 12], [100, 0, 100 + largest, largest], [639, 479, 640, 480]])
    crops = AreaImage(image).crops(rectangles, 24)

    for (x0, y0, x1, y1), crop in zip(rectangles, crops, strict=True):
        assert crop[..., :3] == pytest.approx(by_torch(image[y0:y1, x0:x1], (24, 24)), abs=1e-3)


def test_a_pyramid_ends_before_the_shorter_side_is_under_12_px() -> None:
    levels = pyramid((360, 640), 20)

    assert [size for _, size in levels][:2] == [(217, 385), (154, 273)]
    assert min(min(size) for _, size in levels) >= 12
    assert pyramid((10, 640), 20) == []


def test_a_cell_is_the_12_px_it_was_seen_in() -> None:
    answers = np.full((4, 5, 5), -4, np.float32)
    answers[2, 3] = (0, 1, 2, 3, 4)
    found, offsets = cells(answers, 0.5, 0.4)

    assert found == pytest.approx(boxes((14, 10, 36, 32, 0.5)))
    assert offsets.tolist() == [[1, 2, 3, 4]]


def test_suppressing_nothing_gives_nothing() -> None:
    assert len(suppress(boxes(), 0.5)) == len(suppress(boxes(), 0.5, np.empty(0, np.int64))) == 0
    assert len(suppress_inside(boxes(), 0.5)) == 0


def test_the_most_confident_of_overlapping_boxes_stays() -> None:
    crowd = boxes((0, 0, 10, 10, 0.7), (1, 0, 11, 10, 0.9), (50, 0, 60, 10, 0.8))

    assert suppress(crowd, 0.5).tolist() == [1, 2]


def test_boxes_of_other_groups_stay() -> None:
    crowd = boxes((-9, 0, 10, 10, 0.7), (-9, 0, 10, 10, 0.9), (-9, 0, 10, 10, 0.8))

    assert suppress(crowd, 0.5, np.array([0, 1, 0])).tolist() == [1, 2]


def test_a_box_inside_a_more_confident_one_goes() -> None:
    crowd = boxes((40, 40, 60, 60, 0.8), (0, 0, 100, 100, 0.9), (90, 90, 190, 190, 0.7))

    assert suppress_inside(crowd, 0.7).tolist() == [1, 2]
    assert suppress(crowd, 0.7).tolist() == [1, 0, 2]


def test_boxes_move_by_shares_of_their_size() -> None:
    offsets = np.array([[0.1, 0.0, -0.1, 0.2]], np.float32)

    assert moved(boxes((10, 10, 29, 49, 1)), offsets, last_pixel=1) == pytest.approx(boxes((12, 10, 27, 57, 1)))


def test_a_square_keeps_the_centre_and_the_longer_side() -> None:
    assert squared(boxes((10, 0, 20, 40, 1))) == pytest.approx(boxes((-5, 0, 35, 40, 1)))


def test_pixels_stay_inside_the_image() -> None:
    inside = pixels_of(boxes((-5.5, -5, 30, 40, 1), (3, 4, 7.9, 9, 1), (50, 5, 60, 10, 1)), (20, 25))

    assert inside[:2].tolist() == [[0, 0, 25, 20], [2, 3, 7, 9]]
    assert inside[2, 2] <= inside[2, 0]


def test_landmarks_are_shares_of_their_box() -> None:
    points = np.array([[0, 0.5, 1, 0, 0, 0, 0.5, 1, 0, 0]], np.float32)

    assert landmarks_of(boxes((11, 21, 20, 40, 1)), points)[0, :3].tolist() == [[10, 20], [15, 30], [20, 40]]
