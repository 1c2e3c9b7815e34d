"""Imports labels into a project: plan the import, look at what it would do, apply it as a whole.

`plan_import` reads and compares without changing anything. `apply_import` turns the plan into one edit: one
transaction, one undo step. A damaged file stops the whole import, with all damage in one message, unless `skip_broken`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from workbench import formats
from workbench.core import edits, formatting, similar_names
from workbench.core.document import Document
from workbench.core.files import absolute
from workbench.core.formatting import one_line
from workbench.core.former_names import with_foreign_names
from workbench.core.project import FINISHED, FLAGS, Box, Image, Label, Split, State, colour_for
from workbench.errors import ReadOnly, WorkbenchError
from workbench.exchange import origins
from workbench.exchange.autosync import SidecarFiles
from workbench.exchange.comparison import Comparison, ImageDifference
from workbench.exchange.export_history import digests
from workbench.exchange.exported_names import ExportedNames
from workbench.exchange.import_plan import ImportPlan, ImportSettings, choose, gets_split, state_after
from workbench.exchange.label_names import (
    check_matches,
    clean_names,
    matched_boxes,
    matched_reading,
    names_before,
    renamed_labels,
    tell_of_own,
)
from workbench.exchange.matching import MatchedImage, match
from workbench.exchange.origins import Stamp
from workbench.exchange.recognition import recognise
from workbench.exchange.reimport_settings import settings_of
from workbench.formats import Reading, Remark
from workbench.formats.parts.report import Report, without_ambiguous

_USUAL = ImportSettings()
_NO_NAMES: Mapping[str, str] = {}
_ONE_LABEL = (
    "Then say so before the import (in the window under Labels, in a command by --label), or merge them afterwards."
)


@dataclass(frozen=True)
class ImportReport:
    """What an import did: the plan's numbers as done, and every remark.

    `ids`: of the plan's images, in its order. `step`: its journal entry, 0 if nothing was changed.
    """

    format: str
    images: int
    added: int
    missing: int
    left: int
    boxes: int
    replaced: int
    removed: int
    new_labels: tuple[str, ...]
    remarks: tuple[Remark, ...]
    sentence: str
    ids: tuple[int, ...] = ()
    step: int = 0

    def count(self, level: str) -> int:
        return sum(1 for remark in self.remarks if remark.level == level)


def plan_import(
    document: Document,
    path: Path,
    format: str | None = None,
    images: Path | None = None,
    settings: ImportSettings = _USUAL,
    names: Mapping[str, str] = _NO_NAMES,
) -> ImportPlan:
    """Read `path` and compare it with the project, without changing anything.

    `images`: a folder to search for image files, besides `path` and the project's own folders. `names`: labels of the
    project by those of the files that they are, if these are called otherwise. Raises Refused with all damage in the
    files, or WorkbenchError when the format is not clear, or a label of `names` does not exist.
    """
    path = absolute(path)
    format = format or recognise(path)
    formats.load_all().get(format)  # WorkbenchError if there is none
    folders = [absolute(images)] if images is not None else []
    if not os.path.exists(path) or (folders and not os.path.isdir(folders[0])):
        raise WorkbenchError(f"There is no file or folder {folders[0] if os.path.exists(path) else path}.")
    roots = [root for root in document.roots().values() if os.path.isdir(root)]
    since = origins.now()
    by, by_boxes = settings, Report()
    renamed = {name: now for name, now in renamed_labels(document).items() if name not in names}
    for _ in range(2):  # again, if the project's boxes show that the files must be read differently
        reading = formats.read(format, path, [*folders, *roots], by)
        is_renamed = any(one_line(name) in renamed for name in reading.labels)
        read_at = {} if is_renamed else origins.stamps(reading, since)  # else an export would write the old names
        report = Report(settings.skip_broken)
        reading = clean_names(reading, report, renamed)
        check_matches(document, reading, names)
        exported = ExportedNames(document, reading, digests(document, format))
        matched, missing = match(document, reading, report, exported, scale=by.on_size == "scale", folders=folders)
        if exported.is_sure:
            reading = without_ambiguous(reading)
        before, by = by, settings_of(document, reading, matched, by, by_boxes)
        if by == before:
            break
    report.settle()
    found = (*by_boxes.remarks, *report.remarks)
    return _plan(document, reading, settings, names, matched, missing, found, read_at)


def replan(
    document: Document, plan: ImportPlan, settings: ImportSettings, names: Mapping[str, str] | None = None
) -> ImportPlan:
    """The plan under other settings and for the project as it is now; the files are not read again.

    `names` as in plan_import(); None: those of `plan`. Those of labels that the project lost meanwhile don't count.

    Settings that decide how files are read (`skip_broken`, `voc_base`, `on_size`) must be those of `plan`. Images added
    to the project since are not seen. WorkbenchError if images that the plan relies on are gone.
    """
    read_by = [(one.skip_broken, one.voc_base, one.on_size) for one in (plan.settings, settings)]
    assert read_by[0] == read_by[1], "these settings need the files to be read again"
    now = [
        dataclasses.replace(one, image=document.measured(one.image)) if one.image.id else one for one in plan.compared
    ]
    names = plan.names if names is None else names
    return _plan(document, plan.reading, settings, names, now, plan.missing, plan.found, plan.stamps)


def _plan(
    document: Document,
    read: Reading,
    settings: ImportSettings,
    names: Mapping[str, str],
    matched: Sequence[MatchedImage],
    missing: int,
    found: tuple[Remark, ...],
    read_at: Mapping[Path, Stamp],
) -> ImportPlan:
    report = Report()
    known = {label.name for label in document.labels()}
    names = {theirs: ours for theirs, ours in names.items() if ours in known}
    tell_of_own(names, known, report)
    reading = matched_reading(read, names)
    taken, differences, left = [], list[ImageDifference](), 0
    own = [" ".join(label.name.split()) for label in document.labels()]
    beside = SidecarFiles(document, reading.format, (own, reading.labels))
    damaged = reading.damaged if settings.on_existing != "replace" else frozenset()
    before = names_before(document)
    compared = Comparison(
        document.snapshot(), document.store.read(origins.read), reading.format, beside, damaged, before
    )
    for one in (matched_boxes(one, names) for one in matched):
        difference = compared.of(one) if one.image.id else None
        if difference is None:
            taken.append(one)
            continue
        differences.append(difference)
        chosen = choose(one, difference, settings.on_existing, report)
        if chosen is None:
            left += 1
        else:
            taken.append(chosen)
    counts = document.box_counts()
    finished = sum(
        1
        for one in taken
        if state_after(one, counts) in FINISHED and not (one.image.id and one.image.state in FINISHED)
    )
    labels = _labels_to_import(reading, taken, len(differences))
    for group in similar_names.group_similar([*known, *(name for name in labels if name not in known)]):
        if not known.issuperset(group):
            report.say("read", "", f"{similar_names.sentence(group)} {_ONE_LABEL}")
    return ImportPlan(
        reading=read,
        settings=settings,
        images=tuple(taken),
        new_labels=tuple(name for name in labels if name not in known),
        remarks=(*reading.remarks, *found, *report.remarks),
        matched=sum(
            1 for one in taken if one.image.id and not one.same and (one.labelled or gets_split(one, settings))
        ),
        added=sum(1 for one in taken if not one.image.id),
        missing=missing,
        left=left,
        boxes=sum(len(one.coming) for one in taken),
        replaced=sum(len(one.other) for one in taken),
        removed=sum(len(one.gone) for one in taken),
        differences=tuple(differences),
        stamps=read_at,
        compared=tuple(matched),
        found=found,
        finished=finished,
        new_splits=sum(1 for one in taken if gets_split(one, settings)),
        names=names,
    )


def _labels_to_import(reading: Reading, chosen: Sequence[MatchedImage], known: int) -> dict[str, None]:
    """The label names to import: at the first import all of a file's, later (some images are `known`) those of the
    boxes added. Otherwise a label that was renamed here would come back empty.
    """
    used = {
        name
        for one in chosen
        for name, _ in (*one.coming, *(one.boxes[place] for place, _ in one.other))
        if not one.same
    }
    return dict.fromkeys(name for name in reading.labels if not known or name in used) | dict.fromkeys(sorted(used))


def apply_import(document: Document, plan: ImportPlan) -> ImportReport:
    """Carry out `plan` in one edit; on any error the project is unchanged.

    The plan must match the project as it is now: WorkbenchError if images it relies on are gone.
    """
    if document.read_only:
        raise ReadOnly(document.why_read_only)
    batch, folders = _Batch(document, plan), document.roots().keys()
    what = formatting.count(plan.boxes, "box") if plan.boxes else "labels"
    step = 0
    try:
        made = batch.build()
        if made:
            document.do(edits.Batch(tuple(made), f"Import {what} from {plan.reading.source.name}"))
            step = int(document.store.rows("SELECT max(seq) FROM journal")[0][0])
    except BaseException:
        _forget(document, document.roots().keys() - folders)
        raise
    return ImportReport(
        format=plan.reading.format,
        images=plan.matched + plan.added,
        added=plan.added,
        missing=plan.missing,
        left=plan.left,
        boxes=plan.boxes,
        replaced=plan.replaced,
        removed=plan.removed,
        new_labels=plan.new_labels,
        remarks=plan.remarks,
        sentence=plan.sentence,
        ids=tuple(image.id for image in batch.images),
        step=step,
    )


def _forget(document: Document, folders: Collection[int]) -> None:
    """Take folders of images (by id) out of the project again: new images would be looked for in them."""
    with contextlib.suppress(WorkbenchError), document.store.transaction() as connection:
        asked = "DELETE FROM root WHERE id = ? AND id NOT IN (SELECT root FROM image)"
        connection.executemany(asked, [(id,) for id in folders])


def keep_files(project: Path, plan: ImportPlan, report: ImportReport) -> None:
    """Keep the files of a finished import, and what they said (origins.py). Any thread."""
    reading, images = matched_reading(plan.reading, plan.names), zip(report.ids, plan.images, strict=True)
    stamps = {} if plan.names else plan.stamps  # else an export would write the names that the files have
    origins.keep(project, reading, stamps, images, report.step)


def labels_to_add(document: Document, names: Sequence[str]) -> tuple[Label, ...]:
    """Labels of these names as an import would add them now: with new ids and colours, placed after the others."""
    first = _next(document, "label")
    position = max((label.position for label in document.labels()), default=-1) + 1
    return tuple(Label(first + n, name, colour_for(first + n), position=position + n) for n, name in enumerate(names))


def _next(document: Document, table: str) -> int:
    found = document.store.rows("SELECT seq FROM sqlite_sequence WHERE name = ?", table)
    return (found[0][0] if found else 0) + 1


@dataclass
class _Batch:
    """Builds the edit of a plan. Ids are assigned here, because boxes refer to their image and label by id."""

    document: Document
    plan: ImportPlan
    removed: list[int] = field(default_factory=list)
    images: list[Image] = field(default_factory=list)  # the plan's, in its order, with the ids they get

    def build(self) -> list[edits.Edit]:
        made: list[edits.Edit] = []
        labels = labels_to_add(self.document, self.plan.new_labels)
        if labels:
            made.append(edits.AddLabels(labels))
        ids = {label.name: label.id for label in (*self.document.labels(), *labels)}
        images = self.images = self._images()
        added = tuple(image for image, one in zip(images, self.plan.images, strict=True) if not one.image.id)
        if added:
            made.append(edits.AddImages(added))
        made += self._changes()
        if self.removed:
            made.append(edits.RemoveBoxes(tuple(self.removed)))
        changed = tuple(box for one in self.plan.images if one.other for box in self._changed(one, ids))
        if changed:
            made.append(edits.ReplaceBoxes(changed))
        boxes = tuple(
            box.with_ids(box.id, image.id, ids[name])
            for image, one in zip(images, self.plan.images, strict=True)
            for name, box in one.coming
        )
        if boxes:
            made.append(edits.AddBoxes(boxes))
        said = {theirs: ids[ours] for theirs, ours in self.plan.names.items()}
        kept = with_foreign_names(self.document, said) if made else None
        return [*made, kept] if kept is not None else made

    def _changed(self, one: MatchedImage, ids: Mapping[str, int]) -> Iterator[Box]:
        """The project's boxes as the file has them; what the format can't hold stays as it is."""
        cannot = formats.load_all().get(self.plan.reading.format).cannot_store
        here = {box.id: box for box in self.document.boxes(one.image.id)}
        spaced = {label.id: "_".join(label.name.split()) for label in self.document.labels()}
        for place, id in one.other:
            (name, theirs), box = one.boxes[place], here[id]
            held = {flag: getattr(theirs if flag not in cannot else box, flag) for flag in FLAGS}
            if "crowd apart" in cannot and box.crowd and theirs.difficult:  # how the format writes crowds
                held |= {"crowd": True, "difficult": box.difficult}
            note = box.note if "note" in cannot else theirs.note
            is_named = ("spaces in labels" in cannot and spaced[box.label] == name) or (
                "crowd labels" in cannot and box.crowd and theirs.crowd
            )
            label = box.label if is_named else ids[name]
            yield dataclasses.replace(
                box, label=label, xyxy=theirs.xyxy, note=note, extra=theirs.extra or box.extra, **held
            )

    def _images(self) -> list[Image]:
        """The project's images of the plan, in its order; new ones get their id and root."""
        following = _next(self.document, "image")
        roots: dict[Path, int] = {}
        images = []
        for one in self.plan.images:
            image = one.image
            if not image.id:
                assert one.root is not None
                if one.root not in roots:
                    roots[one.root] = self.document.add_root(one.root)
                split = one.split if one.split and self.plan.settings.splits else image.split
                image = dataclasses.replace(image, id=following, root=roots[one.root], split=split, state=one.state)
                following += 1
            images.append(image)
        return images

    def _changes(self) -> list[edits.Edit]:
        """States and splits of images already in the project; removal of boxes that are replaced."""
        states: dict[State, list[int]] = {}
        splits: dict[Split, list[int]] = {}
        counts = self.document.box_counts()
        for one in self.plan.images:
            id = one.image.id
            if not id:
                continue
            if one.labelled and not one.same:
                if one.instead:
                    self.removed += one.gone
                state = state_after(one, counts)
                if state is not one.image.state:
                    states.setdefault(state, []).append(id)
            if one.split and gets_split(one, self.plan.settings):
                splits.setdefault(one.split, []).append(id)
        made: list[edits.Edit] = [edits.SetState(tuple(ids), state) for state, ids in states.items()]
        return made + [edits.SetSplit(tuple(ids), split) for split, ids in splits.items()]
