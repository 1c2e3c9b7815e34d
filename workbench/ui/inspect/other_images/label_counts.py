"""The labels that a network knows, with the count of each in the picture; a check box shows or hides them."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem, QWidget

from workbench.core.detections import Detections
from workbench.core.project import Label
from workbench.ui.icons import swatch
from workbench.ui.widgets.tables import align_heads
from workbench.ui.widgets.tooltips import plain

MANY = 12  # labels that fit in the list


class LabelCountTable(QTableWidget):
    """`changed` when a person ticked."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(0, 2, parent)
        self.setObjectName("looking-labels")
        self.setAccessibleName("Labels that are found")
        self.setToolTip("A tick shows the boxes of a label.")
        self.setHorizontalHeaderLabels(["Label", "Here"])
        align_heads(self.horizontalHeader(), (1,))
        self.horizontalHeader().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.horizontalHeader().setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        self.horizontalHeader().setHighlightSections(False)
        self.verticalHeader().hide()
        self.setShowGrid(False)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.setTabKeyNavigation(False)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self._labels: tuple[Label, ...] = ()
        self.itemChanged.connect(self._ticked)

    def show_labels(self, labels: tuple[Label, ...]) -> None:
        """Check marks are kept if the labels are the same as before."""
        if labels == self._labels:
            return
        self._labels = labels
        self.blockSignals(True)
        self.setRowCount(len(labels))
        for row, label in enumerate(labels):
            name, count = QTableWidgetItem(label.name), QTableWidgetItem("")
            name.setIcon(swatch(label.colour))
            name.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsUserCheckable)
            name.setCheckState(Qt.CheckState.Checked)
            name.setToolTip(plain(label.name))
            count.setFlags(Qt.ItemFlag.ItemIsEnabled)
            count.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            self.setItem(row, 0, name)
            self.setItem(row, 1, count)
        self.blockSignals(False)

    def show_counts(self, found: Detections) -> None:
        """Of all labels, hidden or not. If there are many, only those found here or unchecked are listed."""
        counts = np.bincount(found.labels, minlength=len(self._labels)) if len(self._labels) else np.zeros(0, int)
        self.blockSignals(True)
        for row in range(self.rowCount()):
            name, count = self.item(row, 0), self.item(row, 1)
            if name is not None and count is not None:
                count.setText(f"{int(counts[row]):,}")
                ticked = name.checkState() is Qt.CheckState.Checked
                self.setRowHidden(row, self.rowCount() > MANY and ticked and not counts[row])
        self.blockSignals(False)

    def forget_counts(self) -> None:
        """Nothing is shown that could be counted."""
        self.blockSignals(True)
        for count in (self.item(row, 1) for row in range(self.rowCount())):
            if count is not None:
                count.setText("")
        self.blockSignals(False)

    def shown_of(self, found: Detections) -> Detections:
        """The detections of labels that are checked."""
        items = [self.item(row, 0) for row in range(self.rowCount())]
        ticked = np.array([item is None or item.checkState() is Qt.CheckState.Checked for item in items], bool)
        use = ticked[found.labels] if len(found) else np.zeros(0, bool)
        return Detections(found.boxes[use], found.scores[use], found.labels[use])

    @Slot(QTableWidgetItem)
    def _ticked(self, item: QTableWidgetItem) -> None:
        if item.column() == 0:
            self.changed.emit()
