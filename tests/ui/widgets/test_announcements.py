"""What a screen reader says of its own accord: what only the eye would see, as the keyboard is elsewhere."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractItemView, QLineEdit, QWidget
from pytestqt.qtbot import QtBot

from tests.ui.annotate.label_page_project import labelled
from tests.ui.window_driver import Open, WindowDriver, find
from workbench.core import edits
from workbench.core.project import Label
from workbench.ui import theme
from workbench.ui.annotate.image_list import ImageTable
from workbench.ui.widgets.label_popup import LabelPopup
from workbench.ui.widgets.rows import RowsView

__all__ = ["labelled"]  # a fixture
Announced = list[tuple[str, bool]]


def words(announced: Announced) -> list[str]:
    said = [one for one, _ in announced]
    announced.clear()
    return said


def test_on_the_picture_the_next_image_and_the_selected_box_are_said(
    open_window: Open, labelled: Path, qtbot: QtBot, announced: Announced
) -> None:
    driver = WindowDriver(qtbot, open_window(labelled))
    announced.clear()
    driver.key(Qt.Key.Key_Tab)
    assert words(announced) == ["cell: 60 × 40 at 20, 20"]
    driver.key(Qt.Key.Key_Right)
    driver.key(Qt.Key.Key_Escape)
    assert words(announced) == ["cell: 60 × 40 at 21, 20", "No box is selected"]
    driver.key("D")
    assert words(announced) == ["b.png, 0 boxes\n200 × 100 · unlabelled · split: none"]


def test_what_happens_to_boxes_of_a_page_that_is_not_shown_is_not_said(
    open_window: Open, labelled: Path, qtbot: QtBot, announced: Announced
) -> None:
    driver = WindowDriver(qtbot, open_window(labelled))
    driver.key(Qt.Key.Key_Tab)
    driver.window.show_page("data")
    announced.clear()
    driver.window.session.do(edits.RemoveBoxes(tuple(driver.canvas.selected)))
    assert "No box is selected" not in words(announced)


def test_what_the_arrows_reach_below_a_field_is_said(open_window: Open, labelled: Path, announced: Announced) -> None:
    window = open_window(labelled, "data")
    window.show_finder()
    field = find(window, QLineEdit, "finder-field")
    QTest.keyClicks(field, "theme")
    assert words(announced)[-1].endswith(" theme")
    QTest.keyClick(field, Qt.Key.Key_Down)
    (second,) = words(announced)
    row = find(window, RowsView, "finder-list").rows.rows[1]
    assert second == row.words
    QTest.keyClicks(field, "qqq")
    assert words(announced)[-1].startswith("Nothing is called that.")


def test_lists_say_what_is_painted_beside_a_name(open_window: Open, labelled: Path) -> None:
    window = open_window(labelled)

    def spoken(kind: type[QAbstractItemView], name: str) -> str:
        return str(find(window, kind, name).model().index(0, 0).data(Qt.ItemDataRole.AccessibleTextRole))

    assert spoken(RowsView, "label-list") == "cell, 1, key 1"
    assert spoken(RowsView, "box-list") == "cell: 60 × 40 at 20, 20"
    assert spoken(ImageTable, "image-list") == "a.png, 1 box\n200 × 100 · in work · split: none"


def test_the_labels_that_typing_finds_are_said(qtbot: QtBot, announced: Announced) -> None:
    parent = QWidget()
    qtbot.addWidget(parent)
    popup = LabelPopup((Label(1, "cell"), Label(2, "plate")), parent)
    popup.open_at(QPoint())
    field = find(popup, QLineEdit, "label-popup-field")
    QTest.keyClick(field, Qt.Key.Key_Down)
    QTest.keyClicks(field, "x")
    assert words(announced) == ["cell", "plate", "New label 'x'"]
    popup.close()


def test_that_no_label_is_found_is_said(qtbot: QtBot, announced: Announced) -> None:
    parent = QWidget()
    qtbot.addWidget(parent)
    popup = LabelPopup((Label(1, "cell"),), parent, may_make=False)
    QTest.keyClicks(find(popup, QLineEdit, "label-popup-field"), "x")
    assert words(announced) == ["cell", "No label is called that."]
    popup.close()


def test_a_picture_with_the_keyboard_has_a_frame(open_window: Open, labelled: Path, qtbot: QtBot) -> None:
    driver = WindowDriver(qtbot, open_window(labelled))
    accent = theme.colour("accent").rgb()
    assert driver.canvas.grab().toImage().pixel(0, 100) == accent
    driver.key(Qt.Key.Key_F6)
    assert driver.canvas.grab().toImage().pixel(0, 100) != accent
