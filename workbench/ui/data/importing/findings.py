"""What the import window shows of a plan, worked out beforehand in the job: for 100,000 images that takes a while."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from workbench.core import formatting, similar_names
from workbench.core.document import Document
from workbench.core.files import natural_key
from workbench.core.project import Label, Split
from workbench.exchange import ChangedSide, ImageDifference, ImportPlan
from workbench.exchange.importing import labels_to_add
from workbench.exchange.matching import MatchedImage
from workbench.formats import Remark
from workbench.ui.data.importing import remark_groups
from workbench.ui.data.importing.remark_groups import RemarkGroup

SAMPLES = 300
"""Images that can be looked at by going on to others: nobody goes through more than a hundred times three."""
_SEED = 0  # the same samples for the same files
KINDS = (ChangedSide.FILE, ChangedSide.HERE, ChangedSide.BOTH, ChangedSide.UNKNOWN)


@dataclass(frozen=True, eq=False)
class Differences:
    """The images that the file and the project speak of otherwise. `rows` are those of `plan.compared`."""

    items: tuple[ImageDifference, ...]
    rows: np.ndarray  # (n,) int64
    outcomes: np.ndarray  # (n,) int8: index into OUTCOMES
    kinds: np.ndarray  # (n,) int8: index into KINDS
    ranks: np.ndarray  # (n, 4) int64: the order by each column of the table


OUTCOMES = ("stays as it is here", "the file's boxes are taken", "both are kept")


@dataclass(frozen=True, slots=True)
class LabelRow:
    """A label of the files, its boxes there, and the project's label that they get (to be added where `is_new`)."""

    name: str
    label: Label
    boxes: int
    is_new: bool


@dataclass(frozen=True, eq=False)
class ImportFindings:
    """A plan, ready to be shown. `samples`: rows of `plan.compared` in the order in which they are worth a look."""

    plan: ImportPlan
    recognised: tuple[RemarkGroup, ...]
    repaired: tuple[RemarkGroup, ...]
    left: tuple[RemarkGroup, ...]
    differences: Differences
    labels: tuple[LabelRow, ...]
    samples: tuple[int, ...]
    is_sized_otherwise: bool  # some images have another size than was annotated
    has_splits: bool
    project_images: int  # how many the project had when it was compared
    project_labels: tuple[str, ...]

    @property
    def label_of(self) -> Mapping[str, Label]:
        """The project's label for each of the files'."""
        return {row.name: row.label for row in self.labels}

    @property
    def are_labels_alike(self) -> bool:
        """Whether a label that would be new is called nearly as one of the project's."""
        new = [row.label.name for row in self.labels if row.is_new]
        return any(
            not set(group).issubset(new) and not set(group).isdisjoint(new)
            for group in similar_names.group_similar([*self.project_labels, *new])
        )


def make_findings(document: Document, plan: ImportPlan) -> ImportFindings:
    """Any thread's own document."""
    splits = Counter(one.split for one in plan.compared if one.split)
    repaired = remark_groups.group_remarks(plan.remarks, "repaired")
    sized = np.array([_is_sized_otherwise(one) for one in plan.compared], bool)
    differences = _differences(plan)
    return ImportFindings(
        plan=plan,
        recognised=remark_groups.group_remarks((*_facts(plan, splits), *plan.remarks), "read"),
        repaired=repaired,
        left=remark_groups.group_remarks(plan.remarks, "refused"),
        differences=differences,
        labels=_labels(document, plan),
        samples=_samples(plan, differences, sized, {remark.file for group in repaired for remark in group.remarks}),
        is_sized_otherwise=bool(sized.any()),
        has_splits=bool(splits),
        project_images=len(document.images()),
        project_labels=tuple(label.name for label in document.labels()),
    )


def action_text(found: ImportFindings | None) -> str:
    """The word on the button: what it would bring."""
    if found is None:
        return "Import"
    plan = found.plan
    if plan.replaced or plan.removed:
        return f"Import {formatting.count(plan.boxes + plan.replaced + plan.removed, 'change')}"
    if plan.boxes:
        return f"Import {formatting.count(plan.boxes, 'box')}"
    images = plan.matched + plan.added
    if images:
        return f"Import {formatting.count(images, 'image')}"
    if plan.new_splits:
        return f"Import {formatting.count(plan.new_splits, 'split')}"
    return f"Import {formatting.count(len(plan.new_labels), 'label')}" if plan.new_labels else "Nothing to import"


