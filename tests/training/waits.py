"""Counts what would make the processor wait for a graphics card, on a machine that has none.

That is a number asked for, a shape that depends on numbers, and a copy of numbers from here that are not in pinned
memory. Backward is seen too, but for what torch hides from every TorchDispatchMode: the gradient of prod() along a
dimension asks whether a factor is zero. So prod() of what has a gradient counts by itself.
"""

from __future__ import annotations

import traceback
from collections import Counter
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

ASKING = (
    *("aten._local_scalar_dense", "aten.nonzero", "aten.masked_select", "aten._unique", "aten.unique", "aten.equal"),
    *("aten.bincount", "aten.repeat_interleave", "torchvision.nms"),
)
COPIED = "aten.lift_fresh"  # of torch.tensor, new_tensor, as_tensor and a list as an index
PINNED = "from_numpy("  # a batch's arrays, which are sent from pinned memory: step.py
PROCESSOR_ONLY = "one_hot("  # looks at its numbers on the processor alone
READS = ("tolist", "cpu", "numpy")  # no operators where the tensor lies on the processor already


class Waits(TorchDispatchMode):
    """`found`: how often, by the function of the program that asked, and what."""

    def __init__(self) -> None:
        super().__init__()
        self.found: Counter[str] = Counter()
        self._own: dict[str, Any] = {}

    def __enter__(self) -> Waits:
        for name in READS:
            self._own[name] = getattr(Tensor, name)
            setattr(Tensor, name, self._counted(name))
        super().__enter__()
        return self

    def __exit__(self, *given: Any) -> None:
        super().__exit__(*given)
        for name, function in self._own.items():
            setattr(Tensor, name, function)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = str(func)
        if name.startswith((*ASKING, COPIED)) or by_mask(name, args) or hidden(name, args):
            self._count(name.removeprefix("aten.").partition(".")[0])
        return func(*args, **(kwargs or {}))

    def _counted(self, name: str) -> Any:
        def read(tensor: Tensor, *given: Any, **more: Any) -> Any:
            self._count(name)
            return self._own[name](tensor, *given, **more)

        return read

    def _count(self, what: str) -> None:
        if who := asker():
            self.found[f"{who}: {what}"] += 1


def asker() -> str:
    """The function of the program that is asking; "" where none is, or what it does is known to be no wait."""
    stack = [frame for frame in traceback.extract_stack() if "/workbench/" in frame.filename]
    known = not stack or any(text in str(stack[-1].line) for text in (PINNED, PROCESSOR_ONLY))
    return "" if known else stack[-1].name


def by_mask(name: str, args: Any) -> bool:
    return name.startswith(("aten.index.", "aten.index_put")) and any(
        one is not None and one.dtype in (torch.bool, torch.uint8) for one in args[1]
    )


def hidden(name: str, args: Any) -> bool:
    return name.startswith("aten.prod.dim") and torch.is_grad_enabled() and args[0].requires_grad
