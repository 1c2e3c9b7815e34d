"""What earlier versions wrote into the journal is read, and what a later one wrote is refused with a sentence."""

from __future__ import annotations

import json
import typing
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image as Picture

from workbench.core import edits
from workbench.core.document import Document
from workbench.core.edits import Edit
from workbench.core.labelling_progress import labelling_progress
from workbench.core.project import Box, Image, Label, Split, State
from workbench.core.storage import history, journal
from workbench.errors import WorkbenchError

BOX, LABEL = Box(7, 3, 1, (1.0, 2.0, 30.5, 40.0), occluded=True, note="ä"), Label(1, "cell", "#0072b2", "c", 2)
IMAGE = Image(3, "a/b.png", 640, 480, State.DONE, Split.TRAIN, 6, 1, "dark", "", 1.5)
BOX_TEXT, LABEL_TEXT = (
    '[7, 3, 1, [1.0, 2.0, 30.5, 40.0], false, false, true, false, "ä", ""]',
    '[1, "cell", "#0072b2", "c", 2]',
)
IMAGE_TEXT = '[3, "a/b.png", 640, 480, "done", "train", 6, 1, "dark", "", 1.5]'
WRITTEN: dict[str, Edit] = {  # as it stands in people's projects: these texts never change
    f'{{"edit": "AddBoxes", "boxes": [{BOX_TEXT}]}}': edits.AddBoxes((BOX,)),
    '{"edit": "RemoveBoxes", "ids": [7, 8]}': edits.RemoveBoxes((7, 8)),
    f'{{"edit": "ReplaceBoxes", "boxes": [{BOX_TEXT}]}}': edits.ReplaceBoxes((BOX,)),
    f'{{"edit": "AddLabels", "labels": [{LABEL_TEXT}]}}': edits.AddLabels((LABEL,)),
    f'{{"edit": "ChangeLabel", "label": {LABEL_TEXT}}}': edits.ChangeLabel(LABEL),
    '{"edit": "RemoveLabel", "id": 1}': edits.RemoveLabel(1),
    '{"edit": "MergeLabels", "source": 2, "target": 1}': edits.MergeLabels(2, 1),
    '{"edit": "SetState", "ids": [3], "state": "in work"}': edits.SetState((3,), State.IN_WORK),
    '{"edit": "SetSplit", "ids": [3], "split": "validation"}': edits.SetSplit((3,), Split.VALIDATION),
    '{"edit": "SetNote", "ids": [3, 4], "note": "ask Anna, ä"}': edits.SetNote((3, 4), "ask Anna, ä"),
    f'{{"edit": "AddImages", "images": [{IMAGE_TEXT}]}}': edits.AddImages((IMAGE,)),
    '{"edit": "RemoveImages", "ids": [3]}': edits.RemoveImages((3,)),
    '{"edit": "ChangeSetting", "key": "labels locked", "value": true}': edits.ChangeSetting("labels locked", True),
    '{"edit": "Batch", "title": "2", "edits": [{"edit": "RemoveLabel", "id": 1}, {"edit": "RemoveBoxes", "ids": []}]}':
        edits.Batch((edits.RemoveLabel(1), edits.RemoveBoxes(())), "2"),
}  # fmt: skip
LATER = '{"edit": "TurnBoxes", "ids": [1]}'


def test_each_kind_of_edit_is_read_as_it_was_written() -> None:
    for text, edit in WRITTEN.items():
        assert journal.from_json(text) == edit
        assert journal.to_json(edit) == text
    assert {type(edit) for edit in WRITTEN.values()} == set(typing.get_args(Edit)), "write one down of each kind"


def test_an_edit_of_many_boxes_is_written_in_parts_as_it_was_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """In one call a million boxes held the window for three seconds, from whichever thread."""
    longest, real = list[int](), journal._encode
    monkeypatch.setattr(journal, "_encode", lambda value: longest.append(len(text := real(value))) or text)
    many = edits.AddBoxes((BOX,) * (2 * journal._PART + 1))
    text = journal.to_json(edits.Batch((many, edits.RemoveBoxes(tuple(range(3 * journal._PART)))), "2"))
    assert text == json.dumps(json.loads(text), ensure_ascii=False)
    assert journal.from_json(text).edits[0] == many  # type: ignore[union-attr]
    assert max(longest) < len(text) // 2


def test_boxes_labels_and_images_that_had_fewer_fields_have_the_usual_values_of_the_others() -> None:
    box = journal.from_json('{"edit": "AddBoxes", "boxes": [[7, 3, 1, [1.0, 2.0, 3.0, 4.0], false]]}')
    assert box == edits.AddBoxes((Box(7, 3, 1, (1.0, 2.0, 3.0, 4.0)),))
    assert journal.from_json('{"edit": "AddLabels", "labels": [[1, "a"]]}') == edits.AddLabels((Label(1, "a"),))
    image = journal.from_json('{"edit": "AddImages", "images": [[3, "a.png", 6, 4, "done", "none"]]}')
    assert image == edits.AddImages((Image(3, "a.png", 6, 4, State.DONE),))


@pytest.mark.parametrize(
    "text",
    [
        LATER, '{"edit": "SetState", "ids": [1], "state": "doubtful"}',
        '{"edit": "RemoveBoxes", "ids": [1], "why": ""}',
        '{"edit": "AddBoxes", "boxes": [[1]]}', '{"ids": [1]}', "[1]", "{", "",
    ],
)  # fmt: skip
def test_an_edit_of_a_later_version_and_a_damaged_one_are_refused_with_what_to_do(text: str) -> None:
    with pytest.raises(WorkbenchError, match="made by a newer Workbench, or its record is damaged.*Update Workbench"):
        journal.from_json(text)


@pytest.fixture
def document(tmp_path: Path) -> Iterator[Document]:
    """An image with a box, done; the newest edit is one that this version does not know."""
    (tmp_path / "photographs").mkdir()
    Picture.new("RGB", (200, 100)).save(tmp_path / "photographs" / "a.png")
    with Document.create(tmp_path / "project", tmp_path / "photographs") as made:
        made.do(edits.AddLabels((Label(0, "cell"),)))
        made.draw((Box(0, 1, 1, (1, 2, 30, 40)),))
        made.do(edits.SetState((1,), State.DONE))
        with made.store.transaction() as connection:
            connection.execute("UPDATE journal SET edit = ?1, inverse = ?1 WHERE title LIKE '%done%'", (LATER,))
            assert connection.execute("SELECT changes()").fetchone()[0] == 1
        yield made


def test_undoing_such_an_edit_changes_nothing_and_says_why(document: Document) -> None:
    with pytest.raises(WorkbenchError, match="newer Workbench"):
        document.undo()
    assert (document.image(1).state, len(document.boxes(1))) == (State.DONE, 1)
    document.do(edits.SetState((1,), State.VERIFIED))
    document.undo()
    assert document.image(1).state is State.DONE


def test_the_histories_and_the_progress_stop_there_and_go_on_without_it(document: Document) -> None:
    document.do(edits.SetState((1,), State.VERIFIED))
    assert [entry.past is not None for entry in history.of_image(document, 1)] == [True, True]
    assert len(history.of_project(document)) == 3 + 1
    assert labelling_progress(document, 0.0).changed == 1
