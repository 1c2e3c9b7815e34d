"""The table of images says what single images would, and follows what the document does to it."""

from __future__ import annotations

import sqlite3
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from workbench.core import edits
from workbench.core.document import Document
from workbench.core.files import natural_key
from workbench.core.folding import folded
from workbench.core.project import Box, Image, Label, Split, State
from workbench.core.storage.box_counts import BoxCounts
from workbench.core.storage.image_table import ImageTable

IMAGES = (
    Image(7, "a/Straße 2.jpg", 640, 480, State.DONE, Split.TEST, 6, 1, "a note with Ümlaut"),
    Image(3, "a/straße 10.jpg", 30, 40),
    Image(9, "b/🐈.png", problem="the file is empty"),
    Image(1, "b/x.png", 5, 6, State.VERIFIED, Split.TRAIN, root=2),
)


@pytest.fixture
def document(tmp_path: Path) -> Iterator[Document]:
    made = Document.create(tmp_path / "p")
    other = made.add_root(tmp_path / "other"), made.add_root(tmp_path / "third")
    made.do(edits.AddImages(tuple(image for image in IMAGES if image.root in other)))
    yield made
    made.close()


def test_it_is_the_sequence_of_its_images() -> None:
    table = ImageTable.of(IMAGES)
    assert len(table) == 4
    assert tuple(table) == IMAGES == table[:]
    assert [table[i] for i in range(-4, 4)] == [*IMAGES, *IMAGES]
    assert table[1:3] == IMAGES[1:3]
    assert table == IMAGES
    assert table != IMAGES[:3]
    assert IMAGES[2] in table
    assert Image(9, "other.png") not in table
    for row in (4, -5):
        with pytest.raises(IndexError):
            table[row]


def test_an_image_is_found_by_its_id() -> None:
    table = ImageTable.of(IMAGES)
    assert [table.row_of(id) for id in (7, 3, 9, 1, 2, 100, -1)] == [0, 1, 2, 3, -1, -1, -1]
    assert table.has(9)
    assert not table.has(8)
    assert table.rows_of(np.array([1, 2, 7, 100])).tolist() == [3, 0]
    assert ImageTable.of(()).rows_of(np.array([1])).tolist() == []
    assert not ImageTable.of(()).has(1)


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("strasse", [0, 1]),  # ß folds to ss
        ("STRASSE 1", [1]),
        ("b/", [2, 3]),
        ("🐈", [2]),
        ("ümlaut", [0]),  # in the note
        ("jpga", []),  # not across two paths
        ("nothing", []),
    ],
)
def test_a_text_is_found_in_paths_and_notes(text: str, rows: list[int]) -> None:
    assert np.flatnonzero(ImageTable.of(IMAGES).saying(text)).tolist() == rows


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("text", ["müller", "É", "한국"])
def test_a_text_is_found_whichever_way_its_accents_are_written(text: str, form: Literal["NFC", "NFD"]) -> None:
    """File names that come from a Mac have letters and accents as characters of their own: none was found."""
    names = ["Müller.jpg", "été.jpg", "한국.jpg"]
    images = [Image(n, unicodedata.normalize(form, name)) for n, name in enumerate(names, start=1)]
    noted = [Image(n, "", note=unicodedata.normalize(form, name)) for n, name in enumerate(names, start=1)]
    for typed in (text, unicodedata.normalize("NFD", text)):
        (row,) = [row for row, name in enumerate(names) if folded(text) in folded(name)]
        assert np.flatnonzero(ImageTable.of(images).saying(typed)).tolist() == [row]
        assert np.flatnonzero(ImageTable.of(noted).saying(typed)).tolist() == [row]


def test_columns_tell_states_splits_and_what_was_not_measured() -> None:
    table = ImageTable.of((*IMAGES, Image(20, "new.png")))
    assert table.in_state(State.DONE).tolist() == [True, False, False, False, False]
    assert table.in_split(Split.TRAIN).tolist() == [False, False, False, True, False]
    assert table.unmeasured.tolist() == [4]  # the damaged one has been looked at
    table.set_headers([Image(20, "new.png", 8, 9, orientation=3), Image(99, "gone.png", 1, 1)])
    assert table[4] == Image(20, "new.png", 8, 9, orientation=3)
    assert table.unmeasured.tolist() == []


