"""Sequences of imports, edits, undone steps and other formats in which a person's work was lost once, or could be."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.exchange.test_comparison import FIRST, changes, draw, edges, folder, write
from tests.formats.making import picture, text, voc_file, voc_object
from workbench import formats
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import Box, Label, Split, State
from workbench.errors import WorkbenchError
from workbench.exchange import (
    ChangedSide,
    ImportSettings,
    apply_import,
    autosync,
    export_labels,
    keep_files,
    plan_import,
)
from workbench.exchange.recognition import recognise, what_is_there

__all__ = ["folder"]  # a fixture


def come_in(
    document: Document, path: Path, format: str = "voc", how: str = "update", images: Path | None = None
) -> str:
    plan = plan_import(document, path, format, images, ImportSettings(on_existing=how))
    keep_files(document.folder, plan, apply_import(document, plan))
    return plan.sentence


@pytest.fixture
def document(tmp_path: Path, folder: Path) -> Iterator[Document]:
    with Document.create(tmp_path / "p") as made:
        come_in(made, folder)
        yield made


def id_of(document: Document, name: str) -> int:
    return next(image.id for image in document.images() if image.name == f"{name}.jpg")


def test_an_edit_that_equals_an_older_import_is_an_edit(document: Document, folder: Path) -> None:
    write(folder, "a", *FIRST, (2, 20, 8, 28))
    come_in(document, folder)
    wrong = next(box for box in document.boxes(id_of(document, "a")) if box.xyxy == (1, 19, 8, 28))
    document.do(edits.RemoveBoxes((wrong.id,)))
    assert changes(document, folder)["a"] == (ChangedSide.HERE, 1, 0, 0)
    come_in(document, folder)
    assert len(edges(document, "a")) == 2


def test_an_import_of_what_is_here_already_does_not_hide_an_edit(document: Document, folder: Path) -> None:
    """Label files beside the images that say what the project says are no reason to take an older file's word."""
    draw(document, "a", 2, 20, 9, 29)
    autosync.remember(document, autosync.update_files(document.folder, "yolo", document.snapshot()))
    assert "2 images the same already" in come_in(document, folder / "JPEGImages", "yolo")
    assert changes(document, folder)["a"] == (ChangedSide.HERE, 0, 1, 0)
    come_in(document, folder)
    assert len(edges(document, "a")) == 3


def test_one_box_more_in_a_poorer_format_leaves_the_others_as_they_are(document: Document, folder: Path) -> None:
    a = id_of(document, "a")
    document.do(
        edits.ReplaceBoxes(tuple(dataclasses.replace(box, difficult=True, note="odd") for box in document.boxes(a)))
    )
    autosync.remember(document, autosync.update_files(document.folder, "yolo", document.snapshot()))
    come_in(document, folder / "JPEGImages", "yolo")
    before = document.boxes(a)
    file = folder / "JPEGImages" / "a.txt"
    file.write_text(file.read_text() + "0 0.5 0.5 0.1 0.1\n")
    sentence = come_in(document, folder / "JPEGImages", "yolo")
    assert "1 box in 1 image (0 new" in sentence
    assert document.boxes(a)[:2] == before
    assert [box.note for box in document.boxes(a)] == ["odd", "odd", ""]
    file.write_text(file.read_text().replace("0 0.5 0.5 0.1 0.1", "0 0.5 0.5 0.12 0.1"))
    assert "1 box changed" in come_in(document, folder / "JPEGImages", "yolo"), "and the rest is known to be unedited"


