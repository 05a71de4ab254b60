"""H.264 clips for the live tests: a shared real one where it exists, otherwise one made from the demo's picture."""

from pathlib import Path

import av
from av.video.stream import VideoStream

from unmask.stream.source_demo import DemoScene

SHARED = Path(__file__).parents[3] / "shared" / "data" / "tests"


def face_clip(folder: Path, seconds: float = 60.0) -> Path:
    """A clip of one talking or moving face, at least `seconds` long."""
    shared = SHARED / "talking_face_200s.mp4"
    if shared.exists():
        return shared
    return demo_clip(folder, seconds, "face.mp4")


def demo_clip(folder: Path, seconds: float, name: str = "demo.mp4") -> Path:
    """A clip of the demo's picture, which holds the face of a public-domain photograph."""
    path = folder / name
    scene = DemoScene()
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"preset": "ultrafast", "tune": "zerolatency"})
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = *scene.size_wh, "yuv420p"
        for index in range(int(seconds * 25)):
            picture = av.VideoFrame.from_ndarray(scene.picture_rgb(index / 25 % 8), format="rgb24")
            for packet in stream.encode(picture):
                container.mux(packet)
        for packet in stream.encode(None):
            container.mux(packet)
    return path
