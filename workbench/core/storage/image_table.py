"""The project's images as columns: a hundred thousand take six megabytes and are filtered in a millisecond.

An `Image` is created when one is accessed. n images, in natural order of their paths, root after root.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from typing import overload

import numpy as np

from workbench.core.folding import folded
from workbench.core.project import FINISHED, Image, Split, State

STATES, SPLITS = tuple(State), tuple(Split)
_STATE_CODES = {str(state): code for code, state in enumerate(STATES)}
_SPLIT_CODES = {str(split): code for code, split in enumerate(SPLITS)}
COLUMNS = ("root", "width", "height", "orientation", "date", "state", "split")
# SQLite returns codes instead of words: 100,000 words would be 100,000 objects here
_STATE_SQL, _SPLIT_SQL = (
    " ".join([f"CASE {column}", *(f"WHEN '{word}' THEN {code}" for word, code in codes.items()), "END"])
    for column, codes in (("state", _STATE_CODES), ("split", _SPLIT_CODES))
)
_PART = 4096
"""Images created at a time when iterating over all."""


class IdRows:
    """Finds the row of an image in a list of ids (n,) int64."""

    def __init__(self, ids: np.ndarray) -> None:
        self._order: np.ndarray = np.argsort(ids, kind="stable").astype(np.int32)
        self._sorted = ids[self._order]

    def of(self, id: int) -> int:
        """The row of the image with this id, -1 if it is not in the list."""
        at = int(np.searchsorted(self._sorted, id))
        return int(self._order[at]) if at < len(self._sorted) and self._sorted[at] == id else -1

    def of_all(self, ids: np.ndarray) -> np.ndarray:
        """The rows of these ids; those not in the list are left out."""
        if not len(self._sorted):
            return np.zeros(0, np.int32)
        at = np.minimum(np.searchsorted(self._sorted, ids), len(self._sorted) - 1)
        return np.asarray(self._order[at[self._sorted[at] == ids]])


class ImageTable(Sequence[Image]):
    """Made by `read`. The document changes states, splits and sizes in place; new or removed images make a new table.

    Columns, (n,): ids int64, roots int32, widths and heights int32 (0: not known), orientations uint8, states and
    splits uint8 (indices into STATES and SPLITS), dates float64 (seconds since 1970, 0: not known).
    """

    def __init__(
        self,
        ids: np.ndarray,
        columns: Mapping[str, np.ndarray],
        paths: bytes,
        notes: Mapping[int, str],
        problems: Mapping[int, str],
    ) -> None:
        """`paths` are UTF-8, a NUL after each; notes and problems by image id, where there are any."""
        self.ids = ids
        self.roots = columns["root"].astype(np.int32)
        self.widths = columns["width"].astype(np.int32)
        self.heights = columns["height"].astype(np.int32)
        self.orientations = columns["orientation"].astype(np.uint8)
        self.states = columns["state"].astype(np.uint8)
        self.splits = columns["split"].astype(np.uint8)
        self.dates = columns["date"].astype(np.float64)
        self.paths = paths
        self._ends = np.flatnonzero(np.frombuffer(paths, np.uint8) == 0)
        assert len(self._ends) == len(ids), "paths and ids belong together"
        self.notes, self.problems = dict(notes), dict(problems)
        self._rows = IdRows(ids)

    @classmethod
    def read(cls, connection: sqlite3.Connection) -> ImageTable:
        """All images of a project.

        SQLite returns each column as one text: that takes a quarter of the time of 100,000 rows, and lets other threads
        run. All texts come from one pass, so their order agrees.
        """
        found = connection.execute(
            f"SELECT count(*), group_concat(id), group_concat(root), group_concat(width), group_concat(height),"
            f" group_concat(orientation), group_concat(date), group_concat({_STATE_SQL}), group_concat({_SPLIT_SQL}),"
            f" group_concat(path, char(0)) FROM (SELECT * FROM image ORDER BY root, sort, id)"
        ).fetchone()
        count, ids, *texts, paths = tuple(found)
        if not count:
            return cls.of(())
        columns = {name: numbers(text) for name, text in zip(COLUMNS, texts, strict=True)}
        words = connection.execute("SELECT id, note, problem FROM image WHERE note <> '' OR problem <> ''").fetchall()
        notes = {id: note for id, note, _ in map(tuple, words) if note}
        problems = {id: problem for id, _, problem in map(tuple, words) if problem}
        return cls(numbers(ids), columns, paths.encode() + b"\0", notes, problems)

    @classmethod
    def of(cls, images: Sequence[Image]) -> ImageTable:
        """A table of these images, in their order."""
        columns: dict[str, np.ndarray] = {
            "root": np.array([image.root for image in images], np.int64),
            "width": np.array([image.width for image in images], np.int64),
            "height": np.array([image.height for image in images], np.int64),
            "orientation": np.array([image.orientation for image in images], np.int64),
            "date": np.array([image.date for image in images], np.float64),
            "state": np.array([_STATE_CODES[str(image.state)] for image in images], np.uint8),
            "split": np.array([_SPLIT_CODES[str(image.split)] for image in images], np.uint8),
        }
        ids = np.array([image.id for image in images], np.int64)
        paths = b"".join(image.path.encode() + b"\0" for image in images)
        notes = {image.id: image.note for image in images if image.note}
        return cls(ids, columns, paths, notes, {image.id: image.problem for image in images if image.problem})

    @classmethod
    def named(cls, ids: np.ndarray, root: int, paths: bytes) -> ImageTable:
        """Images of which only the names are known; `paths` as in the constructor."""
        columns = {name: np.zeros(len(ids)) for name in COLUMNS}
        columns |= {"root": np.full(len(ids), root), "orientation": np.ones(len(ids))}
        return cls(ids, columns, paths, {}, {})

    # --- a sequence of images ---

    def __len__(self) -> int:
        return len(self.ids)

    @overload
    def __getitem__(self, row: int) -> Image: ...

    @overload
    def __getitem__(self, row: slice) -> tuple[Image, ...]: ...

    def __getitem__(self, row: int | slice) -> Image | tuple[Image, ...]:
        if isinstance(row, slice):
            return tuple(self._made(np.arange(len(self))[row]))
        if not -len(self) <= row < len(self):
            raise IndexError(row)
        row %= len(self)
        id, begin = int(self.ids[row]), int(self._ends[row - 1]) + 1 if row else 0
        return Image(
            id, self.paths[begin : int(self._ends[row])].decode(), int(self.widths[row]), int(self.heights[row]),
            STATES[self.states[row]], SPLITS[self.splits[row]], int(self.orientations[row]), int(self.roots[row]),
            self.notes.get(id, ""), self.problems.get(id, ""), float(self.dates[row]),
        )  # fmt: skip

    def __iter__(self) -> Iterator[Image]:
        for first in range(0, len(self), _PART):
            yield from self._made(np.arange(first, min(first + _PART, len(self))))

    def __contains__(self, image: object) -> bool:
        return isinstance(image, Image) and self.has(image.id) and self[self.row_of(image.id)] == image

    def __eq__(self, other: object) -> bool:
        if isinstance(other, ImageTable | tuple):
            return len(self) == len(other) and all(a == b for a, b in zip(self, other, strict=True))
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def _made(self, rows: np.ndarray) -> Iterator[Image]:
        begins = np.where(rows > 0, self._ends[rows - 1] + 1, 0)
        columns = (
            self.ids, self.widths, self.heights, self.states, self.splits, self.orientations, self.roots, self.dates,
        )  # fmt: skip
        values = zip(begins.tolist(), self._ends[rows].tolist(), *(column[rows].tolist() for column in columns))
        for begin, end, id, width, height, state, split, orientation, root, date in values:
            yield Image(
                id, self.paths[begin:end].decode(), width, height, STATES[state], SPLITS[split], orientation, root,
                self.notes.get(id, ""), self.problems.get(id, ""), date,
            )  # fmt: skip

    # --- finding ---

    def row_of(self, id: int) -> int:
        """The row of the image with this id, -1 if there is none."""
        return self._rows.of(id)

    def has(self, id: int) -> bool:
        """Whether there is an image with this id."""
        return self.row_of(id) >= 0

    def rows_of(self, ids: np.ndarray) -> np.ndarray:
        """The rows of these ids; missing ones are left out."""
        return self._rows.of_all(ids)

    def in_state(self, state: State) -> np.ndarray:
        """(n,) bool."""
        return np.asarray(self.states == _STATE_CODES[str(state)])

    @property
    def finished(self) -> np.ndarray:
        """(n,) bool: whether it is completely labelled."""
        return np.asarray(np.any([self.in_state(state) for state in FINISHED], axis=0))

    def in_split(self, split: Split) -> np.ndarray:
        """(n,) bool."""
        return np.asarray(self.splits == _SPLIT_CODES[str(split)])

    def saying(self, text: str, notes: bool = True) -> np.ndarray:
        """(n,) bool: whether the path (or the note) contains this text, see folding.folded."""
        wanted = folded(text)
        needle, paths = wanted.encode(), folded(self.paths.decode()).encode().split(b"\0")
        found = np.array([needle in path for path in paths[:-1]], bool)
        for id, note in self.notes.items() if notes else ():
            if wanted in folded(note):
                found[self.row_of(id)] = True
        return found

    # --- what the document changes ---

    def set_states(self, ids: Sequence[int], state: State) -> None:
        self.states[self.rows_of(np.array(ids, np.int64))] = _STATE_CODES[str(state)]

    def set_splits(self, ids: Sequence[int], split: Split) -> None:
        self.splits[self.rows_of(np.array(ids, np.int64))] = _SPLIT_CODES[str(split)]

    def set_notes(self, ids: Sequence[int], note: str) -> None:
        for id in ids:
            if note:
                self.notes[id] = note
            else:
                self.notes.pop(id, None)

    def take_over(self, before: ImageTable) -> None:
        """Copy states, splits, notes and headers from `before` for the images it has."""
        here = self.rows_of(before.ids)
        there = before.rows_of(self.ids[here])
        for name in ("states", "splits", "widths", "heights", "orientations", "dates"):
            getattr(self, name)[here] = getattr(before, name)[there]
        for id in before.ids.tolist() if self.notes else ():
            self.notes.pop(id, None)
        self.notes.update(before.notes)
        self.problems.update(before.problems)

    def set_headers(self, images: Sequence[Image]) -> None:
        """Take over width, height, orientation, problem and date of these images, if they still exist."""
        for image in images:
            row = self.row_of(image.id)
            if row >= 0:
                self.widths[row], self.heights[row] = image.width, image.height
                self.orientations[row], self.dates[row] = image.orientation, image.date
                if image.problem:
                    self.problems[image.id] = image.problem
                else:
                    self.problems.pop(image.id, None)

    @property
    def unmeasured(self) -> np.ndarray:
        """Rows of the images whose header has not been read yet."""
        return self._sound(np.flatnonzero(self.widths == 0))

    @property
    def unsized(self) -> np.ndarray:
        """Rows of the images whose size is not known: these, and those whose header could not be read."""
        return np.flatnonzero(self.widths == 0)

    @property
    def undated(self) -> np.ndarray:
        """Rows of the images whose date is not known: they were added by a version that did not store it."""
        return self._sound(np.flatnonzero(self.dates == 0))

    def _sound(self, rows: np.ndarray) -> np.ndarray:
        """`rows` without images that can't be read."""
        known = [int(self.ids[row]) in self.problems for row in rows.tolist()] if self.problems else []
        return rows[~np.array(known, bool)] if known else rows


def numbers(text: str) -> np.ndarray:
    """The numbers in a text made by SQLite's group_concat.

    Only dates have a decimal point; SQLite writes 15 of their digits, which is to the microsecond.
    """
    kind = np.float64 if "." in text else np.int64
    return np.fromstring(text, kind, sep=",")
