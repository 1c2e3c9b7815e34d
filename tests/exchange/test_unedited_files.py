"""A file that nobody edited goes out byte for byte as it came in, in every format; an edited one is written anew."""

from __future__ import annotations

import base64
import json
import random
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.formats.making import picture, text, voc_file, voc_object
from workbench import exchange, formats
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import Box, Label, Split, State
from workbench.errors import WorkbenchError
from workbench.exchange import ImportSettings, apply_import, export_labels, keep_files, origins, plan_import

NAMES = sorted(name for name in formats.load_all().names() if hasattr(formats.formats.get(name), "sources"))


def indented(data: bytes) -> bytes:
    return json.dumps(json.loads(data), indent=3).encode()


def remarked(data: bytes) -> bytes:
    return data + b"<!-- by hand -->\n"


def with_dos_ends(data: bytes) -> bytes:
    return data.replace(b"\n", b"\r\n")


# How another program might have written the same: by the end of the file's name.
OTHERWISE: dict[str, Callable[[bytes], bytes]] = {
    ".json": indented, ".xml": remarked, ".txt": with_dos_ends, ".csv": with_dos_ends,
}  # fmt: skip


def photographs(folder: Path) -> Path:
    for number in range(4):
        picture(folder / f"p{number}.jpg", grey=40 * number)
    return folder


def foreign(tmp_path: Path, name: str) -> Path:
    """A data set of this format with images, written as another program might."""
    with Document.create(tmp_path / "first", images=photographs(tmp_path / "photographs")) as document:
        document.do(edits.AddLabels((Label(0, "cat"), Label(0, "dog"))))
        cat, dog = (label.id for label in document.labels())
        ids = [image.id for image in document.images()]
        made = [Box(0, ids[n], (cat, dog)[n % 2], (2, 3, 12 + n, 20)) for n in range(3)]
        document.do(edits.AddBoxes((*made, Box(0, ids[0], dog, (8, 8, 30, 28)))))
        document.do(edits.SetState(tuple(ids[:3]), State.DONE))
        document.do(edits.SetSplit(tuple(ids), Split.TRAIN))
        export_labels(document.snapshot(), name, tmp_path / "set", copy_images=True)
    for file in label_files(tmp_path / "set", name):
        file.write_bytes(OTHERWISE[file.suffix](file.read_bytes()))
    return tmp_path / "set"


def label_files(folder: Path, name: str) -> list[Path]:
    """The files that speak of images, as the reading has them."""
    read = formats.formats.get(name).read(folder)
    return sorted({image.source.file for image in read.images if image.source is not None})


def come_in(document: Document, folder: Path, name: str, how: str = "update") -> exchange.ImportReport:
    plan = plan_import(document, folder, name, settings=ImportSettings(on_existing=how))
    report = apply_import(document, plan)
    keep_files(document.folder, plan, report)
    return report


def go_out(document: Document, folder: Path, name: str, copied: bool) -> exchange.ExportReport:
    return export_labels(document.snapshot(), name, folder, copy_images=copied, project=document.folder)


@pytest.mark.parametrize("copied", [True, False])
@pytest.mark.parametrize("name", NAMES)
def test_unedited_files_go_out_as_they_came(tmp_path: Path, name: str, copied: bool) -> None:
    folder = foreign(tmp_path, name)
    came = sorted(file.read_bytes() for file in label_files(folder, name))
    with Document.create(tmp_path / "second") as document:
        come_in(document, folder, name)
        shutil.rmtree(folder) if not copied else None  # the project has kept them
        report = go_out(document, tmp_path / "out", name, copied)
        assert [r.sentence for r in report.remarks if "byte for byte" in r.sentence], "it is told"
    written = sorted(file.read_bytes() for file in (tmp_path / "out").rglob("*") if file.suffix in OTHERWISE)
    assert all(data in written for data in came)
    assert came
    assert sum(data in came for data in written) == len(came)


@pytest.mark.parametrize("name", NAMES)
def test_an_edited_file_is_written_anew_and_its_neighbours_are_not(tmp_path: Path, name: str) -> None:
    folder = foreign(tmp_path, name)
    came = [file.read_bytes() for file in label_files(folder, name)]
    with Document.create(tmp_path / "second") as document:
        come_in(document, folder, name)
        image = next(image for image in document.images() if image.name == "p1.jpg")
        (box,) = document.boxes(image.id)
        document.do(edits.RemoveBoxes((box.id,)))
        document.do(edits.AddBoxes((Box(0, image.id, box.label, (4, 4, 9, 9)),)))
        go_out(document, tmp_path / "out", name, copied=True)
        document.undo(), document.undo()
        go_out(document, tmp_path / "undone", name, copied=True)
    written = [file.read_bytes() for file in (tmp_path / "out").rglob("*") if file.suffix in OTHERWISE]
    assert sum(data in written for data in came) == len(came) - 1
    read = formats.formats.get(name).read(tmp_path / "out")
    edges = {box.xyxy for image in read.images if image.name.endswith("p1.jpg") for box in image.boxes}
    assert {tuple(round(v) for v in xyxy) for xyxy in edges} == {(4, 4, 9, 9)}
    undone = [file.read_bytes() for file in (tmp_path / "undone").rglob("*") if file.suffix in OTHERWISE]
    assert all(data in undone for data in came), "an edit that was undone is none"


