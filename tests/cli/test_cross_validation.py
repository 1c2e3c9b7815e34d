"""`train --folds` trains one run after the other; `evaluate --split folds` judges every image."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.ui.window_driver import write_photographs
from workbench import console
from workbench.cli import cross_validation, main, training
from workbench.cli.cross_validation import Asked
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import Box, Label, Split, State
from workbench.core.storage.lock import Lock
from workbench.errors import WorkbenchError
from workbench.training.records import runs

Capture = pytest.CaptureFixture[str]
SMALL = ["--set", "input_px=64", "--set", "width=0.05", "--batch", "4", "--precision", "fp32", "--device", "cpu"]
IN_TWO = ["--folds", "2", "--epochs", "1"]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Eight images of which one is in the test split, each with a box."""
    write_photographs(tmp_path / "photographs", [f"{number}.png" for number in range(8)])
    with Document.create(tmp_path / "project", tmp_path / "photographs") as document:
        document.do(edits.AddLabels((Label(0, "cell"),)))
        ids = [image.id for image in document.images()]
        label = document.labels()[0].id
        document.do(edits.AddBoxes(tuple(Box(0, image, label, (4, 4, 40, 40 + image)) for image in ids)))
        document.do(edits.SetState(tuple(ids), State.DONE))
        document.do(edits.SetSplit(tuple(ids[6:7]), Split.VALIDATION))
        document.do(edits.SetSplit(tuple(ids[7:]), Split.TEST))
    return tmp_path / "project"


@pytest.mark.slow
def test_folds_are_trained_one_after_the_other_and_judge_every_image(project: Path, capsys: Capture) -> None:
    assert main(["train", str(project), *SMALL, *IN_TWO]) == console.DONE
    said = capsys.readouterr().err
    assert f"Judge all images: workbench evaluate {project} --run yolov4-tiny-1-fold-1 --split folds" in said
    found = {run.name: (run.fold, run.folds) for run in runs.runs(project / "runs")}
    assert found == {"yolov4-tiny-1-fold-1": (1, 2), "yolov4-tiny-1-fold-2": (2, 2)}
    assert main(["evaluate", str(project), "--run", min(found), "--split", "folds", "--json"]) == console.DONE
    told = capsys.readouterr()
    numbers = json.loads(told.out)
    assert (numbers["images"], numbers["images_trained_on"], numbers["split"]) == (7, 0, "folds")
    assert [(one["fold"], one["run"]) for one in numbers["folds"]] == [(1, min(found)), (2, max(found))]
    assert sum(one["images"] for one in numbers["folds"]) == 7
    assert "can't be written" not in told.err
    assert not list((project / "runs").glob("*/evaluation*.json"))

    assert main(["train", str(project), *SMALL, *IN_TWO, "--learning-rate", "0.001", "--json"]) == console.DONE
    others = [json.loads(line)["run"] for line in capsys.readouterr().out.splitlines()]
    assert others == ["yolov4-tiny-2-fold-1", "yolov4-tiny-2-fold-2"]
    both = ["compare", str(project), min(found), others[0], "--split", "folds", "--draws", "5", "--json"]
    assert main(both) == console.DONE
    compared = json.loads(capsys.readouterr().out)
    assert (compared["images"], compared["split"], compared["notes"]) == (7, "folds", [])
    assert main(["compare", str(project), others[1], others[0], "--split", "folds"]) == console.FAILED
    assert f"{others[1]} and {others[0]} are of the same cross-validation." in capsys.readouterr().err

    more = [*SMALL, *IN_TWO, "--name", "näher", "--fold", "2", "--json"]
    assert main(["train", str(project), *more]) == console.DONE
    assert json.loads(capsys.readouterr().out)["run"] == "näher-fold-2"
    assert main(["evaluate", str(project), "--split", "folds"]) == console.DONE, "the same recipe: of the same one"
    assert "The folds' own AP: 0.000 on average, with a standard deviation of 0.000." in capsys.readouterr().err

    with Document.open(project) as document:
        document.do(edits.ChangeLabel(replace(document.labels()[0], name="Zelle")))
        document.do(edits.AddLabels((Label(0, "cell"),)))
    assert main(both) == console.DONE
    notes = json.loads(capsys.readouterr().out)["notes"]
    assert all(note.endswith(" doesn't know them: cell.") for note in notes), "the label of that name is another now"
    assert len(notes) == 2


