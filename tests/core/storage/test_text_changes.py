"""A colleague's labels come by git into a project's text: they are seen, and not overwritten."""

from __future__ import annotations

import errno
import os
import re
import shutil
from pathlib import Path

import pytest

from tests.core.storage.text_project import BOX, mine, pulled, take_over, text
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import Box, Label, State
from workbench.core.storage import mirror, text_changes, text_merge, written_text
from workbench.core.storage.text_changes import TextChanged
from workbench.errors import WorkbenchError

__all__ = ["mine"]  # a fixture


@pytest.mark.parametrize("lost", ["the record", "nothing"])
def test_a_text_that_says_the_same_is_simply_written(mine: Document, lost: str) -> None:
    """As git writes it with other line ends, or a colleague's program that has read the sizes of images."""
    mine.do(edits.SetState((4,), State.DONE))
    text_changes.write(mine.folder)
    for file in (mine.folder / "labels").iterdir():
        file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n").replace(b'"width":', b'"width":1'))
    if lost == "the record":
        shutil.rmtree(mine.folder / "cache")
    assert text_changes.find(mine.folder) is None
    mine.do(edits.SetState((1,), State.DONE))
    assert text_changes.write(mine.folder) == 4


def test_a_file_of_the_text_that_was_deleted_is_written_again(mine: Document) -> None:
    for gone in ("001.jsonl", "project.json"):
        (mine.folder / "labels" / gone).unlink()
        assert text_changes.find(mine.folder) is None
        assert text_changes.write(mine.folder) == 1


@pytest.mark.parametrize("lines", [0, 1, 2])
def test_a_file_that_was_cut_off_does_not_take_images_out_of_the_project(mine: Document, lines: int) -> None:
    """At the end of a line; or git is just writing it."""
    file = mine.folder / "labels" / "000.jsonl"
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:lines]))
    found = text_changes.find(mine.folder)
    assert found is not None
    assert (found.images, "000.jsonl: it was cut off" in found.problem) == ((), True)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('{"id":1', '<<<<<<< HEAD\n{"id":1', "000.jsonl:1: git could not merge these lines"),
        ('{"id":2', '{"id":1', "000.jsonl:2: it has the image 1 twice"),
        ('"xyxy":[0.0', '"xyxy":[NaN', "000.jsonl:2: this is not an image"),
        ('"xyxy":[0.0', '"xyxy":["0"', "000.jsonl:2: this is not an image"),
        ('"path":"a.png"', '"path":"../a.png"', "000.jsonl:1: this is not an image"),
        ('"path":"a.png"', r'"path":"\ud800"', "000.jsonl:1: this is not an image"),
        ('"boxes":[]', '"state":"on fire","boxes":[]', "000.jsonl:1: this is not an image"),
        ('{"id":1', '{"id":9999999999999999999999', "000.jsonl:1: this is not an image"),
    ],
)  # fmt: skip
def test_a_text_that_cannot_be_read_is_left_until_someone_decides(
    mine: Document, old: str, new: str, reason: str
) -> None:
    file = mine.folder / "labels" / "000.jsonl"
    changed = file.read_text().replace(old, new, 1)
    assert changed != file.read_text()
    file.write_text(changed)
    mine.do(edits.SetState((1,), State.DONE))
    with pytest.raises(TextChanged, match=rf"{reason}.*[^.]\. It was left as it is\.$"):
        text_changes.write(mine.folder)
    assert file.read_text() == changed
    found = text_changes.find(mine.folder)
    assert found is not None
    with pytest.raises(WorkbenchError, match=reason):
        text_merge.merge(mine, found)
    aside = text_changes.settle(mine.folder, found, aside=True)
    assert aside is not None
    assert (aside / "000.jsonl").read_text() == changed
    assert text_changes.find(mine.folder) is None


def test_a_text_changed_once_more_is_looked_at_again(mine: Document) -> None:
    pulled(mine, lambda theirs: theirs.do(edits.SetState((1,), State.DONE)))
    found = text_changes.find(mine.folder)
    assert found is not None
    pulled(mine, lambda theirs: theirs.do(edits.SetState((2,), State.VERIFIED)))
    before = text(mine)
    with pytest.raises(TextChanged, match="changed again"):
        text_changes.settle(mine.folder, found, aside=False)
    assert text(mine) == before


@pytest.mark.parametrize("failed", ["no room", "killed"])
def test_no_half_a_copy_of_the_text_stays(mine: Document, monkeypatch: pytest.MonkeyPatch, failed: str) -> None:
    pulled(mine, lambda theirs: theirs.do(edits.SetState((1,), State.DONE)))
    found = text_changes.find(mine.folder)
    assert found is not None

    def fail(_: Path, to: Path) -> None:
        to.mkdir()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    if failed == "killed":
        (mine.folder / ".labels.replaced 2026-01-01 10.00.00.tmp").mkdir()
        text_changes.settle(mine.folder, found, aside=True)
    else:
        monkeypatch.setattr(shutil, "copytree", fail)
        with pytest.raises(WorkbenchError, match="could not be made: No space left"):
            text_changes.settle(mine.folder, found, aside=True)
    assert not list(mine.folder.glob(".labels*"))


