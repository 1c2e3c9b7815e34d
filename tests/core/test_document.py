"""Edits, undo and redo: every edit has an inverse, and the journal survives a restart."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from workbench.core import edits
from workbench.core.applied_edit import AppliedEdit
from workbench.core.document import Document
from workbench.core.project import Box, Image, Label, Split, State
from workbench.core.store import Store
from workbench.errors import ReadOnly, WorkbenchError


@pytest.fixture
def document(tmp_path: Path) -> Iterator[Document]:
    """A project with two labels (1 cat, 2 dog) and three unlabelled 100 x 50 images (ids 1, 2, 3)."""
    document = Document.create(tmp_path / "ein Projekt ü 🐈")
    root = document.add_root(tmp_path / "photographs")
    document.do(edits.AddLabels((Label(0, "cat"), Label(0, "dog"))))
    document.do(edits.AddImages(tuple(Image(0, f"{n}.jpg", 100, 50, root=root) for n in (1, 2, 10))))
    yield document
    document.close()


def box(image: int = 1, label: int = 1, x: float = 10.25) -> Box:
    return Box(0, image, label, (x, 5.5, x + 20, 25))


def contents(document: Document) -> object:
    """All that a person would see."""
    return (
        document.labels(),
        tuple(document.images()),
        document.box_counts(),
        document.label_counts(),
        [document.boxes(i.id) for i in document.images()],
        document.setting("anchors"),
    )


def test_a_drawn_box_is_there_when_the_project_is_opened_again(document: Document) -> None:
    document.draw((box(),))
    document.close()
    with Document.open(document.folder) as again:
        assert again.boxes(1) == (dataclasses.replace(box(), id=1),)


def test_the_first_box_puts_an_image_in_work_and_one_undo_takes_both_back(document: Document) -> None:
    document.draw((box(),))
    assert document.image(1).state is State.IN_WORK
    document.undo()
    assert (document.image(1).state, document.boxes(1)) == (State.UNLABELLED, ())


def test_a_box_on_a_verified_image_leaves_its_state(document: Document) -> None:
    document.do(edits.SetState((1,), State.VERIFIED))
    document.draw((box(),))
    assert document.image(1).state is State.VERIFIED


def test_undo_and_redo_go_on_after_a_restart(document: Document) -> None:
    for x in (1.0, 2.0, 3.0):
        document.draw((box(x=x),))
    document.undo()
    document.close()
    with Document.open(document.folder) as again:
        assert [b.xyxy[0] for b in again.boxes(1)] == [1.0, 2.0]
        assert again.redo() is not None
        assert [b.xyxy[0] for b in again.boxes(1)] == [1.0, 2.0, 3.0]
        assert again.redo() is None


def test_a_new_edit_after_undo_forgets_what_could_be_redone(document: Document) -> None:
    document.draw((box(x=1),))
    document.undo()
    document.draw((box(x=2),))
    assert document.redo_title == ""
    assert [b.xyxy[0] for b in document.boxes(1)] == [2.0]


def test_redo_gives_the_same_ids_and_ids_are_never_used_again(document: Document) -> None:
    first = document.draw((box(),)).added_boxes[0].id
    document.undo()
    document.redo()
    assert document.boxes(1)[0].id == first
    document.do(edits.RemoveBoxes((first,)))
    assert document.draw((box(),)).added_boxes[0].id == first + 1
    document.do(edits.RemoveLabel(2))
    assert document.do(edits.AddLabels((Label(0, "bird"),))).added_labels[0].id == 3


def test_merging_labels_can_be_undone_box_by_box(document: Document) -> None:
    document.draw((box(label=1), box(label=2)))
    before = contents(document)
    document.do(edits.MergeLabels(source=1, target=2))
    assert [b.label for b in document.boxes(1)] == [2, 2]
    assert [label.name for label in document.labels()] == ["dog"]
    document.undo()
    assert contents(document) == before


def test_removing_an_image_leaves_its_file_and_undo_brings_its_boxes_back(document: Document) -> None:
    file = document.file(document.image(1))
    file.parent.mkdir()
    file.write_bytes(b"pixels")
    document.draw((box(),))
    before = contents(document)
    document.do(edits.RemoveImages((1,)))
    assert file.read_bytes() == b"pixels"
    document.undo()
    assert contents(document) == before


def test_a_failing_edit_changes_nothing_and_leaves_no_journal_row(document: Document) -> None:
    before, title = contents(document), document.undo_title
    with pytest.raises(WorkbenchError, match="already"):
        document.do(edits.Batch((edits.AddBoxes((box(),)), edits.AddLabels((Label(0, "cat"),)))))
    assert (contents(document), document.undo_title) == (before, title)


def test_a_coordinate_that_is_not_a_number_is_refused(document: Document) -> None:
    with pytest.raises(WorkbenchError, match="not a number"):
        document.draw((Box(0, 1, 1, (0, 0, float("nan"), 5)),))


def test_listeners_get_the_edit_itself_and_what_it_touched(document: Document) -> None:
    heard: list[AppliedEdit] = []
    end = document.listen(heard.append)
    document.draw((box(image=2),))
    document.undo()
    end()
    document.redo()
    assert [(a.kind, a.images, a.images_changed) for a in heard] == [("do", {2}, True), ("undo", {2}, True)]


def test_images_come_in_natural_order(document: Document) -> None:
    assert [image.path for image in document.images()] == ["1.jpg", "2.jpg", "10.jpg"]


def test_a_snapshot_holds_boxes_by_image_and_labels_by_position(document: Document) -> None:
    document.draw((box(image=2, label=2, x=7),))
    document.draw((box(image=1, label=1, x=3),))
    document.do(edits.SetSplit((2,), Split.TEST))
    snapshot = document.snapshot()
    assert snapshot.offsets.tolist() == [0, 1, 2, 2]
    assert snapshot.label_index.tolist() == [0, 1]
    assert snapshot.boxes[:, 0].tolist() == [3.0, 7.0]
    test = snapshot.only(splits=[Split.TEST])
    assert (len(test), test.boxes.tolist()) == (1, [[7.0, 5.5, 27.0, 25.0]])
    assert test.digest != snapshot.digest
    assert document.snapshot().digest == snapshot.digest


def test_a_label_that_is_only_renamed_or_repainted_leaves_the_same_data(document: Document) -> None:
    document.draw((box(image=2, label=2, x=7),))
    before = document.snapshot().digest
    label = document.labels()[0]
    document.do(edits.ChangeLabel(dataclasses.replace(label, name="renamed", colour="#123456")))
    assert document.snapshot().digest == before
    document.do(edits.ReplaceBoxes((dataclasses.replace(document.boxes(2)[0], label=1),)))
    assert document.snapshot().digest != before


def test_a_snapshot_of_an_empty_project_is_empty(tmp_path: Path) -> None:
    with Document.create(tmp_path / "p") as empty:
        snapshot = empty.snapshot()
    assert (len(snapshot), snapshot.boxes.shape, snapshot.flags.shape) == (0, (0, 4), (0, 4))
    assert np.array_equal(snapshot.offsets, [0])


def test_a_second_opener_reads_only_and_is_told_who_edits(document: Document) -> None:
    with Document.open(document.folder) as second:
        assert second.read_only
        assert "being edited by process" in second.why_read_only
        with pytest.raises(ReadOnly):
            second.draw((box(),))
    document.close()
    with Document.open(document.folder) as third:
        assert not third.read_only


def test_the_lock_of_a_closed_project_is_free_for_a_hundred_restarts(document: Document) -> None:
    document.close()
    for _ in range(100):
        with Document.open(document.folder) as again:
            assert not again.read_only


@pytest.mark.parametrize(("name", "title"), [("", "bees"), ("Bees 2026", "Bees 2026")])
def test_a_project_in_another_folder_than_it_was_made_in_has_its_name_in_the_title(
    tmp_path: Path, name: str, title: str
) -> None:
    with Document.create(tmp_path / "bees", name=name) as document:
        assert document.title == title
    (tmp_path / "bees").rename(tmp_path / "wasps")
    with Document.open(tmp_path / "wasps") as document:
        assert document.title == f"{title} (wasps)"
        document.do(edits.ChangeSetting("folder's name", None))  # as in one of an earlier version
        assert document.title == f"{title} (wasps)"


def test_a_project_is_not_made_over_another(document: Document) -> None:
    with pytest.raises(WorkbenchError, match="already a project in"):
        Document.create(document.folder)


def test_of_two_that_make_a_project_at_the_same_place_and_time_one_does_and_it_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = Store.create

    def beaten(file: Path) -> Store:
        monkeypatch.undo()
        with Document.create(file.parent, name="theirs"):
            pass
        return create(file)

    monkeypatch.setattr(Store, "create", beaten)
    with pytest.raises(WorkbenchError, match="already a project in"):
        Document.create(tmp_path / "same", name="ours")
    with Document.open(tmp_path / "same") as theirs:
        assert theirs.name == "theirs"


def test_an_id_that_is_given_twice_is_removed_once_and_comes_back(document: Document) -> None:
    document.draw((Box(0, 1, 1, (0, 0, 5, 5)),))
    (box,), image = document.boxes(1), document.image(1)
    document.do(edits.RemoveBoxes((box.id, box.id)))
    document.undo()
    assert document.boxes(1) == (box,)
    document.do(edits.RemoveImages((1, 1)))
    document.undo()
    assert (document.image(1), document.boxes(1)) == (image, (box,))


def test_a_folder_that_is_no_project_gets_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(WorkbenchError, match="There is no project in"):
        Document.open(tmp_path)


@pytest.mark.parametrize("make", [Document.open, Document.create, Store])
def test_a_folder_that_nobody_may_look_into_gets_a_sentence(tmp_path: Path, make: Callable[[Path], object]) -> None:
    """The system refuses this name as it does a folder without permission, or a share that does not answer."""
    with pytest.raises(WorkbenchError, match="could not be read or written: File name too long. Check its disk"):
        make(tmp_path / ("x" * 300))


def test_a_file_that_nobody_may_look_at_stops_no_snapshot(document: Document) -> None:
    root = document.image(1).root
    document.file(document.image(1)).parent.mkdir()
    document.do(edits.AddImages((Image(0, "x" * 300 + ".jpg", root=root),)))
    document.do(edits.SetState((4,), State.DONE))
    assert len(document.snapshot()) == 4


def test_the_title_of_an_edit_says_what_it_did() -> None:
    assert edits.SetSplit((1, 2), Split.NONE).title == "Put 2 images into no split"
    assert edits.SetSplit((1,), Split.TEST).title == "Put image into test"


def test_states_and_splits_read_after_an_edit_are_those_on_disk(tmp_path: Path) -> None:
    with Document.create(tmp_path / "p") as document:
        root = document.add_root(tmp_path)
        document.do(edits.AddImages(tuple(Image(0, f"{n}.png", 10, 10, root=root) for n in (10, 9, 2))))
        first, second, third = (image.id for image in document.images())
        document.do(edits.SetState((second,), State.DONE))
        document.do(edits.Batch((edits.SetSplit((first, third), Split.TEST), edits.SetState((third,), State.VERIFIED))))
        document.undo()
        seen = document.images()
        assert [(i.name, i.state, i.split) for i in seen] == [
            ("2.png", State.UNLABELLED, Split.NONE),
            ("9.png", State.DONE, Split.NONE),
            ("10.png", State.UNLABELLED, Split.NONE),
        ]
    with Document.open(tmp_path / "p", read_only=True) as document:
        assert document.images() == seen


def test_text_that_no_file_can_hold_is_refused_with_a_sentence(document: Document) -> None:
    """Half of a character, as from a command line that is not UTF-8."""
    before = contents(document)
    with pytest.raises(WorkbenchError, match="half of a character"):
        document.do(edits.SetNote((1,), "caf\udce9"))
    assert contents(document) == before
    document.do(edits.SetNote((1,), "café"))
    assert document.image(1).note == "café"
