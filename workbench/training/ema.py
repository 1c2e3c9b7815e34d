"""The average of the weights over the past steps: it detects better than the weights of any one step."""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from workbench.detectors.parts.detector import Detector


class Average:
    """Holds a copy of a detector whose weights follow the trained one's with decay `decay`; 0 copies them.

    The decay starts small, min(decay, (1 + steps) / (10 + steps)), so that the random first weights are soon forgotten.
    Statistics of batch norms are averaged like weights. Darknet's ema_alpha begins at half of the run.
    """

    def __init__(self, detector: Detector, decay: float) -> None:
        self.decay = decay
        self.detector = copy.deepcopy(detector).eval().requires_grad_(False)
        self._ours, self._counts = _split(self.detector)
        self._theirs, self._their_counts = _split(detector)
        self._puller: torch.optim.SGD | None = None

    @torch.no_grad()
    def update(self, steps: int, over: Tensor | None = None) -> None:
        """Add the weights after `steps` steps; not if the device's `over` is 1: no step was taken."""
        share = 1 - min(self.decay, (1 + steps) / (10 + steps))
        if over is None:
            torch._foreach_lerp_(self._ours, self._theirs, share)
        elif share == 1:  # a copy of the weights, which did not change either
            torch._foreach_copy_(self._ours, self._theirs)
        else:
            self._pull(share, over)
        if self._counts:  # in one call to the device, not one for each
            torch._foreach_copy_(self._counts, self._their_counts)

    def _pull(self, share: float, over: Tensor) -> None:
        """The same by an optimiser, which checks `over` on the device: a weight decay by 1 towards their values."""
        if self._puller is None:
            self._puller = torch.optim.SGD(self._ours, lr=share, weight_decay=1.0, maximize=True, fused=True)
            for ours, theirs in zip(self._ours, self._theirs, strict=True):
                ours.grad = theirs
        self._puller.param_groups[0]["lr"] = share
        self._puller.found_inf = over  # type: ignore[attr-defined]
        self._puller.step()


def _split(detector: Detector) -> tuple[list[Tensor], list[Tensor]]:
    """Tensors that can be averaged, and counters that can't be."""
    tensors = [tensor.detach() for tensor in detector.state_dict().values()]
    return [t for t in tensors if t.is_floating_point()], [t for t in tensors if not t.is_floating_point()]
