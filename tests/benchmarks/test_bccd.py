"""The whole way on real photographs: blood cells as they are published, imported, clustered, trained, evaluated.

WORKBENCH_FULL_BENCHMARKS=1 trains the preset quick-cpu to its end (about five minutes on two quiet cores) and holds
it to the target on the official test split. Without it a shortened form shows that learning works at all.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tests.benchmarks import choosing
from workbench import anchors
from workbench.core.project import AnchorSet, Snapshot, Split
from workbench.inference.evaluating.evaluate import evaluate_run
from workbench.inference.events import EvaluationDone
from workbench.inference.predict import Predictor
from workbench.training import recipes
from workbench.training.events import Failed, Finished
from workbench.training.recipes import Recipe
from workbench.training.run import RunRequest, train

FULL = os.environ.get("WORKBENCH_FULL_BENCHMARKS") == "1"


def anchors_for(snapshot: Snapshot, recipe: Recipe) -> AnchorSet:
    return anchors.anchor_set(snapshot, 6, recipe.detector_settings.input_px)


@pytest.mark.slow
def test_the_official_splits_are_there(snapshot: Snapshot) -> None:
    counts = [len(snapshot.only(splits=(split,))) for split in (Split.TRAIN, Split.VALIDATION, Split.TEST)]
    assert counts == [205, 87, 72]


@pytest.mark.slow
@pytest.mark.skipif(FULL, reason="the full form runs instead")
def test_a_minute_of_training_finds_blood_cells(snapshot: Snapshot, tmp_path: Path) -> None:
    """By the function that measures the help page's table (choosing.py): what is printed there was learnt so."""
    row = next(row for row in choosing.ROWS if row.name == "yolov4-tiny")
    short = {"input_px": 160, "epochs": 22, "evaluate_every": 0, "warm_up": 20, "ema": 0.95}
    learnt = choosing.learn(row, snapshot, tmp_path / "run", **short)
    print(f"AP {learnt['ap']:.3f}, AP50 {learnt['ap50']:.3f} on the test images")
    assert learnt["ap50"] > 0.45


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.skipif(not FULL, reason="WORKBENCH_FULL_BENCHMARKS=1 trains for minutes")
def test_quick_cpu_reaches_its_target_on_the_official_test_split(snapshot: Snapshot, tmp_path: Path) -> None:
    recipe = recipes.preset("quick-cpu")
    start, cpu = time.monotonic(), time.process_time()
    for event in train(RunRequest(tmp_path / "run", snapshot, recipe, anchors_for(snapshot, recipe))):
        assert not isinstance(event, Failed), event
    assert isinstance(event, Finished)
    seconds, cpu = time.monotonic() - start, time.process_time() - cpu
    *_, done = evaluate_run(Predictor.open(tmp_path / "run" / "best.safetensors"), snapshot, Split.TEST)
    assert isinstance(done, EvaluationDone)
    ap, ap50 = done.evaluation.ap, done.evaluation.ap50
    print(f"AP {ap:.4f}, AP50 {ap50:.4f} after {seconds:.0f} s, {cpu:.0f} CPU s")
    assert ap50 >= 0.85
    assert ap >= 0.47
    assert cpu < 12 * 60 * 2
