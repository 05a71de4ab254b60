"""Faces drawn anew by small autoencoders: the texture that neural swaps have and resampling does not imitate.

After RBI (arXiv 2312.08020), which blends reconstructions of an autoencoder into their originals: three networks
with different bottlenecks and different ways up are trained on a pack's own genuine faces, and each packed face is
drawn once by one of them into `resynth.raw`.
"""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, l1_loss

from unmask.models.training.pack import PACK_SIZE, RESYNTH_FILE, Pack, read_pack

PATCH_PX = 128
BATCH = 8
COLOUR_SIGMA_PX = 8.0
KINDS = ("nearest8", "transposed8", "shuffle4")
"""Way up and how often the bottleneck is smaller than the face."""

Progress = Callable[[int, int], None]


class Resynthesiser(nn.Module):
    """A fully convolutional autoencoder of faces.

    Args:
        kind: one of `KINDS`: nearest-neighbour upsampling and convolution, transposed convolution, pixel shuffle.
    """

    def __init__(self, kind: str) -> None:
        super().__init__()
        narrow = {"nearest8": 10, "transposed8": 16, "shuffle4": 3}[kind]
        widths = [24, 48, 96] if kind.endswith("8") else [24, 64]
        down: list[nn.Module] = []
        channels = 3
        for width in widths:
            down += [*_conv(channels, width, 4, 2), *_conv(width, width)]
            channels = width
        self.down = nn.Sequential(*down, nn.Conv2d(channels, narrow, 1), nn.Tanh())
        up = _conv(narrow, channels)
        for width in [*widths[-2::-1], 16]:
            up += [*_up(kind, channels, width), *_conv(width, width)]
            channels = width
        self.up = nn.Sequential(*up, nn.Conv2d(channels, 3, 3, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        """Images (n, 3, h, w) in 0..1, drawn anew; h and w are multiples of 8."""
        code = self.down(images - 0.5)
        if self.training:
            code = code + 0.05 * torch.randn_like(code)
        out: Tensor = self.up(code) + 0.5
        return out


def train_resynthesiser(
    pack: Pack, kind: str, steps: int, seed: int = 0, progress: Progress | None = None
) -> nn.Module:
    """An autoencoder trained on random patches of a pack's faces: absolute error at three scales."""
    torch.manual_seed(seed)
    rng = np.random.default_rng([seed, len(kind), *kind.encode()])
    net = Resynthesiser(kind)
    optimizer = torch.optim.AdamW(net.parameters(), 2e-3, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=steps)
    for step in range(steps):
        images = _patches(pack, rng)
        drawn = net(images)
        loss = sum((l1_loss(avg_pool2d(drawn, k), avg_pool2d(images, k)) for k in (1, 2, 4)), torch.zeros(()))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        if progress:
            progress(step + 1, steps)
    return net.eval()


@torch.inference_mode()
def write_resynthesis(
    pack_folder: Path, nets: list[nn.Module], seed: int = 0, progress: Progress | None = None
) -> None:
    """Draw each packed face by one of the networks into the pack's `resynth.raw`."""
    pack = read_pack(pack_folder)
    which = np.random.default_rng(seed).integers(len(nets), size=len(pack.rows))
    partial = pack_folder / f"{RESYNTH_FILE}.partial"
    with partial.open("wb") as raw:
        for i, face in enumerate(pack.faces):
            image = torch.from_numpy(np.array(face)).permute(2, 0, 1)[None].float() / 255
            drawn = nets[int(which[i])](image)[0].permute(1, 2, 0).numpy() * 255
            raw.write(recoloured(np.asarray(drawn, np.float32), np.array(face)).tobytes())
            if progress:
                progress(i + 1, len(pack.rows))
    partial.replace(pack_folder / RESYNTH_FILE)


def recoloured(drawn: NDArray[np.float32], face_rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A drawn face (n, n, 3) in grey levels with the broad colours of its original, as swap tools match them."""
    lost = cv2.GaussianBlur(face_rgb.astype(np.float32) - drawn, (0, 0), COLOUR_SIGMA_PX)
    return np.clip(drawn + lost + 0.5, 0, 255).astype(np.uint8)


def _patches(pack: Pack, rng: np.random.Generator) -> Tensor:
    rows = rng.integers(len(pack.rows), size=BATCH)
    corners = rng.integers(PACK_SIZE - PATCH_PX, size=(BATCH, 2))
    patches = np.stack(
        [pack.faces[r, y : y + PATCH_PX, x : x + PATCH_PX] for r, (y, x) in zip(rows, corners, strict=True)]
    )
    return torch.from_numpy(patches).permute(0, 3, 1, 2).float() / 255


def _conv(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, kernel, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.SiLU()]


def _up(kind: str, inputs: int, outputs: int) -> list[nn.Module]:
    if kind.startswith("nearest"):
        return [nn.Upsample(scale_factor=2), nn.Conv2d(inputs, outputs, 3, 1, 1)]
    if kind.startswith("transposed"):
        return [nn.ConvTranspose2d(inputs, outputs, 4, 2, 1)]
    return [nn.Conv2d(inputs, 4 * outputs, 3, 1, 1), nn.PixelShuffle(2)]
