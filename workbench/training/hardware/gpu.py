"""Graphics cards and their problems: cards that can't be used or fail, memory that runs out, settings shared by all.

torch reports these as texts that differ between libraries. Here they become sentences.
"""

from __future__ import annotations

import contextlib
import math
import shutil
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import torch

from workbench.errors import WorkbenchError

_FULL = ("out of memory", "_ALLOC_FAILED", "DefaultCPUAllocator")
_NO_WAY = ("unable to find an engine to execute", "Unable to find a valid cuDNN algorithm")
_FAILED = ("CUDA error", "cuDNN error", "NCCL error")  # the library that notices it first says so
_NOT_MADE_FOR = "not compiled with CUDA"
_ABSENT = ("Found no NVIDIA driver", "No CUDA GPUs are available", "no CUDA-capable device", _NOT_MADE_FOR,
           "invalid device ordinal")  # fmt: skip


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out. Apple's cards, cuBLAS, cuDNN and the processor have no error type of their own for it."""
    return isinstance(error, torch.OutOfMemoryError) or _says(error, _FULL) or lacks_algorithm(error)


def lacks_algorithm(error: BaseException) -> bool:
    """Whether cuDNN found no way to compute a convolution. In a training that means memory: torch tries one way after
    the other and drops each whose workspace it can't get. Before a training it may be an unsupported dtype.
    """
    return _says(error, _NO_WAY)


def _says(error: BaseException, texts: tuple[str, ...]) -> bool:
    return isinstance(error, RuntimeError) and any(text in str(error) for text in texts)


_ONE_THREAD = threading.Lock()


@contextmanager
def alone_on(device: torch.device, patience: float = -1) -> Iterator[bool]:
    """Keep other threads off Apple's GPU while the block runs: PyTorch ends the process when two use it at a time
    (pytorch/pytorch#197805). False if another still has it after `patience` seconds (-1: wait); this one must not use
    it then. All threads may use any other device.
    """
    if device.type != "mps":
        yield True
        return
    is_mine = _ONE_THREAD.acquire(timeout=patience)
    try:
        yield is_mine
    finally:
        if is_mine:
            _ONE_THREAD.release()


def empty_cache(device: torch.device) -> None:
    """Free the device memory that torch caches. Not in an except block, whose traceback keeps tensors alive."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()


def mark(device: torch.device) -> torch.cuda.Event:
    """An event after all that was queued on an NVIDIA card so far. Waiting for it lets a core sleep; torch's own choice
    keeps it busy all the time.
    """
    event = torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]
    event.record(torch.cuda.current_stream(device))
    return event


def give_back_memory() -> None:
    """Free the memory that torch caches on any graphics card, so that other programs can use it."""
    with contextlib.suppress(RuntimeError):  # of a card that failed, whose error every later call repeats
        torch.cuda.empty_cache()  # nothing where no card is in use
        if torch.backends.mps.is_available():
            with alone_on(torch.device("mps"), 0) as is_mine:
                if is_mine:
                    torch.mps.empty_cache()


def memory_full_message(device: torch.device) -> str:
    return f"The memory of {device} is full. Close other programs that use it, or choose another device."


def too_many_message(device: torch.device, images: int) -> str:
    """What to say where so many images at a time are too many to train on."""
    if images > 1:
        start = f"The memory of {device} is too small for training on {images:,} images at a time."
        return f"{start} Start another run with mini_batch {images // 2}, or with a smaller batch."
    start = f"The memory of {device} is too small for training on a single image."
    return f"{start} Choose a smaller input side, a smaller width or another detector."


def explain_error(error: BaseException, device: torch.device) -> WorkbenchError | None:
    """A sentence for a device error during a training; None for other errors."""
    if isinstance(error, WorkbenchError):
        return error
    if device.type != "cpu" and is_out_of_memory(error):
        more = "Close other programs that use it, or choose a smaller input side, a smaller width or another detector."
        return WorkbenchError(f"The memory of {device} ran out. {more} The last checkpoint is kept.", repr(error))
    if _says(error, _FAILED):
        more = "What it computed since the last checkpoint is lost. Start Workbench again and resume the run."
        return WorkbenchError(f"The graphics card {device} failed ({_first_line(error)}). {more}", repr(error))
    return None


def find_device_problem(name: str, patience: float = -1) -> str:
    """Why the device of this name can't be used; empty if it can. WorkbenchError if its memory is full. `patience`: see
    alone_on().
    """
    try:
        device = torch.device(name)
        with alone_on(device, patience) as is_mine:
            if not is_mine:
                return "another thread of this program uses it"
            torch.zeros(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        if is_out_of_memory(error):
            raise WorkbenchError(memory_full_message(torch.device(name)), error) from error
        return _first_line(error)
    return ""


def explain_device_problem(reason: str) -> str:
    """The reason of a refusal for the user; empty if there is no such device at all."""
    if _NOT_MADE_FOR in reason and _is_seen():
        return (
            "this PyTorch was built without CUDA, like the one that pip installs on Windows. Install one with CUDA:"
            " choose it on pytorch.org/get-started and run the command shown there in Workbench's environment."
        )
    if any(text in reason for text in _ABSENT) or not ("CUDA" in reason or "NVIDIA" in reason):
        return ""
    if "too old" in reason:
        return "its driver is too old for this PyTorch. Update NVIDIA's driver."
    if "no kernel image" in reason:
        return f"PyTorch {torch.__version__} does not support a card of this age. Install a version that does."
    return f"it does not answer ({reason})."


def unused_gpu_reason() -> str:
    """Why the processor is used although there is an NVIDIA card, a sentence; empty if there is none."""
    if torch.version.hip is not None:  # AMD's cards are called cuda, too
        return ""
    reason = explain_device_problem(find_device_problem("cuda"))
    return f"The graphics card is not used: {reason}" if reason else ""


def _is_seen() -> bool:
    """Whether there is an NVIDIA card, as far as can be told without CUDA: its driver includes this program."""
    return shutil.which("nvidia-smi") is not None


def forked_rng(device: torch.device) -> AbstractContextManager[None]:
    """Random numbers drawn within it leave the random state unchanged."""
    context: AbstractContextManager[None] = torch.random.fork_rng(devices=[device] if device.type == "cuda" else [])
    return context


def utilization(device: torch.device) -> float:
    """The share of recent time in which the card was computing; NaN if its library can't be asked."""
    try:
        return float(torch.cuda.utilization(device)) / 100
    except Exception:  # not installed, or an error of its own: some cards, and parts of cards, don't report this
        return math.nan


_exact, _asked = threading.Lock(), [0, True]  # number of users within exact_float32(), and what was allowed before


@contextmanager
def exact_float32() -> Iterator[None]:
    """Compute float32 exactly. Else torch lets NVIDIA cards since Ampere cut it to 11 digits in convolutions.

    It applies to the whole process, so the first user sets it and the last one restores it.
    """
    with _exact:
        if not _asked[0]:
            _asked[1] = torch.backends.cudnn.allow_tf32
            torch.backends.cudnn.allow_tf32 = False
        _asked[0] += 1
    try:
        yield
    finally:
        with _exact:
            _asked[0] -= 1
            if not _asked[0]:
                torch.backends.cudnn.allow_tf32 = bool(_asked[1])


def _first_line(error: BaseException) -> str:
    text = str(error).strip()
    return text.splitlines()[0][:200].rstrip(".") if text else type(error).__name__
