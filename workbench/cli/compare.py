"""The command that compares two runs on the same images: what the second finds better or worse, and how certainly."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from workbench.cli.checks import check_checkpoint
from workbench.cli.options import (
    FOLDS,
    CheckpointName,
    Device,
    Json,
    OldProject,
    SplitName,
    app,
    check_split,
    checkpoint_of,
    images_to_evaluate,
    look,
    project_of,
)
from workbench.console import print_result, print_table, progress_bar, say
from workbench.core.formatting import count
from workbench.core.project import Split

if TYPE_CHECKING:
    from workbench.core.detections import Candidates, NmsKind
    from workbench.core.evaluation.bootstrap import MetricDifference
    from workbench.core.evaluation.run_comparison import RunComparison
    from workbench.core.evaluation.sliders import Sliders
    from workbench.core.project import Snapshot
    from workbench.inference.evaluating.pairing import Pair
    from workbench.inference.evaluating.scoring import ScoringRules

ALL = "(all)"


@dataclass(frozen=True, slots=True, eq=False)
class ComparedRun:
    """One run's results, and the settings at which it is compared. A pairing.SplitResult."""

    name: str
    checkpoint: Path
    truth: Snapshot
    candidates: tuple[Candidates, ...]
    sliders: Sliders
    rules: ScoringRules
    labels: tuple[str, ...]
    confidences: NDArray[np.float64]  # (C,)
    iou: float
    kind: NmsKind
    limit: int
    trained_on: int | None

    def settings(self) -> dict[str, Any]:
        names = [label.name for label in self.truth.labels]
        confidences = dict(zip(names, np.round(self.confidences, 4).tolist(), strict=True))
        nms = {"nms": self.kind, "iou": self.iou, "limit": self.limit}
        about = {"run": self.name, "checkpoint": str(self.checkpoint), "images_trained_on": self.trained_on}
        return {**about, **nms, "confidence": confidences}


