"""MTCNN's three networks with the weights that facenet-pytorch ships, on OpenVINO or on PyTorch.

Every network takes RGBA pixels as they are, (n, h, w, 4) float32 in 0..255, and does not look at alpha: what brings
pixels into the range of the weights is part of the first layer.
"""

import copy
import hashlib
from dataclasses import dataclass

import numpy as np
import torch
from facenet_pytorch.models.mtcnn import ONet, PNet, RNet
from numpy.typing import NDArray
from torch import Tensor, nn

from unmask.models.runtime import ManySizes, Runner, open_runner

Floats = NDArray[np.float32]

PNET_SIDE, RNET_SIDE, ONET_SIDE = 12, 24, 48
PIXEL_MEAN, PIXEL_SCALE = 127.5, 128.0


@dataclass(frozen=True, slots=True)
class CascadeNets:
    """The compiled networks, for one caller at a time.

    Attributes:
        pnet: images, each (1, h, w, 4), to their cells (1, h', w', 5), one every 2 px: log-odds of a face, and box
            offsets.
        rnet: crops (n, 24, 24, 4) to confidences (n,) and box offsets (n, 4).
        onet: crops (n, 48, 48, 4) to confidences (n,), box offsets (n, 4) and landmarks (n, 10), five x then five y.
    """

    pnet: ManySizes
    rnet: Runner
    onet: Runner


class OnPixels(nn.Module):
    """The second or the third network on pixels, with its confidence first."""

    def __init__(self, net: RNet | ONet) -> None:
        super().__init__()
        self.net = copy.deepcopy(net)
        self.net.conv1 = _on_pixels(net.conv1)

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        offsets, *landmarks, classes = self.net(pixels.permute(0, 3, 1, 2))
        return (classes[:, 1], offsets, *landmarks)


class CellsOnPixels(nn.Module):
    """The first network on pixels, its two heads as one layer."""

    def __init__(self, net: PNet) -> None:
        super().__init__()
        body = (net.prelu1, net.pool1, net.conv2, net.prelu2, net.conv3, net.prelu3)
        self.body = copy.deepcopy(nn.Sequential(_on_pixels(net.conv1), *body))
        self.head = nn.Conv2d(net.conv4_1.in_channels, 5, 1)
        with torch.no_grad():
            for name in ("weight", "bias"):
                classes, offsets = getattr(net.conv4_1, name), getattr(net.conv4_2, name)
                getattr(self.head, name).copy_(torch.cat([classes[1:] - classes[:1], offsets]))

    def forward(self, pixels: Tensor) -> Tensor:
        cells: Tensor = self.head(self.body(pixels.permute(0, 3, 1, 2)))
        return cells.permute(0, 2, 3, 1)


def open_nets(device: str) -> CascadeNets:
    """Load and compile the three networks.

    Args:
        device: `cpu` for OpenVINO, `cuda` or `torch-cpu` for PyTorch.
    """
    pnet = CellsOnPixels(PNet()).eval()
    return CascadeNets(
        pnet=ManySizes(pnet, _blank(PNET_SIDE), device, _cache_key(pnet, "pnet"), [1, -1, -1, 4]),
        rnet=_open(OnPixels(RNet()), "rnet", RNET_SIDE, device),
        onet=_open(OnPixels(ONet()), "onet", ONET_SIDE, device),
    )


def _open(net: nn.Module, name: str, side: int, device: str) -> Runner:
    """In float32: bfloat16 moves boxes by a tenth of their size and landmarks by pixels."""
    return open_runner(net.eval(), (_blank(side),), device, _cache_key(net, name))


def _blank(side: int) -> Floats:
    return np.zeros((1, side, side, 4), np.float32)


def _cache_key(net: nn.Module, name: str) -> str:
    return f"{name}-{_weights_hash(net)[:32]}"


def _on_pixels(conv: nn.Conv2d) -> nn.Conv2d:
    """A first layer of the same answers on RGBA pixels in 0..255."""
    out = nn.Conv2d(4, conv.out_channels, 3)
    with torch.no_grad():
        weight = conv.weight / PIXEL_SCALE
        out.weight.zero_()
        out.weight[:, :3] = weight
        out.bias.copy_(conv.bias - weight.sum((1, 2, 3)) * PIXEL_MEAN)  # type: ignore[union-attr, operator]
    return out


def _weights_hash(net: nn.Module) -> str:
    digest = hashlib.sha256()
    for name, value in net.state_dict().items():
        digest.update(name.encode())
        digest.update(value.numpy().tobytes())
    return digest.hexdigest()
