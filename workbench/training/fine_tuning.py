"""Trainings that start from weights of one here which know all their labels: with a lower learning rate, and
evaluated before the first step. No torch here.

At the full rate what was learnt is lost at first, and norms that restart their statistics forget theirs at once.
Blood cells, YOLOv4-tiny at a quarter of the width and 192 px, first 500 steps on 8 images, then 360 on 24, tested on
30 others: AP50 .403 and AP .179 at first; at the full rate .336 and .122 after 84 steps, .483 and .212 at the end; at
0.3 times .395 and .151, .451 and .206; at 0.1 times .417 and .176, .436 and .192. So 0.3: stopping early loses almost
nothing, waiting gains nearly everything. One seed each, and only the run at 0.3 kept its norms.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.core.formatting import percent, share
from workbench.core.former_names import FormerNames, network_names
from workbench.errors import WorkbenchError
from workbench.training.checkpoints.header import read_header, trained_labels
from workbench.training.checks import data_leakage
from workbench.training.events import Evaluated, Message
from workbench.training.recipes import Recipe
from workbench.training.records import runs
from workbench.training.settings import FEW_JUDGES, TrainingSettings

if TYPE_CHECKING:
    from workbench.training.batches.data import Dataset


def knows_all(start: Path | None, recipe: Recipe, labels: Sequence[str], former: FormerNames = ()) -> bool:
    """Whether the weights in `start` are of a training here of the same network, which knows all these labels.

    `former`: names that labels had before they were renamed or merged.

    Only the file's head is read. Darknet's and torchvision's files don't say how they were trained.
    """
    if start is None or start.suffix != ".safetensors":
        return False
    try:
        header = read_header(start)
    except WorkbenchError:
        return False
    theirs, ours = header.detector_settings.get("width", 1.0), recipe.detector_settings.width
    known = {
        name.casefold()
        for name in network_names([label.name for label in header.labels], trained_labels(header), former)
    }
    same = header.detector == recipe.detector and abs(float(theirs) - ours) < 1e-9
    return same and {name.casefold() for name in labels} <= known


def fine_tuning_settings(settings: TrainingSettings) -> TrainingSettings:
    """The settings of a training that goes on. Apply it once, to the recipe's own settings."""
    return replace(settings, learning_rate=settings.learning_rate * settings.going_on_rate)


def sentence(settings: TrainingSettings, start: Path) -> str:
    """What fine_tuning_settings() changes in a training that starts from this file; "" if nothing."""
    if settings.going_on_rate == 1:
        return ""
    rate, share = fine_tuning_settings(settings).learning_rate, percent(settings.going_on_rate, 0)
    name = f"the run {start.parent.name}" if (start.parent / runs.EVENTS).is_file() else start.name
    return (
        f"It goes on from {name}, which knows all labels: the learning rate is {rate:.3g}, {share} of"
        f" {settings.learning_rate:.3g} (Going on rate), so that what was learnt is kept."
    )


def leakage_warnings(start: Path, train: Dataset, judges: Dataset) -> list[Message]:
    """For the run's log: whether its validation images were learnt before."""
    warning = data_leakage.start_warning(start, train.whole, judges.whole)
    return [Message("warning", f"{warning} {data_leakage.ADVICE}")] if warning else []


def notes(settings: TrainingSettings, start: Path) -> list[Message]:
    """For the run's log."""
    slow = sentence(settings, start)
    return [Message("info", slow)] if slow else []


def remarks(folder: Path, best_by: str) -> Iterator[Message]:
    """At the end of the run in `folder`: whether the weights that it started from were better than what it learnt."""
    found = [event for event in runs.outline(folder) if isinstance(event, Evaluated)]
    if len(found) < 2 or found[0].step:
        return
    first, last = found[0], found[-1]
    if last.images >= FEW_JUDGES:
        if not any(event.best for event in found[1:]):
            yield Message("info", "It did not get better than the weights it began with: those stay the best ones.")
    elif getattr(last, best_by) < getattr(first, best_by):
        name, before, now = best_by.upper(), share(getattr(first, best_by)), share(getattr(last, best_by))
        numbers = f"{name} {before} at the beginning, {now} now"
        yield Message(
            "warning", f"It finds less than the weights it began with: {numbers}, judged by few images. Train it for"
            " longer, or use the run that it began from.",
        )  # fmt: skip
