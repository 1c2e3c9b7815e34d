"""Reads a step's numbers once the device has computed them, so that no step waits for the one before it.

On a graphics card the loss terms and the gradient norm of a step are copied asynchronously to the processor, which has
long queued the next steps when they arrive. So the device itself must make sure that a step whose numbers are not
finite changes nothing, nor any step after it, until the processor has read them and ends the training.

Refused: asking every few steps. It costs little, but a waiting processor can't queue what comes next, and a small
network's step takes less time than queueing it.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from workbench.training.hardware.machine import PATIENCE, LossScale
from workbench.training.step_result import QueuedStep, StepResult

MOST = 100  # steps that may be unread: goal F3 allows one wait per this many
TOGETHER = 4  # steps after which several processes read one, all at the same step: they must not act differently


class PendingRead(Protocol):
    """Numbers on their way from the device."""

    def is_ready(self) -> bool:
        """Whether they have arrived."""

    def wait(self) -> None:
        """Wait until they have arrived, and with them all that were asked for before."""

    def read(self) -> list[float]:
        """The numbers. Call once, when they have arrived."""


Reader = Callable[[Tensor], PendingRead]  # of the numbers of a step, (n,) on the device


class ReadbackRing:
    """Asks a graphics card, by copies into places of the processor's memory that are used in turn."""

    def __init__(self, device: torch.device) -> None:
        self.device, self._next = device, 0
        self._places: Tensor | None = None
        self._events = [torch.cuda.Event(blocking=True) for _ in range(MOST + 1)]  # type: ignore[no-untyped-call]

    def __call__(self, numbers: Tensor) -> PendingRead:
        if self._places is None or self._places.shape[1] != len(numbers):
            self._places = torch.empty(len(self._events), len(numbers), dtype=numbers.dtype, pin_memory=True)
        place, event = self._places[self._next], self._events[self._next]
        self._next = (self._next + 1) % len(self._events)
        place.copy_(numbers, non_blocking=True)
        event.record(torch.cuda.current_stream(self.device))
        return _PinnedRead(place, event)


@dataclass(frozen=True)
class _PinnedRead:
    place: Tensor
    event: torch.cuda.Event

    def is_ready(self) -> bool:
        return bool(self.event.query())  # type: ignore[no-untyped-call]

    def wait(self) -> None:
        self.event.synchronize()  # type: ignore[no-untyped-call]

    def read(self) -> list[float]:
        values: list[float] = self.place.tolist()
        return values


class StepQueue:
    """Steps whose numbers are on their way, oldest first. At most MOST."""

    def __init__(self, reader: Reader, together: bool) -> None:
        """`together`: other processes do the same, so the time of reading must not depend on a device's speed."""
        self._reader, self._together = reader, together
        self._steps: deque[tuple[QueuedStep, PendingRead]] = deque()
        self.waits = 0  # how often the processor had to wait

    def __len__(self) -> int:
        return len(self._steps)

    def add(self, step: QueuedStep, numbers: Tensor) -> None:
        self._steps.append((step, self._reader(numbers)))

    def forget(self) -> None:
        self._steps.clear()

    def arrived(self, everything: bool) -> Iterator[tuple[QueuedStep, list[float]]]:
        """The steps that can be read now; `everything`: all of them, after one wait."""
        reads = [pending for _, pending in self._steps]
        if everything:
            count = len(reads)
        elif self._together:
            count = max(len(reads) - TOGETHER, 0)
        else:
            count = next((number for number, pending in enumerate(reads) if not pending.is_ready()), len(reads))
            count = len(reads) if len(reads) - count >= MOST else count
        if count and not reads[count - 1].is_ready():
            self.waits += 1
            reads[count - 1].wait()
        for _ in range(count):
            step, pending = self._steps.popleft()
            yield step, pending.read()


