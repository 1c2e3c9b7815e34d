"""COCO: sparse ids, crowds, empty images, one file per split, damage with its place inside the document."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import pytest
from pycocotools.coco import COCO

from tests.formats.making import picture, snapshot, text, times_as_long
from workbench import formats
from workbench.core.project import Box, Image, Split, State
from workbench.errors import Refused
from workbench.formats import Reading, ReadSettings
from workbench.formats.parts.coco_json import ids_in, parse_coco
from workbench.formats.parts.layout import to_extra

coco = formats.load_all().get("coco")


def document(**changes: Any) -> dict[str, Any]:
    whole: dict[str, Any] = {
        "images": [
            {"id": 70, "file_name": "a.jpg", "width": 40, "height": 30},
            {"id": 3, "file_name": "b.jpg", "width": 40, "height": 30},
        ],
        "annotations": [{"id": 9, "image_id": 70, "category_id": 90, "bbox": [1, 2, 3, 4], "iscrowd": 0}],
        "categories": [{"id": 90, "name": "toothbrush"}, {"id": 1, "name": "person"}],
    }
    return whole | changes


def parse(**changes: Any) -> Any:
    return parse_coco(json.dumps(document(**changes)).encode(), "x.json")


def annotation(**changes: Any) -> dict[str, Any]:
    return {"id": 9, "image_id": 70, "category_id": 90, "bbox": [1, 2, 3, 4]} | changes


def test_sparse_ids_and_the_order_of_categories_are_kept() -> None:
    read = parse()
    assert read.labels == ("toothbrush", "person")
    assert [(i.name, [(b.label, b.xyxy) for b in i.boxes]) for i in read.images] == [
        ("a.jpg", [("toothbrush", (1, 2, 4, 6))]),
        ("b.jpg", []),
    ]


def test_an_image_without_annotations_is_done_and_empty() -> None:
    assert parse().images[1].state is State.DONE


def test_crowds_and_the_marks_of_other_tools_are_read() -> None:
    attributes = {"occluded": True, "truncated": 0, "team": "x"}
    read = parse(annotations=[annotation(iscrowd=1, ignore=1, attributes=attributes)])
    box = read.images[0].boxes[0]
    assert (box.crowd, box.difficult, box.occluded, box.truncated) == (True, True, True, False)
    assert json.loads(box.extra)["coco"]["attributes"] == {"team": "x"}


def test_a_box_without_area_is_kept_with_a_remark() -> None:
    read = parse(annotations=[annotation(bbox=[1, 2, 0, 0])])
    assert read.images[0].boxes[0].xyxy == (1, 2, 1, 2)
    assert any("zero size" in sentence for _, sentence, _ in read.remarks)


def test_outlines_and_numbers_that_are_used_twice_are_told() -> None:
    outline = [[1, 2, 4, 2, 4, 6]]
    read = parse(annotations=[annotation(id=8, segmentation=outline), annotation(segmentation=outline), annotation()])
    assert [sentence for _, sentence, _ in read.remarks[1:]] == [
        "annotations[2].id: 9 is used twice; both boxes were kept.",
        "2 outlines were ignored (segmentation): only boxes were read.",
    ]


def test_files_that_were_put_together_are_told_in_a_few_lines(tmp_path: Path) -> None:
    """Each numbered its boxes from 1, so each id occurs twice, which were as many remarks as ids."""
    twice = [annotation(id=number, bbox=[1, 2, 3, 0]) for number in (*range(500), *range(500))]
    text(tmp_path / "annotations.json", json.dumps(document(annotations=twice)))
    reading = coco.read(tmp_path)
    assert sum(len(image.boxes) for image in reading.images) == 1000
    assert len(reading.remarks) < 50
    more = [remark.sentence for remark in reading.remarks if "more like this" in remark.sentence]
    assert more == [
        "980 more like this: boxes of zero size, kept",
        "480 more like this: boxes whose id is used twice, kept",
    ]


def test_a_state_that_nobody_knows_is_done() -> None:
    states: tuple[Any, ...] = ("new", 7, ["done"], {}, None)
    for state in states:
        entry = {"id": 70, "file_name": "a.jpg", "state": state}
        assert parse(images=[entry]).images[0].state is State.DONE


def test_of_what_others_keep_with_a_box_what_is_small_is_kept_and_the_rest_is_told() -> None:
    keep = {"score": 0.5, "keypoints": [1, 2, 2], "who": "x", "mesh": [[1, 2]]}
    large = {"body": [0] * 2000, "about": "x" * 4001}
    read = parse(annotations=[annotation(**keep, **large, attributes=keep | large)])
    own = json.loads(read.images[0].boxes[0].extra)
    assert own["coco"]["more"] == own["coco"]["attributes"] == keep
    assert [sentence for _, sentence, kind in read.remarks if kind == "values not kept: too long"] == [
        f"annotations[0].{key} was not kept: it is too long."
        for key in ("body", "about", "attributes.body", "attributes.about")
    ]


def test_a_missing_box_is_made_from_the_outline_with_a_remark() -> None:
    read = parse(annotations=[annotation(bbox=None, segmentation=[[1, 2, 5, 2, 5, 9]])])
    assert read.images[0].boxes[0].xyxy == (1, 2, 5, 9)
    assert "repaired" in [level for level, _, _ in read.remarks]


def test_the_ids_of_categories_are_told() -> None:
    read = parse(categories=[{"id": 90, "name": "cat"}, {"id": 7, "name": "dog"}], annotations=[])
    (sentence,) = (sentence for level, sentence, _ in read.remarks if level == "read" and "ids" in sentence)
    assert (
        sentence == "The ids of categories are counted from 7, with 82 left out between them; labels go by their names."
    )


def test_categories_of_the_same_name_become_one_label() -> None:
    read = parse(categories=[{"id": 90, "name": "cat"}, {"id": 1, "name": "cat"}])
    assert read.labels == ("cat",)
    assert any("'cat'" in sentence for _, sentence, _ in read.remarks)


def test_ids_that_via_writes_as_texts_are_those_of_its_images() -> None:
    """VIA 2.0.10 and before: "id": 0 in images, "image_id": "0" in annotations, and an outline in one flat list."""
    flat = annotation(id=4, image_id="3", bbox=[], segmentation=[1, 2, 5, 2, 5, 9])
    read = parse(annotations=[annotation(image_id="70"), flat, annotation(id=5, image_id="3", category_id="90")])
    assert [[box.xyxy for box in image.boxes] for image in read.images] == [
        [(1, 2, 4, 6)],
        [(1, 2, 5, 9), (1, 2, 4, 6)],
    ]
    assert json.loads(read.images[0].boxes[0].extra)["coco"] == {"id": 9, "image_id": 70, "category_id": 90}
    assert [s for level, s, _ in read.remarks if level == "repaired" and "ids" in s] == [
        "4 ids are text in one place and numbers in another; they were taken as the same."
    ]
    other = parse(images=[{"id": "70", "file_name": "a.jpg"}])
    assert (len(other.images[0].boxes), other.broken) == (1, ())
    assert parse(annotations=[annotation(image_id="070")]).broken[0].reason.startswith("annotations[0].image_id")


def test_a_box_that_cvat_turned_is_read_as_the_one_around_it() -> None:
    """CVAT writes the box as it was before, and how far it was turned; so do its VOC files (test_voc.py)."""
    turned = annotation(bbox=[10, 10, 20, 4], attributes={"rotation": 450.0, "team": "x"})
    read = parse(annotations=[turned, annotation(id=8, attributes={"rotation": 0.0})])
    one, other = read.images[0].boxes
    assert one.xyxy == pytest.approx((18, 2, 22, 22))
    assert json.loads(one.extra)["coco"]["attributes"] == {"team": "x"}, "or who reads it again would turn it again"
    assert other.xyxy == (1, 2, 4, 6)
    assert "1 turned boxes were read as the boxes around them." in [sentence for _, sentence, _ in read.remarks]


def test_sizes_that_stand_as_texts_are_numbers() -> None:
    """pycocotools never looks at them, so scripts that copy them from XML go unnoticed."""
    read = parse(images=[{"id": 70, "file_name": "a.jpg", "width": "40", "height": "30.0"}])
    assert [(i.width, i.height) for i in read.images] == [(40, 30)]
    for wrong in ("4O", "", "-3", "nan"):
        (error,) = parse(images=[{"id": 70, "file_name": "a.jpg", "width": wrong}], annotations=[]).broken
        assert error.reason == f"images[0].width: expected a number of pixels, found '{wrong}'"


def test_images_of_lvis_are_named_by_their_address(tmp_path: Path) -> None:
    """As of lvis_v1_val.json: no "file_name", which all of COCO's own files have."""
    listed = [
        {"id": 70, "coco_url": "http://images.cocodataset.org/train2017/000000391895.jpg", "width": 40, "height": 30},
        {"id": 3, "coco_url": "http://images.cocodataset.org/val2017/a.jpg", "file_name": "b.jpg"},
    ]
    there = picture(tmp_path / "images" / "train2017" / "000000391895.jpg")
    file = text(tmp_path / "lvis_v1_val.json", json.dumps(document(images=listed)))
    reading = coco.read(tmp_path)
    assert [image.name for image in reading.images] == ["train2017/000000391895.jpg", "b.jpg"]
    assert (reading.images[0].file, len(reading.images[0].boxes)) == (there, 1)
    assert ids_in(file.read_bytes())[0] == {"train2017/000000391895.jpg": 70, "b.jpg": 3}
    (error,) = parse(images=[{"id": 70, "coco_url": "http://[nowhere"}], annotations=[]).broken
    assert error.reason.startswith("images[0].coco_url: expected text")


