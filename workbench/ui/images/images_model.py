"""The project's images as a filterable list model: for the gallery and the list beside the canvas."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, Qt, Signal, Slot
from PySide6.QtGui import QImage

from workbench.core.applied_edit import AppliedEdit
from workbench.core.document import Document
from workbench.core.edits import AddImages, RemoveImages, SetNote, walk
from workbench.core.formatting import count
from workbench.core.image_queue import QueueOrder
from workbench.core.project import FINISHED, FLAGS, Image, Split, State
from workbench.core.storage.box_criteria import ANY_BOX, BoxCriteria
from workbench.core.storage.image_table import IdRows
from workbench.inference.suggesting.image_queue import LabellingQueue
from workbench.ui.images import image_losses, image_queues, unread_images
from workbench.ui.images.image_losses import Losses
from workbench.ui.images.thumbnails import Thumbnails
from workbench.ui.session import Session
from workbench.ui.widgets.tooltips import plain

IMAGE = Qt.ItemDataRole.UserRole  # core.project.Image
LISTED_IMAGE = Qt.ItemDataRole.UserRole + 1  # ListedImage: all that a tile paints, in one query
_Index = QModelIndex | QPersistentModelIndex
_NO_INDEX = QModelIndex()
_MANY = 20
"""Above this many changed images one change is signalled for all rows between them: one repaint instead of many."""


class Order(StrEnum):
    """Of the listed images; ties in natural order."""

    NAME = "name"
    DATE = "date"  # the earliest first
    LATEST = "latest"  # the latest date first
    NEWEST = "newest"  # by when they were added to the project
    MOST = "most boxes"
    FEWEST = "fewest boxes"
    LOSS = "highest loss"  # in the run that was evaluated last
    UNCERTAIN = QueueOrder.UNCERTAIN.value  # these three: as a run asks for labels, unlabelled images first
    DIFFERENT = QueueOrder.DIFFERENT.value
    BOTH = QueueOrder.BOTH.value


ANY_MARK = "any"
QUEUED = (Order.UNCERTAIN, Order.DIFFERENT, Order.BOTH)


@dataclass(frozen=True, slots=True)
class Filter:
    """Which images are listed, and in what order; None and "" mean any.

    `label` is a label's id, `text` a part of the path or note; `fewest` and `most` boxes; `side_from` and `side_to`:
    pixels of a box's shorter side; `mark`: one of FLAGS, or ANY_MARK. One of an image's boxes must have the label, the
    size and the mark. `noted`: has a note on the image or a box; `text` may then be a part of a box's note, too. `only`
    these ids, and `why`: a description of them; `boxes`: ids of the boxes that it is about, which are marked.
    """

    state: State | None = None
    unfinished: bool = False  # only images that are neither done nor verified
    split: Split | None = None
    label: int | None = None
    text: str = ""
    empty: bool = False  # only images without boxes
    fewest: int | None = None
    most: int | None = None
    side_from: float | None = None
    side_to: float | None = None
    mark: str = ""
    noted: bool = False
    only: frozenset[int] | None = None
    why: str = ""
    boxes: frozenset[int] = frozenset()
    order: Order = Order.NAME

    @property
    def asked_boxes(self) -> BoxCriteria | None:
        """Which boxes it is about, of a label, size or mark, or `boxes`; None if it is about images only."""
        asked = replace(self.asked_of_images, ids=self.boxes or None)
        return None if asked == ANY_BOX else asked

    @property
    def asked_of_images(self) -> BoxCriteria:
        """What one box at least of each image must be."""
        flags = FLAGS if self.mark == ANY_MARK else (self.mark,) if self.mark else ()
        return BoxCriteria(self.label, self.side_from, self.side_to, flags)

    @property
    def by_boxes(self) -> bool:
        """Whether adding or removing a box may change what is listed, or in what order."""
        by_number = (self.fewest, self.most) != (None, None) or self.empty or self.order in (Order.MOST, Order.FEWEST)
        return by_number or self.noted or self.asked_of_images != ANY_BOX


MarkedBox = tuple[float, float, float, float, str]


@dataclass(frozen=True, eq=False, slots=True)
class ListedImage:
    """What a list shows of an image: its number of boxes, why it can't be read, its thumbnail once available.

    `loss`: the share of the other images with a lower one, 0 to 1; NaN without a loss. `marked`: boxes that the filter
    asks for, each as xyxy relative to the image's sides, and the colour of its label.
    """

    image: Image
    boxes: int
    problem: str
    thumbnail: QImage | None
    loss: float = math.nan
    marked: tuple[MarkedBox, ...] = ()


def listed_ids(
    document: Document, wanted: Filter, losses: Losses = image_losses.NONE, queue: LabellingQueue | None = None
) -> NDArray[np.int64]:
    """Ids of the images that pass a filter, in its order: takes a few milliseconds for 100,000."""
    images = document.images()
    counts = document.counts().of(images.ids)
    passes = np.ones(len(images), bool)
    if wanted.state is not None:
        passes &= images.in_state(wanted.state)
    if wanted.unfinished:
        passes &= ~np.any([images.in_state(state) for state in FINISHED], axis=0)
    if wanted.split is not None:
        passes &= images.in_split(wanted.split)
    if wanted.only is not None:
        passes &= np.isin(images.ids, list(wanted.only))
    if wanted.text:
        says = images.saying(wanted.text)
        passes &= says | np.isin(images.ids, list(document.images_noted(wanted.text))) if wanted.noted else says
    if wanted.asked_of_images != ANY_BOX:
        passes &= np.isin(images.ids, list(document.images_with(wanted.asked_of_images)))
    if wanted.noted:
        passes &= np.isin(images.ids, [*images.notes, *document.images_noted()])
    if wanted.empty:
        passes &= counts == 0
    passes &= (counts >= (wanted.fewest or 0)) & (counts <= (math.inf if wanted.most is None else wanted.most))
    if passes.all() and wanted.order is Order.NAME:
        return images.ids
    ids = images.ids[passes]
    if wanted.order is Order.NEWEST:
        ids = np.sort(ids)[::-1]
    elif wanted.order in (Order.DATE, Order.LATEST):
        dates = images.dates[passes] * (1 if wanted.order is Order.DATE else -1)
        ids = ids[np.argsort(np.where(dates, dates, np.inf), kind="stable")]  # those without a date last
    elif wanted.order is Order.LOSS:
        ids = ids[np.argsort(-losses.of(ids), kind="stable")]  # those without a loss last: argsort puts NaN there
    elif wanted.order in QUEUED:
        ids = image_queues.sorted_by(queue, QueueOrder(wanted.order), ids)
    elif wanted.order is not Order.NAME:
        ids = ids[np.argsort(counts[passes] * (-1 if wanted.order is Order.MOST else 1), kind="stable")]
    return ids


class ImagesModel(QAbstractListModel):
    """Rows are images in natural order. `count_changed` after rows were added or removed."""

    count_changed = Signal()

    def __init__(self, session: Session, thumbnails: Thumbnails, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._thumbnails = thumbnails
        self._unread = unread_images.of(session)
        self._losses = image_losses.of(session)
        self._queues = image_queues.of(session)
        self._filter = Filter()
        self._ids: NDArray[np.int64] = np.zeros(0, np.int64)
        self._rows = IdRows(self._ids)
        self._unordered = False
        self._left = 0, 0  # the image that went from the list while it was selected, and the row that took its place
        self._marked: dict[int, tuple[MarkedBox, ...]] = {}  # of images shown so far
        session.document_changed.connect(self.reload)
        session.edited.connect(self._edited)
        session.images_found.connect(self._found)
        session.job_ended.connect(self._job_ended)
        thumbnails.made.connect(self._thumbnail_made)
        self._losses.changed.connect(self._losses_changed)
        self._queues.changed.connect(self._queue_changed)
        self.reload()

    # --- what it shows ---

    @property
    def filter(self) -> Filter:
        return self._filter

    def set_filter(self, filter: Filter) -> None:
        if filter != self._filter:
            before, self._filter = self._filter, filter
            self.reload()
            self._left = 0, 0  # its row in another list means nothing here
            document = self._session.document
            if filter.order in (Order.DATE, Order.LATEST) and document and len(document.images().undated):
                self._session.dates_requested.emit()
            if filter.order in QUEUED and before.order not in QUEUED:
                self._queues.renew()

    @Slot()
    def reload(self) -> None:
        """Read everything again."""
        self._unordered = False
        self._marked.clear()
        self._show(self._listed())

    def _show(self, ids: NDArray[np.int64]) -> None:
        shown, before = self._session.image_id, self.row_of(self._session.image_id)
        above = self._ids[: max(before, 0)]
        self.beginResetModel()
        self._ids, self._rows = ids, IdRows(ids)
        self.endResetModel()
        if before >= 0 and self.row_of(shown) < 0:
            self._left = shown, len(self._rows.of_all(above))
        self.count_changed.emit()

    def _listed(self) -> NDArray[np.int64]:
        """The ids that pass the filter, in its order."""
        document = self._session.document
        if document is None:
            return np.zeros(0, np.int64)
        return listed_ids(document, self._filter, self._losses.losses, self._queues.queue)

    # --- Qt's questions ---

    def rowCount(self, parent: _Index = _NO_INDEX) -> int:
        return 0 if parent.isValid() else len(self._ids)

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        image = self.image(index.row()) if index.isValid() else None
        if image is None:
            return None
        if role == IMAGE:
            return image
        if role == LISTED_IMAGE:
            problem = self._unread.problem(image)
            loss, marked = self._losses.losses.share(image.id), self._marks(image)
            return ListedImage(image, self._count(image.id), problem, self._thumbnails.get(image), loss, marked)
        if role == Qt.ItemDataRole.DisplayRole:
            return image.name
        if role == Qt.ItemDataRole.DecorationRole:
            return self._thumbnails.get(image)
        if role == Qt.ItemDataRole.ToolTipRole:
            return plain(self._about(image, image.path))
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return self._about(image, f"{image.name}, {count(self._count(image.id), 'box')}")
        return None

    def _about(self, image: Image, first: str) -> str:
        size = f"{image.width} × {image.height}" if image.width else "size unknown"
        about = f"{size} · {image.state} · split: {image.split}"
        loss, problem = self._losses.losses.words(image.id), self._unread.problem(image)
        return "\n".join(filter(None, (first, image.note, about, loss, problem)))

    # --- finding one's way ---

    def image(self, row: int) -> Image | None:
        document = self._session.document
        return document.image(int(self._ids[row])) if document and 0 <= row < len(self._ids) else None

    def _count(self, id: int) -> int:
        document = self._session.document
        return document.counts().of_image(id) if document else 0

    def _marks(self, image: Image) -> tuple[MarkedBox, ...]:
        document, asked = self._session.document, self._filter.asked_boxes
        if document is None or asked is None or not image.width or not image.height:
            return ()
        if image.id not in self._marked:
            colours = {label.id: label.colour for label in document.labels()}
            w, h = image.width, image.height
            self._marked[image.id] = tuple(
                (x / w, y / h, right / w, bottom / h, colours[box.label])
                for box in document.boxes(image.id)
                if asked.fits(box)
                for x, y, right, bottom in [box.xyxy]
            )
        return self._marked[image.id]

    def row_of(self, id: int) -> int:
        """The row of an image, -1 if the filter hides it."""
        return self._rows.of(id)

    def ids(self, rows: Iterable[range]) -> list[int]:
        """The images of these rows, in the list's order."""
        return [id for part in rows for id in self._ids[part.start : part.stop].tolist()]

    def neighbour(self, id: int, step: int) -> int:
        """The image `step` rows after `id` (before, if negative), 0 beyond the ends.

        An image that the filter hides (it was just marked done) counts as if it were still in its place.
        """
        row = self.row_of(id)
        if row < 0:
            row = self._place(id)
            row = row + step - (1 if step > 0 else 0)
        else:
            row += step
        return int(self._ids[row]) if 0 <= row < len(self._ids) else 0

    def nearest(self, id: int, step: int) -> int:
        """Like `neighbour`; for a hidden image beyond the first or last listed one, the nearest to it."""
        return self.neighbour(id, step) or (self.neighbour(id, -step) if self.row_of(id) < 0 else 0)

    def next_in_state(self, id: int, step: int, state: State) -> int:
        """The next listed image after `id` (before, if `step` is -1) in this state, wrapping around; 0: none."""
        document = self._session.document
        if document is None:
            return 0
        row = self.row_of(id)
        start = row if row >= 0 else self._place(id) - (1 if step > 0 else 0)
        images = document.images()
        fitting = np.flatnonzero(images.in_state(state)[images.rows_of(self._ids)] & (self._ids != id))
        if not len(fitting):
            return 0
        away = (step * (fitting - start) - 1) % len(self._ids)
        return int(self._ids[fitting[away.argmin()]])

    def _place(self, id: int) -> int:
        """Where a hidden image was, or the number of listed images before it in natural order."""
        if id == self._left[0]:
            return min(self._left[1], len(self._ids))
        document = self._session.document
        if document is None:
            return 0
        images = document.images()
        return int((images.rows_of(self._ids) < images.row_of(id)).sum())

    # --- edits ---

    @Slot(object)
    def _edited(self, applied: AppliedEdit) -> None:
        document = self._session.document
        if document is None:
            return
        self._marked.clear()
        if self._may_move(applied):
            ids = self._listed()
            if not np.array_equal(ids, self._ids):
                self._show(ids)
                return
        self.touched(applied.images)

    @Slot(object)
    def _found(self, ids: frozenset[int] | None) -> None:
        if ids is None:
            self.reload()
        else:
            self._unordered = self._filter.order in (Order.DATE, Order.LATEST)
            self.touched(ids)

    @Slot()
    def _job_ended(self) -> None:
        """Sort in new dates only when all are there, not at each message: sorting would reset the selection."""
        if self._unordered:
            self.reload()

    def touched(self, ids: Collection[int]) -> None:
        """What these images show may have changed."""
        rows = self._rows.of_all(np.fromiter(ids, np.int64, len(ids)))
        ranges = [(rows.min(), rows.max())] if len(rows) > _MANY else zip(rows, rows, strict=True)
        for first, last in ranges:
            self.dataChanged.emit(self.index(int(first)), self.index(int(last)))

    def _may_move(self, applied: AppliedEdit) -> bool:
        """Whether the edit can add or remove rows under the current filter."""
        wanted = self._filter
        came_or_went = any(isinstance(part, AddImages | RemoveImages) for part in walk(applied.edit))
        by_state = wanted.state is not None or wanted.unfinished
        by_row = applied.images_changed and (by_state or wanted.split is not None)
        by_note = wanted.text and any(isinstance(part, SetNote) for part in walk(applied.edit))
        return came_or_went or by_row or wanted.by_boxes or bool(by_note)

    @Slot()
    def _losses_changed(self) -> None:
        ids = self._listed() if self._filter.order is Order.LOSS else self._ids
        if not np.array_equal(ids, self._ids):
            self._show(ids)
        elif len(ids):
            self.dataChanged.emit(self.index(0), self.index(len(ids) - 1))

    @Slot()
    def _queue_changed(self) -> None:
        if self._filter.order in QUEUED:
            self._show(self._listed())

    @Slot(int)
    def _thumbnail_made(self, id: int) -> None:
        if (row := self.row_of(id)) >= 0:
            self.dataChanged.emit(self.index(row), self.index(row), [Qt.ItemDataRole.DecorationRole])
