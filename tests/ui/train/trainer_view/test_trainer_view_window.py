"""What the trainer sees, in the real window: what is requested, what goes with it, how it comes and goes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QCheckBox, QComboBox, QLabel, QPushButton, QSpinBox
from pytestqt.qtbot import QtBot

from tests.training.records.test_runs import STARTED, leave
from tests.ui.test_accessible import nameless, unreachable
from tests.ui.train.trainer_view.trainer_view_driver import (
    Opened,
    labelled,
    made_assignment,
    open_view,
    recipe,
    settle,
    weights_of,
)
from tests.ui.window_driver import find
from workbench.core import edits
from workbench.core.project import State
from workbench.errors import WorkbenchError
from workbench.training.records import run_actions
from workbench.ui import keys, theme
from workbench.ui.train.trainer_view.boxes_table import BoxesTable
from workbench.ui.train.trainer_view.picture import AssignmentPicture
from workbench.ui.train.trainer_view.requests import (
    FRESH,
    StartWeights,
    TrainingPlan,
)

__all__ = ["labelled", "open_view"]


def test_the_image_is_looked_at_as_the_recipe_says(open_view: Opened) -> None:
    session, window, worker = open_view()
    (request,) = worker.requests
    assert (request.detector, request.weights, request.augmented, request.epoch, request.seed) == (
        "yolov1",
        FRESH,
        True,
        0,
        None,
    )
    assert request.image == session.image_id
    assert request.recipe == recipe()
    assert find(window, QLabel, "seen-image").text() == "a.png"
    assert find(window, QLabel, "seen-recipe").text().startswith(f"Recipe: {recipe().title}")
    assert find(window, QSpinBox, "seen-epoch").maximum() == recipe().training.epochs


def test_the_epochs_are_those_of_the_training_which_few_images_make_longer(qtbot: QtBot, open_view: Opened) -> None:
    longer = 2 * recipe().training.epochs
    _, window, worker = open_view(lambda request: replace(made_assignment(request), epochs=longer))
    find(window, QSpinBox, "seen-epoch").setValue(3)
    settle(qtbot, window, worker, 2)
    epoch = find(window, QSpinBox, "seen-epoch")
    assert (epoch.maximum(), epoch.suffix()) == (longer, f" of {longer:,}")
    epoch.setValue(longer)
    settle(qtbot, window, worker, 3)
    assert worker.requests[-1].epoch == longer - 1


def test_until_the_train_page_is_seen_it_takes_the_recipe_that_will_stand_there(open_view: Opened) -> None:
    few = replace(recipe(), name="small-data", title="Few images")
    _, window, _ = open_view(recipes=(recipe(), few))
    assert find(window, QLabel, "seen-recipe").text().startswith("Recipe: Few images")


def test_epoch_roll_and_switch_ask_for_other_assignments(qtbot: QtBot, open_view: Opened) -> None:
    _, window, worker = open_view()
    find(window, QSpinBox, "seen-epoch").setValue(3)
    settle(qtbot, window, worker, 2)
    assert worker.requests[-1].epoch == 2
    QTest.mouseClick(find(window, QPushButton, "seen-roll"), Qt.MouseButton.LeftButton)
    settle(qtbot, window, worker, 3)
    assert worker.requests[-1].seed == recipe().training.seed + 1
    QTest.mouseClick(find(window, QPushButton, "seen-roll-back"), Qt.MouseButton.LeftButton)
    settle(qtbot, window, worker, 4)
    assert worker.requests[-1].seed is None
    find(window, QCheckBox, "seen-augmented").click()
    settle(qtbot, window, worker, 5)
    assert not worker.requests[-1].augmented
    assert not find(window, QSpinBox, "seen-epoch").isEnabled()


def test_it_follows_the_session_and_its_edits(qtbot: QtBot, open_view: Opened) -> None:
    session, window, worker = open_view()
    QTest.mouseClick(window.controls.next, Qt.MouseButton.LeftButton)
    settle(qtbot, window, worker, 2)
    assert worker.requests[-1].image == session.image_id != worker.requests[0].image
    assert find(window, QLabel, "seen-image").text() == "b.png"
    session.do(edits.SetState((session.image_id,), State.VERIFIED))
    settle(qtbot, window, worker, 3)
    assert worker.requests[-1].version == worker.requests[0].version + 1


def test_every_step_has_a_key_that_its_tooltip_names(qtbot: QtBot, open_view: Opened) -> None:
    session, window, worker = open_view()
    controls = window.controls
    for count, (key, done) in enumerate(
        (
            (Qt.Key.Key_D, lambda request: request.image == session.image_id != worker.requests[0].image),
            (Qt.Key.Key_A, lambda request: request.image == worker.requests[0].image),
            (Qt.Key.Key_E, lambda request: request.epoch == 1),
            (Qt.Key.Key_R, lambda request: request.seed == recipe().training.seed + 1),
            (Qt.Key.Key_G, lambda request: not request.augmented),
            (Qt.Key.Key_C, lambda request: request.detector == "yolov3"),
        ),
        start=2,
    ):
        QTest.keyClick(window, key)
        settle(qtbot, window, worker, count)
        assert done(worker.requests[-1]), key
    for widget, letter in ((controls.next, "D"), (controls.epoch, "E"), (controls.roll, "R"), (controls.beside, "C")):
        assert widget.toolTip().endswith(f"({letter})")
    keys.use("CVAT", {})  # where D goes back
    try:
        window.hide()
        window.show()
        assert controls.next.toolTip().endswith("(F)")
    finally:
        keys.use("labelImg", {})


# --- the runs ---


def left_run(folder: Path, started: float) -> Path:
    """A run of YOLOv1 with weights that nobody reads."""
    leave(folder, replace(STARTED, detector="yolov1", time=started))
    (folder / "last.safetensors").touch()
    return folder


def test_runs_that_come_and_go_are_followed_and_the_chosen_one_stays(qtbot: QtBot, open_view: Opened) -> None:
    session, window, worker = open_view()
    assert session.document is not None
    weights, folder = find(window, QComboBox, "seen-weights"), session.document.runs_folder

    def follow(*names: str) -> None:
        session.runs_changed.emit()
        wait_for(*names)

    def wait_for(*names: str) -> None:
        wanted = ["Fresh weights", "No weights: only what doesn't depend on them", *(f"Run {name}" for name in names)]
        qtbot.waitUntil(lambda: [weights.itemText(row) for row in range(weights.count())] == wanted)

    left_run(folder / "one", 100.0)
    follow("one")
    assert weights.currentText() == "Fresh weights"
    weights.setCurrentIndex(2)
    weights.activated.emit(2)
    settle(qtbot, window, worker, 2)
    assert weights_of(worker) == folder / "one" / "last.safetensors"
    left_run(folder / "two", 200.0)
    (folder / "one" / "best.safetensors").touch()
    follow("two", "one")
    assert weights.currentText() == "Run one"
    settle(qtbot, window, worker, 3)
    assert weights_of(worker) == folder / "one" / "best.safetensors"
    run_actions.rename(folder / "one", "better")
    follow("two", "better")
    assert weights.currentText() == "Run better"
    settle(qtbot, window, worker, 4)
    run_actions.delete(folder / "better")
    follow("two")
    assert weights.currentText() == "Fresh weights"
    settle(qtbot, window, worker, 5)
    assert weights_of(worker) == FRESH
    window.hide()
    run_actions.delete(folder / "two")
    session.runs_changed.emit()
    window.show()
    wait_for()


# --- what the train page is set to ---


def test_asked_for_again_it_looks_with_the_train_pages_detector(qtbot: QtBot, open_view: Opened) -> None:
    """The combo alone would jump, and the old picture stay below it."""
    _, window, worker = open_view()
    pane = window.panes[0]
    pane.detector.setCurrentIndex(pane.detector.findData("ssd300"))
    pane.detector.activated.emit(pane.detector.currentIndex())
    settle(qtbot, window, worker, 2)
    assert pane.assignment is not None
    assert pane.assignment.detector == "ssd300"
    window.adopt_settings()
    settle(qtbot, window, worker, 3)
    assert pane.detector_name == pane.assignment.detector == worker.requests[-1].detector == "yolov1"


def test_settings_that_change_are_followed_and_another_detector_stays(qtbot: QtBot, open_view: Opened) -> None:
    set_to = [TrainingPlan(recipe())]
    _, window, worker = open_view(plan=lambda: set_to[0])
    pane = window.panes[0]
    pane.choose("ssd300")
    pane.changed.emit()
    settle(qtbot, window, worker, 2)
    set_to[0] = TrainingPlan(recipe().changed({"epochs": 7, "mosaic": 1.0}))
    window.adopt_settings(again=False)
    settle(qtbot, window, worker, 3)
    assert worker.requests[-1].detector == "ssd300"
    assert worker.requests[-1].recipe.training.mosaic == 1
    assert find(window, QSpinBox, "seen-epoch").maximum() == 7
    assert "changed" in find(window, QLabel, "seen-recipe").text()
    set_to[0] = TrainingPlan(recipe().with_detector("yolov3"))
    window.adopt_settings(again=False)
    settle(qtbot, window, worker, 4)
    assert worker.requests[-1].detector == "yolov3"


def test_a_form_that_is_not_valid_is_told_and_no_other_recipe_shown(qtbot: QtBot, open_view: Opened) -> None:
    wrong = [True]

    def plan() -> TrainingPlan:
        if wrong[0]:
            raise WorkbenchError("Epochs: 'abc' is no whole number.")
        return TrainingPlan(recipe())

    _, window, worker = open_view(plan=plan, wait=False)
    shown = find(window, AssignmentPicture, "seen-picture")
    qtbot.waitUntil(lambda: shown.sentence == "Epochs: 'abc' is no whole number.", timeout=60_000)
    assert worker.requests == []
    wrong[0] = False
    window.adopt_settings()
    settle(qtbot, window, worker, 1)
    assert shown.sentence == ""


def test_what_the_training_starts_from_answers(qtbot: QtBot, open_view: Opened) -> None:
    file, set_to = Path("darknet53.conv.74"), [TrainingPlan(recipe(), Path("darknet53.conv.74"))]
    _, window, worker = open_view(plan=lambda: set_to[0])
    assert weights_of(worker) == StartWeights(file)
    combo = find(window, QComboBox, "seen-weights")
    assert combo.currentText() == "Start from darknet53.conv.74"
    pane = window.panes[0]
    pane.choose("yolov3")  # which the file is not for
    pane.changed.emit()
    settle(qtbot, window, worker, 2)
    assert weights_of(worker) == FRESH
    pane.choose("yolov1")
    pane.changed.emit()
    settle(qtbot, window, worker, 3)
    assert weights_of(worker) == StartWeights(file)
    set_to[0] = TrainingPlan(recipe())
    window.adopt_settings(again=False)
    settle(qtbot, window, worker, 4)
    assert weights_of(worker) == FRESH


# --- two detectors ---


# --- coming and going ---


def test_closed_it_rests_and_opened_again_it_looks_anew(qtbot: QtBot, open_view: Opened) -> None:
    session, window, worker = open_view()
    QTest.keyClick(window, Qt.Key.Key_Escape)
    assert not window.isVisible()
    session.select_image(session.document.images()[1].id)
    assert len(worker.requests) == 1
    window.show()
    settle(qtbot, window, worker, 2)
    assert worker.requests[-1].image == session.image_id


def test_it_goes_with_the_project(qtbot: QtBot, open_view: Opened) -> None:
    session, window, _ = open_view()
    with qtbot.waitSignal(window.destroyed):
        session.close()


def test_every_control_has_a_name_and_is_reached_by_keyboard(qtbot: QtBot, open_view: Opened) -> None:
    _, window, worker = open_view()
    find(window, QCheckBox, "seen-beside").click()
    settle(qtbot, window, worker, 2)
    assert nameless(window) == []
    assert unreachable(window) == []


@pytest.mark.parametrize("size", [(680, 580), (1040, 640), (680, 760)])
def test_a_small_window_is_enough(qtbot: QtBot, open_view: Opened, size: tuple[int, int]) -> None:
    """Nothing is cut off with two detectors, and each picture has its table beside or below it."""
    note = "Where the network's answer decides, it is that of the first step. Its batch norms see this image alone."
    _, window, worker = open_view(lambda one: replace(made_assignment(one), note=note, tiles=20, view_name="tile 9"))
    find(window, QCheckBox, "seen-beside").click()
    settle(qtbot, window, worker, 2)
    window.setMinimumSize(0, 0)
    window.resize(*size)
    qtbot.waitUntil(lambda: (window.width(), window.height()) == size)
    controls = window.controls
    for part in (controls.view_back, controls.view, controls.view_on, controls.epoch, controls.roll, controls.back):
        assert part.width() >= part.minimumSizeHint().width(), part.objectName()
    for pane in window.panes:
        for widget in (pane.detector, pane.weights, pane.picture, pane.table):
            inside = widget.rect().translated(widget.mapTo(window, widget.rect().topLeft()))
            assert window.rect().contains(inside), widget.objectName()
            assert widget.height() >= widget.minimumSizeHint().height()
        for label in (pane.words, pane.note):
            assert label.height() >= label.heightForWidth(label.width())
        assert pane.table.geometry().bottom() < pane.levels.geometry().top()
        assert pane.levels.geometry().bottom() < pane.words.geometry().top()
        assert pane.picture.width() * pane.picture.height() > 0.3 * pane.split.width() * pane.split.height()
    assert find(window, BoxesTable, "seen-boxes").width() >= 160
    theme.apply("dark")
    assert not window.grab().isNull()
