"""Which edits touched an image is known without reading the others: as they are made, and in older projects."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Collection, Iterator
from pathlib import Path

import pytest

from tests.core.storage.test_history import write_photographs
from workbench.core import edits, store
from workbench.core.document import Document
from workbench.core.project import Box, Label, Split, State
from workbench.core.storage import backups, history, journal, journal_index
from workbench.errors import Damaged

NAMES = ["a.png", "b.png", "c.png"]


@pytest.fixture
def document(tmp_path: Path) -> Iterator[Document]:
    write_photographs(tmp_path / "photographs", NAMES)
    with Document.create(tmp_path / "project", tmp_path / "photographs") as made:
        made.do(edits.AddLabels((Label(0, "cell"), Label(0, "plate"))))
        work(made)
        yield made


def work(document: Document) -> None:
    """Edits of one image, of several, of none, and some that were undone."""
    cell, plate = (label.id for label in document.labels())
    document.draw((Box(0, 1, cell, (0, 0, 9, 9)), Box(0, 2, plate, (0, 0, 8, 8))))
    document.do(edits.SetSplit((2, 3), Split.TEST))
    document.draw((Box(0, 3, cell, (0, 0, 7, 7)),))
    document.do(edits.MergeLabels(plate, cell))
    document.do(edits.ChangeSetting("anchors", [1, 2]))
    document.do(edits.RemoveBoxes(tuple(box.id for box in document.boxes(3))))
    document.do(edits.RemoveImages((3,)))
    document.do(edits.SetState((1,), State.DONE))
    document.undo()


def rows(document: Document) -> list[tuple[int, int]]:
    return [tuple(row) for row in document.store.rows("SELECT image, seq FROM touched ORDER BY image, seq")]


def make_older(file: Path) -> bytes:
    """What a project's file was before it had the table."""
    with contextlib.closing(sqlite3.connect(file)) as old:
        old.executescript("DROP TABLE touched; PRAGMA user_version = 4; VACUUM")
    return file.read_bytes()


def test_each_edit_is_found_by_the_images_that_it_touched(document: Document) -> None:
    text = document.store.rows("SELECT seq, edit, inverse FROM journal")
    wanted = [
        (image, row["seq"])
        for row in text
        for image in journal.from_json(row["edit"]).touches() | journal.from_json(row["inverse"]).touches()
    ]
    assert rows(document) == sorted(wanted)
    dropped = text[-1]["seq"]
    assert (1, dropped) in wanted
    document.do(edits.SetState((2,), State.DONE))
    assert [entry.title for entry in history.of_image(document, 1)] == ["Add 2 boxes", "Before that"]
    assert (2, dropped + 1) in rows(document), "its number is not given again"
    document.clear_history()
    assert rows(document) == []


def test_an_older_project_gets_the_same_table(document: Document) -> None:
    wanted, seen = rows(document), history.of_image(document, 2)
    document.close()
    before = make_older(document.store.file)
    with Document.open(document.folder) as upgraded:
        assert rows(upgraded) == wanted
        assert history.of_image(upgraded, 2) == seen
        upgraded.draw((Box(0, 2, 1, (0, 0, 6, 6)),))
        assert len(history.of_image(upgraded, 2)) == len(seen) + 1
    assert (document.folder / "project.version-4.sqlite").read_bytes() == before


def test_an_older_project_is_read_without_being_changed(document: Document) -> None:
    wanted, seen, boxes = rows(document), history.of_image(document, 2), document.boxes(2)
    document.close()
    file = document.store.file
    before = make_older(file)
    there = sorted(os.listdir(document.folder))
    with Document.open(document.folder, read_only=True) as read:
        assert read.read_only
        assert read.why_read_only == "It was opened for reading only."
        assert (rows(read), history.of_image(read, 2), read.boxes(2)) == (wanted, seen, boxes)
    assert (file.read_bytes(), sorted(os.listdir(document.folder))) == (before, there)


def test_a_backup_of_an_older_project_is_as_old(document: Document) -> None:
    """Of an older copy that was gone back to and is not open yet: upgraded in memory, it had the older version's number
    and was damaged.
    """
    wanted = rows(document)
    document.close()
    make_older(document.store.file)
    copy = backups.back_up(document.folder)
    assert backups.newest_good(document.folder) == copy
    backups.restore(document.folder, copy)
    with Document.open(document.folder) as upgraded:
        assert rows(upgraded) == wanted