def test_a_moved_box_keeps_the_marks_that_its_format_cannot_hold(document: Document, folder: Path) -> None:
    export_labels(document.snapshot(), "yolo", folder.parent / "yolo", copy_images=True)
    come_in(document, folder.parent / "yolo", "yolo")
    a = id_of(document, "a")
    first, second = document.boxes(a)
    document.do(edits.ReplaceBoxes((dataclasses.replace(first, occluded=True, note="look"),)))
    (file,) = (folder.parent / "yolo").rglob("a.txt")
    lines = file.read_text().splitlines()
    file.write_text("\n".join(["0 0.15 0.2 0.25 0.36666666666", *lines[1:]]) + "\n")
    come_in(document, folder.parent / "yolo", "yolo", "replace")
    moved, kept = document.boxes(a)
    assert (moved.id, moved.occluded, moved.note) == (first.id, True, "look")
    assert moved.xyxy == pytest.approx((1, 0.5, 11, 11.5))
    assert kept == second


def test_imports_that_were_undone_twice_leave_everything_as_it_came(document: Document, folder: Path) -> None:
    for box in ((2, 20, 8, 28), (2, 20, 9, 29)):
        write(folder, "a", *FIRST, box)
        come_in(document, folder)
        document.undo()
    assert changes(document, folder)["a"][0] is ChangedSide.FILE
    write(folder, "a", *FIRST)
    report = export_labels(document.snapshot(), "voc", folder.parent / "out", project=document.folder)
    assert any("2 files not edited" in remark.sentence for remark in report.remarks)


def test_both_kept_stay_when_the_file_changes_again(document: Document, folder: Path) -> None:
    draw(document, "a", 2, 20, 9, 29)
    write(folder, "a", *FIRST, (30, 20, 38, 28))
    come_in(document, folder, how="add")
    assert len(edges(document, "a")) == 4
    write(folder, "a", *FIRST, (30, 21, 38, 28))
    assert changes(document, folder)["a"][0] is ChangedSide.BOTH
    come_in(document, folder)
    assert (2, 20, 9, 29) in edges(document, "a")


@pytest.mark.parametrize("name", ["labelme", "cvat", "coco"])
def test_a_note_that_was_changed_in_the_file_comes_in(tmp_path: Path, name: str) -> None:
    picture(tmp_path / "photographs" / "a.jpg")
    with Document.create(tmp_path / "one", images=tmp_path / "photographs") as document:
        document.do(edits.AddLabels((Label(0, "cat"),)))
        box = Box(0, document.images()[0].id, document.labels()[0].id, (1, 1, 9, 9), note="OLD WORDS")
        document.do(edits.AddBoxes((box,)))
        export_labels(document.snapshot(), name, tmp_path / "set", copy_images=True)
    with Document.create(tmp_path / "two") as document:
        come_in(document, tmp_path / "set", name)
        for file in (tmp_path / "set").rglob("*"):
            if file.suffix in (".json", ".xml"):
                file.write_text(file.read_text().replace("OLD WORDS", "NEW WORDS"))
        come_in(document, tmp_path / "set", name)
        assert [box.note for box in document.boxes(document.images()[0].id)] == ["NEW WORDS"]


def test_a_label_that_was_renamed_does_not_come_back_empty(document: Document, folder: Path) -> None:
    (cat,) = document.labels()
    document.do(edits.ChangeLabel(dataclasses.replace(cat, name="feline")))
    assert changes(document, folder)["a"][0] is ChangedSide.NOWHERE, "it is the same label"
    come_in(document, folder)
    assert [label.name for label in document.labels()] == ["feline"]


def coco(names: list[str], labels: list[str]) -> str:
    images = [{"id": n, "file_name": name, "width": 40, "height": 30} for n, name in enumerate(names)]
    boxes = [
        {"id": n, "image_id": n % len(names), "category_id": n, "bbox": [1, 1, 10 + n, 10], "area": 100, "iscrowd": 0}
        for n in range(len(labels))
    ]
    categories = [{"id": n, "name": label} for n, label in enumerate(labels)]
    return json.dumps({"images": images, "annotations": boxes, "categories": categories})