def test_a_fold_of_nothing_is_refused(project: Path, capsys: Capture) -> None:
    assert main(["train", str(project), *SMALL, "--fold", "2"]) == console.FAILED
    assert "A fold is one of several. Say of how many, such as Folds 5 (--folds 5)." in capsys.readouterr().err
    assert main(["train", str(project), *SMALL, "--folds", "2", "--fold", "3"]) == console.FAILED
    assert "There is no fold 3 of 2." in capsys.readouterr().err
    assert not runs.runs(project / "runs")


def test_an_estimate_is_of_one_fold(project: Path, capsys: Capture) -> None:
    assert main(["estimate", str(project), *SMALL, *IN_TWO]) == console.DONE
    assert "This is for one of 2 folds, which are trained one after the other." in capsys.readouterr().err
    assert main(["estimate", str(project), *SMALL, *IN_TWO, "--json"]) == console.DONE
    assert json.loads(capsys.readouterr().out)["folds"] == 2


def test_a_run_of_no_cross_validation_has_no_folds(project: Path, capsys: Capture) -> None:
    assert main(["train", str(project), *SMALL, "--epochs", "1", "--name", "plain"]) == console.DONE
    assert main(["evaluate", str(project), "--split", "folds"]) == console.FAILED
    assert "plain is not one of a cross-validation." in capsys.readouterr().err
    began = ["train", str(project), *SMALL, *IN_TWO, "--name", "began", "--fold", "1", "--weights", "plain"]
    assert main(began) == console.DONE
    capsys.readouterr()
    assert main(["evaluate", str(project), "--run", "began-fold-1", "--split", "folds"]) == console.DONE
    said = " ".join(capsys.readouterr().err.split())
    assert "images here had been learnt by the weights that these runs began with, so the numbers" in said
    shutil.rmtree(project / "runs" / "began-fold-1")
    assert main(["train", str(project), *SMALL, *IN_TWO, "--name", "c", "--fold", "1"]) == console.DONE
    capsys.readouterr()
    assert main(["compare", str(project), "c-fold-1", "plain", "--split", "folds"]) == console.FAILED
    said = capsys.readouterr().err
    assert "plain is not one of a cross-validation." in said
    assert "Evaluating" not in said, "minutes, for nothing"
    assert main(["runs", str(project), "--json"]) == console.DONE
    listed = json.loads(capsys.readouterr().out)["runs"]
    for name, said in (
        ("c-fold-1", "c-fold-1 is of a cross-validation and has learnt from 1 of 2 parts"),
        ("plain", ""),
    ):
        what = ["export", str(project), str(project / "out"), "--run", name, "--format", "safetensors", "--json"]
        assert main(what) == console.DONE
        told = capsys.readouterr().err
        assert said in told
        assert ("cross-validation" in told) == bool(said)
    assert {one["run"]: (one["fold"], one["folds"]) for one in listed} == {"c-fold-1": (1, 2), "plain": (0, 0)}


@pytest.mark.slow
def test_events_are_those_of_every_fold(project: Path, capsys: Capture) -> None:
    assert main(["train", str(project), *SMALL, *IN_TWO, "--json-events"]) == console.DONE
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    names = [Path(one["folder"]).name for one in told if one["event"] == "Finished"]
    assert names == ["yolov4-tiny-1-fold-1", "yolov4-tiny-1-fold-2"]


def asked(*folds: int) -> list[Asked]:
    return [Asked({"project": Path("P"), "fold": n, "name": f"c d-fold-{n}"}, n, f"c d-fold-{n}") for n in folds]


@pytest.mark.parametrize("code", [None, console.DONE])
def test_a_training_that_ends_well_is_followed_by_the_next(code: int | None, capsys: Capture) -> None:
    done: list[int] = []

    def train(given: dict[str, Any]) -> int | None:
        done.append(given["fold"])
        return code  # of a process that prints events, or follows the main one

    assert (cross_validation.run_each(asked(1, 2), train, quiet=True), done) == (code, [1, 2])
    assert not capsys.readouterr().err


@pytest.mark.parametrize(
    ("ends", "trained", "said"),
    [
        (4, [1, 2, 3, 4], "evaluate P --run 'c d-fold-1' --split folds"),
        (3, [1, 2, 3, 4], "Not trained to the end: fold 4. The same command with --name 'c d' goes on with that."),
        (1, [1, 2], "Not trained to the end: folds 2, 3, 4. The same command with --name 'c d' goes on with that."),
    ],
)
def test_a_training_that_is_stopped_ends_the_others_and_says_how_to_go_on(
    ends: int, trained: list[int], said: str, capsys: Capture
) -> None:
    done: list[int] = []

    def train(given: dict[str, Any]) -> int | None:
        done.append(given["fold"])
        return console.INTERRUPTED if len(done) > ends else None

    code = cross_validation.run_each(asked(1, 2, 3, 4), train, quiet=False)
    assert (code, done) == (None if ends == 4 else console.INTERRUPTED, trained)
    assert said in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("error", [WorkbenchError("The disk is full."), KeyboardInterrupt()])
