"""Clips: live swaps repeat one recipe in time, and genuine clips show what cameras and networks do."""

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from tests.build import PORTRAIT_LANDMARKS_XY, portrait
from unmask.models.align import TEMPLATE_XY
from unmask.models.mtcnn import FaceFinder
from unmask.models.training.clips import Clip, half_rate, load_clip, swap_clip, transmit
from unmask.models.training.codecs import Codec
from unmask.models.training.preview import write_clip_preview
from unmask.models.training.swaps import KINDS, LiveSwap, Wander, draw_swap, organ_drift
from unmask.models.training.transmission import Line, draw_line

LEFT, TOP, FRAMES = 125, 30, 24


def clip(faceless: tuple[int, ...] = ()) -> Clip:
    """The portrait's head moving to the right by two pixels a frame, (200, 200) at 25 frames a second."""
    frames = [
        np.ascontiguousarray(portrait()[TOP : TOP + 200, LEFT - 2 * i : LEFT - 2 * i + 200]) for i in range(FRAMES)
    ]
    landmarks = [(PORTRAIT_LANDMARKS_XY - (LEFT - 2 * i, TOP)).astype(np.float32) for i in range(FRAMES)]
    return Clip(
        [i / 25 for i in range(FRAMES)], frames, [None if i in faceless else m for i, m in enumerate(landmarks)]
    )


CLIP = clip()


def changed(swapped: list, frames: list) -> list[bool]:  # type: ignore[type-arg]
    return [not np.array_equal(a, b) for a, b in zip(swapped, frames, strict=True)]


def test_a_clip_without_a_face_stays_as_it_is() -> None:
    faceless = clip(tuple(range(FRAMES)))

    assert not any(changed(swap_clip(faceless, np.random.default_rng(0)), faceless.frames_rgb))
    assert swap_clip(Clip([], [], []), np.random.default_rng(0)) == []
    assert list(transmit([], [], np.random.default_rng(0))) == []


def test_frames_that_lost_the_face_stay_as_they_are() -> None:
    gaps = clip((5, 6))
    swapped = LiveSwap(draw_swap(np.random.default_rng(1), kind="steady").forgery, "steady").play(
        gaps.frames_rgb, gaps.landmarks, np.random.default_rng(1)
    )

    assert [i for i, differs in enumerate(changed(swapped, gaps.frames_rgb)) if not differs] == [5, 6]


@pytest.mark.parametrize("kind", list(KINDS))
def test_every_kind_swaps_the_face_and_nothing_far_from_it(kind: str) -> None:
    swapped = draw_swap(np.random.default_rng(2), kind=kind).play(
        CLIP.frames_rgb, CLIP.landmarks, np.random.default_rng(2)
    )

    assert len(swapped) == FRAMES
    assert sum(changed(swapped, CLIP.frames_rgb)) > FRAMES // 2
    assert all(np.array_equal(a[-10:], b[-10:]) for a, b in zip(swapped, CLIP.frames_rgb, strict=True))


def test_one_seed_one_swap() -> None:
    first, again, other = (swap_clip(CLIP, np.random.default_rng(seed)) for seed in (4, 4, 5))

    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert any(changed(first, other))


def test_a_swap_can_fall_out_and_come_back() -> None:
    forgery = draw_swap(np.random.default_rng(3)).forgery
    swapped = LiveSwap(forgery, "gaps", gap=0.2).play(CLIP.frames_rgb, CLIP.landmarks, np.random.default_rng(3))

    assert 0 < sum(changed(swapped, CLIP.frames_rgb)) < FRAMES


