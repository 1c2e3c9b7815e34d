"""The way on that the corner offers when a training has ended while its page was not shown."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from PySide6.QtCore import QEvent
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from workbench.training.events import Evaluated, Failed, Finished, Started
from workbench.ui.session import Session
from workbench.ui.train.runs.history import history_of
from workbench.ui.train.training_end import EndNotice

STARTED = Started("tiny-1", "runs/tiny-1", "fcos", "cpu", "fp32", 8, 2, 40, 400, 99)
JUDGED = Evaluated(2, 20, 0.2, 0.4, 0.1, {}, 10, 0.1, True)
FINISHED = Finished(400, 40, False, 0.6, 60.0, "runs/tiny-1")
STOPPED = Finished(200, 20, True, 0.6, 30.0, "runs/tiny-1")


@pytest.fixture
def owner(qtbot: QtBot) -> QWidget:
    widget = QWidget()
    qtbot.addWidget(widget)
    return widget


def offers_of(session: Session) -> list[tuple[str, Callable[[], object]]]:
    found: list[tuple[str, Callable[[], object]]] = []
    session.offered.connect(lambda word, act: found.append((word, act)))
    return found


@pytest.mark.parametrize("page", ["data", "anchors", "inspect", "export"])
def test_a_button_beside_the_end_of_a_training_leads_to_its_run(owner: QWidget, page: str) -> None:
    """It told an AP, and whoever had waited on another page did not know what to do with it."""
    session = Session()
    session.page = page
    asked: list[str] = []
    session.page_requested.connect(asked.append)
    session.run_requested.connect(asked.append)
    offers = offers_of(session)
    EndNotice(session, owner).tell("tiny-1", history_of([STARTED, JUDGED, FINISHED]))
    [(word, act)] = offers
    assert word == "Inspect"
    act()
    assert asked == ["inspect", "tiny-1"]
    QApplication.sendEvent(owner, QEvent(QEvent.Type.WindowActivate))
    assert [word for word, _ in offers] == ["Inspect"] * 2, "as the message is repeated for one who was away"


@pytest.mark.parametrize("page", ["train", "label"])
def test_pages_that_go_on_by_themselves_offer_no_button(owner: QWidget, page: str) -> None:
    session = Session()
    session.page = page
    offers = offers_of(session)
    EndNotice(session, owner).tell("tiny-1", history_of([STARTED, JUDGED, FINISHED]))
    assert offers == []


@pytest.mark.parametrize("end", [STOPPED, Failed("The disk is full.")], ids=["stopped", "failed"])
def test_a_training_that_did_not_come_to_its_end_offers_no_button(owner: QWidget, end: Finished | Failed) -> None:
    session = Session()
    session.page = "data"
    offers = offers_of(session)
    EndNotice(session, owner).tell("tiny-1", history_of([STARTED, JUDGED, end]))
    assert offers == []
