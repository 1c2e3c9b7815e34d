"""While an assignment is made, and where it can't be as requested: what is dimmed, given up, left out and told."""

from __future__ import annotations

import threading
from dataclasses import replace

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QCheckBox, QLabel, QSpinBox
from pytestqt.qtbot import QtBot

from tests.ui.train.trainer_view.trainer_view_driver import (
    FakeWorker,
    Opened,
    boxes,
    ink,
    labelled,
    made_assignment,
    open_view,
    settle,
)
from tests.ui.window_driver import find
from workbench.errors import WorkbenchError
from workbench.ui.train.trainer_view.picture import AssignmentPicture
from workbench.ui.train.trainer_view.requests import AssignmentRequest, AssignmentResult, FileCheckResult

__all__ = ["labelled", "open_view"]


# --- while it works ---


def test_what_is_not_asked_for_any_more_is_dimmed_at_once(qtbot: QtBot, open_view: Opened) -> None:
    waiting, go = threading.Event(), threading.Event()

    def slow(request: AssignmentRequest) -> AssignmentResult:
        if request.detector == "ssd300":
            waiting.set()
            assert go.wait(20)
        return made_assignment(request)

    _, window, worker = open_view(slow)
    find(window, QCheckBox, "seen-beside").click()
    settle(qtbot, window, worker, 2)
    first, second = window.panes
    try:
        second.choose("ssd300")
        second.changed.emit()
        assert second.picture.waits
        assert not second.table.isEnabled()
        assert not first.picture.waits
        assert first.table.isEnabled()
        qtbot.waitUntil(waiting.is_set)
        dim = ink(second.picture, 48, 80)
    finally:
        go.set()
    settle(qtbot, window, worker, 3)
    assert not second.picture.waits
    assert second.table.isEnabled()
    assert second.assignment is not None
    assert second.assignment.detector == "ssd300"
    assert ink(second.picture, 48, 80) != dim


def test_a_change_that_is_taken_back_asks_for_nothing(qtbot: QtBot, open_view: Opened) -> None:
    _, window, worker = open_view()
    epoch = find(window, QSpinBox, "seen-epoch")
    epoch.setValue(5)
    assert window.panes[0].picture.waits
    epoch.setValue(1)
    assert not window.panes[0].picture.waits
    settle(qtbot, window, worker, 1)
    assert len(worker.requests) == 1


def test_an_assignment_that_is_not_needed_any_more_is_cancelled(qtbot: QtBot, open_view: Opened) -> None:
    given_up = threading.Event()

    def endless(request: AssignmentRequest) -> AssignmentResult:
        if request.epoch == 4:
            assert workers[0]._control.stop.wait(20)
            given_up.set()
        return made_assignment(request)

    workers: list[FakeWorker] = []
    _, window, worker = open_view(endless)
    workers.append(worker)
    epoch = find(window, QSpinBox, "seen-epoch")
    epoch.setValue(5)
    qtbot.waitUntil(lambda: len(worker.requests) == 2)
    epoch.setValue(6)
    settle(qtbot, window, worker, 3)
    assert given_up.is_set()
    assert window.panes[0].assignment is not None
    assert window.panes[0].assignment.about == "step 6"


def test_closing_the_project_does_not_wait_for_an_assignment(qtbot: QtBot, open_view: Opened) -> None:
    stopped = threading.Event()

    def endless(request: AssignmentRequest) -> AssignmentResult:
        if workers:
            assert workers[0]._control.stop.wait(20)
            stopped.set()
        return made_assignment(request)

    workers: list[FakeWorker] = []
    session, window, worker = open_view(endless)
    workers.append(worker)
    find(window, QSpinBox, "seen-epoch").setValue(5)
    qtbot.waitUntil(lambda: len(worker.requests) == 2)
    with qtbot.waitSignal(window.destroyed):
        session.close()
    assert stopped.is_set()


# --- files, and images that are not trained on ---


