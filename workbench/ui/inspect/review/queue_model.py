"""The review queue as a list model: the open items that pass a filter, in an order, and how many there were."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from workbench.core.project import Snapshot
from workbench.inference.evaluating import review, review_decisions
from workbench.inference.evaluating.review import ReviewItem, ReviewKind, ReviewOrder
from workbench.inference.evaluating.review_decisions import Memory
from workbench.ui.images.crops import Crop, CropRequest, Crops, part_around

ARROW = " → "  # from the label to what was predicted
TILE_DATA = Qt.ItemDataRole.UserRole  # TileData: all that a tile paints
_Index = QModelIndex | QPersistentModelIndex
_NO_INDEX = QModelIndex()
Key = tuple[Any, ...]
REASONS = {
    "missing": "label missing?", "spurious": "no object?", "label": "another label?", "place": "box lies off?",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ReviewFilter:
    """`kind` None: every mistake, which excludes likely label errors. `label`: id, as labelled or as predicted."""

    kind: ReviewKind | None = None
    label: int | None = None
    order: ReviewOrder = ReviewOrder.DOUBT

    def passes(self, item: ReviewItem) -> bool:
        wanted = item.kind is self.kind if self.kind else item.kind is not ReviewKind.LABEL_ERROR
        return wanted and (self.label is None or self.label in item.labels)


@dataclass(frozen=True, slots=True, eq=False)
class TileData:
    """An item with what is shown of it. `others` (n, 4) the image's labelled boxes, including the item's own."""

    item: ReviewItem
    words: str
    kind: str
    name: str  # of the image
    problem: str
    crop: Crop | None
    others: NDArray[np.float64]


class ReviewQueueModel(QAbstractListModel):
    """Rows are undecided items. Changed by resets; the view keeps the position."""

    def __init__(self, crops: Crops, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._crops = crops
        self._truth: Snapshot | None = None
        self._places: dict[int, int] = {}  # of the images in the snapshot
        self._names: Mapping[int, str] = {}
        self._items: tuple[ReviewItem, ...] = ()
        self._rows: list[ReviewItem] = []
        self.filter = ReviewFilter()
        self.done = 0  # number that pass the filter and are decided, in this or an earlier sitting
        self.counts: dict[ReviewKind, int] = {}  # undecided of each kind, whatever the label

    def set_items(self, truth: Snapshot | None, items: Sequence[ReviewItem]) -> None:
        self._truth, self._items = truth, tuple(items)
        self._places = {image.id: place for place, image in enumerate(truth.images)} if truth else {}
        self._names = {label.id: label.name for label in truth.labels} if truth else {}

    def forget_order(self) -> None:
        """The next list is sorted from its beginning."""
        self._rows = []

    def refresh(
        self, memory: Memory, hidden: Mapping[Key, ReviewItem], decided: Mapping[Key, ReviewItem], current: int = -1
    ) -> None:  # fmt: skip
        """Rebuild the list. `hidden`: decided, but not in the items yet; `decided`: all in this sitting.

        Once something is decided, items that follow from it are put after row `current`, where a person will meet them.
        """
        self.beginResetModel()
        left, settled = [], dict(decided)
        for item in self._items:
            if item.key in hidden:
                continue
            if memory and review_decisions.is_settled(item, memory):
                settled[item.key] = item
            else:
                left.append(item)
        self.counts = {kind: sum(item.kind is kind for item in left) for kind in ReviewKind}
        self.done = sum(map(self.filter.passes, settled.values()))
        rows = review.sort_items([item for item in left if self.filter.passes(item)], self.filter.order)
        self._rows = _stable(rows, [item.key for item in self._rows], current) if decided else rows
        self.endResetModel()

    def left_of(self, keys: Collection[Key], memory: Memory) -> set[Key]:
        """Those of `keys` that are not decided, whatever the filter."""
        images = {key[1] for key in keys}
        there = [item for item in self._items if item.image in images and item.key in keys]
        return {item.key for item in there if not review_decisions.is_settled(item, memory)}

    def item(self, row: int) -> ReviewItem | None:
        return self._rows[row] if 0 <= row < len(self._rows) else None

    def row_of(self, key: Key) -> int:
        """-1 if it is not listed."""
        return next((row for row, item in enumerate(self._rows) if item.key == key), -1)

    def image_name(self, item: ReviewItem) -> str:
        return self._truth.images[self._places[item.image]].path if self._truth else ""

    def words(self, item: ReviewItem) -> str:
        """The label, the prediction with its score, and their overlap."""
        mine, prediction = self._names.get(item.label, ""), item.prediction
        if prediction is None:
            return mine
        theirs = f"{self._names.get(prediction.label, '?')} {prediction.score:.2f}"
        if not item.box:
            return theirs
        if item.labels_differ:
            return f"{mine}{ARROW}{theirs}"
        return f"{theirs}, IoU {item.iou:.2f}"

    # --- Qt ---

    def rowCount(self, parent: _Index = _NO_INDEX) -> int:
        return 0 if parent.isValid() else len(self._rows)

    def data(self, index: _Index, role: int = 0) -> Any:
        item = self.item(index.row())
        if item is None or self._truth is None:
            return None
        if role == TILE_DATA:
            return self._tile_data(item)
        if role in (Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleTextRole):
            place = self._places[item.image]
            problem = self._crops.problem(self._truth.files[place])
            return "\n".join(
                filter(None, (f"{_kind(item).capitalize()}: {self.words(item)}", self.image_name(item), problem))
            )
        return None

    def _tile_data(self, item: ReviewItem) -> TileData:
        assert self._truth is not None
        place = self._places[item.image]
        image, file = self._truth.images[place], self._truth.files[place]
        crop = self._crops.get(
            CropRequest(file, self._truth.window, part_around(item.around, image.width, image.height))
        )
        others = self._truth.boxes[self._truth.rows(place)]
        problem = self._crops.problem(file)
        return TileData(item, self.words(item), _kind(item), image.name, problem, crop, others)


def _stable(rows: Sequence[ReviewItem], before: Sequence[Key], current: int) -> list[ReviewItem]:
    """Those of `before` in their old order; the others, in their own order, among those after row `current`."""
    known, places = set(before), {item.key: place for place, item in enumerate(rows)}
    old = [key for key in before if key in places]
    at = sum(key in places for key in before[: current + 1])
    fresh = [item.key for item in rows if item.key not in known]
    made = (*old[:at], *heapq.merge(old[at:], fresh, key=places.__getitem__))  # `old` need not be sorted for that
    return [rows[places[key]] for key in made]


def _kind(item: ReviewItem) -> str:
    return REASONS.get(item.reason, "") if item.kind is ReviewKind.LABEL_ERROR else item.kind.value
