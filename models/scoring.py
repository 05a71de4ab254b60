"""What a runtime of the per-frame branches offers: batches of crops in, `CropScores` out."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class CropScores:
    """What the per-frame branches say of n crops; a branch that was not run is None.

    Attributes:
        spatial, mri: (n,) uncalibrated logits.
        embeddings: (n, 1280) spatial features.
        maps: (n, 56, 56) in 0..1, where the face looks synthesised.
    """

    spatial: NDArray[np.float32] | None
    embeddings: NDArray[np.float32] | None
    mri: NDArray[np.float32] | None
    maps: NDArray[np.float32] | None

    def part(self, start: int, stop: int) -> "CropScores":
        """The scores of crops `start` to `stop`."""
        return CropScores(*(None if v is None else v[start:stop] for v in self._values()))

    @staticmethod
    def joined(parts: "list[CropScores]") -> "CropScores":
        """The scores of several batches one after another; a branch that one of them lacks is None."""
        if len(parts) == 1:
            return parts[0]
        columns = zip(*(p._values() for p in parts), strict=True)
        return CropScores(*(_concatenated(list(column)) for column in columns))

    def _values(self) -> tuple[NDArray[np.float32] | None, ...]:
        return self.spatial, self.embeddings, self.mri, self.maps


class Pending(Protocol):
    """A batch at work."""

    def result(self) -> CropScores:
        """Waits for the batch.

        Raises:
            DeviceError: it failed, or was not done within a few seconds.
        """


class CropScorer(Protocol):
    """Runs the per-frame branches; for one thread at a time.

    Attributes:
        max_batch: crops in the largest batch.
    """

    max_batch: int

    def submit(self, crops_rgb: NDArray[np.uint8]) -> Pending:
        """Queues crops (n, 256, 256, 3), 1 <= n <= max_batch; at most two batches may be in flight."""

    def close(self) -> None:
        """Frees the networks."""


def _concatenated(parts: list[NDArray[np.float32] | None]) -> NDArray[np.float32] | None:
    present = [p for p in parts if p is not None]
    return np.concatenate(present) if present and len(present) == len(parts) else None