def test_what_a_project_has_no_place_for_is_told_by_its_names() -> None:
    """Once a box was edited, the export lacked the licences and the groups of categories, and nobody had said so."""
    of_images = {"license": 3, "date_captured": "2013-11-14", "flickr_url": "", "state": "done"}
    grouped = [{"id": 90, "name": "cat", "supercategory": "animal"}, {"id": 1, "name": "x", "supercategory": "none"}]
    read = parse(images=[{"id": 70, "file_name": "a.jpg"} | of_images], categories=grouped, annotations=[])
    assert [sentence for level, sentence, _ in read.remarks if level == "read" and "place" in sentence] == [
        "A project has no place for 'license', 'date_captured' of the images: only a file exported unedited has them.",
        "A project has no place for 'supercategory' of the categories: only a file exported unedited has them.",
    ]
    assert not [sentence for _, sentence, _ in parse(categories=grouped[1:]).remarks if "no place" in sentence]


ROBOFLOW = [
    {"id": 0, "name": "cells", "supercategory": "none"},
    {"id": 90, "name": "RBC", "supercategory": "cells"},
    {"id": 1, "name": "person", "supercategory": "person"},
]
LABELME2COCO = [{"id": 0, "name": "_background_", "supercategory": None}, {"id": 90, "name": "cat"}]


