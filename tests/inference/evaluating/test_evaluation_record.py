"""What an evaluation leaves beside its run, and what is chosen by it."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.generators import close
from tests.inference.evaluating.test_evaluate import finish, run, truth
from workbench.core.evaluation.confidence import confidence_curves
from workbench.core.project import Snapshot, Split, State
from workbench.inference.evaluating import saved_evaluation
from workbench.inference.evaluating.candidate_cache import cache_file
from workbench.inference.evaluating.evaluate import evaluate_run
from workbench.inference.events import EvaluationProgress
from workbench.inference.predict import Predictor
from workbench.training import recipes
from workbench.training.checkpoints.checkpoint import save_detector
from workbench.training.records import record
from workbench.training.request import RunRequest

__all__ = ["run", "truth"]  # fixtures


def test_the_record_says_every_number_with_its_rules(run: tuple[Predictor, Path], truth: Snapshot) -> None:
    done, _ = finish(evaluate_run(run[0], truth, Split.VALIDATION, run[1]))
    assert done.file is not None
    record = json.loads(done.file.read_text(encoding="utf-8"))
    assert record["rules"] == {"score": 0.001, "iou": 0.6, "kind": "darknet diou", "limit": 300}
    assert (record["images"], record["boxes"], record["split"]) == (5, 5, "validation")
    assert record["ap"] == done.evaluation.ap
    assert [label["name"] for label in record["labels"]] == ["鳥", "cat", "Hündin"]
    assert [label["id"] for label in record["labels"]] == [label.id for label in truth.labels]
    assert record["labels"][0]["ap"] is None  # no bird is labelled
    assert record["best_confidence"] == confidence_curves(done.evaluation.matching).best_overall
    assert [label["boxes"] for label in record["labels"]] == [0, 5, 0]
    assert record["images_trained_on"] is done.trained_on is None  # this run has no record of its data


def test_images_that_the_run_was_trained_on_are_counted_whatever_their_split(
    run: tuple[Predictor, Path], truth: Snapshot
) -> None:
    splits = [Split.TRAIN, Split.TRAIN, Split.TEST, Split.VALIDATION, Split.NONE]
    pairs = zip(truth.images, splits, strict=True)
    then = replace(truth, images=tuple(replace(image, split=split, state=State.DONE) for image, split in pairs))
    record.write_request(RunRequest(run[1], then, recipes.preset("quick-cpu")))
    for folder in (run[1], None):  # of a checkpoint that is named by its path
        done, _ = finish(evaluate_run(run[0], truth, None, folder))
        assert done.trained_on == 3


@pytest.mark.parametrize("split", [Split.TRAIN, Split.TEST])
def test_the_confidence_that_is_used_is_chosen_on_validation_images_alone(
    run: tuple[Predictor, Path], truth: Snapshot, split: Split
) -> None:
    others = replace(truth, images=tuple(replace(image, split=split) for image in truth.images))
    done, _ = finish(evaluate_run(run[0], others, split, run[1]))
    assert done.file == run[1] / f"evaluation-{split}.json"
    assert saved_evaluation.best_point(run[1]) is None
    assert (saved_evaluation.read_evaluation(run[1], split=split) or {})["split"] == split
    finish(evaluate_run(run[0], truth, Split.VALIDATION, run[1]))
    point = saved_evaluation.best_point(run[1])
    finish(evaluate_run(run[0], others, split, run[1]))
    assert saved_evaluation.best_point(run[1]) == point is not None


def test_looking_at_all_images_changes_nothing_that_validation_images_decided(
    run: tuple[Predictor, Path], truth: Snapshot
) -> None:
    """Most were learnt from. Without validation images they decide, but not how the test is judged."""
    predictor, folder = run
    for split, images in ((None, "all images"), (Split.VALIDATION, "validation images"), (None, "validation images")):
        done, _ = finish(evaluate_run(predictor, truth, split, folder))
        assert done.file == folder / ("evaluation.json" if split else "evaluation-all.json")
        assert saved_evaluation.deciding_images(folder, "best.safetensors") == images
        assert saved_evaluation.best_point(folder) is not None
        judges = saved_evaluation.validation_point(folder, "best.safetensors", Split.TEST)
        assert (judges is None) is (images == "all images")


def test_of_all_images_a_new_evaluation_counts_before_one_that_an_earlier_version_kept(
    run: tuple[Predictor, Path], truth: Snapshot
) -> None:
    """That is in evaluation.json, which no other than one of validation images replaces."""
    done, _ = finish(evaluate_run(run[0], truth, None, run[1]))
    assert done.file is not None
    record = json.loads(done.file.read_text("utf-8"))
    earlier = {**record, "best_confidence": 0.99, "step": None}
    (run[1] / "evaluation.json").write_text(json.dumps(earlier), "utf-8")
    assert (saved_evaluation.deciding_evaluation(run[1]) or {})["best_confidence"] == record["best_confidence"] != 0.99
    done.file.unlink()
    assert (saved_evaluation.deciding_evaluation(run[1]) or {})["best_confidence"] == 0.99


def test_an_evaluation_of_weights_that_the_training_has_replaced_since_is_neither_used_nor_quoted(
    run: tuple[Predictor, Path], truth: Snapshot
) -> None:
    """A run evaluated half-way or before it was extended: its file has the same name, and other weights."""
    predictor, folder = run
    finish(evaluate_run(predictor, truth, Split.VALIDATION, folder))
    assert saved_evaluation.best_point(folder, "best.safetensors") is not None
    assert predictor.header is not None
    later = replace(predictor.header, step=predictor.header.step + 400)
    save_detector(folder / "best.safetensors", predictor.detector.state_dict(), later)
    assert saved_evaluation.best_point(folder, "best.safetensors") is None
    assert saved_evaluation.read_evaluation(folder) is None
    finish(evaluate_run(Predictor.open(folder / "best.safetensors", device="cpu"), truth, Split.VALIDATION, folder))
    assert saved_evaluation.best_point(folder) is not None


def test_what_was_found_is_kept_as_of_the_weights_that_found_it_and_as_long_as_the_run_has_them(
    run: tuple[Predictor, Path], truth: Snapshot
) -> None:
    """A look that began just before a training saved better weights was taken for one at these, from then on."""
    predictor, folder = run
    checkpoint, last = folder / "best.safetensors", folder / "last.safetensors"
    finish(evaluate_run(predictor, truth, None, folder))
    (first,) = (folder / "candidates").iterdir()
    shutil.copy(checkpoint, last)
    checkpoint.write_bytes(b"other weights")
    finish(evaluate_run(predictor, truth, None, folder))
    assert list((folder / "candidates").iterdir()) == [first]
    better = Predictor(predictor.detector, predictor.labels, 160, "stretch", device="cpu", checkpoint=checkpoint)
    finish(evaluate_run(better, truth, None, folder))
    assert len(list((folder / "candidates").iterdir())) == 2
    last.write_bytes(b"others, too")
    checkpoint.write_bytes(b"still others")
    finish(evaluate_run(better, truth, None, folder))
    assert [file.name for file in (folder / "candidates").iterdir()] == [cache_file(folder, checkpoint).name]


def test_a_run_that_can_not_be_written_to_is_evaluated_all_the_same(
    run: tuple[Predictor, Path], truth: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda path, mode: False)
    done, _ = finish(evaluate_run(run[0], truth, Split.VALIDATION, run[1]))
    assert (done.file, len(done.candidates)) == (None, len(truth))
    assert [path.name for path in run[1].iterdir()] == ["best.safetensors"]


def test_numbers_that_can_not_be_kept_are_told_all_the_same(
    run: tuple[Predictor, Path], truth: Snapshot, caplog: pytest.LogCaptureFixture
) -> None:
    """On a full disk they were lost, after an hour."""
    predictor, folder = run
    (folder / "evaluation.json").mkdir()
    done, _ = finish(evaluate_run(predictor, truth, Split.VALIDATION, folder))
    assert (done.file, done.evaluation.images) == (None, len(truth))
    assert "evaluation.json" in caplog.text


def test_candidates_that_can_not_be_kept_cost_no_evaluation(run: tuple[Predictor, Path], truth: Snapshot) -> None:
    predictor, folder = run
    (folder / "candidates").write_bytes(b"")  # as good as a full disk, where a record of 2 KB still finds room
    done, _ = finish(evaluate_run(predictor, truth, Split.VALIDATION, folder))
    assert done.evaluation.images == len(truth)
    assert done.file is not None
    assert done.file.is_file()
    early = evaluate_run(predictor, truth, Split.VALIDATION, folder)
    assert isinstance(next(early), EvaluationProgress)
    next(early)
    close(early)