@pytest.mark.parametrize("name", NAMES)
def test_a_split_that_was_changed_goes_out(tmp_path: Path, name: str) -> None:
    folder = foreign(tmp_path, name)
    with Document.create(tmp_path / "second") as document:
        come_in(document, folder, name)
        image = next(image for image in document.images() if image.name == "p1.jpg")
        document.do(edits.SetSplit((image.id,), Split.TEST))
        go_out(document, tmp_path / "out", name, copied=True)
    read = formats.formats.get(name).read(tmp_path / "out")
    assert {Path(one.name).name: one.split for one in read.images}.get("p1.jpg") is Split.TEST


def test_what_a_format_cannot_hold_is_no_edit_of_its_file(tmp_path: Path) -> None:
    folder = foreign(tmp_path, "yolo")
    came = [file.read_bytes() for file in label_files(folder, "yolo")]
    with Document.create(tmp_path / "second") as document:
        come_in(document, folder, "yolo")
        image = document.images()[0].id
        boxes = document.boxes(image)
        document.do(edits.ReplaceBoxes(tuple(Box(b.id, image, b.label, b.xyxy, difficult=True) for b in boxes)))
        document.do(edits.SetState((image,), State.VERIFIED))
        go_out(document, tmp_path / "out", "yolo", copied=False)
    written = [file.read_bytes() for file in (tmp_path / "out").rglob("*.txt")]
    assert all(data in written for data in came)


def test_files_whose_labels_have_other_numbers_now_are_written_anew(tmp_path: Path) -> None:
    folder = foreign(tmp_path, "yolo")
    with Document.create(tmp_path / "second") as document:
        document.do(edits.AddLabels((Label(0, "bird"),)))  # cat is 1 here, and 0 in the files
        come_in(document, folder, "yolo")
        report = go_out(document, tmp_path / "out", "yolo", copied=False)
        assert not [r for r in report.remarks if "byte for byte" in r.sentence]
    first = (tmp_path / "out" / "labels" / "train" / "p0.txt").read_text()
    assert sorted(line.split()[0] for line in first.splitlines()) == ["1", "2"]


def test_a_new_label_is_in_a_file_that_lists_labels(tmp_path: Path) -> None:
    folder = foreign(tmp_path, "coco")
    with Document.create(tmp_path / "second") as document:
        come_in(document, folder, "coco")
        document.do(edits.AddLabels((Label(0, "bird"),)))
        go_out(document, tmp_path / "out", "coco", copied=False)
    told = json.loads((tmp_path / "out" / "annotations" / "instances_train.json").read_bytes())
    assert [one["name"] for one in told["categories"]] == ["cat", "dog", "bird"]


def test_ids_of_coco_stay_also_of_images_and_labels_without_boxes(tmp_path: Path) -> None:
    """One box moved, and every image without boxes had another number: detections are judged by it."""
    folder = foreign(tmp_path, "coco")
    file = folder / "annotations" / "instances_train.json"
    told = json.loads(file.read_bytes())
    told["categories"] = [{"id": 7, "name": "cat"}, {"id": 3, "name": "bird"}, {"id": 90, "name": "dog"}]
    for one in told["annotations"]:
        one["category_id"] = {1: 7, 2: 90}[one["category_id"]]
        one["image_id"] += 500
    for one in told["images"]:
        one["id"] += 500
    told["annotations"] = [one for one in told["annotations"] if one["image_id"] != 502]
    file.write_text(json.dumps(told))
    with Document.create(tmp_path / "second") as document:
        come_in(document, folder, "coco")
        box = document.boxes(next(image.id for image in document.images() if image.name == "p0.jpg"))[0]
        document.do(edits.ReplaceBoxes((replace(box, xyxy=(1, 1, 9, 9)),)))
        document.do(edits.AddLabels((Label(0, "fish"),)))
        go_out(document, tmp_path / "out", "coco", copied=False)
    out = json.loads((tmp_path / "out" / "annotations" / "instances_train.json").read_bytes())
    assert {one["file_name"]: one["id"] for one in out["images"]} == {"p0.jpg": 501, "p1.jpg": 502, "p2.jpg": 503}
    assert {one["name"]: one["id"] for one in out["categories"]} == {"cat": 7, "bird": 3, "dog": 90, "fish": 91}