@pytest.mark.parametrize(
    ("boxes", "labels"),
    [([90], ["RBC", "person"]), ([90, 0], ["cells", "RBC", "person"]), ([], ["cells", "RBC", "person"])],
)  # fmt: skip
def test_a_category_that_only_groups_others_is_no_label(tmp_path: Path, boxes: list[int], labels: list[str]) -> None:
    """Roboflow's exports begin with one. Where it has boxes, or nothing has any, it may be meant."""
    annotations = [annotation(id=n, category_id=id) for n, id in enumerate(boxes)]
    for split, told in (("train", annotations), ("test", [])):
        text(tmp_path / split / "_annotations.coco.json", json.dumps(document(categories=ROBOFLOW, annotations=told)))
    reading = coco.read(tmp_path)
    assert list(reading.labels) == labels
    assert any("'cells' has no box" in r.sentence for r in reading.remarks) == ("cells" not in labels)


def test_the_background_of_labelme2coco_is_no_label(tmp_path: Path) -> None:
    text(tmp_path / "annotations.json", json.dumps(document(categories=LABELME2COCO)))
    assert coco.read(tmp_path).labels == ("cat",)


OBJECTIONS: dict[str, tuple[dict[str, Any], str]] = {
    "three numbers": ({"annotations": [annotation(bbox=[1, 2, 3])]}, "annotations[0].bbox"),
    "negative width": ({"annotations": [annotation(bbox=[1, 2, -3, 4])]}, "annotations[0].bbox"),
    "text as number": ({"annotations": [annotation(bbox=[1, 2, "3", 4])]}, "annotations[0].bbox"),
    "infinite": ({"annotations": [annotation(bbox=[1, 2, 1e308, 4])]}, "annotations[0].bbox"),
    "no such image": ({"annotations": [annotation(), annotation(id=8, image_id=4)]}, "annotations[1].image_id"),
    "no such category": ({"annotations": [annotation(category_id=2)]}, "annotations[0].category_id"),
    "no object": ({"annotations": [7]}, "annotations[0]"),
    "image twice": ({"images": [{"id": 1, "file_name": "a"}, {"id": 1, "file_name": "b"}]}, "images[1].id"),
    "image without name": ({"images": [{"id": 70}]}, "images[0].file_name"),
    "label without name": ({"categories": [{"id": 90, "name": " "}]}, "categories[0].name"),
    "half a character": ({"categories": [{"id": 90, "name": "\ud800"}]}, "categories[0].name"),
    "true as an id": ({"categories": [{"id": True, "name": "cat"}]}, "categories[0].id"),
}


