"""Compares what a file and the project say of an image: the same, or changed in the file, here, or on both sides.

Which side changed is known if the labels were imported before (origins.py) or the program wrote the file itself
(autosync.py); otherwise a person must decide between two that differ.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from workbench import formats
from workbench.core import boxes, formatting
from workbench.core.project import FLAGS, Image, Snapshot, State
from workbench.exchange import content_hash, pairing
from workbench.exchange.autosync import SidecarFiles
from workbench.exchange.matching import MatchedImage
from workbench.exchange.origins import Origin
from workbench.formats.parts.layout import from_extra


class ChangedSide(StrEnum):
    """Where an image's labels have changed since both sides were last the same."""

    NOWHERE = "nowhere"
    FILE = "in the file"
    HERE = "here"
    BOTH = "on both sides"
    UNKNOWN = "somewhere"  # they differ and were never imported


_SENTENCES = {
    ChangedSide.NOWHERE: "The same in the project and in the file.",
    ChangedSide.FILE: "Changed in the file since both were the same, and not here: {}.",
    ChangedSide.HERE: "Changed here since both were the same, and not in the file: {}.",
    ChangedSide.BOTH: "Changed here and in the file since both were the same: {}.",
    ChangedSide.UNKNOWN: "Already labelled here, but differently: {}.",
}


@dataclass(frozen=True, slots=True)
class ImageDifference:
    """For one image on both sides, in boxes: what taking the file's boxes would add, remove and change.

    `more`: the file's boxes (by index) without a counterpart here. `other`: pairs of a file's box and the id of a box
    here that are clearly the same but differ in edges, label, note or marks. `gone`: ids of boxes here that the file
    lacks. `twins`: those of `other` (by index in the file) with the same edges and label. `kept`: how many boxes that
    the file lacks stay because it could not be read completely; None if it could.
    """

    image: Image
    changed: ChangedSide
    more: tuple[int, ...] = ()
    other: tuple[tuple[int, int], ...] = ()
    gone: tuple[int, ...] = ()
    twins: tuple[int, ...] = ()
    kept: int | None = None

    @property
    def added(self) -> int:
        return len(self.more)

    @property
    def removed(self) -> int:
        return len(self.gone)

    @property
    def moved(self) -> int:
        return len(self.other)

    @property
    def others(self) -> tuple[int, ...]:
        """Which of the file's boxes to add. Not twins: there would be two boxes, one on top of the other."""
        return tuple(sorted((*self.more, *(place for place, _ in self.other if place not in self.twins))))

    @property
    def words(self) -> str:
        """For example "the file has 2 boxes more, 1 other"."""
        if not (self.added or self.removed or self.moved):
            return "the file has another state"
        parts = [
            f"{formatting.count(count, 'box')} {word}"
            for count, word in ((self.added, "more"), (self.removed, "fewer"), (self.moved, "changed"))
            if count
        ]
        return "the file has " + ", ".join(parts)

    @property
    def sentence(self) -> str:
        """Which side changed what, and what taking the file's boxes would do."""
        return _SENTENCES[self.changed].format(self.words)


