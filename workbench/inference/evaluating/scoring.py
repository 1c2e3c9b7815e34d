"""From candidates to metrics without a network: the rules of an evaluation, and the Inspect page's sliders.

No torch here, so that the window can import it before torch is loaded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from workbench.core import metrics
from workbench.core.detections import FLOOR, LIMIT, OVERLAP, Candidates, Detections, NmsKind
from workbench.core.evaluation.confidence import confidence_curves
from workbench.core.evaluation.evaluation_data import GroundTruth
from workbench.core.evaluation.sliders import Sliders
from workbench.core.former_names import by_id, by_name
from workbench.core.metrics import Evaluation
from workbench.core.project import Label, Snapshot
from workbench.errors import WorkbenchError
from workbench.inference.suggesting.suggest import plain_name


@dataclass(frozen=True, slots=True)
class ScoringRules:
    """How candidates become the detections that are scored. Shown beside every resulting number.

    The overlap is that of darknet's `valid`; COCO always uses 100 detections per image and label.
    """

    score: float = FLOOR
    iou: float = OVERLAP
    kind: NmsKind = "per label"
    limit: int = LIMIT


def score(truth: Snapshot, found: Sequence[Candidates], rules: ScoringRules) -> Evaluation:
    """Every number of an evaluation, computed from candidates."""
    return metrics.evaluate(truth, apply_rules(found, rules))


def sliders(truth: Snapshot, found: Sequence[Candidates]) -> Sliders:
    """The candidates prepared for sliders: `sliders.evaluation(names, iou, kind, limit)` equals what `score` gives.

    `prepare(kind)` takes seconds for a million candidates, and with "soft" NMS so does every move: call them in a job.
    """
    return Sliders.of(GroundTruth.of(truth), found)


def apply_rules(found: Sequence[Candidates], rules: ScoringRules) -> list[Detections]:
    """The detections of each image: what these rules leave of its candidates."""
    return [one.detections(rules.score, rules.iou, rules.kind, rules.limit) for one in found]


def label_columns(names: Sequence[str], truth: Snapshot, trained: Sequence[Label] = ()) -> np.ndarray:
    """(C,) for each label of the detector its index in the snapshot, by name; -1 if the project lacks it.

    `trained`: the detector's labels with their ids, if it was trained in this project.

    A label that was renamed or merged since is the one that it became, or all its boxes would count as missed by an
    earlier run; and what the user said of a foreign network's labels counts. Otherwise names are compared as for
    suggestions (suggest.plain_name).

    WorkbenchError if they have none in common.
    """
    index = {label.name: i for i, label in enumerate(truth.labels)}
    alike = {plain_name(name): i for name, i in reversed(index.items())}
    became, by_ids = by_name(truth.former_names), by_id(trained, truth.former_names)
    exactly = {name: index.get(now, -1) for name, now in became.items()} | index
    exactly |= {name: index.get(now, -1) for name, now in by_ids.items()}
    columns = np.array([exactly.get(name, alike.get(plain_name(name), -1)) for name in names], np.int32)
    if not (columns >= 0).any():
        raise WorkbenchError(
            f"This checkpoint knows the labels {_some(names)}, the project {_some(list(index))}: none in common."
            " Choose another checkpoint, rename labels of the project, or let this run suggest on the Label page (G),"
            " and match its labels there (Labels it knows)."
        )
    return columns


def with_project_labels(found: Candidates, columns: np.ndarray) -> Candidates:
    """The candidates with the project's labels; those of labels that the project lacks are left out."""
    labels = columns[found.labels]
    known = labels >= 0
    return Candidates(found.boxes[known], found.scores[known], labels[known], found.views)


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (" ..." if len(names) > 3 else "") if names else "(none)"


def best_confidence(result: Evaluation) -> float:
    """The confidence (a hundredth) with the highest F1 over all labels at IoU 0.5; 0.25 if nothing is found."""
    return confidence_curves(result.matching).best_overall
