"""The review gallery: a tile for each disagreement between a run and the labels, decided with one key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from PySide6.QtCore import QItemSelectionModel, QModelIndex, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QAction, QHideEvent, QShowEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget

from workbench.core.applied_edit import AppliedEdit
from workbench.core.evaluation.evaluation_data import Confidence
from workbench.core.evaluation.matching import Matching
from workbench.core.project import Snapshot
from workbench.errors import WorkbenchError
from workbench.inference.evaluating import review, review_decisions
from workbench.inference.evaluating.review import ReviewItem
from workbench.inference.evaluating.review_decisions import Decision, Memory
from workbench.ui import keys
from workbench.ui.actions import key_text, make_action
from workbench.ui.background import Background
from workbench.ui.held_keys import HeldKeys
from workbench.ui.images import image_losses
from workbench.ui.images.crops import Crops
from workbench.ui.inspect.review.bars import DecisionBar, ReviewHeader
from workbench.ui.inspect.review.queue_model import Key, ReviewFilter, ReviewQueueModel
from workbench.ui.inspect.review.tile import TILE, ReviewTileDelegate
from workbench.ui.session import Session
from workbench.ui.widgets.tile_view import TileView

NOTHING_YET = "Look at the images first."
LISTING = "Listing …"
ALL_DONE = "There is nothing left to review here."
_Select = QItemSelectionModel.SelectionFlag


@dataclass(frozen=True, slots=True, eq=False)
class _ListRequest:
    """What is to be listed; compared by identity, as it is a request to a thread."""

    truth: Snapshot
    matching: Matching
    confidence: Confidence
    poor: float
    losses: Mapping[int, float]


class ReviewGallery(QWidget):
    """Call `show_found` with what was found, and again after every edit (review_decisions.replace_images).

    What a person decides leaves the list at once, and other effects of the edit follow with the next `show_found`. Call
    `close_down` before it is destroyed.
    """

    current_changed = Signal(object)  # ReviewItem, or None
    show_requested = Signal()  # it is to be seen
    wide_requested = Signal(bool)  # it needs the space of its neighbours, or no longer

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.setObjectName("review")
        self._session = session
        self._request: _ListRequest | None = None
        self._memory: Memory = {}
        self._decided: dict[Key, ReviewItem] = {}  # in this sitting
        self._hidden: dict[Key, ReviewItem] = {}  # those of them that the items don't include yet
        self._crops = Crops(self)
        self._lister = Background("Listing what to review", _list_items, self)
        self._lister.done.connect(self._received)
        self._is_seen = False
        self._seen_soon = QTimer(self, singleShot=True, interval=0)
        self._seen_soon.timeout.connect(self._seen)
        self.queue = ReviewQueueModel(self._crops, self)
        self.view = TileView("review-tiles", "To review", TILE, NOTHING_YET)
        self.view.setModel(self.queue)
        self.view.setItemDelegate(ReviewTileDelegate(self.view))
        self._header = ReviewHeader()
        self._actions = self._make_actions()
        self._bar = DecisionBar(self._actions)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._header)
        column.addWidget(self.view, 1)
        column.addWidget(self._bar)
        self._connect()
        self._refresh()

    def _make_actions(self) -> dict[Decision, QAction]:
        """Their keys work in the tiles only: in a combo box a letter finds an entry."""
        only, held = Qt.ShortcutContext.WidgetShortcut, HeldKeys(self.view)
        return {
            one: make_action(self.view, f"review-{one}", held.once(partial(self._requested, one)), context=only)
            for one in Decision
        }

    def _connect(self) -> None:
        self._crops.made.connect(self.view.viewport().update)
        self._header.changed.connect(self._filter)
        self._header.poor_changed.connect(self._ask)
        self._header.wide.toggled.connect(self.wide_requested)
        self.view.activated.connect(self._open)
        self.view.selectionModel().currentChanged.connect(self._current_changed)
        self._session.edited.connect(self._edited)
        self._session.document_changed.connect(self.clear)

    # --- what is listed ---

    @property
    def is_wide(self) -> bool:
        return self._header.wide.isChecked()

    def show_found(self, truth: Snapshot, matching: Matching, confidence: Confidence) -> None:
        """List what `matching` of `truth` says at a confidence; the list arrives a moment later."""
        if self._request is None:
            self._read_memory()
        losses = image_losses.of(self._session).losses
        by_image = dict(zip(losses.ids.tolist(), losses.values.tolist(), strict=True))
        self._request = _ListRequest(truth, matching, confidence, self._header.poor, by_image)
        if not self.queue.rowCount():
            self.view.hint = LISTING
            self.view.viewport().update()
        self._header.set_labels(truth.labels)
        self._lister.ask([self._request])

    @Slot()
    def clear(self) -> None:
        """Show nothing: another project, or another run."""
        self._request = None
        self._decided.clear()
        self._hidden.clear()
        self._crops.forget()
        self.queue.set_items(None, ())
        self.view.hint = NOTHING_YET
        self._refresh()

    def close_down(self) -> None:
        """Wait for the threads."""
        self._crops.close()
        self._lister.close()

    @Slot()
    def _ask(self) -> None:
        if self._request is not None:
            self.show_found(self._request.truth, self._request.matching, self._request.confidence)

    @Slot(object, object)
    def _received(self, request: object, result: object) -> None:
        if not isinstance(request, _ListRequest) or self._request is None:
            return
        if isinstance(result, WorkbenchError):
            self.view.hint = result.sentence
            self.view.viewport().update()
            return
        assert isinstance(result, tuple)
        self.view.hint = ALL_DONE
        self.queue.set_items(request.truth, result)
        self._hidden = {key: item for key, item in self._hidden.items() if not self._knows(request.truth, item.image)}
        is_first = not self.queue.rowCount()
        self._refresh(self._returned())
        if is_first:
            self.show_image()

    def _knows(self, truth: Snapshot, id: int) -> bool:
        """Whether `truth` has this image's current labels."""
        document = self._session.document
        if document is None or not document.images().has(id):
            return True
        place = next((place for place, image in enumerate(truth.images) if image.id == id), None)
        if place is None:
            return True
        rows = truth.rows(place)
        labels = [truth.labels[index].id for index in truth.label_index[rows].tolist()]
        there = zip(truth.box_ids[rows].tolist(), labels, map(tuple, truth.boxes[rows].tolist()),
                    truth.crowd[rows].tolist(), strict=True)  # fmt: skip
        return set(there) == {(box.id, box.label, box.xyxy, box.crowd) for box in document.boxes(id)}

    def _returned(self) -> Key | None:
        """Forget the decisions that were undone; returns one of them."""
        left = self.queue.left_of(self._decided.keys() - self._hidden.keys(), self._memory)
        again = [key for key in self._decided if key in left]
        for key in again:
            del self._decided[key]
        return again[-1] if again else None

    @Slot(object)
    def _filter(self, wanted: ReviewFilter) -> None:
        self.queue.filter = wanted
        self.queue.forget_order()
        self._refresh()
        self.view.scrollToTop()
        self._go(0)
        self.view.setFocus()

    def _refresh(self, select: Key | None = None) -> None:
        """Rebuild the list; the current item stays current, or the one that took its place."""
        row = max(self.view.currentIndex().row(), 0)
        current = self.queue.item(row)
        wanted = select or (current.key if current else None)
        offset = self.view.verticalScrollBar().value()
        self.queue.refresh(self._memory, self._hidden, self._decided, row if current and not select else -1)
        found = self.queue.row_of(wanted) if wanted else -1
        self.view.verticalScrollBar().setValue(offset)
        self._go(found if found >= 0 else min(row, self.queue.rowCount() - 1))
        self._header.show_counts(self.queue.rowCount(), self.queue.done, self.queue.counts)
        self._show_current()

    def _go(self, row: int) -> None:
        index = self.queue.index(row)
        if index.isValid():
            self.view.selectionModel().setCurrentIndex(index, _Select.ClearAndSelect)
            self.view.scrollTo(index)

    # --- the current item ---

    @property
    def current(self) -> ReviewItem | None:
        index = self.view.currentIndex()
        return self.queue.item(index.row()) if index.isValid() else None

    @Slot(QModelIndex, QModelIndex)
    def _current_changed(self, _index: QModelIndex, _before: QModelIndex) -> None:
        self._show_current()
        if self.current is not None and self.view.hasFocus():
            self._session.select_image(self.current.image)

    def _show_current(self) -> None:
        item = self.current
        about = f"{self.queue.image_name(item)}: {self.queue.words(item)}" if item else ""
        self._bar.show_item(item, about)
        self.current_changed.emit(item)

    def show_image(self) -> None:
        """Show the current item's image, for a person who is looking at the list."""
        if self.current is not None and self.isVisible():
            self._session.select_image(self.current.image)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._seen_soon.start()

    def hideEvent(self, event: QHideEvent) -> None:
        self._seen_soon.stop()
        self._is_seen = False
        super().hideEvent(event)

    @Slot()
    def _seen(self) -> None:
        self._is_seen = True

    def _requested(self, decision: Decision) -> None:
        """Decide the current item, or show it first: Ctrl+K has these commands while the tiles are out of sight."""
        if self._is_seen:
            self.decide(decision)
            return
        self.show_requested.emit()
        if self.current is not None:
            own = keys.of(f"review-{decision}")
            again = f"press {key_text(own[0])}" if own else "choose it again"
            self._session.inform(f"This is the mistake to decide. Look at it, then {again}.")

    def decide(self, decision: Decision) -> None:
        """Apply it to the current item, as one edit; the next one becomes current."""
        item, document = self.current, self._session.document
        if item is None or document is None or not document.images().has(item.image):
            return
        try:
            edit = review_decisions.edit(item, decision, document)
        except WorkbenchError as error:
            self._session.report_error(error)
            return
        if self._session.do(edit) is None:
            return  # the reason was reported
        self._decided[item.key] = item
        if not review_decisions.is_settled(item, self._memory):
            self._hidden[item.key] = item
        self._refresh()

    @Slot(QModelIndex)
    def _open(self, index: QModelIndex) -> None:
        """Show the image on the Label page, with the box selected if there is one."""
        item, document = self.queue.item(index.row()), self._session.document
        if item is None or document is None or not document.images().has(item.image):
            return
        self._session.select_image(item.image)
        self._session.page_requested.emit("label")
        if item.box:
            self._session.boxes_requested.emit((item.box,))

    # --- what else changes it ---

    def _read_memory(self) -> None:
        document = self._session.document
        self._memory = review_decisions.memory(document) if document is not None else {}

    @Slot(object)
    def _edited(self, applied: AppliedEdit) -> None:
        document, images = self._session.document, review_decisions.touched_images(applied.edit)
        if document is None or not images or self._request is None:
            return
        fresh = {id: document.setting(f"{review_decisions.SETTING}{id}", []) for id in images}
        self._memory = {**self._memory, **fresh}
        if applied.kind != "do":  # a decision rebuilds the list itself
            self._refresh(self._returned())


def _list_items(request: _ListRequest) -> tuple[ReviewItem, ...]:
    """Runs in the thread."""
    return review.find_items(
        request.truth, request.matching, request.confidence, poor=request.poor, losses=request.losses
    )
