"""The script that the engine is compared with: what one writes in an afternoon, with the same weights.

OpenCV reads, MTCNN looks at every full frame, each face is cut out, three networks run one after another. It is meant
to be fair: evaluation mode, no gradients, torch's own choice of threads, a GPU when there is one, faces aligned with
the same function, all faces of a frame in one batch. The ten statistics among the temporal branch's inputs it leaves
at zero, which spares it their cost.

    python benchmarks/peer_script.py clip.mp4
"""

import argparse
import json
import queue
import threading
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import torch
from common import cpu_s
from facenet_pytorch import MTCNN

from unmask.models.align import align_face
from unmask.models.mri import MriNet
from unmask.models.preprocess import normalise
from unmask.models.spatial import SpatialNet
from unmask.models.store import load_into
from unmask.models.temporal import FEATURE_COUNT, TemporalNet

FEED_FPS = 30.0
FIFO_S = 20.0
"""Longer, and the frames that wait fill the memory."""


class DeepfakeScript:
    """Frame in, three probabilities per face out."""

    def __init__(self) -> None:
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.mtcnn = MTCNN(keep_all=True, device=self.device)
        self.spatial = load_into(SpatialNet(), "spatial").to(self.device)
        self.mri = load_into(MriNet(), "mri").to(self.device)
        self.temporal = load_into(TemporalNet(), "temporal").to(self.device)
        self.window: deque[torch.Tensor] = deque(maxlen=32)

    @torch.no_grad()
    def __call__(self, frame_bgr: np.ndarray) -> list[tuple[float, float, float | None]]:
        frame_rgb = cv2.cvtColor(frame_bgr, cv2.COLOR_BGR2RGB)
        boxes, _, landmarks = self.mtcnn.detect(frame_rgb, landmarks=True)
        if boxes is None:
            return []
        crops = np.stack([align_face(frame_rgb, np.asarray(points, np.float32)) for points in landmarks])
        images = torch.from_numpy(normalise(crops)).to(self.device)
        p_spatial, embeddings = self.spatial(images)
        p_mri, _ = self.mri(images)
        self.window.append(torch.nn.functional.pad(embeddings[0], (0, FEATURE_COUNT - embeddings.shape[1])))
        p_temporal = None
        if len(self.window) == 32:
            mask = torch.ones(1, 32, device=self.device)
            p_temporal = float(torch.sigmoid(self.temporal(torch.stack(list(self.window))[None], mask))[0])
        spatial, mri = torch.sigmoid(p_spatial).tolist(), torch.sigmoid(p_mri).tolist()
        return [(spatial[i], mri[i], p_temporal if i == 0 else None) for i in range(len(boxes))]


def frames_of(clip: Path) -> Iterator[np.ndarray]:
    """The clip's frames, again and again."""
    while True:
        capture = cv2.VideoCapture(str(clip))
        found, frame_bgr = capture.read()
        if not found:
            raise SystemExit(f"error: OpenCV cannot read {clip}")
        while found:
            yield frame_bgr
            found, frame_bgr = capture.read()
        capture.release()


def as_fast_as_possible(judge: DeepfakeScript, clip: Path, warm_up: int, count: int) -> dict[str, float]:
    """Analyses `count` frames, every one of them, after some to warm up."""
    frames = frames_of(clip)
    for _ in range(warm_up):
        judge(next(frames))
    start_s, start_cpu_s, faces = time.monotonic(), cpu_s(), 0
    for _ in range(count):
        faces += len(judge(next(frames)))
    return {"frames": count, "faces": faces, "wall_s": time.monotonic() - start_s, "cpu_s": cpu_s() - start_cpu_s}


def fed(judge: DeepfakeScript, clip: Path, seconds: float, newest_wins: bool) -> dict[str, object]:
    """A camera delivers 30 frames a second; latency is from the moment when a frame is due to its result."""
    waiting: queue.Queue[tuple[float, np.ndarray]] = queue.Queue()
    stop = threading.Event()
    begin_s, start_cpu_s = time.monotonic(), cpu_s()

    def camera() -> None:
        for index, frame_bgr in enumerate(frames_of(clip)):
            due_s = begin_s + index / FEED_FPS
            if stop.wait(max(due_s - time.monotonic(), 0.0)):
                return
            if newest_wins:
                while not waiting.empty():
                    waiting.get_nowait()
            waiting.put((due_s, frame_bgr))

    thread = threading.Thread(target=camera)
    thread.start()
    latencies_ms, faces = [], 0
    while time.monotonic() - begin_s < seconds:
        due_s, frame_bgr = waiting.get()
        faces += len(judge(frame_bgr))
        latencies_ms.append((time.monotonic() - due_s) * 1e3)
    stop.set()
    thread.join()
    used_s, wall_s = cpu_s() - start_cpu_s, time.monotonic() - begin_s
    return {
        "frames": len(latencies_ms), "faces": faces, "wall_s": wall_s, "cpu_s": used_s, "latencies_ms": latencies_ms,
        "left_waiting": waiting.qsize(),
    }  # fmt: skip


def main() -> None:
    """Runs the three measurements and prints one JSON object."""
    parser = argparse.ArgumentParser(description="The peer of benchmarks/peer.py.")
    parser.add_argument("clip", type=Path)
    parser.add_argument("--warm-up", type=int, default=40)
    parser.add_argument("--frames", type=int, default=90)
    parser.add_argument("--seconds", type=float, default=15.0)
    asked = parser.parse_args()
    judge = DeepfakeScript()
    result = {
        "device": judge.device,
        "torch_threads": torch.get_num_threads(),
        "throughput": as_fast_as_possible(judge, asked.clip, asked.warm_up, asked.frames),
        "newest": fed(judge, asked.clip, asked.seconds, newest_wins=True),
        "fifo": fed(judge, asked.clip, min(asked.seconds, FIFO_S), newest_wins=False),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