class Comparison:
    """Compares a project's images with those of a reading, one at a time.

    `damaged`: files as in Reading; what they lack must not be removed here. `before`: what labels may have been called
    when the files were imported before.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        origins: dict[int, list[Origin]],
        format: str,
        beside: SidecarFiles,
        damaged: Collection[str] = (),
        before: Sequence[Mapping[str, str]] = (),
    ) -> None:
        self._snapshot, self._origins, self._format = snapshot, origins, format
        self._beside, self._damaged, self._before = beside, damaged, ({}, *before)
        self._index = {image.id: index for index, image in enumerate(snapshot.images)}
        member = formats.load_all().get(format)
        self._cannot = member.cannot_store
        names = [label.name for label in snapshot.labels]
        self._names = ["_".join(name.split()) for name in names] if "spaces in labels" in self._cannot else names
        self._renewed: frozenset[str] = getattr(member, "renewed", frozenset())
        self._tolerance = 0.51 if "fractions of a pixel" in self._cannot else 0.01

    def of(self, one: MatchedImage) -> ImageDifference | None:
        """The difference for one image; None if only the file has labels of it."""
        index = self._index.get(one.image.id)
        origins = self._origins.get(one.image.id, ())
        if index is None or not one.labelled:
            return None
        if not _length(self._snapshot, index):
            if one.image.state is State.UNLABELLED:
                return None  # also after an import that was undone
            if one.image.state is State.IN_WORK and not any(origin.is_done for origin in origins):
                return None  # as left by an import of a damaged file: nobody has said anything about it
        more, other, gone, twins = self._boxes(index, one)
        if self._is_damaged(one):
            kept, gone = len(gone), ()
            if not more and not other:
                return ImageDifference(one.image, ChangedSide.NOWHERE, kept=kept)
            return ImageDifference(one.image, self._who(index, one, origins), more, other, gone, twins, kept)
        found = more, other, gone, twins
        if not any(found):
            states = [content_hash.state_as_read(state, self._cannot) for state in (one.state, one.image.state)]
            if states[0] is states[1] or one.image.state is State.VERIFIED:
                return ImageDifference(one.image, ChangedSide.NOWHERE)
        source, content = one.read.source, content_hash.of_image(self._snapshot, index, self._cannot)
        written = self._beside.look(source.file, one.image.id, content) if source is not None else None
        if written is not None and written[0]:  # whatever it lacks, its format can't hold
            return (
                ImageDifference(one.image, ChangedSide.NOWHERE)
                if written[1]
                else ImageDifference(one.image, ChangedSide.HERE, *found)
            )
        if written is not None and written[1]:
            return ImageDifference(one.image, ChangedSide.FILE, *found)
        return ImageDifference(one.image, self._who(index, one, origins), *found)

    def _is_damaged(self, one: MatchedImage) -> bool:
        if not self._damaged:
            return False
        if one.read.source is None:
            return True
        parts = one.read.source.file.parts
        return any("/".join(parts[at:]) in self._damaged for at in range(len(parts)))

    def _held(self, index: int, there: np.ndarray) -> np.ndarray:
        """Rows of the image's boxes that the format can hold: a file that lacks the others says nothing about them.

        `there` (m, 4): the file's boxes. If some lie outside the image, the program that wrote it keeps such boxes.
        """
        rows = self._snapshot.rows(index)
        held = np.ones(rows.stop - rows.start, bool)
        if "crowd" in self._cannot:
            held &= ~self._snapshot.crowd[rows]
        if "beyond" in self._cannot:
            image = self._snapshot.images[index]
            if not boxes.are_outside(there, image.width, image.height).any():
                held &= ~boxes.are_outside(self._snapshot.boxes[rows], image.width, image.height)
        return np.arange(rows.start, rows.stop)[held]

    def _who(self, index: int, one: MatchedImage, origins: Sequence[Origin]) -> ChangedSide:
        valid = [origin for origin in origins if origin.is_done]
        if not valid:
            return ChangedSide.UNKNOWN
        before = next((origin for origin in valid if origin.format == self._format), None)
        contents = {content_hash.of_read(one, self._cannot, names) for names in self._before}
        if before is not None and before.content in contents:
            return ChangedSide.HERE
        return ChangedSide.FILE if self._is_untouched(index, valid[0]) else ChangedSide.BOTH

    def _is_untouched(self, index: int, origin: Origin) -> bool:
        """Whether the image is as that import left it."""
        known = formats.load_all()
        if origin.format not in known:
            return False
        cannot = known.get(origin.format).cannot_store
        is_marked = self._snapshot.images[index].state is State.VERIFIED and "verified" in cannot  # so by a person
        if is_marked:
            return False
        return any(origin.is_of(content_hash.of_image(self._snapshot, index, cannot, names)) for names in self._before)

    def _boxes(
        self, index: int, one: MatchedImage
    ) -> tuple[tuple[int, ...], tuple[tuple[int, int], ...], tuple[int, ...], tuple[int, ...]]:
        """`more`, `other`, `gone`, `twins` of ImageDifference: identical boxes are paired first, then overlapping."""
        there = np.array([box.xyxy for _, box in one.boxes], float).reshape(-1, 4)
        rows = self._held(index, there)
        ids = self._snapshot.box_ids[rows].tolist()
        here = self._snapshot.boxes[rows]
        if not len(here) or not len(there):
            return tuple(range(len(there))), (), tuple(ids), ()
        cut = here
        if "outside" in self._cannot and one.image.width and one.image.height:  # our files are clipped, others' are not
            cut = boxes.clip(here, one.image.width, one.image.height)
        named = self._named(rows, one)
        said_alike = self._said_alike(rows, one)
        left = np.ones(len(here), bool), np.ones(len(there), bool)
        reach = np.full(len(here), self._tolerance), np.full(len(there), self._tolerance)
        for side in (here, cut):
            pairing.pair(side, there, reach, left, lambda r, c: named(r, c) & said_alike(r, c))
        half, half_there = (np.maximum((side[:, 2:] - side[:, :2]).max(1) / 2, 1e-9) for side in (cut, there))
        pairs = pairing.pair(cut, there, (half, half_there), left)
        gone, more = (np.flatnonzero(side).tolist() for side in left)
        one_side, other_side = np.array(pairs, np.int64).reshape(-1, 2).T
        apart = np.minimum(*(np.abs(side[one_side] - there[other_side]).max(1) for side in (here, cut)))
        twins = tuple(other_side[named(one_side, other_side) & (apart <= self._tolerance)].tolist())
        other = tuple((place, ids[row]) for row, place in pairs)
        return tuple(more), other, tuple(ids[row] for row in gone), twins

    def _named(self, rows: np.ndarray, one: MatchedImage) -> pairing.Accept:
        """Tells whether a box here and one in the file have the same label, as the format writes it."""
        here, there = pairing.coded(
            [self._names[i] for i in self._snapshot.label_index[rows].tolist()], [label for label, _ in one.boxes]
        )
        if "crowd labels" not in self._cannot:
            return lambda r, c: here[r] == there[c]
        crowd, crowd_there = self._snapshot.crowd[rows], np.array([box.crowd for _, box in one.boxes], bool)
        return lambda r, c: (here[r] == there[c]) | (crowd[r] & crowd_there[c])

    def _marks(self, rows: np.ndarray) -> np.ndarray:
        """(here, marks) as the format's files would have them."""
        marks: np.ndarray = self._snapshot.flags[rows]
        if "crowd apart" in self._cannot:
            marks[:, FLAGS.index("difficult")] |= marks[:, FLAGS.index("crowd")]
            marks[:, FLAGS.index("crowd")] = False
        return marks

    def _said_alike(self, rows: np.ndarray, one: MatchedImage) -> pairing.Accept:
        """Tells whether marks and notes agree, as far as the format holds them, and its extras, if both have some.

        What the format's writer regenerates, such as ids, does not count as a difference.
        """
        notes = [self._snapshot.notes[row] for row in rows.tolist()] if self._snapshot.notes else [("", "")] * len(rows)
        notes_there = [(box.note, box.extra) for _, box in one.boxes]
        marks_there = [[getattr(box, flag) for flag in FLAGS] for _, box in one.boxes]
        held = [place for place, flag in enumerate(FLAGS) if flag not in self._cannot]
        holds = "note" not in self._cannot
        texts, texts_there = pairing.coded(
            *(
                [
                    (*(marks[place] for place in held), note if holds else "")
                    for marks, (note, _) in zip(*side, strict=True)
                ]
                for side in ((self._marks(rows).tolist(), notes), (marks_there, notes_there))
            )
        )
        more, more_there = pairing.coded(*([self._kept(extra) for _, extra in some] for some in (notes, notes_there)))
        has, has_there = (
            np.array([from_extra(extra, self._format) is not None for _, extra in some], bool)
            for some in (notes, notes_there)
        )
        return lambda r, c: (texts[r] == texts_there[c]) & ((more[r] == more_there[c]) | ~(has[r] & has_there[c]))

    def _kept(self, extra: str) -> Hashable:
        """What a box's extra holds for this format, without what its writer regenerates; None for nothing."""
        values = from_extra(extra, self._format)
        if isinstance(values, dict):
            values = {key: value for key, value in values.items() if key not in self._renewed}
        return pairing.hashable(values) or None


def _length(snapshot: Snapshot, index: int) -> int:
    rows = snapshot.rows(index)
    return int(rows.stop - rows.start)
