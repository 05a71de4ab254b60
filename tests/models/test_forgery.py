"""Forgeries: replayable, confined to their mask, and degraded exactly as their genuine counterparts."""

from dataclasses import replace

import numpy as np
import pytest

from tests.build import PORTRAIT_LANDMARKS_XY, portrait
from unmask.models.align import TEMPLATE_XY, align_face
from unmask.models.training.blending import match_shading
from unmask.models.training.forgery import FAMILIES, draw_forgery
from unmask.models.training.hulls import HULLS, fitted
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


def test_odd_sizes_can_be_forged() -> None:
    odd = np.ascontiguousarray(CROP[:155, :155])
    landmarks = (TEMPLATE_XY * (155 / 256)).astype(np.float32)
    for seed in range(12):
        real, fake, mask = draw_forgery(np.random.default_rng(seed)).apply(odd, landmarks)
        assert real.shape == fake.shape == (155, 155, 3)
        assert mask.shape == (155, 155)


def test_without_a_face_drawn_anew_no_recipe_asks_for_one() -> None:
    drawn = [draw_forgery(np.random.default_rng(seed), redrawn=False) for seed in range(60)]

    assert not any(forgery.drawn for forgery in drawn)
    assert all(f.texture.core_px for f in drawn if f.family in ("reconstruct", "resynth", "whole"))


def test_a_whole_face_keeps_its_colours() -> None:
    forged = draw_forgery(np.random.default_rng(1), "whole", redrawn=False).apply(CROP, TEMPLATE_XY)[1]

    assert np.abs(forged.mean((0, 1)) - CROP.mean((0, 1))).max() < 2


def test_the_mask_narrows_on_the_far_side_of_a_turned_head() -> None:
    turned = TEMPLATE_XY.copy()
    turned[2, 0] += 20
    widths = []
    for landmarks in (TEMPLATE_XY, turned):
        xs = fitted(HULLS["face"], landmarks)[:, 0]
        widths.append((128 - xs.min(), xs.max() - 128))

    assert widths[1][1] < widths[0][1] - 10
    assert widths[1][0] >= widths[0][0] - 5


def test_a_recipe_for_its_target_still_shows_when_pasted_into_a_frame() -> None:
    recipes = (draw_forgery(np.random.default_rng(seed), "self_blend") for seed in range(40))
    recipe = replace(next(r for r in recipes if r.on_target), opacity=1.0, colour=ColourShift(rgb=(25.0, 0.0, -25.0)))
    forged = forge_frame(portrait(), PORTRAIT_LANDMARKS_XY, recipe)

    assert np.abs(forged[80:160, 190:260].astype(int) - portrait()[80:160, 190:260]).mean() > 3


def test_a_face_outside_the_frame_leaves_it() -> None:
    gone = PORTRAIT_LANDMARKS_XY + np.float32(2000)

    assert np.array_equal(forge_frame(portrait(), gone, draw_forgery(np.random.default_rng(0))), portrait())


def test_shading_takes_the_targets_light_and_keeps_the_sources_detail() -> None:
    lit = np.clip(CROP.astype(int) + 30, 0, 235).astype(np.uint8)
    shaded = match_shading(CROP, lit, 16.0)

    assert abs(float(shaded.mean()) - float(lit.mean())) < 2


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
