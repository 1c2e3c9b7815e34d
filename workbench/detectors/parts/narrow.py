"""Makes one of torchvision's networks narrower: every layer keeps the first of its channels.

torchvision builds its detectors at one width only. A layer's remaining initial weights are multiplied by the square
root of the factor by which its inputs shrank, so that sums of fewer products are as large as before.
"""

from __future__ import annotations

import math
from collections.abc import Collection

import torch
import torchvision  # noqa: F401  (whole before its parts: tests/test_import_order.py)
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd
from torchvision.ops import FrozenBatchNorm2d

from workbench.detectors.parts.blocks import scaled

IMAGE_CHANNELS = 3


@torch.no_grad()
def narrow(network: nn.Module, width: float, outputs: Collection[str], cells: int = 1) -> None:
    """Scale the channels of every layer of `network`, in place, as `scaled` does; at width 1 nothing changes.

    outputs: names of the layers that keep all their outputs. cells: of the maps that the fully connected layer behind
    a pooling takes (49 for 7 x 7).
    """
    if width == 1:
        return
    for name, module in network.named_modules():
        keep = name in outputs
        if isinstance(module, nn.Conv2d):
            _narrow_convolution(module, width, keep)
        elif isinstance(module, nn.Linear):
            _narrow_linear(module, width, keep, cells)
        elif isinstance(module, nn.BatchNorm2d | FrozenBatchNorm2d | nn.GroupNorm):
            _narrow_norm(module, width)
        elif isinstance(module, _ConvNd):
            raise TypeError(f"{name} is a {type(module).__name__}, which can't be made narrower.")
        else:
            for own, parameter in list(module.named_parameters(recurse=False)):
                setattr(module, own, nn.Parameter(parameter[: scaled(len(parameter), width)].clone()))


def _narrow_convolution(conv: nn.Conv2d, width: float, keep: bool) -> None:
    assert conv.groups in (1, conv.in_channels), "only plain and depthwise convolutions"
    depthwise = conv.groups > 1
    inputs = conv.in_channels if conv.in_channels == IMAGE_CHANNELS else scaled(conv.in_channels, width)
    outputs = conv.out_channels if keep else scaled(conv.out_channels, width)
    conv.weight = nn.Parameter(_cut(conv.weight, outputs, 1 if depthwise else inputs))
    conv.bias = None if conv.bias is None else nn.Parameter(conv.bias[:outputs].clone())
    conv.in_channels, conv.out_channels, conv.groups = inputs, outputs, inputs if depthwise else 1


def _narrow_linear(linear: nn.Linear, width: float, keep: bool, cells: int) -> None:
    behind_pooling = cells > 1 and linear.in_features % cells == 0
    per_input = cells if behind_pooling else 1
    inputs = scaled(linear.in_features // per_input, width)
    outputs = linear.out_features if keep else scaled(linear.out_features, width)
    weight = linear.weight.view(linear.out_features, -1, per_input)
    linear.weight = nn.Parameter(_cut(weight, outputs, inputs).flatten(1))
    linear.bias = nn.Parameter(linear.bias[:outputs].clone())
    linear.in_features, linear.out_features = inputs * per_input, outputs


def _cut(weight: Tensor, outputs: int, inputs: int) -> Tensor:
    return weight[:outputs, :inputs].clone() * math.sqrt(weight.shape[1] / inputs)


def _narrow_norm(norm: nn.BatchNorm2d | FrozenBatchNorm2d | nn.GroupNorm, width: float) -> None:
    channels = scaled(len(norm.weight), width)
    for name, parameter in list(norm.named_parameters()):
        setattr(norm, name, nn.Parameter(parameter[:channels].clone()))
    for name, buffer in list(norm.named_buffers()):
        setattr(norm, name, buffer[:channels].clone() if buffer.ndim else buffer)
    if isinstance(norm, nn.BatchNorm2d):
        norm.num_features = channels
    elif isinstance(norm, nn.GroupNorm):
        each = norm.num_channels // norm.num_groups  # a group of one value has no deviation to divide by
        norm.num_channels, norm.num_groups = channels, channels // math.gcd(each, channels)
