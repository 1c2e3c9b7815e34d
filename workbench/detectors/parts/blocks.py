"""The layers that Darknet's networks are built from: convolution unit, max-pool, grouped route, reorg, upsample.

B = images, C = channels. Every layer keeps (B, C, H, W) and works in any memory format.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

LEAKY_SLOPE = 0.1  # Darknet's leaky; torch's default is 0.01
NORM_MOMENTUM = 0.01  # the weight of one step in Darknet's running statistics; torch's default is 0.1


ACTIVATIONS = ("leaky", "mish", "silu", "relu")


def scaled(channels: int, width: float) -> int:
    """`channels` times `width`, rounded to a multiple of 8 (faster on matrix units), at least 8."""
    return max(8, round(channels * width / 8) * 8)


class ConvUnit(nn.Module):
    """Convolution without bias, batch norm, leaky ReLU: Darknet's [convolutional] with batch_normalize=1.

    Running statistics move by 0.01 per step as in Darknet (torch's default 0.1 forgets ten times faster). Without
    `norm`, the convolution has a bias instead.
    """

    def __init__(
        self, inputs: int, outputs: int, size: int = 3, stride: int = 1, *, norm: bool = True, groups: int = 1
    ) -> None:  # fmt: skip
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, size, stride, padding=size // 2, groups=groups, bias=not norm)
        self.norm = nn.BatchNorm2d(outputs, eps=1e-5, momentum=NORM_MOMENTUM) if norm else nn.Identity()
        self.activation: nn.Module = nn.LeakyReLU(LEAKY_SLOPE, inplace=True)
        nn.init.kaiming_normal_(self.conv.weight, a=LEAKY_SLOPE, mode="fan_in", nonlinearity="leaky_relu")
        if self.conv.bias is not None:
            nn.init.zeros_(self.conv.bias)

    def forward(self, images: Tensor) -> Tensor:
        out: Tensor = self.activation(self.norm(self.conv(images)))
        return out


class MishUnit(ConvUnit):
    """The same with Mish, x tanh(softplus(x)) (Misra 2019, arXiv 1908.08681): Darknet's activation=mish."""

    def __init__(self, inputs: int, outputs: int, size: int = 3, stride: int = 1) -> None:
        super().__init__(inputs, outputs, size, stride)
        self.activation = nn.Mish()


def set_activation(network: nn.Module, name: str | None) -> None:
    """Put this nonlinearity (of ACTIVATIONS) after every convolution unit of the network; None leaves them alone."""
    if name is None:
        return
    kinds: dict[str, Callable[[], nn.Module]] = {
        "leaky": lambda: nn.LeakyReLU(LEAKY_SLOPE, inplace=True),
        "mish": nn.Mish,
        "silu": nn.SiLU,
        "relu": nn.ReLU,
    }
    for unit in [module for module in network.modules() if isinstance(module, ConvUnit)]:
        if not isinstance(unit.activation, nn.Sigmoid):  # a sigmoid belongs to a gate and is not up for choice
            unit.activation = kinds[name]()


def settle_norms(network: nn.Module, step: int) -> None:
    """Call before training step `step` (from 0): running statistics start as plain means of the steps so far.

    At Darknet's 0.01 per step a third of the initial values (0 and 1) would still be in them after 100 steps, so early
    evaluations of a short run would measure those, not the network. From step 100 on each norm uses its own momentum.
    """
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d) and module.momentum:
            own = module.__dict__.setdefault("own_momentum", module.momentum)  # torchvision's differ
            module.momentum = max(own, 1 / (step + 1))


class Attention(nn.Module):
    """Features times a map of weights in 0..1 computed from them: spatial attention as YOLOv4 changed it (figure 5).

    The original (SAM, Woo et al. 2018, arXiv 1807.06521) pools over channels first; Darknet's [sam] is this product.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gate = ConvUnit(channels, channels, size=1)
        self.gate.activation = nn.Sigmoid()

    def forward(self, images: Tensor) -> Tensor:
        out: Tensor = images * self.gate(images)
        return out


class MaxPool(nn.Module):
    """Darknet's [maxpool]: pads size - 1 cells of -inf in each direction, the smaller half at the left and top.

    So 2x2 with stride 1 keeps the size (one column is added at the right, one row below); with stride 2 it rounds up.
    Padding with zeros, as several ports do, changes the result wherever leaky values are negative.
    """

    def __init__(self, size: int = 2, stride: int = 2) -> None:
        super().__init__()
        self.size, self.stride = size, stride

    def forward(self, images: Tensor) -> Tensor:
        before, after = (self.size - 1) // 2, self.size // 2
        if before == after:
            return functional.max_pool2d(images, self.size, self.stride, padding=before)
        if self.stride == self.size == 2:
            return functional.max_pool2d(images, 2, 2, ceil_mode=True)
        padded = functional.pad(images, (before, after, before, after), value=float("-inf"))
        return functional.max_pool2d(padded, self.size, self.stride)


class SpatialPyramid(nn.Module):
    """Spatial pyramid pooling, SPP: the largest values around each cell at three ranges, then the features themselves.

    As in yolov3-spp.cfg and later (He et al. 2014, arXiv 1406.4729, pooled to fixed sizes): C -> 4 C channels.
    """

    def __init__(self) -> None:
        super().__init__()
        self.pools = nn.ModuleList(MaxPool(size, stride=1) for size in (13, 9, 5))

    def forward(self, images: Tensor) -> Tensor:
        return torch.cat([*(pool(images) for pool in self.pools), images], dim=1)


def reorg(images: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, 4 C, H / 2, W / 2) in the order of Darknet's [reorg], which is not space-to-depth.

    Darknet calls its permutation with the sizes of input and output exchanged, so that it works on C / 4 channels. The
    public weights were trained that way. C must be a multiple of 4, H and W of 2.
    """
    batch, channels, height, width = images.shape
    cells = images.reshape(batch, channels // 4, height, 2, width, 2)
    return cells.permute(0, 3, 5, 1, 2, 4).reshape(batch, 4 * channels, height // 2, width // 2)


def second_half(images: Tensor) -> Tensor:
    """Darknet's [route] with groups=2, group_id=1: the second half of the channels."""
    return images.chunk(2, dim=1)[1]


def upsample(images: Tensor) -> Tensor:
    """Twice as large, each value repeated."""
    return functional.interpolate(images, scale_factor=2.0, mode="nearest")
