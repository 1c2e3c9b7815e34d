"""A training's curves for TensorBoard (extra `tb`), for people who watch a server from elsewhere."""

from __future__ import annotations

import contextlib
import importlib.util
import math
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from workbench.core.extras import install_command
from workbench.errors import WorkbenchError
from workbench.training.events import Evaluated, Event, Progress, Started


def is_installed() -> bool:
    """Whether TensorBoard is installed."""
    return importlib.util.find_spec("tensorboard") is not None


def require() -> None:
    """WorkbenchError if TensorBoard is not installed."""
    if is_installed():
        return
    if getattr(sys, "frozen", False):  # it runs from a bundle (resources/bundle), into which nothing can be installed
        raise WorkbenchError(
            "TensorBoard is not in this bundle. Leave out --tensorboard: events.jsonl in the run's folder has the same"
            " numbers."
        )
    raise WorkbenchError(f"TensorBoard is not installed. Install it with: {install_command('[tb]')}")


def log_events(events: Iterable[Event], folder: Path) -> Iterator[Event]:
    """Pass `events` on, and write what they say of loss, AP and the machine into `folder`/tensorboard.

    Of a run that goes on, the steps that it learns again replace those that a kill left behind its last save.
    """
    require()
    import torch  # noqa: F401  (whole before its parts: tests/test_import_order.py)
    from torch.utils.tensorboard import SummaryWriter

    writer, purged = None, None
    with contextlib.ExitStack() as stack:
        for event in events:
            if isinstance(event, Started):
                purged = event.resumed_step and event.resumed_step + 1
            scalars = [(name, value) for name, value in _scalars(event) if value == value]  # NaN is not known
            if scalars and writer is None:
                opened = SummaryWriter(str(folder / "tensorboard"), purge_step=purged)  # type: ignore[no-untyped-call]
                writer = stack.enter_context(opened)
            for name, value in scalars:
                writer.add_scalar(name, value, event.step)  # type: ignore[no-untyped-call, union-attr]
            yield event


def _scalars(event: Event) -> Iterator[tuple[str, float]]:
    if isinstance(event, Progress):
        yield "loss/sum", event.loss
        yield from ((f"loss/{name}", value) for name, value in event.terms.items())
        yield "learning rate", event.learning_rate
        yield "gradient norm", event.gradient_norm
        yield "images per second", event.images_per_second
        yield "device use (%)", 100 * event.device_use
        yield "memory (GB)", event.memory_bytes / 1e9 or math.nan
    elif isinstance(event, Evaluated):
        yield from (("validation/AP", event.ap), ("validation/AP50", event.ap50), ("validation/AP75", event.ap75))
        yield from ((f"AP50/{name}", value) for name, value in event.per_label.items())
        yield from ((f"AP/{name}", value) for name, value in event.per_label_ap.items())
