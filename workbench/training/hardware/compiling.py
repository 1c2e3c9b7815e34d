"""Compiles the network with torch.compile, if asked for, and if that proves faster here with the same results.

It is tried on real batches, some steps with and some without for each of the first input sizes, and only once batch
norms have settled: until then they change their momentum at every step, and the compiler would start over each time.
The trials change nothing that is learnt; using the compiled network does, in the last digits. Only the forward pass is
compiled, as a function: names of weights and what is saved stay the same.

Refused: compiling the loss too. Its shapes change with the boxes of the batch.
"""

from __future__ import annotations

import contextlib
import logging
import math
import statistics
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from workbench.detectors.parts.detector import Raw
from workbench.training.batches.device_paint import AnyBatch
from workbench.training.events import Message
from workbench.training.hardware import gpu

if TYPE_CHECKING:
    from workbench.training.step import Stepper

BACKEND = "inductor"
WORTH = 1.05  # it must be at least this many times as fast
ROUNDS = 5  # steps with and without, alternating
SIZES = 4  # input sides to try: each is compiled separately, which takes a minute or so
FIRM = {"fp32": 1e-3, "bf16": 0.03, "fp16": 0.01}  # largest difference of a loss term, as a share of the whole loss
Shape = tuple[int, ...]  # of images: (B, 3, H, W)


class CompiledNetwork:
    """Calls a network: the compiled one for images of `shapes`, else the uncompiled one."""

    def __init__(self, network: nn.Module) -> None:
        self.shapes: set[Shape] = set()
        self._network = network
        options: dict[str, Any] | None = {"fallback_random": True} if BACKEND == "inductor" else None  # as uncompiled
        self._fast: Callable[[Tensor], Raw] = torch.compile(
            network.forward, dynamic=False, backend=BACKEND, options=options
        )
        self.failed = ""  # a sentence about a call's error, after which the compiled network is not used any more

    def __call__(self, images: Tensor) -> Raw:
        if tuple(images.shape) in self.shapes:
            try:
                return self._fast(images)
            except Exception as error:  # from the compiler, which raises anything, or from the network, which then
                if gpu.is_out_of_memory(error):
                    raise
                logging.getLogger(__name__).exception("the compiled network failed")  # raises once more below
                self.failed, self.shapes = _why(error), set()  # the error itself would keep the step's tensors
        raw: Raw = self._network(images)
        return raw


@dataclass(frozen=True, slots=True)
class TimedRound:
    """A step's time (s) and loss terms, (n,)."""

    seconds: float
    terms: Tensor


class Compiler:
    """For one training, in one process. `call` is the network, compiled or not."""

    def __init__(self, network: nn.Module, unable: str = "") -> None:
        """`unable`: why it can't be compiled, a sentence."""
        self.call = CompiledNetwork(network)
        self._tried: set[Shape] = set()
        self._over = False
        self._unable = unable

    def try_size(self, stepper: Stepper, batch: AnyBatch) -> list[Message]:
        """Call before a step: try what has not been tried yet, and report the result."""
        if self._over:
            return []
        if self._unable:
            self._over = True
            return [Message("warning", f"{self._unable} The network is not compiled.")]
        if self.call.failed:
            self._over = True
            return [
                Message("warning", f"The compiled network failed: {self.call.failed} The training goes on without it.")
            ]
        shape = _shape(stepper, batch)
        if shape in self._tried or len(self._tried) >= SIZES:
            return []
        self._tried.add(shape)
        return [self._try(stepper, batch, shape)]

    def _try(self, stepper: Stepper, batch: AnyBatch, shape: Shape) -> Message:
        with unchanged(stepper), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the compiler's advice to programmers
            try:
                plain, fast = self._rounds(stepper, batch, shape)
            except Exception as error:  # the compiler raises anything
                logging.getLogger(__name__).info("the network could not be compiled", exc_info=True)
                self.call.shapes.discard(shape)
                self._over = True
                return Message(
                    "warning", f"The network could not be compiled: {_why(error)} The training goes on without it."
                )
        slow, quick = (statistics.median(one.seconds for one in rounds[1:]) for rounds in (plain, fast))
        apart = _apart(plain[-1].terms, fast[-1].terms)
        side = f"a batch of {shape[2]} × {shape[3]} px"
        times = f"{quick * 1e3:,.1f} ms compiled and {slow * 1e3:,.1f} ms uncompiled"
        if not apart <= FIRM[stepper.runtime.precision.name]:
            self.call.shapes.discard(shape)
            sentence = f"Its loss differs by {apart:.1%} when compiled, so the network is not compiled"
            return Message("warning", f"{sentence}: {side} takes {times}.")
        if slow < WORTH * quick:
            self.call.shapes.discard(shape)
            return Message("info", f"The network is not compiled: {side} takes {times}.")
        return Message("info", f"The network is compiled: {side} takes {times}.")

    def _rounds(self, stepper: Stepper, batch: AnyBatch, shape: Shape) -> tuple[list[TimedRound], list[TimedRound]]:
        """Uncompiled and compiled, alternating; the first of each warms up, or compiles."""
        plain, fast = [], []
        for _ in range(ROUNDS + 1):
            self.call.shapes.discard(shape)
            plain.append(_round(stepper, batch))
            self.call.shapes.add(shape)
            fast.append(_round(stepper, batch))
            if self.call.failed:
                failed, self.call.failed = self.call.failed, ""
                raise RuntimeError(failed)
        return plain, fast


