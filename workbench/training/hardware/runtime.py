"""Where a training is computed: by one process on one device or, under torchrun, by several (torchrun.py).

The loop asks a Runtime and knows nothing of processes. Rank 0, the main one, writes all files and shows all events;
every process computes its part of each batch and holds the same weights.

Refused: Lightning Fabric or Accelerate for these few methods. Both wrap optimiser and loader in objects of their own,
so a resumed run could not be guaranteed to be bit-identical.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from workbench.errors import WorkbenchError
from workbench.training.events import Control, Message
from workbench.training.hardware import gpu, machine
from workbench.training.hardware.machine import Precision
from workbench.training.hardware.readback import ReadbackRing, Reader
from workbench.training.settings import TrainingSettings

T = TypeVar("T")


class Runtime:
    """One process on one device. Call `choose` before anything else but `broadcast`."""

    rank, world = 0, 1
    unused_gpu_reason = ""  # a sentence: why an existing graphics card is not used

    def __init__(self, device: torch.device | None = None, precision: Precision | None = None) -> None:
        self.device = device or torch.device("cpu")
        self.precision = precision or Precision("fp32", "")

    @property
    def is_main(self) -> bool:
        """Whether this process writes the files."""
        return self.rank == 0

    @property
    def device_name(self) -> str:
        """The name of the device for the user."""
        return str(self.device)

    def choose(self, settings: TrainingSettings, precision: str) -> None:
        """Choose the device that the settings name, and a precision it is good at. WorkbenchError: no such device."""
        self.device = machine.choose_device(settings.device)
        if settings.device == "auto" and self.device.type == "cpu":
            self.unused_gpu_reason = gpu.unused_gpu_reason()
        with gpu.alone_on(self.device):
            self.precision = machine.choose_precision(precision, self.device)

    def notes(self) -> list[Message]:
        """Sentences about what was chosen."""
        why = Message("info", self.precision.why)
        return [Message("warning", self.unused_gpu_reason), why] if self.unused_gpu_reason else [why]

    def failed_alone(self, error: Exception) -> bool:
        """Whether this process alone has ended by `error`. The others then wait for it in vain, so
        it must end without waiting for them, with an exit code that ends them too.
        """
        return False

    def explain(self, error: Exception) -> WorkbenchError | None:
        """A sentence for an error of the device or of the other processes; None for other errors."""
        return gpu.explain_error(error, self.device)

    def autocast(self) -> torch.autocast:
        return self.precision.autocast(self.device)

    def seed(self, seed: int, step: int) -> None:
        """Seed torch before each step, differently in each process.

        What a step draws then depends on nothing that was drawn before (a network that the window builds on another
        page draws, too), and no random state needs to be saved.
        """
        torch.manual_seed(int(np.random.SeedSequence((seed, step, self.rank)).generate_state(1)[0]))

    def reader(self) -> Reader | None:
        """How to ask the device for a step's numbers, to read them later; None if they are read at once."""
        return ReadbackRing(self.device) if self.device.type == "cuda" else None

    def wrap(self, network: nn.Module) -> nn.Module | None:
        """A module that also averages the gradients over all processes; None if there is one process."""
        return None

    def own_slice(self, count: int) -> slice:
        """Which of a batch's `count` images are computed here."""
        return slice(0, count)

    @property
    def local_world_size(self) -> int:
        """The number of processes that share this machine's cores."""
        return 1

    def threads(self, device: str) -> int:
        """Cores for one operation of torch where that is the setting `device`; replicas.py says why it is one."""
        return 1

    def begin(self, seed: int) -> None:
        """Call before the network is made, so that all processes start with the same weights."""
        torch.manual_seed(seed)

    def agree(self, value: int) -> int:
        """The highest of the processes' values."""
        return value

    def check_program(self) -> None:
        """WorkbenchError if the processes are not of the same version. Call it before they exchange anything else."""

    def check_same(self, value: str, what: str) -> None:
        """WorkbenchError if the processes have different values; `what` names them."""

    def broadcast(self, make: Callable[[], T]) -> T:
        """Call `make` in the main process and return its result in all of them; a WorkbenchError is raised in all."""
        return make()

    def gather(self, value: T) -> list[T]:
        """The values of all processes, by rank, in the main one; elsewhere an empty list."""
        return [value]

    def sum(self, tensors: Sequence[Tensor]) -> None:
        """Add the tensors of all processes, in place. They must have the same dtype and device."""

    def close(self) -> None:
        """Leave the others. Call once, at the end."""

    @contextlib.contextmanager
    def local_main_first(self, control: Control) -> Iterator[None]:
        """Within it the first process of each machine goes first, so that the others find on disk what it made; they
        are asked to stop if it was asked meanwhile. It goes on once they have it.
        """
        yield

    def rng(self) -> tuple[Tensor, Tensor | None]:
        """The random state of the processor, and that of the graphics card."""
        device = torch.cuda.get_rng_state(self.device) if self.device.type == "cuda" else None
        return torch.get_rng_state(), device

    def set_rng(self, cpu: Tensor, device: Tensor | None) -> None:
        torch.set_rng_state(cpu)
        if device is not None and self.device.type == "cuda":
            torch.cuda.set_rng_state(device, self.device)

    def __enter__(self) -> Runtime:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()
