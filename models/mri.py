"""Perceptual branch: a generator draws where a face was synthesised, a small CNN judges the drawing.

After MRI-GAN (Prajapati & Pollett 2022, arXiv 2203.00108), whose map is the structural dissimilarity between a
genuine face and its forgery, black for a genuine face. `LightGenerator` is ours, for live use;
`unmask.models.mri_published` holds the published networks.
"""

import torch
from efficientnet_pytorch import EfficientNet
from torch import Tensor, nn
from torch.nn.functional import interpolate

MAP_SIZE = 64
"""Side of the light generator's map: a quarter of its 256 px input."""

ENCODER_BLOCKS = 11
"""Blocks of EfficientNet-B0 up to stride 16; the rest sees too coarsely to draw."""
SKIP_AFTER = {2: 24, 4: 40, 10: 112}
"""Block after which features are kept for the decoder, and their channels: strides 4, 8 and 16."""

STRONGEST = (30, 100, 300, 1000)
"""Numbers of pixels whose mean is a strength of a map: from a mouth's edge to a quarter of the map."""


class LightGenerator(nn.Module):
    """EfficientNet-B0's first 11 blocks and a feature-pyramid decoder (as LAA-Net's, arXiv 2401.13856)."""

    def __init__(self, width: int = 48) -> None:
        super().__init__()
        full = EfficientNet.from_name("efficientnet-b0", num_classes=1)
        full.set_swish(memory_efficient=False)
        self.stem = nn.Sequential(full._conv_stem, full._bn0, nn.SiLU())
        self.blocks = nn.ModuleList(list(full._blocks)[:ENCODER_BLOCKS])
        self.laterals = nn.ModuleList([nn.Conv2d(c, width, 1) for c in SKIP_AFTER.values()])
        self.merges = nn.ModuleList([_smooth(width) for _ in SKIP_AFTER])
        self.head = nn.Sequential(nn.Conv2d(width, width // 2, 3, padding=1), nn.SiLU(), nn.Conv2d(width // 2, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        """Draw the map.

        Args:
            images: (n, 3, 256, 256), from `preprocess.normalise`.

        Returns:
            Logits of the map (n, 1, 64, 64); its sigmoid is 0 where the face is untouched.
        """
        return self.decode(self.encode(images)[1])

    def encode(self, images: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The last block's features and those kept for the decoder, at strides 4, 8 and 16."""
        x = self.stem(images)
        skips = []
        for i, block in enumerate(self.blocks):
            x = block(x)
            if i in SKIP_AFTER:
                skips.append(x)
        return x, skips

    def decode(self, skips: list[Tensor]) -> Tensor:
        """Logits of the map from the features kept by `encode`."""
        drawn = self.merges[2](self.laterals[2](skips[2]))
        for level in (1, 0):
            lateral = self.laterals[level](skips[level])
            drawn = self.merges[level](lateral + interpolate(drawn, size=lateral.shape[2:], mode="nearest"))
        out: Tensor = self.head(drawn)
        return out

    def load_encoder(self, backbone: dict[str, Tensor]) -> None:
        """Start from a trained spatial backbone (efficientnet-pytorch's names, no prefix)."""
        own = {}
        for key, value in backbone.items():
            if key.startswith("_blocks.") and int(key.split(".")[1]) < ENCODER_BLOCKS:
                own[key.replace("_blocks.", "blocks.", 1)] = value
            elif key.startswith("_conv_stem."):
                own[key.replace("_conv_stem.", "stem.0.")] = value
            elif key.startswith("_bn0."):
                own[key.replace("_bn0.", "stem.1.")] = value
        missing = self.load_state_dict(own, strict=False).missing_keys
        if any(k.startswith(("stem.", "blocks.")) for k in missing):
            raise ValueError("not an EfficientNet-B0 backbone")

    def freeze_early(self, blocks: int) -> None:
        """Keep the stem and the first `blocks` blocks as they are, batch statistics included."""
        for module in [self.stem, *list(self.blocks)[:blocks]] if blocks else []:
            module.eval()
            for parameter in module.parameters():
                parameter.requires_grad_(False)


class MapClassifier(nn.Module):
    """Judges a map: how strong its strongest pixels are, and three strided convolutions over their shape; one logit.

    It sees nothing of the face but the map, so that it cannot learn people by heart, and starts from the strengths.
    """

    def __init__(self, width: int = 16, dropout: float = 0.3) -> None:
        super().__init__()
        channels = [1, width, width * 2, width * 3]
        self.convolutions = nn.Sequential(*[_strided(a, b) for a, b in zip(channels[:-1], channels[1:], strict=True)])
        self.dropout = nn.Dropout(dropout)
        self.logit = nn.Linear(2 * channels[-1] + len(STRONGEST), 1)
        with torch.no_grad():
            self.logit.weight.zero_()
            self.logit.weight[:, -len(STRONGEST) :] = 1.5 / len(STRONGEST)
            self.logit.bias.fill_(2.0)

    def forward(self, maps: Tensor) -> Tensor:
        """Logits (n,) of maps (n, 1, 64, 64) in 0..1."""
        features = self.convolutions(maps * 4 - 1)
        pooled = self.dropout(torch.cat([features.mean((2, 3)), features.amax((2, 3))], 1))
        ranked = maps.flatten(1).topk(STRONGEST[-1], dim=1).values
        strength = torch.stack([ranked[:, :count].mean(1) for count in STRONGEST], 1).clamp(1e-3, 1 - 1e-3)
        out: Tensor = self.logit(torch.cat([pooled, torch.log(strength / (1 - strength))], 1)).squeeze(1)
        return out


class MriNet(nn.Module):
    """Generator and classifier as one network, as they run."""

    def __init__(self, generator: nn.Module | None = None, classifier: nn.Module | None = None) -> None:
        super().__init__()
        self.generator = generator or LightGenerator()
        self.classifier = classifier or MapClassifier()

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (n,) and maps (n, 64, 64) in 0..1 of images (n, 3, 256, 256)."""
        return self.judge(self.generator(images))

    def judge(self, drawn: Tensor) -> tuple[Tensor, Tensor]:
        """The same from the generator's drawing, logits (n, 1, 64, 64)."""
        maps = torch.sigmoid(drawn)
        return self.classifier(maps), maps.squeeze(1)


def _smooth(width: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(width, width, 3, padding=1, groups=width),
        nn.Conv2d(width, width, 1),
        nn.BatchNorm2d(width),
        nn.SiLU(),
    )


def _strided(inputs: int, outputs: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, bias=False), nn.GroupNorm(4, outputs), nn.SiLU()
    )