@pytest.mark.parametrize("case", OBJECTIONS)
def test_a_damaged_entry_is_refused_with_its_place(tmp_path: Path, case: str) -> None:
    changes, place = OBJECTIONS[case]
    text(tmp_path / "x.json", json.dumps(document(**changes)))
    with pytest.raises(Refused) as caught:
        coco.read(tmp_path / "x.json")
    assert caught.value.sentence.startswith(f"x.json: {place}")


WHOLE = json.dumps(document(), indent=1)
DAMAGED = {
    "NaN": (WHOLE.replace("40", "NaN", 1), 6),
    "Infinity": (WHOLE.replace("40", "-Infinity", 1), 6),
    "a key twice": (WHOLE.replace('"width": 40', '"width": 40, "width": 41', 1), 6),
    "cut off": (WHOLE[:-3], WHOLE.count("\n")),
    "not UTF-8": (WHOLE.replace("a.jpg", "\udcff.jpg", 1), 5),
    "deep": (WHOLE.replace("40", "[" * 100_000 + "]" * 100_000, 1), 6),
    "endless number": (WHOLE.replace("40", "4" * 5000, 1), 6),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_document_is_refused_with_its_line(tmp_path: Path, case: str) -> None:
    content, line = DAMAGED[case]
    text(tmp_path / "x.json", content.encode("utf-8", "surrogateescape"))
    with pytest.raises(Refused) as caught:
        coco.read(tmp_path / "x.json")
    assert caught.value.sentence.startswith(f"x.json:{line}:")


def test_skipping_a_broken_annotation_leaves_its_image_in_work(tmp_path: Path) -> None:
    text(tmp_path / "x.json", json.dumps(document(annotations=[annotation(), annotation(id=8, bbox=[])])))
    reading = coco.read(tmp_path, settings=ReadSettings(skip_broken=True))
    assert [(i.state, len(i.boxes)) for i in reading.images] == [(State.IN_WORK, 1), (State.DONE, 0)]
    assert [r.level for r in reading.remarks] == ["read", "refused"]


def test_one_file_per_split_and_images_of_the_same_name_in_the_folders_of_the_splits(tmp_path: Path) -> None:
    for split in ("train", "val"):
        text(tmp_path / "annotations" / f"instances_{split}2017.json", json.dumps(document(annotations=[])))
        picture(tmp_path / f"{split}2017" / "a.jpg")
    found = {i.file: i.split for i in coco.read(tmp_path).images if i.file}
    assert found == {
        tmp_path / "train2017" / "a.jpg": Split.TRAIN,
        tmp_path / "val2017" / "a.jpg": Split.VALIDATION,
    }


def test_files_of_other_tasks_are_left_out_with_a_remark(test_data: Path) -> None:
    reading = coco.read(test_data / "import_cases/datumaro/coco_dataset/coco")
    assert [(i.name, i.split, len(i.boxes)) for i in reading.images] == [
        ("a.jpg", Split.TRAIN, 1),
        ("b.jpg", Split.VALIDATION, 2),
    ]
    assert sum("another task" in r.sentence for r in reading.remarks) == 12


def test_crowd_regions_of_real_photographs_are_told_apart(test_data: Path) -> None:
    reading = coco.read(test_data / "import_cases/evaluation/cocoapi/instances_val2014_100.json")
    every = [box for image in reading.images for box in image.boxes]
    assert (len(reading.images), len(reading.labels), len(every), sum(b.crowd for b in every)) == (100, 80, 839, 9)


def test_original_ids_come_back_on_writing(tmp_path: Path) -> None:
    text(tmp_path / "x.json", json.dumps(document(images=document()["images"][:1])))
    read = coco.read(tmp_path)
    boxes = [Box(0, 0, 0, b.xyxy, extra=b.extra) for b in read.images[0].boxes]
    coco.write(snapshot(["toothbrush"], [Image(1, "a.jpg", 40, 30, State.DONE)], boxes), tmp_path / "out")
    written = json.loads((tmp_path / "out/annotations/instances_default.json").read_text())
    assert [i["id"] for i in written["images"]] == [70]
    assert [(a["id"], a["image_id"], a["category_id"]) for a in written["annotations"]] == [(9, 70, 90)]
    assert [c["id"] for c in written["categories"]] == [90]


def test_ids_count_from_one_through_all_files_when_there_are_no_original_ones(tmp_path: Path) -> None:
    images = [Image(1, "s/a.jpg", 40, 30, State.DONE, Split.TEST), Image(2, "t/a.jpg", 40, 30, State.DONE, Split.TRAIN)]
    boxes = [Box(0, 0, 1, (0, 0, 4, 3)), Box(0, 1, 0, (0, 0, 2, 2))]
    files = coco.write(snapshot(["cat", "dog"], images, boxes), tmp_path)
    assert [f.name for f in files] == ["instances_train.json", "instances_test.json"]
    test = json.loads(files[1].read_text())
    assert test["images"][0] == {"id": 1, "file_name": "s/a.jpg", "width": 40, "height": 30}
    assert test["annotations"][0] | {"id": 1, "image_id": 1, "category_id": 2, "area": 12} == test["annotations"][0]
    assert [c["name"] for c in test["categories"]] == ["cat", "dog"]


def ids_written(
    boxes: list[Box], labels: list[str], images: int, folder: Path
) -> tuple[list[Any], list[Any], list[Any]]:
    """Of categories, images and annotations."""
    told = [Image(n + 1, f"{n}.jpg", 40, 30, State.DONE) for n in range(images)]
    (file,) = coco.write(snapshot(labels, told, boxes), folder)
    written = json.loads(file.read_text())
    found = [[entry["id"] for entry in written[key]] for key in ("categories", "images", "annotations")]
    return found[0], found[1], found[2]


def came(image: int, label: int, **ids: Any) -> Box:
    return Box(0, image, label, (1, 2, 5, 9), extra=to_extra("coco", ids))


def test_ids_that_came_stay_when_a_box_is_drawn(tmp_path: Path) -> None:
    boxes = [came(0, 1, id=700, image_id=139, category_id=3), Box(0, 0, 1, (0, 0, 4, 3)), Box(0, 1, 0, (0, 0, 4, 3))]
    assert ids_written(boxes, ["person", "car"], 3, tmp_path) == ([4, 3], [139, 140, 141], [700, 701, 702])


def test_a_box_that_got_another_label_does_not_change_the_number_of_either(tmp_path: Path) -> None:
    cars = [came(0, 0, id=n, image_id=5, category_id=3) for n in (1, 2)]
    boxes = [*cars, came(0, 1, id=3, image_id=5, category_id=3), came(0, 2, id=4, image_id=5, category_id=3)]
    boxes += [came(0, 2, id=n, image_id=5, category_id=8) for n in (5, 6)]
    assert ids_written(boxes, ["car", "bus", "truck"], 1, tmp_path)[0] == [3, 9, 8]


def test_an_id_that_several_came_with_is_given_once(tmp_path: Path) -> None:
    twice = [came(n, 0, id="x", image_id=0, category_id=[]) for n in (0, 1)]
    assert ids_written(twice, ["car"], 2, tmp_path) == ([1], [0, 1], ["x", 1])


def test_what_readers_of_others_ask_for_is_there(tmp_path: Path) -> None:
    """pycocotools 2.0.10 copies "info" unasked; others ask each annotation for its "segmentation"."""
    images, boxes = [Image(1, "a.jpg", 40, 30, State.DONE)], [Box(0, 0, 0, (0, 0, 4, 3))]
    (file,) = coco.write(snapshot(["cat"], images, boxes), tmp_path)
    written = json.loads(file.read_text())
    assert (written["info"], written["licenses"]) == ({"description": "Workbench"}, [])
    assert set(written["annotations"][0]) == {
        "id", "image_id", "category_id", "segmentation", "bbox", "area", "iscrowd",
    }  # fmt: skip
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(file))
        truth.info()
        assert truth.loadRes([{"image_id": 1, "category_id": 1, "bbox": [0, 0, 4, 3], "score": 0.5}]).getAnnIds() == [1]


