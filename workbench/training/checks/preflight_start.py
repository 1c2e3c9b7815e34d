"""Do the weights to start from fit the recipe, in network and labels, and do the settings make sense together?

Of our checkpoints only the head is read; other files are only checked for existence.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from workbench import detectors
from workbench.core.formatting import count, named
from workbench.core.former_names import FormerNames, network_names
from workbench.core.project import Snapshot
from workbench.errors import WorkbenchError
from workbench.training import fine_tuning, schedule
from workbench.training.checkpoints.header import CheckpointHeader, read_header, trained_labels
from workbench.training.checks import data_leakage
from workbench.training.checks.findings import INFO, STOPS, WARNING, Finding
from workbench.training.recipes import Recipe
from workbench.training.records.runs import weights_name

FEW_STEPS = 100  # fewer do not settle batch norms (see step.py)
PARTIAL = ".conv."  # of Darknet's files that end before the outputs: yolov4.conv.137


def of_weights(
    start: Path | None, recipe: Recipe, labels: Sequence[str], former: FormerNames = ()
) -> Iterator[Finding]:
    if start is None:
        return
    if not start.is_file():
        yield Finding(STOPS, "weights", f"{start}: there is no such file.", "Choose other weights to start from.")
        return
    if start.suffix == ".safetensors":
        try:
            header = read_header(start)
        except WorkbenchError as error:
            yield Finding(STOPS, "weights", error.sentence)
            return
        yield from _of_network(start, header, recipe)
        theirs = network_names([label.name for label in header.labels], trained_labels(header), former)
        yield from _of_labels(start, theirs, labels)
        goes_on = fine_tuning.knows_all(start, recipe, labels, former)
        slow = fine_tuning.sentence(recipe.training, start) if goes_on else ""
        if slow:
            yield Finding(INFO, "goes on", slow)
        return
    if recipe.detector_settings.width != 1:
        width = recipe.detector_settings.width
        sentence = f"{start.name} is for width 1, the recipe's network has width {width:g}: hardly anything fits."
        yield Finding(WARNING, "weights", sentence, "Set the width to 1.")
    if start.suffix in (".pth", ".pt"):
        published = detectors.load_all().get(recipe.detector).pretrained
        if published is not None and published.url.endswith(f"/{start.name}"):
            yield from _of_labels(start, published.labels, labels)
    elif PARTIAL not in start.name:
        ids = ", ".join(f"{number} {name}" for number, name in enumerate(labels[:8]))
        more = ", …" if len(labels) > 8 else ""
        yield Finding(
            WARNING, "class ids", f"{start.name} does not name its labels: if it has {len(labels)}, they are taken in"
            f" the project's order, {ids}{more}.", "Check that it was trained in this order (its .names file), or move"
            " the labels on the Data page.",
        )  # fmt: skip


def of_judges(start: Path | None, train: Snapshot, judges: Snapshot) -> Iterator[Finding]:
    """Were the validation images of the training learnt before?"""
    warning = "" if start is None else data_leakage.start_warning(start, train, judges)
    if warning:
        yield Finding(WARNING, "learnt", warning, data_leakage.ADVICE)


def _of_network(start: Path, header: CheckpointHeader, recipe: Recipe) -> Iterator[Finding]:
    name = weights_name(start)
    if header.detector != recipe.detector:
        sentence = f"{name} is for {header.detector}, not for {recipe.detector}: little or nothing will fit."
        yield Finding(WARNING, "weights", sentence, f"Choose the detector {header.detector}, or other weights.")
        return
    theirs, ours = header.detector_settings.get("width", 1.0), recipe.detector_settings.width
    if abs(float(theirs) - ours) > 1e-9:
        sentence = f"{name} is for a network of width {theirs:g}, the recipe's is {ours:g}: hardly anything fits."
        yield Finding(WARNING, "weights", sentence, f"Set the width to {theirs:g}.")


def _of_labels(start: Path, theirs: Sequence[str], ours: Sequence[str]) -> Iterator[Finding]:
    """They are matched by name, so another order does no harm; but the user should know which are new."""
    name = weights_name(start)
    known = {label.casefold(): place for place, label in enumerate(theirs)}
    fresh = [label for label in ours if label.casefold() not in known]
    if len(fresh) == len(ours):
        sentence = f"{name} knows none of the project's labels: what belongs to labels starts fresh."
        yield Finding(INFO, "class ids", sentence)
        return
    if fresh:
        sentence = f"{name} does not know {named(fresh)}: {'it starts' if len(fresh) == 1 else 'they start'} fresh."
        yield Finding(INFO, "class ids", sentence, count=len(fresh))
    places = [known[label.casefold()] for label in ours if label.casefold() in known]
    if places != sorted(places):
        sentence = f"{name} has its labels in another order ({named(list(theirs))}): they are matched by name."
        yield Finding(INFO, "class ids", sentence)


def of_settings(recipe: Recipe, images: int, start: Path | None) -> Iterator[Finding]:
    """Settings that are valid one by one, but together not what is intended."""
    asked, own = recipe.training, recipe.detector_settings
    training = schedule.lengthen(asked, images, asked.processes)
    steps = schedule.Plan(images, training.batch, training.epochs).steps
    if steps < FEW_STEPS:
        sentence = f"The run has only {count(steps, 'step')}: too few for most detectors to learn anything."
        yield Finding(WARNING, "steps", sentence, "Choose more epochs or a smaller batch.", steps)
    if training.learning_rate == 0:
        yield Finding(STOPS, "learning rate", "The learning rate is 0, so nothing can be learnt.", "Choose another.")
    if start is None:
        fresh = "The training begins with fresh weights"
        choose = "Choose weights to start from"
        if getattr(own, "frozen_norms", False):
            yield Finding(
                WARNING, "fresh", f"{fresh}, whose batch norms have no statistics, and frozen_norms keeps it so.",
                f"{choose}, or set frozen_norms to no.",
            )  # fmt: skip
        elif recipe.untouched().training.freeze and training.freeze:
            yield Finding(
                WARNING, "fresh", f"{fresh}, but “{recipe.title}” is made for training on from others.",
                f"{choose}, or another recipe.",
            )  # fmt: skip
        elif training.freeze:
            yield Finding(
                WARNING, "fresh", f"{fresh}, and freeze keeps those of the backbone for part of the run.",
                f"{choose}, or set freeze to 0.",
            )  # fmt: skip
    elif training.freeze and not backbone_known(recipe.detector):
        title = detectors.load_all().get(recipe.detector).title
        yield Finding(INFO, "freeze", f"Which part of {title} is the backbone is not known, so freeze has no effect.")


def of_length(recipe: Recipe, images: int) -> Iterator[Finding]:
    """How the least number of steps changes epochs and batch, in the words of the run's log."""
    asked = recipe.training
    longer = schedule.lengthen(asked, images, asked.processes)
    if longer != asked:
        yield Finding(INFO, "length", schedule.lengthening_note(asked, longer, images))


def backbone_known(detector: str) -> bool:
    return bool(detectors.load_all().get(detector).backbone_parts)
