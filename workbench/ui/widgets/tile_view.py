"""Tiles of equal height in rows, as many as fit side by side: a million of them cost no more than a screenful.

A tile's place follows from its row number alone, so nothing is laid out or stored per tile.
"""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import (
    QEvent,
    QItemSelection,
    QItemSelectionModel,
    QModelIndex,
    QPersistentModelIndex,
    QPoint,
    QRect,
    QRectF,
    QSize,
    Qt,
    QTimer,
    Slot,
)
from PySide6.QtGui import (
    QCursor,
    QFocusEvent,
    QKeyEvent,
    QKeySequence,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QRegion,
    QResizeEvent,
)
from PySide6.QtWidgets import QAbstractItemView, QListView, QStyle, QStyleOptionViewItem, QWidget

from workbench.ui import theme
from workbench.ui.widgets.announcements import announce
from workbench.ui.widgets.rows import MOVING_KEYS

_Index = QModelIndex | QPersistentModelIndex
_KEYS = (*MOVING_KEYS, Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Return, Qt.Key.Key_Enter)
_Move = QAbstractItemView.CursorAction
_SCROLL_EVERY = 40
"""Milliseconds between scroll steps while a rubber band is held outside."""


class TileView(QListView):
    """Shows column 0 of a model that changes by resets. It handles only the keys that move in it.

    A QListView only for screen readers: Qt tells them of its items, and of none in a view of a kind of its own. How it
    lays out its rows and moves in them is not used: that takes 0.2 s for 100,000 at every change.
    """

    def __init__(self, name: str, accessible: str, tile: QSize, hint: str = "", parent: QWidget | None = None) -> None:
        """`tile`: a tile's least width and its height, in px."""
        super().__init__(parent)
        self.setObjectName(name)
        self.setAccessibleName(accessible)
        self.setProperty("role", "flat")
        self.hint = hint  # shown if there are no rows
        self._tile = tile
        self._hovered = -1  # the row under the pointer
        self._pressed = QPoint()  # where a rubber band begins, in pixels of the whole content
        self._beyond = QTimer(self, interval=_SCROLL_EVERY)
        self._beyond.timeout.connect(self._scroll_on)
        self.setMouseTracking(True)
        self.viewport().setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)

    # --- layout ---

    @property
    def columns(self) -> int:
        return max(1, self.viewport().width() // self._tile.width())

    @property
    def _wide(self) -> int:
        """Pixels from one tile to the next: a line's spare width is shared among its tiles."""
        return max(self._tile.width(), self.viewport().width() // self.columns)

    def _count(self) -> int:
        model = self.model()
        return model.rowCount(self.rootIndex()) if model is not None else 0

    def _place(self, row: int) -> QRect:
        """The tile of a row, in viewport pixels."""
        line, column = divmod(row, self.columns)
        x, y = column * self._wide, line * self._tile.height() - self.verticalOffset()
        return QRect(x, y, self._wide, self._tile.height())

    def _rows_in(self, area: QRect) -> list[range]:
        """The rows whose tiles intersect an area of the viewport: a range for each line."""
        wide, high, columns = self._wide, self._tile.height(), self.columns
        left, right = max(0, area.left() // wide), min(columns - 1, area.right() // wide)
        top = max(0, (area.top() + self.verticalOffset()) // high)
        bottom = min((area.bottom() + self.verticalOffset()) // high, (self._count() - 1) // columns)
        lines = range(top, bottom + 1)
        found = (range(line * columns + left, min(line * columns + right + 1, self._count())) for line in lines)
        return [rows for rows in found if len(rows)]

    def visualRect(self, index: _Index) -> QRect:
        return self._place(index.row()) if index.isValid() else QRect()

    def indexAt(self, point: QPoint) -> QModelIndex:
        rows = self._rows_in(QRect(point, QSize(1, 1))) if self.viewport().rect().contains(point) else []
        return self.model().index(rows[0][0], 0, self.rootIndex()) if rows else QModelIndex()

    def horizontalOffset(self) -> int:
        return 0

    def verticalOffset(self) -> int:
        return self.verticalScrollBar().value()

    def isIndexHidden(self, _index: _Index) -> bool:
        return False

    def scrollTo(
        self, index: _Index, hint: QAbstractItemView.ScrollHint = QAbstractItemView.ScrollHint.EnsureVisible
    ) -> None:
        place, room = self.visualRect(index), self.viewport().height()
        if place.isNull() or (hint is QAbstractItemView.ScrollHint.EnsureVisible and self._shows(place)):
            return
        bar = self.verticalScrollBar()
        if hint is QAbstractItemView.ScrollHint.PositionAtCenter:
            bar.setValue(bar.value() + place.center().y() - room // 2)
        elif place.top() < 0 or hint is QAbstractItemView.ScrollHint.PositionAtTop:
            bar.setValue(bar.value() + place.top())
        else:
            bar.setValue(bar.value() + place.bottom() + 1 - room)

    def _shows(self, place: QRect) -> bool:
        return place.top() >= 0 and place.bottom() < self.viewport().height()

    def updateGeometries(self) -> None:
        lines = -(-self._count() // self.columns)
        bar, room = self.verticalScrollBar(), self.viewport().height()
        bar.setRange(0, max(0, lines * self._tile.height() - room))
        bar.setPageStep(room)
        bar.setSingleStep(self._tile.height() // 4)
        QAbstractItemView.updateGeometries(self)

    def doItemsLayout(self) -> None:
        QAbstractItemView.doItemsLayout(self)

    def dataChanged(self, first: _Index, last: _Index, roles: Sequence[int] = ()) -> None:
        QAbstractItemView.dataChanged(self, first, last, roles)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep the first visible tile visible when more or fewer fit in a line, and the current one, too."""
        current = self._place(self.currentIndex().row()) if self.currentIndex().isValid() else QRect()
        was_seen = not current.isNull() and current.top() >= 0 and current.bottom() < event.oldSize().height()
        first = (self.verticalOffset() // self._tile.height()) * max(1, event.oldSize().width() // self._tile.width())
        QAbstractItemView.resizeEvent(self, event)
        self.updateGeometries()
        if self.verticalOffset():
            self.verticalScrollBar().setValue(first // self.columns * self._tile.height())
        if was_seen:
            self.scrollTo(self.currentIndex())

    def reset(self) -> None:
        super().reset()
        self.updateGeometries()
        self.viewport().update()

    def scrollContentsBy(self, _dx: int, _dy: int) -> None:
        self._hovered = self._under() if self.viewport().underMouse() else -1
        self.viewport().update()

    def _under(self) -> int:
        """The row under the pointer, or -1."""
        return self.indexAt(self.viewport().mapFromGlobal(QCursor.pos())).row()

    # --- selection ---

    def setSelection(self, rect: QRect, command: QItemSelectionModel.SelectionFlag) -> None:
        """A rubber band selects the tiles it touches; Shift all between two tiles, in reading order."""
        chosen = QItemSelection()
        if self.state() == QAbstractItemView.State.DragSelectingState:
            ranges = self._rows_in(rect.normalized())
        else:
            # the first may be far out of view, where indexAt finds nothing
            found = [self._rows_in(QRect(point, QSize(1, 1))) for point in (rect.topLeft(), rect.bottomRight())]
            ends = [rows[0][0] if rows else self.currentIndex().row() for rows in found]
            ranges = [range(min(ends), max(ends) + 1)] if min(ends) >= 0 else []
        for rows in ranges:
            first, last = (self.model().index(row, 0, self.rootIndex()) for row in (rows[0], rows[-1]))
            chosen.select(first, last)
        self.selectionModel().select(chosen, command)

    def selectAll(self) -> None:
        """As one range: QListView goes through all rows, for a million in three seconds."""
        if self.selectionMode() is QAbstractItemView.SelectionMode.ExtendedSelection and self._count():
            first, last = (self.model().index(row, 0, self.rootIndex()) for row in (0, self._count() - 1))
            self.selectionModel().select(QItemSelection(first, last), QItemSelectionModel.SelectionFlag.ClearAndSelect)

    def visualRegionForSelection(self, _selection: QItemSelection) -> QRegion:
        return QRegion(self.viewport().rect())

    def moveCursor(self, action: QAbstractItemView.CursorAction, _held: Qt.KeyboardModifier) -> QModelIndex:
        count, columns = self._count(), self.columns
        if not count:
            return QModelIndex()
        page = max(1, self.viewport().height() // self._tile.height()) * columns
        if action is _Move.MoveNext and not self.currentIndex().isValid():
            return self.model().index(0, 0, self.rootIndex())  # Qt asks for it when the view gets the focus
        row = max(0, self.currentIndex().row())
        steps = {
            _Move.MoveLeft: -1, _Move.MovePrevious: -1, _Move.MoveRight: 1, _Move.MoveNext: 1,
            _Move.MoveUp: -columns, _Move.MoveDown: columns, _Move.MovePageUp: -page, _Move.MovePageDown: page,
            _Move.MoveHome: -row, _Move.MoveEnd: count - 1 - row,
        }  # fmt: skip
        there = row + steps[action]
        if action in (_Move.MoveUp, _Move.MoveDown) and not 0 <= there < count:
            # below the last full line: go to the last tile, if there is another line; else stay
            last_line = (count - 1) // columns
            there = count - 1 if action is _Move.MoveDown and row // columns < last_line else row
        return self.model().index(min(max(there, 0), count - 1), 0, self.rootIndex())

    def chosen_rows(self) -> list[range]:
        """The selected rows as ranges: selectedIndexes() creates an object for each of a million."""
        chosen = self.selectionModel().selection()
        return [range(part.top(), part.bottom() + 1) for part in (chosen.at(i) for i in range(chosen.count()))]

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Letters and Space are the page's commands."""
        if event.key() in _KEYS or event.matches(QKeySequence.StandardKey.SelectAll):
            super().keyPressEvent(event)
        else:
            event.ignore()

    # --- screen readers: where the keyboard comes to is said, as not all of them follow it into a list ---

    def selectionChanged(self, selected: QItemSelection, deselected: QItemSelection) -> None:
        """Without QListView's words to screen readers, for which it makes an object of each of a million rows."""
        QAbstractItemView.selectionChanged(self, selected, deselected)

    def currentChanged(self, current: _Index, previous: _Index) -> None:
        QAbstractItemView.currentChanged(self, current, previous)
        if self.hasFocus():
            self._announce(current)

    def focusInEvent(self, event: QFocusEvent) -> None:
        before = self.currentIndex().row()
        super().focusInEvent(event)
        if self.currentIndex().row() == before:
            self._announce(self.currentIndex())

    def _announce(self, index: _Index) -> None:
        if index.isValid():
            words = index.data(Qt.ItemDataRole.AccessibleTextRole) or index.data(Qt.ItemDataRole.ToolTipRole) or ""
            announce(self, ", ".join([*words.splitlines(), f"{index.row() + 1:,} of {self._count():,}"]))

    # --- the rubber band, which may extend beyond the view ---

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._pressed = event.position().toPoint() + QPoint(0, self.verticalOffset())
        super().mousePressEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        QAbstractItemView.mouseMoveEvent(self, event)
        if self.state() == QAbstractItemView.State.DragSelectingState:
            y = event.position().y()
            if not 0 <= y < self.viewport().height() and not self._beyond.isActive():
                self._beyond.start()
            self.viewport().update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._beyond.stop()
        QAbstractItemView.mouseReleaseEvent(self, event)
        self.viewport().update()

    def _band(self) -> QRect:
        """From the press to the pointer, in viewport pixels."""
        at = self.viewport().mapFromGlobal(QCursor.pos())
        return QRect(self._pressed - QPoint(0, self.verticalOffset()), at)

    @Slot()
    def _scroll_on(self) -> None:
        """Scroll while the pointer is held above or below the tiles."""
        at, room = self.viewport().mapFromGlobal(QCursor.pos()).y(), self.viewport().height()
        if self.state() != QAbstractItemView.State.DragSelectingState or 0 <= at < room:
            self._beyond.stop()
            return
        bar = self.verticalScrollBar()
        bar.setValue(bar.value() + (at if at < 0 else at - room + 1))
        self.setSelection(self._band(), QItemSelectionModel.SelectionFlag.ClearAndSelect)

    # --- painting ---

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self.viewport())
        option = QStyleOptionViewItem()
        self.initViewItemOption(option)
        plain, flag = option.state, QStyle.StateFlag  # type: ignore[attr-defined]
        current, selection = self.currentIndex().row(), self.selectionModel()
        for rows in self._rows_in(event.rect()):
            for row in rows:
                index = self.model().index(row, 0, self.rootIndex())
                state = plain
                if selection.isSelected(index):
                    state |= flag.State_Selected
                if row == self._hovered:
                    state |= flag.State_MouseOver
                if row == current and self.hasFocus():
                    state |= flag.State_HasFocus
                option.state, option.rect = state, self._place(row)  # type: ignore[attr-defined]
                self.itemDelegateForIndex(index).paint(painter, option, index)
        if self.state() == QAbstractItemView.State.DragSelectingState:
            painter.setPen(theme.colour("accent"))
            painter.drawRect(QRectF(self._band().normalized()))
        elif self.hint and not self._count():
            painter.setPen(theme.colour("muted"))
            painter.drawText(QRectF(self.viewport().rect()), int(Qt.AlignmentFlag.AlignCenter), self.hint)
        painter.end()

    def viewportEvent(self, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.HoverEnter, QEvent.Type.HoverMove, QEvent.Type.HoverLeave):
            before, self._hovered = self._hovered, -1 if event.type() == QEvent.Type.HoverLeave else self._under()
            if before != self._hovered:
                for row in {before, self._hovered} - {-1}:
                    self.viewport().update(self._place(row))
        return super().viewportEvent(event)
