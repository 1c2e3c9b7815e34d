"""Cross mini-batch normalisation, CmBN: batch norms over all mini-batches of a batch so far (Bochkovskiy et al.,
YOLOv4, 2020, arXiv 2004.10934, figure 4; after Yao et al., CBN, arXiv 2002.05712).

As with Darknet's cbn=1 (rule 31), mini-batch k is normalised by the averaged means and mean squares of mini-batches 1
to k. The weights do not change within a batch, so CBN's correction for changed weights is not needed; the gradient
treats the statistics of earlier mini-batches as constants.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class CrossNorm2d(nn.BatchNorm2d):
    """A batch norm with the same parameter names. Call `begin()` before each batch."""

    taken = 0  # mini-batches of this batch so far
    mean: Tensor
    square: Tensor

    def begin(self) -> None:
        self.taken = 0

    def forward(self, images: Tensor) -> Tensor:
        if not self.training:
            return super().forward(images)
        wide = images.float()
        mean, square = wide.mean((0, 2, 3)), wide.square().mean((0, 2, 3))
        if self.taken:
            mean, square = torch.lerp(self.mean, mean, self._share), torch.lerp(self.square, square, self._share)
        self.mean, self.square = mean.detach(), square.detach()
        self.taken += 1
        variance = (square - mean.square()).clamp(min=0)
        self._remember(mean.detach(), variance.detach(), wide.numel() / len(mean))
        scale = self.weight * (variance + self.eps).rsqrt()
        return (wide * scale[:, None, None] + (self.bias - mean * scale)[:, None, None]).to(images.dtype)

    @property
    def _share(self) -> float:
        """The weight of the coming mini-batch in the statistics."""
        return 1 / (self.taken + 1)

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor, count: float) -> None:
        """Update the running statistics as torch does, with the unbiased variance."""
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.momentum is not None
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance * count / max(count - 1, 1), self.momentum)


def cross_norms(network: nn.Module) -> list[CrossNorm2d]:
    return [module for module in network.modules() if isinstance(module, CrossNorm2d)]


def use_cross_norms(network: nn.Module) -> None:
    """Replace every batch norm of the network by one of these with the same values."""
    for module in network.modules():
        if type(module) is nn.BatchNorm2d:
            module.__class__ = CrossNorm2d
