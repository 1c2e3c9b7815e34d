"""The ways to another image in a random walk: by keys, lists, the gallery, search and the palette."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractItemView, QApplication, QLineEdit

from tests.promises.walking import CTRL, LEFT, NONE, SHIFT, Walk
from tests.ui.window_driver import find


def next_image(walk: Walk) -> None:
    walk.hand.key(Qt.Key.Key_D)
    walk.model.shown = walk.model.neighbour(1)


def previous_image(walk: Walk) -> None:
    walk.hand.key(Qt.Key.Key_A)
    walk.model.shown = walk.model.neighbour(-1)


def next_unlabelled(walk: Walk) -> None:
    step = walk.random.choice((1, -1))
    walk.hand.key(Qt.Key.Key_D if step > 0 else Qt.Key.Key_A, SHIFT)
    walk.model.shown = walk.model.unlabelled(step)


def by_the_list(walk: Walk) -> None:
    row = walk.random.randrange(len(walk.model.names))
    walk.click_row(find(walk.window, QAbstractItemView, "image-list"), row)
    walk.model.shown = walk.model.names[row]


def by_a_double_click(walk: Walk) -> None:
    row = walk.random.randrange(len(walk.model.names))
    QTest.keyClick(walk.window, Qt.Key.Key_1, CTRL)
    gallery = find(walk.window, QAbstractItemView, "gallery")
    walk.click_row(gallery, row)
    QTest.mouseDClick(gallery.viewport(), LEFT, NONE, gallery.visualRect(gallery.model().index(row, 0)).center())
    walk.model.shown = walk.model.names[row]


def by_the_gallery(walk: Walk) -> None:
    row = walk.random.randrange(len(walk.model.names))
    QTest.keyClick(walk.window, Qt.Key.Key_1, CTRL)
    walk.click_row(find(walk.window, QAbstractItemView, "gallery"), row)
    walk.model.shown = walk.model.names[row]


def by_search(walk: Walk) -> None:
    name = walk.random.choice(walk.model.names)
    field = find(walk.window, QLineEdit, "image-filter-text")
    field.setFocus()
    QTest.keyClicks(field, name)
    walk.click_row(find(walk.window, QAbstractItemView, "image-list"), 0)
    field.clear()
    walk.model.shown = name


def by_the_palette(walk: Walk) -> None:
    name = walk.random.choice(walk.model.names)
    _find(walk, name)
    walk.model.shown = name


def by_a_command_of_the_palette(walk: Walk) -> None:
    _find(walk, "previous image")
    walk.model.shown = walk.model.neighbour(-1)


def _find(walk: Walk, words: str) -> None:
    QTest.keyClick(walk.window, Qt.Key.Key_K, CTRL)
    finder = QApplication.activePopupWidget()
    assert finder is not None
    field = find(finder, QLineEdit, "finder-field")
    QTest.keyClicks(field, words)
    QTest.keyClick(field, Qt.Key.Key_Return)
