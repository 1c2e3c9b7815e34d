"""The hand and the eyes of a soak: keys, clicks and conditions as small steps in the window's own loop.

A step yields None, and goes on in the next turn of the loop, or a condition that it waits for. No loop is nested: what
is to be deleted later is deleted as when a person works.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from typing import Any, TextIO

from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QAction
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QAbstractItemView, QLineEdit, QTabWidget, QWidget

from tests.promises.whole_session import CTRL, LEFT, NONE
from tests.ui.window_driver import find, key_of
from workbench.core.document import Document
from workbench.ui.annotate.canvas import Canvas
from workbench.ui.background import Background
from workbench.ui.window.main_window import MainWindow

Condition = Callable[[], bool]
Steps = Iterator[Condition | None]
PAGES = ("data", "label", "anchors", "train", "inspect", "export")
CALM = 40
"""Turns of the loop without work, in which what was to follow an edit a little later does."""


class SoakHand:
    """At `window`, which shows a project; each deed that changes it goes to `deeds` (soak_ledger reads it)."""

    def __init__(self, window: MainWindow, seed: int, deeds: TextIO) -> None:
        self.window, self._deeds = window, deeds
        self.random = random.Random(seed)
        self.deeds, self._jobs = 0, 0
        window.session.job_started.connect(self._job_started)

    @Slot(object)
    def _job_started(self, _job: object) -> None:
        self._jobs += 1

    @property
    def document(self) -> Document:
        document = self.window.session.document
        assert document is not None
        return document

    @property
    def image(self) -> str:
        image = self.window.session.image
        assert image is not None
        return image.path

    @property
    def canvas(self) -> Any:
        return find(self.window, Canvas, "canvas")

    def _tell(self, deed: str, **about: object) -> None:
        self.deeds += 1
        self._deeds.write(json.dumps({"deed": deed, **about}) + "\n")
        self._deeds.flush()

    def _page(self, name: str) -> Steps:
        self.window.activateWindow()
        yield self.window.isActiveWindow
        QTest.keyClick(self.window, getattr(Qt.Key, f"Key_{PAGES.index(name) + 1}"), CTRL)
        yield lambda: find(self.window, QWidget, f"page-{name}").isVisible()

    def _key(self, key: Qt.Key | str, held: Qt.KeyboardModifier = NONE, on: QWidget | None = None) -> Steps:
        QTest.keyClick(on or self.canvas, key_of(key), held)
        yield None

    def _type(self, field: QLineEdit, text: str) -> Steps:
        field.setFocus()
        field.selectAll()
        for letter in text:
            yield from self._key(letter, on=field)

    def _press(self, name: str) -> Steps:
        yield lambda: self.window.findChild(QAbstractButton, name) is not None
        button = find(self.window, QAbstractButton, name)
        yield button.isEnabled
        QTest.mouseClick(button, LEFT)
        yield None

    def _action(self, name: str) -> None:
        find(self.window, QAction, f"action-{name}").trigger()

    def _click_row(self, view: QAbstractItemView, row: int, held: Qt.KeyboardModifier = NONE) -> Steps:
        index = view.model().index(row, 0)
        view.scrollTo(index)
        QTest.mouseClick(view.viewport(), LEFT, held, view.visualRect(index).center())
        yield None

    def _idle(self) -> bool:
        return not self.window.session.jobs

    def _after(self, jobs: int) -> Condition:
        """A job began since there were `jobs`, and all have ended."""
        return lambda: self._jobs > jobs and self._idle()

    def _calm(self) -> Steps:
        """Nothing is being done, nor waits to be."""
        backgrounds = self.window.findChildren(Background)
        yield lambda: self._idle() and all(one.is_idle() for one in backgrounds)
        for _ in range(CALM):
            yield None
        yield lambda: self._idle() and all(one.is_idle() for one in backgrounds)

    def _window(self, name: str) -> Any:
        found: Any = self.window.findChild(QWidget, name)
        return found if found is not None and found.isVisible() else None

    def _tabs(self, name: str) -> Steps:
        tabs = find(self.window, QTabWidget, name)
        for number in (*range(tabs.count()), 0):
            tabs.setCurrentIndex(number)
            yield None
            yield self._idle
