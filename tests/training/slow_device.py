"""A device that lets the processor wait for its numbers, as a graphics card does, but by the step and not the clock."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from workbench.training.hardware.machine import Precision
from workbench.training.hardware.readback import PendingRead, Reader
from workbench.training.hardware.runtime import Runtime


class SlowDevice:
    """Numbers have come once it was asked for others `lag` more times, or was waited for."""

    def __init__(self, lag: int) -> None:
        self.lag, self.asked, self.come, self.waits = lag, 0, 0, 0

    def __call__(self, numbers: Tensor) -> PendingRead:
        self.asked += 1
        self.come = max(self.come, self.asked - self.lag)
        return _Slow(self, self.asked, numbers.clone())


@dataclass
class _Slow:
    device: SlowDevice
    number: int
    numbers: Tensor

    def is_ready(self) -> bool:
        return self.number <= self.device.come

    def wait(self) -> None:
        self.device.waits += 1
        self.device.come = max(self.device.come, self.number)

    def read(self) -> list[float]:
        assert self.is_ready(), "nothing can be read that has not come"
        values: list[float] = self.numbers.tolist()
        return values


class SlowRuntime(Runtime):
    """On the processor, with such a device."""

    def __init__(self, lag: int, precision: str = "fp32") -> None:
        super().__init__(torch.device("cpu"), Precision(precision, ""))
        self.slow = SlowDevice(lag)

    def reader(self) -> Reader | None:
        return self.slow
