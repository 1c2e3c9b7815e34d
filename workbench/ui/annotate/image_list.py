"""The list of images beside the canvas: thumbnails, states, and a filter by state and name."""

from __future__ import annotations

import dataclasses

from PySide6.QtCore import QItemSelectionModel, QModelIndex, Qt, Signal, Slot
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QHeaderView,
    QLabel,
    QLineEdit,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from workbench.core.project import State
from workbench.ui import theme, thumbnails
from workbench.ui.images_model import IMAGE, ImagesModel
from workbench.ui.session import Session
from workbench.ui.widgets.image_delegates import ROW_HEIGHT, ImageRow
from workbench.ui.widgets.rows import MOVING_KEYS


class ImageList(QWidget):
    """Follows the session's image and chooses it. `done` after the keyboard is no longer needed here."""

    left = Signal()  # Enter or Esc in the filter: back to the canvas

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.model = ImagesModel(session, thumbnails.of(session), self)
        self._states = QComboBox()
        self._states.setObjectName("image-filter-state")
        self._states.setAccessibleName("Show images of this state")
        for word, state in (("All images", None), *((s.value.capitalize(), s) for s in State)):
            self._states.addItem(word, state)
        self._text = QLineEdit(placeholderText="Filter by name", clearButtonEnabled=True)
        self._text.setObjectName("image-filter-text")
        self._view = ImageTable(self.model)
        self._count = QLabel()
        self._count.setObjectName("image-count")
        self._count.setProperty("role", "muted")
        self._count.setFont(theme.font(theme.SMALL))
        self._lay_out()
        self._states.currentIndexChanged.connect(self._filter)
        self._text.textChanged.connect(self._filter)
        self._text.returnPressed.connect(self.left)
        self._view.selectionModel().currentChanged.connect(self._chosen)
        self.model.count_changed.connect(self.follow)
        session.image_changed.connect(self.follow)
        self.follow()

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, theme.GRID, 0, 4)
        layout.setSpacing(theme.GRID // 2)
        for widget in (self._states, self._text):
            row = QVBoxLayout()
            row.setContentsMargins(theme.GRID, 0, theme.GRID, 0)
            row.addWidget(widget)
            layout.addLayout(row)
        layout.addWidget(self._view, 1)
        self._count.setContentsMargins(theme.GRID, 0, theme.GRID, 0)
        layout.addWidget(self._count)

    @Slot()
    def _filter(self) -> None:
        state = self._states.currentData()
        wanted = dataclasses.replace(
            self.model.filter, state=State(state) if state else None, text=self._text.text().strip()
        )
        self.model.set_filter(wanted)

    @Slot(QModelIndex, QModelIndex)
    def _chosen(self, index: QModelIndex, _before: QModelIndex) -> None:
        image = index.data(IMAGE)
        if image is not None:
            self._session.select_image(image.id)

    @Slot()
    def follow(self, _id: int = 0) -> None:
        """Mark the session's image, if the filter shows it, and say where in the list it is."""
        row, count = self.model.row_of(self._session.image_id), self.model.rowCount()
        selection = self._view.selectionModel()
        if row >= 0 and selection.currentIndex().row() != row:
            index = self.model.index(row)
            selection.setCurrentIndex(index, QItemSelectionModel.SelectionFlag.ClearAndSelect)
            self._view.scrollTo(index, QAbstractItemView.ScrollHint.EnsureVisible)
        elif row < 0:
            selection.clear()
        self._count.setText(f"{row + 1:,} of {count:,}" if row >= 0 else f"{count:,} images")


class ImageTable(QTableView):
    """One column of rows of one height. A QListView lays out all rows at every change: 0.2 s for 100,000 images."""

    def __init__(self, model: ImagesModel) -> None:
        super().__init__()
        self.setObjectName("image-list")
        self.setAccessibleName("Images")
        self.setProperty("role", "flat")
        self.setModel(model)
        self.setItemDelegate(ImageRow(self))
        self.setShowGrid(False)
        self.setTabKeyNavigation(False)
        self.setMouseTracking(True)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.horizontalHeader().hide()
        self.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        self.verticalHeader().hide()
        self.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self.verticalHeader().setDefaultSectionSize(ROW_HEIGHT)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Only the keys that move in a list: letters and Space are the page's commands."""
        if event.key() in MOVING_KEYS:
            super().keyPressEvent(event)
        else:
            event.ignore()
