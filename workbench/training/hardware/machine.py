"""Which device, precision and number of cores a training uses: chosen by measuring this machine."""

from __future__ import annotations

import ctypes
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from workbench.errors import WorkbenchError
from workbench.training.hardware import gpu

WORTH = 1.1  # bf16 must be at least this much faster than fp32
ROUNDS = 6
AMPERE = (8, 0)  # compute capability of the first graphics cards with bf16
PATIENCE = 2000  # steps before the loss scale is doubled
FIRM = 0.05  # largest allowed difference of the two results, as a share of the range
SMALL, LARGE = (1, 4, 64, 40), (4, 8, 256, 64)  # trials: convolutions, images, channels, pixels of a side
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3  # of glibc's malloc.h
KEEP = 2**31 - 1  # bytes of freed memory that the process keeps
LARGEST_UNMAPPED = 32 * 2**20  # the most that glibc takes for M_MMAP_THRESHOLD


@dataclass(frozen=True)
class Precision:
    """The precision of the network: "bf16", "fp16" or "fp32", and a sentence with the reason. `needed`: by this run, in
    which a half precision gave numbers that were none.
    """

    name: str
    why: str
    needed: bool = False

    def autocast(self, device: torch.device) -> torch.autocast:
        kind = torch.float16 if self.name == "fp16" else torch.bfloat16
        return torch.autocast(device.type, dtype=kind, enabled=self.name != "fp32")


NEEDED = Precision("fp32", "The network is computed in fp32: half precision could not hold this run's numbers.", True)


@dataclass
class LossScale:
    """The factor on the loss that keeps its gradients in fp16's range, adjusted as by torch.amp.GradScaler: halved when
    they are too large, doubled after 2,000 good steps.
    """

    value: float = 2.0**16
    good: int = 0  # steps since the last change

    def follow(self, fine: bool) -> bool:
        """Adjust to whether the last gradients were finite; False if it can't become any smaller."""
        if not fine:
            self.value, self.good = self.value / 2, 0
            return self.value >= 1
        self.good += 1
        if self.good == PATIENCE:
            self.value, self.good = self.value * 2, 0
        return True


class NoSuchDevice(WorkbenchError):
    """This machine has no such device."""


def choose_device(name: str, patience: float = -1) -> torch.device:
    """ "auto": CUDA, else Apple's GPU, else the CPU. NoSuchDevice, or WorkbenchError if it can't be used.

    `patience`: see gpu.alone_on().
    """
    if name == "auto":
        there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
        usable = (kind for kind, is_there in there.items() if is_there and not gpu.find_device_problem(kind, patience))
        return torch.device(next(usable, "cpu"))
    reason = gpu.find_device_problem(name, patience)
    if not reason:
        return torch.device(name)
    if why := gpu.explain_device_problem(reason):
        raise WorkbenchError(f"The device '{name}' can't be used: {why} Or choose cpu.", reason)
    names = ", ".join(("auto", *device_names()))
    raise NoSuchDevice(f"There is no device '{name}' on this machine. Choose one of: {names}.", reason)


def device_names() -> tuple[str, ...]:
    """The devices of this machine that PyTorch sees, such as cpu and cuda:0."""
    cards = torch.cuda.device_count() if torch.cuda.is_available() else 0
    more = [name for name, kind in (("mps", torch.backends.mps), ("xpu", torch.xpu)) if kind.is_available()]
    return ("cpu", *(f"cuda:{number}" for number in range(cards)), *more)


def memory_format(device: torch.device) -> torch.memory_format:
    """The order in memory of images and weights that suits the device: channels last, but not on Apple's GPU.

    There PyTorch takes such tensors for something else up to 2.14 at least: gradients of batch norms and activations
    are wrong, those of max-pooling end the process, and a convolution of some of the channels reads others
    (pytorch/pytorch#175189, #175188, #175190, #180984).
    """
    return torch.contiguous_format if device.type == "mps" else torch.channels_last


HALVES = {"bf16": torch.bfloat16, "fp16": torch.float16}


def choose_precision(wanted: str, device: torch.device) -> Precision:
    """The one asked for, if it gives correct results on this device; "auto" also requires that it is faster.

    Both are tried on a small convolution. Graphics cards before Ampere have no native bf16: auto tries fp16 there.
    """
    if wanted == "fp32":
        return Precision("fp32", "The network is computed in fp32, as the recipe says.")
    if device.type == "mps" and wanted == "auto":
        return Precision("fp32", "The network is computed in fp32 on Apple's GPU.")
    name = half_dtype(device) if wanted == "auto" else wanted
    try:
        (exact, slow), (rough, fast) = _trials(device, HALVES[name])
    except RuntimeError as error:  # no kernel for this dtype on this device
        if gpu.is_out_of_memory(error) and not gpu.lacks_algorithm(error):
            raise WorkbenchError(gpu.memory_full_message(device), error) from error
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


def half_dtype(device: torch.device) -> str:
    """The half-precision dtype that suits the device."""
    old = device.type == "cuda" and torch.cuda.get_device_capability(device) < AMPERE
    return "fp16" if old else "bf16"


Trial = tuple[Tensor, float]


def _trials(device: torch.device, half: torch.dtype) -> tuple[Trial, Trial]:
    """Results and best time (s) of convolutions forward and backward: in fp32 and in `half`.

    On the processor one thread is timed by its own clock, so that other programs don't affect the result. A graphics
    card gets enough work that its own time is measured and not the processor's, which queues it.
    """
    count, batch, channels, side = LARGE if device.type == "cuda" else SMALL
    with gpu.forked_rng(device):
        torch.manual_seed(0)
        layers = [nn.Conv2d(channels, channels, 3, padding=1) for _ in range(count)]
        order = memory_format(device)
        network = nn.Sequential(*layers).to(device=device, memory_format=order)  # type: ignore[call-overload]
        images = torch.randn(batch, channels, side, side).to(device=device, memory_format=order)
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
    """The network's output and the images' gradient as one vector, and the time."""
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


def one_thread_each() -> AbstractContextManager[None]:
    """Run every operation of torch on one core, then restore the earlier setting; replicas.py says why."""
    return threads_each(1)


@contextmanager
def threads_each(count: int) -> Iterator[None]:
    """Run every operation of torch on this many cores, then restore the earlier setting."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def keep_freed_memory() -> bool:
    """Tell glibc to keep freed memory instead of returning it and asking again at each step; False elsewhere.

    A step frees and allocates the same hundreds of megabytes; without this the kernel clears the pages each time.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt: Callable[[int, int], int] = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library
        return False
    wanted = ((M_MMAP_THRESHOLD, LARGEST_UNMAPPED), (M_TRIM_THRESHOLD, KEEP), (M_TOP_PAD, 64 * 2**20))
    results = [mallopt(name, value) for name, value in wanted]  # each is wanted, whether or not the others work
    return all(result == 1 for result in results)
