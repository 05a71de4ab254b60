"""All networks of one device behind one door, shared by all streams."""

import hashlib
import os
import threading
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmask.models.batcher import Batcher, BatcherStats
from unmask.models.cpu_scorer import CpuScorer
from unmask.models.cuda_runtime import CudaScorer
from unmask.models.errors import WeightsError
from unmask.models.mri import MriNet
from unmask.models.mtcnn import Detection, FaceFinder, Search
from unmask.models.per_frame import PerFrameNet
from unmask.models.preprocess import WINDOW_STEPS
from unmask.models.runtime import Runner, open_runner, pick_device, use_one_torch_thread
from unmask.models.scoring import CropScorer, CropScores
from unmask.models.spatial import SpatialNet
from unmask.models.store import SHIPPED_DIR, Calibration, load_calibration, load_into, read_manifest
from unmask.models.temporal import FEATURE_COUNT, TemporalNet
from unmask.models.together import Together
from unmask.models.torch_scorer import TorchScorer

BRANCHES = ("spatial", "mri", "temporal")
MOST_FRAMES = 16
"""Frames whose faces are followed in one go."""
DEVICE_NAMES = {"cpu": "cpu (OpenVINO)", "cuda": "cuda (PyTorch)", "torch-cpu": "cpu (PyTorch)"}


class Engine:
    """Finds faces and scores crops and windows. Thread-safe: crops of all callers are gathered into batches.

    Use as a context manager, or call `close`.
    """

    def __init__(
        self,
        finder: FaceFinder,
        scorer: CropScorer | None,
        temporal: Runner | None,
        device: str,
        folder: Path,
        calibration: Calibration | None = None,
    ) -> None:
        manifest = read_manifest(folder)
        turn = threading.Lock()
        self._find = Together(finder.find_all, finder.at_once, turn)
        self._refine = Together(finder.refine_all, MOST_FRAMES, turn)
        self._scorer = scorer
        self._batcher = Batcher(scorer) if scorer else None
        self._temporal = temporal
        self._judging = threading.Lock()
        self.device = device
        self.branches = tuple(b for b in BRANCHES if b in manifest)
        self.calibration = calibration or load_calibration(folder)
        self.weights_sha256 = {name: str(manifest[name]["sha256"]) for name in self.branches}

    @classmethod
    def open(
        cls,
        device: str = "auto",
        weights_dir: Path | None = None,
        calibration: Calibration | None = None,
        precision: str = "fp32",
    ) -> "Engine":
        """Load, verify and compile every shipped network.

        Args:
            calibration: to use instead of the folder's own, which need not exist then.
            precision: `fp32`, or `bf16` for the per-frame branches on a CPU: faster where the CPU has it, and
                probabilities move by a few hundredths.

        Raises:
            WeightsError: weights are missing, altered or of another version.
            DeviceError: the device is unknown or not there.
        """
        folder = weights_dir or SHIPPED_DIR
        device = pick_device(device)
        manifest = read_manifest(folder)
        if not any(name in manifest for name in BRANCHES):
            raise WeightsError(f"no branch has weights in {folder}")
        temporal = None
        if "temporal" in manifest:
            net = load_into(TemporalNet(), "temporal", folder)
            window = np.zeros((1, WINDOW_STEPS, FEATURE_COUNT), np.float32)
            mask = np.ones((1, WINDOW_STEPS), np.float32)
            temporal = open_runner(net, (window, mask), device, str(manifest["temporal"]["sha256"])[:32])
        scorer = _open_scorer(device, folder, manifest, precision)
        if device == "cpu":
            use_one_torch_thread()
        finder = FaceFinder(device)
        return cls(finder, scorer, temporal, DEVICE_NAMES[device], folder, calibration)

    @property
    def stats(self) -> BatcherStats | None:
        """What the per-frame branches have done so far; None without them."""
        return self._batcher.stats if self._batcher else None

    def find_faces(self, image_rgb: NDArray[np.uint8], long_side: int, min_face_px: int) -> list[Detection]:
        """See `FaceFinder.find_all`; frames of several threads are searched together."""
        return self._find(Search(image_rgb, long_side, min_face_px))

    def refine_faces(self, image_rgb: NDArray[np.uint8], boxes_xyxy: NDArray[np.float32]) -> list[Detection]:
        """See `FaceFinder.refine_all`; faces of several threads are followed together."""
        return self._refine((image_rgb, boxes_xyxy))

    def score_crops(self, crops_rgb: NDArray[np.uint8], stream: str = "", with_mri: bool = True) -> CropScores:
        """Run the spatial and the MRI branch on aligned crops (n, 256, 256, 3), n >= 1.

        Args:
            stream: whose crops these are; streams take turns.
            with_mri: False leaves the MRI branch out.

        Raises:
            BusyError, CancelledWork, DeviceError: see `Batcher.score`.
        """
        if self._batcher is None:
            return CropScores(None, None, None, None)
        return self._batcher.score(crops_rgb, stream, with_mri)

    def score_windows(self, features: NDArray[np.float32], mask: NDArray[np.float32]) -> NDArray[np.float32] | None:
        """Temporal logits (n,) of windows (n, 32, 1290) with mask (n, 32); None without temporal weights."""
        if self._temporal is None:
            return None
        with self._judging:
            return self._temporal(features, mask)[0].reshape(-1)

    def forget(self, stream: str) -> None:
        """Drop what waits for a stream that has gone."""
        if self._batcher is not None:
            self._batcher.cancel(stream)

    def close(self) -> None:
        """Free the networks."""
        if self._batcher is not None:
            self._batcher.close()
        if self._scorer is not None:
            self._scorer.close()
        with self._judging:
            self._temporal = None

    def __enter__(self) -> "Engine":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _open_scorer(device: str, folder: Path, manifest: dict[str, dict[str, Any]], precision: str) -> CropScorer | None:
    spatial, mri = SpatialNet(), MriNet()
    present = [name for name in ("spatial", "mri") if name in manifest]
    for name in present:
        load_into(spatial if name == "spatial" else mri, name, folder)
    if not present:
        return None
    full = PerFrameNet(spatial if "spatial" in present else None, mri if "mri" in present else None).eval()
    alone = PerFrameNet(spatial, None).eval() if len(present) == 2 else None
    if device == "cuda":
        return CudaScorer(full, alone)
    if device == "torch-cpu":
        return TorchScorer(full)
    key = hashlib.sha256("".join(str(manifest[name]["sha256"]) for name in present).encode()).hexdigest()
    return CpuScorer(full, alone, key, threads=os.cpu_count() or 1, bf16=precision == "bf16")
