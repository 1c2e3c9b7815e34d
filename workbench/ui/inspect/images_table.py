"""The list of images on the Inspect page with what was missed in each; sorted by a click on a head."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt, Signal, Slot
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QWidget

from workbench.core.files import natural_key
from workbench.core.project import Image

COLUMNS = ("image", "boxes", "missed", "false")
HELP = ("", "Labelled boxes that count.", "Labelled boxes that were not found.", "Detections without a labelled box.")
MOST = "0,000"  # what a column of numbers has room for
ARROW, PADDING = 16, 8  # px of the mark of sorting; px between a cell's text and its sides, both together
Index = QModelIndex | QPersistentModelIndex
_NOWHERE = QModelIndex()


class ImagesModel(QAbstractTableModel):
    """Rows are images in a chosen order; `row_image[row]` is the image's index in the evaluated snapshot."""

    def __init__(self) -> None:
        super().__init__()
        self._images: tuple[Image, ...] = ()
        self._counts = np.zeros((0, 3), np.int64)
        self.row_image = np.zeros(0, np.int64)
        self._sorted = (2, Qt.SortOrder.DescendingOrder)

    def set_images(self, images: tuple[Image, ...]) -> None:
        self.beginResetModel()
        self._images = images
        self._counts = np.zeros((len(images), 3), np.int64)
        self.row_image = np.arange(len(images))
        self.endResetModel()

    def set_counts(self, counts: NDArray[np.int64]) -> None:
        """(n, 3) labelled boxes, misses and false alarms of each image. The order stays until the next sort."""
        self._counts = counts
        if len(counts):
            last = self.index(len(counts) - 1, len(COLUMNS) - 1)
            self.dataChanged.emit(self.index(0, 1), last)

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        self._sorted = (column, order)
        self.resort()

    def resort(self) -> None:
        """Sort again by the column chosen last; the selection follows its image."""
        column, order = self._sorted
        if column == 0:
            rows = sorted(range(len(self._images)), key=lambda i: natural_key(self._images[i].path))
            ranked = np.array(rows, np.int64)
        else:
            ranked = np.argsort(self._counts[:, column - 1], kind="stable")
        if order == Qt.SortOrder.DescendingOrder:
            ranked = ranked[::-1] if column == 0 else np.argsort(-self._counts[:, column - 1], kind="stable")
        self.layoutAboutToBeChanged.emit()
        before = self.persistentIndexList()
        images = [int(self.row_image[index.row()]) for index in before]
        self.row_image = ranked
        after = [self.index(self.row_of(image), index.column()) for image, index in zip(images, before, strict=True)]
        self.changePersistentIndexList(before, after)
        self.layoutChanged.emit()

    def row_of(self, image: int) -> int:
        """The row of an image, -1 if it has none."""
        found = np.flatnonzero(self.row_image == image)
        return int(found[0]) if len(found) else -1

    # --- Qt ---

    def rowCount(self, parent: Index = _NOWHERE) -> int:
        return 0 if parent.isValid() else len(self._images)

    def columnCount(self, parent: Index = _NOWHERE) -> int:
        return 0 if parent.isValid() else len(COLUMNS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = 0) -> Any:
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return COLUMNS[section]
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.ToolTipRole:
            return HELP[section]
        return None

    def data(self, index: Index, role: int = 0) -> Any:
        image = int(self.row_image[index.row()])
        if role == Qt.ItemDataRole.DisplayRole:
            return (
                self._images[image].name if index.column() == 0 else f"{int(self._counts[image, index.column() - 1]):,}"
            )
        if role == Qt.ItemDataRole.ToolTipRole:
            return self._images[image].path
        if role == Qt.ItemDataRole.TextAlignmentRole and index.column():
            return int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        return None


class ImagesTable(QTableView):
    """`image_chosen(index)` when a person goes to another row."""

    image_chosen = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("inspect-images")
        self.images = ImagesModel()
        self.setModel(self.images)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setWordWrap(False)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(24)
        head = self.horizontalHeader()
        head.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for column in range(1, len(COLUMNS)):
            head.setSectionResizeMode(column, QHeaderView.ResizeMode.Fixed)
            head.resizeSection(column, self._needed(column))
        self.sortByColumn(2, Qt.SortOrder.DescendingOrder)
        self.setSortingEnabled(True)
        self.selectionModel().currentRowChanged.connect(self._moved)

    def _needed(self, column: int) -> int:
        """The px for a number and for the head with its mark: what is left belongs to the names."""
        return PADDING + max(
            self.fontMetrics().horizontalAdvance(MOST),
            self.horizontalHeader().fontMetrics().horizontalAdvance(COLUMNS[column]) + ARROW,
        )

    def select_image(self, image: int) -> None:
        """Go to the row of this image, -1 for none; does not emit `image_chosen`."""
        row = self.images.row_of(image)
        self.selectionModel().blockSignals(True)
        if row >= 0:
            self.selectRow(row)
            self.scrollTo(self.images.index(row, 0))
        else:
            self.clearSelection()
        self.selectionModel().blockSignals(False)
        self.viewport().update()

    @Slot(QModelIndex, QModelIndex)
    def _moved(self, current: QModelIndex, _before: QModelIndex) -> None:
        if current.isValid():
            self.image_chosen.emit(int(self.images.row_image[current.row()]))
