"""One image of a plan as a sample to look at: the files' boxes, and those of the project that are otherwise."""

from __future__ import annotations

import dataclasses

import numpy as np

from workbench.core import formatting
from workbench.core.document import Document
from workbench.core.project import Box
from workbench.ui.data.importing.findings import OUTCOMES, ImportFindings
from workbench.ui.data.importing.samples import Sample

_ALIKE = 0.51
"""Pixels that edges may be apart where a format rounds to whole ones."""


def make_sample(document: Document, found: ImportFindings, row: int) -> Sample:
    """Of `found.plan.compared[row]`, beside the project as it is now."""
    one = found.plan.compared[row]
    label_of = found.label_of
    boxes = tuple(
        dataclasses.replace(box, id=number, label=label_of[name].id) for number, (name, box) in enumerate(one.boxes)
    )
    file = document.file(one.image) if one.image.id else one.read.file
    words = [formatting.count(len(boxes), "box") if one.labelled else "not labelled in the files"]
    place = np.flatnonzero(found.differences.rows == row)
    project_boxes: tuple[Box, ...] = ()
    differing = frozenset[int]()
    if len(place):
        differing = frozenset(found.differences.items[place[0]].others)
        own = document.boxes(one.image.id)
        project_boxes = _without_match(own, boxes)
        words = [f"{words[0]}, {len(own):,} here", OUTCOMES[found.differences.outcomes[place[0]]]]
    elif one.image.id and one.labelled:
        words.append("as it is here already" if document.boxes(one.image.id) else "not labelled here yet")
    if one.image.orientation != 1:
        words.append(f"turned by EXIF orientation {one.image.orientation}")
    labels = {label.id: label for label in (*document.labels(), *label_of.values())}
    return Sample(
        name=one.image.name if one.image.id else one.image.path,
        file=file if file is not None and file.is_file() else None,
        size=(one.image.width, one.image.height),
        boxes=boxes,
        project_boxes=project_boxes,
        labels=tuple(labels.values()),
        words="; ".join(words),
        window=document.window(),
        differing=differing,
    )


def _without_match(project_boxes: tuple[Box, ...], file_boxes: tuple[Box, ...]) -> tuple[Box, ...]:
    """Those of `project_boxes` that have no like among the files' boxes."""
    if not project_boxes or not file_boxes:
        return project_boxes
    a, b = (np.array([box.xyxy for box in side], float) for side in (project_boxes, file_boxes))
    labels = [np.array([box.label for box in side]) for side in (project_boxes, file_boxes)]
    alike = (np.abs(a[:, None] - b[None]).max(2) <= _ALIKE) & (labels[0][:, None] == labels[1][None])
    return tuple(box for box, has_like in zip(project_boxes, alike.any(1).tolist(), strict=True) if not has_like)
