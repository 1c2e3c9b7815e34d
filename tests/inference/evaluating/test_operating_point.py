"""The operating point of a run: kept, read again, and refused where it was damaged."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.inference.stub import write_head
from workbench.core.detections import Candidates
from workbench.core.project import FormerName, Label, Split
from workbench.errors import WorkbenchError
from workbench.inference.evaluating import operating_point, saved_evaluation
from workbench.inference.evaluating.operating_point import OperatingPoint
from workbench.training.checkpoints.checkpoint import save_detector
from workbench.training.checkpoints.header import read_header

POINT = OperatingPoint(0.3, (("cell", 0.6), ("Blutplättchen", 0.1)), 0.45, "diou", 50, "best.safetensors")


def test_what_is_kept_is_read_again(tmp_path: Path) -> None:
    assert operating_point.read(tmp_path) is None
    assert operating_point.write(tmp_path, POINT) == tmp_path / "operating_point.json"
    assert operating_point.read(tmp_path) == POINT
    assert [file.name for file in tmp_path.iterdir()] == ["operating_point.json"]


def test_it_belongs_to_the_checkpoint_that_it_was_chosen_for(tmp_path: Path) -> None:
    operating_point.write(tmp_path, POINT)
    assert operating_point.read(tmp_path, "best.safetensors") == POINT
    assert operating_point.read(tmp_path, "last.safetensors") is None
    operating_point.write(tmp_path, OperatingPoint(0.5))
    assert operating_point.read(tmp_path, "last.safetensors") == OperatingPoint(0.5)


def test_it_belongs_to_the_weights_that_it_was_chosen_for(tmp_path: Path) -> None:
    """It stayed when the run was gone on with, and was used for predictions and files of other weights."""
    file = tmp_path / "best.safetensors"
    write_head(file)
    operating_point.write(tmp_path, POINT)
    assert operating_point.read(tmp_path, file.name) == operating_point.read(tmp_path) == POINT
    save_detector(file, {}, replace(read_header(file), step=400))
    assert operating_point.read(tmp_path, file.name) is operating_point.read(tmp_path) is None
    operating_point.write(tmp_path, POINT)
    assert operating_point.read(tmp_path, file.name) == POINT
    kept = operating_point.write(tmp_path, OperatingPoint(0.5))
    save_detector(file, {}, replace(read_header(file), step=800))
    assert operating_point.read(tmp_path, file.name) == OperatingPoint(0.5), "for any"
    kept.write_text(json.dumps({key: value for key, value in json.loads(kept.read_text()).items() if key != "step"}))
    assert operating_point.read(tmp_path) == OperatingPoint(0.5), "of an earlier version"


def test_it_is_not_kept_for_other_weights_than_it_was_chosen_with(tmp_path: Path) -> None:
    """It was noted for those that were in the file by then, which nobody had looked at."""
    file = tmp_path / "best.safetensors"
    write_head(file)
    step = read_header(file).step
    operating_point.write(tmp_path, POINT, step)
    save_detector(file, {}, replace(read_header(file), step=step + 400))
    with pytest.raises(WorkbenchError, match="written other weights into best.safetensors .* Look again"):
        operating_point.write(tmp_path, replace(POINT, confidence=0.9), step)
    assert operating_point.read(tmp_path) is None
    save_detector(file, {}, replace(read_header(file), step=step))
    assert operating_point.read(tmp_path) == POINT


def test_what_was_kept_before_is_put_back_for_the_weights_that_it_was_kept_for(tmp_path: Path) -> None:
    file = tmp_path / "best.safetensors"
    write_head(file)
    nothing = operating_point.record(tmp_path)
    operating_point.write(tmp_path, POINT)
    kept = operating_point.record(tmp_path)
    save_detector(file, {}, replace(read_header(file), step=400))
    operating_point.write(tmp_path, replace(POINT, confidence=0.9))
    operating_point.put_back(tmp_path, kept)
    assert operating_point.read(tmp_path) is None, "it is of the weights before"
    save_detector(file, {}, replace(read_header(file), step=0))
    assert operating_point.read(tmp_path) == POINT
    operating_point.put_back(tmp_path, nothing)
    assert not (tmp_path / operating_point.FILE).exists()
    with pytest.raises(WorkbenchError, match="is gone"):
        operating_point.put_back(tmp_path / "deleted", kept)


def test_without_a_kept_point_that_with_the_best_f1_is_in_use(tmp_path: Path) -> None:
    rules = {"score": 0.001, "iou": 0.45, "kind": "diou", "limit": 50, "difficult": "count"}
    judged = {"split": "validation", "checkpoint": "best.safetensors", "best_confidence": 0.4, "rules": rules}
    (tmp_path / "evaluation.json").write_text(json.dumps(judged), "utf-8")
    best = OperatingPoint(0.4, iou=0.45, kind="diou", limit=50)
    assert saved_evaluation.point_in_use(tmp_path) == best
    assert saved_evaluation.point_in_use(tmp_path, "best.safetensors") == best
    assert saved_evaluation.point_in_use(tmp_path, "last.safetensors") is None
    operating_point.write(tmp_path, POINT)
    assert saved_evaluation.point_in_use(tmp_path, "best.safetensors") == POINT


def test_the_best_weights_keep_their_point_when_the_last_ones_are_looked_at(tmp_path: Path) -> None:
    """The look replaced their numbers: an export of the best weights said that nobody had looked with them."""
    rules = {"score": 0.001, "iou": 0.45, "kind": "diou", "limit": 50, "difficult": "count"}
    for name, confidence in (("best.safetensors", 0.4), ("last.safetensors", 0.7)):
        write_head(tmp_path / name)
        judged = {"split": "validation", "checkpoint": name, "best_confidence": confidence, "rules": rules}
        saved_evaluation.evaluation_file(tmp_path, Split.VALIDATION, name).write_text(json.dumps(judged), "utf-8")
    found = [saved_evaluation.best_point(tmp_path, name) for name in ("", "best.safetensors", "last.safetensors")]
    assert [point.confidence for point in found if point is not None] == [0.4, 0.4, 0.7]
    assert sorted(file.name for file in tmp_path.glob("*.json")) == ["evaluation-last.json", "evaluation.json"]
    (tmp_path / "evaluation-last.json").replace(tmp_path / "evaluation.json")
    earlier = saved_evaluation.best_point(tmp_path, "last.safetensors")
    assert earlier is not None, "an earlier version had one file for both"
    assert saved_evaluation.best_point(tmp_path, "best.safetensors") is None
    assert (
        saved_evaluation.evaluation_file(tmp_path, Split.TEST, "last.safetensors").name == "evaluation-test-last.json"
    )
    (tmp_path / "best.safetensors").unlink()
    assert saved_evaluation.evaluation_file(tmp_path, Split.VALIDATION, "last.safetensors").name == "evaluation.json"


def test_labels_without_a_confidence_of_their_own_have_that_of_all() -> None:
    assert POINT.confidences(("nucleus", "cell")).tolist() == [0.3, 0.6]
    assert POINT.confidences(()).tolist() == []


def test_detections_are_those_above_the_confidence_of_their_label() -> None:
    boxes = np.array([(0, 0, 10, 10), (20, 0, 30, 10), (0, 0, 10, 9.5), (40, 0, 50, 10)])
    found = Candidates.of_arrays(boxes, np.array([0.9, 0.5, 0.8, 0.35]), np.array([0, 0, 0, 1]))
    kept = POINT.detections(found, ("cell", "nucleus"))  # the twin at 0.8 goes by NMS, 0.5 is below 0.6
    assert kept.scores.tolist() == pytest.approx([0.9, 0.35])
    assert kept.labels.tolist() == [0, 1]
    assert len(OperatingPoint(0.0, limit=1).detections(found, ("cell", "nucleus"))) == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"confidence": 1.5}, "from 0 to 1, found 1.5"),
        ({"confidence": True}, "confidence: expected a number"),
        ({"confidence_of_labels": {"cell": "high"}}, "cell: expected a number, found 'high'"),
        ({"confidence_of_labels": [1]}, "an object of labels"),
        ({"nms_overlap": -0.1}, "overlap: expected a number from 0 to 1"),
        ({"nms_kind": "best"}, "expected one of per label"),
        ({"limit": 0}, "whole number from 1 to 3000"),
        ({"limit": 2.5}, "limit: expected a whole number"),
        ({"label_ids": {"cell": "3"}}, "label_ids: expected an object"),
        ({"label_ids": {"other": 3}}, "label_ids: expected an object"),
        ({"label_ids": [3]}, "label_ids: expected an object"),
        ({"checkpoint": 3}, "checkpoint: expected a file's name"),
        ({"step": "3"}, "step: expected a whole number"),
    ],
)
def test_a_damaged_file_is_refused_with_what_is_wrong(tmp_path: Path, change: dict[str, object], said: str) -> None:
    file = operating_point.write(tmp_path, POINT)
    file.write_text(json.dumps({**json.loads(file.read_text("utf-8")), **change}), "utf-8")
    with pytest.raises(WorkbenchError) as caught:
        operating_point.read(tmp_path)
    assert said in caught.value.sentence
    assert str(file) in caught.value.sentence


def test_confidences_stay_with_their_labels_when_these_swap_names(tmp_path: Path) -> None:
    swapped = (FormerName("cat", "dog", 1), FormerName("dog", "cat", 2))
    operating_point.write(tmp_path, OperatingPoint(0.5, (("cat", 0.2), ("dog", 0.8)), ids=(("cat", 1), ("dog", 2))))
    read = operating_point.read(tmp_path, former=swapped)
    assert read is not None
    assert read.confidences(("cat", "dog")).tolist() == [0.8, 0.2]
    operating_point.write(tmp_path, OperatingPoint(0.5, (("cat", 0.3), ("dog", 0.9)), ids=(("cat", 2), ("dog", 1))))
    read = operating_point.read(tmp_path, former=swapped)
    assert read is not None
    assert read.confidences(("cat", "dog")).tolist() == [0.3, 0.9], "kept since"


def test_the_confidence_of_a_merged_label_is_the_other_s_unless_the_network_knows_both(tmp_path: Path) -> None:
    """Else what the network finds as the other label gets a confidence that was chosen for the merged one."""
    merged = (FormerName("car", "vehicle"),)
    operating_point.write(tmp_path, OperatingPoint(0.5, (("car", 0.2),), ids=(("car", 1),)))
    for trained, expected in (("car", "bike"), {"vehicle": 0.2}), (("vehicle", "car"), {"car": 0.2}):
        labels = tuple(Label(1 if name == "car" else 5, name) for name in trained)
        write_head(tmp_path / "best.safetensors", labels=labels)
        read = operating_point.read(tmp_path, former=merged)
        assert read is not None
        assert dict(read.own) == expected
    operating_point.write(tmp_path, OperatingPoint(0.5, (("car", 0.2), ("vehicle", 0.7))))
    read = operating_point.read(tmp_path, former=merged)
    assert read is not None
    assert read.confidences(("vehicle", "car")).tolist() == [0.7, 0.2]


def test_a_point_of_an_earlier_version_is_read_by_names(tmp_path: Path) -> None:
    file = operating_point.write(tmp_path, POINT)
    record = json.loads(file.read_text("utf-8"))
    del record["label_ids"]
    file.write_text(json.dumps(record), "utf-8")
    assert operating_point.read(tmp_path) == POINT
    read = operating_point.read(tmp_path, former=(FormerName("cell", "nucleus"),))
    assert read is not None
    assert read.own[0] == ("nucleus", 0.6)


def test_what_is_no_json_or_no_object_is_refused(tmp_path: Path) -> None:
    for words in ("[0.5]", "{", ""):
        (tmp_path / "operating_point.json").write_text(words)
        with pytest.raises(WorkbenchError, match=r"operating_point\.json"):
            operating_point.read(tmp_path)


def test_a_sentence_names_the_labels_with_confidences_of_their_own() -> None:
    assert OperatingPoint(0.25).words == "0.25"
    assert OperatingPoint(0.2, (("RBC", 0.12),)).words == "0.2 (RBC 0.12)"
    many = tuple((name, 0.5) for name in "abcdefg")
    assert OperatingPoint(0.2, many).words == "0.2 (a 0.5, b 0.5, c 0.5, d 0.5, e 0.5 and 2 more)"


def test_nothing_is_kept_with_a_run_that_has_gone(tmp_path: Path) -> None:
    with pytest.raises(WorkbenchError, match="is gone"):
        operating_point.write(tmp_path / "gone", POINT)
    assert not (tmp_path / "gone").exists()
