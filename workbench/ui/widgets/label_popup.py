"""Choose a label by typing part of its name, or make a new one: at the pointer; Enter takes the first, Esc none."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from PySide6.QtCore import QEvent, QObject, QPoint, QSize, Qt, Signal, Slot
from PySide6.QtGui import QGuiApplication, QKeyEvent
from PySide6.QtWidgets import QFrame, QLabel, QLineEdit, QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from workbench.core.folding import folded
from workbench.core.project import Label
from workbench.ui import theme
from workbench.ui.icons import swatch
from workbench.ui.widgets.announcements import announce
from workbench.ui.widgets.tooltips import plain

_WIDTH, _ROWS, _ROW = 260, 12, 22

_STEPS = {Qt.Key.Key_Down: 1, Qt.Key.Key_Up: -1, Qt.Key.Key_PageDown: _ROWS - 1, Qt.Key.Key_PageUp: 1 - _ROWS}


class LabelPopup(QFrame):
    """Emits exactly one of `chosen(label id)`, `created(name)`, `cancelled()`, then closes.

    `is_shifted`: the answer was given with Shift; `hint` says what that means, or what the answer does.
    `may_make`: a name that doesn't exist is offered as a new label. While nothing is typed, `labels` keep their order.
    """

    chosen = Signal(int)
    created = Signal(str)
    cancelled = Signal()

    def __init__(self, labels: Sequence[Label], parent: QWidget, hint: str = "", *, may_make: bool = True) -> None:
        super().__init__(parent, Qt.WindowType.Popup)
        self.setObjectName("label-popup")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self._labels = tuple(labels)
        self._may_make = may_make
        self._answered = False
        self.is_shifted = False
        words = "Find a label, or make a new one" if labels else "Name of the first label, such as cell"
        words = words if may_make else "Find a label"
        self._field = QLineEdit(placeholderText=words)
        self._field.setObjectName("label-popup-field")
        self._field.setAccessibleName("Label")
        self._field.installEventFilter(self)
        self._list = QListWidget()
        self._list.setObjectName("label-popup-list")
        self._list.setProperty("role", "flat")
        self._list.setTextElideMode(Qt.TextElideMode.ElideMiddle)  # long names often differ only at the end
        self._list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)  # a bar would prevent eliding
        self._list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._list.setIconSize(QSize(12, 12))  # that of the swatches, so that all names begin at the same place
        layout = QVBoxLayout(self)
        layout.setContentsMargins(theme.GRID, theme.GRID, theme.GRID, theme.GRID)
        layout.addWidget(self._field)
        layout.addWidget(self._list)
        room = 0
        if hint:
            below = QLabel(hint, wordWrap=True, textFormat=Qt.TextFormat.PlainText)
            below.setObjectName("label-popup-hint")
            below.setProperty("role", "muted")
            layout.addWidget(below)
            room = below.heightForWidth(_WIDTH - 2 * theme.GRID) + theme.GRID
        self._field.textChanged.connect(self._fill)
        self._list.itemClicked.connect(self._take)
        self._list.currentTextChanged.connect(lambda name: announce(self._list, name))
        self._fill("")
        rows = min(_ROWS, max(1, len(labels) + 1))
        self.resize(_WIDTH, 56 + room + rows * _ROW)

    def open_at(self, point: QPoint) -> None:
        """Show it with a corner at a point of the screen, entirely on that screen."""
        screen = QGuiApplication.screenAt(point) or QGuiApplication.primaryScreen()
        room = screen.availableGeometry()
        self.ensurePolished()
        self.resize(self.size().expandedTo(self.minimumSizeHint()))  # the size that showing would give it
        x = max(room.left(), min(point.x(), room.right() - self.width()))
        y = max(room.top(), min(point.y(), room.bottom() - self.height()))
        self.move(x, y)
        self.show()
        self._field.setFocus()

    @Slot(str)
    def _fill(self, text: str) -> None:
        self._list.clear()
        name = text.strip()
        wanted = folded(name)
        found = [label for label in self._labels if wanted in folded(label.name)]
        if wanted:
            found.sort(key=lambda label: (_far(label.name, name), label.position))
        for label in found:
            item = QListWidgetItem(swatch(label.colour), label.name)
            item.setToolTip(plain(label.name))
            item.setData(Qt.ItemDataRole.UserRole, label.id)
            self._list.addItem(item)
        if self._may_make and name and not any(_looks_like(label.name, name) for label in self._labels):
            item = QListWidgetItem(theme.icon("mdi6.plus"), f"New label '{name}'")
            item.setData(Qt.ItemDataRole.UserRole, name)
            self._list.addItem(item)
        if not self._list.count():  # an empty frame would tell new users nothing
            item = QListWidgetItem("Type a name, then press Enter." if self._may_make else "No label is called that.")
            item.setFlags(Qt.ItemFlag.NoItemFlags)
            self._list.addItem(item)
            announce(self._list, item.text())
            return
        for row in range(self._list.count()):
            self._list.item(row).setSizeHint(QSize(0, _ROW))
        self._list.setCurrentRow(0)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            step = _STEPS.get(Qt.Key(event.key()))
            if step:
                self._list.setCurrentRow(max(0, min(self._list.count() - 1, self._list.currentRow() + step)))
                return True
            if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
                self.is_shifted = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
                self._take(self._list.currentItem())
                return True
            if event.key() == Qt.Key.Key_Escape:
                self.close()
                return True
        return False

    @Slot(QListWidgetItem)
    def _take(self, item: QListWidgetItem | None) -> None:
        if item is None or not item.flags() & Qt.ItemFlag.ItemIsEnabled:
            return
        value = item.data(Qt.ItemDataRole.UserRole)
        self._answered = True
        self.close()
        if isinstance(value, int):
            self.chosen.emit(value)
        else:
            self.created.emit(str(value))

    def hideEvent(self, event: QEvent) -> None:  # type: ignore[override]
        """However it was closed: by Esc, a click beside it, or the window losing the focus."""
        if not self._answered:
            self._answered = True
            self.cancelled.emit()


def _looks_like(name: str, typed: str) -> bool:
    return unicodedata.normalize("NFC", name) == unicodedata.normalize("NFC", typed)


def _far(name: str, typed: str) -> int:
    """How far a label's name is from the typed text: 0 equal, 1 except for case, 2 begins with it, 3 else."""
    whole, wanted = folded(name), folded(typed)
    return 0 if _looks_like(name, typed) else 1 if whole == wanted else 2 if whole.startswith(wanted) else 3
