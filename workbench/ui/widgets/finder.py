"""Ctrl+K: type a few letters of a command, an image or a label, and Enter does it, shows it or chooses it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QObject, QPoint, Qt, Slot
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QFrame, QLineEdit, QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from workbench.ui import theme

SHOWN = 60
"""Rows listed at once: more than anyone reads."""
_WIDTH, _HEIGHT = 560, 420


@dataclass(frozen=True, slots=True)
class Found:
    """One thing that can be found: its words, what is said beside them, and what choosing it does."""

    words: str
    beside: str
    act: Callable[[], object]


class Finder(QFrame):
    """A pop-up over `parent`. `things` are searched in their order; all typed words must occur."""

    def __init__(self, things: Sequence[Found], parent: QWidget) -> None:
        super().__init__(parent, Qt.WindowType.Popup)
        self.setObjectName("finder")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self._over = parent
        self._things = things
        self._field = QLineEdit(placeholderText="Command, image or label")
        self._field.setObjectName("finder-field")
        self._field.installEventFilter(self)
        self._list = QListWidget()
        self._list.setObjectName("finder-list")
        self._list.setProperty("role", "flat")
        self._list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(theme.GRID, theme.GRID, theme.GRID, theme.GRID)
        layout.addWidget(self._field)
        layout.addWidget(self._list)
        self._field.textChanged.connect(self._fill)
        self._list.itemClicked.connect(self._choose)
        self.resize(_WIDTH, _HEIGHT)
        self._fill("")

    def open(self) -> None:
        """Show it at the top middle of its parent."""
        parent = self._over
        self.move(parent.mapToGlobal(QPoint((parent.width() - _WIDTH) // 2, 48)))
        self.show()
        self._field.setFocus()

    @Slot(str)
    def _fill(self, text: str) -> None:
        self._list.clear()
        for thing in _matching(self._things, text):
            item = QListWidgetItem(f"{thing.words}    {thing.beside}" if thing.beside else thing.words)
            item.setData(Qt.ItemDataRole.UserRole, thing)
            self._list.addItem(item)
        self._list.setCurrentRow(0)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Up, Down and Enter act on the list while the field keeps the keyboard."""
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            step = {Qt.Key.Key_Down: 1, Qt.Key.Key_Up: -1}.get(Qt.Key(event.key()))
            if step:
                row = self._list.currentRow() + step
                self._list.setCurrentRow(max(0, min(self._list.count() - 1, row)))
                return True
            if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
                self._choose(self._list.currentItem())
                return True
            if event.key() == Qt.Key.Key_Escape:
                self.close()
                return True
        return False

    @Slot(QListWidgetItem)
    def _choose(self, item: QListWidgetItem | None) -> None:
        if item is None:
            return
        thing: Found = item.data(Qt.ItemDataRole.UserRole)
        self.close()
        thing.act()


def _matching(things: Iterable[Found], text: str) -> list[Found]:
    """Things whose words hold every typed word, those that begin with the text first."""
    wanted = text.casefold().split()
    found = [thing for thing in things if all(word in thing.words.casefold() for word in wanted)]
    if wanted:
        found.sort(key=lambda thing: not thing.words.casefold().startswith(wanted[0]))
    return found[:SHOWN]
