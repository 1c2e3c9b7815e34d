"""Batch norms over the images of all processes of a training (Peng et al., MegDet, arXiv 1711.07240).

torch.nn.SyncBatchNorm does the same on graphics cards only; these also work on processors, where the tests run, and
keep the class that the other parts look for.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from workbench.errors import WorkbenchError


class SyncNorm2d(nn.BatchNorm2d):
    """A batch norm with the same parameter names. In training all processes must call it equally often."""

    def forward(self, images: Tensor) -> Tensor:
        if not self.training:
            return super().forward(images)
        wide = images.float()
        sums: Tensor = _Sum.apply(torch.cat([wide.sum((0, 2, 3)), wide.new_full((1,), wide[:, 0].numel())]))
        count = sums[-1].detach()
        mean = sums[:-1] / count
        away = wide - mean[:, None, None]  # the mean of squares minus the squared mean would lose digits
        squares: Tensor = _Sum.apply(away.square().sum((0, 2, 3)))
        variance = squares / count
        self._remember(mean.detach(), variance.detach(), count)
        scale = self.weight * (variance + self.eps).rsqrt()
        return (away * scale[:, None, None] + self.bias[:, None, None]).to(images.dtype)

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor, count: Tensor) -> None:
        """Update the running statistics as torch does, with the unbiased variance."""
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.momentum is not None
        assert self.num_batches_tracked is not None
        self.num_batches_tracked += 1
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance * count / (count - 1).clamp(min=1), self.momentum)


class _Sum(torch.autograd.Function):
    """The sum over all processes; each part's gradient is the sum of all processes' gradients."""

    @staticmethod
    def forward(context: Any, part: Tensor) -> Tensor:
        whole = part.clone()
        dist.all_reduce(whole)
        return whole

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:  # type: ignore[override]
        whole = gradient.contiguous().clone()
        dist.all_reduce(whole)
        return whole


def use_sync_norms(network: nn.Module) -> None:
    """Replace every batch norm of the network by one of these with the same values."""
    for module in network.modules():
        if type(module) is nn.BatchNorm2d:
            module.__class__ = SyncNorm2d


def has_sync_norms(network: nn.Module) -> bool:
    return any(type(module) is SyncNorm2d for module in network.modules())


@contextlib.contextmanager
def plain_norms(network: nn.Module) -> Iterator[None]:
    """Within it these norms use the images of this process alone, and no other has to call its own."""
    synced: list[nn.BatchNorm2d] = [module for module in network.modules() if type(module) is SyncNorm2d]
    for module in synced:
        module.__class__ = nn.BatchNorm2d
    try:
        yield
    finally:
        for module in synced:
            module.__class__ = SyncNorm2d


def check_parts(batch: int, world: int, micro: int) -> None:
    """WorkbenchError if some processes would have more mini-batches than others: their norms would wait forever."""
    fewest, most = (-(-images // micro) for images in (batch // world, -(-batch // world)))
    if fewest != most:
        raise WorkbenchError(
            f"With sync_norm all processes need the same number of mini-batches, but with {batch} images in"
            f" mini-batches of {micro} some of {world} have {most} and some {fewest}."
            f" Choose a batch that is a multiple of {world}, or another mini_batch."
        )
