"""The command that shows and keeps a run's operating point, as the Inspect page does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from workbench.cli.options import (
    PUBLISHED,
    CheckpointName,
    Json,
    OldProject,
    Run,
    app,
    checkpoint_of,
    parse_nms,
    project_of,
)
from workbench.console import print_result, say
from workbench.core.detections import KINDS, MOST, NmsKind
from workbench.core.former_names import FormerNames, current_names
from workbench.errors import Misused

if TYPE_CHECKING:
    from workbench.inference.evaluating.operating_point import OperatingPoint


@app.command()
def point(
    project: OldProject,
    run: Run = "",
    checkpoint: CheckpointName = "best",
    confidence: Annotated[
        float | None,
        typer.Option(
            "--confidence",
            help="Lowest score, for all labels; labels with one of their own lose it.",
            min=0,
            max=1,
        ),
    ] = None,
    iou: Annotated[
        float | None,
        typer.Option("--iou", help="Overlap above which the weaker box is removed.", min=0, max=1),
    ] = None,
    nms: Annotated[
        str,
        typer.Option(
            "--nms",
            help=f"How NMS removes overlapping boxes: {PUBLISHED}, as the detector's authors do, or"
            f" {', '.join(KINDS)}.",
        ),
    ] = "",
    limit: Annotated[
        int | None, typer.Option("--limit", help="The most detections per image, with tiles per view.", min=1, max=MOST)
    ] = None,
    as_json: Json = False,
) -> None:
    """Keep confidence and NMS with a run: predict, export and the window start from them. No options: shows them."""
    from workbench.inference.evaluating import operating_point

    asked = parse_nms(nms) if nms else None
    with project_of(project) as document:
        file, folder = checkpoint_of(document.runs_folder, run, checkpoint)
        former = current_names(document)
        ids = tuple((label.name, label.id) for label in document.labels())
    if folder is None:
        raise Misused("The operating point is kept with a run. Name the run with --run, not its checkpoint.")
    keeps = bool(nms) or any(value is not None for value in (confidence, iou, limit))
    found, why = _present(folder, file.name, former, complete=None not in (confidence, iou, limit) and bool(nms))
    if nms:
        kind, overlap = (asked, found.iou) if asked else _published(folder)
        found = replace(found, kind=kind, iou=overlap)
    if confidence is not None:
        found = replace(found, confidence=confidence, own=())
    found = replace(found, iou=found.iou if iou is None else iou, limit=limit or found.limit, checkpoint=file.name)
    if keeps:
        operating_point.write(folder, replace(found, ids=ids))
        why = "kept with the run"
    values = {
        "run": folder.name, "checkpoint": found.checkpoint, "confidence": found.confidence,
        "nms": found.kind, "iou": found.iou, "limit": found.limit,
    }  # fmt: skip
    own = {f"confidence of {name}": value for name, value in found.own}
    print_result({**values, "confidence_of_labels": dict(found.own)} if as_json else {**values, **own}, as_json=as_json)
    say(f"This is {why}.", quiet=as_json)


def _present(folder: Path, checkpoint: str, former: FormerNames, *, complete: bool) -> tuple[OperatingPoint, str]:
    """The point used for a run now, and why; `complete`: all of it will be replaced, so a damaged one is not read."""
    from workbench.inference.evaluating import operating_point, saved_evaluation
    from workbench.inference.evaluating.operating_point import OperatingPoint

    kept = None if complete else operating_point.read(folder, checkpoint, former)
    if kept is not None:
        return kept, "kept with the run"
    best = saved_evaluation.best_point(folder, checkpoint)
    if best is not None:
        images = saved_evaluation.deciding_images(folder, checkpoint)
        return best, f"where F1 is highest on {images}; nothing is kept for these weights"
    kind, iou = _published(folder)
    why = "what its detector's authors do: its weights were not evaluated on validation images, and nothing is kept"
    return OperatingPoint(0.25, (), iou, kind), why


def _published(folder: Path) -> tuple[NmsKind, float]:
    """The NMS of the detector that this run trained."""
    from workbench import detectors, plugins
    from workbench.training.records import runs

    plugins.loaded()
    return detectors.load_all().get(runs.info(folder).detector).published_nms
