"""What is typed into an open menu or list is no command of the page below it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLineEdit, QListWidget, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

import workbench.ui
from workbench.core.project import Label
from workbench.ui import theme
from workbench.ui.style_sheet import style_sheet
from workbench.ui.widgets.elided import ElidedCombo
from workbench.ui.widgets.label_popup import LabelPopup
from workbench.ui.widgets.popups import Combo, Menu


class Below(QWidget):
    """A page with two commands that are keys alone, and one with Ctrl."""

    def __init__(self) -> None:
        super().__init__()
        self.done: list[str] = []
        self.combo = Combo()
        self.combo.addItems(["alpha", "nu", "Omega"])
        self.menu = Menu(self)
        self.entry = self.menu.addAction("&Next")
        self.inner = self.menu.below("More")
        self.inner.addAction("nothing")
        QVBoxLayout(self).addWidget(self.combo)
        for key in ("N", "Shift+O", "Del", "Ctrl+N"):
            action = QAction(self)
            action.setShortcut(key)
            action.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            action.triggered.connect(lambda _=False, key=key: self.done.append(key))
            self.addAction(action)


@pytest.fixture
def below(qtbot: QtBot) -> Below:
    page = Below()
    qtbot.addWidget(page)
    page.show()
    page.activateWindow()
    qtbot.waitUntil(page.isActiveWindow)
    page.combo.setFocus()
    return page


def test_letters_look_for_an_entry_of_an_open_list(qtbot: QtBot, below: Below) -> None:
    below.combo.showPopup()
    view = below.combo.view()
    qtbot.waitUntil(view.isVisible)
    QTest.keyClick(view, Qt.Key.Key_N)
    assert view.currentIndex().data() == "nu"
    QTest.keyClick(view, Qt.Key.Key_O, Qt.KeyboardModifier.ShiftModifier, delay=500)  # a new search
    QTest.keyClick(view, Qt.Key.Key_Delete)
    assert below.done == []
    QTest.keyClick(view, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: not view.isVisible())
    assert below.combo.currentText() == "Omega"
    QTest.keyClick(below.combo, Qt.Key.Key_N)
    assert below.done == ["N"]


def test_letters_in_an_open_menu_are_its_own(qtbot: QtBot, below: Below) -> None:
    chosen: list[bool] = []
    below.entry.triggered.connect(lambda: chosen.append(True))
    below.menu.popup(below.mapToGlobal(below.rect().center()))
    qtbot.waitUntil(below.menu.isVisible)
    QTest.keyClick(below.menu, Qt.Key.Key_O, Qt.KeyboardModifier.ShiftModifier)
    QTest.keyClick(below.menu, Qt.Key.Key_Delete)
    QTest.keyClick(below.menu, Qt.Key.Key_N)
    assert (below.done, len(chosen)) == ([], 1)
    assert isinstance(below.inner, Menu)


def test_every_menu_and_list_of_the_program_is_such() -> None:
    own = re.compile(r"\bQMenu\(|\(QMenu\):|\bQComboBox\(|\(QComboBox\):|\.addMenu\((f?\"|\w+\()")
    files = [file for folder in workbench.ui.__path__ for file in Path(folder).rglob("*.py")]
    assert len(files) > 100
    found = [file.name for file in files if own.search(file.read_text(encoding="utf-8"))]
    assert found == ["popups.py"]


@pytest.mark.parametrize("labels", [(), (Label(1, "cell"),)])
def test_the_list_of_labels_opens_wholly_on_the_screen(qtbot: QtBot, labels: tuple[Label, ...]) -> None:
    below = QWidget()
    qtbot.addWidget(below)
    below.show()
    popup = LabelPopup(labels, below)
    room = below.screen().availableGeometry()
    popup.open_at(room.bottomRight())
    assert room.adjusted(0, 0, 4, 4).contains(popup.frameGeometry())  # "offscreen" moves windows by 2 px
    field = popup.findChild(QLineEdit)
    margins = 8  # of Qt's own, within the frame
    assert field.fontMetrics().horizontalAdvance(field.placeholderText()) <= field.width() - margins
    popup.close()


def test_the_keys_of_a_page_go_through_many_labels(qtbot: QtBot) -> None:
    below = QWidget()
    qtbot.addWidget(below)
    popup = LabelPopup([Label(number, f"label {number}") for number in range(1, 41)], below)
    popup.open_at(below.pos())
    field, listed = popup.findChild(QLineEdit), popup.findChild(QListWidget)
    rows = []
    for key in (Qt.Key.Key_PageDown, Qt.Key.Key_Up, Qt.Key.Key_PageUp, Qt.Key.Key_PageDown):
        QTest.keyClick(field, key)
        rows.append(listed.currentRow())
    assert rows == [11, 10, 0, 11]
    popup.close()


def test_a_list_of_hundreds_of_labels_leaves_most_of_the_screen_and_cuts_long_names(qtbot: QtBot) -> None:
    combo = ElidedCombo("labels", "Label", "Images with a box of this label.")
    combo.setStyleSheet(style_sheet(theme.colours()))
    qtbot.addWidget(combo)
    combo.addItems([f"{number} {'a long name ' * 20}" for number in range(300)])
    combo.show()
    combo.showPopup()
    opened, view = combo.view().window(), combo.view()
    assert opened.height() < 520
    assert opened.width() < 750
    assert view.verticalScrollBar().maximum() > 0
    assert view.visualRect(view.model().index(0, 0)).height() >= 22
    combo.hidePopup()
