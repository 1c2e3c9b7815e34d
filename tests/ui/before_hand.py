"""What looks at a training and measures it before it starts, as a test tells it to; and the Train page with it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from PySide6.QtWidgets import QComboBox, QLineEdit, QToolButton, QWidget
from pytestqt.qtbot import QtBot

from tests.training.test_estimate import MEASURED, made
from tests.ui.train_hand import FakeTraining, label_all, ready, shown_page
from workbench.errors import WorkbenchError
from workbench.training.estimate import Estimate
from workbench.training.findings import INFO, STOPS, WARNING, Finding
from workbench.ui.session import Session
from workbench.ui.train import before, page
from workbench.ui.train.before_work import Plan
from workbench.ui.train.page import TrainPage

SMALL = Finding(WARNING, "small", "2 boxes are too small.", "Choose a larger side.", 2, (1, 3))
NOTE = Finding(INFO, "class ids", "The file has another order.")
HOPELESS = Finding(STOPS, "learning rate", "Nothing would be learnt.", "Choose another.")


class Fakes:
    """What looks at the training and what measures it, as the page calls them."""

    def __init__(self) -> None:
        self.plans: list[Plan] = []
        self.findings: tuple[Finding, ...] = ()
        self.looks = threading.Event()  # unset: whoever looks takes long
        self.looks.set()
        self.estimate: Estimate | None = made(replace(MEASURED))
        self.held = threading.Event()  # set: the estimate goes on until it is stopped
        self.error: WorkbenchError | None = None

    def look(self, plan: Plan) -> tuple[Finding, ...]:
        found, takes_long = self.findings, not self.looks.is_set()  # one that has begun before is not held
        self.plans.append(plan)
        if takes_long:
            self.looks.wait(10)
        return found

    def measure(self, plan: Plan, stopped: Callable[[], bool]) -> Estimate | None:
        if self.error is not None:
            raise self.error
        while self.held.is_set() and not stopped():
            threading.Event().wait(0.005)
        return None if stopped() else self.estimate


@pytest.fixture
def fakes() -> Fakes:
    return Fakes()


@pytest.fixture
def shown(qtbot: QtBot, session: Session, fakes: Fakes, monkeypatch: pytest.MonkeyPatch) -> Iterator[TrainPage]:
    """The page with a project that can be trained on."""

    def with_fakes(session: Session, setup: Any) -> before.Before:
        return before.Before(session, setup, look=fakes.look, measure=fakes.measure)

    monkeypatch.setattr(page, "Before", with_fakes)
    monkeypatch.setattr(before, "PATIENCE", 10)
    label_all(session)
    for one in shown_page(qtbot, TrainPage(session, train=FakeTraining()), session):
        ready(qtbot, one)
        qtbot.waitUntil(lambda: bool(fakes.plans))  # the first look has begun, so that no test holds it
        yield one


def tool(page: QWidget, name: str) -> QToolButton:
    found = page.findChild(QToolButton, name)
    assert isinstance(found, QToolButton), name
    return found


def typed(page: QWidget, name: str, words: str) -> None:
    line = page.findChild(QLineEdit, f"train-form-{name}")
    assert isinstance(line, QLineEdit), name
    line.setText(words)


def told(qtbot: QtBot, page: QWidget, fakes: Fakes, *findings: Finding) -> None:
    """Change a setting so that these are found."""
    fakes.findings = findings
    typed(page, "epochs", str(len(fakes.plans) + 50))
    checks = page.findChild(QWidget, "train-checks")
    assert checks is not None
    qtbot.waitUntil(lambda: checks.found == findings)


def combo(page: QWidget, name: str) -> QComboBox:
    found = page.findChild(QComboBox, name)
    assert isinstance(found, QComboBox), name
    return found
