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
        maps: (n, 64, 64) in 0..1, where the face looks synthesised.
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
    """Runs the per-frame branches; `submit` is called by one thread at a time, `result` by any.

    Attributes:
        max_batch: crops in the largest batch.
        lanes: batches that may be in flight at a time.
        max_wait_s: how long it pays to wait for a larger batch; 0 where batches are no faster than single crops.
    """

    max_batch: int
    lanes: int
    max_wait_s: float

    def submit(self, crops_rgb: NDArray[np.uint8], with_mri: bool = True) -> Pending:
        """Queues crops (n, 256, 256, 3), 1 <= n <= max_batch.

        Args:
            with_mri: False leaves the MRI branch out.
        """

    def close(self) -> None:
        """Frees the networks."""


def _concatenated(parts: list[NDArray[np.float32] | None]) -> NDArray[np.float32] | None:
    present = [p for p in parts if p is not None]
    return np.concatenate(present) if present and len(present) == len(parts) else None