def test_an_upgrade_that_is_broken_off_leaves_the_older_project(
    document: Document, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = rows(document)
    document.close()
    before = make_older(document.store.file)
    calls = list[int]()

    def stop(connection: sqlite3.Connection, seq: int, images: Collection[int], length: int) -> None:
        calls.append(seq)
        if len(calls) == 4:
            raise KeyboardInterrupt
        real(connection, seq, images, length)

    real = journal_index.add
    with monkeypatch.context() as broken, pytest.raises(KeyboardInterrupt):
        broken.setattr(journal_index, "add", stop)
        Document.open(document.folder)
    assert document.store.file.read_bytes()[100:] == before[100:]
    with Document.open(document.folder) as upgraded:
        assert rows(upgraded) == wanted


def test_a_damaged_older_project_is_damaged_for_readers_too(document: Document) -> None:
    document.close()
    make_older(document.store.file)
    with contextlib.closing(sqlite3.connect(document.store.file)) as old:
        old.execute("CREATE TABLE touched (id)")  # contradicts its version
    with pytest.raises(Damaged):
        store.Store(document.store.file, read_only=True)


def test_edits_that_can_not_be_looked_into_are_of_any_image(document: Document) -> None:
    """As the history of each image must end there."""
    newest = document.store.rows("SELECT max(seq) FROM journal WHERE undone = 0")[0][0]
    later = '{"edit": "TurnBoxes", "ids": [1]}'
    long = journal.to_json(edits.SetNote((1,), "x" * journal_index.LONG))
    with document.store.transaction() as connection:
        connection.execute("UPDATE journal SET edit = ? WHERE seq = ?", (later, newest))
        connection.execute("UPDATE journal SET edit = ? WHERE seq = ?", (long, newest - 1))
    document.close()
    make_older(document.store.file)
    with Document.open(document.folder) as upgraded:
        assert [pair for pair in rows(upgraded) if pair[0] < 1] == [
            (journal_index.TOO_LONG, newest - 1), (journal_index.ANY_IMAGE, newest),
        ]  # fmt: skip
        assert [entry.seq for entry in history.of_image(upgraded, 1)] == [newest]
        assert [entry.seq for entry in history.of_image(upgraded, 2)] == [newest - 1]


@pytest.mark.parametrize("ids", ['["a"]', "[[1]]", "[1e30]", "[99999999999999999999]", "7", "null"])
def test_a_project_with_a_damaged_record_of_an_edit_is_upgraded(document: Document, ids: str) -> None:
    newest = document.store.rows("SELECT max(seq) FROM journal WHERE undone = 0")[0][0]
    with document.store.transaction() as connection:
        text = f'{{"edit": "SetState", "ids": {ids}, "state": "done"}}'
        connection.execute("UPDATE journal SET edit = ? WHERE seq = ?", (text, newest))
    document.close()
    make_older(document.store.file)
    with Document.open(document.folder) as upgraded:
        assert (journal_index.ANY_IMAGE, newest) in rows(upgraded)
        assert len(upgraded.boxes(2)) == 1


def test_an_edit_of_many_images_has_one_row_and_is_in_the_history_of_each(
    document: Document, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_index, "MANY", 1)
    document.do(edits.SetState((1, 2), State.VERIFIED))
    document.do(edits.AddBoxes((Box(0, 1, 1, (0, 0, 5, 5)),)))
    newest = document.store.rows("SELECT max(seq) FROM journal")[0][0]
    assert [pair for pair in rows(document) if pair[1] >= newest - 1] == [(0, newest - 1), (1, newest)]
    assert [history.of_image(document, image)[0].title for image in (1, 2)] == ["Add box", "Mark 2 images verified"]


def test_an_edit_that_is_too_long_for_the_history_is_not_read_for_it(
    document: Document, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An import of a million boxes: each look at the history of any of its images took two seconds."""
    monkeypatch.setattr(journal_index, "MANY", 1)
    document.do(edits.SetNote((1, 2), "x" * journal_index.LONG))
    newest = document.store.rows("SELECT max(seq) FROM journal")[0][0]
    assert [pair for pair in rows(document) if pair[1] == newest] == [(journal_index.TOO_LONG, newest)]
    document.do(edits.SetState((1,), State.VERIFIED))
    asked = list[int]()
    document.store.connection.create_function("length", 1, lambda text: (asked.append(len(text)), len(text))[1])
    assert [entry.title for entry in history.of_image(document, 1)] == ["Mark image verified", "Note on 2 images"]
    assert [entry.title for entry in history.of_image(document, 2)] == ["Note on 2 images"]
    assert asked
    assert max(asked) < 1000
