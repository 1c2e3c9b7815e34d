"""Every control has a name for those who do not see it, and is reached by keyboard."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAccessible, QAction
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QGraphicsView,
    QHeaderView,
    QKeySequenceEdit,
    QLineEdit,
    QPlainTextEdit,
    QProgressBar,
    QScrollArea,
    QScrollBar,
    QSpinBox,
    QTabBar,
    QTableView,
    QTextEdit,
    QToolButton,
    QWidget,
)
from pytestqt.qtbot import QtBot

from tests.ui.window_driver import Open, find
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import Box, Label, State
from workbench.ui.inspect.other_images.label_counts import LabelCountTable
from workbench.ui.page_specs import PAGE_SPECS
from workbench.ui.train.compare.tables import Table
from workbench.ui.window.keys_sheet import KeyDialog
from workbench.ui.window.main_window import MainWindow

CONTROLS = (
    QAbstractButton, QAbstractItemView, QAbstractSlider, QAbstractSpinBox, QComboBox, QGraphicsView, QLineEdit,
    QPlainTextEdit, QScrollArea, QTextEdit,
)  # fmt: skip
# parts of other controls, which those speak for; a header or scroll bar is moved by its list's own keys
PARTS = (QScrollBar, QHeaderView, QTabBar)


def controls(window: QWidget) -> list[QWidget]:
    """What can be seen and used in a window, without the parts of larger controls."""
    found = [widget for widget in window.findChildren(QWidget) if isinstance(widget, CONTROLS) and widget.isVisible()]
    found = [widget for widget in found if widget.focusPolicy() or not isinstance(widget, QGraphicsView | QScrollArea)]

    def is_part(widget: QWidget) -> bool:
        parent = widget.parentWidget()
        within = parent
        while within is not None and within is not window:
            if isinstance(within, QComboBox | QAbstractSpinBox | QTabBar | QAbstractItemView):
                return True
            within = within.parentWidget()
        return isinstance(widget, PARTS) or widget.objectName().startswith("qt_")

    return [widget for widget in found if not is_part(widget)]


def described(widget: QWidget) -> str:
    return f"{type(widget).__name__} '{widget.objectName()}' in '{widget.parentWidget().objectName()}'"


def spoken(widget: QWidget) -> str:
    """What a screen reader calls it, by Qt's own answer.

    For a combo box that is its label's name: on Linux Qt gives the chosen entry as the name of the box itself.
    """
    asked = QAccessible.queryAccessibleInterface(widget)
    if not isinstance(widget, QComboBox):
        return str(asked.text(QAccessible.Text.Name))
    labels = [label for label, _ in asked.relations(QAccessible.RelationFlag.Label)]
    return " ".join(label.text(QAccessible.Text.Name) for label in labels)


def nameless(window: QWidget) -> list[str]:
    """A number or a sign alone is no name. What shows a progress comes and goes: hidden ones count, too."""
    named = [*controls(window), *window.findChildren(QProgressBar)]
    return [described(one) for one in named if not any(letter.isalpha() for letter in spoken(one))]


def is_command(widget: QWidget) -> bool:
    action = widget.defaultAction() if isinstance(widget, QToolButton) else None
    return bool(widget.property("command")) or (action is not None and action.objectName().startswith("action-"))


def is_beside_one(widget: QWidget) -> bool:
    """Whether Tab comes to another button of its group, from which the arrows come to it."""
    group = widget.group() if isinstance(widget, QAbstractButton) else None
    return group is not None and any(one.focusPolicy() & Qt.FocusPolicy.TabFocus for one in group.buttons())


def unreachable(window: QWidget) -> list[str]:
    """Buttons of a command are reached by its key and by Ctrl+K, so that Space stays with the picture."""
    return [
        described(widget)
        for widget in controls(window)
        if widget.isEnabled()
        and not widget.focusPolicy() & Qt.FocusPolicy.TabFocus
        and not is_command(widget)
        and not is_beside_one(widget)
    ]


def trapping(window: QWidget) -> list[str]:
    """Tables in which Tab goes from cell to cell for ever: who has no mouse never leaves them."""
    return [described(table) for table in window.findChildren(QTableView) if table.tabKeyNavigation()]


@pytest.fixture
def labelled(project: Path) -> Path:
    with Document.open(project) as document:
        document.do(edits.AddLabels((Label(0, "cat"), Label(0, "dog"))))
        document.draw((Box(0, 1, 1, (0, 0, 50, 40)), Box(0, 2, 2, (0, 0, 30, 40))))
        document.do(edits.SetState((1, 2), State.DONE))
    return project


@pytest.mark.parametrize("page", ["start", *(place.name for place in PAGE_SPECS)])
def test_every_control_of_a_page_has_a_name_and_is_reached_by_tab(page: str, labelled: Path, open_window: Open) -> None:
    window = open_window() if page == "start" else open_window(labelled, page)
    assert len(controls(window)) > 5
    assert nameless(window) == []
    assert unreachable(window) == []
    assert trapping(window) == []


def command(window: MainWindow, name: str) -> None:
    find(window, QAction, f"action-{name}").trigger()


WINDOWS: dict[str, Callable[[MainWindow], object]] = {
    "history": MainWindow.show_history,
    "levels": lambda window: window.session.command_requested.emit("label", "levels"),
    "keys": MainWindow.show_keys,
    "weights": lambda window: window.session.weights_import_requested.emit(),
    "plugins": MainWindow.show_plugins,
    "log": MainWindow.show_log,
    "about": MainWindow.show_about,
    "help": lambda window: window.show_help("choosing-a-detector"),
    "finder": MainWindow.show_finder,
    **{
        name: partial(command, name=name)
        for name in ("import-labels", "export-labels", "split", "check-data", "labels-beside", "older-copies")
    },
}


@pytest.mark.parametrize("name", WINDOWS)
def test_every_control_of_a_window_has_a_name_and_is_reached_by_tab(
    name: str, labelled: Path, open_window: Open
) -> None:
    window = open_window(labelled, "data")
    WINDOWS[name](window)
    (shown,) = [w for w in QApplication.topLevelWidgets() if w.isVisible() and w is not window and w.isWindow()]
    assert controls(shown)
    assert nameless(shown) == []
    assert unreachable(shown) == [] or name == "finder"  # its list is moved by Up and Down from the field
    assert trapping(shown) == []
    shown.close()


def test_tables_of_windows_that_need_a_run_let_tab_out(qtbot: QtBot) -> None:
    holder = QWidget()
    qtbot.addWidget(holder)
    tables = LabelCountTable(holder), Table("compare-runs", "Runs", holder)
    assert {*tables} == {*holder.findChildren(QTableView)}
    assert trapping(holder) == []


def test_the_fields_of_more_filters_are_told_apart(open_window: Open, project: Path) -> None:
    more = find(open_window(project, "data"), QToolButton, "filter-more")
    assert [spoken(field) for field in more.menu().findChildren(QSpinBox)] == [
        "Boxes: at least", "Boxes: at most", "With a box whose shorter side is at least",
        "With a box whose shorter side is at most",
    ]  # fmt: skip
    assert [spoken(field) for field in more.menu().findChildren(QComboBox)] == ["Order", "With a box marked"]


def test_the_field_that_waits_for_a_key_has_a_name(qtbot: QtBot) -> None:
    parent = QWidget()
    qtbot.addWidget(parent)
    assert spoken(find(KeyDialog("draw", parent), QKeySequenceEdit, "ask-key-edit")) == "The key"


def test_what_runs_is_told_to_be_a_progress(open_window: Open) -> None:
    assert spoken(find(open_window(), QProgressBar, "job-progress")) == "Progress of what is running"


def test_the_pages_are_told_to_be_one_choice(open_window: Open) -> None:
    rail = find(open_window(), QAbstractButton, "rail-label")
    assert QAccessible.queryAccessibleInterface(rail).role() == QAccessible.Role.RadioButton


def test_the_colour_of_a_label_is_told(labelled: Path, open_window: Open) -> None:
    table = QAccessible.queryAccessibleInterface(find(open_window(labelled, "data"), QTableView, "labels-table"))
    told = [table.child(number).text(QAccessible.Text.Name) for number in range(table.childCount())]
    assert "Colour" in told
    assert "colour #e69f00" in told
