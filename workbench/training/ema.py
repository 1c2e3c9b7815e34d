"""The average of the weights over the past steps: it detects better than the weights of any one step."""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from workbench.detectors.parts.detector import Detector


class Average:
    """Holds a copy of a detector whose weights follow the trained one's with decay `decay`; 0 copies them.

    The decay starts small, min(decay, (1 + steps) / (10 + steps)), so that the random first weights are soon forgotten.
    Statistics of batch norms are averaged like weights.
    """

    def __init__(self, detector: Detector, decay: float) -> None:
        self.decay = decay
        self.detector = copy.deepcopy(detector).eval().requires_grad_(False)
        self._ours, self._counts = _split(self.detector)
        self._theirs, self._their_counts = _split(detector)

    @torch.no_grad()
    def update(self, steps: int) -> None:
        """Take in the weights after `steps` steps."""
        decay = min(self.decay, (1 + steps) / (10 + steps))
        torch._foreach_lerp_(self._ours, self._theirs, 1 - decay)
        for ours, theirs in zip(self._counts, self._their_counts, strict=True):
            ours.copy_(theirs)


def _split(detector: Detector) -> tuple[list[Tensor], list[Tensor]]:
    """Tensors that can be averaged, and counters that can't."""
    tensors = [tensor.detach() for tensor in detector.state_dict().values()]
    return [t for t in tensors if t.is_floating_point()], [t for t in tensors if not t.is_floating_point()]
