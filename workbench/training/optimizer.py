"""The optimisers: torch's fused ones, which weights decay, and the learning rate of each group."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from workbench.training.settings import TrainingSettings

WIDE = 256  # inputs of a matrix; see make_optimizer
SHARE = "share"  # key of a group's share of the learning rate


def make_optimizer(detector: nn.Module, settings: TrainingSettings) -> torch.optim.Optimizer:
    """Weight decay applies only to the weights of convolutions and matrices, as in Darknet.

    This holds for all detectors, although torchvision's own trainings also decay biases and norms, and SSD's authors
    train biases at twice the rate.

    AdamW moves every weight equally far, so an output moves in proportion to its number of inputs: matrices with more
    than WIDE inputs get a share of the learning rate, as in Yang et al. 2022, arXiv 2203.03466, table 3. YOLOv1-tiny
    on bccd after 14 epochs: box loss 8.6 with WIDE = 1024, 6.7 with 256, 6.5 with 64; AP50 0.08, 0.20, 0.09.
    """
    decayed, free = _groups([p for p in detector.parameters() if p.requires_grad])
    matrices = [layer.weight for layer in detector.modules() if isinstance(layer, nn.Linear)]
    wide = {p for p in matrices if p.shape[1] > WIDE} if settings.optimizer == "adamw" else set()
    shares = {p: WIDE / p.shape[1] if p in wide else 1.0 for p in decayed}
    groups: list[dict[str, Any]] = [
        {"params": [p for p in decayed if shares[p] == share], "weight_decay": settings.weight_decay, SHARE: share}
        for share in sorted({1.0, *shares.values()}, reverse=True)
    ]
    groups.insert(1, {"params": free, "weight_decay": 0.0, SHARE: 1.0})
    groups = [group for group in groups if group["params"]]
    fused = next(detector.parameters()).device.type in ("cpu", "cuda")
    if settings.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=settings.learning_rate, betas=(settings.momentum, 0.999), fused=fused)
    return torch.optim.SGD(groups, lr=settings.learning_rate, momentum=settings.momentum, fused=fused)


def steer(optimizer: torch.optim.Optimizer, learning_rate: float, momentum: float | None) -> None:
    """Set the learning rate of the coming step and, if it is not the settings', its momentum."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate * group.get(SHARE, 1.0)
        if momentum is not None:
            group |= {"betas": (momentum, 0.999)} if "betas" in group else {"momentum": momentum}


def begin_momentum(optimizer: torch.optim.Optimizer, parameters: Sequence[nn.Parameter]) -> None:
    """Start every momentum at zero: torch's fused SGD needs one for all weights or for none.

    A first step that the device does not take would leave uninitialised memory in it.
    """
    for parameter in parameters:
        if parameter.grad is not None and optimizer.state[parameter].get("momentum_buffer") is None:
            optimizer.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)


def _groups(parameters: Sequence[nn.Parameter]) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    return [p for p in parameters if p.ndim > 1], [p for p in parameters if p.ndim <= 1]
