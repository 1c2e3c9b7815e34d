"""The runs of a cross-validation are evaluated together, each image by the run that has not learnt from it."""

from __future__ import annotations

import shutil
import weakref
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.training.conftest import toy
from tests.training.toys import Toy, make_request, make_snapshot
from workbench.core.detections import Candidates
from workbench.core.project import FormerName, Image, Label, Snapshot, Split
from workbench.core.storage.lock import Lock
from workbench.errors import WorkbenchError
from workbench.inference.evaluating import fold_remarks, scoring
from workbench.inference.evaluating.evaluate import evaluate_run
from workbench.inference.evaluating.evaluate_folds import evaluate_folds
from workbench.inference.events import EvaluationDone, EvaluationProgress, FoldScore, Skipped
from workbench.inference.predict import Predictor
from workbench.training import folds, hold_out
from workbench.training.checks import data_leakage
from workbench.training.records import record, run_actions
from workbench.training.records.runs import EVENTS
from workbench.training.run import train
from workbench.training.settings import TrainingSettings

__all__ = ["toy"]  # a fixture
FOLDS = 3


def in_fold(images: Sequence[Image], settings: TrainingSettings) -> np.ndarray:
    return hold_out.in_fold([image.id for image in images], lambda: images, settings)


@pytest.fixture
def trained(tmp_path: Path, toy: type[Toy]) -> tuple[Snapshot, list[Path]]:
    """Twelve images, and the runs of each fold."""
    snapshot = make_snapshot(tmp_path / "images", 9, 3)
    return snapshot, [_train(tmp_path, snapshot, f"a-fold-{n}", fold=n) for n in range(1, FOLDS + 1)]


def _train(folder: Path, snapshot: Snapshot, name: str, **changes: Any) -> Path:
    settings = {"folds": FOLDS, "epochs": 1, "mosaic": 0.0, **changes}
    request = replace(make_request(folder, snapshot, **settings), folder=folder / "runs" / name)
    for _ in train(request):
        pass
    return request.folder


def _evaluated(events: Iterable[object]) -> EvaluationDone:
    *before, done = events
    progress = [event for event in before if isinstance(event, EvaluationProgress)]
    assert [event.done for event in progress] == sorted(event.done for event in progress)
    assert isinstance(done, EvaluationDone)
    assert {event.total for event in progress} == {len(done.truth) + done.skipped}
    return done


def test_each_image_is_judged_by_the_run_that_has_not_learnt_from_it(trained: tuple[Snapshot, list[Path]]) -> None:
    snapshot, runs = trained
    done = _evaluated(evaluate_folds(runs[1], snapshot, device="cpu"))
    assert [image.id for image in done.truth.images] == [image.id for image in snapshot.images]
    assert (done.trained_on, done.skipped, done.remark) == (0, 0, "")
    judged = 0
    for run, own in zip(runs, done.folds, strict=True):
        predictor = Predictor.open(run / "best.safetensors", "cpu")
        seen = data_leakage.held_out(run, snapshot)
        alone = list(evaluate_run(predictor, seen, Split.VALIDATION))[-1]
        assert isinstance(alone, EvaluationDone)
        assert data_leakage.count_learnt_images(run, alone.truth) == 0
        assert own == FoldScore(own.fold, run.name, len(alone.truth), alone.evaluation.ap, alone.evaluation.ap50)
        for image, found in zip(alone.truth.images, alone.candidates, strict=True):
            ours = done.candidates[image.id - 1]
            assert np.array_equal(ours.scores, found.scores)
            assert np.array_equal(ours.boxes, found.boxes)
            judged += 1
    assert judged == 12
    scored = scoring.score(snapshot, done.candidates, done.rules)
    assert done.evaluation.numbers() == pytest.approx(scored.numbers(), nan_ok=True)


