"""Import and export of a whole project: real data as it is, nothing half, nothing overwritten silently."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from tests.formats.making import picture, text, voc_file, voc_object
from workbench import exchange, formats
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import Box, Label, Split, State
from workbench.errors import Refused, WorkbenchError
from workbench.exchange import ImportSettings, apply_import, export_labels, losses, plan_import, recognise
from workbench.exchange.matching import turned


def voc_set(folder: Path, *names: str) -> Path:
    for name in names:
        text(folder / "Annotations" / f"{name}.xml", voc_file(voc_object("cat", (1, 2, 3, 4)), filename=f"{name}.jpg"))
        picture(folder / "JPEGImages" / f"{name}.jpg", grey=len(name))
    return folder


def content(document: Document) -> object:
    """All that a person could lose, to compare before and after."""
    boxes = [document.boxes(image.id) for image in document.images()]
    return document.roots(), document.labels(), tuple(document.images()), boxes


def test_bccd_comes_in_as_it_is(test_data: Path, tmp_path: Path) -> None:
    with Document.create(tmp_path / "p") as document:
        report = apply_import(document, plan_import(document, test_data / "data/bccd"))
        assert "; official splits taken: 205 train, 87 validation, 72 test" in report.sentence
        assert (report.format, report.added, report.boxes, report.missing, report.left) == ("voc", 364, 4888, 0, 0)
        names = {label.name: document.label_counts()[label.id] for label in document.labels()}
        assert names == {"RBC": 4155, "WBC": 372, "Platelets": 361}
        assert Counter(image.split for image in document.images()) == {
            Split.TRAIN: 205, Split.VALIDATION: 87, Split.TEST: 72,
        }  # fmt: skip
        assert {image.state for image in document.images()} == {State.DONE}
        points = [r.file.rsplit("/", 1)[-1] for r in report.remarks if "zero size" in r.sentence]
        assert points == ["BloodImage_00338.xml", "BloodImage_00343.xml"]
        boxes = {image.name: document.boxes(image.id) for image in document.images()}
        assert [b.xyxy for b in boxes["BloodImage_00338.jpg"] if b.width <= 1] == [(503, 336, 504, 337)]
        assert [b.xyxy for b in boxes["BloodImage_00343.jpg"] if b.width <= 1] == [(180, 328, 181, 329)]


def test_labels_find_the_images_that_the_project_already_has(test_data: Path, tmp_path: Path) -> None:
    with Document.create(tmp_path / "p", images=test_data / "data/bccd/BCCD/JPEGImages") as document:
        plan = plan_import(document, test_data / "data/bccd")
        assert (plan.matched, plan.added) == (364, 0)
        apply_import(document, plan)
        assert len(document.images()) == 364


def test_cheetah_comes_in_and_goes_in_one_step(test_data: Path, tmp_path: Path) -> None:
    with Document.create(tmp_path / "p") as document:
        report = apply_import(document, plan_import(document, test_data / "data/cheetah"))
        assert (report.format, report.added, report.boxes, report.count("repaired")) == ("yolo", 129, 231, 3)
        names = {label.name: document.label_counts()[label.id] for label in document.labels()}
        assert names == {"cheetah": 186, "human": 45}
        document.undo()
        assert (len(document.images()), document.labels()) == (0, ())
        document.redo()
        assert sum(document.box_counts().values()) == 231


def test_planning_changes_nothing(tmp_path: Path) -> None:
    with Document.create(tmp_path / "p") as document:
        before = (tmp_path / "p" / "project.sqlite").read_bytes()
        plan_import(document, voc_set(tmp_path / "set", "a"))
        assert (tmp_path / "p" / "project.sqlite").read_bytes() == before


def test_one_damaged_file_refuses_the_whole_import(tmp_path: Path) -> None:
    folder = voc_set(tmp_path / "set", "a", "b")
    text(folder / "Annotations" / "b.xml", "<annotation>\n")
    with Document.create(tmp_path / "p") as document:
        before = content(document)
        with pytest.raises(Refused, match=r"^Annotations/b\.xml:2: "):
            plan_import(document, folder)
        assert content(document) == before
        report = apply_import(document, plan_import(document, folder, settings=ImportSettings(skip_broken=True)))
        assert (report.boxes, report.count("refused")) == (1, 1)
        assert [image.state for image in document.images()] == [State.DONE, State.UNLABELLED]


def test_an_import_that_fails_half_way_leaves_the_project_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> object:
        raise WorkbenchError("The disk is full.")

    with Document.create(tmp_path / "p") as document:
        plan = plan_import(document, voc_set(tmp_path / "set", "a"))
        before = content(document)
        monkeypatch.setattr(edits.AddBoxes, "apply", fail)
        with pytest.raises(WorkbenchError, match="disk is full"):
            apply_import(document, plan)
        assert content(document) == before


@pytest.mark.parametrize(
    ("choice", "boxes", "left"), [("refuse", 1, 1), ("keep", 1, 1), ("replace", 1, 0), ("add", 2, 0)]
)
def test_images_with_boxes_are_never_overwritten_silently(tmp_path: Path, choice: str, boxes: int, left: int) -> None:
    folder = voc_set(tmp_path / "set", "a")
    with Document.create(tmp_path / "p", images=folder) as document:
        document.do(edits.AddLabels((Label(0, "dog"),)))
        image, dog = document.images()[0], document.labels()[0]
        document.do(edits.AddBoxes((Box(0, image.id, dog.id, (5, 5, 9, 9)),)))
        report = apply_import(document, plan_import(document, folder, settings=ImportSettings(on_existing=choice)))
        found = document.boxes(image.id)
        assert (len(found), report.left) == (boxes, left)
        assert (found[0].label == dog.id) is (choice != "replace")
        said = [r for r in report.remarks if "Already labelled here, but differently: the file has 1 box" in r.sentence]
        assert bool(said) is (choice == "refuse")


def test_an_annotation_without_image_file_is_left_out_with_a_remark(tmp_path: Path) -> None:
    folder = voc_set(tmp_path / "set", "a", "b")
    (folder / "JPEGImages" / "b.jpg").unlink()
    with Document.create(tmp_path / "p") as document:
        report = apply_import(document, plan_import(document, folder))
        assert (report.added, report.missing, report.boxes) == (1, 1, 1)
        assert [r.file for r in report.remarks if r.level == "refused"] == ["b.jpg"]


def test_boxes_are_turned_when_they_were_drawn_on_the_image_as_it_is_stored(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    picture(folder / "a.jpg", 40, 30, orientation=6)  # upright: 30 x 40
    text(folder / "a.xml", voc_file(voc_object("cat", (1, 1, 10, 5)), size=(40, 30)))
    with Document.create(tmp_path / "p") as document:
        report = apply_import(document, plan_import(document, folder))
        assert [box.xyxy for box in document.boxes(document.images()[0].id)] == [(25, 0, 30, 10)]
        assert any(r.level == "repaired" and "orientation 6" in r.sentence for r in report.remarks)


@pytest.mark.parametrize("orientation", [2, 3, 4, 6])
def test_an_orientation_that_the_boxes_fit_is_told(tmp_path: Path, orientation: int) -> None:
    """Of mirrored and upside down images the size says nothing, so a person must know what was taken."""
    upright = (30, 40) if orientation > 4 else (40, 30)
    text(tmp_path / "set" / "Annotations" / "a.xml", voc_file(voc_object("cat", (1, 2, 3, 4)), size=upright))
    picture(tmp_path / "set" / "JPEGImages" / "a.jpg", orientation=orientation)
    with Document.create(tmp_path / "p") as document:
        plan = plan_import(document, tmp_path / "set")
    assert [
        r.level for r in plan.remarks if f"Its EXIF orientation is {orientation}; the boxes were" in r.sentence
    ] == ["read"]
    assert plan.images[0].boxes[0][1].xyxy == (0, 1, 3, 4)


@pytest.mark.parametrize(
    ("orientation", "expected"),
    [
        (2, (37, 2, 39, 4)), (3, (37, 26, 39, 28)), (4, (1, 26, 3, 28)),
        (5, (2, 1, 4, 3)), (6, (26, 1, 28, 3)), (7, (26, 37, 28, 39)), (8, (2, 37, 4, 39)),
    ],
)  # fmt: skip
def test_turning_a_box_of_a_40_by_30_image(orientation: int, expected: tuple[int, ...]) -> None:
    assert turned((1, 2, 3, 4), orientation, 40, 30) == expected


@pytest.mark.parametrize("orientation", range(2, 9))
def test_a_turned_box_shows_the_same_pixels(tmp_path: Path, orientation: int) -> None:
    import numpy as np
    from PIL import Image as Picture

    from workbench.core import images

    stored = np.zeros((30, 40, 3), np.uint8)
    stored[2:4, 1:3] = 255
    exif = Picture.Exif()
    exif[0x0112] = orientation
    Picture.fromarray(stored).save(tmp_path / "a.png", exif=exif)
    x0, y0, x1, y1 = (int(v) for v in turned((1, 2, 3, 4), orientation, 40, 30))
    upright = images.read(tmp_path / "a.png")
    assert upright[y0:y1, x0:x1].min() == 255
    assert upright.sum() == 255 * 3 * 4


def test_annotations_of_another_size_are_refused_or_scaled_when_boxes_lie_outside(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    picture(folder / "a.jpg", 40, 30)
    text(folder / "a.xml", voc_file(voc_object("cat", (1, 1, 80, 60)), size=(80, 60)))
    with Document.create(tmp_path / "p") as document:
        with pytest.raises(Refused, match="80 x 60, the upright image is 40 x 30, and 1 box lies outside; choose to"):
            plan_import(document, folder)
        plan = plan_import(document, folder, settings=ImportSettings(on_size="scale"))
        assert any("were scaled: the annotation says 80 x 60" in remark.sentence for remark in plan.remarks)
        apply_import(document, plan)
        assert [box.xyxy for box in document.boxes(document.images()[0].id)] == [(0, 0, 40, 30)]


def test_two_annotations_of_one_image_are_refused_if_they_differ(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    picture(folder / "a.jpg")
    box = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4]}
    for name, boxes in (("train", [box]), ("val", [])):
        document = {"images": [{"id": 1, "file_name": "a.jpg"}], "categories": [{"id": 1, "name": "cat"}]}
        text(folder / f"instances_{name}.json", json.dumps(document | {"annotations": boxes}))
    with Document.create(tmp_path / "p") as project, pytest.raises(Refused, match=r"^a\.jpg: it is the same image"):
        plan_import(project, folder)


def test_images_of_the_same_name_in_two_folders_get_their_own_boxes(tmp_path: Path) -> None:
    for folder, x in (("one", 5), ("two", 9)):
        boxes = voc_file(voc_object("cat", (x, 2, 20, 20)))
        text(tmp_path / "labels" / folder / "a.xml", boxes)
        picture(tmp_path / "pictures" / folder / "a.jpg")
    with Document.create(tmp_path / "p", images=tmp_path / "pictures") as document:
        apply_import(document, plan_import(document, tmp_path / "labels"))
        found = {image.path: document.boxes(image.id)[0].xyxy[0] for image in document.images()}
        assert found == {"one/a.jpg": 4, "two/a.jpg": 8}


def test_a_copy_of_an_image_of_the_project_is_known_by_its_content(tmp_path: Path) -> None:
    picture(tmp_path / "mine" / "a.jpg", grey=1)
    with Document.create(tmp_path / "p", images=tmp_path / "mine") as document:
        plan = plan_import(document, voc_set(tmp_path / "set", "a"))
        assert (plan.matched, plan.added) == (1, 0)


def test_a_split_that_a_person_gave_stays(tmp_path: Path) -> None:
    folder = voc_set(tmp_path / "set", "a", "b")
    text(folder / "ImageSets" / "Main" / "train.txt", "a\nb\n")
    with Document.create(tmp_path / "p", images=folder) as document:
        document.do(edits.SetSplit((document.images()[0].id,), Split.TEST))
        apply_import(document, plan_import(document, folder))
        assert [image.split for image in document.images()] == [Split.TEST, Split.TRAIN]


def test_labels_come_in_under_names_that_every_format_can_hold(tmp_path: Path) -> None:
    picture(tmp_path / "set" / "a.jpg")
    shape = {"points": [[1, 2], [9, 8]], "shape_type": "rectangle"}
    names = [" cat", "cat", "big\tdog\n", "\x00", "\ufeffbird"]
    told = {"version": "5", "flags": {}, "shapes": [{"label": name, **shape} for name in names], "imagePath": "a.jpg",
            "imageData": None, "imageHeight": 30, "imageWidth": 40}  # fmt: skip
    text(tmp_path / "set" / "a.json", json.dumps(told))
    with Document.create(tmp_path / "p") as document:
        report = apply_import(document, plan_import(document, tmp_path / "set"))
        assert [label.name for label in document.labels()] == ["cat", "big dog", "unnamed", "bird"]
        assert len(document.boxes(document.images()[0].id)) == 5
        assert report.count("repaired") == 3
        with pytest.raises(WorkbenchError, match="one line without spaces at its ends"):
            document.do(edits.AddLabels((Label(0, "a "),)))


def test_an_unknown_folder_is_told_with_the_known_formats(tmp_path: Path) -> None:
    text(tmp_path / "letter.txt", "Dear Sir")
    with pytest.raises(WorkbenchError, match=r"no labels of a known format .* voc"):
        recognise(tmp_path)
    with pytest.raises(WorkbenchError, match="There is no file or folder"):
        recognise(tmp_path / "none")


def test_a_folder_of_two_formats_asks_which(tmp_path: Path) -> None:
    voc_set(tmp_path, "a")
    text(tmp_path / "x.json", json.dumps({"images": [{"id": 1, "file_name": "a.jpg"}], "categories": []}))
    with pytest.raises(WorkbenchError, match=r"several formats .*--format"):
        recognise(tmp_path)
    with Document.create(tmp_path / "p") as document:
        assert plan_import(document, tmp_path, format="coco").reading.format == "coco"


def test_a_label_folder_without_permission_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(_: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    folder = voc_set(tmp_path / "set", "a")
    with Document.create(tmp_path / "p") as document:
        monkeypatch.setattr(Path, "read_bytes", denied)
        with pytest.raises(Refused, match=r"Annotations/a.xml: the file can't be read \(Permission denied\)"):
            plan_import(document, folder)


@pytest.mark.parametrize("format", ["voc", "yolo", "openimages"])
def test_a_box_without_a_pixel_in_its_image_is_no_object_of_files_that_cut(tmp_path: Path, format: str) -> None:
    """Of one that lies beyond the border there would be a line on it, which was never drawn."""
    picture(tmp_path / "set" / "a.jpg")
    with Document.create(tmp_path / "p", images=tmp_path / "set") as document:
        (image,) = document.images()
        document.do(edits.AddLabels((Label(0, "cat"),)))
        edges = ((45.0, 5.0, 60.0, 20.0), (5.0, 5.0, 20.0, 20.0))
        document.do(edits.AddBoxes(tuple(Box(0, image.id, document.labels()[0].id, xyxy) for xyxy in edges)))
        document.do(edits.SetState((image.id,), State.DONE))
        report = export_labels(document.snapshot(), format, tmp_path / "out", copy_images=True)
        assert report.boxes == 1
        assert [r.sentence for r in report.remarks if "wholly outside their image (left out): 1." in r.sentence]
        plan = plan_import(document, tmp_path / "out", format, settings=ImportSettings(on_existing="replace"))
        assert (len(plan.reading.images[0].boxes), plan.is_empty) == (1, True), "it stays here, too"


def test_export_tells_what_the_format_loses(tmp_path: Path) -> None:
    folder = voc_set(tmp_path / "set", "a", "b")
    with Document.create(tmp_path / "p", images=folder) as document:
        document.do(edits.AddLabels((Label(0, "cat"),)))
        image = document.images()[0]
        boxes = (
            Box(0, image.id, 1, (1, 1, 5, 5), difficult=True, note="odd"),
            Box(0, image.id, 1, (-2, 1.5, 9, 9), crowd=True),
        )
        document.do(edits.AddBoxes(boxes))
        told = {name: [r.sentence for r in losses(document.snapshot(), name)] for name in ("voc", "coco", "yolo")}
        assert len(told["coco"]) == 1
        assert [s for s in told["yolo"] if "difficult" in s or "crowd" in s or "border" in s or "notes" in s]
        assert any("rounded" in s for s in told["voc"])
        report = export_labels(document.snapshot(), "yolo", tmp_path / "out")
        assert (report.images, report.boxes, report.copied) == (1, 1, 0)
        assert [r.sentence for r in report.remarks] == told["yolo"]


@pytest.mark.parametrize(
    ("splits", "keys"),
    [
        ((Split.TRAIN, Split.TRAIN), "no val,"), ((Split.VALIDATION, Split.TEST), "no train,"),
        ((Split.NONE, Split.TEST), "no train and no val,"), ((Split.TRAIN, Split.VALIDATION), ""),
    ],
)  # fmt: skip
def test_a_yolo_folder_that_ultralytics_refuses_for_want_of_a_split_is_told(
    tmp_path: Path, splits: tuple[Split, Split], keys: str
) -> None:
    folder = voc_set(tmp_path / "set", "a", "b")
    with Document.create(tmp_path / "p", images=folder) as document:
        ids = document.images().ids.tolist()
        document.do(edits.SetState(ids, State.DONE))
        for id, split in zip(ids, splits, strict=True):
            document.do(edits.SetSplit((id,), split))
        report = export_labels(document.snapshot(), "yolo", tmp_path / "out")
        said = [remark.sentence for remark in report.remarks if "Ultralytics" in remark.sentence]
        told = (tmp_path / "out" / "data.yaml").read_text()
    assert len(said) == bool(keys)
    assert all(keys in sentence for sentence in said)
    assert ("val:" in told, "train:" in told) == ("val" not in keys, "train" not in keys)


@pytest.mark.parametrize("format", [name for name, _ in formats.load_all()])
def test_an_image_that_nobody_has_looked_at_is_not_copied_as_an_empty_one(tmp_path: Path, format: str) -> None:
    for name in ("done.png", "empty.png", "unlabelled.png"):
        picture(tmp_path / "photographs" / name, orientation=6 if name == "unlabelled.png" else 1)
    with (
        Document.create(tmp_path / "p", tmp_path / "photographs") as document,
        Document.create(tmp_path / "q") as other,
    ):
        document.do(edits.AddLabels((Label(0, "cat"),)))
        done, empty, _ = (image.id for image in document.images())
        document.do(edits.AddBoxes((Box(0, done, 1, (1, 1, 9, 9)),)))
        document.do(edits.SetState((done, empty), State.DONE))
        document.do(edits.SetSplit(tuple(image.id for image in document.images()), Split.TRAIN))
        report = export_labels(document.snapshot(), format, tmp_path / "out", copy_images=True)
        keeps = "unlabelled images" not in formats.formats.get(format).cannot_store
        assert report.copied == (3 if keeps else 2)
        assert any("images without boxes" in r.sentence for r in report.remarks if r.level == "lost") or keeps
        assert not any("EXIF" in remark.sentence for remark in report.remarks), "it is not among those written"
        apply_import(other, plan_import(other, tmp_path / "out", format))
        states = {Path(image.path).stem: image.state for image in other.images()}
        assert states.get("unlabelled", State.UNLABELLED) is State.UNLABELLED
        assert states["done"] is State.DONE


@pytest.mark.parametrize("format", ["voc", "coco", "yolo"])
def test_bccd_survives_export_and_import(test_data: Path, tmp_path: Path, format: str) -> None:
    with Document.create(tmp_path / "p") as document, Document.create(tmp_path / "q") as other:
        apply_import(document, plan_import(document, test_data / "data/bccd"))
        report = export_labels(document.snapshot(), format, tmp_path / "out", copy_images=True)
        assert (report.boxes, report.copied) == (4888, 364)
        again = apply_import(other, plan_import(other, tmp_path / "out"))
        assert (again.format, again.boxes) == (format, 4888)

        def told(project: Document) -> object:
            names = {label.id: label.name for label in project.labels()}
            return {
                image.name: (image.split, [(names[box.label], box.xyxy) for box in project.boxes(image.id)])
                for image in project.images()
            }

        assert told(other) == told(document)


def test_an_export_overwrites_nothing_unless_it_may(tmp_path: Path) -> None:
    folder = voc_set(tmp_path / "set", "a")
    with Document.create(tmp_path / "p", images=folder) as document:
        before = {f: f.read_bytes() for f in folder.rglob("*.*")}
        with pytest.raises(WorkbenchError, match="is not empty"):
            export_labels(document.snapshot(), "voc", folder)
        assert {f: f.read_bytes() for f in folder.rglob("*.*")} == before
        with pytest.raises(WorkbenchError, match="holds photographs of the project"):
            export_labels(document.snapshot(), "voc", folder, copy_images=True, replace=True)
        assert {f: f.read_bytes() for f in folder.rglob("*.*")} == before
        export_labels(document.snapshot(), "voc", folder, replace=True)
        assert (folder / "JPEGImages" / "a.jpg").read_bytes() == before[folder / "JPEGImages" / "a.jpg"]


def test_exchange_names_what_others_use() -> None:
    assert set(exchange.__all__) >= {"plan_import", "apply_import", "export_labels", "losses", "recognise"}