def unable(stepper: Stepper) -> str:
    """Why the network of this training can't be compiled; nothing if it may be tried."""
    if stepper.runtime.world > 1:
        return "Several processes train together, whose networks must compute the same."
    if len(stepper.replicas) > 1:
        return "Each core computes a part of the batch, which compiled code can't do; it is tried with threads = 1."
    if stepper.settings.cross_norm:
        return "cross_norm keeps statistics between mini-batches, which compiled code can't do."
    return ""


def _round(stepper: Stepper, batch: AnyBatch) -> TimedRound:
    """Forward and backward of a batch, from the same random numbers each time."""
    rng = stepper.runtime.rng()
    start = clock(stepper.device)
    terms = stepper.trial_loss_terms(batch)
    seconds = clock(stepper.device) - start
    stepper.runtime.set_rng(*rng)
    if terms is None:
        raise torch.OutOfMemoryError("It does not fit in memory.")
    return TimedRound(seconds, terms.detach().clone())


def clock(device: torch.device) -> float:
    """The time in seconds, once the device has finished its work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
    return time.perf_counter()


@contextlib.contextmanager
def unchanged(stepper: Stepper) -> Iterator[None]:
    """Afterwards the network's counters, the random state and the gradients are as if nothing had been tried."""
    kept = {name: buffer.clone() for name, buffer in stepper.detector.named_buffers()}
    rng = stepper.runtime.rng()
    try:
        yield
    finally:
        stepper.runtime.set_rng(*rng)
        with torch.no_grad():
            for name, buffer in stepper.detector.named_buffers():
                buffer.copy_(kept[name])
        stepper.optimizer.zero_grad(set_to_none=True)


def _shape(stepper: Stepper, batch: AnyBatch) -> Shape:
    """The shape of the images that go through at once."""
    count, height, width, _ = batch.images.shape
    return min(stepper.micro, int(count)), 3, int(height), int(width)


def _apart(plain: Tensor, fast: Tensor) -> float:
    """The largest difference of a term, as a share of the whole loss; NaN if a term is NaN."""
    whole = float(plain.abs().sum())
    apart = float((plain - fast).abs().max())
    return apart / whole if whole else (math.nan if apart else 0.0)


def _why(error: Any) -> str:
    """A sentence for a compiler error."""
    text, kind = str(error), type(error).__name__
    if "C++ compiler" in text or "CppCompile" in kind or "CxxCompiler" in kind:
        return "torch needs a C++ compiler for that, which this machine does not have."
    if "C compiler" in text or "Python.h" in text:
        return "Triton needs a C compiler and Python's header files for that, which this machine does not have."
    if "too old to be supported by the triton" in text or "GPUTooOld" in kind:
        return "Triton does not support a graphics card of this age."
    if "working triton installation" in text or "TritonMissing" in kind or "No module named 'triton" in text:
        return "torch needs Triton for that, which is not installed."
    first = next((line.strip() for line in text.splitlines() if line.strip()), type(error).__name__)
    return f"{first[:200].rstrip('.')}."