def test_a_file_that_speaks_of_images_that_did_not_come_is_written_anew(tmp_path: Path) -> None:
    folder = foreign(tmp_path, "coco")
    (folder / "images" / "p0.jpg").unlink()
    with Document.create(tmp_path / "second") as document:
        come_in(document, folder, "coco")
        go_out(document, tmp_path / "out", "coco", copied=False)
    told = json.loads((tmp_path / "out" / "annotations" / "instances_train.json").read_bytes())
    assert [one["file_name"] for one in told["images"]] == ["p1.jpg", "p2.jpg"]


def test_a_file_that_lost_damaged_lines_on_the_way_in_is_written_anew(tmp_path: Path) -> None:
    folder = foreign(tmp_path, "yolo")
    whole, broken = label_files(folder, "yolo")[:2]
    broken.write_bytes(broken.read_bytes() + b"0 nan 1 1 1\r\n")
    with Document.create(tmp_path / "second") as document:
        plan = plan_import(document, folder, "yolo", settings=ImportSettings(skip_broken=True))
        keep_files(document.folder, plan, apply_import(document, plan))
        document.do(edits.SetState(tuple(image.id for image in document.images()), State.DONE))
        go_out(document, tmp_path / "out", "yolo", copied=False)
    out = tmp_path / "out" / "labels" / "train"
    assert (out / whole.name).read_bytes() == whole.read_bytes()
    assert b"nan" not in (out / broken.name).read_bytes()


def test_paths_that_would_lead_nowhere_are_written_anew_where_images_are_copied(tmp_path: Path) -> None:
    picture(tmp_path / "set" / "images" / "a.jpg")
    shape = {"label": "cat", "points": [[1, 2], [9, 8]], "shape_type": "rectangle"}
    told: dict[str, object] = {"version": "5.0.1", "flags": {}, "shapes": [shape], "imagePath": "../images/a.jpg"}
    told |= {"imageData": None, "imageHeight": 30, "imageWidth": 40}
    came = text(tmp_path / "set" / "labels" / "a.json", json.dumps(told, indent=1)).read_bytes()
    with Document.create(tmp_path / "p") as document:
        come_in(document, tmp_path / "set", "labelme")
        go_out(document, tmp_path / "apart", "labelme", copied=False)
        go_out(document, tmp_path / "copied", "labelme", copied=True)
    (apart,) = (file.read_bytes() for file in (tmp_path / "apart").rglob("a.json"))
    (copied,) = (file for file in (tmp_path / "copied").rglob("a.json"))
    assert apart == came
    assert (copied.parent / json.loads(copied.read_bytes())["imagePath"]).is_file()


def test_a_file_that_changed_between_reading_and_importing_is_not_kept(tmp_path: Path) -> None:
    folder = foreign(tmp_path, "voc")
    with Document.create(tmp_path / "second") as document:
        plan = plan_import(document, folder, "voc")
        late = label_files(folder, "voc")[0]
        text(late, voc_file(voc_object("cat", (1, 1, 2, 2)), filename=f"{late.stem}.jpg"))
        keep_files(document.folder, plan, apply_import(document, plan))
        go_out(document, tmp_path / "out", "voc", copied=False)
    assert (tmp_path / "out" / "Annotations" / late.name).read_bytes() != late.read_bytes()


def spoil(kept: Path, damage: str) -> None:
    """What each member packs, which zlib tells of, or how it is packed, which zipfile does not know then."""
    data = bytearray(kept.read_bytes())
    with zipfile.ZipFile(kept) as packed:
        members = packed.infolist()
    for member in members:
        begin = member.header_offset + 30 + len(member.filename.encode())
        if damage == "packed":
            data[begin : begin + 4] = b"\xff" * 4
    if damage == "method":
        for at in range(len(data) - 4):
            if data[at : at + 4] == b"PK\1\2":  # where the zip lists a member
                data[at + 10] = 99
    kept.write_bytes(data)


@pytest.mark.parametrize("damage", ["gone", "emptied", "no zip", "packed", "method"])
def test_kept_files_that_are_gone_or_damaged_are_written_anew(tmp_path: Path, damage: str) -> None:
    folder = foreign(tmp_path, "voc")
    with Document.create(tmp_path / "second") as document:
        come_in(document, folder, "voc")
        (kept,) = (document.folder / "imports").iterdir()
        if damage == "gone":
            kept.unlink()
        elif damage == "emptied":
            zipfile.ZipFile(kept, "w").close()
        elif damage in ("packed", "method"):
            spoil(kept, damage)
        else:
            kept.write_bytes(b"x")
        report = go_out(document, tmp_path / "out", "voc", copied=False)
    assert report.boxes == 4
    assert len(list((tmp_path / "out" / "Annotations").iterdir())) == 3


