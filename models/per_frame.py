"""The spatial and the MRI branch as one network: aligned crops as bytes in, both branches' answers out.

Where both branches have the same early blocks (they do when one joint run trained them), these run once.
"""

import torch
from torch import Tensor, nn

from unmask.models.mri import ENCODER_BLOCKS, LightGenerator, MriNet
from unmask.models.preprocess import IMAGENET_MEAN, IMAGENET_STD
from unmask.models.spatial import SpatialNet

OUTPUTS = {"spatial": ("spatial", "embeddings"), "mri": ("mri", "maps")}
"""Fields of `CropScores` that each branch fills, in the order in which `PerFrameNet` answers."""


class PerFrameNet(nn.Module):
    """Runs the branches that it is given.

    Attributes:
        outputs: fields of `CropScores`, in the order of what `forward` returns.
        shared: whether the early blocks run once for both.
    """

    scale: Tensor
    shift: Tensor

    def __init__(self, spatial: SpatialNet | None, mri: MriNet | None) -> None:
        super().__init__()
        if spatial is None and mri is None:
            raise ValueError("no branch to run")
        self.spatial, self.mri = spatial, mri
        names = [name for name, net in (("spatial", spatial), ("mri", mri)) if net is not None]
        self.outputs = tuple(field for name in names for field in OUTPUTS[name])
        self.shared = spatial is not None and mri is not None and same_trunk(spatial, mri)
        self.register_buffer("scale", torch.from_numpy(1 / (255 * IMAGENET_STD)).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("shift", torch.from_numpy(IMAGENET_MEAN / IMAGENET_STD).view(1, 3, 1, 1), persistent=False)

    def forward(self, crops_rgb: Tensor) -> tuple[Tensor, ...]:
        """Logits (n,), embeddings (n, 1280) and, of the MRI branch, logits (n,) and maps (n, 64, 64) in 0..1.

        Args:
            crops_rgb: (n, 256, 256, 3) uint8.
        """
        images = self.normalised(crops_rgb)
        if not self.shared:
            found = self.spatial(images) if self.spatial is not None else ()
            return (*found, *self.mri(images)) if self.mri is not None else tuple(found)
        assert self.mri is not None and isinstance(self.mri.generator, LightGenerator)
        x, skips = self.mri.generator.encode(images)
        drawn = self.mri.generator.decode(skips)
        return *self.finish_spatial(x), *self.mri.judge(drawn)

    def finish_spatial(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (n,) and embeddings (n, 1280) from what the early blocks made of the images."""
        assert self.spatial is not None
        backbone = self.spatial.backbone
        for block in backbone._blocks[ENCODER_BLOCKS:]:
            x = block(x)
        embedding = backbone._swish(backbone._bn1(backbone._conv_head(x))).mean((2, 3))
        return backbone._fc(embedding).squeeze(1), embedding

    def normalised(self, crops_rgb: Tensor) -> Tensor:
        """What `preprocess.normalise` does, on tensors of any device and floating type."""
        images = crops_rgb.permute(0, 3, 1, 2).to(self.scale.dtype)
        return images * self.scale - self.shift


def same_trunk(spatial: SpatialNet, mri: MriNet) -> bool:
    """Whether the MRI generator's encoder has exactly the spatial branch's weights."""
    generator, backbone = mri.generator, spatial.backbone
    if not isinstance(generator, LightGenerator):
        return False
    pairs: list[tuple[nn.Module, nn.Module]] = [
        (generator.stem[0], backbone._conv_stem),
        (generator.stem[1], backbone._bn0),
    ]
    pairs += list(zip(generator.blocks, backbone._blocks[:ENCODER_BLOCKS], strict=True))
    return all(_equal(a, b) for a, b in pairs)


def _equal(a: nn.Module, b: nn.Module) -> bool:
    ours, theirs = a.state_dict(), b.state_dict()
    return ours.keys() == theirs.keys() and all(torch.equal(ours[k], theirs[k]) for k in ours)
