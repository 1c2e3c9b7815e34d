"""A second import of the same files: who has changed what is shown, and no edit is overwritten without a word."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.formats.making import picture, text, voc_file, voc_object
from workbench import exchange
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import Box, Label, Split, State
from workbench.exchange import ChangedSide, ImportSettings, apply_import, export_labels, keep_files, plan_import

FIRST = ((1, 2, 10, 12), (15, 5, 30, 25))  # VOC's own numbers, of image a and of image b
NAMES = ("a", "b")


def write(folder: Path, name: str, *boxes: tuple[int, int, int, int], label: str = "cat") -> None:
    text(
        folder / "Annotations" / f"{name}.xml",
        voc_file(*(voc_object(label, b) for b in boxes), filename=f"{name}.jpg"),
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in NAMES:
        write(tmp_path / "set", name, *FIRST)
        picture(tmp_path / "set" / "JPEGImages" / f"{name}.jpg", grey=ord(name))
    return tmp_path / "set"


@pytest.fixture
def document(tmp_path: Path, folder: Path) -> Iterator[Document]:
    with Document.create(tmp_path / "p") as made:
        come_in(made, folder)
        yield made


def come_in(document: Document, folder: Path, how: str = "update", keep: bool = True) -> exchange.ImportReport:
    plan = plan_import(document, folder, "voc", settings=ImportSettings(on_existing=how))
    report = apply_import(document, plan)
    if keep:
        keep_files(document.folder, plan, report)
    return report


def changes(document: Document, folder: Path) -> dict[str, tuple[ChangedSide, int, int, int]]:
    plan = plan_import(document, folder, "voc")
    return {one.image.name[0]: (one.changed, one.added, one.removed, one.moved) for one in plan.differences}


def edges(document: Document, name: str) -> list[tuple[float, ...]]:
    image = next(image for image in document.images() if image.name == f"{name}.jpg")
    return [box.xyxy for box in document.boxes(image.id)]


def draw(document: Document, name: str, *xyxy: float) -> None:
    image = next(image for image in document.images() if image.name == f"{name}.jpg")
    document.do(edits.AddBoxes((Box(0, image.id, document.labels()[0].id, xyxy),)))  # type: ignore[arg-type]


def test_the_same_files_again_change_nothing(document: Document, folder: Path) -> None:
    before = document.undo_title
    plan = plan_import(document, folder, "voc")
    assert {one.changed for one in plan.differences} == {ChangedSide.NOWHERE}
    assert (plan.matched, plan.boxes, plan.left, plan.alike) == (0, 0, 0, 2)
    assert "2 images the same already" in plan.sentence
    apply_import(document, plan)
    assert document.undo_title == before, "there is nothing to undo"


def test_what_changed_in_the_file_only_is_taken(document: Document, folder: Path) -> None:
    write(folder, "a", FIRST[0], (16, 5, 30, 26), (2, 20, 8, 28))
    assert changes(document, folder) == {"a": (ChangedSide.FILE, 1, 0, 1), "b": (ChangedSide.NOWHERE, 0, 0, 0)}
    report = come_in(document, folder)
    assert (report.left, report.boxes, report.replaced, report.removed) == (0, 1, 1, 0)
    assert sorted(edges(document, "a")) == [(0, 1, 10, 12), (1, 19, 8, 28), (15, 4, 30, 26)]
    assert changes(document, folder)["a"][0] is ChangedSide.NOWHERE


def test_what_changed_here_only_stays_and_is_told(document: Document, folder: Path) -> None:
    draw(document, "a", 2, 20, 9, 29)
    assert changes(document, folder) == {"a": (ChangedSide.HERE, 0, 1, 0), "b": (ChangedSide.NOWHERE, 0, 0, 0)}
    report = come_in(document, folder)
    assert report.left == 1
    assert len(edges(document, "a")) == 3
    (remark,) = (r for r in report.remarks if "Changed here" in r.sentence)
    assert remark.sentence.startswith(
        "Changed here since both were the same, and not in the file: the file has 1 box fewer."
    )


def test_what_changed_on_both_sides_stays_and_asks(document: Document, folder: Path) -> None:
    draw(document, "a", 2, 20, 9, 29)
    write(folder, "a", FIRST[0])
    assert changes(document, folder)["a"] == (ChangedSide.BOTH, 0, 2, 0)
    report = come_in(document, folder)
    assert (report.left, len(edges(document, "a"))) == (1, 3)
    (remark,) = (r for r in report.remarks if r.level == "refused")
    assert "Changed here and in the file since both were the same: the file has 2 boxes fewer." in remark.sentence
    assert "choose to replace" in remark.sentence


@pytest.mark.parametrize(("how", "boxes"), [("update", 3), ("refuse", 3), ("keep", 3), ("replace", 2), ("add", 4)])
def test_a_person_decides_what_becomes_of_both(document: Document, folder: Path, how: str, boxes: int) -> None:
    draw(document, "a", 2, 20, 9, 29)
    write(folder, "a", FIRST[0], (20, 8, 30, 28))
    report = come_in(document, folder, how)
    assert len(edges(document, "a")) == len(set(edges(document, "a"))) == boxes, "both, and what both have once"
    assert report.boxes == (how == "add")
    assert (report.replaced, report.removed) == ((1, 1) if how == "replace" else (0, 0))
    assert bool([r for r in report.remarks if r.level == "refused"]) is (how in ("update", "refuse"))


def test_keeping_both_adds_nothing_where_the_file_has_nothing_more(document: Document, folder: Path) -> None:
    draw(document, "a", 2, 20, 9, 29)
    before = document.undo_title
    report = come_in(document, folder, "add")
    assert (report.boxes, len(edges(document, "a"))) == (0, 3)
    assert document.undo_title == before


def test_refuse_leaves_what_changed_in_the_file_only(document: Document, folder: Path) -> None:
    write(folder, "a", FIRST[0])
    report = come_in(document, folder, "refuse")
    assert (report.left, len(edges(document, "a"))) == (1, 2)
    assert [r for r in report.remarks if "Changed in the file since both were the same, and not here" in r.sentence]


def test_boxes_that_were_all_deleted_here_do_not_come_back(document: Document, folder: Path) -> None:
    image = next(image for image in document.images() if image.name == "a.jpg")
    document.do(edits.RemoveBoxes(tuple(box.id for box in document.boxes(image.id))))
    assert changes(document, folder)["a"] == (ChangedSide.HERE, 2, 0, 0)
    assert come_in(document, folder).left == 1
    assert edges(document, "a") == []


def test_an_image_that_a_person_verified_is_not_touched(document: Document, folder: Path) -> None:
    image = next(image for image in document.images() if image.name == "a.jpg")
    document.do(edits.SetState((image.id,), State.VERIFIED))
    assert changes(document, folder)["a"][0] is ChangedSide.NOWHERE, "the same boxes"
    write(folder, "a", FIRST[0])
    assert changes(document, folder)["a"][0] is ChangedSide.BOTH
    assert come_in(document, folder).left == 1
    assert len(edges(document, "a")) == 2


def test_labels_and_marks_count_as_changes_and_notes_do_not(document: Document, folder: Path) -> None:
    image = next(image for image in document.images() if image.name == "a.jpg")
    one, other = document.boxes(image.id)
    document.do(edits.ReplaceBoxes((Box(one.id, image.id, one.label, one.xyxy, note="looks odd"),)))
    assert changes(document, folder)["a"][0] is ChangedSide.NOWHERE, "VOC has no notes"
    document.do(edits.ReplaceBoxes((Box(other.id, image.id, other.label, other.xyxy, difficult=True),)))
    assert changes(document, folder)["a"] == (ChangedSide.HERE, 0, 0, 1)
    document.undo()
    document.do(edits.AddLabels((Label(0, "dog"),)))
    dog = document.labels()[1].id
    document.do(edits.ReplaceBoxes((Box(other.id, image.id, dog, other.xyxy),)))
    assert changes(document, folder)["a"] == (ChangedSide.HERE, 0, 0, 1)


def test_labels_that_never_came_in_by_an_import_are_compared_all_the_same(tmp_path: Path, folder: Path) -> None:
    with Document.create(tmp_path / "q") as document:
        come_in(document, folder, keep=False)
        write(folder, "a", FIRST[0], (16, 5, 30, 26))
        assert changes(document, folder) == {"a": (ChangedSide.UNKNOWN, 0, 0, 1), "b": (ChangedSide.NOWHERE, 0, 0, 0)}
        report = come_in(document, folder)
        assert report.left == 1
        said = "Already labelled here, but differently: the file has 1 box changed"
        assert [r for r in report.remarks if said in r.sentence]


def test_what_another_format_brought_is_known_to_be_unedited(document: Document, tmp_path: Path) -> None:
    """Out to YOLO, changed there, and in again: nobody has touched what VOC had brought."""
    export_labels(document.snapshot(), "yolo", tmp_path / "yolo", copy_images=True)
    plan = plan_import(document, tmp_path / "yolo", "yolo")
    assert {one.changed for one in plan.differences} == {ChangedSide.NOWHERE}, "to the format's precision"
    (file,) = (tmp_path / "yolo" / "labels").rglob("a.txt")
    file.write_text(file.read_text() + "0 0.5 0.5 0.1 0.1\n")
    plan = plan_import(document, tmp_path / "yolo", "yolo")
    assert sorted((one.changed, one.added) for one in plan.differences) == [
        (ChangedSide.FILE, 1),
        (ChangedSide.NOWHERE, 0),
    ]


def test_an_import_that_was_undone_and_done_again_knows_its_files(document: Document, folder: Path) -> None:
    document.undo()
    assert len(document.images()) == 0
    document.redo()
    write(folder, "a", FIRST[0])
    assert changes(document, folder)["a"][0] is ChangedSide.FILE


def test_an_import_that_was_undone_comes_in_again(tmp_path: Path, folder: Path) -> None:
    """Of images that the project had before: undoing leaves them without labels, which is no edit that must stay."""
    with Document.create(tmp_path / "q", images=folder / "JPEGImages") as document:
        come_in(document, folder)
        document.undo()
        assert edges(document, "a") == []
        report = come_in(document, folder)
        assert (report.left, report.boxes) == (0, 4)
        assert len(edges(document, "a")) == 2


def test_an_import_over_another_that_was_undone_comes_in_again(document: Document, folder: Path) -> None:
    write(folder, "a", FIRST[0])
    come_in(document, folder)
    document.undo()
    assert len(edges(document, "a")) == 2
    assert changes(document, folder)["a"][0] is ChangedSide.FILE, "as the first import left it"
    come_in(document, folder)
    assert len(edges(document, "a")) == 1


def coco_file(*annotations: dict[str, object]) -> str:
    """Of image a.jpg; ids as given, or counted from 100."""
    listed = [{"id": 100 + n, "image_id": 5, "category_id": 7} | told for n, told in enumerate(annotations)]
    images = [{"id": 5, "file_name": "a.jpg", "width": 40, "height": 30}]
    return json.dumps({"images": images, "categories": [{"id": 7, "name": "cat"}], "annotations": listed})


@pytest.fixture
def of_coco(tmp_path: Path) -> Iterator[Document]:
    """A box, a crowd region on the right of it; brought by a file that stays where it is."""
    picture(tmp_path / "coco" / "a.jpg")
    file = text(
        tmp_path / "coco" / "i.json",
        coco_file({"bbox": [2, 2, 8, 10]}, {"bbox": [20, 5, 15, 20], "iscrowd": 1}),
    )
    with Document.create(tmp_path / "c") as made:
        plan = plan_import(made, file, "coco")
        keep_files(made.folder, plan, apply_import(made, plan))
        yield made


@pytest.mark.parametrize("how", ["update", "add", "replace"])
def test_ids_that_another_program_counts_anew_are_no_difference(of_coco: Document, tmp_path: Path, how: str) -> None:
    draw(of_coco, "a", 2, 20, 9, 29)
    export_labels(of_coco.snapshot(), "coco", tmp_path / "out", project=of_coco.folder)
    (file,) = (tmp_path / "out").rglob("*.json")
    assert '"id":100,' in file.read_text()
    file.write_text(re.sub(r'"id":10([0-9])', r'"id":\1', re.sub(r'((?:_|")id":)[57]', r"\g<1>1", file.read_text())))
    assert '"id":0,"image_id":1,"category_id":1' in file.read_text()
    plan = plan_import(of_coco, file, "coco", settings=ImportSettings(on_existing=how))
    assert (plan.is_empty, plan.alike) == (True, 1)
    file.write_text(file.read_text().replace('"iscrowd":0', '"iscrowd":0,"attributes":{"colour":"red"}', 1))
    plan = plan_import(of_coco, file, "coco", settings=ImportSettings(on_existing=how))
    assert (plan.boxes, plan.replaced) == (0, how == "replace"), "no box comes twice"
    assert plan.left == (how == "update"), "a box was drawn here since"
    assert (how == "add") == any("different marks or notes on 1 box" in r.sentence for r in plan.remarks)


@pytest.mark.parametrize("how", ["update", "replace"])
@pytest.mark.parametrize("format", ["yolo", "voc", "kitti"])
def test_what_a_format_has_not_got_does_not_go(of_coco: Document, tmp_path: Path, format: str, how: str) -> None:
    """YOLO leaves crowd regions out, VOC calls them difficult, KITTI DontCare, and has labels without spaces."""
    cat, (image,) = of_coco.labels()[0], of_coco.images()
    if how == "replace":  # it is an edit
        of_coco.do(edits.ChangeLabel(dataclasses.replace(cat, name="big cat")))
    of_coco.do(edits.SetSplit((image.id,), Split.TRAIN))
    before = of_coco.boxes(image.id)
    export_labels(of_coco.snapshot(), format, tmp_path / "out", copy_images=True)
    settings = ImportSettings(on_existing=how)
    assert plan_import(of_coco, tmp_path / "out", format, settings=settings).is_empty
    (file,) = [one for one in (tmp_path / "out").rglob("a.*") if one.suffix in (".txt", ".xml")]
    now = {"yolo": ("0 0.15", "0 0.175"), "voc": ("<xmin>3<", "<xmin>4<"), "kitti": ("0 2.00 2", "0 3.00 2")}[format]
    whole = file.read_text()
    file.write_text(whole.replace(*now, 1))
    assert file.read_text() != whole
    apply_import(of_coco, plan_import(of_coco, tmp_path / "out", format, settings=settings))
    after = of_coco.boxes(image.id)
    assert after[0].xyxy != before[0].xyxy
    assert after[1] == before[1]
    assert {box.label for box in after} == {cat.id}


@pytest.mark.parametrize(
    ("format", "before", "after"),
    [
        ("coco", "[2.0,2.0,8.0,10.0]", "[2.0,2.0,-8.0,10.0]"),
        ("cvat", 'xtl="2', 'xtl="x2'),
        ("voc", "<xmin>3<", "<xmin>x<"),
        ("yolo", "0 0.15 ", "0 x "),
    ],
)
def test_what_could_not_be_read_does_not_go(
    of_coco: Document, tmp_path: Path, format: str, before: str, after: str
) -> None:
    (image,) = of_coco.images()
    of_coco.do(edits.SetSplit((image.id,), Split.TRAIN))
    export_labels(of_coco.snapshot(), format, tmp_path / "out", copy_images=True)
    (file,) = [one for one in (tmp_path / "out").rglob("*") if one.is_file() and before.encode() in one.read_bytes()]
    file.write_text(file.read_text().replace(before, after, 1))
    settings = ImportSettings(skip_broken=True)
    plan = plan_import(of_coco, tmp_path / "out", format, settings=settings)
    assert (plan.removed, plan.alike) == (0, 0)
    assert [r for r in plan.remarks if r.sentence.endswith("so boxes that it lacks were kept: 1 box.")]
    apply_import(of_coco, plan)
    assert (len(edges(of_coco, "a")), of_coco.images()[0].state) == (2, State.DONE)
    settings = ImportSettings(skip_broken=True, on_existing="replace")
    assert plan_import(of_coco, tmp_path / "out", format, settings=settings).removed == 1, "as was asked"


def test_a_difference_says_in_words_what_the_file_has() -> None:
    from workbench.core.project import Image

    told = exchange.ImageDifference(
        Image(1, "a.jpg"), ChangedSide.UNKNOWN, (0,), ((1, 5), (2, 6), (3, 7)), tuple(range(1200))
    )
    assert told.words == "the file has 1 box more, 1,200 boxes fewer, 3 boxes changed"
    assert exchange.ImageDifference(Image(1, "a.jpg"), ChangedSide.FILE).words == "the file has another state"


@pytest.mark.parametrize("how", ["update", "add", "replace"])
def test_boxes_that_reach_outside_their_image_are_the_same_again(document: Document, folder: Path, how: str) -> None:
    """Our own files are cut at the border, those of others need not be; they keep also what lies beside the image."""
    write(folder, "a", (-20, 9, 8, 29), (-9, -9, -3, -3), (30, 20, 60, 50))
    come_in(document, folder)
    assert edges(document, "a") == [(-21, 8, 8, 29), (-10, -10, -3, -3), (29, 19, 60, 50)]
    assert come_in(document, folder, how).sentence == (
        "Pascal VOC XML: there is nothing to import; 2 images the same already."
    )
    assert len(edges(document, "a")) == 3