def test_files_are_looked_at_in_between_and_a_bad_one_makes_it_look_again(qtbot: QtBot, open_view: Opened) -> None:
    bad = ("b.png: half of it is missing.",)
    files = (FileCheckResult(1, 3), FileCheckResult(2, 3, 1, bad), FileCheckResult(3, 3, 1, bad))
    _, window, worker = open_view(files=files)
    settle(qtbot, window, worker, 2)
    qtbot.waitUntil(lambda: worker.files_are == [] and window.scheduler.is_idle)
    assert [request.changed_files for request in worker.requests] == [0, 1]
    told = find(window, QLabel, "seen-files")
    assert told.text() == "1 image file can't be read and is left out, as in training."
    assert told.toolTip() == "b.png: half of it is missing."
    checks = worker.checks
    find(window, QSpinBox, "seen-epoch").setValue(2)
    settle(qtbot, window, worker, 3)
    assert worker.checks == checks  # all are known


def test_until_all_files_are_known_it_says_so(qtbot: QtBot, open_view: Opened) -> None:
    assert FileCheckResult(1, 3).words.startswith("Reading 1 of 3 image files.")
    assert FileCheckResult(3, 3).words == ""
    _, window, worker = open_view(files=(FileCheckResult(1, 3), FileCheckResult(3, 3)))
    told = []
    window.scheduler.checked.connect(lambda found: told.append(found.done))
    qtbot.waitUntil(lambda: worker.files_are == [] and window.scheduler.is_idle)
    assert find(window, QLabel, "seen-files").text() == ""
    assert len(worker.requests) == 1


def test_an_image_that_is_not_trained_on_can_only_be_seen_as_it_is(qtbot: QtBot, open_view: Opened) -> None:
    _, window, worker = open_view()
    worker.answer = lambda request: replace(
        made_assignment(request),
        exclusion_reason="it is of the test split" if request.image != worker.requests[0].image else "",
    )
    controls = window.controls
    QTest.mouseClick(controls.next, Qt.MouseButton.LeftButton)
    settle(qtbot, window, worker, 2)
    for widget in (controls.augmented, controls.epoch, controls.roll, controls.back):
        assert not widget.isEnabled()
        assert "Not trained on: it is of the test split" in widget.toolTip()
    assert not controls.augmented.isChecked()
    assert find(window, QLabel, "seen-seed").text() == "Not trained on: shown as it is"
    QTest.mouseClick(controls.previous, Qt.MouseButton.LeftButton)
    settle(qtbot, window, worker, 3)
    assert controls.augmented.isChecked()
    assert controls.epoch.isEnabled()
    assert worker.requests[-1].augmented


def test_who_asks_for_what_the_trainer_sees_is_shown_an_image_that_it_sees(qtbot: QtBot, open_view: Opened) -> None:
    session, window, worker = open_view(wait=False)
    first, second, third = (image.id for image in session.document.images())
    worker.answer = lambda request: replace(
        made_assignment(request),
        exclusion_reason="" if request.image == third else "it is of the test split",
        next_trained=third,
    )
    said: list[str] = []
    session.message.connect(lambda _level, words: said.append(words))
    window.wants_trained = True
    qtbot.waitUntil(lambda: session.image_id == third, timeout=60_000)
    assert said == ["Not trained on: it is of the test split. Here is the next image that is."]
    settle(qtbot, window, worker, 2)
    assert window.controls.augmented.isChecked()
    session.select_image(second)
    settle(qtbot, window, worker, 3)
    assert (session.image_id, first) == (second, worker.requests[0].image), "once, and not against a choice"


def test_what_cant_be_shown_says_so_in_its_place_and_nothing_old_stays(qtbot: QtBot, open_view: Opened) -> None:
    def refuse(request: AssignmentRequest) -> AssignmentResult:
        raise WorkbenchError("a.png could not be read.")

    _, window, worker = open_view()
    worker.answer = refuse
    find(window, QSpinBox, "seen-epoch").setValue(2)
    settle(qtbot, window, worker, 2)
    assert find(window, AssignmentPicture, "seen-picture").sentence == "a.png could not be read."
    assert boxes(window) == []
    assert not window.panes[0].levels.isVisible()
    assert find(window, QLabel, "seen-words").text() == ""
    worker.answer = made_assignment
    find(window, QSpinBox, "seen-epoch").setValue(3)
    settle(qtbot, window, worker, 3)
    assert find(window, AssignmentPicture, "seen-picture").sentence == ""
    assert len(boxes(window)) == 4
    assert window.panes[0].levels.isVisible()
