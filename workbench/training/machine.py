"""Which device a training runs on, in which numbers, on how many cores: chosen by measuring the machine at hand."""

from __future__ import annotations

import ctypes
import math
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from workbench.errors import WorkbenchError

WORTH = 1.1  # bf16 must be at least this much faster than fp32
ROUNDS = 6
FIRM = 0.05  # largest difference of the two results, as a share of the range
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3  # of glibc's malloc.h
KEEP = 2**31 - 1  # bytes of freed memory that stay with the process
LARGEST_UNMAPPED = 32 * 2**20  # the most that glibc takes for M_MMAP_THRESHOLD


@dataclass(frozen=True)
class Precision:
    """Numbers that the network is computed in: "bf16" or "fp32", and a sentence about why."""

    name: str
    why: str

    def autocast(self, device: torch.device) -> torch.autocast:
        return torch.autocast(device.type, dtype=torch.bfloat16, enabled=self.name == "bf16")


def chosen_device(name: str) -> torch.device:
    """ "auto": CUDA, else Apple's GPU, else the CPU. WorkbenchError for a device that is not there."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise WorkbenchError(f"There is no device '{name}' on this machine. Choose auto or cpu.", error) from error
    return device


def chosen_precision(wanted: str, device: torch.device) -> Precision:
    """As asked for; "auto" times a small convolution in both on this device and checks that the results agree."""
    if wanted != "auto":
        return Precision(wanted, f"The network is computed in {wanted}, as the recipe says.")
    if device.type == "mps":
        return Precision("fp32", "The network is computed in fp32 on Apple's GPU.")
    try:
        (exact, slow), (rough, fast) = _trials(device)
    except RuntimeError:  # no kernel for bf16 on this device
        return Precision("fp32", "The network is computed in fp32: this device has no bf16.")
    close = bool(torch.isfinite(rough).all()) and float((rough - exact).abs().max() / exact.abs().max()) < FIRM
    if not close:
        return Precision("fp32", "The network is computed in fp32: bf16 gave wrong results on this device.")
    if slow / fast < WORTH:
        return Precision("fp32", f"The network is computed in fp32: bf16 is only {slow / fast:.1f} times as fast here.")
    return Precision("bf16", f"The network is computed in bf16, {slow / fast:.1f} times as fast as fp32 here.")


Trial = tuple[Tensor, float]


def _trials(device: torch.device) -> tuple[Trial, Trial]:
    """Output and best time (s) of a convolution forward and backward, channels last: in fp32 and in bf16.

    On the processor one thread is timed by its own clock, so that other programs don't tip the balance.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        convolution = nn.Conv2d(64, 64, 3, padding=1).to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        images = torch.randn(4, 64, 40, 40).to(device=device, memory_format=torch.channels_last).requires_grad_()
    with one_thread_each():
        rounds = [[_trial(convolution, images, bf16) for bf16 in (False, True)] for _ in range(ROUNDS)]
    exact, rough = rounds[-1][0][0], rounds[-1][1][0]
    slow, fast = (min(trial[kind][1] for trial in rounds[1:]) for kind in (0, 1))  # the first round warms up
    return (exact, slow), (rough, fast)


def _trial(convolution: nn.Module, images: Tensor, bf16: bool) -> Trial:
    device = images.device
    clock = time.thread_time if device.type == "cpu" else time.perf_counter
    start = clock()
    with torch.autocast(device.type, dtype=torch.bfloat16, enabled=bf16):
        out = convolution(images)
    torch.autograd.grad(out.float().sum(), [images, *convolution.parameters()])
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return out.detach().float(), clock() - start


def graphics_use(device: torch.device) -> float:
    """The share of the last moments in which the graphics card computed; NaN where its library can't be asked."""
    try:
        return float(torch.cuda.utilization(device)) / 100
    except (ModuleNotFoundError, RuntimeError, AttributeError):  # pynvml is not installed, or knows nothing
        return math.nan


def cores() -> int:
    """Processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Let every operation of torch run on one core, and go back to what was set before; see crew.py for why."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def keep_freed_memory() -> bool:
    """Tell glibc to keep freed memory instead of giving it back and asking anew at each step; False elsewhere.

    A step frees and takes the same hundreds of megabytes; without this the kernel clears the pages each time.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt: Callable[[int, int], int] = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library
        return False
    wanted = ((M_MMAP_THRESHOLD, LARGEST_UNMAPPED), (M_TRIM_THRESHOLD, KEEP), (M_TOP_PAD, 64 * 2**20))
    results = [mallopt(name, value) for name, value in wanted]  # each is wanted, whatever becomes of the others
    return all(result == 1 for result in results)
