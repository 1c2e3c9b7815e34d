"""Edit > History in the real window: what was done, and the way back."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel, QPushButton, QRadioButton, QTableWidget
from pytestqt.qtbot import QtBot

from tests.ui.window_driver import Open, WindowDriver, boxes_on_disk, find
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import Box, Label, State
from workbench.ui.window.history_window import HistoryWindow
from workbench.ui.window.main_window import MainWindow

CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier


def begun(project: Path) -> None:
    """A label; a.png gets two boxes one after the other, b.png one between them; the first of a.png goes."""
    with Document.open(project) as document:
        document.do(edits.AddLabels((Label(0, "cell"),)))
        a, b = (image.id for image in document.images()[:2])
        for image, x in ((a, 10), (b, 20), (a, 30)):
            document.draw((Box(0, image, document.labels()[0].id, (x, 0, x + 10, 10)),))
        document.do(edits.RemoveBoxes((document.boxes(a)[0].id,)))


def opened(qtbot: QtBot, window: MainWindow) -> HistoryWindow:
    WindowDriver(qtbot, window).key(Qt.Key.Key_H, CTRL | SHIFT)
    found: HistoryWindow = find(window, HistoryWindow, "history-window")
    qtbot.waitUntil(found.isVisible)
    return found


def lines(history: HistoryWindow) -> list[tuple[str, str]]:
    table = find(history, QTableWidget, "history-table")
    return [(table.item(row, 1).text(), table.item(row, 2).text()) for row in range(table.rowCount())]


def go(history: HistoryWindow, row: int) -> None:
    find(history, QTableWidget, "history-table").selectRow(row)
    QTest.mouseClick(find(history, QPushButton, "history-go"), Qt.MouseButton.LeftButton)


def xs(project: Path, image: str = "a.png") -> list[float]:
    return [box.xyxy[0] for box in boxes_on_disk(project)[image]]


def test_an_image_is_put_back_to_any_step_and_others_stay(qtbot: QtBot, open_window: Open, project: Path) -> None:
    begun(project)
    window = open_window(project)
    history = opened(qtbot, window)
    assert lines(history) == [
        ("Delete box  (now)", "1"), ("Add box", "2"), ("Add box", "1"), ("Before that", "0"),
    ]  # fmt: skip
    go(history, 1)
    assert xs(project) == [10, 30]
    qtbot.waitUntil(lambda: len(lines(history)) == 5)
    assert lines(history)[0][0].startswith("Restore a.png of ")
    go(history, 4)
    assert (xs(project), xs(project, "b.png")) == ([], [20])
    window.session.undo()
    assert xs(project) == [10, 30]
    window.session.select_image(window.session.document.images()[1].id)
    qtbot.waitUntil(lambda: [title for title, _ in lines(history)] == ["Add box  (now)", "Before that"])


def test_the_project_goes_back_and_forth(qtbot: QtBot, open_window: Open, project: Path) -> None:
    begun(project)
    window = open_window(project)
    history = opened(qtbot, window)
    find(history, QRadioButton, "history-project").setChecked(True)
    titles = [title for title, _ in lines(history)]
    assert titles == ["Delete box  (now)", "Add box", "Add box", "Add box", "Add label 'cell'"]
    go(history, 3)
    assert (xs(project), xs(project, "b.png")) == ([10], [])
    qtbot.waitUntil(lambda: lines(history)[3][0] == "Add box  (now)")
    go(history, 0)
    assert (xs(project), xs(project, "b.png")) == ([30], [20])


def test_steps_that_were_undone_are_said_to_be_with_the_project(qtbot: QtBot, open_window: Open, project: Path) -> None:
    begun(project)
    window = open_window(project)
    for _ in range(5):
        window.session.undo()
    history = opened(qtbot, window)
    assert (lines(history), xs(project)) == ([], [])
    assert "undone are listed with the whole project" in find(history, QLabel, "history-words").text()
    find(history, QRadioButton, "history-project").click()
    assert len(lines(history)) == 5
    button = find(history, QPushButton, "history-go")
    assert (button.isEnabled(), button.toolTip()) == (False, "Choose a step in the list first.")
    find(history, QTableWidget, "history-table").selectRow(1)
    assert (button.isEnabled(), button.toolTip()) == (True, "")


def test_a_project_of_which_nothing_is_known_says_so(qtbot: QtBot, open_window: Open, project: Path) -> None:
    history = opened(qtbot, open_window(project))
    assert "Nothing has been done on this image yet" in find(history, QLabel, "history-words").text()
    assert not find(history, QPushButton, "history-go").isEnabled()


def test_an_image_whose_steps_a_copy_left_out_is_not_said_to_be_untouched(
    qtbot: QtBot, open_window: Open, project: Path
) -> None:
    with Document.open(project) as document:
        document.do(edits.SetState((1,), State.DONE))
        document.clear_history()
    history = opened(qtbot, open_window(project))
    assert "The history has no step of this image." in find(history, QLabel, "history-words").text()
    find(history, QRadioButton, "history-project").click()
    assert find(history, QLabel, "history-words").text().startswith("The history has no steps."), "of the whole project"


def test_what_is_taken_back_in_another_image_is_shown_and_names_it(open_window: Open, project: Path) -> None:
    window = open_window(project)
    window.show_page("label")
    session = window.session
    images = session.document.images()
    session.do(edits.AddLabels((Label(0, "cell"),)))
    session.draw((Box(0, images[0].id, session.document.labels()[0].id, (20, 20, 80, 60)),))
    session.select_image(images[1].id)
    find(window, QAction, "action-undo").trigger()
    assert session.image_id == images[0].id
    assert find(window, QLabel, "message-text").text() == f"Taken back: Add box ({images[0].name})."


def test_hundreds_of_steps_are_not_measured_anew_for_each_line(
    qtbot: QtBot, open_window: Open, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 500 steps the window stood still for eight seconds after each box that was drawn beside the list."""
    with Document.open(project) as document:
        image = document.images()[0].id
        for number in range(120):
            document.do(edits.SetState((image,), State.DONE if number % 2 else State.IN_WORK))
    history = opened(qtbot, open_window(project))
    qtbot.wait(300)  # not until it was laid out does a table measure itself at each change
    table = find(history, QTableWidget, "history-table")
    measured: list[int] = []
    monkeypatch.setattr(table, "sizeHintForColumn", lambda column: measured.append(column) or 60)
    history.renew()
    qtbot.wait(50)
    assert table.rowCount() > 100
    assert len(measured) < 60


def test_another_image_is_followed_at_once_whatever_its_number(qtbot: QtBot, open_window: Open, project: Path) -> None:
    """The number was the time in ms until the list was read again, and the last image's boxes could be put here."""
    begun(project)
    window = open_window(project)
    history = opened(qtbot, window)
    table, button = find(history, QTableWidget, "history-table"), find(history, QPushButton, "history-go")
    table.selectRow(1)
    assert button.isEnabled()
    window.session.image_changed.emit(1_000_000)
    assert not button.isEnabled()
    window.session.select_image(window.session.document.images()[1].id)
    qtbot.waitUntil(lambda: [title for title, _ in lines(history)] == ["Add box  (now)", "Before that"])
    window.session.image_changed.emit(1_000_000)
    window.session.undo()
    qtbot.waitUntil(lambda: [title for title, _ in lines(history)] == ["Add box  (now)", "Add box", "Before that"])


def test_it_has_a_close_like_the_other_windows(qtbot: QtBot, open_window: Open, project: Path) -> None:
    history = opened(qtbot, open_window(project))
    QTest.mouseClick(find(history, QPushButton, "history-close"), Qt.MouseButton.LeftButton)
    assert not history.isVisible()
