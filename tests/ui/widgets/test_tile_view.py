"""The tiles of the gallery: where they lie, how keys and the mouse choose them, and that a million cost no more."""

from __future__ import annotations

from typing import Any

import pytest
from PySide6.QtCore import (
    QAbstractListModel,
    QEvent,
    QModelIndex,
    QPersistentModelIndex,
    QPoint,
    QPointF,
    QRect,
    QSize,
    Qt,
)
from PySide6.QtGui import QAccessible, QCursor, QHoverEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractItemView, QApplication
from pytestqt.qtbot import QtBot

from workbench.ui.widgets.tile_view import TileView

NONE, SHIFT, CTRL = (
    Qt.KeyboardModifier.NoModifier,
    Qt.KeyboardModifier.ShiftModifier,
    Qt.KeyboardModifier.ControlModifier,
)
LEFT = Qt.MouseButton.LeftButton
Key = Qt.Key


class Numbers(QAbstractListModel):
    """Rows that know their number; counts how often it is asked."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count, self.asked, self.indexed = count, set[int](), 0

    def rowCount(self, parent: QModelIndex | QPersistentModelIndex = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else self.count

    def index(
        self,
        row: int,
        column: int = 0,
        parent: QModelIndex | QPersistentModelIndex = QModelIndex(),  # noqa: B008
    ) -> QModelIndex:
        self.indexed += 1
        return super().index(row, column, parent)

    def data(self, index: QModelIndex | QPersistentModelIndex, role: int = 0) -> Any:
        self.asked.add(index.row())
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"tile {index.row()}\nunlabelled"
        return f"tile {index.row()}" if role == Qt.ItemDataRole.DisplayRole else None

    def now(self, count: int) -> None:
        self.beginResetModel()
        self.count = count
        self.endResetModel()


@pytest.fixture
def view(qtbot: QtBot) -> TileView:
    """22 tiles of 100 x 50, four side by side, three and a half lines in sight."""
    made = TileView("tiles", "Tiles", QSize(100, 50))
    qtbot.addWidget(made)
    made.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
    model = Numbers(22)
    model.setParent(made)
    made.setModel(model)
    made.resize(440, 175)
    with qtbot.waitExposed(made):
        made.show()
    made.resize(made.width() + 400 - made.viewport().width(), 175)
    return made


def chosen(view: TileView) -> list[int]:
    return sorted(row for rows in view.chosen_rows() for row in rows)


def click(view: TileView, row: int, held: Qt.KeyboardModifier = NONE) -> None:
    QTest.mouseClick(view.viewport(), LEFT, held, view.visualRect(view.model().index(row, 0)).center())


def test_a_tile_lies_where_its_number_says(view: TileView) -> None:
    assert view.columns == 4
    assert view.visualRect(view.model().index(6, 0)) == QRect(200, 50, 100, 50)
    assert view.indexAt(QPoint(250, 75)).row() == 6
    view.resize(view.width() + 80, 175)
    assert view.columns == 4
    assert view.visualRect(view.model().index(6, 0)) == QRect(240, 50, 120, 50)  # what is left of a line is shared
    view.resize(view.width() - 180, 175)
    assert view.columns == 3
    assert view.visualRect(view.model().index(6, 0)) == QRect(0, 100, 100, 50)
    view.verticalScrollBar().setValue(10_000)
    assert view.indexAt(QPoint(50, view.viewport().height() - 2)).row() == 21
    assert view.indexAt(QPoint(150, view.viewport().height() - 2)).row() == -1  # behind the last tile


def test_keys_move_from_tile_to_tile(view: TileView) -> None:
    view.setFocus()
    click(view, 5)
    for key, row in (
        (Key.Key_Right, 6), (Key.Key_Down, 10), (Key.Key_Left, 9), (Key.Key_Up, 5), (Key.Key_Up, 1), (Key.Key_Up, 1),
        (Key.Key_PageDown, 13), (Key.Key_PageUp, 1), (Key.Key_End, 21), (Key.Key_Down, 21), (Key.Key_Right, 21),
        (Key.Key_Home, 0), (Key.Key_Left, 0),
    ):  # fmt: skip
        QTest.keyClick(view, key)
        assert view.currentIndex().row() == row, key
        assert chosen(view) == [row]
        assert view.viewport().rect().contains(view.visualRect(view.currentIndex())), "it is brought into sight"
    click(view, 3)
    view.scrollTo(view.model().index(19, 0))
    click(view, 19)
    QTest.keyClick(view, Key.Key_Down)
    assert view.currentIndex().row() == 21, "from above an empty place to the last tile"


def test_letters_and_space_are_left_to_the_page(view: TileView) -> None:
    click(view, 5)
    for key in (Key.Key_T, Key.Key_Space, Key.Key_Delete):
        QTest.keyClick(view, key)
    assert view.currentIndex().row() == 5


def test_shift_takes_all_between_as_one_reads_and_ctrl_single_ones(view: TileView) -> None:
    click(view, 2)
    click(view, 8, SHIFT)
    assert chosen(view) == [2, 3, 4, 5, 6, 7, 8]
    click(view, 1, SHIFT)
    assert chosen(view) == [1, 2]
    click(view, 9, CTRL)
    assert chosen(view) == [1, 2, 9]
    click(view, 2, CTRL)
    assert chosen(view) == [1, 9]
    click(view, 5)
    QTest.keyClick(view, Key.Key_Down, SHIFT)
    assert chosen(view) == [5, 6, 7, 8, 9]
    QTest.keyClick(view, Key.Key_A, CTRL)
    assert chosen(view) == list(range(22))


def test_shift_takes_all_from_a_tile_that_is_out_of_sight(view: TileView) -> None:
    model = view.model()
    assert isinstance(model, Numbers)
    model.now(100)
    click(view, 2)
    view.scrollTo(model.index(50, 0))
    click(view, 50, SHIFT)
    assert chosen(view) == list(range(2, 51))
    click(view, 48)
    view.setFocus()
    for _ in range(8):
        QTest.keyClick(view, Key.Key_Up, SHIFT)
    assert chosen(view) == list(range(16, 49))
    QTest.keyClick(view, Key.Key_End, SHIFT)
    assert chosen(view) == list(range(48, 100))


def test_a_rubber_band_takes_the_tiles_it_touches(view: TileView) -> None:
    surface = view.viewport()
    QTest.mousePress(surface, LEFT, NONE, QPoint(397, 120))
    QTest.mouseMove(surface, QPoint(390, 90))
    QTest.mouseMove(surface, QPoint(210, 60))
    assert chosen(view) == [6, 7, 10, 11]
    QTest.mouseRelease(surface, LEFT, NONE, QPoint(210, 60))
    assert chosen(view) == [6, 7, 10, 11]


def test_the_current_tile_stays_in_sight_when_there_is_less_room(view: TileView) -> None:
    click(view, 9)
    assert view.visualRect(view.currentIndex()).bottom() < 160
    view.resize(view.width(), 120)
    assert view.visualRect(view.currentIndex()).bottom() < view.viewport().height()
    view.verticalScrollBar().setValue(10_000)
    view.resize(view.width(), 100)
    assert view.verticalScrollBar().value() > 100  # one that was not in sight does not call the view back


def test_rows_that_come_and_go_are_followed(view: TileView) -> None:
    model = view.model()
    assert isinstance(model, Numbers)
    view.verticalScrollBar().setValue(10_000)
    model.now(3)
    assert view.verticalScrollBar().maximum() == 0
    assert view.indexAt(QPoint(250, 25)).row() == 2
    model.now(0)
    assert view.indexAt(QPoint(50, 25)).row() == -1
    QTest.keyClick(view, Key.Key_Down)
    assert not view.currentIndex().isValid()
    model.now(1000)
    assert view.verticalScrollBar().maximum() == 250 * 50 - view.viewport().height()


def test_of_a_million_only_those_in_sight_are_asked_for(view: TileView) -> None:
    model = view.model()
    assert isinstance(model, Numbers)
    model.now(1_000_000)
    model.asked.clear()
    view.viewport().repaint()
    assert model.asked == set(range(16))
    view.setCurrentIndex(model.index(500_000, 0))
    model.asked.clear()
    view.viewport().repaint()
    assert 500_000 in model.asked
    assert len(model.asked) <= 20
    model.indexed = 0
    view.selectAll()
    assert [len(rows) for rows in view.chosen_rows()] == [1_000_000]
    assert model.indexed < 100


def test_the_first_tile_in_sight_stays_when_the_window_becomes_wider(view: TileView) -> None:
    model = view.model()
    assert isinstance(model, Numbers)
    model.now(10_000)
    view.verticalScrollBar().setValue(50 * 1000)  # row 4000 is the first
    view.resize(840, 175)
    assert view.indexAt(QPoint(5, 5)).row() == 4000


def test_a_rubber_band_held_below_the_tiles_scrolls_on(
    view: TileView, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = view.model()
    assert isinstance(model, Numbers)
    model.now(400)
    view.resize(460, 175)
    surface = view.viewport()
    below = QPoint(20, surface.height() + 30)
    monkeypatch.setattr(QCursor, "pos", lambda: surface.mapToGlobal(below))
    QTest.mousePress(surface, LEFT, NONE, QPoint(surface.width() - 3, 20))
    QTest.mouseMove(surface, QPoint(390, 60))
    QTest.mouseMove(surface, below)
    qtbot.waitUntil(lambda: view.verticalOffset() > 500)
    QTest.mouseRelease(surface, LEFT, NONE, below)
    offset = view.verticalOffset()
    taken = chosen(view)
    assert taken[:4] == [0, 1, 2, 3]
    assert taken == list(range(len(taken)))
    assert len(taken) >= 4 * (offset // 50)
    assert not view._beyond.isActive(), "it ends with the button"


def test_words_stand_where_there_is_nothing(view: TileView) -> None:
    model = view.model()
    assert isinstance(model, Numbers)
    model.now(0)
    empty = view.grab().toImage()
    view.hint = "Nothing is here"
    assert view.grab().toImage() != empty


def test_hovering_paints_the_two_tiles_whose_mark_changes(view: TileView, monkeypatch: pytest.MonkeyPatch) -> None:
    model = view.model()
    assert isinstance(model, Numbers)

    def hover(row: int, kind: QEvent.Type = QEvent.Type.HoverMove) -> set[int]:
        """The rows that are painted when the pointer comes to a tile."""
        at = view.visualRect(model.index(row, 0)).center()
        monkeypatch.setattr(QCursor, "pos", lambda: view.viewport().mapToGlobal(at))
        QApplication.processEvents()
        model.asked.clear()
        QApplication.sendEvent(view.viewport(), QHoverEvent(kind, QPointF(at), QPointF(at), QPointF(at)))
        QApplication.processEvents()
        return set(model.asked)

    hover(1)
    assert hover(2) == {1, 2}
    assert hover(2) == set()
    assert 2 in hover(2, QEvent.Type.HoverLeave)  # Qt paints more then


def test_a_screen_reader_says_the_tile_that_the_keyboard_comes_to(
    view: TileView, announced: list[tuple[str, bool]]
) -> None:
    view.clearFocus()
    view.setCurrentIndex(view.model().index(2, 0))
    assert announced == []
    view.setFocus()
    QTest.keyClick(view, Key.Key_Down)
    assert announced == [("tile 2, unlabelled, 3 of 22", False), ("tile 6, unlabelled, 7 of 22", False)]


def test_a_screen_reader_finds_a_list_with_the_tiles_as_its_items(view: TileView) -> None:
    """It found a view without anything in it, and heard only of where the keyboard came to."""
    model, told = view.model(), QAccessible.queryAccessibleInterface(view)
    assert isinstance(model, Numbers)
    assert (told.role(), told.childCount()) == (QAccessible.Role.List, 22)
    item = told.child(6)
    assert item.role() == QAccessible.Role.ListItem
    assert item.text(QAccessible.Text.Name) == "tile 6\nunlabelled"
    there = view.visualRect(model.index(6, 0))
    assert item.rect() == there.translated(view.viewport().mapToGlobal(QPoint()))
    assert told.childAt(*item.rect().center().toTuple()).text(QAccessible.Text.Name) == "tile 6\nunlabelled"
    click(view, 6)
    assert item.state().selected
    model.now(3)
    assert told.childCount() == 3
