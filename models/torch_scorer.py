"""The per-frame branches in plain PyTorch on the CPU: slow, for comparison."""

import numpy as np
import torch
from numpy.typing import NDArray

from unmask.models.per_frame import PerFrameNet
from unmask.models.scoring import CropScores


class TorchScorer:
    """A `CropScorer` without any compilation; runs in `submit`."""

    max_batch = 16
    max_wait_s = 0.0
    lanes = 1

    def __init__(self, net: PerFrameNet) -> None:
        self._net = net

    @torch.inference_mode()
    def submit(self, crops_rgb: NDArray[np.uint8], with_mri: bool = True) -> "_Done":
        """See `CropScorer`."""
        answers = self._net(torch.from_numpy(np.ascontiguousarray(crops_rgb)))
        found = {field: answer.numpy() for field, answer in zip(self._net.outputs, answers, strict=True)}
        if not with_mri:
            found = {field: value for field, value in found.items() if field not in ("mri", "maps")}
        return _Done(CropScores(*(found.get(field) for field in CropScores.__dataclass_fields__)))

    def close(self) -> None:
        """Nothing to free."""


class _Done:
    def __init__(self, scores: CropScores) -> None:
        self._scores = scores

    def result(self) -> CropScores:
        return self._scores
