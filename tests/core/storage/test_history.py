"""The history of an image: what it was after each edit, and any of it brought back."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture

from workbench.core import edits
from workbench.core.applied_edit import AppliedEdit
from workbench.core.document import Document
from workbench.core.folders import file_changes
from workbench.core.former_names import former_names
from workbench.core.project import Box, Label, Split, State
from workbench.core.storage import history, journal_index
from workbench.errors import WorkbenchError


def write_photographs(folder: Path, names: list[str]) -> None:
    folder.mkdir(exist_ok=True)
    for name in names:
        Picture.new("RGB", (200, 100)).save(folder / name)


@pytest.fixture
def document(tmp_path: Path) -> Iterator[Document]:
    write_photographs(tmp_path / "photographs", ["a.png", "b.png"])
    with Document.create(tmp_path / "project", tmp_path / "photographs") as made:
        made.do(edits.AddLabels((Label(0, "cell"), Label(0, "plate"))))
        yield made


def state_of(document: Document, image: int) -> history.PastImage:
    return history.PastImage(document.boxes(image), document.image(image).state)


def test_each_entry_has_the_image_as_it_was_and_each_can_be_restored(document: Document) -> None:
    """A random day of work; what the history says of every step is what was seen then."""
    first, second = (image.id for image in document.images())
    cell, plate = (label.id for label in document.labels())
    rng = np.random.default_rng(0)
    seen: list[tuple[int, history.PastImage]] = []
    before = state_of(document, first)
    for step in range(120):
        mine = document.boxes(first)
        kind = rng.integers(0, 7)
        x, y = rng.integers(0, 100, 2).tolist()
        if kind == 0 or not mine:
            document.draw(tuple(Box(0, (first, second)[i], (cell, plate)[i], (x, y, x + 20, y + 10)) for i in (0, 1)))
        elif kind == 1:
            document.do(edits.RemoveBoxes((mine[-1].id,)))
        elif kind == 2:
            moved = Box(mine[0].id, first, plate, (x, y, x + 9, y + 9), occluded=True, note="ä")
            document.do(edits.ReplaceBoxes((moved,)))
        elif kind == 3:
            document.do(edits.SetState((first, second), list(State)[step % 4]))
        elif kind == 4:
            document.do(edits.SetSplit((second,), Split.TEST))
        elif kind == 5:
            document.do(edits.AddBoxes((Box(0, second, cell, (1, 2, 30, 40)),)))
        else:
            document.undo()
            seen = [one for one in seen if one[0] <= newest(document)]
            continue
        seen.append((newest(document), state_of(document, first)))
    entries = history.of_image(document, first)
    assert len(entries) > 40
    known = dict(seen)
    for entry in entries[:-1]:
        assert entry.past == known[entry.seq]
    assert (entries[-1].seq, entries[-1].past) == (0, before)
    assert history.of_image(document, first, most=5) == entries[:5]
    for entry in entries[::7]:
        assert entry.past is not None
        edit = history.restore_edit(document, first, entry.past, "Restore")
        others = document.boxes(second)
        if edit is not None:
            document.do(edit)
        assert state_of(document, first) == entry.past
        assert document.boxes(second) == others
    assert history.restore_edit(document, first, state_of(document, first), "Restore") is None


def newest(document: Document) -> int:
    return int(document.store.rows("SELECT coalesce(max(seq), 0) FROM journal WHERE undone = 0")[0][0])


def test_deleted_and_merged_labels_are_part_of_it(document: Document) -> None:
    image = document.images()[0].id
    cell, plate = (label.id for label in document.labels())
    document.draw((Box(0, image, cell, (0, 0, 9, 9)), Box(0, image, plate, (0, 0, 8, 8))))
    drawn = document.boxes(image)
    document.do(edits.MergeLabels(plate, cell))
    document.do(edits.RemoveLabel(cell))
    titles = {entry.title: entry.past for entry in history.of_image(document, image)}
    assert titles["Delete label"] == history.PastImage((), State.IN_WORK)
    merged = titles["Merge labels"]
    assert merged is not None
    assert {box.label for box in merged.boxes} == {cell}
    added = titles["Add 2 boxes"]
    assert added == history.PastImage(drawn, State.IN_WORK)
    assert history.restore_edit(document, image, added, "Restore") is None  # neither label is there
    document.undo()
    document.undo()
    assert document.boxes(image) == drawn


def test_a_box_whose_label_was_merged_away_comes_back_with_the_one_it_has_now(document: Document) -> None:
    image = document.images()[0].id
    cell, plate = (label.id for label in document.labels())
    document.draw((Box(0, image, plate, (0, 0, 9, 9)),))
    (drawn,) = document.boxes(image)
    document.do(edits.ReplaceBoxes((Box(drawn.id, image, plate, (5, 5, 20, 20)),)))
    document.do(edits.MergeLabels(plate, cell))
    past = next(entry.past for entry in history.of_image(document, image) if entry.title == "Add box")
    assert past is not None
    edit = history.restore_edit(document, image, past, "Restore")
    assert edit is not None
    document.do(edit)
    (found,) = document.boxes(image)
    assert (found.id, found.label, found.xyxy) == (drawn.id, cell, (0, 0, 9, 9))


def test_a_label_that_came_later_takes_no_box_along_into_the_past(document: Document) -> None:
    image, label = document.images()[0].id, document.labels()[0].id
    document.draw((Box(0, image, label, (0, 0, 9, 9)),))
    drawn = state_of(document, image)
    document.do(edits.AddLabels((Label(0, f"label {image}"),)))
    document.do(edits.SetState((image,), State.DONE))
    assert [entry.past for entry in history.of_image(document, image)][1:] == [
        drawn,
        history.PastImage((), State.UNLABELLED),
    ]


def test_an_image_that_came_later_ends_there(document: Document, tmp_path: Path) -> None:
    write_photographs(tmp_path / "photographs", ["c.png"])
    document.add_folder(tmp_path / "photographs")
    image = next(image.id for image in document.images() if image.name == "c.png")
    document.draw((Box(0, image, document.labels()[0].id, (0, 0, 9, 9)),))
    assert [entry.title for entry in history.of_image(document, image)] == ["Add box", "Add image"]


def test_a_file_that_was_renamed_keeps_its_history(document: Document) -> None:
    """Its new name is taken over by an edit that takes the image out and brings it back."""
    first, second = document.images()[:2]
    document.draw((Box(0, first.id, document.labels()[0].id, (0, 0, 9, 9)),))
    document.draw((Box(0, second.id, document.labels()[0].id, (0, 0, 9, 9)),))
    drawn = state_of(document, first.id)
    one = file_changes.Renamed(first.id, document.file(first).parent, "later.png")
    document.do(file_changes.rename_edit(document, [one]))
    document.do(edits.RemoveBoxes(tuple(box.id for box in document.boxes(first.id))))
    past = [entry.past for entry in history.of_image(document, first.id)]
    assert past == [history.PastImage((), State.IN_WORK), drawn, drawn, history.PastImage((), State.UNLABELLED)]


def test_an_edit_that_is_too_long_to_look_into_ends_it(document: Document, monkeypatch: pytest.MonkeyPatch) -> None:
    (image, other), label = (one.id for one in document.images()), document.labels()[0].id
    document.do(edits.SetState((other,), State.DONE))
    document.draw(tuple(Box(0, image, label, (0, 0, 9 + i, 9)) for i in range(40)))
    document.do(edits.SetState((image,), State.DONE))
    monkeypatch.setattr(journal_index, "LONG", 2_000)
    assert [entry.title for entry in history.of_image(document, image)] == ["Mark image done", "Add 40 boxes"]
    assert [entry.title for entry in history.of_image(document, other)] == ["Mark image done", "Before that"]


def steps_to(document: Document, seq: int) -> int:
    applied = document.go_to(seq)
    return applied.steps if applied is not None else 0


def test_the_project_goes_to_any_step_and_back(document: Document) -> None:
    image, label = document.images()[0].id, document.labels()[0].id
    steps, begun = [], time.time()
    for number in range(5):
        document.draw((Box(0, image, label, (0, 0, 10 + number, 10)),))
        steps.append(newest(document))
    assert steps_to(document, steps[1]) == 3
    assert len(document.boxes(image)) == 2
    entries = history.of_project(document)
    assert [entry.undone for entry in entries] == [True] * 3 + [False] * 3
    assert [entry.seq for entry in entries[:5]] == steps[::-1]
    assert begun <= entries[4].time <= entries[0].time <= time.time()
    assert steps_to(document, steps[4]) == 3
    assert len(document.boxes(image)) == 5
    assert steps_to(document, 0) == 6
    assert document.labels() == ()
    assert steps_to(document, steps[0]) == 2
    document.do(edits.SetState((image,), State.DONE))
    with pytest.raises(WorkbenchError, match="no longer"):
        document.go_to(steps[4])


def test_many_steps_are_one_for_those_who_follow_and_all_or_none(document: Document) -> None:
    image, label = document.images()[0].id, document.labels()[0]
    for name in ("first", "second"):
        document.do(edits.ChangeLabel(dataclasses.replace(document.label(label.id), name=name)))
        document.draw((Box(0, image, label.id, (0, 0, 10, 10)),))
    top, seen = newest(document), list[AppliedEdit]()
    document.listen(seen.append)
    document.go_to(top - 4)
    (applied,) = seen
    assert (applied.kind, applied.title, applied.steps, applied.labels_changed) == ("undo", "4 steps", 4, True)
    assert applied.images == {image}
    assert document.label(label.id).name == label.name
    assert document.box_counts() == {}
    assert former_names(document).keys() == {"first", "second"}, "each step's, though the project never showed one"
    document.go_to(top)
    assert [(one.kind, one.steps) for one in seen] == [("undo", 4), ("redo", 4)]
    assert document.box_counts() == {image: 2}
    with document.store.transaction() as connection:
        connection.execute("UPDATE journal SET inverse = '{' WHERE seq = ?", (top - 3,))
    with pytest.raises(WorkbenchError, match="newer Workbench"):
        document.go_to(top - 4)
    assert (newest(document), len(document.boxes(image)), document.label(label.id).name) == (top, 2, "second")
    assert len(seen) == 2
