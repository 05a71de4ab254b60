"""A clip of one moving face for machines without recordings: a public-domain photograph, moved, scaled, with noise."""

from fractions import Fraction
from pathlib import Path

import av
from av.video.stream import VideoStream

from unmask.stream.source_demo import TURN_S, DemoScene

FPS = 30


def face_clip(path: Path, seconds: float = 10.0, size_wh: tuple[int, int] = (1280, 720)) -> Path:
    """Writes an H.264 clip of a genuine face, 30 frames a second."""
    scene = DemoScene(size_wh)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"preset": "veryfast", "crf": "23"})
        if not isinstance(stream, VideoStream):
            raise SystemExit("error: this PyAV cannot write H.264")
        stream.width, stream.height, stream.pix_fmt = *size_wh, "yuv420p"
        for index in range(round(seconds * FPS)):
            there_and_back_s = TURN_S - 0.1 - abs((index / FPS) % (2 * TURN_S - 0.2) - TURN_S + 0.1)
            picture = av.VideoFrame.from_ndarray(scene.picture_rgb(there_and_back_s), format="rgb24")
            picture.pts, picture.time_base = index, Fraction(1, FPS)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return path