def test_the_networks_are_in_memory_one_after_the_other(
    trained: tuple[Snapshot, list[Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    opening, there = Predictor.open, list[weakref.ref[Predictor]]()

    def opened(*given: Any, **named: Any) -> Predictor:
        assert [one for one in there if one() is not None] == []
        predictor = opening(*given, **named)
        there.append(weakref.ref(predictor))
        return predictor

    monkeypatch.setattr(Predictor, "open", opened)
    _evaluated(evaluate_folds(trained[1][1], trained[0], device="cpu"))
    assert len(there) == FOLDS, "each of them once"


def test_runs_of_another_recipe_are_of_another_cross_validation(
    trained: tuple[Snapshot, list[Path]], tmp_path: Path
) -> None:
    snapshot, runs = trained
    _train(tmp_path, snapshot, "b-fold-2", fold=2, learning_rate=0.04)
    longer = _train(tmp_path, snapshot, "a-fold-3-longer", fold=3, epochs=2)
    again = _train(tmp_path, snapshot, "d-fold-2", fold=2)
    _train(tmp_path, snapshot, "c", folds=0)
    assert {fold: run.folder for fold, run in folds.siblings(runs[0]).items()} == {1: runs[0], 2: runs[1], 3: longer}
    shutil.rmtree(runs[1])
    both = {fold: run.folder for fold, run in folds.siblings(again).items()}
    assert both == {1: runs[0], 2: again, 3: runs[2]}, "of the same data and length, whatever it is called"
    with pytest.raises(WorkbenchError, match="c is not one of a cross-validation"):
        folds.siblings(tmp_path / "runs" / "c")


def test_a_run_that_is_still_trained_or_has_no_weights_is_not_the_newest_of_its_fold(
    trained: tuple[Snapshot, list[Path]], tmp_path: Path
) -> None:
    snapshot, before = trained
    again = _train(tmp_path, snapshot, "a-fold-2-2", fold=2)
    assert folds.siblings(before[0])[2].folder == again
    events = again / EVENTS
    lines = [line for line in events.read_text().splitlines(keepends=True) if '"Finished"' not in line]
    events.write_text("".join(lines))
    lock = Lock(again)
    try:
        assert folds.siblings(before[0])[2].folder == before[1]
    finally:
        lock.release()
    assert folds.siblings(before[0])[2].folder == again
    for weights in again.glob("*.safetensors"):
        weights.unlink()
    assert folds.siblings(before[0])[2].folder == before[1]


def test_what_is_trained_anew_after_corrections_is_another_cross_validation(
    trained: tuple[Snapshot, list[Path]], tmp_path: Path
) -> None:
    """Each took the newest run of a fold for its own: compared with each other, both were the same runs."""
    snapshot, before = trained
    corrected = replace(snapshot, boxes=snapshot.boxes + np.float32(1))
    after = [_train(tmp_path, corrected, f"b-fold-{n}", fold=n) for n in (1, 2)]
    before[2] = run_actions.rename(before[2], "the third")
    for run in before:
        assert [one.folder for one in folds.siblings(run).values()] == before
    for run in after:
        assert [one.folder for one in folds.siblings(run).values()] == after
    renamed = [run_actions.rename(run, run.name.replace("b", "c")) for run in after]
    anew = [
        _train(tmp_path, replace(snapshot, boxes=snapshot.boxes - np.float32(1)), f"b-fold-{n}", fold=n) for n in (1, 2)
    ]
    assert [[one.folder for one in folds.siblings(some[0]).values()] for some in (renamed, anew)] == [renamed, anew]


def test_folds_that_are_not_trained_yet_are_told_and_their_images_left_out(
    trained: tuple[Snapshot, list[Path]],
) -> None:
    snapshot, runs = trained
    shutil.rmtree(runs[1])
    done = _evaluated(evaluate_folds(runs[0], snapshot, device="cpu"))
    out = in_fold(snapshot.images, TrainingSettings(folds=FOLDS, fold=2))
    assert [image.id for image in done.truth.images] == (np.flatnonzero(~out) + 1).tolist()
    assert done.remark == "Not trained yet: fold 2 of 3, so their images are not among these."


def test_a_fold_without_any_of_the_images_and_a_run_without_a_best_checkpoint_are_no_trouble(
    trained: tuple[Snapshot, list[Path]],
) -> None:
    snapshot, runs = trained
    first = np.flatnonzero(in_fold(snapshot.images, TrainingSettings(folds=FOLDS, fold=1)))
    (runs[0] / "best.safetensors").unlink()
    assert (runs[0] / "last.safetensors").is_file()
    done = _evaluated(evaluate_folds(runs[1], snapshot.take(first.tolist()), device="cpu"))
    assert [(one.fold, one.images) for one in done.folds] == [(1, len(first))]
    assert (len(done.truth), done.skipped, done.remark) == (len(first), 0, "")


def test_an_image_that_cannot_be_read_is_left_out_and_named(trained: tuple[Snapshot, list[Path]]) -> None:
    snapshot, runs = trained
    snapshot.files[7].write_bytes(b"nothing")
    events = list(evaluate_folds(runs[0], snapshot, device="cpu"))
    skipped = [event for event in events if isinstance(event, Skipped)]
    assert [event.index for event in skipped] == [7]
    done = _evaluated(event for event in events if event not in skipped)
    assert done.skipped == 1
    assert [image.id for image in done.truth.images] == [1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12]


def test_images_of_another_project_are_refused(trained: tuple[Snapshot, list[Path]], tmp_path: Path) -> None:
    others = make_snapshot(tmp_path / "others", 4, 0)
    with pytest.raises(WorkbenchError, match="None of these images judged a-fold-1"):
        list(evaluate_folds(trained[1][0], others, device="cpu"))


def test_a_fold_whose_folder_is_away_is_left_out_and_named(trained: tuple[Snapshot, list[Path]]) -> None:
    snapshot, runs = trained
    away = np.flatnonzero(in_fold(snapshot.images, TrainingSettings(folds=FOLDS, fold=2)))
    for row in away:
        snapshot.files[row].write_bytes(b"nothing")
    events = list(evaluate_folds(runs[0], snapshot, device="cpu"))
    done = _evaluated(event for event in events if not isinstance(event, Skipped))
    assert (done.skipped, len(done.truth), [one.fold for one in done.folds]) == (len(away), 12 - len(away), [1, 3])
    assert done.remark.startswith("Fold 2: None of the images could be read.")
    for file in snapshot.files:
        file.write_bytes(b"nothing")
    with pytest.raises(WorkbenchError, match="None of the images could be read"):
        list(evaluate_folds(runs[0], snapshot, device="cpu"))


def test_a_run_whose_record_is_lost_costs_its_fold(trained: tuple[Snapshot, list[Path]]) -> None:
    snapshot, runs = trained
    (runs[1] / record.DATA).unlink()
    done = _evaluated(evaluate_folds(runs[0], snapshot, device="cpu"))
    assert [one.fold for one in done.folds] == [1, 3]
    said = "Fold 2 is left out: which images a-fold-2 learnt from is not known any more. Train it anew."
    assert done.remark == said
    for run in (runs[0], runs[2]):
        (run / record.DATA).write_bytes(b"nothing")
    with pytest.raises(WorkbenchError, match="Fold 1 is left out: which images a-fold-1 learnt from"):
        list(evaluate_folds(runs[0], snapshot, device="cpu"))


def test_the_time_left_is_that_of_all_folds(
    trained: tuple[Snapshot, list[Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot, runs = trained
    events = [one for one in evaluate_folds(runs[0], snapshot, device="cpu") if isinstance(one, EvaluationProgress)]
    known = [one for one in events if one.images_per_second]
    assert known
    *_, last = [one for one in evaluate_folds(runs[0], snapshot, device="cpu") if isinstance(one, EvaluationProgress)]
    assert (last.done, last.cached) == (12, 12), "all are kept from before"
    for one in known:
        assert one.seconds_left == pytest.approx((12 - one.done) / one.images_per_second)


@pytest.mark.usefixtures("toy")
def test_images_that_no_run_had_are_counted(tmp_path: Path) -> None:
    now = make_snapshot(tmp_path / "images", 15, 0)
    now = replace(now, images=(*now.images[:14], replace(now.images[14], split=Split.TEST)))
    then = now.take(list(range(12)))
    runs = [_train(tmp_path, then, f"a-fold-{n}", fold=n) for n in range(1, FOLDS + 1)]
    done = _evaluated(evaluate_folds(runs[0], now, device="cpu"))
    assert len(done.truth) == 12
    assert done.remark == "2 labelled images are left out: they were not among those of these trainings."
    shutil.rmtree(runs[1])
    remark = _evaluated(evaluate_folds(runs[0], now, device="cpu")).remark
    assert "fold 2 of 3" in remark
    assert "2 labelled images are left out" in remark, "those of the missing fold are known"


@pytest.mark.usefixtures("toy")
def test_images_that_moved_between_the_folds_are_counted(tmp_path: Path) -> None:
    """A group that came before fold 1 was trained is another fold's from then on."""
    now = make_snapshot(tmp_path / "images", 12, 0)
    names = [f"{'abcd'[n // 3]}/{n}.png" for n in range(12)]
    now = replace(now, images=tuple(replace(one, path=name) for one, name in zip(now.images, names, strict=True)))
    by = {"folds": 2, "fold_by": "folder"}
    then = now.take(list(range(9)))
    before, after = (in_fold(some.images, TrainingSettings(fold=fold, **by)) for some, fold in ((then, 1), (now, 2)))  # type: ignore[arg-type]
    runs = [_train(tmp_path, some, f"a-fold-{n}", fold=n, **by) for some, n in ((then, 1), (now, 2))]
    done = _evaluated(evaluate_folds(runs[0], now, device="cpu"))
    none = ~(np.append(before, np.zeros(3, bool)) | after)
    assert none.sum() == 3
    assert len(done.truth) == 9
    assert "3 labelled images are left out: they judged none of these runs, as what is in a fold" in done.remark


@pytest.mark.usefixtures("toy")
def test_of_folds_that_balance_labels_each_image_is_judged_by_what_has_not_learnt_from_it(tmp_path: Path) -> None:
    """Which fold an image is in depends on its boxes then: those of the run's record, not of the project by now."""
    then = make_snapshot(tmp_path / "images", 12, 0)
    names = [f"{'abcd'[n // 3]}/{n}.png" for n in range(12)]
    then = replace(then, images=tuple(replace(one, path=name) for one, name in zip(then.images, names, strict=True)))
    settings = TrainingSettings(folds=2, fold_by="balanced-folder")
    runs = [_train(tmp_path, then, f"a-fold-{n}", fold=n, folds=2, fold_by=settings.fold_by) for n in (1, 2)]
    now = replace(then, label_index=np.arange(12) // 9)
    before, anew = (
        hold_out.folds_of(range(12), lambda: then.images, settings, hold_out.shown_labels(some)) for some in (then, now)
    )
    assert not np.array_equal(before, anew)
    done = _evaluated(evaluate_folds(runs[0], now, device="cpu"))
    assert (len(done.truth), done.trained_on) == (12, 0)
    assert np.array_equal(data_leakage.judged(runs[0], now), before == 1)
    assert np.array_equal(data_leakage.judged(runs[1], now), before == 2)


def test_runs_that_are_not_alike_are_told(trained: tuple[Snapshot, list[Path]], tmp_path: Path) -> None:
    snapshot, runs = trained
    corrected = replace(snapshot, boxes=snapshot.boxes + np.float32(1))
    longer = _train(tmp_path, corrected, "a-fold-3-to-4", fold=3, epochs=4)
    stopped = _evaluated(evaluate_folds(runs[0], snapshot, device="cpu")).remark
    assert stopped == (
        "Not trained alike: a-fold-1 for 1 epoch, a-fold-2 for 1 epoch, a-fold-3-to-4 for 4 epochs."
        " Images, splits or labels were changed between a-fold-1 and a-fold-3-to-4, so these runs did not learn from"
        " the same data."
    )
    events = longer / EVENTS
    lines = [line for line in events.read_text().splitlines(keepends=True) if '"Finished"' not in line]
    events.write_text("".join(lines))
    remark = _evaluated(evaluate_folds(runs[0], snapshot, device="cpu")).remark
    assert remark.startswith("Not trained to the end: a-fold-3-to-4 (4 of 4 epochs). Resume it first.")


def test_boxes_of_a_label_that_came_later_are_counted_once(trained: tuple[Snapshot, list[Path]]) -> None:
    snapshot, runs = trained
    labels = (*snapshot.labels, Label(9, "new"))
    index = snapshot.label_index.copy()
    index[:5] = len(labels) - 1
    done = _evaluated(evaluate_folds(runs[0], replace(snapshot, labels=labels, label_index=index), device="cpu"))
    assert done.remark == "The detector doesn't know new: all 5 boxes of it count as missed, which lowers AP."


def test_the_labels_that_all_runs_know_are_told_by_their_present_names(
    trained: tuple[Snapshot, list[Path]], tmp_path: Path
) -> None:
    """A comparison leaves out the others."""
    snapshot, runs = trained
    names = [label.name for label in snapshot.labels]
    more = replace(snapshot, labels=(*snapshot.labels, Label(9, "new")))
    assert [*_evaluated(evaluate_folds(runs[0], more, device="cpu")).labels] == names
    later = _train(tmp_path, more, "a-fold-3-2", fold=3)
    assert [*_evaluated(evaluate_folds(later, more, device="cpu")).labels] == names
    first = snapshot.labels[0]
    called = replace(snapshot, labels=(replace(first, name="renamed"), *snapshot.labels[1:]))
    called = replace(called, former_names=(FormerName(first.name, "renamed"),))
    assert [*_evaluated(evaluate_folds(runs[0], called, device="cpu")).labels] == ["renamed", *names[1:]]


def test_confidences_that_do_not_mean_the_same_are_told() -> None:
    scores = [
        FoldScore(1, "a", 10, 0.6, 0.8),
        FoldScore(2, "b", 10, 0.5, 0.8),
        FoldScore(3, "c", 10, float("nan"), 0.8),
    ]
    said = fold_remarks.of_order(0.4, scores, lambda: 0.52)
    assert "AP of all images is 0.400, but 0.520 if each run's confidences are replaced by their ranks." in said
    assert said.endswith("Compare by the folds' own AP (0.550 on average).")
    assert not fold_remarks.of_order(0.4, scores, lambda: 0.42), "folds of few images have a higher AP by chance"
    assert not fold_remarks.of_order(0.4, [*scores, FoldScore(4, "d", 9, 0.5, 0.8)], lambda: 0.52)
    assert not fold_remarks.of_order(float("nan"), scores, lambda: 1.0)
    assert not fold_remarks.of_order(0.52, scores, lambda: 1.0)


def test_ranks_keep_the_order_within_a_fold_and_are_alike_between_folds() -> None:
    seen = [[0.9, 0.1], [0.5], [0.001, 0.0009], [0.0007]]
    candidates = [Candidates.of_arrays(np.zeros((len(one), 4)), np.array(one), np.zeros(len(one), int)) for one in seen]
    ranked = fold_remarks.by_rank(candidates, [1, 1, 2, 2])
    found = [one.scores.round(3).tolist() for one in ranked]
    assert np.allclose(np.concatenate(found), [1, 1 / 3, 2 / 3, 1, 2 / 3, 1 / 3], atol=1e-3)
