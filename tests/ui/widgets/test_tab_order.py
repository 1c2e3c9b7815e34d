"""Tab goes through a panel as it is read."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QApplication,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)
from pytestqt.qtbot import QtBot

from tests.ui.inspect.inspect_page_driver import make_run
from tests.ui.window_driver import Open, find
from workbench.ui.widgets import tab_order


def field(name: str) -> QLineEdit:
    made = QLineEdit()
    made.setObjectName(name)
    return made


def test_tab_goes_by_layouts_also_to_what_came_later_and_is_scrolled(qtbot: QtBot) -> None:
    panel = QWidget()
    qtbot.addWidget(panel)
    column, form, row, inner = QVBoxLayout(panel), QFormLayout(), QHBoxLayout(), QWidget()
    scroll = QScrollArea(widgetResizable=True)
    scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    scroll.setWidget(inner)
    inside = QVBoxLayout(inner)
    form.addRow("One", field("1"))
    column.addLayout(form)
    column.addWidget(scroll)
    column.addLayout(row)
    row.addWidget(field("5"))
    row.insertWidget(0, field("4"))
    inside.addWidget(field("2"))
    inside.addWidget(field("3"))
    tab_order.set_reading_order(panel)
    panel.show()
    with qtbot.waitActive(panel):
        panel.activateWindow()
    panel.findChild(QLineEdit, "1").setFocus()
    seen = []
    for _ in range(5):
        seen.append(panel.focusWidget().objectName())
        QTest.keyClick(panel.focusWidget(), Qt.Key.Key_Tab)
    assert seen == list("12345")


def test_tab_comes_to_a_page_at_its_head_though_the_page_begins_with_the_keyboard_further_down(
    open_window: Open, project: Path
) -> None:
    window = open_window(project, "data")
    assert QApplication.focusWidget().objectName() == "gallery"
    find(window, QWidget, "show-keys").setFocus()  # the last one before the pages
    QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_Tab)
    assert QApplication.focusWidget().objectName() == "button-add-images"


def test_what_is_hidden_has_the_keyboard_as_soon_as_it_is_seen_and_not_before(
    qtbot: QtBot, open_window: Open, project: Path
) -> None:
    window = open_window(project, "inspect")
    empty = find(window, QWidget, "inspect-empty-button")
    qtbot.waitUntil(empty.isVisible)
    assert QApplication.focusWidget() is window._pages["inspect"]
    make_run(window.session)
    window.session.runs_changed.emit()
    qtbot.waitUntil(lambda: not empty.isVisible())
    assert QApplication.focusWidget().objectName() == "inspect-images"


def test_tab_comes_to_the_page_that_is_shown_on_the_rail_and_the_arrows_to_the_others(
    open_window: Open, project: Path
) -> None:
    window = open_window(project, "data")
    window.show_page("train")
    assert [name for name in reached(find(window, QWidget, "show-keys")) if name.startswith("rail-")] == ["rail-train"]
    button = find(window, QWidget, "rail-train")
    button.setFocus()
    QTest.keyClick(button, Qt.Key.Key_Up)
    assert find(window, QWidget, "page-anchors").isVisible()
    assert [name for name in reached(find(window, QWidget, "show-keys")) if name.startswith("rail-")] == [
        "rail-anchors"
    ]


def reached(first: QWidget) -> list[str]:
    """Names of what Tab comes to, beginning with `first`, which has one."""
    order, widget = [first.objectName()], first.nextInFocusChain()
    while widget is not first:
        if widget.isVisible() and widget.focusPolicy() & Qt.FocusPolicy.TabFocus:
            order.append(widget.objectName())
        widget = widget.nextInFocusChain()
    return order


def test_recent_projects_come_where_they_are_seen_though_they_are_made_last(open_window: Open, project: Path) -> None:
    window = open_window(project)
    window.close_project()
    order = reached(find(window, QWidget, "start-new"))
    assert order.index("start-open") < order.index("recent-card") < order.index("start-sample")


def test_the_start_page_begins_with_the_keyboard_on_its_first_button_and_each_tab_is_seen(
    open_window: Open, project: Path
) -> None:
    for window in (open_window(), open_window(project)):
        window.close_project()
        assert window.focusWidget() is find(window, QWidget, "start-new")
        assert "" not in reached(window.focusWidget()), "a part without a name, such as what scrolls"


def test_enter_that_is_held_down_presses_no_button_that_gets_the_keyboard_meanwhile(
    qtbot: QtBot, open_window: Open, project: Path
) -> None:
    window = open_window(project, "train")
    button = find(window, QPushButton, "train-empty-button")
    button.setFocus()
    held = QKeyEvent(QEvent.Type.KeyPress, Qt.Key.Key_Return, Qt.KeyboardModifier.NoModifier, "\r", True)
    QApplication.sendEvent(button, held)
    assert not button.isDown()
    QTest.keyClick(button, Qt.Key.Key_Return)
    assert button.isDown()
    qtbot.waitUntil(lambda: find(window, QWidget, "page-label").isVisible())
