"""The gallery: all images as tiles, or their boxes; with a filter above and actions for the selected ones below."""

from __future__ import annotations

from functools import partial

import numpy as np
from PySide6.QtCore import QItemSelection, QItemSelectionModel, QModelIndex, QPoint, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QLabel,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from workbench.core import edits
from workbench.core.applied_edit import AppliedEdit
from workbench.core.formatting import count
from workbench.core.project import Split, State
from workbench.core.storage.box_criteria import ANY_BOX, BoxCriteria
from workbench.ui import theme
from workbench.ui.actions import make_action
from workbench.ui.data.box_gallery import BoxGallery
from workbench.ui.data.loss_bar import LossBar
from workbench.ui.data.selection_bar import SelectionBar
from workbench.ui.images import thumbnails, unread_images
from workbench.ui.images.image_delegates import ImageTile, tile_size
from workbench.ui.images.image_filter import ImageFilter
from workbench.ui.images.images_model import IMAGE, Filter, ImagesModel, Order
from workbench.ui.session import Session
from workbench.ui.widgets.escape_filter import EscapeFilter
from workbench.ui.widgets.rows import ranges
from workbench.ui.widgets.tile_view import TileView

NONE = "No image passes the filter. A click on the number of images in the top line shows all again."
WITH_WORD = 640  # px in which the filter's words fit beside those of the button for boxes
MARK_AFTER = 50  # ms from the last change of a selection, which may have a million images


