"""Lets work with torch end soon after it was asked to, wherever it is: between any two operations.

A network is built, run and matched by code that knows nothing of stopping, some of it torchvision's. Refused: a check
in each loop, which that code would not have, and a process of its own, which would load torch again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from torch import Tensor
from torch.overrides import TorchFunctionMode

from workbench.errors import WorkbenchError
from workbench.training.events import Control

_TIDYING = ("set_", "_set_", "autocast", "clear_autocast")
"""How the names begin of what puts back gradients, precision and random state when a stop unwinds: it must not fail."""
_DRAWING = (Tensor.normal_, Tensor.uniform_)


class Stopped(WorkbenchError):
    """It was asked to stop, and did."""

    def __init__(self) -> None:
        super().__init__("Stopped.")


def check(control: Control | None) -> None:
    """Stopped if asked to stop."""
    if control is not None and control.stop.is_set():
        raise Stopped


class Stoppable(TorchFunctionMode):
    """Within it, in this thread, every operation of torch raises Stopped once `control` was asked to stop.

    `weights` False: networks that are built keep what was in the memory as their weights, which takes a third of the
    time; for those whose assignment alone is asked for.
    """

    def __init__(self, control: Control | None = None, *, weights: bool = True) -> None:
        super().__init__()
        self._control, self._weights = control, weights

    def __torch_function__(
        self, func: Any, types: Iterable[type], args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        if not getattr(func, "__name__", "").startswith(_TIDYING):
            check(self._control)
        if not self._weights and (func in _DRAWING or getattr(func, "__module__", "") == "torch.nn.init"):
            return args[0] if args else (kwargs or {})["tensor"]
        return func(*args, **(kwargs or {}))
