"""Which folds `train --folds` still trains, where runs of its names are there: decided by their records alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.training.toys import make_snapshot
from workbench.cli import cross_validation
from workbench.cli.cross_validation import ProjectData
from workbench.core.project import Snapshot
from workbench.errors import WorkbenchError
from workbench.training import events, recipes
from workbench.training.events import Finished, Started
from workbench.training.recipes import Recipe
from workbench.training.records import record
from workbench.training.request import RunRequest

Plan = Callable[..., list[tuple[int, object, object]]]
Capture = pytest.CaptureFixture[str]


def in_three(**changes: Any) -> Recipe:
    return recipes.default_recipe("yolov4-tiny").changed({"folds": 3, **changes})


@pytest.fixture
def snapshot(tmp_path: Path) -> Snapshot:
    return make_snapshot(tmp_path / "images", 9, 0)


@pytest.fixture
def plan(tmp_path: Path, snapshot: Snapshot) -> Plan:
    """For each training that is left: its fold, and what is given to `train` as --name and --resume."""

    def planned(recipe: Recipe | None = None, start: Path | None = None, quiet: bool = False) -> list[Any]:
        given = dict.fromkeys(("project", "anchors", "as_json", "json_events", "tensorboard", "resume"))
        given |= {"project": Path("P"), "name": "a", "epochs": 7}
        asked = cross_validation.of_each(
            given, lambda _: (recipe or in_three(), start), lambda: ProjectData(tmp_path / "runs", snapshot, None, 0.0),
            quiet=quiet,
        )  # fmt: skip
        assert {one.given["project"] for one in asked} == {Path("P")}
        assert {one.given["epochs"] for one in asked if one.given["resume"]} <= {None}, "its settings are its own"
        return [(one.fold, one.given["name"], one.given["resume"]) for one in asked]

    return planned


def begun(
    folder: Path, snapshot: Snapshot, fold: int, recipe: Recipe | None = None, start: Path | None = None,
    stopped: bool | None = None,
) -> None:  # fmt: skip
    """The run of a fold: `stopped` None: it was interrupted before it could tell."""
    run = folder / "runs" / f"a-fold-{fold}"
    run.mkdir(parents=True)
    own = (recipe or in_three()).changed({"fold": fold})
    record.write_request(RunRequest(run, snapshot, own, start=start).as_its_authors())
    told: list[events.Event] = [Started(run.name, str(run), "yolov4-tiny", "cpu", "fp32", 6, 3, 1, 2, 5)]
    ended = [] if stopped is None else [Finished(2, 1, stopped, 0.5, 1.0, str(run))]
    (run / "events.jsonl").write_text("".join(events.to_json(one) + "\n" for one in (*told, *ended)))


def test_folds_of_which_nothing_is_there_are_trained_by_their_names(plan: Plan, capsys: Capture) -> None:
    assert plan() == [(1, "a-fold-1", None), (2, "a-fold-2", None), (3, "a-fold-3", None)]
    assert plan(in_three(fold=2)) == [(2, "a-fold-2", None)]
    assert plan(in_three(folds=0)) == [(0, "a", None)]
    assert not capsys.readouterr().err


def test_finished_folds_are_left_out_and_others_go_on(
    tmp_path: Path, snapshot: Snapshot, plan: Plan, capsys: Capture
) -> None:
    begun(tmp_path, snapshot, 1, stopped=False)
    begun(tmp_path, snapshot, 2, stopped=True)
    assert plan() == [(2, None, "a-fold-2"), (3, "a-fold-3", None)]
    assert capsys.readouterr().err == "1 of 3 folds are trained already.\n", "and nothing of changes"
    assert plan(quiet=True) == [(2, None, "a-fold-2"), (3, "a-fold-3", None)]
    assert not capsys.readouterr().err
    begun(tmp_path, snapshot, 3)
    assert plan() == [(2, None, "a-fold-2"), (3, None, "a-fold-3")]


def test_all_folds_that_are_trained_are_to_be_judged(tmp_path: Path, snapshot: Snapshot, plan: Plan) -> None:
    for fold in (1, 2, 3):
        begun(tmp_path, snapshot, fold, stopped=False)
    with pytest.raises(WorkbenchError, match="a is trained already.* evaluate P --run a-fold-1 --split folds"):
        plan()


def test_folds_to_come_are_said_to_learn_from_other_data(
    tmp_path: Path, snapshot: Snapshot, plan: Plan, capsys: Capture
) -> None:
    begun(tmp_path, replace(snapshot, boxes=snapshot.boxes + np.float64(1)), 1, stopped=False)
    begun(tmp_path, snapshot, 2, stopped=True)
    assert plan() == [(2, None, "a-fold-2"), (3, "a-fold-3", None)]
    assert "labels were changed since a-fold-1 began. Choose" in capsys.readouterr().err
    plan(quiet=True)
    assert not capsys.readouterr().err
    begun(tmp_path, snapshot, 3, stopped=True)
    plan()
    assert "changed" not in capsys.readouterr().err, "what goes on has its own data"


def test_a_run_that_can_not_go_on_is_not_overwritten(tmp_path: Path, snapshot: Snapshot, plan: Plan) -> None:
    begun(tmp_path, snapshot, 1)
    (tmp_path / "runs" / "a-fold-1" / "data.npz").unlink()
    with pytest.raises(WorkbenchError, match="a run called 'a-fold-1', which is interrupted. Choose another --name"):
        plan()


def _unasked(*_: object) -> Any:
    raise AssertionError


def test_a_run_that_is_resumed_is_the_only_one() -> None:
    (one,) = cross_validation.of_each({"resume": "a"}, _unasked, _unasked, quiet=True)
    assert (one.given, one.fold, one.run) == ({"resume": "a"}, 0, "")


def test_the_weights_to_begin_from_are_the_same_file(
    tmp_path: Path, snapshot: Snapshot, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("w", "other"):
        Path(name).touch()
    Path("link").symlink_to("w")
    begun(tmp_path, snapshot, 1, start=tmp_path / "link", stopped=False)
    assert plan(start=Path("w"))[0][0] == 2
    for start in (tmp_path / "other", None):
        with pytest.raises(WorkbenchError, match="'a-fold-1' with another detector or other weights to begin with"):
            plan(start=start)


def test_settings_must_be_the_same_but_for_those_of_the_machine(tmp_path: Path, snapshot: Snapshot, plan: Plan) -> None:
    begun(tmp_path, snapshot, 1, stopped=False)
    assert plan(in_three(device="cpu", threads=1, precision="fp32"))[0][0] == 2
    with pytest.raises(WorkbenchError, match=r"with other settings \(Epochs: [0-9,]+ → 7\). Choose another --name"):
        plan(in_three(epochs=7))
    with pytest.raises(WorkbenchError, match=r"with other settings \(Input px: 416 → 320\)"):
        plan(in_three(input_px=320))
    with pytest.raises(WorkbenchError, match="another detector"):
        plan(recipes.default_recipe("yolov3-tiny").changed({"folds": 3}))


def test_a_recipe_as_published_that_begins_with_weights_has_its_authors_settings_for_that(
    tmp_path: Path, snapshot: Snapshot, plan: Plan
) -> None:
    published = recipes.preset("published").with_detector("fcos").changed({"folds": 3})
    (tmp_path / "w").touch()
    begun(tmp_path, snapshot, 1, published, tmp_path / "w", stopped=False)
    assert plan(published, tmp_path / "w")[0][0] == 2