def _facts(plan: ImportPlan, splits: Counter[Split]) -> list[Remark]:
    """What no format says, because it is true of all."""
    labelled = sum(1 for one in plan.compared if one.labelled)
    boxes = sum(len(one.boxes) for one in plan.compared)
    sentences = [
        f"{formatting.count(boxes, 'box')} in {formatting.count(labelled, 'labelled image')} of {len(plan.compared):,}."
    ]
    if plan.finished:
        sentences.append(
            f"{formatting.count(plan.finished, 'image')} marked done: in training, what has no box there is background."
            " Where not everything has its box yet, set the state back to in work."
        )
    turned = sum(1 for one in plan.compared if one.boxes and one.image.orientation != 1)
    if turned:
        sentences.append(
            f"{formatting.count(turned, 'labelled image')} turned by EXIF orientation: boxes are of upright images."
        )
    if splits:
        parts = ", ".join(f"{splits[split]:,} {split}" for split in Split if split in splits)
        sentences.append(f"The files name official splits: {parts}.")
    return [Remark("read", "", 0, sentence) for sentence in sentences]


def _is_sized_otherwise(one: MatchedImage) -> bool:
    said, real = (one.read.width, one.read.height), (one.image.width, one.image.height)
    return all(said) and all(real) and said != real


def _labels(document: Document, plan: ImportPlan) -> tuple[LabelRow, ...]:
    counts = Counter(name for one in plan.compared for name, _ in one.boxes)
    known = {label.name: label for label in document.labels()}
    names = {name: plan.names.get(name, name) for name in [*plan.reading.labels, *counts]}
    new = set(plan.new_labels)
    gone = [name for name in names.values() if name not in known and name not in new]  # such as renamed ones
    others = {label.name: label for label in labels_to_add(document, [*plan.new_labels, *gone])}
    return tuple(
        LabelRow(name, known.get(ours) or others[ours], counts[name], ours in new) for name, ours in names.items()
    )


def _differences(plan: ImportPlan) -> Differences:
    row_of = {one.image.id: row for row, one in enumerate(plan.compared) if one.image.id}
    items = tuple(one for one in plan.differences if one.changed is not ChangedSide.NOWHERE)
    taken = {one.image.id: 1 if one.instead else 2 for one in plan.images if one.image.id and not one.same}
    outcomes = np.array([taken.get(one.image.id, 0) for one in items], np.int8)
    kinds = np.array([KINDS.index(one.changed) for one in items], np.int8)
    by_name = sorted(range(len(items)), key=lambda i: natural_key(items[i].image.path))
    names = np.empty(len(items), np.int64)
    names[by_name] = np.arange(len(items))
    sizes = np.array([one.added + one.removed + one.moved for one in items], np.int64)
    ranks = np.column_stack([names, kinds.astype(np.int64), sizes, outcomes.astype(np.int64)]).reshape(-1, 4)
    return Differences(items, np.array([row_of[one.image.id] for one in items], np.int64), outcomes, kinds, ranks)


def _samples(plan: ImportPlan, differences: Differences, sized: np.ndarray, repaired: set[str]) -> tuple[int, ...]:
    """Those that differ, from all over; else that with most boxes, one repaired or turned, one from the middle."""
    images = plan.compared
    if not images:
        return ()
    counts = np.array([len(one.boxes) for one in images])
    altered = [
        row
        for row, one in enumerate(images)
        if sized[row] or (counts[row] and one.image.orientation != 1) or {one.read.name, one.image.path} & repaired
    ]
    labelled = np.flatnonzero([one.labelled for one in images])
    middle = int(labelled[len(labelled) // 2]) if len(labelled) else len(images) // 2
    differing = differences.rows[np.argsort(differences.outcomes == 0, kind="stable")]  # first what would change here
    first = [*differing[:SAMPLES].tolist(), int(counts.argmax()), *altered[:1], middle]
    rest = np.random.default_rng(_SEED).permutation(len(images))
    rest = rest[np.argsort(counts[rest] == 0, kind="stable")]  # those without boxes show least
    return tuple(dict.fromkeys((*dict.fromkeys(first), *rest[:SAMPLES].tolist())))
