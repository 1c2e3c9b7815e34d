"""Ctrl+K: type a few letters of a command, an image or a label; Enter runs, shows or chooses it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QModelIndex, QObject, QPoint, Qt, Slot
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QFrame, QLabel, QLineEdit, QVBoxLayout, QWidget

from workbench.core.folding import folded
from workbench.ui import theme
from workbench.ui.widgets.announcements import announce
from workbench.ui.widgets.rows import ListRow, RowsView

HELP, LABEL, PROJECT, IMAGE, SETTING = KINDS = ("help", "label", "project", "image", "setting")
"""The kind shown beside an entry that has no key."""
SHOWN = 60
"""Rows listed at once: more than anyone reads."""
OTHER_WORDS = {
    "accuracy": "look: run", "annotat": "box", "bbox": "box", "bounding": "box", "categor": "label", "class": "label",
    "dataset": "data", "evaluat": "look: run", "inference": "predict", "threshold": "confidence",
}  # fmt: skip
"""Words of other programs, by their beginnings, and what that is called here."""
ENOUGH = 4
"""Letters of a word from which on it is taken for one of OTHER_WORDS, and searched in the texts of help pages."""
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
            entry, typed, over = self._found[index.row()], self._field.text().split(), self._over
            self.close()
            entry.act()
            if entry.beside == HELP and not _has(entry, [folded(word) for word in typed]):
                _show_place(over, entry, folded(typed[0]))


def _show_place(window: QWidget, page: FinderEntry, word: str) -> None:
    """In the help page that was opened just now: where it has this word, or else what that is called here."""
    from workbench.ui.window.help_window import HelpWindow

    for shown in window.findChildren(HelpWindow):
        if shown.isVisible():
            shown.search(word if word in folded(page.about) else _ours(word))


def _matching(entries: Sequence[FinderEntry], text: str) -> list[FinderEntry]:
    """Things whose words or kind contain every typed word: equal names first, then those that begin with the text,
    then those with a word that does, then those whose explanation has the words, then those that have this program's
    word for one of another; help pages last. Keys are not searched: "tr" would find every one with Ctrl.

    Where there is nothing: help pages with these words anywhere in them, those with most of them first.
    """
    wanted = folded(text).split()
    if not wanted:
        return list(entries[:SHOWN])
    ours = [_ours(word) for word in wanted]
    found = [(entry, 0, _rank(entry, wanted)) for entry in entries if _has(entry, wanted)]
    if ours != wanted:
        found += [(entry, 1, _rank(entry, ours)) for entry in entries if _has(entry, ours) and not _has(entry, wanted)]
    found.sort(key=lambda one: (one[0].beside == HELP, *one[1:]))
    if found:
        return [entry for entry, *_ in found[:SHOWN]]
    pages = [entry for entry in entries if entry.beside == HELP and _times_told(entry, wanted, ours)]
    return sorted(pages, key=lambda page: -_times_told(page, wanted, ours))


def _ours(word: str) -> str:
    """What a word of another program, or its beginning, is called here; else the word itself."""
    fits = (ours for theirs, ours in OTHER_WORDS.items() if word.startswith(theirs) or theirs.startswith(word))
    return next(fits, word) if len(word) >= ENOUGH else word


def _has(entry: FinderEntry, wanted: Sequence[str]) -> bool:
    about = entry.about if entry.beside != HELP else ""  # the text of a page has nearly every word
    searched = folded(f"{entry.words} {entry.beside if entry.beside in KINDS else ''} {about}")
    return all(word in searched for word in wanted)


def _times_told(page: FinderEntry, wanted: Sequence[str], ours: Sequence[str]) -> int:
    """How often a help page has all of these words, as they were typed and as they are called here."""
    text, long = folded(page.about), all(len(word) >= ENOUGH for word in wanted)
    return sum(min(text.count(word) for word in words) for words in (wanted, ours)) if long else 0


def _rank(entry: FinderEntry, wanted: Sequence[str]) -> int:
    words, text = folded(entry.words), " ".join(wanted)
    if words.startswith(text):
        return int(words != text)
    if f" {text}" in words:
        return 2
    return 3 if not entry.about or all(word in words for word in wanted) else 4
