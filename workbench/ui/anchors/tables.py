"""What a set of anchors means: for each scale of a detector, and for each label."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QColor, QIcon, QPixmap
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QHeaderView,
    QLabel,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from workbench.core.project import Label
from workbench.ui import theme
from workbench.ui.anchors.details import Details, OfLabel


class ScalesView(QWidget):
    """`detector_chosen(name)`."""

    detector_chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.detector = QComboBox()
        self.detector.setObjectName("anchors-detector")
        self.detector.setAccessibleName("Detector whose scales are shown")
        self.detector.activated.connect(lambda _: self.detector_chosen.emit(str(self.detector.currentData())))
        self.table = _table("anchors-scales", "Scales of the detector", ("Cell", "Anchors", "Boxes", "Share"), 1)
        self.words = QLabel(wordWrap=True)
        self.words.setObjectName("anchors-scales-words")
        self.words.setTextFormat(Qt.TextFormat.PlainText)
        self.words.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)
        self.words.setContentsMargins(4, 4, 4, 4)
        self._column = column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.detector)
        column.addWidget(self.table, 1)
        column.addWidget(self.words)

    def offer(self, detectors: Sequence[tuple[str, str]], chosen: str) -> None:
        self.detector.clear()
        for name, title in detectors:
            self.detector.addItem(title, name)
        self.detector.setCurrentIndex(max(0, self.detector.findData(chosen)))

    def show_details(self, details: Details | None) -> None:
        levels = () if details is None else details.levels
        self.table.setVisible(bool(levels))
        self._column.setStretchFactor(self.words, 0 if levels else 1)
        self.table.setRowCount(len(levels))
        for row, level in enumerate(levels):
            sizes = ", ".join(f"{w:.0f}×{h:.0f}" for w, h in level.anchors)
            texts = (f"{level.stride} px", sizes, f"{level.boxes:,}", f"{100 * level.share:.1f} %")
            for column, text in enumerate(texts):
                item = _item(text, right=column != 1)
                item.setToolTip(sizes)
                if not level.boxes:
                    item.setForeground(theme.colour("error"))
                self.table.setItem(row, column, item)
        told = () if details is None else details.sentences
        self.words.setText("\n".join(f"{'⚠ ' if is_warning else ''}{sentence}" for is_warning, sentence in told))


class LabelsView(QWidget):
    """`worst_asked(row)`: of the boxes, the one that fits worst of a label."""

    worst_asked = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        columns = ("Label", "Boxes", "Mean IoU", "Worst", "< 0.5")
        self.table = _table("anchors-labels", "Labels and how their boxes are served", columns, 0)
        self.table.setToolTip("A click on a label's worst IoU shows that box on its image.")
        self.table.cellClicked.connect(self._clicked)
        self.table.cellActivated.connect(self._clicked)
        self._rows: tuple[OfLabel, ...] = ()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.table)

    def show_details(self, details: Details | None, labels: Sequence[Label], each: int) -> None:
        self._rows = () if details is None else tuple(sorted(details.labels, key=lambda one: one.mean_iou))
        self.table.setRowCount(len(self._rows))
        for row, one in enumerate(self._rows):
            label = labels[one.number]
            boxes, below = round(one.boxes / each), round(one.below / each)
            texts = (label.name, f"{boxes:,}", f"{100 * one.mean_iou:.1f} %", f"{100 * one.worst:.1f} %", f"{below:,}")
            for column, text in enumerate(texts):
                item = _item(text, right=column > 0)
                item.setToolTip(label.name)
                if not column:
                    swatch = QPixmap(12, 12)
                    swatch.fill(QColor(label.colour))
                    item.setIcon(QIcon(swatch))
                if column == 3:
                    item.setForeground(theme.colour("accent"))
                self.table.setItem(row, column, item)

    @Slot(int, int)
    def _clicked(self, row: int, column: int) -> None:
        if column == 3:
            self.worst_asked.emit(self._rows[row].worst_row)


def _table(name: str, accessible: str, columns: Sequence[str], wide: int) -> QTableWidget:
    table = QTableWidget(0, len(columns))
    table.setObjectName(name)
    table.setAccessibleName(accessible)
    table.setHorizontalHeaderLabels(list(columns))
    table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
    table.horizontalHeader().setSectionResizeMode(wide, QHeaderView.ResizeMode.Stretch)
    table.verticalHeader().hide()
    table.verticalHeader().setDefaultSectionSize(24)
    table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    return table


def _item(text: str, *, right: bool) -> QTableWidgetItem:
    made = QTableWidgetItem(text)
    if right:
        made.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
    return made