@pytest.mark.parametrize("deed", ["write", "settle"])
def test_a_text_that_cannot_be_read_just_then_is_not_overwritten(
    mine: Document, monkeypatch: pytest.MonkeyPatch, deed: str
) -> None:
    """Another program has a file of it, as on Windows: what it is writing there was written over."""
    pulled(mine, lambda theirs: theirs.do(edits.SetState((1,), State.DONE)))
    found, before = text_changes.find(mine.folder), text(mine)
    assert found is not None

    def refuse(*_: object) -> bool:
        raise PermissionError(errno.EACCES, "in use")

    with monkeypatch.context() as locked:
        locked.setattr(written_text, "is_as_recorded", refuse)
        assert text_changes.find(mine.folder) is None
        with pytest.raises(TextChanged, match="can't be read just now"):
            text_changes.write(mine.folder) if deed == "write" else text_changes.settle(mine.folder, found, aside=False)
    assert text(mine) == before
    assert text_changes.find(mine.folder) == found


def test_a_file_that_came_after_the_look_is_not_overwritten(mine: Document) -> None:
    """git writes one file after the other."""
    pulled(mine, lambda theirs: theirs.do(edits.SetState((1, 4), State.DONE)))
    late = mine.folder / "labels" / "001.jsonl"
    came = late.read_bytes()
    late.write_text(mirror.read_block(mine.store.connection, 1))
    found = text_changes.find(mine.folder)
    assert found is not None
    assert found.ids == {1}
    late.write_bytes(came)
    with pytest.raises(TextChanged, match="changed again"):
        text_changes.settle(mine.folder, found, aside=False)
    assert late.read_bytes() == came


def merge_marks(ours: bytes, theirs: bytes) -> bytes:
    """What git makes of two files that differ in some lines of the same number."""
    lines = list[bytes]()
    for one, other in zip(ours.splitlines(keepends=True), theirs.splitlines(keepends=True), strict=True):
        marked = (b"<<<<<<< HEAD\n", one, b"=======\n", other, b">>>>>>> 0f3a\n")
        lines += (one,) if one == other else marked
    return b"".join(lines)


def test_a_merge_that_left_only_numbers_to_be_chosen_is_read(mine: Document) -> None:
    """Each merge of two who both worked on left some: the counts and hashes of both are in the same places."""
    head = mine.folder / "labels" / "project.json"
    mine.do(edits.SetState((4,), State.DONE))
    text_changes.write(mine.folder)
    ours = head.read_bytes()
    pulled(mine, lambda theirs: (theirs.undo(), theirs.draw((Box(0, 1, 1, BOX), Box(0, 4, 1, BOX)))))
    head.write_bytes(merge_marks(ours, head.read_bytes()))
    file = mine.folder / "labels" / "000.jsonl"
    *lines, seal = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(lines) + merge_marks(seal.replace(b'"boxes":', b'"boxes":9'), seal))
    assert (b">>>>>>>" in head.read_bytes(), b">>>>>>>" in file.read_bytes()) == (True, True)
    assert take_over(mine).taken == 2
    assert (len(mine.boxes(1)), len(mine.boxes(4))) == (1, 1)
    assert b">>>>>>>" not in head.read_bytes() + file.read_bytes()


def test_lists_of_labels_that_git_could_not_merge_are_not_chosen_from(mine: Document) -> None:
    head = mine.folder / "labels" / "project.json"
    mine.do(edits.ChangeLabel(Label(1, "kitten", "#111111", "", 0)))
    text_changes.write(mine.folder)
    ours = head.read_bytes()
    pulled(
        mine,
        lambda theirs: theirs.do(
            edits.Batch((edits.ChangeLabel(Label(1, "lion", "#111111", "", 0)), edits.SetState((1,), State.DONE)))
        ),
    )
    head.write_bytes(merge_marks(ours, head.read_bytes()))
    found = text_changes.find(mine.folder)
    assert found is not None
    assert "labels/project.json:4: git could not merge its labels" in found.problem


def test_labels_that_git_could_not_merge_are_not_overwritten(mine: Document) -> None:
    head = mine.folder / "labels" / "project.json"
    ours = head.read_bytes()
    came = merge_marks(ours, re.sub(rb'"colour": ?"#\w+"', b'"colour":"#123456"', ours, count=1))
    assert b"#123456" in came
    head.write_bytes(came)
    with pytest.raises(TextChanged, match=r"project.json:\d+: git could not merge its labels. Keep those of both"):
        text_changes.write(mine.folder)
    assert head.read_bytes() == came


@pytest.mark.parametrize(
    "marks", ["<<<<<<< HEAD\n{}=======\n>>>>>>> 0f3a\n", "<<<<<<< HEAD\n=======\n{}>>>>>>> 0f3a\n"]
)
def test_an_image_that_one_side_removed_is_not_said_to_be_merged(mine: Document, marks: str) -> None:
    """Its line is as the project has it, and what the other side did was written over without a word."""
    file = mine.folder / "labels" / "000.jsonl"
    first, second, seal = file.read_text().splitlines(keepends=True)
    file.write_text(first + marks.format(second) + seal)
    found = text_changes.find(mine.folder)
    assert found is not None
    assert "000.jsonl:2: git could not merge these lines" in found.problem
