"""The Train page trains the folds of a cross-validation one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox, QLineEdit, QTabWidget
from pytestqt.qtbot import QtBot

from tests.ui.train.queue.train_queue_driver import (
    end_with_evaluation,
    heard,
    is_training,
    on_disk,
    put,
    rows,
    trained,
    typed,
)
from tests.ui.train.train_page_driver import (
    FakeTraining,
    button,
    label_all,
    page,
    press,
    ready,
    session,
    started,
    text,
    training,
)
from tests.ui.window_driver import find
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import State
from workbench.training.events import Control, Event
from workbench.training.records import record
from workbench.training.request import RunRequest
from workbench.ui.session import Session
from workbench.ui.train.page import TrainPage
from workbench.ui.train.queue.queue_control import NO_QUEUE

__all__ = ["page", "session", "training"]  # fixtures


def fill_in(page: TrainPage, name: str, fold: str = "0") -> None:
    """Two folds: of three images neither is empty."""
    typed(page, "run-name", name)
    typed(page, "form-folds", "2")
    typed(page, "form-fold", fold)


def folds_of(training: FakeTraining) -> list[tuple[str, int, int]]:
    requests = [one for one in training.requests if isinstance(one, RunRequest)]
    return [(one.name, one.recipe.training.fold, one.recipe.training.folds) for one in requests]


def test_start_trains_the_first_fold_and_the_others_follow_before_all_that_waits(
    qtbot: QtBot, page: TrainPage, session: Session, training: FakeTraining
) -> None:
    label_all(session)
    ready(qtbot, page)
    put(qtbot, page, "later")
    fill_in(page, "cells")
    qtbot.waitUntil(lambda: text(page, "train-data").startswith("3 images in 2 folds, each of which judges"))
    said = heard(session)
    started(qtbot, page, 2)
    qtbot.waitUntil(lambda: rows(page) == ["cells-fold-2", "later"])
    words = "All folds learn from the same data: the project as it is when the first of them begins."
    assert f"'cells-fold-2' waits in the queue, in place 2. {words}" in said
    find(page, QTabWidget, "train-tabs").setCurrentIndex(1)
    page._queue.list.table.selectRow(0)
    assert text(page, "train-queue-note") == words
    end_with_evaluation(qtbot, page, session)
    qtbot.waitUntil(lambda: is_training(session, "cells-fold-2") and rows(page) == ["later"])
    end_with_evaluation(qtbot, page, session)
    qtbot.waitUntil(lambda: is_training(session, "later") and rows(page) == [])
    assert folds_of(training) == [("cells-fold-1", 1, 2), ("cells-fold-2", 2, 2), ("later", 0, 0)]


def test_folds_that_were_queued_together_learn_from_the_same_data_whatever_is_edited_meanwhile(
    qtbot: QtBot, page: TrainPage, session: Session, training: FakeTraining
) -> None:
    """Each read the project at its own start: then a run was judged by images or labels that others knew otherwise."""

    def recorded(request: RunRequest | Path, control: Control) -> Iterator[Event]:
        assert isinstance(request, RunRequest)
        request.folder.mkdir(parents=True, exist_ok=True)
        record.write_request(request)
        yield from training(request, control)

    label_all(session)
    assert session.document is not None
    page._train = recorded
    ready(qtbot, page)
    fill_in(page, "cells")
    typed(page, "form-folds", "3")
    press(qtbot, page, "train-start")
    qtbot.waitUntil(lambda: rows(page) == ["cells-fold-2", "cells-fold-3"] and len(training.requests) == 1)
    typed(page, "form-folds", "0")
    put(qtbot, page, "whole")
    session.do(edits.SetState((session.document.images()[0].id,), State.UNLABELLED))
    for number, name in enumerate(("cells-fold-2", "cells-fold-3", "whole"), start=2):
        end_with_evaluation(qtbot, page, session)
        qtbot.waitUntil(lambda name=name: is_training(session, name))  # type: ignore[misc]
        qtbot.waitUntil(lambda number=number: len(training.requests) == number)  # type: ignore[misc]
    digests = [one.snapshot.digest for one in training.requests if isinstance(one, RunRequest)]
    assert len(set(digests[:3])) == 1
    assert digests[3] == session.document.snapshot().digest != digests[0]


def test_all_folds_can_be_queued_without_a_name_or_one_of_them(
    qtbot: QtBot, page: TrainPage, session: Session, training: FakeTraining
) -> None:
    label_all(session)
    typed(page, "run-name", "running")
    started(qtbot, page, 2)
    detector = find(page, QComboBox, "train-detector").currentData()
    fill_in(page, "")
    press(qtbot, page, "train-next")
    qtbot.waitUntil(lambda: len(rows(page)) == 2)
    fill_in(page, "")
    press(qtbot, page, "train-next")
    qtbot.waitUntil(lambda: len(rows(page)) == 4)
    fill_in(page, "one", "2")
    press(qtbot, page, "train-next")
    qtbot.waitUntil(lambda: len(rows(page)) == 5)
    assert on_disk(session) == [*(f"{detector}-{n}-fold-{k}" for n in (1, 2) for k in (1, 2)), "one-fold-2"]
    assert find(page, QLineEdit, "train-run-name").text() == ""
    end_with_evaluation(qtbot, page, session)
    qtbot.waitUntil(lambda: trained(training) == ["running", f"{detector}-1-fold-1"])


def test_a_fold_taken_out_and_queued_again_keeps_its_name(qtbot: QtBot, page: TrainPage, session: Session) -> None:
    label_all(session)
    typed(page, "run-name", "running")
    started(qtbot, page, 2)
    fill_in(page, "cells")
    press(qtbot, page, "train-next")
    qtbot.waitUntil(lambda: len(rows(page)) == 2)
    table = page._queue.list.table
    table.selectRow(1)
    qtbot.mouseClick(button(page, "train-queue-edit"), Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: rows(page) == ["cells-fold-1"])
    assert find(page, QLineEdit, "train-run-name").text() == "cells-fold-2"
    press(qtbot, page, "train-next")
    qtbot.waitUntil(lambda: rows(page) == ["cells-fold-1", "cells-fold-2"])


def test_a_window_that_has_no_queue_trains_one_fold_only_if_that_is_asked_for(
    qtbot: QtBot, page: TrainPage, session: Session, training: FakeTraining
) -> None:
    """It trained the first, and the others were forgotten without a word."""
    label_all(session)
    assert session.document is not None
    folder = session.document.folder
    session.close()
    with Document.open(folder):
        session.open(Document.open(folder))
        ready(qtbot, page)
        fill_in(page, "cells")
        said = heard(session)
        press(qtbot, page, "train-start")
        qtbot.waitUntil(lambda: said == [NO_QUEUE])
        assert not training.requests
        fill_in(page, "cells", "2")
        press(qtbot, page, "train-start")
        qtbot.waitUntil(lambda: folds_of(training) == [("cells-fold-2", 2, 2)])
        session.close()


def test_names_that_are_taken_are_refused_before_anything_begins(
    qtbot: QtBot, page: TrainPage, session: Session, training: FakeTraining
) -> None:
    label_all(session)
    assert session.document is not None
    (session.document.runs_folder / "cells-fold-2").mkdir(parents=True)
    (session.document.runs_folder / "cells-fold-2" / "somebody's.txt").touch()
    ready(qtbot, page)
    fill_in(page, "cells")
    said = heard(session)
    press(qtbot, page, "train-start")
    qtbot.waitUntil(lambda: said == ["There is a run called 'cells-fold-2' already. Choose another name."])
    assert not training.requests
    assert rows(page) == []
