"""Quality gates: what is too small, blurred, dark or turned away carries no weight, and says why."""

import cv2
import numpy as np
import pytest

from tests.build import PORTRAIT_LANDMARKS_XY, face, portrait
from unmask.models.align import align_face
from unmask.pipeline.quality import head_yaw, measure_quality


def test_a_clear_frontal_face_counts() -> None:
    quality = measure_quality(align_face(portrait(), PORTRAIT_LANDMARKS_XY), face())

    assert quality.reasons == ()
    assert quality.reliability > 0.3


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda crop: (crop * 0.1).astype(np.uint8), "too_dark"),
        (lambda crop: np.clip(crop.astype(int) // 20 + 243, 0, 255).astype(np.uint8), "too_bright"),
        (lambda crop: cv2.GaussianBlur(crop, (0, 0), 8), "blurred"),
    ],
)
def test_spoilt_crops_do_not_count(change, reason: str) -> None:  # type: ignore[no-untyped-def]
    quality = measure_quality(change(align_face(portrait(), PORTRAIT_LANDMARKS_XY)), face())

    assert reason in quality.reasons
    assert quality.reliability == 0.0


def test_a_small_face_does_not_count() -> None:
    quality = measure_quality(align_face(portrait(), PORTRAIT_LANDMARKS_XY), face(width_px=40))

    assert quality.reasons == ("face_too_small",)


def test_a_doubtful_face_does_not_count() -> None:
    quality = measure_quality(align_face(portrait(), PORTRAIT_LANDMARKS_XY), face(confidence=0.3))

    assert quality.reasons == ("not_a_face",)


def test_yaw_is_the_nose_between_the_eyes() -> None:
    marks = np.array([[0, 0], [10, 0], [5, 5], [2, 9], [8, 9]], np.float32)
    turned = marks.copy()
    turned[2, 0] = 10

    assert head_yaw(marks) == pytest.approx(0.0)
    assert head_yaw(turned) == pytest.approx(1.0)
    assert head_yaw(np.zeros((5, 2), np.float32)) == 2.0