@app.command()
def compare(
    project: OldProject,
    first: Annotated[str, typer.Argument(metavar="RUN1", help="A run's name.")],
    second: Annotated[str, typer.Argument(metavar="RUN2", help="Another run's name: its differences are shown.")],
    split: SplitName = "validation",
    checkpoint: CheckpointName = "best",
    confidence: Annotated[
        float | None,
        typer.Option(
            "--confidence",
            help="For both runs; default: each at the operating point kept with it, else at its highest F1 (on test"
            " images: that of the validation images, if they were evaluated).",
            min=0,
            max=1,
        ),
    ] = None,
    draws: Annotated[int, typer.Option("--draws", help="Resamples of the images, for the intervals.", min=1)] = 1000,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Compare two runs on the same images: boxes fixed and regressed, and each label's difference with its interval."""
    from workbench.core.evaluation.run_comparison import RunDetections
    from workbench.core.evaluation.run_comparison import compare as compared
    from workbench.inference.evaluating.pairing import pair

    split = check_split(split)
    with project_of(project) as document:
        chosen = [(name, *checkpoint_of(document.runs_folder, name, checkpoint)) for name in (first, second)]
        snapshot = document.snapshot()
    for _, file, _ in chosen:
        check_checkpoint(file)
    if split == FOLDS:
        from workbench.training import folds

        folds.refuse_same(*(folder or file.parent for _, file, folder in chosen))
    _, file, folder = chosen[0]
    images = images_to_evaluate(snapshot, split, folder or file.parent)
    one, other = (
        _evaluate_run(name, file, folder or file.parent, images, split, device, confidence, quiet=as_json)
        for name, file, folder in chosen
    )
    both = pair(one, other, (first, second))
    seen = [
        RunDetections(
            sliders.matching_at(run.iou, run.kind, run.limit, least=run.confidences.tolist()), run.confidences
        )
        for run, sliders in ((one, both.first), (other, both.second))
    ]
    runs = compared(seen[0], seen[1], both.use)
    differences = _differences(runs, draws, quiet=as_json)
    for note in both.notes:
        say(note)  # also beside --json
    if not as_json:
        _show(both, runs, differences, draws)
        return
    names = [label.name for label in both.truth.labels]
    print_result(
        {
            "split": split, "images": len(both.truth), "boxes": len(runs.boxes), "draws": draws,
            "first": one.settings(), "second": other.settings(), "notes": list(both.notes),
            "counts": _parted([(name, dict(zip(_kinds(), row, strict=True))) for name, row in _counts(runs, names)]),
            "differences": {
                measure: _parted([(name, _plain(*row)) for name, row in _numbers(runs, measure, found, names)])
                for measure, found in differences.items()
            },
        },
        as_json=True,
    )  # fmt: skip


def _evaluate_run(
    name: str, file: Path, folder: Path, images: tuple[Snapshot, Split | None], part: str, device: str,
    confidence: float | None, *, quiet: bool,
) -> ComparedRun:  # fmt: skip
    from workbench.inference.evaluating import operating_point, saved_evaluation, scoring
    from workbench.report import show_evaluation

    say(f"{name}:", quiet=quiet)
    done = show_evaluation(look(file, folder, images, part, device), quiet=quiet)
    names = [label.name for label in done.truth.labels]
    point = operating_point.read(folder, file.name, images[0].former_names)
    best = saved_evaluation.validation_point(folder, file.name, images[1])
    at = best.confidence if best else scoring.best_confidence(done.evaluation)
    wanted = np.full(len(names), at if confidence is None else confidence)
    if point is not None and confidence is None:
        wanted = point.confidences(names)
    nms = (point.iou, point.kind, point.limit) if point else (done.rules.iou, done.rules.kind, done.rules.limit)
    sliders = scoring.sliders(done.truth, done.candidates)
    seen = done.truth, done.candidates, sliders, done.rules
    return ComparedRun(name, file, *seen, done.labels, wanted, *nms, done.trained_on)


def _differences(runs: RunComparison, draws: int, *, quiet: bool) -> dict[str, MetricDifference]:
    """By measure; those of AP with a progress bar."""
    from workbench.core.evaluation import bootstrap

    found: dict[str, MetricDifference] = {}
    one, other = runs.first.matching, runs.second.matching
    for measure, ious in (("ap50", [0.5]), ("ap", one.thresholds.tolist())):
        with progress_bar(f"Interval of {measure.upper()}", quiet=quiet) as progress:
            for event in bootstrap.ap_differences(one, other, ious, draws, use=runs.use):
                if isinstance(event, bootstrap.MetricDifference):
                    found[measure] = event
                else:
                    progress.to(round(event * draws), draws)
    return found | runs.tally_differences(draws)


def _show(both: Pair, runs: RunComparison, differences: dict[str, MetricDifference], draws: int) -> None:
    from workbench.core.evaluation.bootstrap import LEAST

    names = [label.name for label in both.truth.labels]
    print_table(["label", *_kinds()], [[name, *row] for name, row in _counts(runs, names)])
    numbers = {measure: _numbers(runs, measure, one, names) for measure, one in differences.items()}
    titles = {"ap50": "AP50", "ap": "AP", "f1": "F1"}
    lines = zip(*numbers.values(), strict=True)
    rows = [[line[0][0], *(_in_words(*row) for _, row in line)] for line in lines]
    print_table(["label", *(titles.get(measure, measure) for measure in numbers)], rows)
    say(
        f"Second minus first on {count(len(both.truth), 'image')}; in brackets 95 % of {draws:,} resamples of the"
        f" images; * if these exclude 0; none for labels in fewer than {LEAST} images."
    )


def _kinds() -> list[str]:
    from workbench.core.evaluation.run_comparison import BOX_OUTCOMES, FALSE_ALARM_KINDS

    return [*BOX_OUTCOMES, *(f"false alarms {kind}" for kind in FALSE_ALARM_KINDS)]


def _counts(runs: RunComparison, names: list[str]) -> list[tuple[str, list[int]]]:
    """For all labels first, then for each that is compared, in the order of _kinds()."""
    from workbench.core.evaluation.run_comparison import BOX_OUTCOMES, FALSE_ALARM_KINDS

    columns = [*map(runs.boxes_per_label, BOX_OUTCOMES), *map(runs.alarms_per_label, FALSE_ALARM_KINDS)]
    rows = [(ALL, [int(column.sum()) for column in columns])]
    used = [(label, name) for label, name in enumerate(names) if runs.use[label]]
    return rows + [(name, [int(column[label]) for column in columns]) for label, name in used]


def _numbers(
    runs: RunComparison, measure: str, one: MetricDifference, names: list[str]
) -> list[tuple[str, tuple[float, float, float, float]]]:
    """In the same order: first, second, low, high."""
    (before, all_before), (after, all_after) = (
        seen.numbers(measure, runs.use)  # type: ignore[arg-type]
        for seen in (runs.first, runs.second)
    )
    rows = [(ALL, (all_before, all_after, one.overall_low, one.overall_high))]
    for label, name in enumerate(names):
        if runs.use[label]:
            numbers = float(before[label]), float(after[label]), float(one.low[label]), float(one.high[label])
            rows.append((name, numbers))
    return rows


def _parted(rows: list[tuple[str, Any]]) -> dict[str, Any]:
    return {"all": rows[0][1], "labels": dict(rows[1:])}


def _plain(before: float, after: float, low: float, high: float) -> dict[str, float | None]:
    values = {"first": before, "second": after, "difference": after - before, "low": low, "high": high}
    return {name: None if math.isnan(value) else round(value, 6) for name, value in values.items()}


def _in_words(before: float, after: float, low: float, high: float) -> str:
    if math.isnan(after - before):
        return "-"
    between = "" if math.isnan(low) else f" [{low:+.3f}, {high:+.3f}]"
    return f"{after - before:+.3f}{between}{' *' if low > 0 or high < 0 else ''}"
