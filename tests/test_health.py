"""The health check finds what spoils a training, and reports nothing about a sound project."""

from __future__ import annotations

import threading
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.generators import close
from workbench import health, health_repairs
from workbench.core import edits
from workbench.core.decoding import image_header
from workbench.core.document import Document
from workbench.core.project import Box, Label, Split, State
from workbench.core.similar_names import group_similar


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four different 60 x 40 pictures."""
    folder = tmp_path / "photographs"
    folder.mkdir()
    for n in range(4):
        cv2.imwrite(str(folder / f"{n}.png"), np.full((40, 60, 3), n * 20, np.uint8))
    return folder


def examine(document: Document) -> health.Health:
    last = list(health.examine(document.snapshot()))[-1]
    assert isinstance(last, health.Health)
    return last


def sound(folder: Path) -> Document:
    """Ten boxes of one label on done images, split."""
    document = Document.create(folder.parent / "p", images=folder)
    document.do(edits.AddLabels((Label(0, "cat"),)))
    ids = [image.id for image in document.images()]
    document.do(edits.AddBoxes(tuple(Box(0, ids[n % 4], 1, (n, n, n + 20, n + 20)) for n in range(10))))
    document.do(edits.SetState(tuple(ids), State.DONE))
    document.do(edits.SetSplit(tuple(ids[:3]), Split.TRAIN))
    document.do(edits.SetSplit(tuple(ids[3:]), Split.VALIDATION))
    return document


def test_a_sound_project_has_no_findings(folder: Path) -> None:
    with sound(folder) as document:
        found = examine(document)
    assert found.findings == ()
    assert (found.images, found.boxes, found.labelled, found.per_label) == (4, 10, 4, (("cat", 10),))


def test_each_fault_is_found_with_its_images(folder: Path) -> None:
    with sound(folder) as document:
        ids = [image.id for image in document.images()]
        add = [(0, (5, 5, 5, 9)), (1, (1, 1, 3, 30)), (2, (-9, 0, 20, 20)), (3, (3, 3, 23, 23)), (3, (3, 3, 23, 23))]
        document.do(edits.AddBoxes(tuple(Box(0, ids[i], 1, xyxy) for i, xyxy in add)))
        document.do(edits.AddLabels((Label(0, "dog"),)))
        document.do(edits.SetState((ids[2],), State.IN_WORK))
        (folder / "0.png").write_bytes(b"")
        cv2.imwrite(str(folder / "1.png"), np.zeros((10, 10, 3), np.uint8))
        cv2.imwrite(str(folder / "3.png"), np.full((40, 60, 3), 40, np.uint8))  # now the same as 2.png
        found = {finding.kind: finding for finding in examine(document).findings}
    assert {kind: f.level for kind, f in found.items()} == {
        "zero size": "problem", "unreadable": "problem", "size changed": "problem", "leak": "problem",
        "very small": "hint", "outside": "hint", "drawn twice": "hint", "unused label": "hint", "in work": "hint",
    }  # fmt: skip
    assert found["zero size"].images == (ids[0],)
    assert found["leak"].images == (ids[2], ids[3])
    assert found["size changed"].images == (ids[1],)


def test_a_folder_that_is_not_there_is_one_finding_and_no_image_of_it_is_to_be_taken_out(
    folder: Path, tmp_path: Path
) -> None:
    with sound(folder) as document:
        folder.rename(tmp_path / "elsewhere")
        found = examine(document)
        (gone,) = (finding for finding in found.findings if finding.level == "problem")
        assert gone.sentence.startswith(f"The folder of 4 images is not there: {folder}. If it was moved")
        assert gone.images == tuple(image.id for image in document.images())
        assert health_repairs.repair(document, gone) is None
        assert found.opened == {}, "nothing is known of what was not opened"


def photographs(folder: Path) -> None:
    """Four pictures that can be told apart; the third once more, smaller and as a poor JPEG."""
    for n in range(4):
        field = np.random.default_rng(n).integers(0, 255, (6, 9, 3)).astype(np.uint8)
        cv2.imwrite(str(folder / f"{n}.png"), cv2.resize(field, (180, 120), interpolation=cv2.INTER_CUBIC))
    again = cv2.resize(cv2.imread(str(folder / "2.png")), (90, 60), interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(folder / "copy of 2.jpg"), again, [cv2.IMWRITE_JPEG_QUALITY, 60])


def test_a_picture_that_is_nearly_another_leaks_into_another_split(folder: Path) -> None:
    photographs(folder)
    with sound(folder) as document:
        ids = {image.name: image.id for image in document.images()}
        document.do(edits.SetSplit((ids["copy of 2.jpg"],), Split.TEST))
        (leak,) = (finding for finding in examine(document).findings if finding.kind == "leak")
        assert leak.images == (ids["2.png"], ids["copy of 2.jpg"])
        assert (
            leak.sentence == "Nearly the same picture is in train and test: 2.png, copy of 2.jpg. AP will be too good."
        )
        edit = health_repairs.repair(document, leak)
        assert edit is not None
        document.do(edit)
        assert {document.image(id).split for id in leak.images} == {Split.TRAIN}
        assert health_repairs.repair(document, leak) is None
        assert [f.kind for f in examine(document).findings] == ["like picture"]


def test_every_repair_leaves_nothing_to_repair_and_can_be_undone(folder: Path) -> None:
    photographs(folder)
    with sound(folder) as document:
        ids = [image.id for image in document.images()]
        add = [
            (0, (5, 5, 5, 9)), (0, (1, 1, 2, 30)), (2, (-9, 0, 20, 20)), (2, (170, 100, 300, 300)),
            (3, (500, 500, 600, 600)), (3, (3, 3, 23, 23.5)),
        ]  # fmt: skip
        document.do(edits.AddBoxes(tuple(Box(0, ids[i], 1, xyxy) for i, xyxy in add)))
        document.do(edits.AddLabels((Label(0, "dog"),)))
        document.do(edits.SetSplit((ids[4],), Split.NONE))
        (folder / "1.png").write_bytes(b"")
        before = document.snapshot().digest
        found = examine(document).findings
        assert {f.kind for f in found} == {
            "zero size", "very small", "outside", "drawn twice", "unused label", "no split", "unreadable",
            "like picture",
        }  # fmt: skip
        assert {f.kind for f in found if f.kind in health_repairs.REPAIRS} == {f.kind for f in found} - {"like picture"}
        steps = 0
        for finding in found:
            edit = health_repairs.repair(document, finding)
            assert (edit is not None) is (finding.kind in health_repairs.REPAIRS)
            if edit is not None:
                document.do(edit)
                steps += 1
        assert {f.kind for f in examine(document).findings} <= {"like picture", "rare label"}
        kept = [box.xyxy for box in document.boxes(ids[2])]
        assert (0, 0, 20, 20) in kept
        assert (170, 100, 180, 120) in kept
        for _ in range(steps):
            document.undo()
        assert document.snapshot().digest == before


def test_files_of_another_size_are_one_finding_which_takes_the_sizes_over(folder: Path) -> None:
    """There was none for them, and a person who corrected the boxes found the same problem again."""
    with sound(folder) as document:
        images_ = document.images()
        before = document.snapshot().digest
        for image in (images_[0], images_[1]):
            pixels = cv2.imread(str(folder / image.name))
            cv2.imwrite(str(folder / image.name), cv2.resize(pixels, (2 * image.width, 2 * image.height)))
        cv2.imwrite(str(folder / images_[3].name), cv2.imread(str(folder / images_[3].name))[:, :-20])
        wide, high = images_[0].width, images_[0].height
        found = {finding.kind: finding for finding in examine(document).findings}
        assert set(found) == {"resized", "size changed"}
        assert found["resized"].images == (images_[0].id, images_[1].id)
        assert found["resized"].sentence == (
            f"0.png is {2 * wide} x {2 * high} now, but was {wide} x {high} when it came into the project. So it is"
            " with 1 other file. Put the former files back, or scale the boxes."
        )
        assert found["size changed"].sentence.endswith(
            "Put the former file back, or take over the new size and correct the boxes that no longer fit."
        )
        small = document.boxes(images_[0].id)[0].xyxy
        for finding in found.values():
            edit = health_repairs.repair(document, finding)
            assert edit is not None
            document.do(edit)
        assert document.boxes(images_[0].id)[0].xyxy == tuple(2.0 * v for v in small)
        assert document.images()[3].width == images_[3].width - 20
        assert not {"resized", "size changed"} & {finding.kind for finding in examine(document).findings}
        document.undo()
        document.undo()
        assert document.snapshot().digest == before


def test_files_that_are_gone_are_one_finding_which_removes_their_images(folder: Path) -> None:
    photographs(folder)
    with sound(folder) as document:
        ids = {image.name: image.id for image in document.images()}
        (folder / "1.png").unlink()
        (told,) = (finding for finding in examine(document).findings if finding.kind in ("unreadable", "files gone"))
        assert told.sentence.startswith("1.png can't be read: the file is not there")
        (folder / "2.png").unlink()
        (folder / "3.png").write_bytes(b"")
        seen = examine(document)
        problems = {finding.kind: finding for finding in seen.findings if finding.level == "problem"}
        assert {"files gone", "unreadable"} <= set(problems)
        assert problems["files gone"].sentence.startswith("The files of 2 images are not there.")
        assert problems["files gone"].images == (ids["1.png"], ids["2.png"])
        assert {id for id, problem in seen.opened.items() if problem} == {ids[f"{n}.png"] for n in (1, 2, 3)}
        edit = health_repairs.repair(document, problems["files gone"])
        assert edit is not None
        document.do(edit)
        assert not {"1.png", "2.png"} & {image.name for image in document.images()}


def test_of_copies_the_one_with_most_boxes_stays(folder: Path) -> None:
    photographs(folder)
    for name in ("again.png", "once more.png"):
        (folder / name).write_bytes((folder / "3.png").read_bytes())
    with sound(folder) as document:
        ids = {image.name: image.id for image in document.images()}
        document.do(edits.AddBoxes(tuple(Box(0, ids["again.png"], 1, (n, n, n + 9, n + 9)) for n in range(9))))
        (copies,) = (finding for finding in examine(document).findings if finding.kind == "same picture")
        assert set(copies.images) == {ids["3.png"], ids["again.png"], ids["once more.png"]}
        edit = health_repairs.repair(document, copies)
        assert edit is not None
        document.do(edit)
        left = {image.name for image in document.images()}
        assert "again.png" in left
        assert not left & {"3.png", "once more.png"}
        assert health_repairs.repair(document, copies) is None


def test_labels_whose_names_are_nearly_the_same_are_told(folder: Path) -> None:
    with sound(folder) as document:
        document.do(edits.AddLabels((Label(0, "Cats"), Label(0, "bus"))))
        (told,) = (finding.sentence for finding in examine(document).findings if finding.kind == "names alike")
        assert (
            told == "'cat' and 'Cats' differ only slightly: are they one label? Then merge them in the list of labels."
        )


@pytest.mark.parametrize(
    ("names", "groups"),
    [
        (["RBC", "WBC", "rbc"], [("RBC", "rbc")]),
        (["traffic light", "Traffic_Light", "traffic-lights"], [("traffic light", "Traffic_Light", "traffic-lights")]),
        (["gas", "ga", "class", "clas", "?", "!", "a", "as"], []),
        (["Strasse", "Straße"], [("Strasse", "Straße")]),
        (["\u00e9clair", "e\u0301clair", "eclair"], [("\u00e9clair", "e\u0301clair")]),  # the first two look the same
    ],
)
def test_names_are_alike_by_case_spaces_and_a_plural(names: list[str], groups: list[tuple[str, ...]]) -> None:
    assert group_similar(names) == tuple(groups)


def test_rare_labels_and_labels_missing_from_a_split_are_told(folder: Path) -> None:
    with sound(folder) as document:
        ids = [image.id for image in document.images()]
        document.do(edits.AddLabels((Label(0, "dog"),)))
        document.do(edits.AddBoxes(tuple(Box(0, ids[3], 2, (n, 0, n + 9, 9)) for n in range(0, 40, 10))))
        many = tuple(Box(0, ids[0], 1, (x, y, x + 4, y + 4)) for x in range(0, 56, 4) for y in range(0, 36, 2))
        document.do(edits.AddBoxes(many[:190]))
        found = {finding.kind: finding.sentence for finding in examine(document).findings}
    assert found["uneven labels"].startswith("'cat' has 50 times as many boxes as 'dog'")
    assert found["not in train"] == "No box of 'dog' is in the train split."


def test_closing_it_early_ends_its_threads(folder: Path) -> None:
    with sound(folder) as document:
        looking = health.examine(document.snapshot())
        next(looking)
        close(looking)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("health")]


def test_a_project_without_boxes_says_what_to_do(folder: Path) -> None:
    with Document.create(folder.parent / "p", images=folder) as document:
        assert [f.sentence for f in examine(document).findings] == [
            "There are no boxes yet. Label some images, or import labels."
        ]


def test_a_jpeg_whose_picture_is_partly_lost_is_told_though_it_can_be_read(folder: Path) -> None:
    """cv2 shows the rest grey, and nothing but a line on the terminal, which names no file, said so."""
    noise = np.random.default_rng(0).integers(0, 255, (80, 120, 3), np.uint8)
    whole = bytes(cv2.imencode(".jpg", noise)[1])
    half = whole[: len(whole) // 2] + whole[-2:]
    files = {"4.jpg": half, "5.jpg": whole, "6.jpg": whole[:-2], "7.jpg": whole[:-2] + b"123\xff\xd9"}
    for name, data in files.items():
        (folder / name).write_bytes(data)
    with sound(folder) as document:
        found = [finding for finding in examine(document).findings if finding.kind == "damaged"]
        assert [(one.level, document.image(one.images[0]).name) for one in found] == [("problem", "4.jpg")]


def test_a_huge_image_is_told_as_labelled_only_and_not_as_unreadable(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    big = np.random.default_rng(0).integers(0, 255, (80, 120, 3), np.uint8)
    for name in ("4.jpg", "5.jpg", "6.png"):
        cv2.imwrite(str(folder / name), big)
    monkeypatch.setattr(image_header, "PIXEL_LIMIT", 60 * 40)
    with sound(folder) as document:
        document.do(edits.SetSplit((document.images()[4].id,), Split.TRAIN))
        document.do(edits.SetSplit((document.images()[5].id,), Split.TEST))
        found = examine(document).findings
        names = {finding.kind: [document.image(id).name for id in finding.images] for finding in found}
        assert [f.kind for f in found].count("huge") == 3
        assert names["leak"] == ["4.jpg", "5.jpg"]  # they are compared by their overviews
        assert not {"unreadable", "size changed"} & set(names)
        assert "training and prediction leave out" in next(f.sentence for f in found if f.kind == "huge")
    (folder / "4.jpg").write_bytes((folder / "4.jpg").read_bytes()[:500])
    with Document.open(folder.parent / "p") as document:
        assert [f.kind for f in examine(document).findings].count("unreadable") == 1


def test_labels_that_are_rare_or_without_a_box_are_one_finding_each_however_many_they_are(folder: Path) -> None:
    with sound(folder) as document:
        ids = [image.id for image in document.images()]
        document.do(edits.AddLabels(tuple(Label(0, f"{n}a" if n < 7 else f"{n}b") for n in range(14))))
        rare = [label.id for label in document.labels() if label.name.endswith("b")]
        boxes = [Box(0, ids[3], label, (1, 1, 9, 9)) for label in rare]
        document.do(edits.AddBoxes((*boxes, Box(0, ids[3], rare[0], (9, 9, 19, 19)))))
        found = {one.kind: one for one in examine(document).findings}
        assert found["unused label"].sentence == "7 labels without a box: '0a', '1a', '2a', '3a', '4a' and 2 more."
        assert (
            found["rare label"].sentence == "7 labels with fewer than 10 boxes: '8b' (1), '9b' (1), '10b' (1),"
            " '11b' (1), '12b' (1) and 2 more; 50 are a fair start."
        )
        assert (
            found["not in train"].sentence
            == "No box of '7b', '8b', '9b', '10b', '11b' and 2 more is in the train split."
        )
        document.do(edits.AddLabels((Label(0, "later"),)))
        document.do(edits.AddBoxes((Box(0, ids[3], 2, (1, 1, 9, 9)),)))
        edit = health_repairs.repair(document, found["unused label"])
        assert edit is not None
        document.do(edit)
        assert document.undo_title == "Delete 6 labels without a box"
        left = [label.name for label in document.labels()]
        assert left == ["cat", "0a", *(f"{n}b" for n in range(7, 14)), "later"]


def test_a_leak_names_the_splits_in_their_order(folder: Path) -> None:
    photographs(folder)
    for name in ("copy", "again"):
        (folder / f"{name}.png").write_bytes((folder / "2.png").read_bytes())
    with sound(folder) as document:
        ids = {image.name: image.id for image in document.images()}
        for name, split in (("2.png", Split.TRAIN), ("copy.png", Split.VALIDATION), ("again.png", Split.TEST)):
            document.do(edits.SetSplit((ids[name],), split))
        (leak,) = (finding for finding in examine(document).findings if finding.kind == "leak")
    assert " picture is in train, validation and test: " in leak.sentence


def test_boxes_of_two_labels_in_one_place_are_found_and_left_to_a_person(folder: Path) -> None:
    with sound(folder) as document:
        document.do(edits.AddLabels((Label(0, "dog"),)))
        ids = [image.id for image in document.images()]
        dog = (Box(0, ids[0], 2, (0, 0, 20, 20.5)), Box(0, ids[1], 2, (30, 0, 50, 20)), Box(0, ids[1], 2, (0, 0, 9, 9)))
        document.do(edits.AddBoxes(dog))
        (found,) = (finding for finding in examine(document).findings if finding.kind == "two labels")
        assert found.sentence == "1 box has a box of another label in the same place. Keep the right one."
        assert (found.level, found.images, found.boxes) == ("hint", (ids[0],), (11,))
        assert health_repairs.repair(document, found) is None
