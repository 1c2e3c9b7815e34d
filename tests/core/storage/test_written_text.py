"""What was written last into a project's text is known, and without that own edits are told from others'."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from tests.core.storage.text_project import BOX, mine, pulled, take_over, text
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import Box, Image, Label, Split, State
from workbench.core.storage import backups, journal_index, mirror, mirror_reader, text_changes, written_text
from workbench.core.storage.text_changes import TextChanged
from workbench.errors import WorkbenchError

__all__ = ["mine"]  # a fixture


def test_without_a_record_a_text_that_differs_is_not_overwritten(mine: Document) -> None:
    """The cache may be deleted at any time; that both sides have changed an image is then not known."""
    pulled(mine, lambda theirs: theirs.do(edits.SetState((1, 2), State.DONE)))
    shutil.rmtree(mine.folder / "cache")
    with pytest.raises(TextChanged):
        text_changes.write(mine.folder)
    assert take_over(mine).taken == 2


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


@pytest.mark.parametrize("edited", ["before the text was written", "since"])
def test_a_new_file_of_the_text_is_read_however_few_edits_its_writer_has_made(
    mine: Document, monkeypatch: pytest.MonkeyPatch, edited: str
) -> None:
    """A clone begins to count its edits anew: the many here, of unknown images, seemed to be newer than a file that has
    no record, and the images that a colleague had added were taken out of the text.
    """
    monkeypatch.setattr(journal_index, "MANY", 1)
    mine.do(edits.SetSplit((1, 2, 3), Split.TRAIN))
    text_changes.write(mine.folder)

    def change(theirs: Document) -> None:
        theirs.do(edits.AddImages(tuple(Image(0, f"{name}.png", root=1) for name in "fgh")))
        theirs.draw((Box(0, 8, 1, BOX),))

    pulled(mine, change)
    head = mine.folder / "labels" / "project.json"
    head.write_text(json.dumps({**json.loads(head.read_text()), "edits": [1, 0]}))
    if edited == "since":
        mine.do(edits.SetSplit((1, 2, 3), Split.TEST))
    assert take_over(mine).taken == 3
    assert {"f.png", "g.png", "h.png"} < {image.path for image in mine.images()}
    assert len(mine.boxes(8)) == 1


def test_a_file_without_a_record_is_compared_with_what_was_edited_since_the_head_was_written(mine: Document) -> None:
    """Also if the head that came by git counts other edits."""
    mine.do(edits.SetState((2,), State.DONE))
    text_changes.write(mine.folder)
    pulled(mine, lambda theirs: theirs.do(edits.SetNote((2,), "theirs")))
    head = mine.folder / "labels" / "project.json"
    head.write_text(json.dumps({**json.loads(head.read_text()), "edits": [1, 0]}))
    written_text.forget(mine.folder / "labels" / "000.jsonl")
    take_over(mine)
    assert mine.image(2).note == "theirs"


def test_a_label_that_came_alone_is_found_without_a_record(mine: Document) -> None:
    pulled(mine, lambda theirs: theirs.do(edits.AddLabels((Label(0, "bird"),))))
    shutil.rmtree(mine.folder / "cache")
    take_over(mine)
    assert [label.name for label in mine.labels()] == ["cat", "dog", "bird"]
    text_changes.write(mine.folder)
    mine.do(edits.AddLabels((Label(0, "cow"),)))
    mine.do(edits.RemoveLabel(3))
    shutil.rmtree(mine.folder / "cache")
    assert text_changes.find(mine.folder) is None, "it was removed here"


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


def test_what_git_brings_while_the_text_is_looked_at_is_not_taken_for_our_own(
    mine: Document, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The record was of what had been read, with the size and time of what had come meanwhile."""
    pulled(mine, lambda theirs: theirs.do(edits.SetState((1,), State.DONE)))
    file = mine.folder / "labels" / "000.jsonl"
    came = file.read_bytes()
    file.write_text(mirror.read_block(mine.store.connection, 0).replace("\n", "\r\n"), newline="")
    record = written_text.record

    def late(of: Path, data: bytes) -> None:
        if of == file:
            file.write_bytes(came)
        record(of, data)

    with monkeypatch.context() as pulling:
        pulling.setattr(written_text, "record", late)
        shutil.rmtree(mine.folder / "cache")
        assert text_changes.find(mine.folder) is None
    found = text_changes.find(mine.folder)
    assert found is not None
    assert found.ids == {1}


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


def test_a_disk_that_counts_whole_seconds_hides_no_change(mine: Document) -> None:
    """FAT counts two: git pull in the same seconds, with lines that are as long, was not seen and was overwritten."""
    files = [*(mine.folder / "labels").iterdir()]
    for file in files:
        os.utime(file, (1_000_000_000, 1_000_000_000))
        written_text.record(file, file.read_bytes())
    pulled(mine, lambda theirs: theirs.do(edits.ReplaceBoxes((Box(1, 2, 1, (0, 0, 7, 7)),))))
    for file in files:
        os.utime(file, (1_000_000_000, 1_000_000_000))
    found = text_changes.find(mine.folder)
    assert found is not None
    assert found.ids == {2}


def test_only_lines_that_differ_are_parsed(mine: Document, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first look at the text of a project of an earlier version, with a million boxes, took a minute."""
    pulled(mine, lambda theirs: theirs.do(edits.SetState((1,), State.DONE)))
    shutil.rmtree(mine.folder / "cache")
    read = list[int]()
    check = mirror_reader.check
    monkeypatch.setattr(mirror_reader, "check", lambda record: (read.append(record["id"]), check(record)))
    assert text_changes.find(mine.folder) is not None
    assert read == [1, 1], "there and here"


def test_what_was_not_touched_is_not_read(mine: Document, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(written_text, "sha256_of", lambda data: pytest.fail("it was read"))
    assert text_changes.find(mine.folder) is None