def test_very_many_categories_are_read_at_once(tmp_path: Path) -> None:
    def read(count: int) -> Reading:
        return coco.read(tmp_path / f"{count}.json")

    for count in (2_500, 20_000):
        names = [{"id": n, "name": f"label {n // 2 if n < 10 else n}"} for n in range(count)]
        text(tmp_path / f"{count}.json", json.dumps({"images": [], "annotations": [], "categories": names}))
    assert times_as_long(lambda: read(2_500), lambda: read(20_000)) < 24  # 64 if each name is counted among all
    assert sum("they became one label" in remark.sentence for remark in read(20_000).remarks) == 5


def test_values_that_earlier_versions_kept_go_out_although_they_are_long_together(tmp_path: Path) -> None:
    points = {key: [n + 0.125 for n in range(100, 300)] for key in ("face_kpts", "lefthand_kpts", "righthand_kpts")}
    extra = to_extra("coco", {"id": 5, "image_id": 1, "category_id": 1, "more": points, "attributes": points})
    boxes = [Box(0, 0, 0, (1, 2, 3, 4), extra=extra)]
    (file,) = coco.write(snapshot(["cat"], [Image(1, "a.jpg", 40, 30, State.DONE)], boxes), tmp_path)
    (written,) = json.loads(file.read_bytes())["annotations"]
    assert {key: written[key] for key in points} == written["attributes"] == points


@pytest.mark.parametrize(
    "extra", ['{"coco": [7]}', '{"coco": {"id": [], "more": 3, "attributes": 1}}', '{"coco": {"more": {"a": 1e999}}}']
)
def test_an_extra_that_is_no_good_is_not_written(tmp_path: Path, extra: str) -> None:
    image = Image(1, "a.jpg", 40, 30, State.DONE)
    (file,) = coco.write(snapshot(["cat"], [image], [Box(0, 0, 0, (1, 2, 3, 4), extra=extra)]), tmp_path)
    assert [box.xyxy for box in coco.read(file).images[0].boxes] == [(1, 2, 3, 4)]
