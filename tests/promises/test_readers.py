"""A project that is read while another process edits it: a snapshot is of one moment, its boxes of the right labels."""

from __future__ import annotations

import contextlib
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.promises import edited_projects, processes
from tests.promises.form import times
from workbench.core import edits
from workbench.core.document import Document, snapshot_of
from workbench.core.edits import Edit
from workbench.core.project import Box, Image, Label, Snapshot
from workbench.core.storage.image_table import ImageTable
from workbench.core.storage.snapshots import take


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Document]:
    with Document.open(edited_projects.make(tmp_path / "p")) as document:
        document.do(edits.AddBoxes((Box(0, 1, 1, (0, 0, 5, 5)), Box(0, 2, 3, (0, 0, 5, 5)))))
        yield document


def told(snapshot: Snapshot) -> list[tuple[str, str]]:
    """Image and label of each box."""
    rows = [(row, index) for row in range(len(snapshot)) for index in range(*snapshot.rows(row).indices(10**9))]
    return [(snapshot.images[row].path, snapshot.labels[snapshot.label_index[index]].name) for row, index in rows]


def with_a_box(*edit: Edit, image: int = 3, label: int = 1) -> Edit:
    return edits.Batch((*edit, edits.AddBoxes((Box(0, image, label, (0, 0, 5, 5)),))))


@pytest.mark.parametrize(
    ("edit", "boxes"),
    [
        (
            with_a_box(edits.AddLabels((Label(9, "fox"),)), label=9),
            [("0.jpg", "cat"), ("1.jpg", "bird"), ("2.jpg", "fox")],
        ),
        (edits.MergeLabels(1, 2), [("0.jpg", "dog"), ("1.jpg", "bird")]),
        (edits.RemoveLabel(2), [("0.jpg", "cat"), ("1.jpg", "bird")]),
        (edits.RemoveImages((1,)), [("1.jpg", "bird")]),
        (
            with_a_box(edits.AddImages((Image(50, "z.jpg", 9, 9),)), image=50),
            [("0.jpg", "cat"), ("1.jpg", "bird"), ("z.jpg", "cat")],
        ),
    ],
    ids=["a label", "merged", "removed", "an image less", "an image more"],
)
def test_a_reader_that_looked_before_an_edit_has_its_boxes_with_their_labels(
    writer: Document, edit: Edit, boxes: list[tuple[str, str]]
) -> None:
    with Document.open(writer.folder) as reader:
        assert reader.read_only
        reader.labels(), reader.images(), reader.counts()
        writer.do(edit)
        assert told(reader.snapshot()) == boxes
        assert [told(reader.snapshot([2]))] == [[one for one in boxes if one[0] == "1.jpg"]]


def test_a_label_that_came_back_is_not_taken_for_the_next_one(writer: Document) -> None:
    writer.do(with_a_box(label=2))
    writer.do(edits.RemoveLabel(2))
    with Document.open(writer.folder) as reader:
        assert len(reader.labels()) == 2
        writer.undo()
        assert told(reader.snapshot()) == [("0.jpg", "cat"), ("1.jpg", "bird"), ("2.jpg", "dog")]


def test_an_edit_does_not_wait_until_a_reader_is_done(writer: Document, monkeypatch: pytest.MonkeyPatch) -> None:
    """As when a training begins: with a million boxes an edit waited eight seconds for its reading of them."""
    writer.store.connection.execute("PRAGMA busy_timeout = 0")

    def drawn_meanwhile(*values: Any, **named: Any) -> Snapshot:
        writer.do(with_a_box())
        return take(*values, **named)

    monkeypatch.setattr("workbench.core.document.take", drawn_meanwhile)
    before = [("0.jpg", "cat"), ("1.jpg", "bird")]
    assert told(snapshot_of(writer.folder)) == before
    monkeypatch.setattr("workbench.core.document.take", take)
    assert told(snapshot_of(writer.folder)) == [*before, ("2.jpg", "cat")]


def test_a_reader_takes_no_images_that_were_kept_for_another_moment(
    writer: Document, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file may be closed, and its images kept beside it, after it was copied."""
    later = ImageTable.of(writer.images()[:1]), writer.counts()
    monkeypatch.setattr("workbench.core.storage.table_cache.load", lambda *_: later)
    assert len(snapshot_of(writer.folder)) == edited_projects.IMAGES


_WRITER = "import sys; from tests.promises import test_readers as here; here.write(*sys.argv[1:])"


def write(folder: str) -> None:
    """Edits, each of which leaves every box on an image of its label's own: image 1 has label 'cat', and so on."""
    chance = random.Random(1)
    with Document.open(Path(folder)) as document:
        print("ready", flush=True)
        while True:
            images, labels = document.images(), document.labels()
            luck, name = chance.random(), f"{chance.randrange(10**9)}"
            if luck < 0.4 and len(labels) < 9:
                label, image = max(one.id for one in labels) + 1, int(max(images.ids)) + 1
                edit = (edits.AddLabels((Label(label, name),)), edits.AddImages((Image(image, name, 9, 9),)))
                document.do(with_a_box(*edit, image=image, label=label))
            elif luck < 0.6 and document.undo_title:
                document.undo()
            elif luck < 0.7 and document.redo_title:
                document.redo()
            elif luck < 0.8 and len(labels) > 3:
                document.do(edits.RemoveLabel(chance.choice(labels[3:]).id))
            else:
                chosen = chance.choice(labels)
                of_it = [image.id for image in images if image.path == chosen.name]
                document.do(with_a_box(image=of_it[0], label=chosen.id) if of_it else edits.ChangeSetting("a", luck))


@pytest.mark.slow
def test_readers_of_a_project_that_is_edited_meanwhile_see_one_moment(tmp_path: Path) -> None:
    """As a training from the command line or a job of the window does: no box on another label, no error."""
    folder = edited_projects.make(tmp_path / "p")
    seen: Counter[str] = Counter()
    with contextlib.ExitStack() as ended:
        writer = ended.enter_context(processes.python("-c", _WRITER, str(folder)))
        ended.callback(writer.kill)
        assert processes.hear(writer) == "ready"
        with Document.open(folder) as reader:
            for _ in range(times(200, 2000)):
                for snapshot in (snapshot_of(folder), reader.snapshot()):
                    boxes = told(snapshot)
                    assert [path for path, label in boxes if path != label] == []
                    seen[snapshot.digest] += 1
    print(f"\nreaders: {sum(seen.values())} snapshots of {len(seen)} states of the data, every box on its own label")
    assert len(seen) > 20
