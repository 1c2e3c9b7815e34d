"""What the worker of the window makes of a real project: the loss of real detectors, runs' weights, damaged files."""

from __future__ import annotations

import shutil
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QCheckBox, QPushButton
from pytestqt.qtbot import QtBot

from tests.ui.train.trainer_view.trainer_view_driver import boxes, labelled, recipe
from tests.ui.window_driver import Open, find
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import Box, Split, State
from workbench.core.store import Store
from workbench.errors import WorkbenchError
from workbench.training import recipes
from workbench.ui.train.trainer_view.pane import DetectorPane
from workbench.ui.train.trainer_view.requests import (
    CERTAIN,
    FRESH,
    AssignmentRequest,
    AssignmentResult,
    FileCheckRequest,
    FileCheckResult,
    RequestCancelled,
    StartWeights,
)
from workbench.ui.train.trainer_view.window import TrainerViewWindow
from workbench.ui.train.trainer_view.worker import TrainerViewWorker

__all__ = ["labelled"]


def narrow(detector: str, **changes: Any) -> Any:
    """Of one image there is no training and no validation part, so all are trained on."""
    wanted = recipes.preset("quick-cpu").with_detector(detector)
    return wanted.changed({"width": 0.05, "mosaic": 0.0, "hold_out": 0.0, **changes})


def ids_of(project: Path) -> list[int]:
    with Document.open(project, read_only=True) as document:
        return [image.id for image in document.images()]


def assignment_of(worker: TrainerViewWorker, request: AssignmentRequest) -> AssignmentResult:
    found = worker.handle(request)
    assert isinstance(found, AssignmentResult)
    return found


