"""Which device a training runs on, in which numbers, on how many cores: chosen by measuring the machine at hand."""

from __future__ import annotations

import ctypes
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from workbench.errors import WorkbenchError
from workbench.training import cards

WORTH = 1.1  # bf16 must be at least this much faster than fp32
ROUNDS = 6
AMPERE = (8, 0)  # compute capability of the first graphics cards with bf16
PATIENCE = 2000  # steps before the loss is scaled higher
FIRM = 0.05  # largest difference of the two results, as a share of the range
SMALL, LARGE = (1, 4, 64, 40), (4, 8, 256, 64)  # of a trial: convolutions, images, channels, pixels of a side
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3  # of glibc's malloc.h
KEEP = 2**31 - 1  # bytes of freed memory that stay with the process
LARGEST_UNMAPPED = 32 * 2**20  # the most that glibc takes for M_MMAP_THRESHOLD


@dataclass(frozen=True)
class Precision:
    """Numbers that the network is computed in: "bf16", "fp16" or "fp32", and a sentence about why."""

    name: str
    why: str

    def autocast(self, device: torch.device) -> torch.autocast:
        kind = torch.float16 if self.name == "fp16" else torch.bfloat16
        return torch.autocast(device.type, dtype=kind, enabled=self.name != "fp32")


@dataclass
class LossScale:
    """What the loss is multiplied by so that fp16 holds its gradients, as torch.amp.GradScaler moves it: halved when
    they are too large for it, doubled after 2,000 steps that went well.
    """

    value: float = 2.0**16
    good: int = 0  # steps since it was moved

    def follow(self, fine: bool) -> bool:
        """Take in whether the last gradients were finite; False when it can't become any smaller."""
        if not fine:
            self.value, self.good = self.value / 2, 0
            return self.value >= 1
        self.good += 1
        if self.good == PATIENCE:
            self.value, self.good = self.value * 2, 0
        return True


def chosen_device(name: str) -> torch.device:
    """ "auto": CUDA, else Apple's GPU, else the CPU. WorkbenchError for one that is not there or can't be used."""
    if name == "auto":
        there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
        usable = (kind for kind, is_there in there.items() if is_there and not cards.refusal(kind))
        return torch.device(next(usable, "cpu"))
    reason = cards.refusal(name)
    if not reason:
        return torch.device(name)
    if why := cards.why(reason):
        raise WorkbenchError(f"The device '{name}' can't be used: {why} Or choose cpu.", reason)
    raise WorkbenchError(f"There is no device '{name}' on this machine. Choose auto or cpu.", reason)


HALVES = {"bf16": torch.bfloat16, "fp16": torch.float16}


def chosen_precision(wanted: str, device: torch.device) -> Precision:
    """As asked for, if it gives right results on this device; "auto" also asks whether it is faster.

    Both are seen on a small convolution. Graphics cards before Ampere have no bf16 of their own: auto tries fp16 there.
    """
    if wanted == "fp32":
        return Precision("fp32", "The network is computed in fp32, as the recipe says.")
    if device.type == "mps" and wanted == "auto":
        return Precision("fp32", "The network is computed in fp32 on Apple's GPU.")
    name = half_of(device) if wanted == "auto" else wanted
    try:
        (exact, slow), (rough, fast) = _trials(device, HALVES[name])
    except RuntimeError as error:  # no kernel for these numbers on this device
        if cards.ran_out(error) and not cards.no_way(error):
            raise WorkbenchError(cards.full(device), error) from error
        return Precision("fp32", f"The network is computed in fp32: this device has no {name}.")
    close = bool(torch.isfinite(rough).all()) and float((rough - exact).abs().max() / exact.abs().max()) < FIRM
    if not close:
        return Precision("fp32", f"The network is computed in fp32: {name} gave wrong results on this device.")
    if wanted != "auto":
        return Precision(name, f"The network is computed in {name}, as the recipe says.")
    times = f"{slow / fast:.1f}"
    if slow / fast < WORTH:
        return Precision("fp32", f"The network is computed in fp32: {name} is only {times} times as fast here.")
    return Precision(name, f"The network is computed in {name}, {times} times as fast as fp32 here.")


def half_of(device: torch.device) -> str:
    """The half-sized numbers that suit the device."""
    old = device.type == "cuda" and torch.cuda.get_device_capability(device) < AMPERE
    return "fp16" if old else "bf16"


Trial = tuple[Tensor, float]


def _trials(device: torch.device, half: torch.dtype) -> tuple[Trial, Trial]:
    """Results and best time (s) of convolutions forward and backward, channels last: in fp32 and in `half`.

    On the processor one thread is timed by its own clock, so that other programs don't tip the balance. A graphics card
    gets so much to do that its time is seen, and not that of the processor, which orders it.
    """
    count, batch, channels, side = LARGE if device.type == "cuda" else SMALL
    with cards.forked_rng(device):
        torch.manual_seed(0)
        layers = [nn.Conv2d(channels, channels, 3, padding=1) for _ in range(count)]
        network = nn.Sequential(*layers).to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        images = torch.randn(batch, channels, side, side).to(device=device, memory_format=torch.channels_last)
    images.requires_grad_()
    times: dict[torch.dtype | None, list[float]] = {None: [], half: []}
    results: dict[torch.dtype | None, Tensor] = {}
    with one_thread_each():
        for _ in range(ROUNDS):
            for kind, seconds in times.items():
                results[kind], took = _trial(network, images, kind)
                seconds.append(took)
    slow, fast = (min(seconds[1:]) for seconds in times.values())  # the first round warms up
    return (results[None], slow), (results[half], fast)


def _trial(network: nn.Module, images: Tensor, half: torch.dtype | None) -> Trial:
    """The network's output and the images' gradient in one row, and the time."""
    device = images.device
    # Windows' clock of a thread goes in steps of 16 ms, in which a trial is over (python/cpython#135304)
    own = device.type == "cpu" and sys.platform != "win32"
    clock = time.thread_time if own else time.perf_counter
    start = clock()
    with torch.autocast(device.type, dtype=half, enabled=half is not None):
        out = network(images)
    slope, *_ = torch.autograd.grad(out.float().sum(), [images, *network.parameters()])
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    took = clock() - start
    return torch.cat([out.detach().float().flatten(), slope.float().flatten()]), took


def cores() -> int:
    """Processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


def one_thread_each() -> AbstractContextManager[None]:
    """Let every operation of torch run on one core, and go back to what was set before; see crew.py for why."""
    return threads_each(1)


@contextmanager
def threads_each(count: int) -> Iterator[None]:
    """Let every operation of torch run on so many cores, and go back to what was set before."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
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