def test_names_that_become_one_label_do_not_shift_the_numbers_of_a_file(tmp_path: Path) -> None:
    """Written byte for byte, such a file would be read as of other labels."""
    names = ["cat", "traffic\tlight", "traffic light", "dog", "bus"]
    picture(tmp_path / "set" / "images" / "a.jpg")
    text(tmp_path / "set" / "data.yaml", "train: images\nnames: " + json.dumps(names))
    text(tmp_path / "set" / "labels" / "a.txt", "".join(f"{n} 0.5 0.5 0.{n + 1} 0.5\n" for n in range(5)))
    with Document.create(tmp_path / "p") as document:
        come_in(document, tmp_path / "set", "yolo")
        assert [label.name for label in document.labels()] == ["cat", "traffic light", "dog", "bus"]
        export_labels(document.snapshot(), "yolo", tmp_path / "out", copy_images=True, project=document.folder)
        mine = [document.label(box.label).name for box in document.boxes(document.images()[0].id)]
    read = formats.load_all().get("yolo").read(tmp_path / "out")
    assert sorted(box.label for box in read.images[0].boxes) == sorted(mine)


def test_a_list_with_a_name_twice_is_one_label(tmp_path: Path) -> None:
    picture(tmp_path / "set" / "images" / "a.jpg")
    text(tmp_path / "set" / "data.yaml", "train: images\nnames: [cat, cat, dog]")
    text(tmp_path / "set" / "labels" / "a.txt", "0 0.5 0.5 0.5 0.5\n1 0.5 0.5 0.2 0.2\n2 0.5 0.5 0.1 0.1\n")
    with Document.create(tmp_path / "p") as document:
        come_in(document, tmp_path / "set", "yolo")
        assert [label.name for label in document.labels()] == ["cat", "dog"]
        assert sorted(document.label_counts().values()) == [1, 2]


def test_a_file_of_two_images_is_not_written_where_only_one_is_left_of_it(tmp_path: Path) -> None:
    """Even when two later imports spoke of the other."""
    for n in range(2):
        picture(tmp_path / "images" / f"i{n}.jpg", grey=90 * n)
    text(tmp_path / "both.json", coco(["i0.jpg", "i1.jpg"], ["cat", "cat"]))
    with Document.create(tmp_path / "p") as document:
        come_in(document, tmp_path / "both.json", "coco", images=tmp_path / "images")
        for n in range(2):
            text(tmp_path / f"one{n}.json", coco(["i0.jpg"], ["cat", "cat"][: n + 1]))
            come_in(document, tmp_path / f"one{n}.json", "coco", images=tmp_path / "images")
        first, second = (image.id for image in document.images())
        document.do(edits.SetSplit((first,), Split.TRAIN))
        document.do(edits.SetSplit((second,), Split.VALIDATION))
        export_labels(document.snapshot(), "coco", tmp_path / "out", project=document.folder)
    told = {
        file.name: [image["file_name"] for image in json.loads(file.read_text())["images"]]
        for file in (tmp_path / "out").rglob("*.json")
    }
    assert {name: len(images) for name, images in told.items()} == {"instances_train.json": 1, "instances_val.json": 1}


@pytest.mark.parametrize("edited", [True, False])
def test_voc_files_that_count_from_0_are_not_mixed_with_others(tmp_path: Path, edited: bool) -> None:
    """One box at 0 proves it for all files; where that one is edited, the others would be read as counting from 1."""
    for name, xyxy in (("a", (0, 5, 20, 20)), ("b", (5, 5, 20, 20))):
        picture(tmp_path / "set" / "JPEGImages" / f"{name}.jpg", grey=ord(name))
        text(
            tmp_path / "set" / "Annotations" / f"{name}.xml",
            voc_file(voc_object("cat", xyxy), filename=f"{name}.jpg"),
        )
    with Document.create(tmp_path / "p") as document:
        come_in(document, tmp_path / "set")
        if edited:
            (box,) = document.boxes(id_of(document, "a"))
            document.do(edits.ReplaceBoxes((dataclasses.replace(box, xyxy=(5, 5, 20, 20)),)))
        export_labels(document.snapshot(), "voc", tmp_path / "out", copy_images=True, project=document.folder)
        mine = sorted(edges(document, "a") + edges(document, "b"))
    read = formats.load_all().get("voc").read(tmp_path / "out")
    assert sorted(box.xyxy for image in read.images for box in image.boxes) == mine
    same = [
        (tmp_path / "out" / "Annotations" / f"{name}.xml").read_bytes()
        == (tmp_path / "set" / "Annotations" / f"{name}.xml").read_bytes()
        for name in "ab"
    ]
    assert same == ([False, False] if edited else [True, True])


