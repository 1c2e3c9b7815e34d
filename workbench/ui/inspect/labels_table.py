"""The labels with their numbers, and the confidence of those that have their own: a cell that a person can edit."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import (
    QDoubleSpinBox,
    QHeaderView,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QWidget,
)

from workbench.core.confidence import Tally
from workbench.core.words import share
from workbench.ui import theme
from workbench.ui.inspect.shown import Doubles, Shown
from workbench.ui.widgets.headed import NOWHERE, NUMBER, HeadedModel, Index, in_rows

COLUMNS = ("label", "at least", "AP50", "precision", "recall")
HELP = (
    "",
    "Detections of this label below this score are not shown and not counted. Double-click or F2 to give a label its"
    " own; Delete takes it back.",
    "Average precision at an overlap of 0.5, of the detections at this confidence.",
    "Of this label's detections, the share that is right. Click for the images with false alarms.",
    "Of this label's boxes, the share that is found. Click for the images with missed ones.",
)
LABEL, LEAST, AP50, PRECISION, RECALL = range(5)
AS_GLOBAL = "as global"
NONE = -0.01  # of the editor: one step below 0 is "as global"
ROLES = frozenset(
    (
        Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.EditRole, Qt.ItemDataRole.ToolTipRole,
        Qt.ItemDataRole.ForegroundRole, Qt.ItemDataRole.TextAlignmentRole,
    )
)  # fmt: skip


class LabelsModel(HeadedModel):
    """Rows are labels. `own_wanted(label, confidence)`: NaN takes it back."""

    own_wanted = Signal(int, float)
    titles, helps = COLUMNS, HELP

    def __init__(self) -> None:
        super().__init__()
        self._names: tuple[str, ...] = ()
        self._state: Shown | None = None
        self._numbers = np.zeros((0, 3))

    def show_state(self, state: Shown | None, counts: Tally | None = None, ap50: Doubles | None = None) -> None:
        """`counts` and `ap50` (C,) are the state's at its confidences."""
        names = state.found.names if state is not None else ()
        others = names != self._names
        if others:
            self.beginResetModel()
        before, self._names, self._state = self._state, names, state
        if counts is not None and ap50 is not None:
            self._numbers = np.stack([ap50, counts.precision, counts.recall], axis=1)
        if others:
            self.endResetModel()
        elif state is not None:
            # a cell that is being edited would lose what was typed
            same = before is not None and np.array_equal(before.own, state.own, equal_nan=True)
            self.dataChanged.emit(self.index(0, LEAST + same), self.index(len(names) - 1, len(COLUMNS) - 1))

    def own(self, row: int) -> float:
        """The label's own confidence, NaN if it has none."""
        return float(self._state.own[row]) if self._state is not None else math.nan

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
            return self._names[row] if column == LABEL else HELP[column]
        if role == Qt.ItemDataRole.ForegroundRole and column == LEAST and math.isnan(self.own(row)):
            return theme.colour("muted")
        return NUMBER if role == Qt.ItemDataRole.TextAlignmentRole and column else None

    def _text(self, row: int, column: int) -> str:
        if column == LABEL:
            return self._names[row]
        if column == LEAST:
            own = self.own(row)
            return AS_GLOBAL if math.isnan(own) else f"{own:.2f}"
        return share(float(self._numbers[row, column - AP50]))

    def setData(self, index: Index, value: Any, role: int = 0) -> bool:
        if index.column() != LEAST or role != Qt.ItemDataRole.EditRole:
            return False
        self.own_wanted.emit(index.row(), float(value))
        return True


class Editor(QStyledItemDelegate):
    """A spin box whose lowest step is "as global"."""

    def createEditor(self, parent: QWidget, option: QStyleOptionViewItem, index: Index) -> QWidget:
        box = QDoubleSpinBox(parent, decimals=2, singleStep=0.01, minimum=NONE, maximum=1.0)
        box.setSpecialValueText(AS_GLOBAL)
        box.setObjectName("inspect-own")
        box.setFrame(False)
        box.setButtonSymbols(QDoubleSpinBox.ButtonSymbols.NoButtons)  # they would lie upon the number
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
    """A row per label; the menu and Delete take the confidences of the selected ones back."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("inspect-labels")
        self.setAccessibleName("Labels")
        self.labels = LabelsModel()
        self.setModel(self.labels)
        self.setItemDelegateForColumn(LEAST, Editor(self))
        head = in_rows(self)
        head.setSectionResizeMode(LABEL, QHeaderView.ResizeMode.Stretch)
        for column in range(1, len(COLUMNS)):
            wide = max(
                head.fontMetrics().horizontalAdvance(COLUMNS[column]), self.fontMetrics().horizontalAdvance("0.000")
            )
            if column == LEAST:
                wide = self.fontMetrics().horizontalAdvance(AS_GLOBAL)
            head.setSectionResizeMode(column, QHeaderView.ResizeMode.Fixed)
            head.resizeSection(column, wide + 10)
        self.setMinimumHeight(80)
        self._back = QAction("As global", self)
        self._back.setShortcut(QKeySequence(Qt.Key.Key_Delete))
        self._back.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
        self._back.triggered.connect(self._take_back)
        self._edit = QAction("Give it its own confidence", self)
        self._edit.triggered.connect(self._edit_own)
        self.addActions([self._edit, self._back])
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)

    @Slot()
    def _take_back(self) -> None:
        for index in self.selectionModel().selectedRows():
            if not math.isnan(self.labels.own(index.row())):
                self.labels.own_wanted.emit(index.row(), math.nan)

    @Slot()
    def _edit_own(self) -> None:
        if self.currentIndex().isValid():
            self.edit(self.labels.index(self.currentIndex().row(), LEAST))
