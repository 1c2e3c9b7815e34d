"""`workbench compare`: what the second run changes, as tables and as JSON. What both see is made by hand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.inference.stub import write_head
from tests.training.records.test_runs import STARTED, leave
from tests.ui.window_driver import write_photographs
from workbench import console
from workbench.cli import main
from workbench.core import edits
from workbench.core.detections import Candidates
from workbench.core.document import Document
from workbench.core.project import Box, Label, Snapshot, Split, State
from workbench.inference import predict
from workbench.inference.evaluating import evaluate, operating_point, scoring
from workbench.inference.evaluating.operating_point import OperatingPoint
from workbench.inference.evaluating.scoring import ScoringRules
from workbench.inference.events import EvaluationDone
from workbench.training.checkpoints.checkpoint import save_detector
from workbench.training.checkpoints.header import read_header
from workbench.training.checks import data_leakage

Capture = pytest.CaptureFixture[str]
# each image has a cat at 10, 10; the first finds a's at 0.9, and a dog where nothing is; the second b's alone at 0.4
SEEN = {
    "old": [([(10, 10, 30, 30), (50, 50, 70, 70)], [0.9, 0.8], [0, 1]), ([], [], [])],
    "new": [([], [], []), ([(10, 10, 30, 30)], [0.4], [0])],
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COLUMNS", "200")
    write_photographs(tmp_path / "photographs", ["a.png", "b.png"])
    with Document.create(tmp_path / "project", tmp_path / "photographs") as document:
        document.do(edits.AddLabels((Label(0, "cat"), Label(0, "dog"))))
        ids, cat = [image.id for image in document.images()], document.labels()[0].id
        document.do(edits.AddBoxes(tuple(Box(0, image, cat, (10, 10, 30, 30)) for image in ids)))
        document.do(edits.SetState(tuple(ids), State.DONE))
        document.do(edits.SetSplit(tuple(ids), Split.VALIDATION))
    for name in SEEN:
        folder = tmp_path / "project" / "runs" / name
        leave(folder, STARTED)
        write_head(folder / "best.safetensors")
    labels = {"old": ("cat", "dog"), "new": ("cat", "dog")}
    monkeypatch.setattr(
        predict.Predictor, "open", lambda file, _device: SimpleNamespace(labels=labels[Path(file).parent.name])
    )
    monkeypatch.setattr(evaluate, "evaluate_run", fake_evaluation)
    monkeypatch.setattr(predict, "LABELS", labels, raising=False)
    return tmp_path / "project"


def fake_evaluation(
    predictor: Any, snapshot: Snapshot, split: Split | None, folder: Path, _: ScoringRules | None = None
) -> Iterator[EvaluationDone]:
    truth, rules = snapshot.only(splits={split}) if split else snapshot, ScoringRules()
    found = tuple(Candidates.of_arrays(*map(np.array, one)) for one in SEEN[folder.name][: len(truth)])
    trained_on = 1 if folder.name == "old" else None
    scored = scoring.score(truth, found, rules)
    yield EvaluationDone(scored, truth, found, rules, 0, None, trained_on, labels=predictor.labels)


def told(capsys: Capture, project: Path, *more: str) -> dict[str, Any]:
    assert main(["compare", str(project), "old", "new", "--draws", "20", *more, "--json"]) == console.DONE
    return json.loads(capsys.readouterr().out)


def test_fates_and_differences_are_told_as_json(project: Path, capsys: Capture) -> None:
    said = told(capsys, project, "--confidence", "0.3")
    assert (said["images"], said["boxes"], said["draws"]) == (2, 2, 20)
    assert [note.split(",")[0] for note in said["notes"]] == ["old was trained on 1 of 2 images here"]
    assert (said["first"]["images_trained_on"], said["second"]["images_trained_on"]) == (1, None)
    cat = {"fixed": 1, "regressed": 1, "wrong in both": 0, "right in both": 0, "false alarms gone": 0,
           "false alarms new": 0, "false alarms in both": 0}  # fmt: skip
    nothing = dict.fromkeys(cat, 0)
    assert said["counts"]["labels"] == {"cat": cat, "dog": nothing | {"false alarms gone": 1}}
    assert said["counts"]["all"] == cat | {"false alarms gone": 1}
    precision = said["differences"]["precision"]["all"]
    assert (precision["first"], precision["second"], precision["difference"]) == (0.5, 1.0, 0.5)
    assert precision["low"] is precision["high"] is None  # of two images
    assert said["differences"]["recall"]["labels"]["cat"]["difference"] == 0
    assert said["differences"]["recall"]["labels"]["dog"]["difference"] is None  # there is no dog
    ap50 = said["differences"]["ap50"]["labels"]["cat"]
    assert ap50["first"] == ap50["second"] == pytest.approx(51 / 101, abs=1e-6)


def test_each_run_is_compared_at_its_own_point_unless_a_confidence_is_given(project: Path, capsys: Capture) -> None:
    operating_point.write(project / "runs" / "new", OperatingPoint(0.5, (("dog", 0.2),), iou=0.45, kind="diou"))
    said = told(capsys, project)
    assert said["second"]["confidence"] == {"cat": 0.5, "dog": 0.2}
    assert (said["second"]["nms"], said["second"]["iou"], said["first"]["nms"]) == ("diou", 0.45, "per label")
    assert (said["counts"]["all"]["fixed"], said["counts"]["all"]["regressed"]) == (0, 1)
    assert told(capsys, project, "--confidence", "0.3")["second"]["confidence"] == {"cat": 0.3, "dog": 0.3}


def test_a_person_reads_two_tables_and_what_is_left_out(project: Path, capsys: Capture) -> None:
    predict.LABELS["new"] = ("cat",)  # type: ignore[attr-defined]
    assert main(["compare", str(project), "old", "new", "--draws", "20", "--confidence", "0.3"]) == console.DONE
    shown = capsys.readouterr()
    counts, numbers = shown.out.split("label")[1:]
    assert [line.split()[:3] for line in counts.splitlines()[1:3]] == [["(all)", "1", "1"], ["cat", "1", "1"]]
    assert numbers.split()[:5] == ["AP50", "AP", "precision", "recall", "F1"]
    assert "dog" not in shown.out
    assert "Not compared, because new doesn't know them: dog." in shown.err
    assert "95 % of 20 resamples" in shown.err
    assert "*" not in numbers  # two images don't tell


def test_a_run_that_is_not_there_is_refused_with_the_names_of_those_that_are(project: Path, capsys: Capture) -> None:
    assert main(["compare", str(project), "old", "newest"]) == console.FAILED
    assert "There is no run called 'newest'" in capsys.readouterr().err


def test_evaluate_says_when_images_that_are_judged_were_trained_on(project: Path, capsys: Capture) -> None:
    for run, known in (("old", 1), ("new", None)):
        assert main(["evaluate", str(project), "--run", run, "--split", "val", "--json"]) == console.DONE
        shown = capsys.readouterr()
        values = json.loads(shown.out)
        assert (values["split"], values["images_trained_on"]) == ("validation", known)
        assert ("old was trained on 1 of 2 images here" in shown.err) is (run == "old")


def test_a_label_without_boxes_has_no_ap_in_the_table(project: Path, capsys: Capture) -> None:
    assert main(["evaluate", str(project), "--run", "old"]) == console.DONE
    shown = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["label", "boxes", "AP", "AP50", "precision", "recall", "F1"] in shown
    assert ["cat", "2", "0.5050", "0.5050", "1.0000", "0.5000", "0.6667"] in shown
    assert ["dog", "0", "-", "-", "-", "-", "-"] in shown


def test_each_labels_precision_and_recall_are_at_the_confidence_that_is_told_and_the_best_epoch_is(
    project: Path, capsys: Capture
) -> None:
    """As in the table on the Inspect page: of the first run, a cat of two is found, and a dog where none is."""
    folder = project / "runs" / "old"
    save_detector(folder / "best.safetensors", {}, replace(read_header(folder / "best.safetensors"), epoch=12))
    operating_point.write(folder, OperatingPoint(0.3))
    with Document.open(project) as document:
        document.do(edits.SetSplit(tuple(image.id for image in document.images()), Split.TEST))
    assert main(["evaluate", str(project), "--run", "old", "--split", "test", "--json"]) == console.DONE
    values = json.loads(capsys.readouterr().out)
    assert (values["epoch"], values["confidence"]) == (12, 0.3)
    cat, dog = values["per_label"]["cat"], values["per_label"]["dog"]
    assert (cat["boxes"], cat["precision"], cat["recall"], cat["f1"]) == (2, 1, 0.5, pytest.approx(2 / 3, abs=1e-6))
    assert (dog["boxes"], dog["precision"], dog["recall"], dog["f1"]) == (0, 0, None, 0)


def test_test_images_are_judged_at_the_confidence_that_validation_images_chose(project: Path, capsys: Capture) -> None:
    """Of two cats the first run finds one at 0.9, and a dog where none is at 0.8."""

    def evaluated(split: str) -> tuple[float, float, float]:
        assert main(["evaluate", str(project), "--run", "old", "--split", split, "--json"]) == console.DONE
        values = json.loads(capsys.readouterr().out)
        assert values["recall"] == 0.5
        return values["confidence"], values["precision"], values["f1"]

    best = evaluated("validation")
    assert best[0] == pytest.approx(0.85, abs=0.06)
    assert best[1:] == (1.0, pytest.approx(2 / 3, abs=1e-6))
    with Document.open(project) as document:
        document.do(edits.SetSplit(tuple(image.id for image in document.images()), Split.TEST))
    assert evaluated("test") == best
    point = {"best_confidence": 0.3, "rules": {"iou": 0.6, "kind": "per label", "limit": 300}, "split": "validation"}
    (project / "runs" / "old" / "evaluation.json").write_text(json.dumps(point), "utf-8")
    assert evaluated("test") == (0.3, 0.5, 0.5)
    assert told(capsys, project, "--split", "test")["first"]["confidence"] == {"cat": 0.3, "dog": 0.3}


def test_test_images_are_judged_at_the_operating_point_that_was_kept(project: Path, capsys: Capture) -> None:
    with Document.open(project) as document:
        document.do(edits.SetSplit(tuple(image.id for image in document.images()), Split.TEST))
    operating_point.write(project / "runs" / "old", OperatingPoint(0.3, (("dog", 0.85),)))
    command = ["evaluate", str(project), "--run", "old", "--split", "test"]
    assert main([*command, "--json"]) == console.DONE
    values = json.loads(capsys.readouterr().out)
    assert (values["confidence"], values["confidence_of_labels"]) == (0.3, {"dog": 0.85})
    assert (values["precision"], values["recall"]) == (1.0, 0.5), "the dog at 0.8 does not count"
    assert main(command) == console.DONE
    told = " ".join(capsys.readouterr().err.split())
    assert "are at the confidence 0.3 (dog 0.85): the operating point kept with the run." in told


def test_the_nms_of_the_operating_point_that_was_kept_counts_too(
    project: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on the Inspect page and as predicting does; precision was that of the published NMS at its confidence."""
    twice = [([(10, 10, 30, 30), (12, 12, 32, 32)], [0.9, 0.8], [0, 0]), ([], [], [])]  # their IoU is 0.68
    monkeypatch.setitem(SEEN, "old", twice)
    with Document.open(project) as document:
        document.do(edits.SetSplit(tuple(image.id for image in document.images()), Split.TEST))
    command = ["evaluate", str(project), "--run", "old", "--split", "test"]
    for overlap, precision in ((0.75, 0.5), (0.5, 1.0)):
        operating_point.write(project / "runs" / "old", OperatingPoint(0.3, iou=overlap))
        assert main([*command, "--json"]) == console.DONE
        values = json.loads(capsys.readouterr().out)
        assert (values["precision"], values["iou"]) == (precision, 0.6), "the latter is that of AP"
        assert values["operating_point"] == {"nms": "per label", "iou": overlap, "limit": 300}
    assert main(command) == console.DONE
    assert "are at the confidence 0.3 and NMS per label at 0.5: the" in " ".join(capsys.readouterr().err.split())
    operating_point.write(project / "runs" / "old", OperatingPoint(0.3, iou=0.75))
    assert main([*command, "--nms", "per label", "--json"]) == console.DONE
    assert json.loads(capsys.readouterr().out)["precision"] == 1.0, "what is asked for counts, as for AP"


