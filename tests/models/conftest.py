"""A pack small enough for training in a test."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from tests.build import portrait
from unmask.models.training import collect
from unmask.models.training.pack import write_pack


@pytest.fixture(scope="session")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pack of eight versions of one portrait, each its own group."""
    folder = tmp_path_factory.mktemp("images")
    for i in range(8):
        image = np.clip(portrait()[:300, 80:380].astype(int) + 6 * i - 20, 0, 255).astype(np.uint8)
        cv2.imwrite(str(folder / f"{i}.png"), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    (folder / "not_an_image.png").write_text("no")
    out = tmp_path_factory.mktemp("pack")
    assert write_pack(collect.images(folder), [], out) == 8
    return out


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)
