"""Makes work with torch stop soon after it is asked to: between any two operations.

Code that builds, runs and matches a network knows nothing of stopping; some of it is torchvision's. Refused: a check
in each loop, which that code lacks, and a separate process, which would load torch again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from torch import Tensor
from torch.overrides import TorchFunctionMode

from workbench.errors import WorkbenchError
from workbench.training.events import Control

_TIDYING = ("set_", "_set_", "autocast", "clear_autocast")
"""Name prefixes of what restores gradients, precision and random state while a stop unwinds: it must not fail."""
_DRAWING = (Tensor.normal_, Tensor.uniform_)


class Stopped(WorkbenchError):
    """The work was asked to stop and did."""

    def __init__(self) -> None:
        super().__init__("Stopped.")


def check(control: Control | None) -> None:
    """Raise Stopped if asked to stop."""
    if control is not None and control.stop.is_set():
        raise Stopped


class StopMode(TorchFunctionMode):
    """Within it, every torch operation of this thread raises Stopped once `control` is asked to stop.

    `weights` False: networks are built with uninitialised weights, in a third of the time, if only their assignment is
    needed.
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
