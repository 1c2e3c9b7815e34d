"""Computes the parts of a batch in parallel: copies of the detector that share its weights, each in its own thread.

The usual way, one network with each operation spread over all cores, makes the threads wait for each other
hundreds of times per step, spinning. As soon as another program wants a core, each wait lasts a time slice of the
system: on two cores beside one busy program, a step of 110 ms on one thread was measured to take 4,000 ms on two.
Members of the pool wait once per step, and asleep: beside that same program they took 120 ms.

Batch norms see only their part of the batch, as in training on several graphics cards; their running statistics are
averaged after each step, and counts of images (buffers called `seen`) are added up. Gradients are summed in the
members' order, so the result is deterministic.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TypeVar

import torch
import torchvision  # noqa: F401  (whole before its parts: tests/test_import_order.py)
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd
from torchvision.ops import DropBlock2d

from workbench.detectors.parts.detector import Detector
from workbench.training.hardware.runtime import Runtime

FEWEST = 2  # images of a part: the least that batch norms need
Part = TypeVar("Part")
Result = TypeVar("Result")


def replica_count(detector: Detector, batch: int, threads: int) -> int:
    """How many members are useful. Networks that draw at random get one, as several would draw in no fixed order."""
    if detector.samples or any(isinstance(module, _DropoutNd | DropBlock2d) for module in detector.modules()):
        return 1
    return max(1, min(threads, batch // FEWEST))


def split_batch(images: int, most: int) -> list[slice]:
    """Slices of at most `most` images, as few and as equal as possible: a last part of one image
    would spoil batch norms.
    """
    parts = -(-images // most)
    return [slice(images * part // parts, images * (part + 1) // parts) for part in range(parts)]


class ReplicaPool:
    """`members[0]` is the detector itself. Close the pool at the end."""

    def __init__(self, detector: Detector, size: int) -> None:
        shared = {id(parameter): parameter for parameter in detector.parameters()}
        self.members = [detector, *(copy.deepcopy(detector, dict(shared)) for _ in range(size - 1))]
        self._statistics = [_statistics(member) for member in self.members]
        self._seen = [_seen(member) for member in self.members]
        self._seen_before = [count.clone() for count in self._seen[0]]
        self._pool = ThreadPoolExecutor(size, "train") if size > 1 else None

    def __len__(self) -> int:
        return len(self.members)

    def work(self, job: Callable[[Detector, Part], Result], parts: Sequence[Part]) -> Iterator[Result]:
        """Yields `job(member, part)` for each part, in order; members work at the same time. Iterate to the end."""
        if self._pool is None:
            for part in parts:
                yield job(self.members[0], part)
            return
        self._spread()
        for start in range(0, len(parts), len(self)):
            at_once = zip(self.members, parts[start : start + len(self)], strict=False)
            computed = [self._pool.submit(job, member, part) for member, part in at_once]
            try:
                wait(computed)  # for all, even if one fails: a retry uses the same members
            finally:
                wait(computed)  # after a Ctrl-C, too: else they would go on counting while the network is saved
            yield from [one.result() for one in computed]
        self._gather(min(len(self), len(parts)))

    def close(self) -> None:
        """Wait for the threads to end."""
        if self._pool is not None:
            self._pool.shutdown(wait=True)

    @torch.no_grad()
    def _spread(self) -> None:
        self._seen_before = [count.clone() for count in self._seen[0]]
        for counts in self._seen[1:]:
            for count, whole in zip(counts, self._seen[0], strict=True):
                count.copy_(whole)
        first = self._statistics[0]
        if not first:  # a network without batch norms
            return
        for statistics in self._statistics[1:]:
            torch._foreach_copy_(statistics, first)

    @torch.no_grad()
    def _gather(self, busy: int) -> None:
        """From the first `busy` members: the others hold values of the step before."""
        for counts in self._seen[1:]:
            for whole, count, before in zip(self._seen[0], counts, self._seen_before, strict=True):
                whole += count - before
        first = self._statistics[0]
        if not first:  # a network without batch norms
            return
        for statistics in self._statistics[1:busy]:
            torch._foreach_add_(first, statistics)
        torch._foreach_div_(first, busy)


class NetworkCounters:
    """A network's counters of a step, to be combined over all processes as ReplicaPool does over its members."""

    def __init__(self, detector: Detector) -> None:
        self._seen, self._statistics = _seen(detector), _statistics(detector)
        self._before = [count.clone() for count in self._seen]

    @torch.no_grad()
    def add_up(self, runtime: Runtime) -> None:
        runtime.sum(self._statistics)
        if self._statistics:
            torch._foreach_div_(self._statistics, runtime.world)
        for count, before in zip(self._seen, self._before, strict=True):
            count -= before
        runtime.sum(self._seen)
        for count, before in zip(self._seen, self._before, strict=True):
            count += before


def _statistics(detector: nn.Module) -> list[Tensor]:
    """The running means and variances of the batch norms."""
    norms = [module for module in detector.modules() if isinstance(module, _BatchNorm)]
    found = [tensor for norm in norms for tensor in (norm.running_mean, norm.running_var)]
    return [tensor for tensor in found if tensor is not None]


def _seen(detector: nn.Module) -> list[Tensor]:
    """The counters of training images in parts of the detector, such as YOLOv2's head for its warm-up."""
    return [buffer for name, buffer in detector.named_buffers() if name.rpartition(".")[2] == "seen"]
