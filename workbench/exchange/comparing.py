"""What a file says of an image beside what the project says: alike, or changed in the file, here, or on both sides.

Who has changed what is known where the labels came in by an import before (origins.py); else two that differ are a
matter for a person.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from workbench import formats
from workbench.core.project import FLAGS, Image, Snapshot, State
from workbench.exchange import content
from workbench.exchange.matching import Matched
from workbench.exchange.origins import Origin


class Changed(StrEnum):
    """Where an image's labels were changed since they were last the same."""

    NOWHERE = "nowhere"
    FILE = "in the file"
    HERE = "here"
    BOTH = "on both sides"
    UNKNOWN = "somewhere"  # they never came in by an import, and differ


_SENTENCES = {
    Changed.NOWHERE: "The same here and in the file.",
    Changed.FILE: "Changed in the file since it was imported, and not here: {}.",
    Changed.HERE: "Changed here since it was imported, and not in the file: {}.",
    Changed.BOTH: "Changed here and in the file since it was imported: {}.",
    Changed.UNKNOWN: "Labelled here already, and otherwise: {}.",
}


@dataclass(frozen=True, slots=True)
class Difference:
    """Of one image that both sides speak of, in boxes: what taking the file's would bring, take away and change."""

    image: Image
    changed: Changed
    added: int = 0
    removed: int = 0
    moved: int = 0  # other edges, label or marks, and still plainly the same box
    others: tuple[int, ...] = ()  # which of the file's boxes are not just so here

    @property
    def words(self) -> str:
        """As in "the file has 2 boxes more, 1 other"."""
        if not (self.added or self.removed or self.moved):
            return "the file has another state"
        count, *rest = [
            (count, word)
            for count, word in ((self.added, "more"), (self.removed, "fewer"), (self.moved, "other"))
            if count
        ]
        first = f"{count[0]:,} {'box' if count[0] == 1 else 'boxes'} {count[1]}"
        return "the file has " + ", ".join([first, *(f"{number:,} {word}" for number, word in rest)])

    @property
    def sentence(self) -> str:
        """Who changed what, and what taking the file's would do."""
        return _SENTENCES[self.changed].format(self.words)


class Comparison:
    """A project's images beside those of a reading, one at a time."""

    def __init__(self, snapshot: Snapshot, origins: dict[int, list[Origin]], format: str) -> None:
        self._snapshot, self._origins, self._format = snapshot, origins, format
        self._index = {image.id: index for index, image in enumerate(snapshot.images)}
        self._cannot = formats.load_all().get(format).cannot_store
        self._tolerance = 0.51 if "fractions of a pixel" in self._cannot else 0.01

    def of(self, one: Matched) -> Difference | None:
        """None where only the file speaks of the image."""
        index = self._index.get(one.image.id)
        origins = self._origins.get(one.image.id, ())
        if index is None or not one.labelled:
            return None
        if one.image.state is State.UNLABELLED and not _length(self._snapshot, index):
            return None  # also after an import that was undone
        added, removed, moved, others = self._boxes(index, one)
        if not (added or removed or moved):
            states = [content.state_told(state, self._cannot) for state in (one.state, one.image.state)]
            if states[0] is states[1] or one.image.state is State.VERIFIED:
                return Difference(one.image, Changed.NOWHERE)
        return Difference(one.image, self._who(index, one, origins), added, removed, moved, others)

    def _who(self, index: int, one: Matched, origins: Sequence[Origin]) -> Changed:
        if not origins:
            return Changed.UNKNOWN
        if any(self._is_untouched(index, origin) for origin in origins):
            return Changed.FILE
        said = content.of_read(one, self._cannot)
        if any(origin.format == self._format and origin.content == said for origin in origins):
            return Changed.HERE
        return Changed.BOTH

    def _is_untouched(self, index: int, origin: Origin) -> bool:
        """Whether the image is as that import left it."""
        known = formats.load_all()
        if origin.format not in known:
            return False
        cannot = known.get(origin.format).cannot_store
        is_marked = self._snapshot.images[index].state is State.VERIFIED and "verified" in cannot  # by a person, then
        return not is_marked and content.of_image(self._snapshot, index, cannot) == origin.content

    def _boxes(self, index: int, one: Matched) -> tuple[int, int, int, tuple[int, ...]]:
        """(added, removed, changed, Difference.others): the same boxes are paired off, then those on each other."""
        rows = self._snapshot.rows(index)
        names = [label.name for label in self._snapshot.labels]
        here = self._snapshot.boxes[rows]
        marks = self._snapshot.flags[rows]
        labels = np.array([names[i] for i in self._snapshot.label_index[rows].tolist()], object)
        there = np.array([box.xyxy for _, box in one.boxes], float).reshape(-1, 4)
        if not len(here) or not len(there):
            return len(there), len(here), 0, tuple(range(len(there)))
        held = np.array([flag not in self._cannot for flag in FLAGS])
        marks_there = np.array([[getattr(box, flag) for flag in FLAGS] for _, box in one.boxes], bool)
        labels_there = np.array([label for label, _ in one.boxes], object)
        apart = np.abs(here[:, None] - there[None]).max(2)
        alike = (labels[:, None] == labels_there[None]) & ((marks[:, None] == marks_there[None]) | ~held).all(2)
        left_here, left_there = np.ones(len(here), bool), np.ones(len(there), bool)
        _pair(np.where(alike, apart, np.inf), self._tolerance, left_here, left_there)
        sides = np.maximum(here[:, None, 2:] - here[:, None, :2], there[None, :, 2:] - there[None, :, :2]).max(2)
        before, others = int(left_here.sum()), tuple(np.flatnonzero(left_there).tolist())
        _pair(apart / np.maximum(sides, 1e-9), 0.5, left_here, left_there)
        return int(left_there.sum()), int(left_here.sum()), before - int(left_here.sum()), others


def _pair(costs: np.ndarray, limit: float, left_here: np.ndarray, left_there: np.ndarray) -> None:
    """Take the nearest pairs of what is left, up to `limit`, away from both sides, in place."""
    rows, columns = np.nonzero((costs <= limit) & left_here[:, None] & left_there[None])
    for place in np.argsort(costs[rows, columns], kind="stable").tolist():
        row, column = rows[place], columns[place]
        if left_here[row] and left_there[column]:
            left_here[row] = left_there[column] = False


def _length(snapshot: Snapshot, index: int) -> int:
    rows = snapshot.rows(index)
    return int(rows.stop - rows.start)
