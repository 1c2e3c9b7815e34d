"""A colleague's labels come by git into a project's text: they are seen, not overwritten, and can be taken over."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.ui.window_driver import write_photographs
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import Box, Image, Label, Split, State
from workbench.core.storage import mirror, mirror_reader, text_changes, text_merge, written_text
from workbench.core.storage.text_changes import TextChanged
from workbench.errors import WorkbenchError

BOX = (0.0, 0.0, 5.0, 5.0)


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Document]:
    """Five images, two in a file, a box on the second; the text is written."""
    monkeypatch.setattr(mirror, "BLOCK", 2)
    write_photographs(tmp_path / "photographs", [f"{name}.png" for name in "abcde"])
    with Document.create(tmp_path / "mine", tmp_path / "photographs") as made:
        made.do(edits.AddLabels((Label(0, "cat"), Label(0, "dog"))))
        made.draw((Box(0, 2, 1, BOX),))
        text_changes.write(made.folder)
        yield made


def pulled(mine: Document, change: Callable[[Document], object]) -> None:
    """What a colleague changed in a copy of the project comes as text, as by git."""
    folder = mine.folder.with_name("theirs")
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(mine.folder, folder)
    with Document.open(folder) as theirs:
        change(theirs)
        mirror.write(folder)
    shutil.rmtree(mine.folder / "labels")
    shutil.copytree(folder / "labels", mine.folder / "labels")


def take_over(mine: Document) -> text_merge.TextMerge:
    found = text_changes.find(mine.folder)
    assert found is not None
    merge = text_merge.merge(mine, found)
    if merge.edit is not None:
        mine.do(merge.edit)
    text_changes.settle(mine.folder, found, aside=merge.left > 0)
    assert text_changes.find(mine.folder) is None
    return merge


def text(document: Document) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in (document.folder / "labels").glob("*.jsonl")}


def test_what_was_pulled_is_not_overwritten_and_can_be_taken_over_in_one_step(mine: Document) -> None:
    """Every edit wrote the project's own text over it, and a colleague's labels were gone without a word."""

    def change(theirs: Document) -> None:
        theirs.do(edits.AddLabels((Label(0, "bird"),)))
        theirs.draw((Box(0, 5, 3, BOX, occluded=True, note="hidden"), Box(0, 5, 1, BOX)))
        theirs.do(edits.ReplaceBoxes((Box(1, 2, 2, (1, 2, 3, 4)),)))
        theirs.do(edits.SetState((1,), State.VERIFIED))
        theirs.do(edits.SetSplit((1, 5), Split.TEST))
        theirs.do(edits.SetNote((3,), "blurred"))

    pulled(mine, change)
    before = text(mine)
    mine.do(edits.SetState((4,), State.DONE))
    with pytest.raises(TextChanged, match=r"changed by git or another program: 4 images are different there"):
        text_changes.write(mine.folder)
    assert text(mine) == before
    assert take_over(mine).taken == 4
    assert mine.undo_title == "Take over 4 images from the text"
    assert [label.name for label in mine.labels()] == ["cat", "dog", "bird"]
    assert mine.boxes(2) == (Box(1, 2, 2, (1, 2, 3, 4)),)
    assert mine.boxes(5) == (Box(2, 5, 3, BOX, occluded=True, note="hidden"), Box(3, 5, 1, BOX))
    assert [str(image.state) for image in mine.images()] == ["verified", "in work", "unlabelled", "done", "in work"]
    assert (mine.image(1).split, mine.image(5).split, mine.image(3).note) == (Split.TEST, Split.TEST, "blurred")
    changed = {name for name, data in text(mine).items() if data != before[name]}
    assert changed == {"001.jsonl"}, "git sees what was changed here, and nothing else"
    mine.undo()
    assert (mine.boxes(2), mine.boxes(5), len(mine.labels())) == ((Box(1, 2, 1, BOX),), (), 2)


def test_an_image_changed_on_both_sides_stays_and_the_text_is_kept_aside(mine: Document) -> None:
    pulled(mine, lambda theirs: theirs.do(edits.SetState((1, 2, 3), State.DONE)))
    mine.do(edits.SetNote((2,), "mine"))
    mine.do(edits.RemoveImages((3,)))
    found = text_changes.find(mine.folder)
    assert found is not None
    assert found.sentence.endswith(" 3 images are different there, 2 of which were changed here, too.")
    merge = take_over(mine)
    assert (merge.taken, merge.left) == (1, 2)
    assert merge.sentence.endswith("1 image. 2 images stay as they are here, as they were changed on both sides.")
    assert (mine.image(1).state, mine.image(2).state) == (State.DONE, State.IN_WORK)
    (aside,) = mine.folder.glob("labels.replaced *")
    assert '"state":"done"' in (aside / "001.jsonl").read_text()


def test_what_both_sides_added_gets_other_ids_and_is_known_by_its_name(mine: Document) -> None:
    def add(document: Document, file: str, name: str, box: Box) -> None:
        document.do(edits.AddLabels((Label(0, name), Label(0, "both"))))
        document.do(edits.AddImages((Image(0, file, root=1), Image(0, "both.png", root=1))))
        document.draw((box, Box(0, 6, 3, BOX), *(Box(0, 7, 4, BOX) for _ in range(document is not mine))))

    pulled(mine, lambda theirs: add(theirs, "theirs.png", "theirs", Box(0, 1, 4, BOX)))
    add(mine, "mine.png", "mine", Box(0, 3, 1, BOX))
    merge = take_over(mine)
    assert (merge.taken, merge.left) == (3, 0)
    assert [label.name for label in mine.labels()] == ["cat", "dog", "mine", "both", "theirs"]
    names = {image.path: image.id for image in mine.images()}
    assert len(names) == len(mine.images()) == 8
    assert [box.label for box in mine.boxes(1)] == [4], "their label 'both' is ours"
    assert [box.label for box in mine.boxes(names["theirs.png"])] == [5]
    assert [box.label for box in mine.boxes(names["mine.png"])] == [3]
    assert [box.label for box in mine.boxes(names["both.png"])] == [4]


def test_labels_renamed_and_images_removed_there_are_so_here(mine: Document) -> None:
    def change(theirs: Document) -> None:
        theirs.do(edits.ChangeLabel(Label(2, "hound", "#000000", "h", 1)))
        theirs.do(edits.RemoveImages((1, 5)))  # all of a file, and one of two

    pulled(mine, change)
    assert not (mine.folder / "labels" / "002.jsonl").exists()
    take_over(mine)
    assert mine.label(2) == Label(2, "hound", "#000000", "h", 1)
    assert [image.id for image in mine.images()] == [2, 3, 4]


def test_a_change_of_labels_alone_is_taken_over(mine: Document) -> None:
    pulled(mine, lambda theirs: theirs.do(edits.AddLabels((Label(0, "bird"),))))
    merge = take_over(mine)
    assert (mine.undo_title, merge.sentence) == (
        "Take over the labels from the text",
        "Taken over from the text: its labels.",
    )
    assert mine.label(3).name == "bird"


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


def test_without_a_record_a_text_that_differs_is_not_overwritten(mine: Document) -> None:
    """The cache may be deleted at any time; that both sides have changed an image is then not known."""
    pulled(mine, lambda theirs: theirs.do(edits.SetState((1, 2), State.DONE)))
    shutil.rmtree(mine.folder / "cache")
    with pytest.raises(TextChanged):
        text_changes.write(mine.folder)
    assert take_over(mine).taken == 2


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
    with pytest.raises(TextChanged, match=reason):
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


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('"label":1', '"label":7', "000.jsonl:2: it has a box of label 7"),
        ('"root":1,"path":"e', '"root":9,"path":"e', "add"),
    ],
)
def test_what_this_project_cannot_know_is_refused_as_a_whole(mine: Document, old: str, new: str, reason: str) -> None:
    for file in (mine.folder / "labels").glob("*.jsonl"):
        file.write_text(file.read_text().replace(old, new, 1))
    found = text_changes.find(mine.folder)
    assert found is not None
    with pytest.raises(WorkbenchError, match=reason):
        text_merge.merge(mine, found)


def test_a_text_changed_once_more_is_looked_at_again(mine: Document) -> None:
    pulled(mine, lambda theirs: theirs.do(edits.SetState((1,), State.DONE)))
    found = text_changes.find(mine.folder)
    assert found is not None
    pulled(mine, lambda theirs: theirs.do(edits.SetState((2,), State.VERIFIED)))
    before = text(mine)
    with pytest.raises(TextChanged, match="changed again"):
        text_changes.settle(mine.folder, found, aside=False)
    assert text(mine) == before


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


def test_labels_that_git_could_not_merge_are_not_overwritten(mine: Document) -> None:
    head = mine.folder / "labels" / "project.json"
    ours = head.read_bytes()
    came = merge_marks(ours, re.sub(rb'"colour": ?"#\w+"', b'"colour":"#123456"', ours, count=1))
    assert b"#123456" in came
    head.write_bytes(came)
    with pytest.raises(TextChanged, match=r"project.json:\d+: git could not merge its labels. Keep those of both"):
        text_changes.write(mine.folder)
    assert head.read_bytes() == came


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


@pytest.mark.parametrize("last", [1 << 63, 10**30, -1, 2.5, True])
def test_an_impossible_last_id_is_no_id(mine: Document, last: object) -> None:
    def change(theirs: Document) -> None:
        theirs.do(edits.AddLabels((Label(0, "bird"),)))
        theirs.draw((Box(0, 5, 3, BOX),))

    pulled(mine, change)
    head = mine.folder / "labels" / "project.json"
    content = json.loads(head.read_text())
    content["last ids"] |= {"box": last, "label": last}
    head.write_text(json.dumps(content))
    mine.draw((Box(0, 3, 1, BOX),))
    take_over(mine)
    assert [box.id for box in mine.boxes(5)] == [3]


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
