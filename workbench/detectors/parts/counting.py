"""How large a detector is and how much it computes, for comparing architectures."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from workbench.detectors.parts.detector import Detector


def parameters(detector: nn.Module) -> int:
    """The number of trainable values; batch norm's statistics are not counted."""
    return sum(parameter.numel() for parameter in detector.parameters())


@torch.no_grad()
def multiply_adds(detector: Detector, px: int | None = None) -> int:
    """Multiply-adds in convolutions and fully connected layers for one image of `px` pixels a side (None: its own).

    A multiplication with its addition counts once, as in torchvision's GFLOPS; Darknet's BFLOPs count it twice. The
    detector must be on the "meta" device, where nothing is computed.
    """
    total = 0

    def count(module: nn.Module, _: Any, out: torch.Tensor) -> None:
        nonlocal total
        assert isinstance(module, nn.Conv2d | nn.Linear)
        per_output = module.weight[0].numel()
        total += out.numel() * per_output

    def count_transposed(module: nn.Module, given: tuple[torch.Tensor], _: torch.Tensor) -> None:
        nonlocal total
        assert isinstance(module, nn.ConvTranspose2d)
        total += given[0].numel() * module.weight[0].numel()  # the number of outputs each input contributes to

    layers = [module for module in detector.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    upwards = [module for module in detector.modules() if isinstance(module, nn.ConvTranspose2d)]
    hooks += [layer.register_forward_hook(count_transposed) for layer in upwards]
    side = px or detector.settings.input_px
    detector.eval()(torch.empty(1, 3, side, side, device="meta"))
    for hook in hooks:
        hook.remove()
    return total + detector.later_multiply_adds
