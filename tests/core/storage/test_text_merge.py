"""What a colleague changed in a project's text is taken over in one step, by what it is and not by its number alone."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.core.storage.text_project import BOX, mine, pulled, take_over, text
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import Box, Image, Label, Split, State
from workbench.core.storage import mirror, text_changes, text_merge
from workbench.core.storage.text_changes import TextChanged
from workbench.errors import WorkbenchError

__all__ = ["mine"]  # a fixture


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


def test_a_label_renamed_there_and_coloured_here_is_one_label(mine: Document) -> None:
    pulled(mine, lambda theirs: theirs.do(edits.ChangeLabel(Label(2, "hound", "#000000", "h", 1))))
    mine.do(edits.ChangeLabel(replace(mine.label(2), colour="#112233")))
    take_over(mine)
    assert mine.labels() == (mine.label(1), Label(2, "hound", "#112233", "", 1))


@pytest.mark.parametrize("place", [2, 3])
def test_of_two_labels_with_one_id_what_came_has_the_other_one(mine: Document, place: int) -> None:
    """Both sides added one, and a person kept both, as help says: all boxes got the one that was listed last."""
    mine.do(edits.AddLabels((Label(0, "mine"),)))
    mine.draw((Box(0, 4, 3, BOX),))
    text_changes.write(mine.folder)
    head, file = (mine.folder / "labels" / name for name in ("project.json", "000.jsonl"))
    content = json.loads(head.read_text())
    content["labels"].insert(place, {**content["labels"][2], "name": "theirs"})
    head.write_text(json.dumps(content))
    box = '{"id":9,"label":3,"xyxy":[0.0,0.0,5.0,5.0]}'
    file.write_text(file.read_text().replace('"boxes":[]', f'"boxes":[{box}]', 1))
    take_over(mine)
    assert [mine.label(box.label).name for id in (1, 2, 4) for box in mine.boxes(id)] == ["theirs", "cat", "mine"]


@pytest.mark.parametrize("names", [("dog", "hound"), ("dog", "cat"), ("lion", "cat")])
def test_labels_whose_names_another_one_has_there_are_known_by_them(mine: Document, names: tuple[str, str]) -> None:
    """As where numbers were given anew, since both sides had added labels: the boxes got the name of another label."""

    def change(theirs: Document) -> None:
        for id, name in enumerate(("a", "b", *names)):
            theirs.do(edits.ChangeLabel(Label(id % 2 + 1, name)))
        theirs.draw((Box(0, 1, 1, BOX), Box(0, 1, 2, BOX)))

    pulled(mine, change)
    take_over(mine)
    assert tuple(mine.label(box.label).name for box in mine.boxes(1)) == names


def test_a_change_of_labels_alone_is_taken_over(mine: Document) -> None:
    pulled(mine, lambda theirs: theirs.do(edits.AddLabels((Label(0, "bird"),))))
    merge = take_over(mine)
    assert (mine.undo_title, merge.sentence) == (
        "Take over the labels from the text",
        "Taken over from the text: its labels.",
    )
    assert mine.label(3).name == "bird"


@pytest.mark.parametrize("first", ["mine", "theirs"])
@pytest.mark.parametrize("edited", [True, False])
def test_photographs_that_both_sides_gave_one_number_are_both_kept(mine: Document, first: str, edited: bool) -> None:
    """One of the two lines was to be removed, with its labels."""
    added = edits.AddImages((Image(0, "theirs.png", root=1),))
    pulled(mine, lambda theirs: (theirs.do(added), theirs.draw((Box(0, 6, 1, BOX),))))
    file = mine.folder / "labels" / "002.jsonl"
    other = next(line for line in file.read_text().splitlines() if "theirs.png" in line)
    mine.do(edits.AddImages((Image(0, "mine.png", root=1),)))
    mirror.write(mine.folder)
    *lines, seal = file.read_text().splitlines()
    own = lines.pop()
    assert ('"id":6,' in own, '"id":6,' in other) == (True, True)
    file.write_text("\n".join([*lines, *((own, other) if first == "mine" else (other, own)), seal, ""]))
    if edited:
        mine.do(edits.SetState((6,), State.DONE))
    assert take_over(mine).taken == 1
    images = {image.path: image for image in mine.images()}
    assert list(images)[-2:] == ["mine.png", "theirs.png"]
    assert images["mine.png"].state is (State.DONE if edited else State.UNLABELLED)
    assert (len(mine.boxes(images["mine.png"].id)), len(mine.boxes(images["theirs.png"].id))) == (0, 1)


def test_an_image_removed_and_added_again_there_has_its_new_labels(mine: Document) -> None:
    def change(theirs: Document) -> None:
        theirs.do(edits.RemoveImages((2,)))
        theirs.do(edits.AddImages((Image(0, "b.png", root=1),)))
        theirs.draw((Box(0, 6, 2, BOX),))

    pulled(mine, change)
    take_over(mine)
    assert {image.path: image.id for image in mine.images()}["b.png"] == 6
    assert mine.boxes(6) == (Box(2, 6, 2, BOX),)
    mine.undo()
    assert mine.boxes(2) == (Box(1, 2, 1, BOX),)


def test_an_equal_line_is_of_another_photograph_in_another_folder(mine: Document, tmp_path: Path) -> None:
    """Cameras number their files: both sides added a folder with the same names, and of theirs nothing was seen."""

    def add(document: Document, folder: str) -> None:
        root = document.add_root(tmp_path / folder)
        document.do(edits.AddImages((Image(0, "a.png", root=root),)))

    pulled(mine, lambda theirs: add(theirs, "photographs 2"))
    add(mine, "photographs 3")
    assert '"id":6,"root":2,"path":"a.png"' in text(mine)["002.jsonl"].decode()
    mine.add_root(tmp_path / "photographs 2")
    assert take_over(mine).taken == 1
    assert sorted(image.root for image in mine.images() if image.path == "a.png") == [1, 2, 3]


def test_folders_that_both_sides_added_are_known_by_their_paths(mine: Document, tmp_path: Path) -> None:
    """Labels of a photograph in one were put on the photograph with its name in the other."""

    def add(document: Document, folder: str, *boxes: Box) -> None:
        root = document.add_root(tmp_path / folder)
        assert root == 2
        document.do(edits.AddImages((Image(0, "a.png", root=root),)))
        document.draw(boxes)

    pulled(mine, lambda theirs: add(theirs, "photographs 2", Box(0, 6, 1, BOX)))
    mine.do(edits.AddImages((Image(0, "f.png", root=1),)))
    mine.add_root(tmp_path / "photographs 3")
    mine.do(edits.AddImages((Image(0, "a.png", root=2),)))
    found = text_changes.find(mine.folder)
    assert found is not None
    with pytest.raises(WorkbenchError, match=r"a folder that this project does not know \(.*photographs 2\); add"):
        text_merge.merge(mine, found)
    root = mine.add_root(tmp_path / "photographs 2")
    take_over(mine)
    assert [(image.root, image.path) for image in mine.images() if mine.boxes(image.id)] == [
        (1, "b.png"),
        (root, "a.png"),
    ]


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
