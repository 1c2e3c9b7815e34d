"""Several processes that train together, started by torchrun: `torchrun --nproc-per-node 8 -m workbench train PROJECT`.

Each has its graphics card (or its share of the processor's cores), computes its part of every batch, and takes part in
DistributedDataParallel's sum of gradients, so that all take the same step. Decisions (stop, pause, which run) go over
gloo on the processor: they make no graphics card wait.

R = processes ("ranks", "world").
"""

from __future__ import annotations

import contextlib
import inspect
import os
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from workbench.errors import WorkbenchError
from workbench.training import cards, machine
from workbench.training.events import Control
from workbench.training.outcome import Diverged
from workbench.training.runtime import Runtime
from workbench.training.settings import TrainingSettings

T = TypeVar("T")
CPU = torch.device("cpu")
PATIENCE = timedelta(hours=3)  # until a process that waits gives up: one may read images meanwhile
_NEW = "forward_sync_buffers"  # the name in torch 2.15 for what was "broadcast_buffers"
_BUFFERS = _NEW if _NEW in inspect.signature(DistributedDataParallel.__init__).parameters else "broadcast_buffers"


class ToldElsewhere(WorkbenchError):
    """What the main process has said already."""


def started() -> bool:
    """Whether torchrun started this process."""
    return "TORCHELASTIC_RUN_ID" in os.environ and "RANK" in os.environ


def here() -> int:
    """This process's number on its machine."""
    return int(os.environ["LOCAL_RANK"])


class Torchrun(Runtime):
    """Joins the others when it is made, and waits for them."""

    def __init__(self) -> None:
        super().__init__()
        self._waits = True  # for the others, at the end
        dist.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo", timeout=PATIENCE)
        self.rank, self.world = dist.get_rank(), dist.get_world_size()

    @property
    def where(self) -> str:
        return f"{self.world} x {self.device.type}"

    def choose(self, settings: TrainingSettings, precision: str) -> None:
        """As Runtime.choose; of several graphics cards each process takes its own. Numbers are as rank 0 chose."""
        name = settings.device
        if name not in ("auto", "cuda", "cpu"):
            raise WorkbenchError(
                f"Several processes can't share the device '{name}'. Choose auto, cuda or cpu, or one process."
            )
        if name != "cpu" and torch.cuda.is_available():
            if here() >= torch.cuda.device_count():
                raise WorkbenchError(
                    f"There are {torch.cuda.device_count()} graphics cards for {os.environ['LOCAL_WORLD_SIZE']}"
                    " processes on this machine. Start as many processes as cards (--nproc-per-node)."
                )
            name = f"cuda:{here()}"
        elif name == "auto":
            name, self.passed_over = "cpu", cards.passed_over()  # Apple's card can't add up what processes have
        self.device = machine.chosen_device(name)
        if self.device.type == "cuda":
            torch.cuda.set_device(self.device)
        self.precision = self.share(lambda: machine.chosen_precision(precision, self.device))

    def wrap(self, network: nn.Module) -> nn.Module:
        """Weights and counts become those of rank 0."""
        own = [self.device.index] if self.device.type == "cuda" else None
        for buffer in network.buffers():  # weights are taken over by what follows
            dist.broadcast(buffer, src=0)
        options: dict[str, Any] = {"device_ids": own, "gradient_as_bucket_view": True, _BUFFERS: False}  # see Counts
        return DistributedDataParallel(network, **options)

    def part(self, count: int) -> slice:
        """As even as can be, the longer ones first; WorkbenchError if there is not an image for each."""
        if count < self.world:
            raise WorkbenchError(
                f"A batch of {count} images can't be dealt out to {self.world} processes. Choose a larger batch."
            )
        shorter, longer = divmod(count, self.world)
        start = self.rank * shorter + min(self.rank, longer)
        return slice(start, start + shorter + (self.rank < longer))

    @property
    def neighbours(self) -> int:
        return int(os.environ["LOCAL_WORLD_SIZE"])

    @property
    def threads(self) -> int:
        """There is no crew in a process of several: an operation may use the cores that are its own."""
        return 1 if torch.cuda.is_available() else max(machine.cores() // self.neighbours, 1)

    def agree(self, wish: int) -> int:
        votes = torch.tensor(int(wish))
        dist.all_reduce(votes, dist.ReduceOp.MAX)
        return int(votes)

    def check_same(self, value: str, what: str) -> None:
        values = self.gather(value)
        different = [rank for rank, other in enumerate(values) if other != value]
        self.share(lambda: _refuse(different, what))

    def share(self, make: Callable[[], T]) -> T:
        said: list[Any] = [None, None]
        if self.main:
            try:
                said = [make(), None]
            except WorkbenchError as error:
                said = [None, WorkbenchError(error.sentence)]
        dist.broadcast_object_list(said, src=0, device=CPU)
        if said[1] is not None:
            raise said[1] if self.main else ToldElsewhere(said[1].sentence)
        return said[0]  # type: ignore[no-any-return]

    def gather(self, value: T) -> list[T]:
        everyone: list[Any] | None = [None] * self.world if self.main else None
        dist.gather_object(value, everyone, dst=0)
        return everyone or []

    @contextlib.contextmanager
    def in_turn(self, control: Control) -> Iterator[None]:
        if here() != 0:
            self._hand_on(control)
        try:
            yield
        finally:  # whatever became of it: the others wait
            if here() == 0:
                self._hand_on(control)

    def _hand_on(self, control: Control) -> None:
        """Wait for all, and whoever was asked to stop asks them, too: what it left undone they would do for nothing."""
        if self.agree(control.stop.is_set()):
            control.stop.set()

    def sum(self, tensors: Sequence[Tensor]) -> None:
        if not tensors:
            return
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
        dist.all_reduce(flat)
        first = 0
        for tensor in tensors:
            tensor.copy_(flat[first : first + tensor.numel()].view_as(tensor))
            first += tensor.numel()

    def left(self, error: Exception) -> bool:
        """All know of a loss that is no number, and of what the main one says."""
        alone = not isinstance(error, Diverged | ToldElsewhere)
        self._waits = self._waits and not alone
        return alone

    def close(self) -> None:
        if self._waits and dist.is_initialized():  # for NCCL destroys only what all destroy
            dist.destroy_process_group()


def _refuse(different: list[int], what: str) -> None:
    if different:
        ranks = ", ".join(map(str, different))
        raise WorkbenchError(
            f"Not the same {what} by all processes: those with the numbers {ranks} differ from 0."
            " Every machine must find the images under the same paths."
        )


@contextlib.contextmanager
def joined() -> Iterator[Runtime]:
    """The runtime of this process: with the others if torchrun started it, else alone."""
    with Torchrun() if started() else Runtime() as runtime:
        yield runtime
