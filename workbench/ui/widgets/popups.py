"""Menus and drop-down lists that keep the letters typed into them.

A key without a modifier is a command of the page below (N: the next image), and Qt passes it through an open menu or
list while the page has the focus: typing the beginning of a label to jump to it marked an image as empty.
"""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QContextMenuEvent, QKeyEvent
from PySide6.QtWidgets import QAbstractItemView, QComboBox, QLabel, QMenu, QStyledItemDelegate, QWidget

_HELD = Qt.KeyboardModifier.ShiftModifier | Qt.KeyboardModifier.KeypadModifier

_MOST = 20
"""Entries that a list shows at once: all detectors, but not hundreds of labels. Qt would fill the screen."""


def _takes(event: QEvent) -> bool:
    """Whether the pop-up uses the key itself; then it is accepted, and comes again as a key press."""
    if event.type() != QEvent.Type.ShortcutOverride or not isinstance(event, QKeyEvent) or event.modifiers() & ~_HELD:
        return False
    event.accept()
    return True


class Menu(QMenu):
    """A menu; `below` adds a submenu."""

    def event(self, event: QEvent) -> bool:
        return _takes(event) or super().event(event)

    def below(self, title: str) -> Menu:
        """A new submenu, opened from an entry of this one."""
        menu = Menu(title, self)
        self.addMenu(menu)
        return menu


class Combo(QComboBox):
    """A drop-down list in which typing finds an entry. A long one scrolls.

    Its accessible name comes from a label that has it as buddy: on Linux Qt reports the current entry as the name
    of the list itself, whatever its accessibleName says. Without a visible label there is a hidden one.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setMaxVisibleItems(_MOST)
        self.setItemDelegate(QStyledItemDelegate(self))  # Qt's own for combo boxes takes no height from a style sheet
        self.view().installEventFilter(self)

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Polish:  # it has its final parent now
            self._label()
        return super().event(event)

    def _label(self) -> None:
        name, parent = self.accessibleName(), self.parentWidget()
        if not name or parent is None:
            return
        siblings = parent.findChildren(QLabel, options=Qt.FindChildOption.FindDirectChildrenOnly)
        if all(label.buddy() is not self for label in siblings):
            label = QLabel(name, parent)
            label.hide()
            label.setBuddy(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        _takes(event)  # and the list's own filter sees it too, as Return and Escape require
        return super().eventFilter(watched, event)


class MenuKeyFilter(QObject):
    """Makes the menu key open the menu of a list's current row: Qt opens it in the middle, where there may be none."""

    def __init__(self, view: QAbstractItemView) -> None:
        super().__init__(view)
        self._view = view
        view.installEventFilter(self)

    def eventFilter(self, _watched: QObject, event: QEvent) -> bool:
        index = self._view.currentIndex()
        if not isinstance(event, QContextMenuEvent) or event.reason() != QContextMenuEvent.Reason.Keyboard:
            return False
        if index.isValid():
            self._view.customContextMenuRequested.emit(self._view.visualRect(index).center())
        return True
