"""What the trainer sees, of two detectors side by side."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import QPointF, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QCheckBox, QSpinBox
from pytestqt.qtbot import QtBot

from tests.ui.train.trainer_view.trainer_view_driver import (
    Opened,
    boxes,
    labelled,
    made_assignment,
    open_view,
    settle,
)
from tests.ui.window_driver import find
from workbench.training import recipes
from workbench.ui.train.trainer_view.requests import (
    CERTAIN,
    AssignmentRequest,
    AssignmentResult,
    TrainingPlan,
)

__all__ = ["labelled", "open_view"]


def test_two_detectors_look_at_the_same_image(qtbot: QtBot, open_view: Opened) -> None:
    _, window, worker = open_view()
    find(window, QCheckBox, "seen-beside").click()
    settle(qtbot, window, worker, 2)
    one, other = worker.requests
    assert (one.detector, other.detector) == ("yolov1", "yolov3")
    assert replace(one, recipe=other.recipe, borrowed="YOLOV1") == other
    assert other.recipe.training == one.recipe.training
    assert boxes(window) == boxes(window, "seen-second-boxes")
    combo = window.panes[1].weights
    combo.setCurrentIndex(combo.findData(CERTAIN))
    combo.activated.emit(combo.currentIndex())
    settle(qtbot, window, worker, 3)
    assert [(request.detector, request.weights) for request in worker.requests[2:]] == [
        ("yolov3", CERTAIN)
    ]  # the other stays


def test_both_are_augmented_as_the_first_is_and_its_epochs_are_offered(qtbot: QtBot, open_view: Opened) -> None:
    """As published every detector has a training of its own, and two crops of an image can't be compared."""
    published = recipes.preset("published").with_detector("yolov1")
    _, window, worker = open_view(plan=lambda: TrainingPlan(published))
    find(window, QCheckBox, "seen-beside").click()
    settle(qtbot, window, worker, 2)
    one, other = worker.requests
    own = published.with_detector("yolov3")
    assert own.training != published.training
    assert other.recipe.training == one.recipe.training == published.training
    assert other.recipe.detector_settings == own.detector_settings
    assert (one.borrowed, other.borrowed) == ("", "YOLOV1")
    epoch = find(window, QSpinBox, "seen-epoch")
    assert epoch.maximum() == published.training.epochs
    epoch.setValue(epoch.maximum())
    window.panes[0].choose("ssd300")
    window.panes[0].changed.emit()
    last = published.with_detector("ssd300").training.epochs
    assert last < published.training.epochs
    assert epoch.value() == epoch.maximum() == last
    qtbot.waitUntil(lambda: worker.requests[-1].borrowed == "SSD300" and window.scheduler.is_idle)
    assert {request.epoch for request in worker.requests[-2:]} == {last - 1}


def test_a_box_that_is_chosen_is_chosen_on_the_other_side(qtbot: QtBot, open_view: Opened) -> None:
    def answer(request: AssignmentRequest) -> AssignmentResult:
        """The second detector has the boxes in another order, and one of them not."""
        assignment = made_assignment(request)
        if request.detector == "yolov1":
            return assignment
        order = [2, 0]
        return replace(
            assignment, boxes=assignment.boxes[order], ids=assignment.ids[order], ignore=assignment.ignore[order],
            labels=("other", "cell"), reasons=(assignment.reasons[2], ""), box=assignment.box + 1,
        )  # fmt: skip

    _, window, worker = open_view(answer)
    find(window, QCheckBox, "seen-beside").click()
    settle(qtbot, window, worker, 2)
    one, other = window.panes
    one.table.selectRow(1)
    assert (one.picture.chosen, other.picture.chosen) == (0, 1)
    assert [index.row() for index in other.table.selectionModel().selectedRows()] == [0]
    one.table.selectRow(0)  # box 1, which the other has not
    assert other.picture.chosen == -1
    at = other.picture.view.to_widget(QPointF(75, 75)).toPoint()
    QTest.mouseClick(other.picture, Qt.MouseButton.LeftButton, pos=at)
    assert (one.picture.chosen, other.picture.chosen) == (2, 0)
    assert one.picture.colour_indices[0] == other.picture.colour_indices[1]  # the same box, the same colour
    assert one.picture.colour_indices[2] == other.picture.colour_indices[0]
