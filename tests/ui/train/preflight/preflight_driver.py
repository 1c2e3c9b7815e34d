"""What checks a training and measures it before it starts, as a test tells it to; and the Train page with it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from PySide6.QtWidgets import QComboBox, QLineEdit, QToolButton, QWidget
from pytestqt.qtbot import QtBot

from tests.training.checks.test_estimate import MEASURED, made
from tests.ui.train.train_page_driver import FakeTraining, label_all, ready
from tests.ui.window_driver import shown_page
from workbench.errors import WorkbenchError
from workbench.training.checks.estimate import Estimate
from workbench.training.checks.findings import INFO, STOPS, WARNING, Finding
from workbench.ui.session import Session
from workbench.ui.train import page
from workbench.ui.train.page import TrainPage
from workbench.ui.train.preflight import preflight_panel
from workbench.ui.train.preflight.checks import Checks
from workbench.ui.train.preflight.preflight_work import PreflightRequest

SMALL = Finding(WARNING, "small", "2 boxes are too small.", "Choose a larger side.", 2, (1, 3))
NOTE = Finding(INFO, "class ids", "The file has another order.")
HOPELESS = Finding(STOPS, "learning rate", "Nothing would be learnt.", "Choose another.")


class Fakes:
    """What checks the training and what measures it, as the page calls them."""

    def __init__(self) -> None:
        self.requests: list[PreflightRequest] = []
        self.findings: tuple[Finding, ...] = ()
        self.finishes = threading.Event()  # unset: the check takes long
        self.finishes.set()
        self.estimate: Estimate | None = made(replace(MEASURED))
        self.held = threading.Event()  # set: the estimate goes on until it is stopped
        self.error: WorkbenchError | None = None

    def check(self, request: PreflightRequest) -> tuple[Finding, ...]:
        found, takes_long = self.findings, not self.finishes.is_set()  # one that has begun before is not held
        self.requests.append(request)
        if takes_long:
            self.finishes.wait(10)
        return found

    def measure(self, request: PreflightRequest, stopped: Callable[[], bool]) -> Estimate | None:
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

    def with_fakes(session: Session, setup: Any) -> preflight_panel.PreflightPanel:
        return preflight_panel.PreflightPanel(session, setup, check=fakes.check, measure=fakes.measure)

    monkeypatch.setattr(page, "PreflightPanel", with_fakes)
    monkeypatch.setattr(preflight_panel, "CHECK_DELAY", 10)
    label_all(session)
    for one in shown_page(qtbot, TrainPage(session, train=FakeTraining()), session):
        ready(qtbot, one)
        qtbot.waitUntil(lambda: bool(fakes.requests))  # the first check has begun, so that no test holds it
        yield one


def tool(page: QWidget, name: str) -> QToolButton:
    found = page.findChild(QToolButton, name)
    assert isinstance(found, QToolButton), name
    return found


def typed(page: QWidget, name: str, words: str) -> None:
    line = page.findChild(QLineEdit, f"train-form-{name}")
    assert isinstance(line, QLineEdit), name
    line.setText(words)


def show_findings(qtbot: QtBot, page: QWidget, fakes: Fakes, *findings: Finding) -> None:
    """Change a setting so that these are found."""
    fakes.findings = findings
    typed(page, "epochs", str(len(fakes.requests) + 50))
    checks = page.findChild(Checks, "train-checks")
    assert checks is not None
    qtbot.waitUntil(lambda: checks.found == findings)


def combo(page: QWidget, name: str) -> QComboBox:
    found = page.findChild(QComboBox, name)
    assert isinstance(found, QComboBox), name
    return found
