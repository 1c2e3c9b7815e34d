"""What a program can repair of a project's health: for a finding, the edit that does it, which Undo takes back."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from workbench.core import boxes as geometry
from workbench.core import edits, formatting, new_sizes
from workbench.core.document import Document
from workbench.core.edits import Edit
from workbench.core.project import Box, Split
from workbench.core.splits import random_split
from workbench.health import HealthFinding


def repair(document: Document, finding: HealthFinding) -> Edit | None:
    """The edit that repairs a finding, or None where a person must look. Files are never changed.

    Whatever has left the project since the check is skipped.
    """
    boxes = _boxes_of(document, finding)
    wanted = set(finding.images)
    images_ = [image for image in document.images() if image.id in wanted]
    match finding.kind:
        case "zero size" | "drawn twice" | "very small" if boxes:
            return edits.RemoveBoxes(tuple(box.id for box in boxes))
        case "outside":
            return _cut(document, boxes)
        case "unreadable" | "files gone" if images_:
            return edits.RemoveImages(tuple(image.id for image in images_))
        case "resized" | "size changed" if images_:
            return new_sizes.taking_over(document, [image.id for image in images_])
        case "leak":
            # to the harmless side: training images stay in training, and the copies leave the measured split
            target = Split.TRAIN if any(one.split is Split.TRAIN for one in images_) else Split.VALIDATION
            others = tuple(one.id for one in images_ if one.split not in (target, Split.NONE))
            return edits.SetSplit(others, target) if others else None
        case "same picture" if len(images_) > 1:
            counts = document.box_counts()
            stays = max(images_, key=lambda image: (counts.get(image.id, 0), -image.id))
            return edits.RemoveImages(tuple(image.id for image in images_ if image is not stays))
        case "no split" if images_:
            return random_split(images_, seed=0)
        case "unused label":
            used = document.label_counts()
            gone = [one.id for one in document.labels() if one.id in finding.labels and not used.get(one.id)]
            title = f"Delete {formatting.count(len(gone), 'label')} without a box"
            return edits.Batch(tuple(map(edits.RemoveLabel, gone)), title) if gone else None
    return None


REPAIRS = {
    "zero size": "Delete these boxes", "drawn twice": "Delete the later ones", "very small": "Delete these boxes",
    "outside": "Cut them at the border", "unreadable": "Take it out of the project",
    "files gone": "Take them out of the project", "leak": "Put them into one split",
    "resized": "Scale the boxes", "size changed": "Take over the new size",
    "same picture": "Keep the one with most boxes", "no split": "Split them at random",
    "unused label": "Delete the labels without boxes",
}  # fmt: skip
"""What repair() does, by kind of finding."""
READS_FILES = frozenset({"resized", "size changed"})
"""Those of which repair() opens each image's file."""


def _boxes_of(document: Document, finding: HealthFinding) -> list[Box]:
    wanted, known = set(finding.boxes), {image.id for image in document.images()}
    return [box for image in finding.images if image in known for box in document.boxes(image) if box.id in wanted]


def _cut(document: Document, boxes: Sequence[Box]) -> Edit | None:
    """Boxes cut at the border of their images; those with nothing left are removed."""
    cut: list[Box] = []
    gone: list[int] = []
    for box in boxes:
        image = document.image(box.image)
        x0, y0, x1, y1 = geometry.clip(np.array([box.xyxy]), image.width, image.height)[0].tolist()
        if x1 > x0 and y1 > y0:
            cut.append(dataclasses.replace(box, xyxy=(x0, y0, x1, y1)))
        else:
            gone.append(box.id)
    parts: list[Edit] = [edits.ReplaceBoxes(tuple(cut))] if cut else []
    if gone:
        parts.append(edits.RemoveBoxes(tuple(gone)))
    return edits.Batch(tuple(parts), f"Cut {formatting.count(len(boxes), 'box')} at the border") if parts else None