def test_a_swap_asks_for_the_face_to_be_drawn_anew_where_its_recipe_does() -> None:
    asked = []

    def redraw(face_rgb: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
        asked.append(face_rgb.shape)
        return np.asarray(cv2.GaussianBlur(face_rgb, (0, 0), 3), np.uint8)

    for seed in range(6):
        swap = draw_swap(np.random.default_rng(seed), redrawn=True, kind="steady")
        before = len(asked)
        swap.play(CLIP.frames_rgb[:3], CLIP.landmarks[:3], np.random.default_rng(seed), redraw)
        assert len(asked) - before == (3 if swap.forgery.drawn else 0)

    assert set(asked) == {(256, 256, 3)}
    assert not draw_swap(np.random.default_rng(0)).forgery.drawn


def test_wandering_keeps_its_strength_whatever_it_remembers() -> None:
    for rho in (0.0, 0.9):
        wander = Wander(np.random.default_rng(0), (200,), rho)
        steps = np.array([wander.step().copy() for _ in range(60)])
        assert 0.9 < steps.std() < 1.1
        assert abs(float((steps[1:] * steps[:-1]).mean()) - rho) < 0.1


def test_a_drifting_organ_leaves_the_others_nearly_still() -> None:
    shifts = np.zeros((8, 2))
    shifts[0] = (3.0, 0.0)
    grid = cv2.resize(organ_drift(shifts)[0], (256, 256), interpolation=cv2.INTER_CUBIC)
    left_eye, right_mouth = (grid[int(y), int(x)] for x, y in TEMPLATE_XY[[0, 4]])

    assert 1.5 < left_eye < 4
    assert abs(right_mouth) < 0.05


def test_half_rate_keeps_every_other_frame() -> None:
    assert half_rate(CLIP).times_s == CLIP.times_s[::2]


def test_a_clear_line_changes_nothing() -> None:
    sent = list(Line().send(CLIP.frames_rgb, CLIP.times_s, np.random.default_rng(0)))

    assert [at for at, _ in sent] == CLIP.times_s
    assert all(np.array_equal(image, frame) for (_, image), frame in zip(sent, CLIP.frames_rgb, strict=True))


@pytest.mark.parametrize("seed", range(8))
def test_what_arrives_is_in_order_of_one_size_and_on_time(seed: int) -> None:
    sent = list(transmit(CLIP.frames_rgb, CLIP.times_s, np.random.default_rng(seed), CLIP.landmarks))
    times = [at for at, _ in sent]

    assert times[0] == CLIP.times_s[0]
    assert set(times) <= set(CLIP.times_s)
    assert times == sorted(set(times))
    assert len({image.shape for _, image in sent}) == 1


def test_both_classes_lose_and_repeat_the_same_frames() -> None:
    line = Line(drop=0.2, repeat=0.2, freeze=0.05)
    swapped = swap_clip(CLIP, np.random.default_rng(1))
    real, fake = (list(line.send(f, CLIP.times_s, np.random.default_rng(9))) for f in (CLIP.frames_rgb, swapped))

    assert [at for at, _ in real] == [at for at, _ in fake]
    assert len(real) < FRAMES
    assert any(a is b for (_, a), (_, b) in zip(real[1:], real, strict=False))


def test_every_second_frame_can_be_kept() -> None:
    sent = list(Line(keep=(1, 2)).send(CLIP.frames_rgb, CLIP.times_s, np.random.default_rng(0)))

    assert [at for at, _ in sent] == CLIP.times_s[::2]


def test_exposure_steps_and_stays() -> None:
    sent = list(Line(steps=((10, 4, 0.25),)).send(CLIP.frames_rgb, CLIP.times_s, np.random.default_rng(0)))
    gains = [image.mean() / frame.mean() for (_, image), frame in zip(sent, CLIP.frames_rgb, strict=True)]

    assert gains[9] == pytest.approx(1, abs=1e-6)
    assert 1.02 < gains[11] < gains[14]
    assert gains[-1] > 1.1


def test_a_key_frame_changes_the_look_of_a_still_picture() -> None:
    still = [CLIP.frames_rgb[0]] * 12
    sent = Codec("h264", 36, keyframe_every=6).encode(still)
    steps = [float(np.abs(a.astype(int) - b).mean()) for a, b in zip(sent[1:], sent, strict=False)]

    assert max(steps[5:]) > 0


def test_drawn_lines_show_all_that_genuine_clips_may_show() -> None:
    lines = [draw_line(np.random.default_rng(seed), 100) for seed in range(300)]

    assert {line.codec.name if line.codec else "" for line in lines} == {"h264", "vp8", ""}
    for name in ("steps", "shake_px", "noise_sigma", "beauty", "blur_sigma", "backdrop", "drop", "repeat", "freeze"):
        assert 5 < sum(1 for line in lines if getattr(line, name)) < 200, name


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """The moving portrait as a file."""
    path = tmp_path / "portrait.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(25))
        stream.width, stream.height, stream.pix_fmt = 200, 200, "yuv420p"
        for image_rgb in CLIP.frames_rgb:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image_rgb, format="rgb24")))
        container.mux(stream.encode())
    return path


def test_the_face_of_a_file_is_followed(video: Path) -> None:
    loaded = load_clip(video, FaceFinder())

    assert len(loaded.times_s) == len(loaded.frames_rgb) == len(loaded.landmarks) == FRAMES
    for found, expected in zip(loaded.landmarks, CLIP.landmarks, strict=True):
        assert found is not None
        assert expected is not None
        assert np.abs(found - expected).max() < 6


def test_film_strips_are_a_picture_and_need_a_face(video: Path, tmp_path: Path) -> None:
    assert write_clip_preview([], tmp_path / "none.png") == 0
    assert not (tmp_path / "none.png").exists()
    assert write_clip_preview([video], tmp_path / "strips.png") == 1
    assert cv2.imread(str(tmp_path / "strips.png")) is not None
