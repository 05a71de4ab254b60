"""All networks of one device behind one door, shared by all streams."""

import threading
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from unmask.models.errors import WeightsError
from unmask.models.mri import MriNet
from unmask.models.mtcnn import Detection, FaceFinder
from unmask.models.preprocess import WINDOW_STEPS, spatial_input
from unmask.models.runtime import Runner, open_runner, pick_device, use_one_torch_thread
from unmask.models.spatial import SpatialNet
from unmask.models.store import SHIPPED_DIR, Calibration, load_calibration, load_into, read_manifest
from unmask.models.temporal import FEATURE_COUNT, TemporalNet

BRANCHES = ("spatial", "mri", "temporal")
MAX_BATCH = 16


@dataclass(frozen=True, slots=True)
class CropScores:
    """What the per-frame branches say of n crops; a branch without weights is None.

    Attributes:
        spatial, mri: (n,) uncalibrated logits.
        embeddings: (n, 1280) spatial features.
        maps: (n, 56, 56) in 0..1, where the face looks synthesised.
    """

    spatial: NDArray[np.float32] | None
    embeddings: NDArray[np.float32] | None
    mri: NDArray[np.float32] | None
    maps: NDArray[np.float32] | None


class Engine:
    """Finds faces and scores crops and windows. Thread-safe: one call runs at a time.

    Use as a context manager, or call `close`.
    """

    def __init__(
        self,
        finder: FaceFinder,
        runners: dict[str, Runner],
        device: str,
        folder: Path,
        calibration: Calibration | None = None,
    ) -> None:
        self._finder = finder
        self._runners = runners
        self._lock = threading.Lock()
        self.device = device
        self.branches = tuple(b for b in BRANCHES if b in runners)
        self.calibration = calibration or load_calibration(folder)
        manifest = read_manifest(folder)
        self.weights_sha256 = {name: str(manifest[name]["sha256"]) for name in self.branches}

    @classmethod
    def open(
        cls, device: str = "auto", weights_dir: Path | None = None, calibration: Calibration | None = None
    ) -> "Engine":
        """Load, verify and compile every shipped network.

        Args:
            calibration: to use instead of the folder's own, which need not exist then.

        Raises:
            WeightsError: weights are missing, altered or of another version.
            DeviceError: the device is unknown or not there.
        """
        folder = weights_dir or SHIPPED_DIR
        device = pick_device(device)
        manifest = read_manifest(folder)
        image = np.zeros((1, 3, 224, 224), np.float32)
        window = (np.zeros((1, WINDOW_STEPS, FEATURE_COUNT), np.float32), np.ones((1, WINDOW_STEPS), np.float32))
        nets = {"spatial": (SpatialNet, (image,)), "mri": (MriNet, (image,)), "temporal": (TemporalNet, window)}
        runners = {
            name: open_runner(load_into(net(), name, folder), examples, device, str(manifest[name]["sha256"]))
            for name, (net, examples) in nets.items()
            if name in manifest
        }
        if not runners:
            raise WeightsError(f"no branch has weights in {folder}")
        if device == "cpu":
            use_one_torch_thread()
        finder = FaceFinder("cuda" if device == "cuda" else "cpu")
        names = {"cpu": "cpu (OpenVINO)", "cuda": "cuda (PyTorch)", "torch-cpu": "cpu (PyTorch)"}
        return cls(finder, runners, names[device], folder, calibration)

    def find_faces(self, image_rgb: NDArray[np.uint8], long_side: int, min_face_px: int) -> list[Detection]:
        """See `FaceFinder.find`."""
        with self._lock:
            return self._finder.find(image_rgb, long_side, min_face_px)

    def refine_faces(self, image_rgb: NDArray[np.uint8], boxes_xyxy: NDArray[np.float32]) -> list[Detection]:
        """See `FaceFinder.refine`."""
        with self._lock:
            return self._finder.refine(image_rgb, boxes_xyxy)

    def score_crops(self, crops_rgb: NDArray[np.uint8]) -> CropScores:
        """Run the spatial and the MRI branch on aligned crops (n, 256, 256, 3), n >= 1."""
        parts = [self._score_batch(crops_rgb[i : i + MAX_BATCH]) for i in range(0, len(crops_rgb), MAX_BATCH)]
        if len(parts) == 1:
            return parts[0]
        return CropScores(*(_join([getattr(p, name) for p in parts]) for name in CropScores.__dataclass_fields__))

    def score_windows(self, features: NDArray[np.float32], mask: NDArray[np.float32]) -> NDArray[np.float32] | None:
        """Temporal logits (n,) of windows (n, 32, 1290) with mask (n, 32); None without temporal weights."""
        runner = self._runners.get("temporal")
        if runner is None:
            return None
        with self._lock:
            return runner(features, mask)[0].reshape(-1)

    def close(self) -> None:
        """Free the networks."""
        with self._lock:
            self._runners.clear()

    def __enter__(self) -> "Engine":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _score_batch(self, crops_rgb: NDArray[np.uint8]) -> CropScores:
        images = spatial_input(crops_rgb)
        spatial = embeddings = mri = maps = None
        with self._lock:
            if "spatial" in self._runners:
                spatial, embeddings = self._runners["spatial"](images)
            if "mri" in self._runners:
                mri, maps = self._runners["mri"](images)
        return CropScores(
            spatial=None if spatial is None else spatial.reshape(-1),
            embeddings=embeddings,
            mri=None if mri is None else mri.reshape(-1),
            maps=maps,
        )


def _join(parts: list[NDArray[np.float32] | None]) -> NDArray[np.float32] | None:
    present = [p for p in parts if p is not None]
    return np.concatenate(present) if len(present) == len(parts) else None