@pytest.mark.parametrize("name", NAMES)
def test_the_same_files_again_are_the_same_in_every_format(tmp_path: Path, name: str) -> None:
    folder = foreign(tmp_path, name)
    with Document.create(tmp_path / "second") as document:
        come_in(document, folder, name)
        before = [document.boxes(image.id) for image in document.images()]
        plan = plan_import(document, folder, name)
        assert (plan.left, plan.boxes, plan.added) == (0, 0, 0)
        assert {one.changed for one in plan.differences} == {exchange.ChangedSide.NOWHERE}
        come_in(document, folder, name)
        assert [document.boxes(image.id) for image in document.images()] == before
        document.undo()
        assert not any(document.boxes(image.id) for image in document.images()), "one step, the first import's"


def test_an_import_that_was_undone_leaves_the_files_of_the_one_before(tmp_path: Path) -> None:
    folder = foreign(tmp_path, "voc")
    came = {file.name: file.read_bytes() for file in label_files(folder, "voc")}
    with Document.create(tmp_path / "second") as document:
        come_in(document, folder, "voc")
        changed = label_files(folder, "voc")[1]
        text(changed, voc_file(voc_object("cat", (5, 5, 20, 20)), filename=f"{changed.stem}.jpg"))
        come_in(document, folder, "voc")
        go_out(document, tmp_path / "newer", "voc", copied=False)
        document.undo()
        go_out(document, tmp_path / "older", "voc", copied=False)
    assert (tmp_path / "newer" / "Annotations" / changed.name).read_bytes() == changed.read_bytes()
    written = {file.name: file.read_bytes() for file in (tmp_path / "older" / "Annotations").iterdir()}
    assert written == came


def test_voc_files_that_count_from_0_go_out_as_they_came_unless_one_of_them_was_edited(tmp_path: Path) -> None:
    """All files of a folder must count the same way: what is written anew counts from 1."""
    folder = photographs(tmp_path / "set")
    for number in range(3):
        drawn = voc_object("cat", (0 if number == 0 else 3, 2, 12 + number, 20))
        (folder / f"p{number}.xml").write_text(voc_file(drawn, filename=f"p{number}.jpg"))
    came = {file.name: file.read_bytes() for file in folder.glob("*.xml")}
    with Document.create(tmp_path / "project") as document:
        come_in(document, folder, "voc")
        image = next(image for image in document.images() if image.name == "p0.jpg")
        (box,) = document.boxes(image.id)
        assert list(box.xyxy) == [0, 2, 12, 20]
        go_out(document, tmp_path / "out", "voc", copied=True)
        document.do(edits.RemoveBoxes((box.id,)))
        go_out(document, tmp_path / "edited", "voc", copied=True)
    assert {file.name: file.read_bytes() for file in (tmp_path / "out").rglob("*.xml") if file.name in came} == came
    anew = [file.read_bytes() for file in (tmp_path / "edited").rglob("*.xml")]
    assert not [data for data in anew if data in came.values()]


def test_files_that_hold_their_photographs_do_not_fill_the_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """labelme puts the picture into each of its files: what was kept of them was as large as all photographs."""
    folder = foreign(tmp_path, "labelme")
    for number, file in enumerate(label_files(folder, "labelme")):
        inside = base64.b64encode(random.Random(number).randbytes(9000)).decode()
        file.write_text(json.dumps(json.loads(file.read_bytes()) | {"imageData": inside}))
    monkeypatch.setattr(origins, "LIMIT", 20_000)
    with Document.create(tmp_path / "second") as document:
        come_in(document, folder, "labelme")
        assert not list((document.folder / "imports").iterdir())
        again = plan_import(document, folder, "labelme")
        assert {one.changed for one in again.differences} == {exchange.ChangedSide.NOWHERE}
        report = go_out(document, tmp_path / "out", "labelme", copied=False)
    assert not [r for r in report.remarks if "byte for byte" in r.sentence]
    assert len(label_files(tmp_path / "out", "labelme")) == 3


def test_a_record_that_could_not_be_written_leaves_no_files_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> bytes:
        raise WorkbenchError("The disk is full.")

    folder = foreign(tmp_path, "voc")
    with Document.create(tmp_path / "second") as document:
        monkeypatch.setattr(origins, "_noted", fail)
        with pytest.raises(WorkbenchError, match="disk is full"):
            come_in(document, folder, "voc")
        assert not list((document.folder / "imports").iterdir())
