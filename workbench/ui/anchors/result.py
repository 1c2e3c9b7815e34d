"""The shown anchors: how good they are, and their table, in which they can be typed."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QSignalBlocker, Qt, Signal, Slot
from PySide6.QtWidgets import (
    QAbstractItemView,
    QGridLayout,
    QHeaderView,
    QLabel,
    QTableWidget,
    QTableWidgetItem,
    QWidget,
)

from workbench import anchors
from workbench.anchors import Step
from workbench.ui import theme
from workbench.ui.anchors.anchor_rectangles import AnchorRectangles, cluster_colour
from workbench.ui.icons import swatch
from workbench.ui.widgets.tables import align_heads

_COUNT = 2
_HEADS = (
    ("Width (px)", "Type another width, or drag the anchor in the plot."),
    ("Height (px)", "Type another height, or drag the anchor in the plot."),
    ("Boxes", "Boxes that this anchor fits better than the others do. A click shows them."),
    ("Share", "Of all boxes."),
)


class FitNumbers(QWidget):
    """Mean IoU, both recalls, and the anchors to scale."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.mean_iou = _number("anchors-mean-iou")
        self.recall = _number("anchors-recall")
        self.ratio = _number("anchors-ratio")
        self.picture = AnchorRectangles()
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setVerticalSpacing(0)
        self._grid.setHorizontalSpacing(2 * theme.GRID)
        self._pairs: list[tuple[QLabel, QLabel]] = []
        self._is_low: bool | None = None
        rows = (
            (
                "Mean IoU",
                self.mean_iou,
                "The IoU of each box with its best anchor, on average. This is what the fit improves.",
            ),
            ("Recall: IoU > 0.5", self.recall, "Best possible recall: boxes with an anchor above an IoU of one half."),
            (
                "Recall: sides within 4 ×",
                self.ratio,
                "Boxes whose sides are within a factor of four of some anchor's: the rule that Ultralytics uses.",
            ),
        )
        for title, number, help in rows:
            name = QLabel(title)
            name.setProperty("role", "muted")
            for widget in (name, number):
                widget.setToolTip(help)
            self._pairs.append((name, number))
        self.set_low(False)

    def set_low(self, on: bool) -> None:
        """In a low window the numbers stand side by side, and the picture is hidden."""
        if on == self._is_low:
            return
        self._is_low = on
        for place, (name, number) in enumerate(self._pairs):
            row, column = (0, place) if on else (2 * place, 0)
            self._grid.addWidget(name, row, column)
            self._grid.addWidget(number, row + 1, column)
            name.setFont(theme.font(theme.SMALL if on else theme.BODY))
            number.setFont(theme.font(theme.BODY if on else theme.TITLE, bold=True))
        if not on:
            self._grid.addWidget(self.picture, 0, 1, 6, 1, Qt.AlignmentFlag.AlignRight)
            self._grid.setColumnStretch(0, 1)
        self.picture.setVisible(not on)  # only after it is in a layout: before, it would become a window

    def show_step(self, step: Step | None, px: int) -> None:
        labels = (self.mean_iou, self.recall, self.ratio)
        values = (None,) * 3 if step is None else (step.mean_iou, step.recall, step.ratio_recall)
        for label, value in zip(labels, values, strict=True):
            label.setText("–" if value is None or value != value else anchors.percent(value))
        self.picture.show_anchors(np.zeros((0, 2)) if step is None else step.centres, px)


class AnchorsTable(QTableWidget):
    """`typed(number, width, height)` when the user has typed a side, `refused(why)` when it is invalid.

    `served_boxes_requested(number)`: show the boxes of an anchor.
    """

    typed = Signal(int, float, float)
    refused = Signal(str)
    served_boxes_requested = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(0, len(_HEADS), parent)
        self.setObjectName("anchors-table")
        self.setAccessibleName("Anchors")
        for column, (word, help) in enumerate(_HEADS):
            head = QTableWidgetItem(word)
            head.setToolTip(help)
            self.setHorizontalHeaderItem(column, head)
        align_heads(self.horizontalHeader(), range(len(_HEADS)))
        self.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        self.verticalHeader().setDefaultSectionSize(24)
        self.verticalHeader().hide()
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setTabKeyNavigation(False)
        self.setMinimumHeight(96)
        self._step: Step | None = None
        self._px = 0
        self.cellChanged.connect(self._changed)
        self.cellClicked.connect(self._clicked)
        theme.theme().changed.connect(self._restyle)

    def show_step(self, step: Step | None, px: int, boxes: int) -> None:
        """`px`: the input side, the limit of every side. `boxes`: their number, each counted once."""
        self._step, self._px = step, px
        with QSignalBlocker(self):
            self.setRowCount(0 if step is None else len(step.centres))
            if step is None:
                return
            total = max(int(step.counts.sum()), 1)
            counts = anchors.whole_numbers(step.counts, boxes)
            for row, ((w, h), own, count) in enumerate(
                zip(step.centres.tolist(), step.counts.tolist(), counts.tolist(), strict=True)
            ):
                texts = (f"{w:.1f}", f"{h:.1f}", f"{count:,}", anchors.percent(own / total))
                for column, text in enumerate(texts):
                    self._cell(row, column).setText(text)
                self._cell(row, 0).setIcon(swatch(cluster_colour(row)))
        self.viewport().update()

    def _cell(self, row: int, column: int) -> QTableWidgetItem:
        cell = self.item(row, column)
        if cell is None:
            cell = QTableWidgetItem()
            cell.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            cell.setToolTip(_HEADS[column][1])
            if column > 1:
                cell.setFlags(cell.flags() & ~Qt.ItemFlag.ItemIsEditable)
            if column == _COUNT:
                cell.setForeground(theme.colour("accent"))
            self.setItem(row, column, cell)
        return cell

    @Slot()
    def _restyle(self) -> None:
        with QSignalBlocker(self):
            for row in range(self.rowCount()):
                self._cell(row, _COUNT).setForeground(theme.colour("accent"))

    @Slot(int, int)
    def _clicked(self, row: int, column: int) -> None:
        if column == _COUNT and self._step is not None and self._step.counts[row]:
            self.served_boxes_requested.emit(row)

    @Slot(int, int)
    def _changed(self, row: int, column: int) -> None:
        if self._step is None or column > 1:
            return
        text = self._cell(row, column).text().strip()
        try:
            value = float(text.replace(",", "."))
        except ValueError:
            value = 0.0
        size = self._step.centres[row].tolist()
        if 1 <= value <= self._px:
            if f"{value:.1f}" != f"{size[column]:.1f}":
                size[column] = value
                self.typed.emit(row, *size)
                return
        else:
            side = ("width", "height")[column]
            self.refused.emit(f"A {side} is a number from 1 to {self._px} (the input side in px), not “{text}”.")
        with QSignalBlocker(self):
            self._cell(row, column).setText(f"{size[column]:.1f}")


def _number(name: str) -> QLabel:
    label = QLabel("–")
    label.setObjectName(name)
    label.setFont(theme.font(theme.TITLE, bold=True))
    return label
