"""The networks of MRI-GAN as published (arXiv 2203.00108, after pix2pix, arXiv 1611.07004), for research.

54.4 million parameters and about 6.4 GMAC a face at 256 px: too heavy for live use on a CPU.
"""

import torch
from torch import Tensor, nn

DOWN_CHANNELS = (64, 128, 256, 512, 512, 512, 512, 512)
UP_CHANNELS = (512, 512, 512, 512, 256, 128, 64)


class PublishedGenerator(nn.Module):
    """U-Net of 8 steps down and 7 up with skips, instance normalisation and tanh."""

    def __init__(self, dropout: float = 0.5) -> None:
        super().__init__()
        inputs = (3, *DOWN_CHANNELS[:-1])
        self.down = nn.ModuleList(
            [
                _down(a, b, normalise=0 < i < 7, dropout=dropout if i >= 3 else 0.0)
                for i, (a, b) in enumerate(zip(inputs, DOWN_CHANNELS, strict=True))
            ]
        )
        up_inputs = (512, 1024, 1024, 1024, 1024, 512, 256)
        self.up = nn.ModuleList(
            [
                _up(a, b, dropout=dropout if i < 4 else 0.0)
                for i, (a, b) in enumerate(zip(up_inputs, UP_CHANNELS, strict=True))
            ]
        )
        self.final = nn.Sequential(
            nn.Upsample(scale_factor=2), nn.ZeroPad2d((1, 0, 1, 0)), nn.Conv2d(128, 3, 4, padding=1)
        )
        self.apply(_initialise)

    def forward(self, images: Tensor) -> Tensor:
        """Maps (n, 3, 256, 256) in -1..1 (-1 is black) of images (n, 3, 256, 256) in -1..1."""
        skips = [images]
        for step in self.down:
            skips.append(step(skips[-1]))
        x = skips.pop()
        for step in self.up:
            x = torch.cat([step(x), skips.pop()], 1)
        return torch.tanh(self.final(x))


class PatchDiscriminator(nn.Module):
    """PatchGAN with a 70 px field of view on the map and the face side by side."""

    def __init__(self, map_channels: int = 3, width: int = 64) -> None:
        super().__init__()
        channels = (map_channels + 3, width, 2 * width, 4 * width, 8 * width)
        steps = [_down(a, b, normalise=i > 0, dropout=0.0) for i, (a, b) in enumerate(zip(channels, channels[1:]))]  # noqa: B905
        self.layers = nn.Sequential(
            *steps, nn.ZeroPad2d((1, 0, 1, 0)), nn.Conv2d(8 * width, 1, 4, padding=1, bias=False)
        )
        self.apply(_initialise)

    def forward(self, maps: Tensor, images: Tensor) -> Tensor:
        """Scores (n, 1, h / 16, w / 16) of maps and images of one size (n, c, h, w)."""
        out: Tensor = self.layers(torch.cat([maps, images], 1))
        return out


def _down(inputs: int, outputs: int, normalise: bool, dropout: float) -> nn.Module:
    layers: list[nn.Module] = [nn.Conv2d(inputs, outputs, 4, 2, 1, bias=False)]
    if normalise:
        layers.append(nn.InstanceNorm2d(outputs))
    layers.append(nn.LeakyReLU(0.2))
    if dropout:
        layers.append(nn.Dropout(dropout))
    return nn.Sequential(*layers)


def _up(inputs: int, outputs: int, dropout: float) -> nn.Module:
    layers: list[nn.Module] = [
        nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=False), nn.InstanceNorm2d(outputs), nn.ReLU()
    ]  # fmt: skip
    if dropout:
        layers.append(nn.Dropout(dropout))
    return nn.Sequential(*layers)


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