def test_files_whose_proof_of_0_was_not_exported_are_written_anew(tmp_path: Path) -> None:
    for name, box in (("a", (0, 5, 20, 20)), ("b", (5, 5, 20, 20))):
        picture(tmp_path / "set" / "JPEGImages" / f"{name}.jpg", grey=ord(name))
        text(tmp_path / "set" / "Annotations" / f"{name}.xml", voc_file(voc_object("cat", box), filename=f"{name}.jpg"))
    with Document.create(tmp_path / "p") as document:
        come_in(document, tmp_path / "set")
        document.do(edits.RemoveImages((id_of(document, "a"),)))
        export_labels(document.snapshot(), "voc", tmp_path / "out", copy_images=True, project=document.folder)
        mine = edges(document, "b")
    read = formats.load_all().get("voc").read(tmp_path / "out")
    assert [box.xyxy for image in read.images for box in image.boxes] == mine


def test_a_file_that_was_saved_while_it_was_read_is_not_kept_as_what_was_read(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    member = formats.load_all().get("voc")
    read = type(member).read

    def then_save(*args: object, **named: object) -> object:
        done = read(*args, **named)  # type: ignore[arg-type]
        write(folder, "a", (9, 9, 12, 12))
        return done

    monkeypatch.setattr(type(member), "read", then_save)
    with Document.create(tmp_path / "p") as document:
        come_in(document, folder)
        monkeypatch.undo()
        report = export_labels(document.snapshot(), "voc", tmp_path / "out", project=document.folder)
    assert any("1 file not edited" in remark.sentence for remark in report.remarks), "only b"
    assert "<xmin>9" not in (tmp_path / "out" / "Annotations" / "a.xml").read_text()


def test_a_name_that_is_not_utf_8_is_kept_under_another(tmp_path: Path, folder: Path) -> None:
    try:
        (folder / "Annotations" / "a.xml").rename(folder / "Annotations" / "\udcff.xml")
    except OSError:
        pytest.skip("this file system takes no such names")
    with Document.create(tmp_path / "p") as document:
        come_in(document, folder)
        assert len(edges(document, "a")) == 2
        assert list((document.folder / "imports").glob("*.zip"))


def test_a_place_without_labels_is_told_for_what_it_is(tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    picture(tmp_path / "pictures" / "a.jpg")
    text(tmp_path / "empty.zip", "")
    text(tmp_path / "letter.txt", "Dear Sir")
    told = {file.name: what_is_there(file) for file in sorted(tmp_path.iterdir())}
    assert {name: sentence.removeprefix(str(tmp_path / name)) for name, sentence in told.items()} == {
        "empty.zip": " is empty.",
        "letter.txt": ": no labels of a known format are in this file."
        " A list of label names is read on the Data page, beside the + of its labels.",
        "nothing": ": there are no files in this folder.",
        "pictures": ": there is 1 picture but no label file.",
    }
    with Document.create(tmp_path / "p") as document, pytest.raises(WorkbenchError, match="no files in this folder"):
        plan_import(document, tmp_path / "nothing")


VIA = (
    '{"a.jpg12": {"filename": "a.jpg", "regions": [{"shape_attributes": {"x": 1}, "region_attributes": {"t": "cat"}}]}}'
)
OTHERS: dict[str, tuple[str | bytes, str]] = {
    "via.json": (
        VIA,
        " via.json is from VGG Image Annotator: export from it in COCO format, and import that.",
    ),
    "via.csv": (
        'filename,region_shape_attributes,region_attributes\na.jpg,"{}","{}"\n',
        " via.csv is from VGG Image Annotator: export from it in COCO format, and import that.",
    ),
    "default.json": (
        '{"categories": {"label": {}}, "items": [{"id": "a", "annotations": [{"type": "bbox", "label_id": 0}]}]}',
        " default.json is from Datumaro: export from it in COCO or CVAT format, and import that.",
    ),
    "set.zip": ("PK", " It contains set.zip: unpack it, and import the contents."),
    "wide.json": ('{"images": []}'.encode("utf-16"), " wide.json is UTF-16 text: save it as UTF-8."),
    "wide.csv": ("filename,xmin\n".encode("utf-16"), " wide.csv is UTF-16 text: save it as UTF-8."),
    "other.json": ('{"a": 1}', ""),
}


@pytest.mark.parametrize("name", OTHERS)
def test_a_file_of_a_program_whose_own_format_is_not_known_is_told_what_to_do(tmp_path: Path, name: str) -> None:
    content, sentence = OTHERS[name]
    text(tmp_path / "set" / name, content)
    picture(tmp_path / "set" / "a.jpg")
    with pytest.raises(WorkbenchError) as caught:
        recognise(tmp_path / "set")
    assert f": no labels of a known format were found here.{sentence} Known formats are coco" in caught.value.sentence


def test_the_file_of_a_program_is_told_also_among_many_notes(tmp_path: Path) -> None:
    text(tmp_path / "set" / "via.json", VIA)
    for number in range(30):
        text(tmp_path / "set" / f"{number}.txt", "seen at dusk\n".encode("utf-16"))
    with pytest.raises(WorkbenchError, match=r"via\.json is from VGG Image Annotator"):
        recognise(tmp_path / "set")


@pytest.mark.parametrize(
    "name", sorted(n for n, one in formats.load_all() if type(one).__module__.startswith("workbench."))
)
def test_what_a_project_wrote_is_the_same_when_it_comes_back(tmp_path: Path, name: str) -> None:
    for n in range(3):
        picture(tmp_path / "photographs" / f"p{n}.jpg", grey=60 * n)
    with Document.create(tmp_path / "p", images=tmp_path / "photographs") as document:
        document.do(edits.AddLabels((Label(0, "cat"), Label(0, "dog"))))
        cat, dog = (label.id for label in document.labels())
        ids = [image.id for image in document.images()]
        boxes = [Box(0, id, (cat, dog)[n % 2], (1 + n, 2, 11 + n, 22)) for n, id in enumerate(ids)]
        document.do(edits.AddBoxes((*boxes, Box(0, ids[0], dog, (20, 3, 33, 27), note="looks odd"))))
        document.do(edits.SetState(tuple(ids), State.DONE))
        document.do(edits.SetSplit(tuple(ids), Split.TRAIN))
        for copied in (True, False):
            export_labels(document.snapshot(), name, tmp_path / f"out {copied}", copy_images=copied)
            plan = plan_import(document, tmp_path / f"out {copied}", name)
            assert [one.changed for one in plan.differences] == [ChangedSide.NOWHERE] * 3, [
                one.words for one in plan.differences
            ]
            assert (plan.matched, plan.added) == (0, 0)


def test_an_import_that_changes_nothing_leaves_nothing_behind(document: Document, folder: Path) -> None:
    """Neither a copy of its files, nor a word that undoing the import before it would not take back."""
    for _ in range(3):
        come_in(document, folder)
    assert len(list((document.folder / "imports").iterdir())) == 1
    for left in (3, 1):
        write(folder, "a", (left, 2, 10, 12), FIRST[1])
        come_in(document, folder)
    assert len(list((document.folder / "imports").iterdir())) == 2, "those of the two newest"
    come_in(document, folder)
    document.undo()
    write(folder, "a", (4, 2, 10, 12), FIRST[1])
    assert changes(document, folder)["a"][0] is ChangedSide.FILE, "as the import before the undone one left it"
