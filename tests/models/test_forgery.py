"""Forgeries: replayable, confined to their mask, and degraded exactly as their genuine counterparts."""

import numpy as np
import pytest

from tests.build import PORTRAIT_LANDMARKS_XY, portrait
from unmask.models.align import TEMPLATE_XY, align_face
from unmask.models.training.degrade import Degradation, draw_degradation, encode_h264
from unmask.models.training.forgery import FAMILIES, draw_forgery
from unmask.models.training.looks import ColourShift
from unmask.models.training.maps import mri_target, structural_dissimilarity
from unmask.models.training.pairs import Pair
from unmask.models.training.paste import forge_frame

CROP = align_face(portrait(), PORTRAIT_LANDMARKS_XY)


@pytest.mark.parametrize("family", list(FAMILIES))
def test_one_seed_one_forgery(family: str) -> None:
    results = [
        draw_forgery(np.random.default_rng(5), family).apply(CROP, TEMPLATE_XY, CROP[:, ::-1].copy()) for _ in range(2)
    ]

    assert np.array_equal(results[0][1], results[1][1])


@pytest.mark.parametrize("family", list(FAMILIES))
def test_outside_the_mask_nothing_is_touched_and_inside_something_is(family: str) -> None:
    changed = []
    for seed in range(8):
        real, fake, mask = draw_forgery(np.random.default_rng(seed), family).apply(
            CROP, TEMPLATE_XY, CROP[:, ::-1].copy()
        )
        difference = np.abs(real.astype(int) - fake).max(2)
        assert difference[mask < 1e-4].max(initial=0) <= 1
        assert 0 <= mask.min() <= mask.max() <= 1 + 1e-5
        changed.append(difference[mask > 0.2].mean() if (mask > 0.2).any() else 0.0)

    assert max(changed) > 2


def test_a_forged_frame_keeps_its_size_and_its_surroundings() -> None:
    image = portrait()
    forged = forge_frame(image, PORTRAIT_LANDMARKS_XY, draw_forgery(np.random.default_rng(3), "reconstruct"))

    assert forged.shape == image.shape
    assert np.array_equal(forged[300:], image[300:])
    assert np.abs(forged[80:160, 190:260].astype(int) - image[80:160, 190:260]).mean() > 0.5


def test_jitter_changes_the_frame_but_not_the_recipe() -> None:
    rng = np.random.default_rng(0)
    forgery = draw_forgery(rng, "reconstruct")
    trembling = forgery.jittered(rng, 1.0)

    assert trembling.hull_xy is forgery.hull_xy
    assert trembling.affine != forgery.affine
    assert trembling.texture == forgery.texture


def test_no_degradation_leaves_the_image() -> None:
    nothing = Degradation(ColourShift(), 256)

    assert np.array_equal(nothing.apply(CROP), CROP)


@pytest.mark.parametrize("seed", range(12))
def test_both_members_of_a_pair_are_degraded_alike(seed: int) -> None:
    degradation = draw_degradation(np.random.default_rng(seed), 256)

    assert np.array_equal(degradation.apply(CROP), degradation.apply(CROP.copy()))
    assert degradation.apply(CROP).shape == CROP.shape


def test_h264_keeps_the_count_and_costs_detail() -> None:
    frames = [CROP, CROP, CROP]
    coarse, fine = encode_h264(frames, 40), encode_h264(frames, 18)

    assert len(coarse) == len(fine) == 3
    assert np.abs(coarse[1].astype(int) - CROP).mean() > np.abs(fine[1].astype(int) - CROP).mean()


def test_a_genuine_face_is_exactly_black() -> None:
    assert structural_dissimilarity(CROP, CROP).max() == 0
    pair = Pair(CROP, CROP, np.ones((256, 256), np.float32), CROP, CROP, "whole")
    assert mri_target(pair).max() == 0


def test_a_pure_colour_shift_still_shows_in_the_target() -> None:
    shifted = np.clip(CROP.astype(int) + 20, 0, 255).astype(np.uint8)
    mask = np.zeros((256, 256), np.float32)
    mask[64:192, 64:192] = 1
    pair = Pair(CROP, shifted, mask, CROP, shifted, "self_blend")

    assert mri_target(pair)[20:36, 20:36].mean() > 0.3