def test_what_sqlite_hands_over_is_what_is_on_disk(document: Document) -> None:
    table = ImageTable.read(document.store.connection)
    rows = document.store.connection.execute("SELECT id, path, width, note, problem, state FROM image").fetchall()
    found = {row["id"]: (row["path"], row["width"], row["note"], row["problem"], row["state"]) for row in rows}
    assert {i.id: (i.path, i.width, i.note, i.problem, str(i.state)) for i in table} == found
    assert [i.path for i in table] == [image.path for image in IMAGES]


def test_images_are_in_natural_order_root_after_root(tmp_path: Path) -> None:
    with Document.create(tmp_path / "p") as document:
        one, two = document.add_root(tmp_path / "one"), document.add_root(tmp_path / "two")
        names = ["b10.png", "B9.png", "b2/7.png", "b010.png", "a 3 of 12.png", "a 3 of 2.png", "Ä.png", "a.png"]
        document.do(edits.AddImages(tuple(Image(0, name, root=root) for root in (two, one) for name in names)))
        ordered = sorted(names, key=natural_key)
        assert [(i.root, i.path) for i in document.images()] == [(r, n) for r in (one, two) for n in ordered]
        assert ordered.index("a.png") > ordered.index("a 3 of 12.png") > ordered.index("a 3 of 2.png")
        assert ordered.index("b2/7.png") < ordered.index("B9.png") < ordered.index("b10.png")


def test_an_adopted_table_keeps_what_a_person_did_meanwhile(document: Document) -> None:
    first = document.images()[0]
    read = ImageTable.read(document.store.connection)
    document.do(edits.SetState((first.id,), State.VERIFIED))
    document.adopt(read, document.images_version)
    assert document.images() is read
    assert document.image(first.id).state is State.VERIFIED

    read = ImageTable.read(document.store.connection)
    before = document.images_version
    document.do(edits.RemoveImages((first.id,)))
    document.adopt(read, before)
    assert not document.images().has(first.id)


def test_counts_of_boxes_follow_edits_that_they_can_follow(document: Document) -> None:
    document.do(edits.AddLabels((Label(0, "a"), Label(0, "b"))))
    a, b = (label.id for label in document.labels())
    one, two = document.images()[0].id, document.images()[1].id
    counts = document.counts()
    for _ in range(3):
        document.draw((Box(0, one, a, (0, 0, 5, 5)), Box(0, two, b, (0, 0, 5, 5))))
    box = document.boxes(one)[0]
    document.do(edits.ReplaceBoxes((Box(box.id, two, b, (1, 1, 2, 2)),)))
    document.do(edits.RemoveBoxes((document.boxes(one)[0].id,)))
    document.undo()
    assert document.counts() is counts
    assert (counts.of_image(one), counts.of_image(two), counts.of_image(10**6)) == (2, 4, 0)
    assert counts.of(np.array([two, 10**6, one])).tolist() == [4, 0, 2]
    assert counts.labels == {a: 2, b: 4}
    assert counts.total == 6
    document.do(edits.MergeLabels(a, b))
    fresh = BoxCounts.read(document.store.connection)
    assert document.counts().labels == fresh.labels == {b: 6}
    assert document.box_counts() == {one: 2, two: 4}


def test_a_project_of_the_first_version_gets_its_natural_order(document: Document) -> None:
    document.close()
    file = document.store.file
    old = sqlite3.connect(file)
    old.executescript(
        "DROP INDEX image_sort; ALTER TABLE image DROP COLUMN sort; ALTER TABLE image DROP COLUMN date;"
        "DROP TABLE imported; DROP TABLE origin; DROP TABLE written; DROP TABLE touched;"
        "PRAGMA user_version = 1;"
    )
    old.close()
    with Document.open(document.folder) as migrated:
        assert [i.path for i in migrated.images()] == [image.path for image in IMAGES]
        migrated.do(edits.AddImages((Image(0, "a/straße 3.jpg", root=1),)))
        assert [i.path for i in migrated.images()][1] == "a/straße 3.jpg"
    assert (document.folder / "project.version-1.sqlite").is_file()


def test_a_table_that_was_read_meanwhile_takes_over_notes_and_that_one_was_removed() -> None:
    used, read = ImageTable.of(IMAGES[:2]), ImageTable.of(IMAGES)
    used.set_notes((7,), "")
    used.set_notes((3,), "ask Anna")
    read.take_over(used)
    assert [image.note for image in read] == ["", "ask Anna", "", ""]
