"""Which runs are of one cross-validation: by their recipe, and by their name, a former one, or their data."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.training.toys import make_snapshot
from workbench.core.project import Snapshot
from workbench.errors import WorkbenchError
from workbench.training import folds, recipes
from workbench.training.records import record, run_actions
from workbench.training.request import RunRequest


@pytest.fixture
def snapshot(tmp_path: Path) -> Snapshot:
    return make_snapshot(tmp_path / "images", 4, 1)


def begun(folder: Path, name: str, snapshot: Snapshot, fold: int, **changes: Any) -> Path:
    """A run as far as the list knows it: it has weights and is not being trained; by its name, if alike, the newest."""
    recipe = recipes.default_recipe("yolov4-tiny").changed({"folds": 3, "fold": fold, **changes})
    run = folder / "runs" / name
    run.mkdir(parents=True)
    record.write_request(RunRequest(run, snapshot, recipe))
    (run / "events.jsonl").touch()
    (run / "best.safetensors").touch()
    return run


def found(run: Path) -> dict[int, str]:
    return {fold: one.name for fold, one in folds.siblings(run).items()}


def corrected(snapshot: Snapshot) -> Snapshot:
    return replace(snapshot, boxes=snapshot.boxes + np.float64(1))


@pytest.mark.parametrize(
    ("name", "changes", "same_data", "is_one"),
    [
        ("a-fold-2", {}, False, True),
        ("A-fold-2", {}, False, True),
        ("a-fold-2", {"epochs": 7}, False, True),
        ("a-fold-2-to-90", {"device": "cpu", "precision": "fp32"}, False, True),
        ("a-fold-2", {"learning_rate": 0.5}, True, False),
        ("a-fold-2", {"folds": 4}, True, False),
        ("a-fold-2", {"input_px": 64}, True, False),
        ("b-fold-2", {}, True, True),
        ("b-fold-2", {"device": "cpu"}, True, True),
        ("b-fold-2", {}, False, False),
        ("b-fold-2", {"epochs": 7}, True, False),
    ],
)
def test_a_run_is_of_the_cross_validation_of_its_name_or_data(
    tmp_path: Path, snapshot: Snapshot, name: str, changes: dict[str, Any], same_data: bool, is_one: bool
) -> None:
    first = begun(tmp_path, "a-fold-1", snapshot, 1)
    begun(tmp_path, name, snapshot if same_data else corrected(snapshot), 2, **changes)
    assert found(first) == ({1: "a-fold-1", 2: name} if is_one else {1: "a-fold-1"})


def test_what_it_was_called_counts_if_nothing_is_called_so(tmp_path: Path, snapshot: Snapshot) -> None:
    first = begun(tmp_path, "a-fold-1", snapshot, 1)
    run_actions.rename(begun(tmp_path, "A-fold-2", corrected(snapshot), 2), "z")
    assert found(first) == {1: "a-fold-1", 2: "z"}
    begun(tmp_path, "b-fold-2", snapshot, 2)
    assert found(first)[2] == "z", "before what has the same data alone, though that has them now"
    begun(tmp_path, "a-fold-2", corrected(snapshot), 2)
    assert found(first)[2] == "a-fold-2"


def test_a_cross_validation_is_not_compared_with_itself(tmp_path: Path, snapshot: Snapshot) -> None:
    one, two = (begun(tmp_path, f"a-fold-{n}", snapshot, n) for n in (1, 2))
    other = begun(tmp_path, "b-fold-1", corrected(snapshot), 1)
    folds.refuse_same(one, other)
    with pytest.raises(WorkbenchError, match="a-fold-1 and a-fold-2 are of the same cross-validation"):
        folds.refuse_same(one, two)


def test_a_recipe_without_folds_learns_from_all_images() -> None:
    recipe = recipes.default_recipe("yolov4-tiny").changed({"epochs": 7})
    assert folds.without(recipe.changed({"folds": 3, "fold": 2})) == recipe
