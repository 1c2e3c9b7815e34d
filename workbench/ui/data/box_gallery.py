"""Boxes one by one, as tiles: those that look wrong among others of their label get another one, or are deleted.

Keys as on the Label page: a label's number, E for any label, Del; Enter opens the image there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from PySide6.QtCore import QItemSelection, QItemSelectionModel, QModelIndex, QPoint, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QHideEvent, QKeyEvent, QShowEvent
from PySide6.QtWidgets import QAbstractItemView, QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from workbench.core import edits
from workbench.core.applied_edit import AppliedEdit
from workbench.core.label_keys import label_keys
from workbench.core.storage import box_rows
from workbench.core.storage.box_criteria import BoxCriteria
from workbench.core.storage.box_rows import NO_ROWS, BoxOrder, BoxRows
from workbench.errors import WorkbenchError
from workbench.ui import theme
from workbench.ui.actions import make_action, tell_key
from workbench.ui.background import Background
from workbench.ui.data.box_entries import add_box_entries, relabel, split_off
from workbench.ui.data.box_tiles import BoxTileDelegate, BoxTilesModel, tile_size
from workbench.ui.digit_keys import digit_of
from workbench.ui.held_keys import HeldKeys
from workbench.ui.images.crops import Crops
from workbench.ui.session import Session
from workbench.ui.widgets.label_popup import LabelPopup
from workbench.ui.widgets.popups import Combo, Menu, MenuKeyFilter
from workbench.ui.widgets.rows import ranges
from workbench.ui.widgets.tile_view import TileView

READ_AFTER = 50
"""Milliseconds from the last edit until the boxes are read again: 0.3 s for 100,000, in a thread."""
NONE, READING = "No box passes the filter.", "Reading the boxes …"
_Select = QItemSelectionModel.SelectionFlag


@dataclass(frozen=True, slots=True, eq=False)
class _ReadRequest:
    """Compared by identity, as it is a request to a thread."""

    file: Path
    images: tuple[int, ...]
    asked: BoxCriteria


class BoxGallery(QWidget):
    """Lists boxes while it is visible, anew after `list_boxes`. Call `close_down` before it is destroyed.

    `counted(number)` of listed boxes; `opened(image, ids of boxes)` on a double click or Enter.
    """

    counted = Signal(int)
    opened = Signal(int, object)

    def __init__(self, session: Session, images: Callable[[], tuple[tuple[int, ...], BoxCriteria]]) -> None:
        """`images`: the images whose boxes are listed, in their order, and which of their boxes."""
        super().__init__()
        self._session, self._images = session, images
        self._boxes = NO_ROWS  # by image
        self._crops = Crops(self)
        self._reader = Background("Reading the boxes", _read, self)
        self._reader.done.connect(self._have_read)
        self._awaited: _ReadRequest | None = None
        self.model = BoxTilesModel(session, self._crops, self)
        self.view = TileView("boxes", "Boxes", tile_size())
        self.view.setModel(self.model)
        self.view.setItemDelegate(BoxTileDelegate(self.view))
        self.view.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self._order = Combo()
        self._order.setObjectName("boxes-order")
        self._order.setAccessibleName("Order of the boxes")
        for order in BoxOrder:
            self._order.addItem(order.value.capitalize(), order.value)
        only = Qt.ShortcutContext.WidgetShortcut
        self._held = HeldKeys(self)  # the next box takes the place of one that goes
        make_action(self.view, "boxes-label", self.ask_label, context=only)
        make_action(self.view, "boxes-delete", self._held.once(self.delete), context=only)
        self._lay_out()
        self._later = QTimer(self, singleShot=True, interval=READ_AFTER)
        self._later.timeout.connect(self.list_boxes)
        self._crops.made.connect(self.view.viewport().update)
        self._order.currentIndexChanged.connect(self._show)
        self.view.activated.connect(self._open)
        self.view.selectionModel().selectionChanged.connect(self._selection_changed)
        self.view.selectionModel().currentChanged.connect(self._current_changed)
        self.view.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.view.customContextMenuRequested.connect(self._open_menu)
        MenuKeyFilter(self.view)
        session.edited.connect(self._edited)
        session.closing.connect(self.forget)
        self._selection_changed()

    def _lay_out(self) -> None:
        self._about = QLabel()
        self._about.setObjectName("boxes-selected")
        self._change = QPushButton("Another label…")
        self._change.setObjectName("boxes-label-button")
        self._change.clicked.connect(self.ask_label)
        tell_key(self._change, "boxes-label", "{}. A label's number gives it at once")
        self._drop = QPushButton("Delete")
        self._drop.setObjectName("boxes-delete-button")
        self._drop.clicked.connect(self.delete)
        tell_key(self._drop, "boxes-delete")
        bar = QFrame()
        bar.setObjectName("boxes-bar")
        row = QHBoxLayout(bar)
        row.setContentsMargins(theme.GRID, theme.GRID // 2, theme.GRID, theme.GRID // 2)
        row.setSpacing(theme.GRID)
        for widget in (self._about, self._change, self._drop):
            row.addWidget(widget)
        for button in (self._change, self._drop):  # a click leaves the focus on the tiles
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        row.addStretch(1)
        row.addWidget(self._order)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.view, 1)
        column.addWidget(bar)

    # --- what is listed ---

    @Slot()
    def list_boxes(self) -> None:
        """Read the boxes again, if they are visible; `counted` follows."""
        document = self._session.document
        if document is None or not self.isVisible():
            return
        if not len(self._boxes):
            self.view.hint = READING
            self.view.viewport().update()
        self._awaited = _ReadRequest(document.store.file, *self._images())
        self._reader.ask([self._awaited])

    @Slot(object, object)
    def _have_read(self, request: object, found: object) -> None:
        if request is not self._awaited:
            return
        if isinstance(found, WorkbenchError):
            self.view.hint = ""
            self.view.viewport().update()
            self._session.report_error(found)
        elif isinstance(found, BoxRows):
            self._boxes = found
            self.view.hint = NONE
            self._show()
            self.counted.emit(len(found))

    @Slot()
    def _show(self) -> None:
        """In the chosen order; boxes that are still listed stay selected, else the one that took their place."""
        kept, row = self.selected(), self.view.currentIndex().row()
        self.model.set_boxes(self._boxes.ordered(BoxOrder(self._order.currentData())))
        rows = self.model.rows_of(kept)
        chosen = QItemSelection()
        for part in ranges(rows):
            chosen.select(self.model.index(part[0]), self.model.index(part[-1]))
        selection = self.view.selectionModel()
        if rows:
            selection.select(chosen, _Select.ClearAndSelect)
            selection.setCurrentIndex(self.model.index(rows[0]), _Select.NoUpdate)
            self.view.scrollTo(self.model.index(rows[0]))
        elif row >= 0 and self.model.rowCount():
            selection.setCurrentIndex(self.model.index(min(row, self.model.rowCount() - 1)), _Select.ClearAndSelect)
        self._selection_changed()

    @Slot(object)
    def _edited(self, applied: AppliedEdit) -> None:
        if applied.images or applied.labels_changed or applied.images_changed:
            self._later.start()

    @Slot()
    def forget(self) -> None:
        """The project closes."""
        self._awaited = None
        self._later.stop()
        self._crops.forget()
        self._boxes = NO_ROWS
        self.model.set_boxes(NO_ROWS)
        self.view.hint = ""

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.list_boxes()

    def hideEvent(self, event: QHideEvent) -> None:
        self._awaited = None
        self._later.stop()
        super().hideEvent(event)

    def close_down(self) -> None:
        """Wait for the threads."""
        self._later.stop()
        self._crops.close()
        self._reader.close()

    # --- what is selected ---

    def selected(self) -> tuple[int, ...]:
        """Ids of the selected boxes."""
        return self.model.ids(self.view.chosen_rows())

    @Slot()
    def _selection_changed(self) -> None:
        number = sum(map(len, self.view.chosen_rows()))
        self._about.setText(f"{number:,} selected")
        for button in (self._change, self._drop):
            button.setEnabled(number > 0)

    @Slot(QModelIndex, QModelIndex)
    def _current_changed(self, index: QModelIndex, _before: QModelIndex) -> None:
        image = self.model.image(index.row())
        if image and self.view.hasFocus():
            self._session.select_image(image)

    @Slot(QModelIndex)
    def _open(self, index: QModelIndex) -> None:
        image, ids = self.model.image(index.row()), self.model.ids([range(index.row(), index.row() + 1)])
        if image:
            self.opened.emit(image, ids)

    # --- what is done with them ---

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """The number of a label gives it to the selected boxes."""
        if digit := digit_of(event):
            self._held.once(partial(self._relabel, digit))()
        else:
            super().keyPressEvent(event)

    def _relabel(self, digit: str) -> None:
        document = self._session.document
        if document is None or not (ids := self._chosen()):
            return
        label = label_keys(document.labels()).get(digit)
        if label is None:
            self._session.inform(f"No label has the key {digit}.")
        else:
            relabel(self._session, ids, label.id)

    def _chosen(self) -> tuple[int, ...]:
        """Ids of the selected boxes; without any, it is said what to do."""
        ids = self.selected()
        if not ids:
            self._session.inform("Select boxes first: click one, or press Ctrl+A for all.")
        return ids

    @Slot()
    def ask_label(self) -> None:
        """Choose a label by typing, or make a new one."""
        document, ids = self._session.document, self._chosen()
        if document is None or not ids or not self._session.may_change():
            return
        popup = LabelPopup(document.labels(), self.window())
        popup.chosen.connect(lambda id: relabel(self._session, ids, id))
        popup.created.connect(lambda name: split_off(self._session, ids, name))
        place = self.view.visualRect(self.view.currentIndex()).intersected(self.view.viewport().rect())
        popup.open_at(self.view.viewport().mapToGlobal(place.center()))

    @Slot()
    def delete(self) -> None:
        ids = self._chosen()
        if ids:
            self._session.do(edits.RemoveBoxes(ids))

    @Slot(QPoint)
    def _open_menu(self, at: QPoint) -> None:
        ids = self.selected()
        if not ids or self._session.document is None:
            return
        menu = Menu(self)
        menu.setObjectName("boxes-menu")
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        words = "this box" if len(ids) == 1 else f"these {len(ids):,} boxes"
        add_box_entries(menu, self._session, words, len(ids), lambda: ids, self)
        menu.addSeparator()
        index = self.view.currentIndex()
        menu.addAction("Open on the Label page").triggered.connect(lambda: self._open(index))
        menu.popup(self.view.viewport().mapToGlobal(at))


def _read(request: _ReadRequest) -> BoxRows:
    """Runs in the thread."""
    return box_rows.read(request.file, request.images, request.asked)
