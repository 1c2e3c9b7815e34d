"""A plain list with a colour, text, and something on the right (a key, a number, a size): labels, boxes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QKeyEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QAbstractItemView, QListView, QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from workbench.ui import theme
from workbench.ui.actions import with_keys
from workbench.ui.widgets.elided import cut_apart
from workbench.ui.widgets.empty_state import paint_hint
from workbench.ui.widgets.tooltips import plain

ROW = Qt.ItemDataRole.UserRole
HEIGHT = 28
_Index = QModelIndex | QPersistentModelIndex
_NO_INDEX = QModelIndex()
MOVING_KEYS = (
    Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_PageUp, Qt.Key.Key_PageDown, Qt.Key.Key_Home, Qt.Key.Key_End,
)  # fmt: skip


def ranges(rows: Sequence[int]) -> list[range]:
    """Ascending row numbers as ranges: a selection of ten thousand single rows takes Qt half a second."""
    made: list[range] = []
    for row in rows:
        if made and made[-1].stop == row:
            made[-1] = range(made[-1].start, row + 1)
        else:
            made.append(range(row, row + 1))
    return made


@dataclass(frozen=True, slots=True)
class ListRow:
    """One line. `before` is left of the text (a key), `beside` at the right edge."""

    id: int
    words: str
    beside: str = ""
    colour: str = ""
    before: str = ""
    tip: str = ""


class RowsModel(QAbstractListModel):
    """Rows that are replaced as a whole; if ids and order stay, so does the selection."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.rows: tuple[ListRow, ...] = ()
        self.indents = False  # a row has something before its text: then all leave room for it
        self.names: frozenset[str] = frozenset()  # what must be told apart where it is elided

    def set_rows(self, rows: Sequence[ListRow], names: Iterable[str] = ()) -> None:
        """`names`: further ones that must be told apart from those of the rows."""
        new = tuple(rows)
        self.names = frozenset((*names, *(row.words for row in new)))
        self.indents = any(row.before for row in new)
        if [row.id for row in new] == [row.id for row in self.rows]:
            self.rows = new
            if new:
                self.dataChanged.emit(self.index(0), self.index(len(new) - 1))
            return
        self.beginResetModel()
        self.rows = new
        self.endResetModel()

    def row_of(self, id: int) -> int:
        return next((number for number, row in enumerate(self.rows) if row.id == id), -1)

    def rowCount(self, parent: _Index = _NO_INDEX) -> int:
        return 0 if parent.isValid() else len(self.rows)

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        row = self.rows[index.row()]
        texts = {
            Qt.ItemDataRole.DisplayRole: row.words,
            Qt.ItemDataRole.ToolTipRole: plain(row.tip or row.words),
            Qt.ItemDataRole.AccessibleTextRole: row.tip
            or ", ".join(filter(None, (row.words, row.beside, row.before and f"key {row.before}"))),
        }
        return row if role == ROW else texts.get(Qt.ItemDataRole(role))


class RowsDelegate(QStyledItemDelegate):
    """Paints a ListRow."""

    def sizeHint(self, option: QStyleOptionViewItem, index: _Index) -> QSize:
        return QSize(80, HEIGHT)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: _Index) -> None:
        row: ListRow = index.data(ROW)
        area = QRectF(option.rect)  # type: ignore[attr-defined]
        state = option.state  # type: ignore[attr-defined]
        chosen = bool(state & QStyle.StateFlag.State_Selected)
        painter.save()
        if chosen:
            painter.fillRect(area, theme.colour("accent"))
        elif state & QStyle.StateFlag.State_MouseOver:
            painter.fillRect(area, theme.colour("hover"))
        ink, quiet = ("on_accent", "on_accent") if chosen else ("text", "muted")
        x = area.x() + 8
        if row.colour:
            painter.setPen(theme.colour("border"))
            painter.setBrush(QColor(row.colour))
            painter.drawRoundedRect(QRectF(x, area.center().y() - 6, 12, 12), 2, 2)
            x += 20
        model = index.model()
        if isinstance(model, RowsModel) and model.indents:
            painter.setPen(theme.colour(quiet))
            painter.drawText(QRectF(x, area.y(), 14, area.height()), _MIDDLE, row.before)
            x += 18
        metrics = painter.fontMetrics()
        right = area.right() - 8
        painter.setPen(theme.colour(quiet))
        width = metrics.horizontalAdvance(row.beside)
        painter.drawText(QRectF(right - width, area.y(), width + 1, area.height()), _MIDDLE, row.beside)
        room = QRectF(x, area.y(), max(0.0, right - width - 8 - x), area.height())
        painter.setPen(theme.colour(ink))
        names = model.names if isinstance(model, RowsModel) else ()
        cut = cut_apart(row.words, names, metrics, int(room.width()))
        painter.drawText(room, _MIDDLE, cut)
        painter.restore()


_MIDDLE = int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft)


class NavigationListView(QListView):
    """A list that handles only the keys that move in it: letters and Space are the page's commands."""

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in MOVING_KEYS:
            super().keyPressEvent(event)
        else:
            event.ignore()


class RowsView(NavigationListView):
    """The list view. `hint` is shown while it is empty; {name} in it stands for a command's key."""

    def __init__(self, name: str, accessible: str, hint: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._hint = hint
        self.setObjectName(name)
        self.setAccessibleName(accessible)
        self.setProperty("role", "flat")
        self.rows = RowsModel(self)
        self.setModel(self.rows)
        self.setItemDelegate(RowsDelegate(self))
        self.setUniformItemSizes(True)
        self.setMouseTracking(True)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if self._hint and not self.rows.rows:
            paint_hint(self, self.hint)

    @property
    def hint(self) -> str:
        """What is shown while it is empty."""
        return with_keys(self._hint)

    def chosen(self) -> list[int]:
        """Ids of the selected rows."""
        return [index.data(ROW).id for index in self.selectionModel().selectedIndexes()]
