"""Pictures for the fake camera of the overlay's measurements: every frame shows its own number in blocks."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np
import skimage.data
from numpy.typing import NDArray

FPS = 25
CODE_BITS, CHECK_BITS, BLOCK_PX = 12, 4, 16
SIZE_WH = (640, 360)
PERIOD_FRAMES, REACH_PX = 140, 170
"""A moving face goes there and back in so many frames, so far to each side."""
TURN_FRAMES = 6
"""Around the turning points the place does not tell the time."""

Image = NDArray[np.uint8]


def paint_number(image_rgb: Image, number: int) -> None:
    """Paints a frame's number (0..4095) and a check sum into the top left corner, 256 x 16 px."""
    code = number | check_sum(number) << CODE_BITS
    bits = code >> np.arange(CODE_BITS + CHECK_BITS) & 1
    image_rgb[:BLOCK_PX, : len(bits) * BLOCK_PX] = np.repeat(bits * 255, BLOCK_PX).astype(np.uint8)[None, :, None]


def check_sum(number: int) -> int:
    """Four bits that differ from those of the neighbouring numbers."""
    return (number * 7 + (number >> 4) * 5 + (number >> 8) * 3 + 9) & 15


def portrait() -> Image:
    """A public-domain photograph's head and shoulders, (308, 253, 3), with a face of about 97 px."""
    astronaut = np.asarray(skimage.data.astronaut(), np.uint8)  # type: ignore[no-untyped-call]
    return np.asarray(cv2.resize(astronaut[10:290, 110:340], None, fx=1.1, fy=1.1), np.uint8)


def face_x(number: int) -> float:
    """How far right of the picture's middle the moving face's picture is, in pixels: there and back, steadily."""
    share = number % PERIOD_FRAMES / PERIOD_FRAMES
    return REACH_PX * (4 * abs(share - 0.5) - 1)


def direction(number: int) -> int:
    """-1 or 1: where the face is going; 0 near a turning point."""
    phase = number % PERIOD_FRAMES
    if min(abs(phase - turn) for turn in (0, PERIOD_FRAMES // 2, PERIOD_FRAMES)) < TURN_FRAMES:
        return 0
    return -1 if phase < PERIOD_FRAMES / 2 else 1


SPEED_PX_S = 4 * REACH_PX / PERIOD_FRAMES * FPS


def moving_face(frames: int) -> Iterable[Image]:
    """So many frames of the moving face, each with its number."""
    width, height = SIZE_WH
    face = portrait()
    back = np.random.default_rng(0).integers(60, 140, (height // 40, width // 40, 3), np.uint8)
    room = np.asarray(cv2.resize(back, SIZE_WH, interpolation=cv2.INTER_CUBIC), np.uint8)
    top = height - face.shape[0]
    for number in range(frames):
        image_rgb = room.copy()
        matrix = np.array([[1, 0, width / 2 - face.shape[1] / 2 + face_x(number)], [0, 1, top]], np.float32)
        cv2.warpAffine(face, matrix, SIZE_WH, dst=image_rgb, borderMode=cv2.BORDER_TRANSPARENT)
        paint_number(image_rgb, number)
        yield image_rgb


def crowd(frames: int, size_wh: tuple[int, int] = (1280, 720)) -> Iterable[Image]:
    """Eight faces in two rows that sway a little, each frame with its number."""
    width, height = size_wh
    face = portrait()
    for number in range(frames):
        image_rgb = np.full((height, width, 3), 96, np.uint8)
        for place in range(8):
            sway = 6 * np.sin(number / 8 + place)
            left = width // 4 * (place % 4) + (width // 4 - face.shape[1]) // 2 + round(float(sway))
            top = height // 2 * (place // 4) + 30
            image_rgb[top : top + face.shape[0], left : left + face.shape[1]] = face
        paint_number(image_rgb, number)
        yield image_rgb


@dataclass(frozen=True, slots=True)
class Splice:
    """Frames that are genuine, then swapped, then genuine; the swap starts and ends at these numbers."""

    frames_rgb: list[Image]
    starts: int
    ends: int


def splice(
    genuine: Sequence[Image], swapped: Sequence[Image], before_s: float, swap_s: float, after_s: float
) -> Splice:
    """Plays two frame-aligned clips to and fro and cuts from one to the other and back, numbers painted in."""
    starts, ends = round(before_s * FPS), round((before_s + swap_s) * FPS)
    frames = []
    turning = min(len(genuine), len(swapped)) - 1
    for number in range(ends + round(after_s * FPS)):
        place = turning - abs(number % (2 * turning) - turning)
        image_rgb = np.array((swapped if starts <= number < ends else genuine)[place])
        paint_number(image_rgb, number)
        frames.append(image_rgb)
    return Splice(frames, starts, ends)


def read_clip(path: Path, seconds: float) -> list[Image]:
    """The first seconds of a clip at 25 frames a second, 640 px wide.

    Raises:
        av.FFmpegError: it cannot be read.
    """
    frames: list[Image] = []
    with av.open(str(path)) as container:
        for picture in container.decode(video=0):
            at_s = float(picture.time or 0.0)
            if at_s >= seconds:
                break
            while len(frames) / FPS <= at_s:
                height = round(picture.height * SIZE_WH[0] / picture.width) // 2 * 2
                rgb = picture.reformat(width=SIZE_WH[0], height=height).to_ndarray(format="rgb24")
                frames.append(np.asarray(rgb, np.uint8))
    return frames


def write_y4m(frames_rgb: Iterable[Image], path: Path) -> int:
    """Writes the raw video that Chromium plays as its camera, in a loop; gives the number of frames."""
    count = 0
    with path.open("wb") as file:
        for image_rgb in frames_rgb:
            if not count:
                height, width = image_rgb.shape[:2]
                file.write(f"YUV4MPEG2 W{width} H{height} F{FPS}:1 Ip A1:1 C420jpeg\n".encode())
            planes = av.VideoFrame.from_ndarray(image_rgb, format="rgb24").to_ndarray(format="yuv420p")
            file.write(b"FRAME\n" + planes.tobytes())
            count += 1
    return count


def write_mp4(frames_rgb: Iterable[Image], path: Path) -> None:
    """Writes an H.264 file for a server's stream."""
    with av.open(str(path), "w") as container:
        stream = None
        for image_rgb in frames_rgb:
            if stream is None:
                height, width = image_rgb.shape[:2]
                stream = container.add_stream("libx264", rate=FPS, options={"crf": "18", "preset": "veryfast"})
                stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image_rgb, format="rgb24")))
        if stream is not None:
            container.mux(stream.encode())
