"""The health check finds what spoils a training, and says nothing of a sound project."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from workbench import health
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import Box, Label, Split, State


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four different 60 x 40 pictures."""
    folder = tmp_path / "photographs"
    folder.mkdir()
    for n in range(4):
        cv2.imwrite(str(folder / f"{n}.png"), np.full((40, 60, 3), n * 20, np.uint8))
    return folder


def examine(document: Document) -> health.Health:
    last = list(health.examine(document.snapshot()))[-1]
    assert isinstance(last, health.Health)
    return last


def sound(folder: Path) -> Document:
    """Ten boxes of one label on done images, split."""
    document = Document.create(folder.parent / "p", images=folder)
    document.do(edits.AddLabels((Label(0, "cat"),)))
    ids = [image.id for image in document.images()]
    document.do(edits.AddBoxes(tuple(Box(0, ids[n % 4], 1, (n, n, n + 20, n + 20)) for n in range(10))))
    document.do(edits.SetState(tuple(ids), State.DONE))
    document.do(edits.SetSplit(tuple(ids[:3]), Split.TRAIN))
    document.do(edits.SetSplit(tuple(ids[3:]), Split.VALIDATION))
    return document


def test_a_sound_project_has_no_findings(folder: Path) -> None:
    with sound(folder) as document:
        found = examine(document)
    assert found.findings == ()
    assert (found.images, found.boxes, found.labelled, found.per_label) == (4, 10, 4, (("cat", 10),))


def test_each_fault_is_found_with_its_images(folder: Path) -> None:
    with sound(folder) as document:
        ids = [image.id for image in document.images()]
        add = [(0, (5, 5, 5, 9)), (1, (1, 1, 3, 30)), (2, (-9, 0, 20, 20)), (3, (3, 3, 23, 23)), (3, (3, 3, 23, 23))]
        document.do(edits.AddBoxes(tuple(Box(0, ids[i], 1, xyxy) for i, xyxy in add)))
        document.do(edits.AddLabels((Label(0, "dog"),)))
        document.do(edits.SetState((ids[2],), State.IN_WORK))
        (folder / "0.png").write_bytes(b"")
        cv2.imwrite(str(folder / "1.png"), np.zeros((10, 10, 3), np.uint8))
        cv2.imwrite(str(folder / "3.png"), np.full((40, 60, 3), 40, np.uint8))  # now the same as 2.png
        found = {finding.kind: finding for finding in examine(document).findings}
    assert {kind: f.level for kind, f in found.items()} == {
        "zero size": "problem", "unreadable": "problem", "size changed": "problem", "leak": "problem",
        "very small": "hint", "outside": "hint", "drawn twice": "hint", "unused label": "hint", "in work": "hint",
    }  # fmt: skip
    assert found["zero size"].images == (ids[0],)
    assert found["leak"].images == (ids[2], ids[3])
    assert found["size changed"].images == (ids[1],)


def test_a_project_without_boxes_says_what_to_do(folder: Path) -> None:
    with Document.create(folder.parent / "p", images=folder) as document:
        assert [f.sentence for f in examine(document).findings] == [
            "There are no boxes yet. Label some images, or import labels."
        ]
