"""Alignment: landmarks land on the template, whatever the face's place, size and roll."""

import numpy as np
import pytest

from tests.build import PORTRAIT_LANDMARKS_XY, portrait
from unmask.models.align import CROP_SIZE, TEMPLATE_XY, align_face, similarity_matrix, warp_scale


def test_coinciding_landmarks_are_refused() -> None:
    with pytest.raises(ValueError, match="coincide"):
        similarity_matrix(np.ones((5, 2), np.float32))


@pytest.mark.parametrize(("degrees", "scale"), [(0, 1.0), (30, 0.3), (-90, 2.5), (180, 0.05)])
def test_landmarks_land_on_the_template(degrees: float, scale: float) -> None:
    angle = np.deg2rad(degrees)
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    landmarks = (TEMPLATE_XY @ turn.T + (37, -12)).astype(np.float32)
    matrix = similarity_matrix(landmarks)

    assert landmarks @ matrix[:, :2].T + matrix[:, 2] == pytest.approx(TEMPLATE_XY, abs=0.05)
    assert warp_scale(matrix) == pytest.approx(1 / scale, rel=1e-3)


def test_crop_shows_the_face_and_margin_keeps_the_scale() -> None:
    crop = align_face(portrait(), PORTRAIT_LANDMARKS_XY)
    wide = align_face(portrait(), PORTRAIT_LANDMARKS_XY, margin_px=16)

    assert crop.shape == (CROP_SIZE, CROP_SIZE, 3)
    assert np.abs(wide[16:-16, 16:-16].astype(int) - crop).mean() < 1.5


def test_a_large_face_is_averaged_down_not_skipped_over() -> None:
    stripes = np.zeros((2000, 2000, 3), np.uint8)
    stripes[:, ::2] = 255
    crop = align_face(stripes, TEMPLATE_XY * 7)

    assert crop.std() < 40
