"""Faces drawn anew by small autoencoders: the texture that neural swaps have and resampling does not imitate.

After RBI (arXiv 2312.08020), which blends reconstructions of an autoencoder into their originals: three networks
with different bottlenecks and different ways up are trained on a pack's own genuine faces, and each packed face is
drawn once by one of them into `resynth.raw`.
"""

import hashlib
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, l1_loss

from unmask.models.errors import TrainingFailed, UsageError
from unmask.models.training.loop import device_of, training_device
from unmask.models.training.pack import PACK_SIZE, RESYNTH_FILE, Pack, read_pack

PATCH_PX = 128
BATCH = 8
COLOUR_SIGMA_PX = 8.0
FOLDER = "resynth"
SAVE_EVERY = 50
SEED = 0
FACE_BYTES = PACK_SIZE * PACK_SIZE * 3
KINDS = ("nearest8", "transposed8", "shuffle4")
"""Way up and how often the bottleneck is smaller than the face."""

Drawer = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]
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
    pack: Pack, kind: str, steps: int, progress: Progress | None = None, checkpoint: Path | None = None
) -> nn.Module:
    """An autoencoder trained on random patches of a pack's faces: absolute error at three scales.

    Args:
        checkpoint: file to go on from and to keep the network in; nothing is kept when None.

    Raises:
        UsageError: the checkpoint is of a run of another length, or of another pack.
        TrainingFailed: the loss is no number any more.
    """
    torch.manual_seed(SEED)
    device = training_device()
    net = Resynthesiser(kind).to(device)
    optimizer = torch.optim.AdamW(net.parameters(), 2e-3, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=steps)
    parts = {"net": net, "optimizer": optimizer, "schedule": schedule}
    length = {"steps": steps, "faces": len(pack.rows)}
    for step in range(_resume(checkpoint, parts, length), steps):
        images = _patches(pack, np.random.default_rng([SEED, step, *kind.encode()])).to(device)
        drawn = net(images)
        loss = torch.stack([l1_loss(avg_pool2d(drawn, k), avg_pool2d(images, k)) for k in (1, 2, 4)]).sum()
        if not math.isfinite(loss.item()):
            raise TrainingFailed(f"the loss of autoencoder {kind} is no number any more (step {step})")
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        if checkpoint and ((step + 1) % SAVE_EVERY == 0 or step + 1 == steps):
            _save(checkpoint, parts, {**length, "step": step + 1})
        if progress:
            progress(step + 1, steps)
    return net.eval()


def train_all(pack_folder: Path, steps: int, progress: Callable[[str, int, int], None]) -> list[nn.Module]:
    """One network of each kind, kept in the pack's folder `resynth`; finished ones are not trained again.

    Args:
        progress: called with (kind, steps done, steps in all).

    Raises:
        UsageError, TrainingFailed: as `train_resynthesiser`.
    """
    pack, folder = read_pack(pack_folder), pack_folder / FOLDER
    folder.mkdir(exist_ok=True)
    return [train_resynthesiser(pack, kind, steps, partial(progress, kind), folder / f"{kind}.pt") for kind in KINDS]


def open_drawers(pack_folder: Path) -> list[Drawer]:
    """The pack's finished networks, each drawing an aligned face (n, n, 3) anew; empty where none was trained."""
    drawers: list[Drawer] = []
    for kind in KINDS:
        path = pack_folder / FOLDER / f"{kind}.pt"
        if path.exists():
            net = Resynthesiser(kind)
            net.load_state_dict(torch.load(path, map_location="cpu", weights_only=True)["net"])
            drawers.append(partial(_draw, net.eval()))
    return drawers


@torch.inference_mode()
def write_resynthesis(
    pack_folder: Path, nets: list[nn.Module], seed: int = 0, progress: Progress | None = None
) -> None:
    """Draw each packed face by one of the networks into the pack's `resynth.raw`.

    A drawing that was cut off goes on where it stopped, when the networks are the same.
    """
    pack = read_pack(pack_folder)
    which = np.random.default_rng(seed).integers(len(nets), size=len(pack.rows))
    drawing = pack_folder / f"{RESYNTH_FILE}.{_digest(nets, seed)}.partial"
    for old in pack_folder.glob(f"{RESYNTH_FILE}.*.partial"):
        if old != drawing:
            old.unlink()
    with drawing.open("ab") as raw:
        done = raw.tell() // FACE_BYTES
        raw.truncate(done * FACE_BYTES)
        for i in range(done, len(pack.rows)):
            raw.write(_draw(nets[int(which[i])], np.array(pack.faces[i])).tobytes())
            if progress:
                progress(i + 1, len(pack.rows))
    drawing.replace(pack_folder / RESYNTH_FILE)


@torch.inference_mode()
def _draw(net: nn.Module, face_rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    image = torch.from_numpy(face_rgb).permute(2, 0, 1)[None].float() / 255
    drawn = net(image.to(device_of(net)))[0].permute(1, 2, 0).cpu().numpy() * 255
    return recoloured(np.asarray(drawn, np.float32), face_rgb)


def recoloured(drawn: NDArray[np.float32], face_rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A drawn face (n, n, 3) in grey levels with the broad colours of its original, as swap tools match them."""
    lost = cv2.GaussianBlur(face_rgb.astype(np.float32) - drawn, (0, 0), COLOUR_SIGMA_PX)
    return np.asarray(np.clip(drawn + lost + 0.5, 0, 255), np.uint8)


def _resume(checkpoint: Path | None, parts: dict[str, Any], length: dict[str, int]) -> int:
    """Load a checkpoint's parts; the step to go on from."""
    if checkpoint is None or not checkpoint.exists():
        return 0
    saved = torch.load(checkpoint, map_location="cpu", weights_only=True)
    for name, value in length.items():
        if saved[name] != value:
            raise UsageError(f"{checkpoint} is of a run of {saved[name]} {name}, not {value}; remove it to start anew")
    for name, part in parts.items():
        part.load_state_dict(saved[name])
    return int(saved["step"])


def _save(checkpoint: Path, parts: dict[str, Any], about: dict[str, int]) -> None:
    unfinished = checkpoint.with_suffix(".tmp")
    torch.save({**{name: part.state_dict() for name, part in parts.items()}, **about}, unfinished)
    unfinished.replace(checkpoint)


def _digest(nets: list[nn.Module], seed: int) -> str:
    digest = hashlib.sha256(str(seed).encode())
    for net in nets:
        for value in net.state_dict().values():
            digest.update(value.cpu().numpy().tobytes())
    return digest.hexdigest()[:8]


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
