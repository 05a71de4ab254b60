"""Temporal branch: a 1D CNN over a face's embeddings in time, with what plain statistics see beside them."""

import torch
from torch import Tensor, nn

SCALAR_COUNT = 10
"""Scalars per step, from `unmask.models.texture`."""
FEATURE_COUNT = 1280 + SCALAR_COUNT


class TemporalNet(nn.Module):
    """Three dilated convolutions over time, masked mean and maximum pooling, one logit a window.

    Embeddings come in as they are and as differences between steps: jitter of a face that is synthesised anew in
    each frame shows in the differences.
    """

    def __init__(self, width: int = 48, dropout: float = 0.4) -> None:
        super().__init__()
        self.reduce = nn.Sequential(nn.LayerNorm(1280), _DropFeatures(dropout), nn.Linear(1280, width))
        self.scalars = nn.BatchNorm1d(SCALAR_COUNT)
        inputs = 2 * width + 2 * SCALAR_COUNT + 1
        self.convolutions = nn.ModuleList(
            [nn.Conv1d(inputs if i == 0 else width, width, 5, padding=2 * 2**i, dilation=2**i) for i in range(3)]
        )
        self.dropout = nn.Dropout(dropout)
        self.logit = nn.Linear(2 * width, 1)

    def forward(self, features: Tensor, mask: Tensor) -> Tensor:
        """Logits (n,).

        Args:
            features: (n, 32, 1290), embedding then scalars of each step, oldest first; anything where the mask is 0.
            mask: (n, 32), 1 where a frame was seen.
        """
        valid = mask.unsqueeze(2)
        features = features * valid
        scalars = self.scalars(features[..., 1280:].transpose(1, 2)).transpose(1, 2)
        steps = torch.cat([self.reduce(features[..., :1280]), scalars], 2) * valid
        both = valid[:, 1:] * valid[:, :-1]
        change = torch.cat([torch.zeros_like(steps[:, :1]), (steps[:, 1:] - steps[:, :-1]) * both], 1)
        x = torch.cat([steps, change, valid], 2).transpose(1, 2)
        keep = mask.unsqueeze(1)
        for convolution in self.convolutions:
            x = torch.nn.functional.silu(convolution(x)) * keep
        mean = x.sum(2) / keep.sum(2).clamp(min=1)
        peak = (x - 1e4 * (1 - keep)).amax(2)
        out: Tensor = self.logit(self.dropout(torch.cat([mean, peak], 1))).squeeze(1)
        return out


class _DropFeatures(nn.Module):
    """Dropout that leaves the same features out in every step, so that it looks like no change in time."""

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability

    def forward(self, features: Tensor) -> Tensor:
        keep = torch.ones_like(features[:, :1])
        return features * nn.functional.dropout(keep, self.probability, self.training)
