"""Ctrl+K: type a few letters of a command, an image or a label; Enter runs, shows or chooses it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QModelIndex, QObject, QPoint, Qt, Slot
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QFrame, QLabel, QLineEdit, QVBoxLayout, QWidget

from workbench.ui import theme
from workbench.ui.widgets.announcements import announce
from workbench.ui.widgets.rows import ListRow, RowsView

HELP, LABEL, PROJECT, IMAGE, SETTING = KINDS = ("help", "label", "project", "image", "setting")
"""The kind shown beside an entry that has no key."""
SHOWN = 60
"""Rows listed at once: more than anyone reads."""
_WIDTH, _HEIGHT = 560, 420
_NONE = "Nothing is called that. Try one word, or its beginning: split, anchors. The word help lists the help pages."


@dataclass(frozen=True, slots=True)
class FinderEntry:
    """One entry: its words, the text beside them, what choosing it does, and what explains it: searched, not shown."""

    words: str
    beside: str
    act: Callable[[], object]
    about: str = ""


Search = Callable[[Sequence[str]], Sequence[FinderEntry]]


class Finder(QFrame):
    """A pop-up over `parent`. `entries` are searched in order; every typed word must occur.

    `more` searches what is too much to list: it gets the typed words and returns entries that contain all of them.
    """

    def __init__(self, entries: Sequence[FinderEntry], more: Search, parent: QWidget) -> None:
        super().__init__(parent, Qt.WindowType.Popup)
        self.setObjectName("finder")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self._over = parent
        self._entries = entries
        self._more = more
        self._field = QLineEdit(placeholderText="Command, image or label")
        self._field.setObjectName("finder-field")
        self._field.setAccessibleName("Command, image or label")
        self._field.installEventFilter(self)
        self._found: list[FinderEntry] = []
        self._list = RowsView("finder-list", "What was found")
        self._list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._none = QLabel(_NONE, wordWrap=True, alignment=Qt.AlignmentFlag.AlignTop)
        self._none.setObjectName("finder-none")
        self._none.setProperty("role", "muted")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(theme.GRID, theme.GRID, theme.GRID, theme.GRID)
        layout.addWidget(self._field)
        layout.addWidget(self._list, 1)
        layout.addWidget(self._none, 1)
        self._field.textChanged.connect(self._fill)
        self._list.clicked.connect(self._choose)
        self.resize(_WIDTH, _HEIGHT)
        self._fill("")

    def open(self) -> None:
        """Show it at the top centre of its parent."""
        parent = self._over
        self.move(parent.mapToGlobal(QPoint((parent.width() - _WIDTH) // 2, 48)))
        self.show()
        self._field.setFocus()

    @Slot(str)
    def _fill(self, text: str) -> None:
        self._found = _matching([*self._entries, *self._more(text.split())], text)
        self._list.rows.set_rows([ListRow(number, t.words, t.beside) for number, t in enumerate(self._found)])
        self._go_to(0)
        self._list.setVisible(bool(self._found))
        self._none.setVisible(not self._found)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Up, Down and Enter act on the list while the field keeps the focus."""
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            step = {Qt.Key.Key_Down: 1, Qt.Key.Key_Up: -1}.get(Qt.Key(event.key()))
            if step:
                self._go_to(max(0, min(len(self._found) - 1, self._list.currentIndex().row() + step)))
                return True
            if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
                self._choose(self._list.currentIndex())
                return True
            if event.key() == Qt.Key.Key_Escape:
                self.close()
                return True
        return False

    def _go_to(self, row: int) -> None:
        self._list.setCurrentIndex(self._list.rows.index(row))
        announce(self._list, self._list.currentIndex().data(Qt.ItemDataRole.AccessibleTextRole) or _NONE)

    @Slot(QModelIndex)
    def _choose(self, index: QModelIndex) -> None:
        if index.isValid():
            entry = self._found[index.row()]
            self.close()
            entry.act()


def _matching(entries: Iterable[FinderEntry], text: str) -> list[FinderEntry]:
    """Things whose words or kind contain every typed word: equal names first, then those that begin with the text,
    then those with a word that does, then those whose explanation has the words; help pages last. Keys are not
    searched: "tr" would find every one with Ctrl.
    """
    wanted = text.casefold().split()
    found = [entry for entry in entries if all(word in _searched(entry) for word in wanted)]
    if wanted:
        found.sort(key=lambda entry: (entry.beside == HELP, _rank(entry, wanted)))
    return found[:SHOWN]


def _searched(entry: FinderEntry) -> str:
    return f"{entry.words} {entry.beside if entry.beside in KINDS else ''} {entry.about}".casefold()


def _rank(entry: FinderEntry, wanted: Sequence[str]) -> int:
    words, text = entry.words.casefold(), " ".join(wanted)
    if words.startswith(text):
        return int(words != text)
    if f" {text}" in words:
        return 2
    return 3 if not entry.about or all(word in words for word in wanted) else 4
