"""The list of images beside the canvas: thumbnails, states, order, and a filter by state and name."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import QItemSelectionModel, QModelIndex, Qt, Signal, Slot
from PySide6.QtGui import QKeyEvent, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from workbench.core.formatting import count as counted
from workbench.core.project import FINISHED
from workbench.ui import theme
from workbench.ui.images import image_queues, thumbnails
from workbench.ui.images.image_delegates import ImageRow, row_height
from workbench.ui.images.image_filter import ORDERS, ImageFilter
from workbench.ui.images.images_model import IMAGE, QUEUED, Filter, ImagesModel, Order
from workbench.ui.session import Session
from workbench.ui.widgets.announcements import announce
from workbench.ui.widgets.elided import ElidedCombo
from workbench.ui.widgets.escape_filter import EscapeFilter
from workbench.ui.widgets.rows import MOVING_KEYS

_LEAST = 176
"""Widget pixels that fit a thumbnail and the beginning of a name."""

REORDERED = (
    "The images that would teach the network most are now listed first. Choose another order in the field below the "
    "list."
)


class ImageList(QWidget):
    """Follows the session's image and chooses it. `keyboard_released`: the keyboard is no longer needed here."""

    keyboard_released = Signal()  # Enter or Esc in the filter: back to the canvas

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self.model = ImagesModel(session, thumbnails.of(session), self)
        self._filter = ImageFilter(session, "image-filter", narrow=True)
        self._view = ImageTable(self.model)
        self._count = QLabel()
        self._count.setObjectName("image-count")
        self._count.setProperty("role", "muted")
        self._count.setFont(theme.font(theme.SMALL))
        self._order = ElidedCombo(
            "image-order",
            "Order of the images",
            "The order of the images. A run can put the unlabelled images that would teach it most first.",
        )
        self._order.setFont(theme.font(theme.SMALL))
        self._order.setMinimumWidth(40)
        for order, words in ORDERS.items():
            self._order.addItem(words, order.value)
        self._first = False  # whether to show the queue's first image when the queue comes
        self._lay_out()
        self._filter.changed.connect(self._filtered)
        self._order.activated.connect(self._order_chosen)
        self._filter.text.returnPressed.connect(self._enter_pressed)
        EscapeFilter(self._filter.text).pressed.connect(self.keyboard_released)
        self._view.selectionModel().currentChanged.connect(self._chosen)
        self.model.count_changed.connect(self.follow)
        image_queues.of(session).changed.connect(self._queue_changed)
        session.image_changed.connect(self.follow)
        session.add_image_order(self.isVisible, partial(self.model.nearest, step=1))
        session.filter_requested.connect(self._filter_requested)
        self.follow()

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        self.setMinimumWidth(_LEAST)
        layout.setContentsMargins(0, 0, 0, 4)
        layout.setSpacing(0)
        layout.addWidget(self._filter)
        layout.addWidget(self._view, 1)
        foot = QHBoxLayout()
        foot.setContentsMargins(theme.GRID, 4, 4, 0)
        foot.setSpacing(theme.GRID)
        foot.addWidget(self._count)
        foot.addWidget(self._order, 1)
        layout.addLayout(foot)

    @property
    def view(self) -> ImageTable:
        return self._view

    @property
    def requested_boxes(self) -> frozenset[int]:
        """Ids of the boxes that the list is restricted to; empty for all of its images."""
        return self.model.filter.boxes

    @Slot(object)
    def _filter_requested(self, wanted: Filter) -> None:
        """List the same images as the gallery that one of them was opened from."""
        self._filter.take_over(wanted)

    @Slot()
    def _enter_pressed(self) -> None:
        """In the filter: to the canvas, with the first image listed unless the one that it shows is."""
        first = self.model.image(0)
        if first is not None and self.model.row_of(self._session.image_id) < 0:
            self._session.select_image(first.id)
        self.keyboard_released.emit()

    # --- in which order ---

    @Slot()
    def _order_chosen(self) -> None:
        order = Order(self._order.currentData())
        self._first = order in QUEUED
        self._filter.more.set_order(order)
        if self._first:  # also if this order was already chosen: labels have changed since
            image_queues.of(self._session).renew()
        self.keyboard_released.emit()

    @Slot()
    def order_by_both(self) -> None:
        """After a training: order the images by what would teach the network most. The first is shown if the current
        image is finished; an image that somebody may be looking at stays.
        """
        image = self._session.image
        self._first = image is None or image.state in FINISHED
        if self.model.filter.order not in QUEUED:
            self._filter.more.set_order(Order.BOTH)
            self._session.inform(REORDERED)

    @Slot(object)
    def _filtered(self, wanted: Filter) -> None:
        self._order.setCurrentIndex(self._order.findData(wanted.order.value))
        self.model.set_filter(wanted)

    @Slot()
    def _queue_changed(self) -> None:
        """Show its first image; if no image there waits for labels, the current one stays."""
        queue = image_queues.of(self._session).queue
        if self._first and queue is not None and self.model.filter.order in QUEUED:
            self._first = False
            first = self.model.image(0)
            if first is not None and len(queue):
                self._session.select_image(first.id)

    @Slot(QModelIndex, QModelIndex)
    def _chosen(self, index: QModelIndex, _before: QModelIndex) -> None:
        image = index.data(IMAGE)
        if image is not None:
            self._session.select_image(image.id)

    @Slot()
    def follow(self, _id: int = 0) -> None:
        """Mark the session's image if the filter shows it, and show its position in the list."""
        row, count = self.model.row_of(self._session.image_id), self.model.rowCount()
        selection = self._view.selectionModel()
        if row >= 0 and selection.currentIndex().row() != row:
            index = self.model.index(row)
            selection.setCurrentIndex(index, QItemSelectionModel.SelectionFlag.ClearAndSelect)
            for near in (max(row - 1, 0), min(row + 1, count - 1), row):  # show both neighbours in either direction
                self._view.scrollTo(self.model.index(near), QAbstractItemView.ScrollHint.EnsureVisible)
            if self._view.isVisible() and not self._view.hasFocus():
                announce(self._view, index.data(Qt.ItemDataRole.AccessibleTextRole))
        elif row < 0:
            selection.clear()
        self._count.setText(f"{row + 1:,} of {count:,}" if row >= 0 else counted(count, "image"))


class ImageTable(QTableView):
    """One column of rows of equal height. A QListView lays out all rows at every change: 0.2 s for 100,000 images."""

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
        self.verticalHeader().setDefaultSectionSize(row_height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        """The shown image stays in sight if it was; one that was scrolled away is not brought back."""
        super().resizeEvent(event)
        shown = self.visualRect(self.currentIndex())
        if shown.isValid() and 0 <= shown.top() < event.oldSize().height():
            self.scrollTo(self.currentIndex())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Handle only keys that move in a list: letters and Space are the page's commands."""
        if event.key() in MOVING_KEYS:
            super().keyPressEvent(event)
        else:
            event.ignore()