@pytest.mark.slow
def test_the_real_worker_shows_what_the_loss_computes(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    """From the Label page's key: YOLOv1 learns one of two boxes in a cell, YOLOv3 both."""
    main = open_window(labelled, "label")
    find(main, QAction, "action-seen").trigger()
    window: TrainerViewWindow = find(main, TrainerViewWindow, "seen-window")
    panes: tuple[DetectorPane, ...] = window.panes
    qtbot.waitUntil(lambda: panes[0].assignment is not None, timeout=60_000)
    panes[0].choose("yolov1")
    panes[1].choose("yolov3")
    find(window, QCheckBox, "seen-augmented").click()
    find(window, QCheckBox, "seen-beside").click()
    qtbot.waitUntil(
        lambda: [p.assignment.detector if p.assignment else "" for p in panes] == ["yolov1", "yolov3"], timeout=60_000
    )  # fmt: skip
    assignments = [pane.assignment for pane in panes]
    for assignment, reasons in zip(assignments, (1, 0), strict=True):
        assert assignment is not None
        assert len(assignment.boxes) == 3
        assert sum(bool(reason) for reason in assignment.reasons) == reasons
    assert "another box has its cell" in boxes(window)[0][1]
    main.show_page("train")
    find(main, QPushButton, "train-seen").click()
    assert len(main.findChildren(TrainerViewWindow)) == 1
    panes[0].choose("ssd300")
    find(window, QCheckBox, "seen-beside").click()
    window.controls.augmented.click()
    qtbot.waitUntil(
        lambda: panes[0].assignment is not None and panes[0].assignment.detector == "ssd300", timeout=60_000
    )
    assignment = panes[0].assignment
    assert assignment is not None
    assert assignment.negative is not None
    assert int(assignment.negative.sum()) == 3 * max(assignment.positives, 1)
    assert len(np.unique(assignment.cells, axis=0)) == sum(rows * columns for rows, columns in assignment.grids)
    assert assignment.unused_negatives > 0


@pytest.mark.slow
def test_a_runs_weights_bring_its_network_and_its_answers(labelled: Path, tmp_path: Path) -> None:
    """A run of another width and input side than the recipe's; what is ignored follows from its weights."""
    from workbench.training import run
    from workbench.training.request import RunRequest

    small = narrow("yolov3-tiny", input_px=64, width=0.1, epochs=1, batch=2, ignore_iou=0.05, precision="fp32")
    with Document.open(labelled) as document:
        snapshot, images = document.snapshot(), document.images()
    for _ in run.train(RunRequest(tmp_path / "run", snapshot, small)):
        pass
    wanted, file = recipes.preset("quick-cpu").with_detector("yolov3-tiny"), tmp_path / "run" / "last.safetensors"
    request = AssignmentRequest(labelled, 0, wanted, images[0].id, file, False, 0, None)
    worker = TrainerViewWorker()
    trained, fresh = assignment_of(worker, request), assignment_of(worker, replace(request, weights=FRESH))
    certain = assignment_of(worker, replace(request, weights=CERTAIN))
    assert (trained.side, fresh.side) == (64, wanted.detector_settings.input_px)
    assert trained.ignored is not None
    assert trained.ignored.any()
    assert "of the run's weights" in trained.note
    assert certain.ignored is None
    assert "choose weights" in certain.note
    assert (fresh.prior.tolist(), fresh.box.tolist()) == (certain.prior.tolist(), certain.box.tolist())
    begun = assignment_of(worker, replace(request, recipe=small, weights=StartWeights(file)))
    assert "of the first step" in begun.note
    assert (begun.side, begun.prior.tolist()) == (64, trained.prior.tolist())
    other = replace(small, detector_settings=replace(small.detector_settings, input_px=96))
    for _ in run.train(RunRequest(tmp_path / "other", snapshot, other)):
        pass
    shutil.copy(tmp_path / "other" / "last.safetensors", file)
    assert assignment_of(worker, request).side == 96, "another file under the same name"


def test_images_without_boxes_or_outside_the_training_are_shown_too(labelled: Path) -> None:
    empty, other = ids_of(labelled)[2], ids_of(labelled)[1]
    with Document.open(labelled) as document:
        document.do(edits.SetState((other,), State.IN_WORK))
    worker, request = TrainerViewWorker(), AssignmentRequest(labelled, 0, narrow("yolov1"), empty, FRESH, True, 0, None)
    nothing, outside = assignment_of(worker, request), assignment_of(worker, replace(request, image=other))
    assert (len(nothing.boxes), nothing.positives) == (0, 0)
    assert "No box is visible." in nothing.note
    assert nothing.exclusion_reason == ""
    assert "step 1 of" in nothing.about
    assert (nothing.next_trained, outside.next_trained) == (0, empty), "the next one that is trained on"
    with Document.open(labelled) as document:
        document.do(edits.SetState((empty,), State.IN_WORK))
    assert assignment_of(worker, replace(request, version=1)).next_trained == ids_of(labelled)[0], (
        "after the last comes the first"
    )
    assert outside.exclusion_reason == "it is in work, and the recipe uses images that are done or verified"
    assert outside.note.startswith(f"Not trained on: {outside.exclusion_reason}. Shown as it is.")
    assert "not augmented" in outside.about
    assert len(outside.boxes) == outside.positives == 1


def test_the_training_of_another_detector_is_named(labelled: Path) -> None:
    request = AssignmentRequest(
        labelled, 0, narrow("yolov3"), ids_of(labelled)[0], CERTAIN, True, 0, None, borrowed="YOLOv1"
    )
    assert "Augmented as in the training of YOLOv1, for comparison." in assignment_of(TrainerViewWorker(), request).note
    assert "Augmented as" not in assignment_of(TrainerViewWorker(), replace(request, augmented=False)).note


def test_a_box_that_is_too_small_is_to_be_learnt_and_is_not(labelled: Path) -> None:
    image = ids_of(labelled)[1]
    with Document.open(labelled) as document:
        document.draw((Box(0, image, document.labels()[0].id, (100, 50, 100.5, 60)),))
    assignment = assignment_of(
        TrainerViewWorker(), AssignmentRequest(labelled, 0, narrow("yolov3"), image, CERTAIN, False, 0, None)
    )
    small = int((assignment.boxes[:, 2] - assignment.boxes[:, 0]).argmin())
    assert not assignment.ignore.any()
    assert assignment.missed.tolist() == [k == small for k in range(2)]
    assert assignment.reasons[small].startswith("too small: ")


def test_a_project_without_labels_says_what_to_do(project: Path) -> None:
    request = AssignmentRequest(project, 0, recipe(), ids_of(project)[0], FRESH, False, 0, None)
    with pytest.raises(WorkbenchError, match="no labels yet"):
        TrainerViewWorker().handle(request)


def test_the_project_is_not_checked_whenever_it_is_read(labelled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is read after each edit: all pages of a large one were gone through, too, which takes half a second."""
    request = AssignmentRequest(labelled, 0, narrow("yolov1"), ids_of(labelled)[0], CERTAIN, False, 0, None)
    monkeypatch.setattr(Store, "check", lambda _: pytest.fail("checked"))
    assert len(assignment_of(TrainerViewWorker(), request).boxes) == 3


# --- files ---


def checked(worker: TrainerViewWorker, request: FileCheckRequest) -> list[FileCheckResult]:
    """All answers until all files are known."""
    found: list[FileCheckResult] = []
    while not found or found[-1].done < found[-1].total:
        one = worker.handle(request)
        assert isinstance(one, FileCheckResult)
        found.append(one)
    return found


def test_a_damaged_file_is_found_out_and_left_out(labelled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workbench.ui.train.trainer_view.worker.MOMENT", 1e-9)  # one file at a time
    with Document.open(labelled) as document:
        bad = document.file(document.images()[0])
        document.do(edits.SetSplit((document.images()[2].id,), Split.VALIDATION))
    bad.write_bytes(bad.read_bytes()[:100])
    ids, wanted, worker = ids_of(labelled), narrow("yolov3", batch=1), TrainerViewWorker()
    request = AssignmentRequest(labelled, 0, wanted, ids[1], CERTAIN, True, 1, None)
    before = assignment_of(worker, request)
    assert "of 200" in before.about  # two images, 100 epochs
    assert before.epochs == 100
    told = checked(worker, FileCheckRequest(labelled, 0, wanted))
    assert [(one.done, one.changed_files) for one in told] == [(1, 1), (2, 1)]
    assert told[-1].problems[0].startswith(str(bad))
    after = assignment_of(worker, replace(request, changed_files=1))
    assert "step 2 of 100" in after.about
    with pytest.raises(WorkbenchError, match=r"cut off.*Training leaves this image out\."):
        worker.handle(replace(request, image=ids[0]))
    assert len(checked(worker, FileCheckRequest(labelled, 1, wanted))) == 1  # another version: nothing is read again


def test_an_assignment_that_meets_a_damaged_file_goes_on_without_it(labelled: Path) -> None:
    """In a mosaic, of which the other images are fine."""
    with Document.open(labelled) as document:
        bad = document.file(document.images()[0])
        document.do(edits.SetSplit(tuple(image.id for image in document.images()), Split.TRAIN))
    bad.write_bytes(b"")
    wanted = narrow("yolov3", mosaic=1.0, calm_share=0.0)
    for seed in range(4):
        assignment = assignment_of(
            TrainerViewWorker(), AssignmentRequest(labelled, 0, wanted, ids_of(labelled)[1], CERTAIN, True, 0, seed)
        )
        assert set(assignment.labels) <= {"cell"}
        assert not set(assignment.ids.tolist()) - {4}  # of the box of b.png, the only one left


def test_an_assignment_is_cancelled_when_it_is_not_needed_any_more(
    labelled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever torch is: here where the loss matches boxes."""
    from workbench.detectors.yolov3 import YoloV3

    worker, request = (
        TrainerViewWorker(),
        AssignmentRequest(labelled, 0, narrow("yolov3"), ids_of(labelled)[0], CERTAIN, False, 0, None),
    )
    plain, reached = YoloV3.explained, threading.Event()

    def explained(self: Any, *all_: Any) -> Any:
        reached.set()
        worker.cancel_others({request} if keeps else set())
        return plain(self, *all_)

    monkeypatch.setattr(YoloV3, "explained", explained)
    keeps = True
    assert isinstance(worker.handle(request), AssignmentResult)
    keeps = False
    with pytest.raises(RequestCancelled):
        worker.handle(request)
    assert reached.is_set()
    keeps = True
    assert isinstance(worker.handle(request), AssignmentResult)  # the next one is done again
    worker.shut_down()
    with pytest.raises(RequestCancelled):
        worker.handle(request)
