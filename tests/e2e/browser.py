"""A real server process and a real browser for the tests of the page."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from unmask.stream.source_demo import DemoScene

CHROMIUM = next((path for path in ("/usr/bin/chromium", "/usr/bin/chromium-browser") if Path(path).exists()), None)
CLIP = Path(__file__).parents[3] / "shared" / "data" / "tests" / "one_face_640x360.mp4"
ARTIFACTS = Path(__file__).parents[2] / "artifacts"
SECONDS = 5.0
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--disable-background-networking",
    "--no-first-run",
)

Image = NDArray[np.uint8]


@dataclass
class ServerProcess:
    """A running `unmask serve`."""

    process: "subprocess.Popen[str]"
    url: str

    def get(self, path: str, method: str = "GET") -> Any:
        """The JSON answer of the server, None where it is empty."""
        request = urllib.request.Request(self.url + path, method=method)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=10) as answer:
            content = answer.read()
        return json.loads(content) if content else None

    def text(self, path: str) -> str:
        """The answer of the server as text."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(self.url + path, timeout=10) as answer:
            return str(answer.read(), "utf-8")

    def streams(self) -> dict[str, dict[str, Any]]:
        """The server's streams by name."""
        return {stream["name"]: stream for stream in self.get("/api/streams")["streams"]}

    def stop(self) -> int:
        """Asks the server to end, and gives its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(90)


@contextlib.contextmanager
def server(*arguments: str, port: int = 0) -> Iterator[ServerProcess]:
    """`unmask serve` on a free port."""
    command = [sys.executable, "-c", "from unmask.stream.cli import main; main()", "serve", "--port", str(port)]
    process = subprocess.Popen([*command, *arguments], stdout=subprocess.PIPE, text=True, env=dict(os.environ))
    assert process.stdout is not None
    try:
        first = process.stdout.readline()
        found = re.search(r"http://\S+?(?=/)", first)
        assert found is not None, f"the server said: {first!r}"
        running = ServerProcess(process, found.group())
        wait_for(lambda: running.get("/readyz")["ready"])
        yield running
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(30)
        process.stdout.close()


def wait_for(holds: Callable[[], Any], seconds: float = 60.0) -> Any:
    """The first true value of `holds`; fails after `seconds`."""
    deadline_s = time.monotonic() + seconds
    while True:
        with contextlib.suppress(OSError):
            value = holds()
            if value:
                return value
        assert time.monotonic() < deadline_s, "it does not hold in time"
        time.sleep(0.1)


def camera_pictures() -> list[Image]:
    """Five seconds of one face, 640 pixels wide: a real clip where there is one, a moved photograph otherwise."""
    if not CLIP.exists():
        scene = DemoScene()
        return [scene.picture_rgb(index / 20) for index in range(int(SECONDS * 20))]
    with av.open(str(CLIP)) as container:
        pictures = []
        for picture in container.decode(container.streams.video[0]):
            if picture.time is not None and picture.time > SECONDS:
                break
            pictures.append(np.asarray(picture.reformat(width=640, height=360).to_ndarray(format="rgb24"), np.uint8))
    return pictures


def write_y4m(pictures: list[Image], path: Path) -> None:
    """Writes pictures as the raw video that Chromium plays as its camera."""
    height, width = pictures[0].shape[:2]
    with path.open("wb") as file:
        file.write(f"YUV4MPEG2 W{width} H{height} F20:1 Ip A1:1 C420jpeg\n".encode())
        for image_rgb in pictures:
            planes = av.VideoFrame.from_ndarray(image_rgb, format="rgb24").to_ndarray(format="yuv420p")
            file.write(b"FRAME\n" + planes.tobytes())


def overlap(first: list[float], second: list[float]) -> float:
    """Intersection over union of two boxes."""
    left, top = max(first[0], second[0]), max(first[1], second[1])
    right, bottom = min(first[2], second[2]), min(first[3], second[3])
    shared = max(0.0, right - left) * max(0.0, bottom - top)
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (first, second))
    return shared / (areas - shared)
