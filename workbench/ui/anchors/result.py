"""The anchors of the step being shown: how good they are, their table, and the button that takes them."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QColor, QIcon, QPixmap
from PySide6.QtWidgets import (
    QAbstractItemView,
    QGridLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)  # fmt: skip

from workbench.anchors import Step
from workbench.ui import theme
from workbench.ui.anchors.sizes_plot import ToScale, cluster_colour
from workbench.ui.widgets.elided import Elided


class Result(QWidget):
    """`use_asked` for the button, `published_asked` to go back to the detector's own anchors."""

    use_asked = Signal()
    published_asked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.mean_iou = _number("anchors-mean-iou")
        self.recall = _number("anchors-recall")
        self.progress = QLabel()
        self.progress.setObjectName("anchors-progress")
        self.progress.setProperty("role", "muted")
        self.picture = ToScale()
        self.table = _table()
        self.stale = QLabel("The boxes have changed since. Compute again to follow them.", wordWrap=True)
        self.stale.setObjectName("anchors-stale")
        self.stale.setProperty("role", "error")
        self.stale.hide()
        self.use = QPushButton("Use these anchors")
        self.use.setObjectName("anchors-use")
        self.use.setProperty("role", "primary")
        self.use.setToolTip("Trainings of this project will use these. Can be undone.")
        self.use.clicked.connect(self.use_asked)
        self.in_use = Elided()
        self.in_use.setObjectName("anchors-in-use")
        self.published = QPushButton("Use the published ones again")
        self.published.setObjectName("anchors-published")
        self.published.setToolTip("Trainings will use the anchors that come with the detector. Can be undone.")
        self.published.clicked.connect(self.published_asked)
        self._lay_out()

    def _lay_out(self) -> None:
        head = QGridLayout()
        for row, (title, number) in enumerate((("Mean IoU", self.mean_iou), ("Best possible recall", self.recall))):
            name = QLabel(title)
            name.setProperty("role", "muted")
            head.addWidget(name, 2 * row, 0)
            head.addWidget(number, 2 * row + 1, 0)
        head.addWidget(self.picture, 0, 1, 4, 1, Qt.AlignmentFlag.AlignRight)
        head.setColumnStretch(0, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(head)
        column.addWidget(self.progress)
        column.addWidget(self.table, 1)
        for widget in (self.stale, self.use, self.in_use, self.published):
            column.addWidget(widget)

    def show_step(self, step: Step | None, px: int) -> None:
        """The numbers of a step, or none."""
        self.use.setEnabled(step is not None)
        if step is None:
            self.mean_iou.setText("–")
            self.recall.setText("–")
            self.table.setRowCount(0)
            return
        self.mean_iou.setText(f"{100 * step.mean_iou:.1f} %")
        self.recall.setText(f"{100 * step.recall:.1f} %")
        self.picture.show_anchors(step.centres, px)
        total = int(step.counts.sum())
        self.table.setRowCount(len(step.centres))
        for row, ((width, height), count) in enumerate(zip(step.centres.tolist(), step.counts.tolist(), strict=True)):
            texts = (f"{width:.1f}", f"{height:.1f}", f"{count:,}", f"{100 * count / total:.1f} %")
            for column, text in enumerate(texts):
                self._cell(row, column).setText(text)
            self._cell(row, 0).setIcon(_swatch(cluster_colour(row)))

    def _cell(self, row: int, column: int) -> QTableWidgetItem:
        cell = self.table.item(row, column)
        if cell is None:
            cell = QTableWidgetItem()
            cell.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            self.table.setItem(row, column, cell)
        return cell


def _swatch(colour: QColor) -> QIcon:
    made = QPixmap(12, 12)
    made.fill(colour)
    return QIcon(made)


def _number(name: str) -> QLabel:
    label = QLabel("–")
    label.setObjectName(name)
    label.setFont(theme.font(theme.TITLE, bold=True))
    return label


def _table() -> QTableWidget:
    table = QTableWidget(0, 4)
    table.setObjectName("anchors-table")
    table.setAccessibleName("Anchors")
    table.setHorizontalHeaderLabels(["width (px)", "height (px)", "boxes", "share"])
    table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
    table.verticalHeader().setDefaultSectionSize(24)
    table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    table.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
    table.setMinimumHeight(96)
    return table
