"""How much average precision each kind of mistake costs (TIDE): a bar, the cost and a count for each."""

from __future__ import annotations

import math

import numpy as np
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableWidget,
    QTableWidgetItem,
)

from workbench.core import formatting
from workbench.core.evaluation.tide import ERROR_KINDS, ErrorKind, TideErrors, tide
from workbench.ui import theme
from workbench.ui.inspect.box_selection import BoxSelection
from workbench.ui.inspect.state import InspectState
from workbench.ui.inspect.table_tab import TableTab
from workbench.ui.widgets.tables import AT_RIGHT, Index, align_heads

HELP: dict[ErrorKind, str] = {
    "classification": "On a box of another label, overlapping it by 0.5 or more.",
    "localisation": "On a box of its label, but overlapping it by 0.1 to 0.5 only.",
    "both": "On a box of another label, overlapping it by 0.1 to 0.5 only.",
    "duplicate": "On a box of its label that a higher detection has found already.",
    "background": "On no labelled box at all (overlap below 0.1).",
    "missed": "Labelled boxes that nothing finds, and that no corrected place or label would find.",
}
COLUMNS = ("Mistake", "Costs AP50", "", "Count")
COST, BAR, COUNT = 1, 2, 3
SHARE = Qt.ItemDataRole.UserRole  # length of a cell's bar, 0 to 1 of the longest


class BarDelegate(QStyledItemDelegate):
    """A bar in the cell, as long as its share."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        super().paint(painter, option, index)
        area = QRectF(option.rect).adjusted(2, 5, -4, -5)  # type: ignore[attr-defined]
        area.setWidth(area.width() * float(index.data(SHARE) or 0.0))
        if area.width() >= 1:
            painter.fillRect(
                area, theme.colour("miss" if index.row() == ERROR_KINDS.index("missed") else "false_alarm")
            )


class ErrorsTab(TableTab):
    icon = "mdi6.alert-circle-outline"

    def __init__(self) -> None:
        table = QTableWidget(len(ERROR_KINDS), len(COLUMNS))
        super().__init__("Kinds of mistakes", _work, "mistakes", table)
        self.table = table
        self._result: TideErrors | None = None
        self.table.setHorizontalHeaderLabels(COLUMNS)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.verticalHeader().hide()
        self.table.verticalHeader().setDefaultSectionSize(28)
        self.table.setItemDelegateForColumn(BAR, BarDelegate(self.table))
        head = self.table.horizontalHeader()
        align_heads(head, (COST, COUNT))
        head.setMinimumSectionSize(40)
        head.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        head.setSectionResizeMode(BAR, QHeaderView.ResizeMode.Stretch)
        for row, kind in enumerate(ERROR_KINDS):
            for column in range(len(COLUMNS)):
                cell = QTableWidgetItem(kind if not column else "")
                cell.setToolTip(f"{HELP[kind]} Click for the images.")
                if column in (COST, COUNT):
                    cell.setTextAlignment(AT_RIGHT)
                self.table.setItem(row, column, cell)

    def clear(self) -> None:
        super().clear()
        self._result = None
        for row in range(len(ERROR_KINDS)):
            self._fill(row, "", 0.0, "")

    def draw(self, state: InspectState, result: object) -> None:
        assert isinstance(result, TideErrors)
        self._result, self.drawn = result, state
        costs = np.nan_to_num([result.cost[kind] for kind in ERROR_KINDS])
        longest = max(float(costs.max()), 1e-9)
        for row, kind in enumerate(ERROR_KINDS):
            count = len(result.missed) if kind == "missed" else len(result.detections(kind))
            self._fill(row, f"{costs[row]:z.3f}", max(float(costs[row]), 0.0) / longest, f"{count:,}")
        if math.isnan(result.ap50):
            self.words.setText("There are no labelled boxes to compare with.")
            return
        self.words.setText(
            f"AP50 is {formatting.share(result.ap50)}."
            " A cost is what AP50 would gain if all mistakes of this kind, and "
            f"nothing else, were mended. Costs don't add up, as mistakes hide each other (TIDE, arXiv 2008.08115). "
            f"Only boxes without another mistake on them count as missed. {state.rule}."
        )

    def _fill(self, row: int, cost: str, share: float, count: str) -> None:
        model = self.table.model()
        model.setData(model.index(row, COST), cost)
        model.setData(model.index(row, COUNT), count)
        model.setData(model.index(row, BAR), share, SHARE)

    def open_cell(self, state: InspectState, row: int, column: int) -> None:
        if self._result is None:
            return
        kind, matching = ERROR_KINDS[row], state.matching
        if kind == "missed":
            self.opened.emit(BoxSelection.of("missed", matching, boxes=self._result.missed))
        else:
            rows = self._result.detections(kind)
            self.opened.emit(BoxSelection.of(f"mistakes: {kind}", matching, rows, np.unique(self._result.boxes[rows])))


def _work(state: InspectState) -> TideErrors:
    return tide(state.above_confidences())
