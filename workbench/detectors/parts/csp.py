"""Cross stage partial stages (C.-Y. Wang et al., CSPNet, 2019, arXiv 1911.11929) of YOLOv4 and Scaled-YOLOv4."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from workbench.detectors.parts.blocks import MishUnit

WEIGHT_EPS = 1e-4  # Darknet's, in the denominator of the weights' share
LEAST_WEIGHT = 1e-3  # what Darknet takes for smaller ones: lrelu() in its network.c and blas_kernels.cu


class WeightedSum(nn.Module):
    """A sum of the inputs by learnt shares: multi-input weighted residual connections (MiWRC).

    share = weight / (sum of the weights + 1e-4), one weight per input or per input and channel, each at least 0.001:
    Darknet's shortcut with weights_type per_feature or per_channel and weights_normalization relu, as a card and every
    detection compute it (training on the processor takes 0 for negative weights); EfficientDet's "fast normalized
    fusion" (Tan et al. 2020, arXiv 1911.09070, section 3.3). With "softmax" the shares are the softmax of the weights,
    with "none" the weights themselves.
    """

    def __init__(self, channels: int = 1, inputs: int = 2, normalization: str = "relu") -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.ones(inputs, channels))
        self.normalization = normalization

    def forward(self, *inputs: Tensor) -> Tensor:
        share: Tensor = self.weights
        if self.normalization != "none":
            softmax = self.normalization == "softmax"
            share = (share - share.amax(0, keepdim=True)).exp() if softmax else share.clamp(min=LEAST_WEIGHT)
            share = share / (share.sum(0, keepdim=True) + WEIGHT_EPS)
        share = share[:, None, :, None, None]
        out = inputs[0] * share[0]
        for one, part in zip(inputs[1:], share[1:], strict=True):
            out = out + one * part
        return out


class Residual(nn.Module):
    """1x1 to `inner` channels, 3x3 back, added to the input; `weighted` by learnt shares (see WeightedSum)."""

    def __init__(self, channels: int, inner: int, weighted: str = "off") -> None:
        """`weighted`: "off", "per feature" or "per channel"."""
        super().__init__()
        self.squeeze = MishUnit(channels, inner, size=1)
        self.expand = MishUnit(inner, channels)
        self.sum = None if weighted == "off" else WeightedSum(channels if weighted == "per channel" else 1)

    def forward(self, images: Tensor) -> Tensor:
        new = self.expand(self.squeeze(images))
        out: Tensor = images + new if self.sum is None else self.sum(new, images)
        return out


class TwoBranches(nn.Module):
    """An entry, one branch through most of the layers and one past them, and a convolution over both."""

    entry: nn.Module
    past: nn.Module
    through: nn.Module
    merge: nn.Module

    def forward(self, images: Tensor) -> Tensor:
        entered = self.entry(images)
        past = self.past(entered)
        out: Tensor = self.merge(torch.cat([self.through(entered), past], dim=1))
        return out


class CspStage(TwoBranches):
    """Halve the size, then send one branch of `half` channels through residual blocks and another past them."""

    def __init__(
        self, inputs: int, outputs: int, half: int, inner: int, residuals: int, weighted: str = "off"
    ) -> None:  # fmt: skip
        super().__init__()
        self.entry = MishUnit(inputs, outputs, stride=2)
        self.past = MishUnit(outputs, half, size=1)
        self.through = nn.Sequential(
            MishUnit(outputs, half, size=1),
            *(Residual(half, inner, weighted) for _ in range(residuals)),
            MishUnit(half, half, size=1),
        )
        self.merge = MishUnit(2 * half, outputs, size=1)