class Gallery(QWidget):
    """Follows and chooses the session's image; `opened` when an image is double-clicked or Enter is pressed.

    `switched(widget)` from images to boxes or back: the widget that now shows tiles. Call `close_down` before it is
    destroyed.
    """

    opened = Signal(int)
    switched = Signal(object)

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.model = ImagesModel(session, thumbnails.of(session), self)
        self.view = TileView("gallery", "Images", tile_size(), NONE)
        self.view.setModel(self.model)
        self.view.setItemDelegate(ImageTile(self.view))
        self.view.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self._bar = ImageFilter(session)
        self._losses = LossBar(session)
        self._count = QLabel()
        self._count.setObjectName("gallery-count")
        self._count.setProperty("role", "muted")
        self._count.setContentsMargins(0, 0, theme.GRID, 0)
        self.boxes = BoxGallery(session, self._asked_boxes)
        self._as_boxes = make_action(self, "box-tiles", self._switch, checkable=True)
        self._as_boxes.setIconText("Boxes")
        self._as_boxes_button = QToolButton(autoRaise=True)
        self._as_boxes_button.setObjectName("button-box-tiles")
        self._as_boxes_button.setDefaultAction(self._as_boxes)
        head = QHBoxLayout()
        head.setSpacing(0)
        head.addWidget(self._bar, 1)
        head.addWidget(self._as_boxes_button)
        head.addSpacing(theme.GRID)
        head.addWidget(self._count)
        self._bar.note.setContentsMargins(theme.GRID, 0, theme.GRID, theme.GRID)
        self._selection = SelectionBar()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(head)
        layout.addWidget(self._bar.note)
        layout.addWidget(self._losses)
        self._images = QWidget()
        of_images = QVBoxLayout(self._images)
        of_images.setContentsMargins(0, 0, 0, 0)
        of_images.setSpacing(0)
        of_images.addWidget(self.view, 1)
        of_images.addWidget(self._selection)
        self._stack = QStackedWidget()
        self._stack.addWidget(self._images)
        self._stack.addWidget(self.boxes)
        layout.addWidget(self._stack, 1)
        self._bar.changed.connect(self._filter)
        self._bar.text.returnPressed.connect(self._focus_tiles)
        EscapeFilter(self._bar.text).pressed.connect(self._focus_tiles)
        self.boxes.counted.connect(self._show_count)
        self._losses.highest_first.connect(self._highest_loss_first)
        self.view.activated.connect(self._activated)
        self.view.selectionModel().currentChanged.connect(self._current_changed)
        self.view.selectionModel().selectionChanged.connect(self._selection_changed)
        self._selection.state_chosen.connect(self._set_state)
        self._selection.split_chosen.connect(self._set_split)
        self.model.count_changed.connect(self._listed)
        self.model.modelAboutToBeReset.connect(self._keep_selection)
        session.image_changed.connect(self.follow)
        session.edited.connect(self._edited)
        session.add_image_order(self.isVisible, partial(self.model.nearest, step=1))
        self._marking = QTimer(self, singleShot=True, interval=MARK_AFTER)
        self._marking.timeout.connect(self._mark_values)
        self._kept: tuple[int, ...] = ()
        self._listed()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        style = Qt.ToolButtonStyle
        fits = self.width() >= WITH_WORD
        self._as_boxes_button.setToolButtonStyle(style.ToolButtonTextBesideIcon if fits else style.ToolButtonIconOnly)

    def selected(self) -> tuple[int, ...]:
        """Ids of the selected images; none while boxes are shown instead."""
        return () if self._as_boxes.isChecked() else tuple(sorted(self.model.ids(self.view.chosen_rows())))

    def under(self, position: QPoint) -> bool:
        """Whether a global position is over the tiles."""
        view = self.view.viewport()
        return view.rect().contains(view.mapFromGlobal(position))

    @Slot(bool)
    def _switch(self, as_boxes: bool) -> None:
        """Show the boxes of the listed images instead of these, or the images again."""
        self._stack.setCurrentWidget(self.boxes if as_boxes else self._images)
        self._losses.scale.setHidden(as_boxes)
        self.switched.emit(self.boxes.view if as_boxes else self.view)
        self._focus_tiles()
        self._listed()

    @Slot()
    def _focus_tiles(self) -> None:
        (self.boxes.view if self._as_boxes.isChecked() else self.view).setFocus()

    def _asked_boxes(self) -> tuple[tuple[int, ...], BoxCriteria]:
        asked = self.model.filter.asked_boxes
        return tuple(self.model.ids([range(self.model.rowCount())])), ANY_BOX if asked is None else asked

    @Slot(int)
    def _show_count(self, boxes: int) -> None:
        if self._as_boxes.isChecked():
            self._count.setText(count(boxes, "box"))

    def close_down(self) -> None:
        """Wait for the threads."""
        self.boxes.close_down()

    def show_only(self, wanted: Filter) -> None:
        """A number was clicked: set the filter, also in its bar, and go to the first image.

        Images that are shown for themselves, as those without boxes, are not shown as boxes one by one.
        """
        if wanted.asked_boxes is None and self._as_boxes.isChecked():
            self._as_boxes.trigger()
        self._bar.set_filter(wanted)
        self.view.scrollToTop()

    @Slot()
    def follow(self, _id: int = 0) -> None:
        """Make the session's image the current one, if it is listed."""
        row = self.model.row_of(self._session.image_id)
        selection = self.view.selectionModel()
        if row >= 0 and (selection.currentIndex().row() != row or not selection.hasSelection()):
            index = self.model.index(row)
            selection.setCurrentIndex(index, QItemSelectionModel.SelectionFlag.ClearAndSelect)
            self.view.scrollTo(index)

    @Slot(object)
    def _filter(self, wanted: Filter) -> None:
        self.model.set_filter(wanted)
        self._losses.first.setChecked(wanted.order is Order.LOSS)

    @Slot(bool)
    def _highest_loss_first(self, on: bool) -> None:
        self._bar.more.set_order(Order.LOSS if on else Order.NAME)
        self.view.scrollToTop()

    @Slot()
    def _keep_selection(self) -> None:
        """Also while boxes are shown: the images come back as they were."""
        self._kept = tuple(self.model.ids(self.view.chosen_rows()))

    def _select_again(self) -> None:
        """Select again what is still listed: the list was reordered, or more images have arrived."""
        rows = sorted(row for row in map(self.model.row_of, self._kept) if row >= 0)
        self._kept = ()
        chosen = QItemSelection()
        for part in ranges(rows):
            chosen.select(self.model.index(part[0]), self.model.index(part[-1]))
        if rows:
            self.view.selectionModel().select(chosen, QItemSelectionModel.SelectionFlag.ClearAndSelect)

    def _mark_again(self) -> None:
        """Without a current image, Qt makes one current when the list gets the focus, and every page would show it."""
        row = self.model.row_of(self._session.image_id)
        if row >= 0:
            self.view.selectionModel().setCurrentIndex(
                self.model.index(row), QItemSelectionModel.SelectionFlag.NoUpdate
            )

    @Slot()
    def _listed(self) -> None:
        self._select_again()
        self._mark_again()
        document = self._session.document
        shown, total = self.model.rowCount(), len(document.images()) if document else 0
        if self._as_boxes.isChecked():
            self.boxes.list_boxes()
        else:
            self._count.setText(count(total, "image") if shown == total else f"{shown:,} of {total:,}")
        self._selection_changed()

    @Slot(QModelIndex)
    def _activated(self, index: QModelIndex) -> None:
        image = index.data(IMAGE)
        if image is not None:
            self.opened.emit(image.id)

    @Slot(QModelIndex, QModelIndex)
    def _current_changed(self, index: QModelIndex, _before: QModelIndex) -> None:
        image = index.data(IMAGE)
        if image is not None:
            self._session.select_image(image.id)

    @Slot()
    def _selection_changed(self) -> None:
        self._selection.show_count(sum(map(len, self.view.chosen_rows())))
        self._marking.start()

    @Slot(object)
    def _edited(self, applied: AppliedEdit) -> None:
        if applied.images_changed:
            self._marking.start()

    @Slot()
    def _mark_values(self) -> None:
        """Show in the bar the state and the split that all selected images share."""
        document, ids = self._session.document, np.array(self.model.ids(self.view.chosen_rows()), int)
        if document is None or not len(ids):
            self._selection.mark(None, None)
            return
        images, first = document.images(), document.image(int(ids[0]))
        rows = images.rows_of(ids)
        state = first.state if images.in_state(first.state)[rows].all() else None
        split = first.split if images.in_split(first.split)[rows].all() else None
        self._selection.mark(state, split)

    @Slot(object)
    def _set_state(self, state: State) -> None:
        if self.selected():
            unread_images.set_state(self._session, self.selected(), state)
        self._mark_values()  # even if nothing has changed: the click has toggled its button

    @Slot(object)
    def _set_split(self, split: Split) -> None:
        if self.selected():
            self._session.do(edits.SetSplit(self.selected(), split))
        self._mark_values()
