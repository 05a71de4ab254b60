"""Files: whole, upright, in order; and one clear sentence for everything that is not a video."""

import asyncio
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from av.audio.stream import AudioStream
from av.video.stream import VideoStream
from PIL import Image

from tests.build import portrait
from tests.fake_streams import LIMIT_S, States
from unmask.pipeline.errors import EndOfStream, UnreadableFile
from unmask.pipeline.types import StreamState
from unmask.stream.source import open_source
from unmask.stream.source_base import Captured
from unmask.stream.source_file import file_capture, read_file

CLIPS = Path(__file__).parents[3] / "shared" / "data" / "tests"


def encode(path: Path, frames: int = 10, fps: int = 25, codec: str = "libx264") -> Path:
    """A small clip of the portrait, moving."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=fps)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        for index in range(frames):
            image_rgb = np.ascontiguousarray(portrait()[index * 4 : index * 4 + 120, 100:260])
            for packet in stream.encode(av.VideoFrame.from_ndarray(image_rgb, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode(None):
            container.mux(packet)
    return path


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Ten frames, 0.4 s."""
    return encode(tmp_path / "clip.mp4")


@pytest.fixture
def strange(tmp_path: Path, clip: Path) -> Iterator[dict[str, Path]]:
    """Files that are not videos, by what is wrong with them."""
    files = {name: tmp_path / name for name in ("empty", "text", "playlist", "concat", "cut", "sound", "jpeg", "bomb")}
    files["empty"].touch()
    files["text"].write_text("hello, this is not a video\n" * 50)
    files["playlist"].write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{clip}\n#EXT-X-ENDLIST\n")
    files["concat"].write_text(f"ffconcat version 1.0\nfile '{clip}'\n")
    files["cut"].write_bytes(clip.read_bytes()[:200])
    files["jpeg"].write_bytes(b"\xff\xd8\xff" + b"\0" * 100)
    Image.new("1", (9000, 9000)).save(files["bomb"], format="PNG")
    with av.open(str(files["sound"]), "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=16000)
        assert isinstance(stream, AudioStream)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        sound.sample_rate = 16000
        for packet in (*stream.encode(sound), *stream.encode(None)):
            container.mux(packet)
    files["missing"] = tmp_path / "missing.mp4"
    files["folder"] = tmp_path
    files["nul"] = Path("a\0b")
    files["fifo"] = tmp_path / "fifo"
    os.mkfifo(files["fifo"])
    yield files


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("missing", "does not exist"),
        ("folder", "is a directory"),
        ("fifo", "is not a regular file"),
        ("nul", "cannot be opened"),
        ("empty", "is empty"),
        ("text", "not a video or image of a known format"),
        ("playlist", "not a video or image of a known format"),
        ("concat", "not a video or image of a known format"),
        ("cut", "not a video or image of a known format"),
        ("sound", "has no video in it"),
        ("jpeg", "is damaged"),
        ("bomb", "is too large"),
    ],
)
def test_what_is_not_a_video_is_named(what: str, said: str, strange: dict[str, Path]) -> None:
    """One sentence, and nothing opened in passing."""
    with pytest.raises(UnreadableFile, match=said) as refused:
        read_file(strange[what], "test")

    assert "\n" not in str(refused.value)


def test_every_frame_comes_in_order_from_time_zero(clip: Path) -> None:
    """Numbers and times grow; nothing is left out."""
    with read_file(clip, "test") as frames:
        assert frames.duration_s == pytest.approx(0.4, abs=0.05)
        assert not frames.is_image
        played = list(frames)

    assert [frame.seq for frame in played] == list(range(10))
    assert [frame.pts_s for frame in played] == pytest.approx([0.04 * index for index in range(10)], abs=1e-3)
    assert {frame.size_wh for frame in played} == {(160, 120)}
    assert played[0].stream == "test"


def test_a_file_is_played_once(clip: Path) -> None:
    """A second pass finds nothing, and closing twice is harmless."""
    frames = read_file(clip, "test")
    assert len(list(frames)) == 10

    assert list(frames) == []
    frames.close()


def test_a_damaged_tail_costs_only_the_tail(tmp_path: Path) -> None:
    """What can be decoded is used."""
    whole = encode(tmp_path / "whole.mkv", frames=60)
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])

    with read_file(cut, "test") as frames:
        assert 10 <= len(list(frames)) < 60


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "bmp"])
def test_a_still_picture_is_one_frame(suffix: str, tmp_path: Path) -> None:
    """Of the formats that cameras and phones write."""
    path = tmp_path / f"portrait.{suffix}"
    Image.fromarray(portrait()).save(path)

    with read_file(path, "test") as frames:
        assert frames.is_image
        assert frames.duration_s == 0.0
        (frame,) = frames

    assert frame.size_wh == (512, 512)
    assert np.abs(frame.image_rgb.astype(int) - portrait()).mean() < 6


def test_a_picture_is_turned_as_its_camera_says(tmp_path: Path) -> None:
    """EXIF orientation 6: the camera was held upright."""
    path = tmp_path / "phone.png"
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(portrait()[:100]).save(path, exif=exif)

    with read_file(path, "test") as frames:
        (frame,) = frames

    assert frame.size_wh == (100, 512)


def test_a_video_is_turned_as_its_container_says() -> None:
    """Phones record lying and ask for a rotation."""
    path = CLIPS / "rotated_90_selfie.mp4"
    if not path.exists():
        pytest.skip("the shared clip with a display rotation is not here")

    with read_file(path, "test") as frames:
        assert next(iter(frames)).size_wh == (480, 848)


def test_a_file_is_played_at_its_own_pace(clip: Path) -> None:
    """No picture comes before its time."""
    pictures = [item for item in file_capture(read_file(clip, "test"))(threading.Event()) if isinstance(item, Captured)]

    start_s = pictures[0].arrival_s
    assert len(pictures) == 10
    assert all(item.arrival_s - start_s >= (item.pts_s or 0.0) - 0.005 for item in pictures)


async def test_a_file_source_ends_after_its_last_frame(clip: Path) -> None:
    """It is not live and does not loop."""
    states: States = []
    source = open_source(str(clip), "test", lambda *said: states.append(said))
    await source.start()
    last = -1
    with pytest.raises(EndOfStream):
        async with asyncio.timeout(LIMIT_S):
            while True:
                last = (await source.next_frame()).seq
    await source.close()

    assert not source.live
    assert last == 9
    assert states == [(StreamState.CONNECTING, ""), (StreamState.LIVE, ""), (StreamState.ENDED, "")]
