"""The anchors being shown: how good they are, and their table, in which they can be typed."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker, Qt, Signal, Slot
from PySide6.QtGui import QColor, QIcon, QPixmap
from PySide6.QtWidgets import (
    QAbstractItemView,
    QGridLayout,
    QHeaderView,
    QLabel,
    QTableWidget,
    QTableWidgetItem,
    QWidget,
)

from workbench.anchors import Step
from workbench.ui import theme
from workbench.ui.anchors.sizes_plot import ToScale, cluster_colour


class Numbers(QWidget):
    """Mean IoU and both recalls, and the anchors to scale."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.mean_iou = _number("anchors-mean-iou")
        self.recall = _number("anchors-recall")
        self.ratio = _number("anchors-ratio")
        self.picture = ToScale()
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setVerticalSpacing(0)
        rows = (
            ("Mean IoU", self.mean_iou, "Of each box with its best anchor; what the fit raises."),
            ("Recall: IoU > 0.5", self.recall, "Best possible recall: boxes with an anchor above an IoU of one half."),
            (
                "Recall: sides within 4 ×",
                self.ratio,
                "Boxes with an anchor whose sides are less than four times theirs, or they its: what Ultralytics asks.",
            ),
        )
        for row, (title, number, help) in enumerate(rows):
            name = QLabel(title)
            name.setProperty("role", "muted")
            for widget in (name, number):
                widget.setToolTip(help)
            grid.addWidget(name, 2 * row, 0)
            grid.addWidget(number, 2 * row + 1, 0)
        grid.addWidget(self.picture, 0, 1, 6, 1, Qt.AlignmentFlag.AlignRight)
        grid.setColumnStretch(0, 1)

    def show_step(self, step: Step | None, px: int) -> None:
        labels = (self.mean_iou, self.recall, self.ratio)
        values = (None,) * 3 if step is None else (step.mean_iou, step.recall, step.ratio_recall)
        for label, value in zip(labels, values, strict=True):
            label.setText("–" if value is None else f"{100 * value:.1f} %")
        if step is not None:
            self.picture.show_anchors(step.centres, px)


class AnchorsTable(QTableWidget):
    """`typed(number, width, height)` when a person has typed another side."""

    typed = Signal(int, float, float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(0, 4, parent)
        self.setObjectName("anchors-table")
        self.setAccessibleName("Anchors")
        self.setHorizontalHeaderLabels(["width (px)", "height (px)", "boxes", "share"])
        self.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        self.verticalHeader().setDefaultSectionSize(24)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setToolTip("Type another width or height, or drag an anchor in the plot.")
        self.setMinimumHeight(96)
        self._step: Step | None = None
        self.cellChanged.connect(self._changed)

    def show_step(self, step: Step | None, each: int) -> None:
        """`each`: rows of the sizes that are one box."""
        self._step = step
        with QSignalBlocker(self):
            self.setRowCount(0 if step is None else len(step.centres))
            if step is None:
                return
            total = max(int(step.counts.sum()), 1)
            for row, ((w, h), count) in enumerate(zip(step.centres.tolist(), step.counts.tolist(), strict=True)):
                texts = (f"{w:.1f}", f"{h:.1f}", f"{round(count / each):,}", f"{100 * count / total:.1f} %")
                for column, text in enumerate(texts):
                    self._cell(row, column).setText(text)
                self._cell(row, 0).setIcon(_swatch(cluster_colour(row)))
        self.viewport().update()

    def _cell(self, row: int, column: int) -> QTableWidgetItem:
        cell = self.item(row, column)
        if cell is None:
            cell = QTableWidgetItem()
            cell.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            if column > 1:
                cell.setFlags(cell.flags() & ~Qt.ItemFlag.ItemIsEditable)
            self.setItem(row, column, cell)
        return cell

    @Slot(int, int)
    def _changed(self, row: int, column: int) -> None:
        if self._step is None or column > 1:
            return
        try:
            value = float(self._cell(row, column).text().replace(",", "."))
        except ValueError:
            value = 0.0
        size = self._step.centres[row].tolist()
        if 1 <= value <= 1e5:
            size[column] = value
        self.typed.emit(row, *size)  # what can't be is put right, too


def _swatch(colour: QColor) -> QIcon:
    made = QPixmap(12, 12)
    made.fill(colour)
    return QIcon(made)


def _number(name: str) -> QLabel:
    label = QLabel("–")
    label.setObjectName(name)
    label.setFont(theme.font(theme.TITLE, bold=True))
    return label
