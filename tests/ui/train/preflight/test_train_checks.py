"""Below the form of the Train page: what is odd about the training that stands in it, before it starts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint
from PySide6.QtWidgets import QApplication, QLabel, QPushButton, QScrollArea, QToolButton, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from tests.ui.train.form.test_starting_weights import choose
from tests.ui.train.preflight.preflight_driver import (
    HOPELESS,
    NOTE,
    SMALL,
    Fakes,
    fakes,
    show_findings,
    shown,
    tool,
    typed,
)
from tests.ui.train.train_page_driver import button, past_run, press, session, text
from workbench.core import edits
from workbench.core.project import State
from workbench.training import recipes
from workbench.training.checks.findings import WARNING, Finding
from workbench.ui import theme
from workbench.ui.images import unread_images
from workbench.ui.session import Session
from workbench.ui.train.form.start_from import PUBLISHED
from workbench.ui.train.page import TrainPage
from workbench.ui.train.preflight import preflight_panel, preflight_work
from workbench.ui.train.preflight.checks import ROOMY, Checks
from workbench.ui.train.preflight.preflight_work import PreflightRequest
from workbench.ui.train.work import PublishedWeights

__all__ = ["fakes", "session", "shown"]  # fixtures


def test_the_training_that_stands_in_the_form_is_looked_at(qtbot: QtBot, shown: TrainPage, fakes: Fakes) -> None:
    qtbot.waitUntil(lambda: bool(fakes.requests))
    assert not shown.findChild(QWidget, "train-checks").isVisible()
    typed(shown, "batch", "3")
    qtbot.waitUntil(lambda: fakes.requests[-1].recipe.training.batch == 3)
    seen = len(fakes.requests)
    typed(shown, "batch", "three")
    typed(shown, "batch", "4")
    qtbot.waitUntil(lambda: fakes.requests[-1].recipe.training.batch == 4)
    assert len(fakes.requests) == seen + 1  # what is not valid is not looked at


@pytest.mark.parametrize("advice", [3, 6, 9])
def test_a_long_list_ends_with_a_whole_line(qtbot: QtBot, advice: int) -> None:
    holder, checks = QWidget(), Checks()
    qtbot.addWidget(holder)
    column = QVBoxLayout(holder)
    column.addWidget(checks)
    column.addStretch(1)
    holder.resize(320, 400)
    holder.show()
    checks.show_findings([replace(SMALL, kind=f"{number}", advice=advice * "Cut it, cut. ") for number in range(9)])
    for _ in range(5):  # layouts within layouts
        QApplication.processEvents()
    area = checks.findChild(QScrollArea, "train-checks-list")
    assert area is not None
    tops = {row: row.mapTo(area, QPoint()).y() for row in area.findChildren(QLabel) if row.text()}
    last, top = [(row, top) for row, top in tops.items() if top < area.height()][-1]
    seen, line = area.height() - top, last.fontMetrics().lineSpacing()
    assert (min(seen, last.height()) % line, seen > 0) == (0, True), (seen, last.height())


def test_what_was_found_of_other_settings_than_now_is_not_shown(qtbot: QtBot, shown: TrainPage, fakes: Fakes) -> None:
    qtbot.waitUntil(lambda: bool(fakes.requests))
    fakes.findings = (HOPELESS,)
    fakes.finishes.clear()
    typed(shown, "batch", "3")
    qtbot.waitUntil(lambda: fakes.requests[-1].recipe.training.batch == 3)
    typed(shown, "batch", "many")
    fakes.finishes.set()
    before_it = shown.findChild(preflight_panel.PreflightPanel)
    qtbot.waitUntil(before_it._checker.is_idle)
    assert before_it.checks.found == ()
    assert shown._setup.buttons.blocking_reason == ""


def test_findings_are_counted_and_listed_and_what_stops_is_named_first(
    qtbot: QtBot, shown: TrainPage, fakes: Fakes
) -> None:
    show_findings(qtbot, shown, fakes, SMALL, SMALL, NOTE)
    assert tool(shown, "train-checks-head").text() == "2 warnings, 1 note"
    assert text(shown, "train-check-0") == "2 boxes are too small. Choose a larger side."
    assert shown.findChild(QToolButton, "train-check-2-images") is None  # it is about no images
    show_findings(qtbot, shown, fakes, HOPELESS, SMALL)
    assert tool(shown, "train-checks-head").text() == "Can’t start, 1 warning"
    area = shown.findChild(QWidget, "train-checks-list")
    tool(shown, "train-checks-head").click()
    assert area.isHidden()
    tool(shown, "train-checks-head").click()
    assert not area.isHidden()


def test_mere_notes_are_folded_in_a_low_window_unless_a_person_opens_them() -> None:
    checks = Checks()
    area, head = checks.findChild(QScrollArea, "train-checks-list"), checks.findChild(QToolButton, "train-checks-head")
    checks.show_findings([NOTE])
    checks.fit(ROOMY - 1)
    assert area.isHidden()
    assert head.toolTip() == NOTE.text
    checks.show_findings([SMALL, NOTE])
    assert not area.isHidden(), "a warning is to be read"
    checks.show_findings([NOTE])
    assert area.isHidden()
    head.click()
    checks.fit(ROOMY - 2)
    assert not area.isHidden()
    assert NOTE.text not in head.toolTip()


def test_the_images_of_a_finding_are_shown_on_the_data_page(
    qtbot: QtBot, shown: TrainPage, session: Session, fakes: Fakes
) -> None:
    show_findings(qtbot, shown, fakes, replace(SMALL, images=(3, 1, 99)))
    asked: list[object] = []
    session.page_requested.connect(asked.append)
    session.marked_images_requested.connect(lambda ids, why, _boxes: asked.append((ids, why)))
    tool(shown, "train-check-0-images").click()
    assert asked == ["data", (frozenset({1, 3}), "that the Train page names: 2 boxes are too small.")]
    assert session.image_id == 3


def test_images_that_their_state_leaves_out_are_marked_done_by_one_button_and_one_undo(
    qtbot: QtBot, shown: TrainPage, session: Session, fakes: Fakes
) -> None:
    document = session.document
    assert document is not None
    ids = [image.id for image in document.images()][:3]
    session.do(edits.SetState(tuple(ids), State.IN_WORK))
    session.do(edits.SetState((ids[2],), State.VERIFIED))
    button = shown.findChild(QPushButton, "train-mark-done")
    assert isinstance(button, QPushButton)
    assert button.isHidden()
    show_findings(qtbot, shown, fakes, Finding(WARNING, "state", "3 images are left out.", images=(*ids, 99)))
    assert not button.isHidden()
    assert button.text() == "Mark 2 images with boxes as done"
    button.click()
    assert [document.image(id).state for id in ids] == [State.DONE, State.DONE, State.VERIFIED]
    assert button.isHidden()
    session.undo()
    assert [document.image(id).state for id in ids] == [State.IN_WORK, State.IN_WORK, State.VERIFIED]


def test_images_that_can_not_be_read_are_not_marked_done(
    qtbot: QtBot, shown: TrainPage, session: Session, fakes: Fakes
) -> None:
    document = session.document
    assert document is not None
    ids = [image.id for image in document.images()][:2]
    session.do(edits.SetState(tuple(ids), State.IN_WORK))
    button = shown.findChild(QPushButton, "train-mark-done")
    assert isinstance(button, QPushButton)
    show_findings(qtbot, shown, fakes, Finding(WARNING, "state", "2 images are left out.", images=tuple(ids)))
    unread_images.of(session).note({ids[0]: "the file is cut off"})
    assert button.text() == "Mark 1 image with boxes as done"
    button.click()
    assert [document.image(id).state for id in ids] == [State.IN_WORK, State.DONE]


def test_images_that_are_gone_are_said_to_be(qtbot: QtBot, shown: TrainPage, session: Session, fakes: Fakes) -> None:
    show_findings(qtbot, shown, fakes, replace(SMALL, images=(98, 99)))
    with qtbot.waitSignal(session.message) as said:
        tool(shown, "train-check-0-images").click()
    assert said.args == ["info", "These images are not in the project any more."]


def test_where_nothing_can_be_learnt_nothing_starts_and_it_is_said_why(
    qtbot: QtBot, shown: TrainPage, session: Session, fakes: Fakes
) -> None:
    show_findings(qtbot, shown, fakes, HOPELESS)
    with qtbot.waitSignal(session.message) as said:
        press(qtbot, shown, "train-start")
    assert said.args == ["info", "Nothing would be learnt. Choose another."]
    assert not session.jobs
    fakes.findings = ()
    typed(shown, "epochs", "77")
    press(qtbot, shown, "train-start")
    qtbot.waitUntil(lambda: bool(session.jobs))


def test_a_start_waits_for_the_check_of_what_it_starts(
    qtbot: QtBot, shown: TrainPage, session: Session, fakes: Fakes
) -> None:
    fakes.finishes.clear()
    fakes.findings = (HOPELESS,)
    typed(shown, "epochs", "77")
    press(qtbot, shown, "train-start")
    press(qtbot, shown, "train-start")  # once is enough
    assert button(shown, "train-start").text() == "Checking it first …"
    qtbot.waitUntil(lambda: bool(fakes.requests) and fakes.requests[-1].recipe.training.epochs == 77)
    assert not session.jobs
    fakes.findings = ()
    typed(shown, "epochs", "78")  # meanwhile: it is this that is to start
    fakes.finishes.set()
    qtbot.waitUntil(lambda: len(session.jobs) == 1)
    assert fakes.requests[-1].recipe.training.epochs == 78
    assert button(shown, "train-start").text() == "Start training"


def test_a_start_that_waits_is_given_up_where_a_value_becomes_invalid(
    qtbot: QtBot, shown: TrainPage, session: Session, fakes: Fakes
) -> None:
    fakes.finishes.clear()
    typed(shown, "epochs", "77")
    press(qtbot, shown, "train-start")
    typed(shown, "epochs", "many")
    assert button(shown, "train-start").text() == "Start training"
    fakes.finishes.set()
    typed(shown, "epochs", "78")
    qtbot.waitUntil(lambda: fakes.requests[-1].recipe.training.epochs == 78)
    qtbot.waitUntil(shown.findChild(preflight_panel.PreflightPanel)._checker.is_idle)
    assert not session.jobs


def test_a_start_that_waits_is_given_up_where_another_training_begins(
    qtbot: QtBot, shown: TrainPage, session: Session, fakes: Fakes
) -> None:
    fakes.finishes.clear()
    typed(shown, "epochs", "77")
    press(qtbot, shown, "train-start")
    shown.continue_run(past_run(session))
    assert button(shown, "train-start").text() == "Start training"
    fakes.finishes.set()
    qtbot.waitUntil(shown.findChild(preflight_panel.PreflightPanel)._checker.is_idle)
    assert [job.title for job in session.jobs] == ["Training earlier"]


def test_nothing_is_checked_while_the_page_is_not_seen(
    qtbot: QtBot, shown: TrainPage, session: Session, fakes: Fakes
) -> None:
    panel = shown.findChild(preflight_panel.PreflightPanel)
    qtbot.waitUntil(lambda: not panel._timer.isActive() and panel._checker.is_idle())
    shown.hide()
    seen = len(fakes.requests)
    assert session.document is not None
    session.do(edits.SetState((session.document.images()[0].id,), State.IN_WORK))
    qtbot.waitUntil(lambda: not panel._timer.isActive())
    assert len(fakes.requests) == seen
    shown.show()
    qtbot.waitUntil(lambda: len(fakes.requests) == seen + 1)
    shown.hide()
    shown.show()
    qtbot.waitUntil(lambda: not panel._timer.isActive() and panel._checker.is_idle())
    assert len(fakes.requests) == seen + 1, "nothing has changed"


def test_a_start_that_waits_goes_ahead_though_another_page_is_looked_at(
    qtbot: QtBot, shown: TrainPage, session: Session, fakes: Fakes
) -> None:
    fakes.finishes.clear()
    typed(shown, "epochs", "77")
    press(qtbot, shown, "train-start")
    shown.hide()
    assert session.document is not None
    session.do(edits.SetState((session.document.images()[0].id,), State.IN_WORK))  # so it is checked again
    fakes.finishes.set()
    qtbot.waitUntil(lambda: session.is_training)


def test_nothing_that_was_found_stays_when_the_project_is_closed(
    qtbot: QtBot, shown: TrainPage, session: Session, fakes: Fakes
) -> None:
    left_out = Finding(WARNING, "state", "1 image is left out.", images=(1,))
    assert session.document is not None
    session.do(edits.SetState((1,), State.IN_WORK))
    show_findings(qtbot, shown, fakes, left_out)
    session.close()
    qtbot.waitUntil(lambda: shown.findChild(Checks, "train-checks").found == ())
    assert shown.findChild(QPushButton, "train-mark-done").isHidden()


def test_why_other_settings_could_not_be_learnt_is_not_said_of_these(
    qtbot: QtBot, shown: TrainPage, session: Session, fakes: Fakes, tmp_path: Path
) -> None:
    show_findings(qtbot, shown, fakes, HOPELESS)
    start = shown._setup.start_from
    start.offer(PublishedWeights("yolov4-tiny", "", 23.1, "", "", tmp_path / "none"), "yolov4-tiny")
    choose(start, PUBLISHED)
    with qtbot.waitSignal(session.message) as said:
        press(qtbot, shown, "train-start")
    assert said.args == ["error", "The published weights are not on this machine. Fetch them, or choose others."]


def test_during_a_training_findings_are_told_to_be_of_before_the_last_changes(
    qtbot: QtBot, shown: TrainPage, session: Session, fakes: Fakes
) -> None:
    """Nothing is checked then, and numbers of labels of before stood below the present number of images."""
    show_findings(qtbot, shown, fakes, SMALL)
    press(qtbot, shown, "train-start")
    qtbot.waitUntil(lambda: session.is_training)
    head = tool(shown, "train-checks-head")
    session.runs_changed.emit()
    assert head.text() == "1 warning"
    assert session.document is not None
    session.do(edits.SetState((session.document.images()[0].id,), State.IN_WORK))
    qtbot.waitUntil(lambda: head.text() == "1 warning, before the last changes")
    press(qtbot, shown, "train-stop")
    qtbot.waitUntil(lambda: head.text() == "1 warning")


def test_a_training_that_another_page_begins_leaves_findings_of_before_the_last_changes(
    qtbot: QtBot, shown: TrainPage, session: Session, fakes: Fakes
) -> None:
    """Labelled there, then Ctrl+G: a warning of too few boxes still stood here when there were more than enough."""
    show_findings(qtbot, shown, fakes, SMALL)
    head = tool(shown, "train-checks-head")
    shown.hide()
    assert session.document is not None
    session.do(edits.SetState((session.document.images()[0].id,), State.IN_WORK))
    shown.continue_run(past_run(session))
    shown.show()
    assert head.text() == "1 warning, before the last changes"
    press(qtbot, shown, "train-stop")
    qtbot.waitUntil(lambda: head.text() == "1 warning")


def test_a_training_that_follows_another_at_once_leaves_findings_as_they_are_if_nothing_was_changed(
    qtbot: QtBot, shown: TrainPage, session: Session, fakes: Fakes
) -> None:
    """As in a queue: they were said to be of before changes that nobody had made."""
    show_findings(qtbot, shown, fakes, SMALL)
    head, folder = tool(shown, "train-checks-head"), past_run(session)
    for _ in range(2):
        shown.continue_run(folder)
        qtbot.waitUntil(lambda: session.is_training)
        assert head.text() == "1 warning"
        press(qtbot, shown, "train-stop")
        qtbot.waitUntil(lambda: not session.is_training)


def test_marks_follow_the_theme(qtbot: QtBot, shown: TrainPage, fakes: Fakes) -> None:
    show_findings(qtbot, shown, fakes, SMALL)
    theme.apply("light")  # whatever an earlier test left
    mark = shown.findChild(QLabel, "train-check-0-mark")
    light = mark.pixmap().toImage()
    theme.apply("dark")
    dark = mark.pixmap().toImage()
    theme.apply("light")
    assert light != dark


def test_the_real_check_reads_the_project(shown: TrainPage, session: Session) -> None:
    """Three images without a validation split, and three boxes of one label."""
    assert session.document is not None
    recipe = recipes.preset("quick-cpu")
    found = preflight_work.check_training(PreflightRequest(session.document.folder, recipe, None, 0))
    assert {"split", "rare label", "steps"} <= {one.kind for one in found}
