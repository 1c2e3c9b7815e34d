"""The project's images as a list that can be filtered: what the gallery and the list beside the canvas show."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, Qt, Signal, Slot

from workbench.core.applied import Applied
from workbench.core.edits import AddImages, RemoveImages, walk
from workbench.core.project import Image, Split, State
from workbench.ui.session import Session
from workbench.ui.thumbnails import Thumbnails

IMAGE = Qt.ItemDataRole.UserRole  # core.project.Image
COUNT = Qt.ItemDataRole.UserRole + 1  # its number of boxes
PROBLEM = Qt.ItemDataRole.UserRole + 2  # why its picture can't be shown, "" where it can
_Index = QModelIndex | QPersistentModelIndex
_NO_INDEX = QModelIndex()
_MANY = 200
"""Above this many touched images all counts are read at once: one query instead of many."""


class Order(StrEnum):
    """Of the listed images; equals in natural order."""

    NAME = "name"
    NEWEST = "newest"  # in the project
    MOST = "most boxes"
    FEWEST = "fewest boxes"


@dataclass(frozen=True, slots=True)
class Filter:
    """Which images are listed, and how; None and "" mean any.

    `label` is a label's id, `text` a part of the path or note; `fewest` and `most` boxes; `side_from` and `side_to`:
    with a box whose shorter side has so many pixels.
    """

    state: State | None = None
    split: Split | None = None
    label: int | None = None
    text: str = ""
    empty: bool = False  # only images without boxes
    fewest: int | None = None
    most: int | None = None
    side_from: float | None = None
    side_to: float | None = None
    order: Order = Order.NAME

    @property
    def by_boxes(self) -> bool:
        """Whether a box more or less may change what is listed, or where."""
        ranges = (self.label, self.fewest, self.most, self.side_from, self.side_to)
        return self.empty or any(value is not None for value in ranges) or self.order in (Order.MOST, Order.FEWEST)


class ImagesModel(QAbstractListModel):
    """Rows are images in natural order. `count_changed` tells after rows came or went."""

    count_changed = Signal()

    def __init__(self, session: Session, thumbnails: Thumbnails, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._thumbnails = thumbnails
        self._filter = Filter()
        self._ids: list[int] = []
        self._rows: dict[int, int] = {}
        self._counts: dict[int, int] = {}
        self._left = 0, 0  # the image that the filter hid while it was shown, and the row it had
        session.document_changed.connect(self.reload)
        session.edited.connect(self._edited)
        thumbnails.made.connect(self._thumbnail_made)
        self.reload()

    # --- what it shows ---

    @property
    def filter(self) -> Filter:
        return self._filter

    def set_filter(self, filter: Filter) -> None:
        if filter != self._filter:
            self._filter = filter
            self.reload()

    @Slot()
    def reload(self) -> None:
        """Read everything again."""
        document, shown = self._session.document, self._session.image_id
        before = self._rows.get(shown, -1)
        self.beginResetModel()
        self._counts = document.box_counts() if document else {}
        self._ids = self._listed()
        self._rows = {id: row for row, id in enumerate(self._ids)}
        self.endResetModel()
        if before >= 0 and shown not in self._rows:
            self._left = shown, before
        self.count_changed.emit()

    def _listed(self) -> list[int]:
        """The ids that pass the filter, in natural order."""
        document, wanted = self._session.document, self._filter
        if document is None:
            return []
        text = wanted.text.casefold()
        labelled = document.images_with(wanted.label) if wanted.label is not None else frozenset()
        low, high = wanted.side_from, wanted.side_to
        sized = None if low is None and high is None else document.images_with_sides(low, high)
        fewest, most = wanted.fewest or 0, math.inf if wanted.most is None else wanted.most

        def passes(image: Image) -> bool:
            return (
                (wanted.state is None or image.state is wanted.state)
                and (wanted.split is None or image.split is wanted.split)
                and (not text or text in f"{image.path}\n{image.note}".casefold())
                and (not wanted.empty or not self._counts.get(image.id))
                and (wanted.label is None or image.id in labelled)
                and fewest <= self._counts.get(image.id, 0) <= most
                and (sized is None or image.id in sized)
            )

        ids = [image.id for image in document.images() if passes(image)]
        if wanted.order is Order.NEWEST:
            ids.sort(reverse=True)
        elif wanted.order is not Order.NAME:
            sign = -1 if wanted.order is Order.MOST else 1
            ids.sort(key=lambda id: sign * self._counts.get(id, 0))
        return ids

    # --- Qt's questions ---

    def rowCount(self, parent: _Index = _NO_INDEX) -> int:
        return 0 if parent.isValid() else len(self._ids)

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        image = self.image(index.row()) if index.isValid() else None
        if image is None:
            return None
        if role == IMAGE:
            return image
        if role == COUNT:
            return self._counts.get(image.id, 0)
        if role == PROBLEM:
            return image.problem or self._thumbnails.problem(image)
        if role == Qt.ItemDataRole.DisplayRole:
            return image.name
        if role == Qt.ItemDataRole.DecorationRole:
            return self._thumbnails.get(image)
        if role == Qt.ItemDataRole.ToolTipRole:
            return self._tooltip(image)
        return None

    def _tooltip(self, image: Image) -> str:
        size = f"{image.width} × {image.height}" if image.width else "size unknown"
        lines = [image.path, f"{size} · {image.state} · split: {image.split}"]
        problem = image.problem or self._thumbnails.problem(image)
        return "\n".join([*lines, problem] if problem else lines)

    # --- finding one's way ---

    def image(self, row: int) -> Image | None:
        document = self._session.document
        return document.image(self._ids[row]) if document and 0 <= row < len(self._ids) else None

    def row_of(self, id: int) -> int:
        """The row of an image, -1 if the filter hides it."""
        return self._rows.get(id, -1)

    def ids(self) -> tuple[int, ...]:
        """The listed images in order."""
        return tuple(self._ids)

    def neighbour(self, id: int, step: int) -> int:
        """The image `step` rows after `id` (before, if negative), 0 at the ends.

        An image that the filter hides (it was just marked done) counts from where it would stand.
        """
        row = self.row_of(id)
        if row < 0:
            row = self._place(id)
            row = row + step - (1 if step > 0 else 0)
        else:
            row += step
        return self._ids[row] if 0 <= row < len(self._ids) else 0

    def next_in_state(self, id: int, step: int, state: State) -> int:
        """The next listed image after `id` (before, if `step` is -1) in this state, from the other end too; 0: none."""
        document = self._session.document
        if document is None:
            return 0
        row = self.row_of(id)
        start = row if row >= 0 else self._place(id) - (1 if step > 0 else 0)
        for i in range(1, len(self._ids) + 1):
            other = self._ids[(start + step * i) % len(self._ids)]
            if other != id and document.image(other).state is state:
                return other
        return 0

    def _place(self, id: int) -> int:
        """The row that a hidden image had, or how many listed images come before it in natural order."""
        if id == self._left[0]:
            return min(self._left[1], len(self._ids))
        document = self._session.document
        before = 0
        for image in document.images() if document else ():
            if image.id == id:
                break
            before += image.id in self._rows
        return before

    # --- edits ---

    @Slot(object)
    def _edited(self, applied: Applied) -> None:
        document = self._session.document
        if document is None:
            return
        if len(applied.images) > _MANY or applied.labels_changed:
            self._counts = document.box_counts()
        else:
            self._counts.update({id: len(document.boxes(id)) for id in applied.images})
        ids = self._listed() if self._may_move(applied) else self._ids
        if ids != self._ids:
            self.reload()
            return
        for id in applied.images:
            row = self.row_of(id)
            if row >= 0:
                self.dataChanged.emit(self.index(row), self.index(row))

    def _may_move(self, applied: Applied) -> bool:
        """Whether the edit can bring rows or take some away under the present filter."""
        wanted = self._filter
        came_or_went = any(isinstance(part, AddImages | RemoveImages) for part in walk(applied.edit))
        by_row = applied.images_changed and (wanted.state is not None or wanted.split is not None)
        return came_or_went or by_row or wanted.by_boxes

    @Slot(int)
    def _thumbnail_made(self, id: int) -> None:
        row = self.row_of(id)
        if row >= 0:
            self.dataChanged.emit(self.index(row), self.index(row), [Qt.ItemDataRole.DecorationRole])