def test_a_damaged_operating_point_is_told_before_test_images_are_looked_at(
    project: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was told after an hour, in place of the numbers."""
    with Document.open(project) as document:
        document.do(edits.SetSplit(tuple(image.id for image in document.images()), Split.TEST))
    (project / "runs" / "old" / operating_point.FILE).write_text("{", "utf-8")
    monkeypatch.setattr(evaluate, "evaluate_run", lambda *_: pytest.fail("it looks"))
    assert main(["evaluate", str(project), "--run", "old", "--split", "test"]) == console.FAILED
    assert "Keep the operating point again" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["evaluate", "compare"])
def test_the_images_that_a_run_held_out_can_be_chosen_as_in_the_window(
    command: str, project: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """Of a project without a validation split the command knew only all images, most of which the run has learnt."""
    asked: list[Path] = []

    def held_out(folder: Path, snapshot: Snapshot) -> Snapshot:
        asked.append(folder)
        splits = (Split.VALIDATION, Split.TRAIN)
        images = (replace(one, split=split) for one, split in zip(snapshot.images, splits, strict=True))
        return replace(snapshot, images=tuple(images))

    monkeypatch.setattr(data_leakage, "held_out", held_out)
    with Document.open(project) as document:
        document.do(edits.SetSplit(tuple(document.images().ids.tolist()), Split.NONE))
    given = ["--run", "old"] if command == "evaluate" else ["old", "new", "--draws", "5"]
    assert main([command, str(project), *given]) == console.FAILED
    assert "Use those that the run held out with --split held-out, all images" in capsys.readouterr().err
    assert main([command, str(project), *given, "--split", "held-out", "--json"]) == console.DONE
    shown = json.loads(capsys.readouterr().out)
    assert (shown["split"], shown["images"], shown["boxes"]) == ("held-out", 1, 1)
    assert asked == [project / "runs" / "old"]
