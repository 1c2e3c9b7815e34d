"""The list of images on the Inspect page with their mistakes; a click on a column header sorts it.

While it lists what is behind a bar, a cell or a point, the labelled boxes give way to a last column, as the pane is
narrow: it counts the framed boxes in each image, the most first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QModelIndex, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableView

from workbench.core.files import natural_key
from workbench.core.project import Image
from workbench.ui.widgets.file_names import FileNames
from workbench.ui.widgets.sort_header import SortHeader
from workbench.ui.widgets.tables import NOWHERE, NUMBER, Index, TableModel, make_copyable, style_table

COLUMNS = ("Image", "Boxes", "Missed", "False", "Framed")
HELP = (
    "", "Labelled boxes that count.", "Labelled boxes that were not found.", "Detections without a labelled box.",
    "Boxes and detections that the list was opened for: they are framed twice on the picture.",
)  # fmt: skip
BOXES, MISSED, FALSE, FRAMED = range(1, 5)
BY_COUNTS = (BOXES, MISSED, FALSE)  # columns whose numbers change as a slider moves
MOST = "0,000"  # the longest number that a column has room for
SETTLED = 600
"""Milliseconds after the last change of the numbers until the rows are sorted again: none moves under a slider."""
ARROW, PADDING = 12, 8  # px, the sort indicator; px between a cell's text and its left and right edges together


class ImagesModel(TableModel):
    """Rows are images in display order; `row_image[row]` is the image's index in the evaluated snapshot."""

    titles, helps, numbers = COLUMNS, HELP, frozenset(range(1, len(COLUMNS)))

    def __init__(self) -> None:
        super().__init__()
        self._images: tuple[Image, ...] = ()
        self._counts = np.zeros((0, 3), np.int64)
        self.row_image = np.zeros(0, np.int64)
        self._listed: NDArray[np.int64] | None = None  # images that have a row; None: all
        self._framed = np.zeros(0, np.int64)  # (n,) number of framed boxes in each image
        self.sorted = self._usual = (MISSED, Qt.SortOrder.DescendingOrder)

    def set_images(self, images: tuple[Image, ...]) -> None:
        self.beginResetModel()
        self._images = images
        self._counts = np.zeros((len(images), 3), np.int64)
        self._listed, self.row_image = None, np.arange(len(images))
        self.endResetModel()

    def list_only(self, images: NDArray[np.int64] | None) -> None:
        """Give rows only to these images, each repeated once per framed box in it; None: to all images."""
        self.beginResetModel()
        if images is not None:
            self._framed = np.bincount(images, minlength=len(self._images))
            self.sorted = (FRAMED, Qt.SortOrder.DescendingOrder)
        else:
            self.sorted = self._usual
        self._listed = images if images is None else np.unique(images)
        self.row_image = self._ranked()
        self.endResetModel()

    def set_counts(self, counts: NDArray[np.int64]) -> None:
        """(n, 3) labelled boxes, misses and false alarms of each image. The order stays until they have settled."""
        self._counts = counts
        if len(self.row_image):
            last = self.index(len(self.row_image) - 1, self.columnCount() - 1)
            self.dataChanged.emit(self.index(0, 1), last)

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        self.sorted = (column, order)
        if column != FRAMED:
            self._usual = self.sorted
        self.resort()

    def resort(self) -> None:
        """Sort again by the last chosen column; the selection follows its image."""
        ranked = self._ranked()
        self.layoutAboutToBeChanged.emit()
        before = self.persistentIndexList()
        images = [int(self.row_image[index.row()]) for index in before]
        self.row_image = ranked
        after = [self.index(self.row_of(image), index.column()) for image, index in zip(images, before, strict=True)]
        self.changePersistentIndexList(before, after)
        self.layoutChanged.emit()

    def _ranked(self) -> NDArray[np.int64]:
        """The images that have a row, in display order."""
        column, order = self.sorted
        down = order == Qt.SortOrder.DescendingOrder
        some = np.arange(len(self._images)) if self._listed is None else self._listed
        if column == 0:
            rows = sorted(some.tolist(), key=lambda i: natural_key(self._images[i].path), reverse=down)
            return np.array(rows, np.int64)
        counts = self._number(some, column)
        return np.asarray(some[np.argsort(-counts if down else counts, kind="stable")])

    def _number(self, images: NDArray[np.int64], column: int) -> NDArray[np.int64]:
        return np.asarray(self._framed[images] if column == FRAMED else self._counts[images, column - 1])

    def row_of(self, image: int) -> int:
        """The row of an image, -1 if it has none."""
        found = np.flatnonzero(self.row_image == image)
        return int(found[0]) if len(found) else -1

    def neighbours(self, image: int, steps: Sequence[int]) -> list[int]:
        """The images so many rows further down, or up; none for steps beyond the list, or if the image has no row."""
        row = self.row_of(image)
        rows = [row + step for step in steps] if row >= 0 else []
        return [int(self.row_image[one]) for one in rows if 0 <= one < len(self.row_image)]

    # --- Qt ---

    def rowCount(self, parent: Index = NOWHERE) -> int:
        return 0 if parent.isValid() else len(self.row_image)

    def columnCount(self, parent: Index = NOWHERE) -> int:
        return 0 if parent.isValid() else FRAMED + (self._listed is not None)

    def data(self, index: Index, role: int = 0) -> Any:
        if role == Qt.ItemDataRole.DisplayRole:
            image, column = self.row_image[index.row()], index.column()
            return f"{int(self._number(image, column)):,}" if column else self._images[image].name
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return NUMBER if index.column() else None
        if role == Qt.ItemDataRole.ToolTipRole:
            return f"{self._images[int(self.row_image[index.row()])].path}\nDouble-click: correct it on the Label page"
        return None


