"""The conditions of the robustness grid: real codecs hit their rates, times and numbers of frames stay right."""

from collections.abc import Iterator

import numpy as np
import pytest

from tests.build import frame, portrait
from unmask.pipeline.types import Frame
from unmask.stream.evaluate_conditions import Condition, at_most, coded, conditions

GRID = {condition.name: condition for condition in conditions()}


def clip(seconds: float = 0.5, fps: float = 25.0) -> list[Frame]:
    """The portrait, drifting; 256 x 254 pixels."""
    image = portrait()
    count = int(seconds * fps)
    return [frame(np.roll(image, 2 * i, axis=1)[:254, 100:356].copy(), i / fps, i) for i in range(count)]


def error(one: Frame, other: Frame) -> float:
    return float(np.abs(one.image_rgb.astype(float) - other.image_rgb.astype(float)).mean())


@pytest.mark.parametrize("condition", GRID.values(), ids=GRID.keys())
def test_no_frames_stay_no_frames(condition: Condition) -> None:
    """Nothing is made up."""
    assert list(condition.change(iter([]), 100.0)) == []


def test_names_are_told_apart_and_clean_comes_first() -> None:
    """Results are kept by name."""
    assert len(GRID) == len(conditions()) == 18
    assert conditions()[0].name == "clean"


def test_at_most_thins_by_time_and_leaves_slower_video_whole() -> None:
    """30 frames a second become 10; 5 stay 5; times are not touched."""
    fast, slow = clip(1.0, 30), clip(1.0, 5)

    assert [f.pts_s for f in at_most(fast, 10)] == pytest.approx([i / 10 for i in range(10)], abs=0.02)
    assert list(at_most(slow, 10)) == slow
    assert list(at_most([], 10)) == []


@pytest.mark.parametrize("codec", ["libx264", "libvpx"])
def test_a_codec_gives_back_every_frame_at_its_time_and_size(codec: str) -> None:
    """The picture is the same one, a little worse."""
    frames = clip()
    sent = list(coded(frames, codec, {}, 1500))

    assert [f.pts_s for f in sent] == [f.pts_s for f in frames]
    assert [f.seq for f in sent] == [f.seq for f in frames]
    assert all(f.image_rgb.shape == (254, 256, 3) for f in sent)
    assert all(0 < error(a, b) < 15 for a, b in zip(sent, frames, strict=True))
    assert error(sent[8], frames[8]) < error(sent[8], frames[0])


def test_a_higher_crf_and_a_lower_bit_rate_are_worse() -> None:
    """The encoder is real: quality follows its settings."""
    frames = clip(1.0)

    def loss(condition: str) -> float:
        return float(np.mean([error(a, b) for a, b in zip(sent(condition), frames, strict=True)]))

    def sent(condition: str) -> Iterator[Frame]:
        return GRID[condition].change(frames, 0.0)

    assert loss("H.264 CRF 23") < loss("H.264 CRF 33") < loss("H.264 CRF 40")
    assert loss("H.264 1500 kbit/s") < loss("H.264 150 kbit/s")


def test_a_bit_rate_is_for_25_frames_a_second() -> None:
    """Faster video is thinned first, as calls do; a quality leaves the frame rate alone."""
    frames = clip(1.0, 50)

    assert len(list(GRID["H.264 300 kbit/s"].change(frames, 0.0))) == 25
    assert len(list(GRID["H.264 CRF 33"].change(frames, 0.0))) == 50


def test_an_odd_size_loses_one_line_and_nothing_else() -> None:
    """Codecs want even sizes."""
    odd = [frame(np.full((65, 67, 3), 99, np.uint8), 0.0)]

    assert [f.image_rgb.shape for f in coded(odd, "libx264", {"crf": "23"})] == [(64, 66, 3)]


def test_a_face_is_shrunk_to_its_width() -> None:
    """The whole picture shrinks with it."""
    found = list(GRID["face 64 px"].change(clip(0.1), 128.0))

    assert found[0].image_rgb.shape == (127, 128, 3)
    assert GRID["face 64 px"].face_px == 64


def test_darkness_and_noise_are_the_same_for_every_file() -> None:
    """Seeded by the number of the frame: both classes get the same noise."""
    first, again = (list(GRID["dark"].change(clip(0.3), 0.0)) for _ in range(2))
    noisy = next(GRID["noisy"].change([frame(np.full((64, 64, 3), 128, np.uint8))], 0.0))

    assert all(np.array_equal(a.image_rgb, b.image_rgb) for a, b in zip(first, again, strict=True))
    assert first[0].image_rgb.mean() < 0.7 * clip(0.1)[0].image_rgb.mean()
    assert noisy.image_rgb.std() == pytest.approx(12, abs=1)
    assert noisy.image_rgb.mean() == pytest.approx(128, abs=1)


@pytest.mark.parametrize("fps", [5, 10, 25])
def test_a_frame_rate_is_what_it_says(fps: int) -> None:
    """Counted over one second."""
    assert len(list(GRID[f"{fps} frames/s"].change(clip(1.0, 50), 0.0))) == fps
