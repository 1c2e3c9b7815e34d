"""What one of several processes that train together takes: its graphics card, its part of a batch, its cores."""

from __future__ import annotations

from dataclasses import replace

import torch

from workbench.core import control_groups
from workbench.errors import WorkbenchError
from workbench.training.hardware import gpu
from workbench.training.hardware.runtime import Runtime
from workbench.training.settings import TrainingSettings


def part_of(count: int, rank: int, world: int) -> slice:
    """As even as possible, larger parts first; WorkbenchError if there are fewer images than processes."""
    if count < world:
        raise WorkbenchError(
            f"A batch of {count} images can't be divided among {world} processes. Choose a larger batch, or fewer"
            " processes."
        )
    shorter, longer = divmod(count, world)
    start = rank * shorter + min(rank, longer)
    return slice(start, start + shorter + (rank < longer))


def on_cards(device: str) -> bool:
    """Whether processes with the setting `device` take a graphics card each; else they share the processor."""
    return device != "cpu" and torch.cuda.is_available()


def device_of(device: str, local_rank: int, processes: int) -> str:
    """The device of one of so many `processes` on this machine; WorkbenchError if they can't have the one asked for."""
    if device not in ("auto", "cuda", "cpu"):
        raise WorkbenchError(
            f"Several processes can't share the device '{device}'. Choose auto, cuda or cpu, or one process."
        )
    if not on_cards(device):
        return "cpu" if device == "auto" else device  # Apple's GPU can't sum over processes
    if local_rank >= torch.cuda.device_count() or processes > torch.cuda.device_count():
        raise WorkbenchError(
            f"There are {torch.cuda.device_count()} graphics cards for {processes} processes on this machine. Start as"
            " many processes as cards (--nproc-per-node)."
        )
    return f"cuda:{local_rank}"


def threads_of(device: str, processes: int) -> int:
    """Cores for one operation of torch. One of several processes has no replicas: on the processor it may use all of
    its share of this machine's.
    """
    return 1 if on_cards(device) else max(control_groups.usable_cores() // processes, 1)


class OneOfSeveral(Runtime):
    """The first of so many processes, alone: to measure what each of them does without waiting for the others."""

    def __init__(self, processes: int) -> None:
        super().__init__()
        self._processes = processes

    def choose(self, settings: TrainingSettings, precision: str) -> None:
        device = device_of(settings.device, 0, self._processes)
        super().choose(replace(settings, device=device), precision)
        if settings.device == "auto" and device == "cpu":
            self.unused_gpu_reason = gpu.unused_gpu_reason()

    def own_slice(self, count: int) -> slice:
        return part_of(count, 0, self._processes)

    @property
    def local_world_size(self) -> int:
        return self._processes

    def threads(self, device: str) -> int:
        return threads_of(device, self._processes)