class ImagesTable(QTableView):
    """`image_chosen(index)` when a person selects another row, `image_opened(index)` after a double click or Enter."""

    image_chosen = Signal(int)
    image_opened = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("inspect-images")
        self.setAccessibleName("Images")
        self.images = ImagesModel()
        self.setModel(self.images)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setItemDelegateForColumn(0, FileNames(self))
        SortHeader(self)
        head = style_table(self)
        head.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for column in range(1, FRAMED):
            self._size(column)
        make_copyable(self)
        self.sortByColumn(MISSED, Qt.SortOrder.DescendingOrder)
        self.setSortingEnabled(True)
        self.selectionModel().currentRowChanged.connect(self._moved)
        self.doubleClicked.connect(self._opened)
        self._settled = QTimer(self, singleShot=True, interval=SETTLED)
        self._settled.timeout.connect(self.images.resort)
        self.images.dataChanged.connect(self._wait)

    @Slot()
    def _wait(self, *_changed: object) -> None:
        if self.images.sorted[0] in BY_COUNTS:
            self._settled.start()

    def list_only(self, images: NDArray[np.int64] | None) -> None:
        """As the model's."""
        self.images.list_only(images)
        self.setColumnHidden(BOXES, images is not None)
        if images is not None:
            self._size(FRAMED)
        self.sortByColumn(*self.images.sorted)

    def _size(self, column: int) -> None:
        self.horizontalHeader().setSectionResizeMode(column, QHeaderView.ResizeMode.Fixed)
        self.horizontalHeader().resizeSection(column, self._needed(column))

    def _needed(self, column: int) -> int:
        """The px for a number, and for the header with the sort indicator: the names get the rest."""
        return PADDING + max(
            self.fontMetrics().horizontalAdvance(MOST),
            self.horizontalHeader().fontMetrics().horizontalAdvance(COLUMNS[column]) + ARROW,
        )

    def select_image(self, image: int) -> None:
        """Select the row of this image, -1 for none; does not emit `image_chosen`."""
        row = self.images.row_of(image)
        self.selectionModel().blockSignals(True)
        if row >= 0:
            self.selectRow(row)
            self.scrollTo(self.images.index(row, 0))
        else:
            self.clearSelection()
        self.selectionModel().blockSignals(False)
        self.viewport().update()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and not event.modifiers():
            self._opened(self.currentIndex())
        else:
            super().keyPressEvent(event)

    @Slot(QModelIndex)
    def _opened(self, index: QModelIndex) -> None:
        if index.isValid():
            self.image_opened.emit(int(self.images.row_image[index.row()]))

    @Slot(QModelIndex, QModelIndex)
    def _moved(self, current: QModelIndex, _before: QModelIndex) -> None:
        if current.isValid():
            self.image_chosen.emit(int(self.images.row_image[current.row()]))
