"""The list of runs with the Train page: what is shown follows it, and a run's settings come into the form again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QComboBox, QWidget
from pytestqt.qtbot import QtBot

from tests.training.records.test_runs import STARTED, leave
from tests.ui.annotate.label_page_project import labelled
from tests.ui.inspect.inspect_page_driver import make_run
from tests.ui.train.runs.run_list_driver import ENDED
from tests.ui.train.train_page_driver import FakeTraining, label_all, press, ready, session, text
from tests.ui.window_driver import Open, find, shown_page
from workbench.core import edits
from workbench.core.project import AnchorSet
from workbench.training import recipes
from workbench.training.records import record, runs
from workbench.training.request import RunRequest
from workbench.ui.session import Session
from workbench.ui.train.form.setup_panel import SetupPanel
from workbench.ui.train.form.start_from import FRESH
from workbench.ui.train.page import TrainPage
from workbench.ui.train.runs.run_actions import RunActions
from workbench.ui.train.runs.run_list import RunList

__all__ = ["labelled", "session"]  # fixtures


@pytest.fixture
def page(qtbot: QtBot, session: Session) -> Iterator[TrainPage]:
    label_all(session)
    yield from shown_page(qtbot, TrainPage(session, train=FakeTraining()), session)


def title_is(page: TrainPage, words: str) -> Callable[[], bool]:
    return lambda: text(page, "train-title") == words


def test_the_page_follows_a_run_that_is_renamed_deleted_and_taken_back(
    qtbot: QtBot, page: TrainPage, session: Session
) -> None:
    assert session.document is not None
    folder = session.document.runs_folder
    leave(folder / "first", STARTED, ENDED)
    leave(folder / "second", STARTED, ENDED)
    page.shown()
    qtbot.waitUntil(title_is(page, "second: finished"))
    run_actions = find(page, RunActions, "")
    run_actions.rename(runs.info(folder / "second"), "better")
    assert title_is(page, "better: finished")()
    run_actions.delete([runs.info(folder / "better")])
    qtbot.waitUntil(title_is(page, "first: finished"))
    press(qtbot, page, "train-runs-undo")
    qtbot.waitUntil(title_is(page, "better: finished"))
    marked = find(page, RunList, "")
    qtbot.waitUntil(lambda: marked.selected is not None and marked.selected.name == "better")


def test_of_another_project_the_run_that_is_shown_is_the_chosen_one(
    qtbot: QtBot, page: TrainPage, session: Session
) -> None:
    """One called like the run last trained in the project before was chosen, and Resume meant that one."""
    assert session.document is not None
    folder = session.document.runs_folder
    listed = find(page, RunList, "")
    listed.prefer("first")  # as after its training
    leave(folder / "first", STARTED, ENDED)
    leave(folder / "second", STARTED, ENDED)
    session.document_changed.emit()
    qtbot.waitUntil(title_is(page, "second: finished"))
    assert [run.name for run in listed.table.chosen] == ["second"]


def test_ctrl_z_takes_a_deletion_back_before_the_edits_that_were_made_before_it(
    qtbot: QtBot, page: TrainPage, session: Session
) -> None:
    assert session.document is not None
    folder = leave(session.document.runs_folder / "first", STARTED, ENDED)
    page.shown()
    qtbot.waitUntil(title_is(page, "first: finished"))
    before = session.document.undo_title
    find(page, RunActions, "").delete([runs.info(folder)])
    assert session.undo_title == "Delete run 'first'"
    assert not folder.exists()
    session.undo_last()
    assert folder.exists()
    assert (session.undo_title, session.redo_title) == (before, "")


def test_a_fork_fills_the_form_and_brings_the_anchors_back(
    qtbot: QtBot, page: TrainPage, session: Session, tmp_path: Path
) -> None:
    document = session.document
    assert document is not None
    ready(qtbot, page)
    anchors = AnchorSet(((10.0, 12.0), (30.0, 20.0)), 320)
    recipe = recipes.preset("quick-cpu").changed({"epochs": 7, "input_px": 96, "width": 0.25})
    weights = tmp_path / "begun.safetensors"
    weights.touch()
    folder = leave(document.runs_folder / "first", STARTED, ENDED)
    request = RunRequest(folder, document.snapshot(), recipe, anchors, start=weights)
    record.write_request(request)
    page.shown()
    find(page, RunList, "")
    qtbot.waitUntil(lambda: find(page, RunList, "").table.rowCount() == 1)
    find(page, RunList, "").table.selectRow(0)
    told: list[str] = []
    session.message.connect(lambda _level, sentence: told.append(sentence))
    setup, starts = find(page, SetupPanel, ""), list[object]()
    setup.start_from.begin_from(None)
    setup.changed.connect(lambda: starts.append(setup.start_from.currentData()))
    find(page, QAction, "action-fork-run").trigger()
    qtbot.waitUntil(lambda: bool(told))
    assert starts[-1] == weights, "the line above Start tells the rate of a run that is gone on from"
    assert setup.recipe() == recipe
    assert setup.start_from.file == weights
    assert document.anchors() == anchors
    assert told == [
        "The settings of 'first' are now in the form: change what you like and start. The project's anchors are those"
        " of that run now; Undo (Ctrl+Z) takes this back."
    ]
    assert session.undo() is not None
    assert document.anchors() is None
    assert told.pop() == "Taken back: Change the anchors in training."

    weights.unlink()
    session.do(edits.ChangeSetting("anchors", anchors.to_setting()))
    find(page, QAction, "action-fork-run").trigger()
    qtbot.waitUntil(lambda: len(told) == 2)
    assert told[1].endswith("which no longer exists: fresh weights are chosen.")  # and nothing about anchors
    assert setup.start_from.currentData() == FRESH


def test_a_command_on_a_run_says_so_where_none_is_chosen_yet(open_window: Open, project: Path) -> None:
    window = open_window(project, "data")
    said: list[str] = []
    window.session.message.connect(lambda _kind, words: said.append(words))
    window.session.command_requested.emit("train", "resume-run")  # as Ctrl+K does before the page was shown
    assert find(window, QWidget, "page-train").isVisible()
    assert said == ["“Resume the run” is not possible yet: choose on this page what it is for."]


def test_the_chosen_run_is_inspected_also_where_the_inspect_page_was_not_shown_yet(
    qtbot: QtBot, open_window: Open, labelled: Path
) -> None:
    """The newest one was shown, whichever was chosen."""
    window = open_window(labelled, "train")
    older = make_run(window.session, "older", 1.0)
    make_run(window.session, "newer", 2.0)
    find(window, RunActions, "").inspect(runs.info(older))
    chosen = find(window, QComboBox, "inspect-run")
    qtbot.waitUntil(lambda: chosen.count() == 2)
    assert chosen.currentText().startswith("older")
