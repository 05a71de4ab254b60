"""Local videos and pictures: `read_file` for a whole file, `file_capture` to play one at its own pace."""

import stat
import threading
import time
import warnings
from collections.abc import Generator, Iterator
from pathlib import Path
from types import TracebackType

import av
import numpy as np
from av.container import InputContainer
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from unmask.models.video import PictureMaker
from unmask.pipeline.errors import UnreadableFile
from unmask.pipeline.picture import ArrayPicture, Picture
from unmask.pipeline.types import Frame
from unmask.stream.decoding import set_up
from unmask.stream.source_base import Capture, Captured, Unusable

IMAGE_FORMATS = ("JPEG", "PNG", "WEBP", "BMP")
IMAGE_MAGIC = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"BM")
MOST_PIXELS = 64_000_000
"""Of one picture: what a phone takes, far below what exhausts the memory."""
CONTAINERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,flv,asf,ogg,gif,ivf,mxf,nut,dv,"
    "h264,hevc,av1,obu,m4v,mjpeg,yuv4mpegpipe,rm,wtv"
)
"""Formats that hold their own pictures: no playlist, no script, nothing that names other files or addresses."""
OPTIONS = {"protocol_whitelist": "file", "format_whitelist": CONTAINERS}
MOST_BAD_PACKETS = 1000
_Picture = tuple[float, Picture]


class FileFrames:
    """The frames of one file in order, upright, once through; closes itself at the end.

    Attributes:
        duration_s: of the video as its container says, 0 for a still picture or where it does not say.
        is_image: whether the file is a still picture.
        skipped: packets that could not be decoded so far.
    """

    def __init__(self, path: Path, stream: str) -> None:
        self.path = path
        self.stream = stream
        self.skipped = 0
        self.is_image = _is_image(_check(path))
        self._container = None if self.is_image else _open_container(path)
        self.duration_s = (self._container.duration or 0) / av.time_base if self._container else 0.0
        self._pictures = self._decode(self._container) if self._container else _still(path)
        try:
            self._first: _Picture | None = next(self._pictures)
        except StopIteration:
            self.close()
            raise UnreadableFile(f"{path} holds no picture that can be decoded") from None

    def __iter__(self) -> Iterator[Frame]:
        for seq, (pts_s, picture) in enumerate(self.pictures()):
            now_s = time.monotonic()
            yield Frame(picture, pts_s, now_s, now_s, self.stream, seq)

    def pictures(self) -> Iterator[_Picture]:
        """(seconds since the first picture, the picture) of every picture, not converted yet."""
        if self._first is None:
            return
        (start_s, picture), self._first = self._first, None
        last_s = 0.0
        yield last_s, picture
        for pts_s, picture in self._pictures:
            last_s = max(pts_s - start_s, last_s + 1e-4)
            yield last_s, picture
        self.close()

    def close(self) -> None:
        """Closes the file; closing again is harmless."""
        self._pictures.close()
        if self._container is not None:
            self._container.close()

    def __enter__(self) -> "FileFrames":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _decode(self, container: InputContainer) -> Generator[_Picture, None, None]:
        stream = container.streams.video[0]
        set_up(stream.codec_context, "file")
        make = PictureMaker()
        step_s = 1.0 / float(stream.average_rate or 25)
        pts_s = -step_s
        packets = container.demux(stream)
        while self.skipped < MOST_BAD_PACKETS:
            try:
                packet = next(packets)
                frames = packet.decode()
            except StopIteration:
                return
            except av.FFmpegError:
                self.skipped += 1
                continue
            for frame in frames:
                pts_s = pts_s + step_s if frame.time is None else frame.time
                yield pts_s, make(frame)


def read_file(path: Path, stream: str) -> FileFrames:
    """The frames of a local video or still picture, whole, upright.

    Raises:
        UnreadableFile: missing, empty, a directory, not a video or image, or nothing in it can be decoded.
    """
    return FileFrames(path, stream)


def file_capture(frames: FileFrames) -> Capture:
    """Plays the frames at the pace of their times, once."""

    def capture(stop: threading.Event) -> Generator[Captured | Unusable, None, None]:
        with frames:
            start_s = time.monotonic()
            for pts_s, picture in frames.pictures():
                if stop.wait(max(start_s + pts_s - time.monotonic(), 0.0)):
                    return
                picture.thumb()
                yield Captured(picture, pts_s, time.monotonic())

    return capture


def _check(path: Path) -> bytes:
    """The first bytes of a regular file that is not empty."""
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise UnreadableFile(f"{path} is a directory, not a file")
        if not stat.S_ISREG(mode):
            raise UnreadableFile(f"{path} is not a regular file")
        with path.open("rb") as file:
            head = file.read(64)
    except FileNotFoundError:
        raise UnreadableFile(f"{path} does not exist") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a usable name"
        raise UnreadableFile(f"{path} cannot be opened: {reason}") from None
    if not head:
        raise UnreadableFile(f"{path} is empty")
    return head


def _is_image(head: bytes) -> bool:
    return head.startswith(IMAGE_MAGIC) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")


def _still(path: Path) -> Generator[_Picture, None, None]:
    yield 0.0, ArrayPicture(_read_image(path))


def _read_image(path: Path) -> NDArray[np.uint8]:
    """A still picture, turned as its EXIF orientation says."""
    try:
        with warnings.catch_warnings(action="ignore", category=Image.DecompressionBombWarning):
            image = Image.open(path, formats=IMAGE_FORMATS)
        with image:
            if image.width * image.height > MOST_PIXELS:
                raise UnreadableFile(f"{path} is too large: more than {MOST_PIXELS // 1_000_000} million pixels")
            return np.array(ImageOps.exif_transpose(image).convert("RGB"), np.uint8)
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        raise UnreadableFile(f"{path} is damaged: the picture cannot be decoded") from None


def _open_container(path: Path) -> InputContainer:
    try:
        container = av.open(f"file:{path.resolve()}", options=OPTIONS)
    except av.FFmpegError:
        raise UnreadableFile(f"{path} is not a video or image of a known format") from None
    if not container.streams.video:
        container.close()
        raise UnreadableFile(f"{path} has no video in it")
    return container
