"""The text of a project of which it is not known what was written last, as after its cache was deleted."""

from __future__ import annotations

import shutil

import pytest

from tests.core.storage.test_text_changes import BOX, mine, pulled, take_over, text
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import Box, Image, State
from workbench.core.storage import backups, mirror, text_changes, written_text
from workbench.errors import WorkbenchError

__all__ = ["mine"]  # a fixture


@pytest.mark.parametrize("head", ["as written", "outdated"])
def test_without_a_record_own_edits_since_the_text_was_written_are_no_others(mine: Document, head: str) -> None:
    """Cache deleted in an open project, or a project of an earlier version whose last edit the text lacks: 'Take over'
    would have put the text's older labels over the newest edits.
    """
    mine.do(edits.SetState((1,), State.DONE))
    mine.do(edits.SetState((4,), State.DONE))
    text_changes.write(mine.folder)
    shutil.rmtree(mine.folder / "cache")
    mine.undo()  # of image 4
    mine.draw((Box(0, 2, 1, BOX),))
    mine.do(edits.RemoveImages((3,)))
    if head == "outdated":
        mirror.outdate(mine.folder)
    assert text_changes.find(mine.folder) is None
    text_changes.write(mine.folder)
    assert '"id":3,' not in text(mine)["001.jsonl"].decode()


def test_an_image_that_both_sides_added_is_found_without_a_record(mine: Document) -> None:
    pulled(mine, lambda theirs: theirs.do(edits.AddImages((Image(0, "theirs.png", root=1),))))
    mine.do(edits.AddImages((Image(0, "mine.png", root=1),)))
    shutil.rmtree(mine.folder / "cache")
    take_over(mine)
    assert [image.path for image in mine.images()][-2:] == ["mine.png", "theirs.png"]


@pytest.mark.parametrize("failed", ["killed", "no room"])
def test_a_text_whose_record_could_not_be_written_is_still_our_own(
    mine: Document, monkeypatch: pytest.MonkeyPatch, failed: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise WorkbenchError("There is no room.")

    with monkeypatch.context() as broken:
        if failed == "killed":
            broken.setattr(written_text, "record", lambda *_: None)
        else:
            broken.setattr(written_text, "atomic_write", fail)
        mine.do(edits.SetState((1,), State.DONE))
        text_changes.write(mine.folder)
    mine.do(edits.SetState((1,), State.VERIFIED))
    assert text_changes.find(mine.folder) is None


def test_a_project_rebuilt_from_its_text_knows_that_text(mine: Document) -> None:
    """As after a clone by git, which has neither the project's file nor the record of its text."""
    mine.close()
    for gone in ("project.sqlite", "cache"):
        path = mine.folder / gone
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    found = backups.text_of(mine.folder)
    assert found is not None
    backups.restore(mine.folder, found)
    with Document.open(mine.folder) as rebuilt:
        rebuilt.do(edits.SetState((1,), State.DONE))
        assert text_changes.find(mine.folder) is None


@pytest.mark.parametrize("lines", [0, 1, 2])
def test_a_file_that_was_cut_off_does_not_take_images_out_of_the_project(mine: Document, lines: int) -> None:
    """At the end of a line; or git is just writing it."""
    file = mine.folder / "labels" / "000.jsonl"
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:lines]))
    found = text_changes.find(mine.folder)
    assert found is not None
    assert (found.images, "000.jsonl: it was cut off" in found.problem) == ((), True)
