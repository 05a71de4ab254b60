"""Degradations: seeded, the same for both members of a pair, and done by real encoders."""

from dataclasses import replace

import numpy as np
import pytest

from tests.build import PORTRAIT_LANDMARKS_XY, portrait
from unmask.models.align import align_face
from unmask.models.training.backdrop import draw_backdrop
from unmask.models.training.codecs import Codec, draw_call, draw_quality, encode_h264, encode_jpeg
from unmask.models.training.degrade import Degradation, draw_degradation, motion_blur
from unmask.models.training.grain import BANK_PX, add_grain
from unmask.models.training.looks import ColourShift

CROP = align_face(portrait(), PORTRAIT_LANDMARKS_XY)
NOTHING = Degradation(ColourShift(), 256)
STEPS = {
    "low light": replace(NOTHING, colour=ColourShift().exposed(1.8)),
    "small": replace(NOTHING, side_px=80),
    "blurred": replace(NOTHING, blur_sigma=1.5),
    "moving": replace(NOTHING, motion=(7.0, 0.4)),
    "beautified": replace(NOTHING, beauty=25.0),
    "noisy": replace(NOTHING, noise_sigma=5.0, noise_seed=3),
    "jpeg": replace(NOTHING, jpeg_quality=40),
    "h264": replace(NOTHING, codec=Codec("h264", 33)),
    "vp8": replace(NOTHING, codec=Codec("vp8", 45)),
    "predicted": replace(NOTHING, codec=Codec("h264", 33), primer=(1.5, -0.5)),
    "virtual background": replace(NOTHING, backdrop=draw_backdrop(np.random.default_rng(1))),
}


def difference(a: np.ndarray, b: np.ndarray) -> float:  # type: ignore[type-arg]
    return float(np.abs(a.astype(int) - b).mean())


def test_no_step_leaves_the_image() -> None:
    assert np.array_equal(NOTHING.apply(CROP), CROP)
    assert np.array_equal(draw_degradation(np.random.default_rng(0), 256, strength=0.0).apply(CROP), CROP)


@pytest.mark.parametrize("name", list(STEPS))
def test_every_step_changes_the_picture_and_keeps_its_size(name: str) -> None:
    seen = STEPS[name].apply(CROP)

    assert seen.shape == CROP.shape
    assert seen.dtype == np.uint8
    assert 0.2 < difference(seen, CROP) < 80


@pytest.mark.parametrize("name", list(STEPS))
def test_odd_sizes_stay(name: str) -> None:
    odd = np.ascontiguousarray(CROP[:131, :131])

    assert STEPS[name].apply(odd).shape == odd.shape


@pytest.mark.parametrize("seed", range(24))
def test_both_members_of_a_pair_are_degraded_alike(seed: int) -> None:
    degradation = draw_degradation(np.random.default_rng(seed), 256)
    first = degradation.apply(CROP)
    degradation.apply(np.ascontiguousarray(CROP[::-1]))

    assert np.array_equal(first, degradation.apply(CROP.copy()))
    assert first.shape == CROP.shape


def test_where_the_members_agree_they_still_agree_after_steps_without_memory() -> None:
    fake = CROP.copy()
    fake[100:150, 100:150] = 255 - fake[100:150, 100:150]
    degradation = replace(STEPS["noisy"], colour=ColourShift(rgb=(9.0, 0.0, -9.0)), motion=(5.0, 0.0))

    assert np.array_equal(degradation.apply(CROP)[:80], degradation.apply(fake)[:80])


def test_the_draws_cover_both_encoders_and_plain_pictures() -> None:
    drawn = [draw_degradation(np.random.default_rng(seed), 256) for seed in range(200)]
    names = [d.codec.name if d.codec else "none" for d in drawn]

    assert set(names) == {"h264", "vp8", "none"}
    assert 10 < sum(1 for d in drawn if d.motion[0]) < 40
    assert any(d.backdrop for d in drawn)
    assert all(64 <= d.side_px <= 256 and d.side_px % 2 == 0 for d in drawn)


def test_a_clip_keeps_its_length() -> None:
    clip = [CROP, np.roll(CROP, 2, 1), CROP]

    assert [image.shape for image in STEPS["vp8"].apply_clip(clip)] == [CROP.shape] * 3


@pytest.mark.parametrize("name", ["h264", "vp8"])
def test_encoders_keep_count_and_odd_size_and_cost_detail(name: str) -> None:
    frames = [np.ascontiguousarray(np.roll(CROP, shift, 1)[:101, :155]) for shift in range(4)]
    coarse, fine = Codec(name, 55 if name == "vp8" else 40).encode(frames), Codec(name, 18).encode(frames)

    assert [f.shape for f in coarse] == [f.shape for f in fine] == [(101, 155, 3)] * 4
    assert all(difference(c, o) > difference(f, o) > 0.3 for c, f, o in zip(coarse, fine, frames, strict=True))


@pytest.mark.parametrize("name", ["h264", "vp8"])
def test_a_lower_bit_rate_costs_detail(name: str) -> None:
    frames = [np.roll(CROP, 3 * shift, 1) for shift in range(12)]
    poor, rich = (Codec(name, kbit_s=rate).encode(frames) for rate in (80, 1500))

    assert difference(poor[-1], frames[-1]) > difference(rich[-1], frames[-1])


def test_drawn_codecs_are_within_what_calls_use() -> None:
    rng = np.random.default_rng(0)
    calls = [draw_call(rng) for _ in range(200)]

    assert {c.name for c in calls} == {c.name for c in (draw_quality(rng) for _ in range(50))} == {"h264", "vp8"}
    assert all(80 <= c.kbit_s <= 1500 for c in calls if c.kbit_s)
    assert 60 < sum(1 for c in calls if c.kbit_s) < 180


def test_h264_keeps_the_count_and_costs_detail() -> None:
    frames = [CROP, CROP, CROP]
    coarse, fine = encode_h264(frames, 40), encode_h264(frames, 18)

    assert len(coarse) == len(fine) == 3
    assert difference(coarse[1], CROP) > difference(fine[1], CROP)


def test_jpeg_keeps_the_colours() -> None:
    assert difference(encode_jpeg(CROP, 95), CROP) < 4


def test_motion_smears_along_its_line_only() -> None:
    dot = np.zeros((41, 41, 3), np.uint8)
    dot[20, 20] = 255
    smeared = motion_blur(dot, 9.0, 0.0)[..., 0]

    assert (smeared[20] > 0).sum() >= 8
    assert (np.delete(smeared, [19, 20, 21], 0) > 0).sum() == 0


@pytest.mark.parametrize("shape", [(90, 120, 3), (BANK_PX + 6, 30, 3)])
def test_grain_is_seeded_and_as_strong_as_asked(shape: tuple[int, int, int]) -> None:
    grey = np.full(shape, 128, np.uint8)
    noisy = add_grain(grey, 6.0, 5)

    assert np.array_equal(noisy, add_grain(grey, 6.0, 5))
    assert not np.array_equal(noisy, add_grain(grey, 6.0, 6))
    assert 4.5 < noisy.astype(float).std() < 7.5


@pytest.mark.parametrize("seed", range(4))
def test_a_virtual_background_leaves_the_face(seed: int) -> None:
    seen = draw_backdrop(np.random.default_rng(seed)).apply(CROP, np.eye(2, 3, dtype=np.float32))

    assert difference(seen[90:200, 80:176], CROP[90:200, 80:176]) < 0.5
    assert difference(seen[:24, :24], CROP[:24, :24]) > 2
