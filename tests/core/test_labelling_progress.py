"""How many images are labelled, and how many were worked on since a moment."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from PIL import Image as PillowImage

from workbench.core.document import Document
from workbench.core.edits import AddBoxes, AddLabels, Batch, RemoveBoxes, SetSplit, SetState
from workbench.core.labelling_progress import LabellingProgress, labelling_progress
from workbench.core.project import Box, Label, Split, State


def test_what_remains_is_said_and_what_was_corrected_only_where_somebody_asks() -> None:
    assert LabellingProgress(12, 364, 18).sentence == (
        "12 of 364 images labelled, 352 remain; 18 corrected since the last training"
    )
    assert LabellingProgress(1000, 2500).sentence == "1,000 of 2,500 images labelled, 1,500 remain"


def test_work_since_a_moment_is_counted_by_images_and_not_what_was_undone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "photographs").mkdir()
    for name in "abcdef":
        PillowImage.new("RGB", (16, 16)).save(tmp_path / "photographs" / f"{name}.png")
    clock = [100.0]
    monkeypatch.setattr(time, "time", lambda: clock[0])
    with Document.create(tmp_path / "project", tmp_path / "photographs") as document:
        document.do(AddLabels((Label(0, "cell"),)))
        document.do(AddBoxes(tuple(Box(0, image, 1, (1, 1, 9, 9)) for image in (1, 2))))
        document.do(SetState((1, 2), State.DONE))
        assert labelling_progress(document, 50.0) == LabellingProgress(2, 6, 2)
        clock[0] = 200.0
        assert labelling_progress(document, 150.0) == LabellingProgress(2, 6, 0)
        document.do(RemoveBoxes((document.boxes(1)[0].id,)))  # whose image only its inverse knows
        document.do(Batch((SetState((3,), State.VERIFIED), SetSplit((4, 5, 6), Split.TEST)), "Two at once"))
        assert labelling_progress(document, 150.0) == LabellingProgress(3, 6, 2), "a split is no work on labels"
        document.do(SetState((5,), State.IN_WORK))
        assert labelling_progress(document, 150.0).changed == 3
        document.undo()
        assert labelling_progress(document, 150.0) == LabellingProgress(3, 6, 2)
        assert labelling_progress(document) == LabellingProgress(3, 6, None)
