"""The real window on real projects of small drawn photographs, as a user would see it."""

from __future__ import annotations

import contextlib
import gc
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PySide6.QtCore import QEvent, Qt, QTimer
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QDialog, QWidget
from pytestqt.qtbot import QtBot

from tests.ui.window_driver import Open, write_photographs
from workbench.core.document import Document
from workbench.ui import garbage_collector, job, theme
from workbench.ui.garbage_collector import GarbageCollector
from workbench.ui.project import training_question
from workbench.ui.widgets import announcements
from workbench.ui.window.main_window import MainWindow

LONG_ENOUGH = 30_000
"""Milliseconds that a test waits for what must come unless it says how long: beside other programs, 5 s are few."""
for _wait in (QtBot.waitUntil, QtBot.waitSignal, QtBot.waitSignals, QtBot.waitActive, QtBot.waitExposed):
    _wait.__kwdefaults__["timeout"] = LONG_ENOUGH


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of three photographs a.png, b.png, c.png without labels."""
    write_photographs(tmp_path / "photographs", ["a.png", "b.png", "c.png"])
    Document.create(tmp_path / "project", tmp_path / "photographs").close()
    return tmp_path / "project"


def _release_keys() -> None:
    """A click with Ctrl leaves it held for the tests that follow, until the next click."""
    QTest.mouseClick(QWidget(), Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier)


@pytest.fixture(autouse=True)
def every_job_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside the tests of another worker a job that steps back would take ten times as long."""
    monkeypatch.setattr(job, "NICER", 0)


@pytest.fixture(autouse=True)
def trainings_may_be_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is there to answer; tests/ui/window/test_window_closing.py has the question itself."""
    monkeypatch.setattr(training_question, "ask", lambda *_: True)


@pytest.fixture(autouse=True)
def garbage_in_this_thread(qapp: QApplication) -> Iterator[None]:
    """As in the program: what a window leaves in cycles is not collected by whichever job makes the next object.

    Nothing of it is there when the next test begins, to hear of another theme.
    """
    with _garbage_in_this_thread():
        yield


@pytest.fixture(autouse=True)
def no_dialog_outlives_an_error(qapp: QApplication, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was to answer a dialog has failed: nobody else will, and not even pytest-timeout could end the test."""
    report = sys.excepthook  # pytest-qt's, which fails the test

    def reported(*error: Any) -> None:
        report(*error)
        _close_dialogs()
        QTimer.singleShot(500, _close_dialogs)  # one that was about to be shown

    monkeypatch.setattr(sys, "excepthook", reported)


def _close_dialogs() -> None:
    for window in (QApplication.activeModalWidget(), QApplication.activePopupWidget()):
        if isinstance(window, QDialog):
            window.reject()
        elif window is not None:
            window.close()


@contextlib.contextmanager
def _garbage_in_this_thread() -> Iterator[None]:
    """Nothing that a test makes is frozen, or it would never go: 1,300 menus of plots in the end, each with a theme.

    pytest holds what fixtures returned until a test is over, so that it goes when the next one begins; what is left
    then is the process's own.
    """
    GarbageCollector().collect_all()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(garbage_collector, "LONG", math.inf)
        patch.setattr(garbage_collector, "MANY", math.inf)  # else all of PyTorch is gone through again and again
        one = GarbageCollector()
        yield
        # What was to be deleted later would be so in the next test's first loop, after a new theme for each widget.
        QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
        one.collect_all()
    gc.enable()


@pytest.fixture
def open_window(qtbot: QtBot) -> Iterator[Open]:
    """Opens the window on a project's page; whatever a test leaves open is closed as a user closes it.

    Also outside of this folder no job's thread collects what is left of a window: the process can die of that.
    """
    with _garbage_in_this_thread() if gc.isenabled() else contextlib.nullcontext():
        yield from _opened(qtbot)


@pytest.fixture
def announced(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, bool]]:
    """What a screen reader would have said of its own accord, and whether at once."""
    said: list[tuple[str, bool]] = []

    def say(event: QAccessibleAnnouncementEvent) -> None:
        said.append((event.message(), event.politeness() is QAccessible.AnnouncementPoliteness.Assertive))

    told = SimpleNamespace(
        isActive=lambda: True, updateAccessibility=say, AnnouncementPoliteness=QAccessible.AnnouncementPoliteness
    )
    monkeypatch.setattr(announcements, "QAccessible", told)
    return said


@contextlib.contextmanager
def _left_on(window: MainWindow, page: str) -> Iterator[None]:
    """A project that is opened was left on this page: no other is made first, which takes as long as many a test."""
    session = window.session

    def left() -> None:
        session.page = page

    session.document_changed.connect(left)
    yield
    session.document_changed.disconnect(left)


def _opened(qtbot: QtBot) -> Iterator[Open]:
    application = QApplication.instance()
    assert isinstance(application, QApplication)
    if theme.theme().mode != "light" or not application.styleSheet():
        theme.apply("light")  # takes as long as to make a page
    _release_keys()
    opened: list[MainWindow] = []

    def open_on(folder: Path | None = None, page: str = "label") -> MainWindow:
        window = MainWindow()
        opened.append(window)
        qtbot.addWidget(window, before_close_func=lambda _: window.closing.close_at_once())  # nobody is there to answer
        window.resize(1280, 800)
        window.show()
        with qtbot.waitActive(window):
            window.activateWindow()
        if folder is not None:
            with _left_on(window, page):
                assert window.open(folder)
            window.show_page(page)
            window.activateWindow()
        return window

    yield open_on
    for window in opened:
        window.close()
    QApplication.sendPostedEvents()
