"""The labels with their numbers, and the confidence of those that have their own: a cell that a person can edit.

A click on a header sorts, a third one restores the labels' own order. Sliders move no row. The columns in ROOM are
shown only if that much width is left for the names; their content is in the label's tooltip, too.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QAction, QKeySequence, QResizeEvent
from PySide6.QtWidgets import (
    QDoubleSpinBox,
    QHeaderView,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QWidget,
)

from workbench.core.evaluation.confidence import Tally
from workbench.core.files import natural_key
from workbench.core.formatting import count, share
from workbench.ui import theme
from workbench.ui.inspect.state import Doubles, InspectState
from workbench.ui.widgets.sort_header import SortHeader
from workbench.ui.widgets.spin_boxes import double_spin_box
from workbench.ui.widgets.tables import NOWHERE, NUMBER, Index, TableModel, make_copyable, style_table

COLUMNS = ("Label", "At least", "AP50", "AP", "Precision", "Recall", "Boxes")
HELP = (
    "",
    "Detections of this label below this score are not shown and not counted. Double-click or F2 to give a label its"
    " own; Delete takes it back.",
    "Average precision at an overlap of 0.5, of the detections at this confidence.",
    "COCO's average precision, over ten overlaps, of the detections at this confidence. Low beside a high AP50: found,"
    " but not exactly.",
    "The share of this label's detections that are right. Click for the images with false alarms.",
    "The share of this label's boxes that are found. Click for the images with missed ones.",
    "Labelled boxes of this label that count. With few of them, its numbers are a matter of chance.",
)
LABEL, LEAST, AP50, AP, PRECISION, RECALL, BOXES = range(7)
ROOM = {AP: 80, BOXES: 160}  # px that the names get at most before these columns are shown, in this order
ARROW, PADDING = 12, 10  # px, the sort indicator; px between a cell's text and its left and right edges together
AS_GLOBAL = "as global"
NONE = -0.01  # in the editor: one step below 0 means "as global"
ROLES = frozenset(
    (
        Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.EditRole, Qt.ItemDataRole.ToolTipRole,
        Qt.ItemDataRole.ForegroundRole, Qt.ItemDataRole.TextAlignmentRole,
    )
)  # fmt: skip


class LabelsModel(TableModel):
    """Rows are labels. `own_wanted(label, confidence)`: NaN removes it."""

    own_wanted = Signal(int, float)
    titles, helps, numbers = COLUMNS, HELP, frozenset(range(1, len(COLUMNS)))

    def __init__(self) -> None:
        super().__init__()
        self._names: tuple[str, ...] = ()
        self._state: InspectState | None = None
        self._numbers = np.zeros((0, BOXES - LEAST))  # (C, columns from AP50 on)
        self._counts: Tally | None = None
        self._sorted = (-1, Qt.SortOrder.AscendingOrder)
        self._labels: list[int] = []  # the label of each row

    def show_state(
        self,
        state: InspectState | None,
        counts: Tally | None = None,
        ap50: Doubles | None = None,
        ap: Doubles | None = None,
    ) -> None:
        """`counts`, `ap50` and `ap` (C,) belong to the state at its confidences."""
        names = state.evaluation.names if state is not None else ()
        others = names != self._names
        if others:
            self.beginResetModel()
        before, self._names, self._state = self._state, names, state
        if counts is not None and ap50 is not None and ap is not None:
            self._counts = counts
            boxes = counts.right + counts.missed
            self._numbers = np.stack([ap50, ap, counts.precision, counts.recall, boxes], axis=1)
        if others:
            self._labels = self._ranked()
            self.endResetModel()
        elif state is not None:
            # a cell that is being edited would lose what was typed
            same = before is not None and np.array_equal(before.own, state.own, equal_nan=True)
            self.dataChanged.emit(self.index(0, LEAST + same), self.index(len(names) - 1, len(COLUMNS) - 1))

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """By the current numbers; -1: in the project's order."""
        self._sorted = (column, order)
        self.layoutAboutToBeChanged.emit()
        before = self.persistentIndexList()
        labels = [self._labels[index.row()] for index in before]
        self._labels = self._ranked()
        rows = {label: row for row, label in enumerate(self._labels)}
        after = [self.index(rows[label], index.column()) for label, index in zip(labels, before, strict=True)]
        self.changePersistentIndexList(before, after)
        self.layoutChanged.emit()

    def _ranked(self) -> list[int]:
        """The labels in display order; those without a number last."""
        (column, order), labels = self._sorted, range(len(self._names))
        down = order == Qt.SortOrder.DescendingOrder
        if column < 0:
            return list(labels)
        if column == LABEL:
            return sorted(labels, key=lambda label: natural_key(self._names[label]), reverse=down)
        own = self._state.own if self._state is not None else np.full(len(labels), np.nan)
        numbers = own if column == LEAST else self._numbers[:, column - AP50]
        ranked: list[int] = np.argsort(-numbers if down else numbers, kind="stable").tolist()  # NumPy puts NaN last
        return ranked

    def label(self, row: int) -> int:
        """The index of the row's label."""
        return self._labels[row]

    def own(self, row: int) -> float:
        """The confidence of the row's label, NaN if it has none of its own."""
        return float(self._state.own[self._labels[row]]) if self._state is not None else math.nan

    @property
    def names(self) -> tuple[str, ...]:
        return self._names

    def rowCount(self, parent: Index = NOWHERE) -> int:
        return 0 if parent.isValid() else len(self._names)

    def flags(self, index: Index) -> Qt.ItemFlag:
        more = Qt.ItemFlag.ItemIsEditable if index.column() == LEAST else Qt.ItemFlag.NoItemFlags
        return super().flags(index) | more

    def data(self, index: Index, role: int = 0) -> Any:
        if role not in ROLES:
            return None
        row, column = index.row(), index.column()
        if role == Qt.ItemDataRole.DisplayRole:
            return self._text(row, column)
        if role == Qt.ItemDataRole.EditRole and column == LEAST:
            return self.own(row)
        if role == Qt.ItemDataRole.ToolTipRole:
            return self._tooltip(self._labels[row]) if column == LABEL else HELP[column]
        if role == Qt.ItemDataRole.ForegroundRole and column == LEAST and math.isnan(self.own(row)):
            return theme.colour("muted")
        return NUMBER if role == Qt.ItemDataRole.TextAlignmentRole and column else None

    def _text(self, row: int, column: int) -> str:
        if column == LABEL:
            return self._names[self._labels[row]]
        if column == LEAST:
            own = self.own(row)
            return AS_GLOBAL if math.isnan(own) else f"{own:.2f}"
        number = float(self._numbers[self._labels[row], column - AP50])
        return f"{number:,.0f}" if column == BOXES else share(number)

    def _tooltip(self, label: int) -> str:
        if self._counts is None:
            return self._names[label]
        right, wrong, missed = (int(n[label]) for n in (self._counts.right, self._counts.wrong, self._counts.missed))
        ap = share(float(self._numbers[label, AP - AP50]))
        return (
            f"{self._names[label]}\n{count(right + missed, 'labelled box')}: {right:,} found, {missed:,} missed;"
            f" {count(wrong, 'false alarm')}; AP {ap}"
        )

    def setData(self, index: Index, value: Any, role: int = 0) -> bool:
        if index.column() != LEAST or role != Qt.ItemDataRole.EditRole:
            return False
        self.own_wanted.emit(self._labels[index.row()], float(value))
        return True