class StepGuard:
    """The device's own decisions: whether a step is taken, and whether any later one is."""

    def __init__(self, counts: CounterBackup, scale: LossScale | None, device: torch.device) -> None:
        """`counts`: the network's, to be noted before each step."""
        self.over = torch.zeros((), device=device)  # 1 from the first step that can't be taken
        self.scale: Tensor | None = None  # see LossScale
        self._good = torch.zeros((), device=device)
        self._counts = counts
        if scale is not None:
            self.scaled_by(scale)

    def scaled_by(self, scale: LossScale) -> None:
        """Start with this loss scale."""
        self.scale = torch.full((), scale.value, device=self.over.device)
        self._good = torch.full((), float(scale.good), device=self.over.device)

    def judge(self, total: Tensor, norm: Tensor) -> Tensor:
        """1 if the step must not be taken because `total`, its loss terms, or the gradient's `norm` is not finite."""
        bad = ~(total.isfinite().all() & norm.isfinite())
        hopeless = bad
        if self.scale is not None:  # like LossScale.follow
            value, good = self.scale, self._good + 1
            grown = good == PATIENCE
            self.scale = torch.where(bad, value / 2, torch.where(grown, value * 2, value))
            self._good = torch.where(bad | grown, 0.0, good)
            hopeless = bad & (self.scale < 1)
        self.over = torch.maximum(self.over, hopeless.float())
        return torch.maximum(self.over, bad.float())

    def end(self) -> None:
        """Call after the step: the network's counters are put back if the training is over."""
        self._counts.put_back_if(self.over)

    def row(self, total: Tensor, norm: Tensor) -> Tensor:
        """What the processor reads of a step; decoded by decode()."""
        scale = self.over if self.scale is None else self.scale
        return torch.cat([total.float(), torch.stack([norm.float(), scale, self._good])])

    @staticmethod
    def decode(step: QueuedStep, values: list[float]) -> tuple[StepResult, LossScale]:
        """The outcome of the step, and the loss scale after it."""
        *terms, norm, value, good = values
        return StepResult(step, dict(zip(step.names, terms, strict=True)), norm), LossScale(value, int(good))


class CounterBackup:
    """What a network counts during training, such as batch norm statistics: buffers that are saved."""

    def __init__(self, network: nn.Module) -> None:
        saved = network.state_dict().keys()
        buffers = [buffer for name, buffer in network.named_buffers() if name in saved]
        kinds = {buffer.dtype for buffer in buffers}
        self._groups = [[buffer for buffer in buffers if buffer.dtype == kind] for kind in kinds]
        self._before: list[Tensor] = []

    @torch.no_grad()
    def note(self) -> None:
        """Call before a step first uses the network."""
        self._before = [_row(group) for group in self._groups]

    @contextlib.contextmanager
    def kept_on_error(self) -> Iterator[None]:
        """Around a step until its weights change: if it ends by an error or Ctrl-C, it has counted nothing."""
        self.note()
        try:
            yield
        except BaseException:
            with contextlib.suppress(RuntimeError):  # of a card that failed, whose error every later call repeats
                self.put_back()
            raise

    @torch.no_grad()
    def put_back(self) -> None:
        """Restore what was noted."""
        for group, before in zip(self._groups, self._before, strict=True):
            _fill(group, before)

    @torch.no_grad()
    def put_back_if(self, wanted: Tensor) -> None:
        """Restore if `wanted` is 1, and whatever is not finite: a step that fp16 skips would spoil statistics for good.

        A few calls to the device, however many buffers there are.
        """
        for group, before in zip(self._groups, self._before, strict=True):
            now = _row(group)
            _fill(group, torch.where((wanted > 0) | ~now.isfinite(), before, now))


def _row(tensors: list[Tensor]) -> Tensor:
    return torch.cat([tensor.reshape(-1) for tensor in tensors])


def _fill(tensors: list[Tensor], row: Tensor) -> None:
    parts = torch.split(row, [tensor.numel() for tensor in tensors])
    torch._foreach_copy_(tensors, [part.view_as(tensor) for part, tensor in zip(parts, tensors, strict=True)])
