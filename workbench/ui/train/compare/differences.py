"""The differences between runs: settings that differ, and the AP of each label. No Qt here."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from workbench import settings
from workbench.core.formatting import share
from workbench.core.former_names import FormerNames, current_label_names
from workbench.training.checkpoints.header import former_in
from workbench.training.differences import form_text
from workbench.training.settings import TrainingSettings
from workbench.ui.train.compare.run_reader import ComparedRun
from workbench.ui.train.titles import detector_title

NONE = "–"
ALL = "all labels"


@dataclass(frozen=True, slots=True)
class RunDifference:
    """A row of the table: one value per run, in the runs' order."""

    title: str
    values: tuple[str, ...]
    help: str = ""


@dataclass(frozen=True, slots=True)
class LabelScores:
    """AP50 and AP of a label in each run's best epoch, NaN where unknown. `is_whole`: for all labels together."""

    label: str
    ap50: tuple[float, ...]
    ap: tuple[float, ...]
    is_whole: bool = False


def run_differences(compared: Sequence[ComparedRun]) -> tuple[RunDifference, ...]:
    """What differs between the runs: data and start first, then the settings of the network and the training, and
    last what only some of the detectors have.
    """
    network = list(_of_network(compared))
    shared = [row for row in network if NONE not in row.values]
    rows = (*_facts(compared), *shared, *_of_training(compared), *(row for row in network if NONE in row.values))
    return tuple(row for row in rows if len(set(row.values)) > 1)


def _facts(compared: Sequence[ComparedRun]) -> Iterator[RunDifference]:
    facts: tuple[tuple[str, Callable[[ComparedRun], str], str], ...] = (
        ("Detector", lambda run: detector_title(run.info.detector) or NONE, ""),
        ("Recipe", lambda run: str(run.recipe.get("title") or run.recipe.get("name") or NONE), ""),
        ("Data", lambda run: run.info.digest[:7] or NONE, "Of the project when the run began."),
        ("Images to learn from", lambda run: f"{run.info.images:,}", ""),
        ("Images to validate on", lambda run: f"{run.info.validation_images:,}", ""),
        ("Labels", lambda run: ", ".join(x.name for x in run.head.labels) if run.head else NONE, ""),
        ("Begun from", _begun_from, "The file of weights that the training began with."),
        ("Anchors", _anchors, "Width × height in pixels of the network's input."),
        ("Computed on", _computed_on, ""),
    )
    for title, value, help in facts:
        yield RunDifference(title, tuple(value(run) for run in compared), help)


def _computed_on(run: ComparedRun) -> str:
    started = run.started
    return NONE if started is None else f"{started.device}, {started.precision}"


def _begun_from(run: ComparedRun) -> str:
    return NONE if run.head is None else str(run.head.provenance.get("begun from") or "fresh weights")


def _anchors(run: ComparedRun) -> str:
    if run.head is None:
        return NONE
    return ", ".join(f"{w:.0f}×{h:.0f}" for w, h in run.head.anchors) or "none"


def _of_network(compared: Sequence[ComparedRun]) -> Iterator[RunDifference]:
    tables = [_table(run, "detector_settings") for run in compared]
    for name in dict.fromkeys(name for table in tables for name in table):
        values = tuple(form_text(table[name]) if name in table else NONE for table in tables)
        yield RunDifference(settings.title_of(name), values, "Of the detector")


def _of_training(compared: Sequence[ComparedRun]) -> Iterator[RunDifference]:
    """A setting missing from a run's file had its default."""
    tables = [_table(run, "training") for run in compared]
    for row in settings.rows(TrainingSettings):
        missing = [None if row.optional else row.default] * len(tables)
        values = tuple(
            form_text(table.get(row.name, default)) if table else NONE
            for table, default in zip(tables, missing, strict=True)
        )
        yield RunDifference(row.title, values, row.help)


def _table(run: ComparedRun, name: str) -> Mapping[str, Any]:
    found = run.recipe.get(name, {})
    return found if isinstance(found, dict) else {}


def label_scores(
    compared: Sequence[ComparedRun], order: Sequence[str], former: FormerNames = ()
) -> tuple[LabelScores, ...]:
    """All labels together, then each: those of the project in `order`, then others.

    `former`: labels' former names, from when a run was trained; their rows are those of the current names.
    """
    bests = [run.best for run in compared]
    if not any(bests):
        return ()
    olds = [former_in(run.info.checkpoint, former) for run in compared]
    whole = LabelScores(
        ALL,
        tuple(math.nan if best is None else best.ap50 for best in bests),
        tuple(math.nan if best is None else best.ap for best in bests),
        is_whole=True,
    )
    ap50, ap = (
        [_named_now({} if best is None else getattr(best, field), old) for best, old in zip(bests, olds, strict=True)]
        for field in ("per_label", "per_label_ap")
    )
    names_found = {name: None for both in zip(ap50, ap, strict=True) for row in both for name in row}
    names = [name for name in order if name in names_found] + [name for name in names_found if name not in order]
    return (whole, *(LabelScores(name, _each(ap50, name), _each(ap, name)) for name in names))


def _named_now(row: Mapping[str, float], former: FormerNames) -> dict[str, float]:
    return dict(zip(current_label_names(tuple(row), former), row.values(), strict=True))


def _each(rows: Sequence[Mapping[str, float]], name: str) -> tuple[float, ...]:
    return tuple(row.get(name, math.nan) for row in rows)


def best_of(values: Sequence[float]) -> set[int]:
    """Indices of the largest of the values as displayed; none if fewer than two are known, or all are equal."""
    displayed = [math.nan if math.isnan(value) else float(share(value)) for value in values]
    known = [value for value in displayed if not math.isnan(value)]
    if len(known) < 2 or max(known) == min(known):
        return set()
    return {number for number, value in enumerate(displayed) if value == max(known)}


def warning(compared: Sequence[ComparedRun]) -> str:
    """Why the numbers of these runs can't be compared with each other, "" if they can."""
    digests = {run.info.digest for run in compared if run.info.digest}
    if len(digests) > 1:
        return (
            "These runs began with different data, so their AP may be of different images or labels. To compare them on"
            " the same ones, choose Compare on the Inspect page."
        )
    judges = {run.info.judged_by for run in compared if run.info.judged_by}
    if len(judges) > 1 or len({run.info.validation_images for run in compared if run.info.validation_images}) > 1:
        return (
            "These runs were judged on different images, so their AP can't be compared. Where no image is in the "
            "validation split, seed and hold out choose the images: put some images into that split, and train again."
        )
    return ""
