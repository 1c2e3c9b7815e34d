"""The fastest ways to compute convolutions on a processor. Results are the same except for rounding.

PyTorch chooses a routine by rules of its own, and two of them do not fit the replicas, each of which has one thread:
1x1 convolutions in fp32 are sent to a routine that multiplies matrices unless there are two threads or 16 images (ATen,
ConvParams::use_mkldnn), which took twice the time of oneDNN's; and oneDNN's gradients of depthwise convolutions take
twice as long in bf16 as in fp32. Both were measured with PyTorch 2.14 on an EPYC of 2025.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


def choose_kernels(network: nn.Module, device: torch.device) -> None:
    """Switch the network's convolutions to these ways, in place, for training on a processor. Weights, names and
    results stay the same.
    """
    if device.type != "cpu" or not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return
    for layer in network.modules():
        if not isinstance(layer, nn.Conv2d):
            continue
        if layer.kernel_size == (1, 1) and layer.groups == 1:
            layer.dilation = (2, 2)  # no effect on a 1x1 kernel, but dilated convolutions go to oneDNN
        elif layer.groups > 1 and type(layer) is nn.Conv2d:
            layer.__class__ = Depthwise


class Depthwise(nn.Conv2d):
    """A convolution that is computed in fp32 even where autocast uses half precision around it."""

    def forward(self, input: Tensor) -> Tensor:
        with torch.autocast("cpu", enabled=False):
            return super().forward(input.float())
