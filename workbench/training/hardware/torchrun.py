"""Several processes that train together, started by torchrun: `torchrun --nproc-per-node 8 -m workbench train PROJECT`.

Each has its graphics card (or its share of the processor's cores), computes its part of every batch, and takes part in
DistributedDataParallel's sum of gradients, so that all take the same step. Decisions (stop, pause, which run) use gloo
on the processor, so no graphics card waits for them.

R = processes ("ranks", "world").
"""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import os
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

import workbench
from workbench.core.formatting import rough_duration
from workbench.errors import WorkbenchError
from workbench.training.events import Control
from workbench.training.hardware import gpu, machine, process_share
from workbench.training.hardware.runtime import Runtime
from workbench.training.settings import TrainingSettings
from workbench.training.step_result import Diverged

T = TypeVar("T")
CPU = torch.device("cpu")
PATIENCE = timedelta(hours=3)  # until a waiting process gives up: another may be reading images
_LEFT = ("Connection closed by peer", "Connection reset by peer", "Broken pipe", "Connection was likely closed",
         "remote process exiting")  # fmt: skip
"""The words of gloo, torch's store and last NCCL, where a process is gone."""
_SILENT = "Timed out waiting"  # words of gloo after PATIENCE: a machine that loses its power or network says nothing
_NEW = "forward_sync_buffers"  # torch 2.15's name for "broadcast_buffers"
_BUFFERS = _NEW if _NEW in inspect.signature(DistributedDataParallel.__init__).parameters else "broadcast_buffers"


class AlreadyReported(WorkbenchError):
    """An error that the main process has already reported."""


class OtherEnded(WorkbenchError):
    """Another process is gone, or does not answer; which one, and how, torchrun tells."""


def is_torchrun() -> bool:
    """Whether torchrun started this process."""
    return "TORCHELASTIC_RUN_ID" in os.environ and "RANK" in os.environ


def local_rank() -> int:
    """This process's number on its machine."""
    return int(os.environ["LOCAL_RANK"])


class Torchrun(Runtime):
    """Joins the other processes when created, and waits for them."""

    def __init__(self) -> None:
        super().__init__()
        self._waits = True  # for the others, at the end
        dist.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo", timeout=PATIENCE)
        self.rank, self.world = dist.get_rank(), dist.get_world_size()

    @property
    def device_name(self) -> str:
        return f"{self.world} x {self.device.type}"

    def choose(self, settings: TrainingSettings, precision: str) -> None:
        """As Runtime.choose; with several graphics cards each process takes its own. Rank 0 chooses the precision."""
        name = process_share.device_of(settings.device, local_rank(), self.local_world_size)
        if settings.device == "auto" and name == "cpu":
            self.unused_gpu_reason = gpu.unused_gpu_reason()
        self.device = machine.choose_device(name)
        if self.device.type == "cuda":
            torch.cuda.set_device(self.device)
        self.precision = self.broadcast(lambda: machine.choose_precision(precision, self.device))

    def wrap(self, network: nn.Module) -> nn.Module:
        """Weights and counters become those of rank 0."""
        own = [self.device.index] if self.device.type == "cuda" else None
        for buffer in network.buffers():  # weights are broadcast by DistributedDataParallel
            dist.broadcast(buffer, src=0)
        options: dict[str, Any] = {
            "device_ids": own,
            "gradient_as_bucket_view": True,
            _BUFFERS: False,
        }  # see NetworkCounters
        return DistributedDataParallel(network, **options)

    def own_slice(self, count: int) -> slice:
        return process_share.part_of(count, self.rank, self.world)

    @property
    def local_world_size(self) -> int:
        return int(os.environ["LOCAL_WORLD_SIZE"])

    def threads(self, device: str) -> int:
        return process_share.threads_of(device, self.local_world_size)

    def agree(self, value: int) -> int:
        votes = torch.tensor(int(value))
        dist.all_reduce(votes, dist.ReduceOp.MAX)
        return int(votes)

    def check_program(self) -> None:
        values = self.gather(_program())
        self.broadcast(lambda: _refuse_other(values))

    def check_same(self, value: str, what: str) -> None:
        values = self.gather(value)
        different = [rank for rank, other in enumerate(values) if other != value]
        self.broadcast(lambda: _refuse(different, what))

    def broadcast(self, make: Callable[[], T]) -> T:
        result: list[Any] = [None, None]
        if self.is_main:
            try:
                result = [make(), None]
            except WorkbenchError as error:
                result = [None, WorkbenchError(error.sentence)]
        dist.broadcast_object_list(result, src=0, device=CPU)
        if result[1] is not None:
            raise result[1] if self.is_main else AlreadyReported(result[1].sentence)
        return result[0]  # type: ignore[no-any-return]

    def gather(self, value: T) -> list[T]:
        everyone: list[Any] | None = [None] * self.world if self.is_main else None
        dist.gather_object(value, everyone, dst=0)
        return everyone or []

    @contextlib.contextmanager
    def local_main_first(self, control: Control) -> Iterator[None]:
        if local_rank() != 0:
            self._hand_on(control)
        try:
            yield
        finally:  # whatever happened: the others wait
            if local_rank() == 0:
                self._hand_on(control)
            self._hand_on(control)  # until all have it: meanwhile one of them may hold what the first is to add to

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

    def failed_alone(self, error: Exception) -> bool:
        """All processes know of a loss that is not finite, and of what the main one reports."""
        alone = not isinstance(error, Diverged | AlreadyReported)
        self._waits = self._waits and not alone
        return alone

    def explain(self, error: Exception) -> WorkbenchError | None:
        words = str(error) if isinstance(error, RuntimeError) else ""
        gone = any(text in words for text in _LEFT)
        if gone or _SILENT in words:
            what = "has ended" if gone else f"has not answered for {rough_duration(PATIENCE.total_seconds())}"
            sentence = f"Another of the processes that train together {what}, and this training ends with it."
            return OtherEnded(f"{sentence} See in its output why, and resume the run.", repr(error))
        return super().explain(error)

    def close(self) -> None:
        if self._waits and dist.is_initialized():  # NCCL's groups must be destroyed by all
            dist.destroy_process_group()


def _refuse(different: list[int], what: str) -> None:
    if different:
        ranks = ("numbers " if len(different) > 1 else "number ") + ", ".join(map(str, different))
        raise WorkbenchError(
            f"Not the same {what} by all processes: those of {ranks} differ from those of number 0."
            " Every machine must find the same images under the same paths."
        )


def _program() -> str:
    """What must be the same everywhere: the versions, and the files of this program."""
    digest, folder = hashlib.sha256(), Path(workbench.__file__).parent
    for file in sorted(folder.rglob("*.py")):
        digest.update(file.read_bytes())
    return f"Workbench {workbench.__version__} ({digest.hexdigest()[:8]}) with PyTorch {torch.__version__}"


def _refuse_other(programs: list[str]) -> None:
    """`programs`: of each process, in the main one."""
    other = next((rank for rank, program in enumerate(programs) if program != programs[0]), None)
    if other is not None:
        raise WorkbenchError(
            f"Not all processes are of the same program: number {other} is {programs[other]}, and number 0 is"
            f" {programs[0]}. Install the same on every machine."
        )


@contextlib.contextmanager
def join_processes() -> Iterator[Runtime]:
    """This process's runtime: together with the others if torchrun started it, else alone."""
    with Torchrun() if is_torchrun() else Runtime() as runtime:
        yield runtime