def test_a_training_that_fails_also_says_how_to_go_on(error: BaseException, capsys: Capture) -> None:
    def train(given: dict[str, Any]) -> int | None:
        if given["fold"] == 2:
            raise error
        return None

    with pytest.raises(type(error)):
        cross_validation.run_each(asked(1, 2, 3), train, quiet=False)
    assert "Not trained to the end: folds 2, 3. The same command with --name 'c d'" in capsys.readouterr().err
    with pytest.raises(type(error)):
        cross_validation.run_each(asked(1, 2, 3), train, quiet=True)
    assert not capsys.readouterr().err


def test_a_single_training_has_nothing_to_add(capsys: Capture) -> None:
    def stopped(_: Iterable[Any]) -> int:
        return console.INTERRUPTED

    assert cross_validation.run_each([Asked({"fold": None})], stopped, quiet=False) == console.INTERRUPTED
    assert not capsys.readouterr().err


@pytest.mark.slow
def test_the_same_command_with_the_name_goes_on(project: Path, capsys: Capture) -> None:
    command = ["train", str(project), *SMALL, "--folds", "2", "--epochs", "2", "--name", "ä b"]
    assert main([*command, "--fold", "1"]) == console.DONE
    events = project / "runs" / "ä b-fold-1" / runs.EVENTS
    lines = [line for line in events.read_text().splitlines(keepends=True) if '"Finished"' not in line]
    events.write_text("".join(lines))  # as if the power had failed
    lock = Lock(events.parent)
    assert main(command) == console.FAILED
    lock.release()
    assert "The run 'ä b-fold-1' is being trained. Wait until it has ended" in capsys.readouterr().err
    trained: list[tuple[object, object]] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "_train", lambda one, *_: trained.append((one["resume"], one["name"])))
        assert main(command) == console.DONE
    assert trained == [("ä b-fold-1", None), (None, "ä b-fold-2")]
    assert main(command) == console.DONE
    assert [run.state for run in runs.runs(project / "runs")] == ["finished", "finished"]
    capsys.readouterr()
    assert main(command) == console.FAILED
    assert "ä b is trained already. Choose another --name to train it anew" in capsys.readouterr().err
    assert main([*command, "--batch", "3"]) == console.FAILED
    assert "There is a run called 'ä b-fold-1' with other settings (Batch: 4 → 3). Choose" in capsys.readouterr().err


@pytest.mark.slow
def test_all_folds_learn_from_the_labels_of_the_beginning(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """They take hours, in which labels are edited: each learnt from others."""
    whole = training._train

    def then_edited(*given: Any) -> int | None:
        code = whole(*given)
        with Document.open(project) as document:
            document.do(edits.RemoveBoxes((int(document.snapshot().box_ids[0]),)))
        return code

    monkeypatch.setattr(training, "_train", then_edited)
    assert main(["train", str(project), *SMALL, *IN_TWO]) == console.DONE
    found = runs.runs(project / "runs")
    assert [one.fold for one in found] == [2, 1]
    assert len({one.digest for one in found}) == len({one.data_time for one in found}) == 1
    shutil.rmtree(project / "runs" / "yolov4-tiny-1-fold-1")
    capsys.readouterr()
    assert main(["train", str(project), *SMALL, *IN_TWO, "--name", "yolov4-tiny-1"]) == console.DONE
    said = "Images, splits or labels were changed since yolov4-tiny-1-fold-2 began. Choose another --name"
    assert said in capsys.readouterr().err


def test_what_a_later_fold_lacks_is_said_before_the_first(project: Path, capsys: Capture) -> None:
    assert main(["train", str(project), *SMALL, "--folds", "2", "--fold-by", "folder"]) == console.FAILED
    assert "All images are in fold 1 of 2, as they are one group. Choose another Fold by" in capsys.readouterr().err
    assert not runs.runs(project / "runs")
    assert main(["train", str(project), *SMALL, "--folds", "20", "--epochs", "1"]) == console.FAILED
    assert "of 20, as there are only 7. Choose fewer folds." in capsys.readouterr().err
    assert not runs.runs(project / "runs"), "the first five have images"