class ConfidenceDelegate(QStyledItemDelegate):
    """A spin box whose lowest step is "as global"."""

    def createEditor(self, parent: QWidget, option: QStyleOptionViewItem, index: Index) -> QWidget:
        box = double_spin_box(parent=parent, decimals=2, singleStep=0.01, minimum=NONE, maximum=1.0)
        box.setSpecialValueText(AS_GLOBAL)
        box.setObjectName("inspect-own")
        box.setFrame(False)
        box.setButtonSymbols(QDoubleSpinBox.ButtonSymbols.NoButtons)  # they would cover the number
        box.setKeyboardTracking(False)
        return box

    def setEditorData(self, editor: QWidget, index: Index) -> None:
        assert isinstance(editor, QDoubleSpinBox)
        own = float(index.data(Qt.ItemDataRole.EditRole))
        editor.setValue(NONE if math.isnan(own) else own)

    def setModelData(self, editor: QWidget, model: Any, index: Index) -> None:
        assert isinstance(editor, QDoubleSpinBox)
        editor.interpretText()
        value = round(editor.value(), 2)
        model.setData(index, math.nan if value < 0 else value, Qt.ItemDataRole.EditRole)


class LabelsTable(QTableView):
    """A row per label; the context menu and Delete remove the selected labels' own confidences."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("inspect-labels")
        self.setAccessibleName("Labels")
        self._wide: dict[int, int] = {}  # px of each column except the names
        self.labels = LabelsModel()
        self.setModel(self.labels)
        self.setItemDelegateForColumn(LEAST, ConfidenceDelegate(self))
        SortHeader(self)
        head = style_table(self)
        head.setSectionResizeMode(LABEL, QHeaderView.ResizeMode.Stretch)
        for column in range(1, len(COLUMNS)):
            wide = max(
                head.fontMetrics().horizontalAdvance(COLUMNS[column]), self.fontMetrics().horizontalAdvance("0.000")
            )
            if column == LEAST:
                wide = self.fontMetrics().horizontalAdvance(AS_GLOBAL)
            head.setSectionResizeMode(column, QHeaderView.ResizeMode.Fixed)
            self._wide[column] = wide + PADDING
        self.labels.modelReset.connect(self._fit)
        head.sortIndicatorChanged.connect(self._fit)
        head.setSortIndicatorClearable(True)
        head.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        self.setSortingEnabled(True)
        self.setMinimumHeight(80)
        self._back = QAction("As global", self)
        self._back.setShortcuts([QKeySequence(key) for key in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace)])
        self._back.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
        self._back.triggered.connect(self._take_back)
        self._edit = QAction("Give it its own confidence", self)
        self._edit.triggered.connect(self._edit_own)
        self.addActions([self._edit, self._back])
        make_copyable(self)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    @Slot()
    def _fit(self, *_sorted: object) -> None:
        """Set the widths, and hide the columns there is no room for."""
        head = self.horizontalHeader()
        wide = {column: px + ARROW * (column == head.sortIndicatorSection()) for column, px in self._wide.items()}
        room = self.viewport().width() - sum(px for column, px in wide.items() if column not in ROOM)
        names = max(map(self.fontMetrics().horizontalAdvance, self.labels.names), default=0) + PADDING
        for column, px in wide.items():
            head.resizeSection(column, px)
        for column, most in ROOM.items():
            room -= wide[column]
            self.setColumnHidden(column, room < min(names, most))

    @Slot()
    def _take_back(self) -> None:
        for index in self.selectionModel().selectedRows():
            if not math.isnan(self.labels.own(index.row())):
                self.labels.own_wanted.emit(self.labels.label(index.row()), math.nan)

    @Slot()
    def _edit_own(self) -> None:
        if self.currentIndex().isValid():
            self.edit(self.labels.index(self.currentIndex().row(), LEAST))
