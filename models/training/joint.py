"""One trunk for training both image branches: the frame's logit and the map of what was pasted.

The map tells the trunk where a forgery lies, not only that there is one (as the heatmaps of LAA-Net do,
arXiv 2401.13856); the two branches then go their own ways with their own copies of the weights.
"""

from torch import Tensor, nn

from unmask.models.mri import ENCODER_BLOCKS, LightGenerator
from unmask.models.spatial import SpatialNet


class JointNet(nn.Module):
    """`SpatialNet` and `LightGenerator` on the same stem and first 11 blocks."""

    def __init__(self) -> None:
        super().__init__()
        self.spatial = SpatialNet()
        backbone = self.spatial.backbone
        generator = LightGenerator()
        generator.stem = nn.Sequential(backbone._conv_stem, backbone._bn0, nn.SiLU())
        generator.blocks = nn.ModuleList(list(backbone._blocks)[:ENCODER_BLOCKS])
        self.generator = generator

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (n,) and map logits (n, 1, h/4, w/4) of images (n, 3, h, w)."""
        backbone = self.spatial.backbone
        x, skips = self.generator.encode(images)
        drawn = self.generator.decode(skips)
        for block in list(backbone._blocks)[ENCODER_BLOCKS:]:
            x = block(x)
        x = backbone._swish(backbone._bn1(backbone._conv_head(x)))
        logit = backbone._fc(self.spatial.dropout(x.mean((2, 3)))).squeeze(1)
        return logit, drawn

    def freeze_early(self, blocks: int) -> None:
        """Keep the stem and the first blocks as they are, batch statistics included."""
        self.spatial.freeze_early(blocks)

    def branch_states(self, state: dict[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """State dicts of a `SpatialNet` and of a `LightGenerator` from one of this network (its average, say)."""
        parts: dict[str, dict[str, Tensor]] = {"spatial": {}, "generator": {}}
        for key, value in state.items():
            part, rest = key.split(".", 1)
            parts[part][rest] = value
        return parts["spatial"], parts["generator"]
