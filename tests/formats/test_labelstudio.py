"""Label Studio: percents of an image, the annotation that counts, names of uploads, and tasks that it imports again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.formats.making import picture, snapshot, text
from workbench import formats
from workbench.core.project import Box, Image, Snapshot, Split, State
from workbench.errors import Refused
from workbench.formats import ReadImage, ReadSettings
from workbench.formats.parts.labelstudio_json import image_names, parse_labelstudio
from workbench.formats.parts.labelstudio_results import Shape

labelstudio = formats.load_all().get("labelstudio")

# a result of an export of Label Studio 1.7 (tests/custom/converter/data of label-studio-sdk has such files)
RESULT: dict[str, Any] = {
    "original_width": 40,
    "original_height": 30,
    "image_rotation": 0,
    "value": {"x": 25.0, "y": 20.0, "width": 50.0, "height": 10.0, "rotation": 0, "rectanglelabels": ["cat"]},
    "id": "C7oHaRDVVC",
    "from_name": "label",
    "to_name": "image",
    "type": "rectanglelabels",
    "origin": "manual",
}
XYXY = (10, 6, 30, 9)
PLACE = {key: RESULT["value"][key] for key in ("x", "y", "width", "height", "rotation")}
COMMON = {key: told for key, told in RESULT.items() if key not in ("value", "type", "from_name")}


def result(id: str | None = "C7oHaRDVVC", **changes: Any) -> dict[str, Any]:
    """A rectangle; `changes` are of the result, or of its value where that has the key."""
    value = RESULT["value"] | {key: told for key, told in changes.items() if key in RESULT["value"]}
    return RESULT | {"id": id, "value": value} | {key: told for key, told in changes.items() if key not in value}


def beside(kind: str, value: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A result that belongs to the rectangle, as the editor writes it: with its geometry."""
    return COMMON | {"type": kind, "from_name": kind, "value": PLACE | value} | changes


def annotation(*results: Any, day: int = 1, **changes: Any) -> dict[str, Any]:
    told = {"id": day, "completed_by": 2, "result": list(results), "was_cancelled": False, "ground_truth": False}
    stamps = {"created_at": f"2022-12-{day:02}T13:36:25.747398Z", "updated_at": f"2022-12-{day:02}T21:04:40.495704Z"}
    return told | stamps | {"lead_time": 1235.418, "prediction": {}, "task": 1, "parent_annotation": None} | changes


def task(*annotations: Any, image: Any = "/data/upload/3/0a1b2c3d-a.jpg", **changes: Any) -> dict[str, Any]:
    told = {"id": 1, "annotations": list(annotations), "drafts": [], "predictions": [], "data": {"image": image}}
    return told | {"meta": {}, "inner_id": 1, "total_annotations": len(annotations), "project": 3} | changes


def labelled(*results: Any, **changes: Any) -> dict[str, Any]:
    return task(annotation(*results), **changes)


def parse(*tasks: Any) -> Any:
    return parse_labelstudio(json.dumps(tasks).encode(), "x.json")


def read(folder: Path, *tasks: Any, **settings: Any) -> Any:
    text(folder / "project-1-at-2022-12-27-21-05-d1a7e2f8.json", json.dumps(tasks, indent=4))
    return labelstudio.read(folder, settings=ReadSettings(**settings))


def levels(reading: Any) -> list[tuple[str, str]]:
    return [(remark.level, remark.sentence) for remark in reading.remarks]


def again(images: list[ReadImage], folder: Path) -> list[Any]:
    """The tasks that are written for what was read."""
    labels = list(dict.fromkeys(box.label for image in images for box in image.boxes))
    made = [Image(n + 1, i.name, i.width, i.height, i.state, i.split or Split.NONE) for n, i in enumerate(images)]
    boxes = [
        Box(0, n, labels.index(b.label), b.xyxy, b.difficult, b.truncated, b.occluded, b.crowd, b.note, b.extra)
        for n, image in enumerate(images)
        for b in image.boxes
    ]
    file, _ = labelstudio.write(snapshot(labels, made, boxes), folder)
    return list(json.loads(file.read_text(encoding="utf-8")))


def test_a_box_is_percents_of_its_image(tmp_path: Path) -> None:
    image = picture(tmp_path / "a.jpg")
    reading = read(tmp_path, labelled(RESULT, result("x", x=-5, rectanglelabels=["dog"])))
    (found,) = reading.images
    assert (found.name, found.file, found.width, found.height) == ("a.jpg", image, 40, 30)
    assert (found.state, found.split) == (State.DONE, None)
    assert [(b.label, b.xyxy) for b in found.boxes] == [("cat", XYXY), ("dog", (-2, 6, 18, 9))]
    assert not reading.remarks


def test_what_label_studio_wrote_is_written_again_as_it_was(tmp_path: Path) -> None:
    results = [
        result(score=0.5, meta={"text": ["half hidden"], "who": "me"}, rectanglelabels=["cat", "dog"]),
        beside("choices", {"choices": ["blurry", "difficult"]}, from_name="quality"),
        beside("textarea", {"text": ["a tail"]}, from_name="words"),
        result("second", parentID="C7oHaRDVVC"),
    ]
    told = labelled(*results, meta={"batch": 7})
    told["data"] |= {"camera": "north", "split": "test"}
    reading = read(tmp_path, told)
    cat, dog, _ = reading.images[0].boxes
    assert (cat.label, dog.label, cat.note, cat.difficult, cat.occluded) == ("cat", "dog", "half hidden", True, False)
    assert reading.images[0].split is Split.TEST
    (written,) = again(list(reading.images), tmp_path / "out")
    assert written["annotations"] == [{"result": results, "was_cancelled": False, "ground_truth": False}]
    assert written["data"] == told["data"] | {"image": "/data/local-files/?d=images/a.jpg"}
    assert written["meta"] == {"batch": 7}


@pytest.mark.parametrize(
    ("choice", "name", "marks"),
    [
        (["difficult", "Truncated "], "attributes", {"difficult", "truncated"}),
        (["yes"], "occluded", {"occluded"}),
        (["no"], "occluded", set()),
        (["crowd"], "what", {"crowd"}),
        (["blurry"], "what", set()),
    ],
)
def test_choices_of_a_region_are_its_marks(tmp_path: Path, choice: list[str], name: str, marks: set[str]) -> None:
    reading = read(tmp_path, labelled(RESULT, beside("choices", {"choices": choice}, from_name=name)))
    box = reading.images[0].boxes[0]
    assert {m for m in ("difficult", "truncated", "occluded", "crowd") if getattr(box, m)} == marks
    assert not reading.remarks
    (file, _) = labelstudio.write(
        snapshot(["cat"], [Image(1, "a.jpg", 40, 30)], [Box(0, 0, 0, XYXY, extra=box.extra, crowd=True)]),
        tmp_path / "o",
    )
    assert [b.crowd for b in labelstudio.read(file).images[0].boxes] == [True]


def test_a_turned_rectangle_turns_around_its_left_top_corner_and_becomes_its_bounding_box(tmp_path: Path) -> None:
    reading = read(tmp_path, labelled(result(rotation=90), result("b", rotation=30), result("c", rotation=360)))
    quarter, turned, whole = (box.xyxy for box in reading.images[0].boxes)
    assert quarter == pytest.approx((7, 6, 10, 26))  # 20 x 3 pixels, clockwise
    assert turned == pytest.approx((10 - 1.5, 6, 10 + 20 * 0.8660254, 6 + 10 + 3 * 0.8660254))
    assert whole == XYXY
    assert levels(reading) == [("repaired", "2 turned rectangles were read as their bounding boxes.")]


def test_the_view_that_an_annotator_turned_is_not_in_the_numbers(tmp_path: Path) -> None:
    reading = read(tmp_path, labelled(result(image_rotation=90)))
    assert reading.images[0].boxes[0].xyxy == XYXY
    (written,) = again(list(reading.images), tmp_path / "out")
    assert written["annotations"][0]["result"][0]["image_rotation"] == 90


@pytest.mark.parametrize(
    ("shape", "xyxy"),
    [
        (Shape("ellipse", (50, 50, 25, 10)), (50, 40, 150, 60)),
        (Shape("ellipse", (50, 50, 25, 10), 90), (90, 0, 110, 100)),
        (Shape("polygon", (10, 20, 30, 5, 15, 90)), (20, 5, 60, 90)),
        (Shape("rectangle", (10, 10, 20, 40), 180), (-20, -30, 20, 10)),
    ],
)
def test_the_bounding_box_of_a_shape_in_an_image_of_200_by_100_pixels(shape: Shape, xyxy: tuple[float, ...]) -> None:
    assert shape.pixels(200, 100) == pytest.approx(xyxy)


def test_other_shapes_become_boxes_and_what_can_not_is_counted(tmp_path: Path) -> None:
    ellipse = {"x": 50, "y": 50, "radiusX": 25, "radiusY": 10, "rotation": 0, "ellipselabels": ["cat"]}
    polygon = {"points": [[10, 20], [30, 10], [20, 50]], "closed": True, "polygonlabels": ["dog"]}
    brush = {"format": "rle", "rle": [1, 2, 3], "brushlabels": ["cat"]}
    point = {"x": 1, "y": 2, "width": 0.3, "keypointlabels": ["nose"]}
    values = {"ellipselabels": ellipse, "polygonlabels": polygon, "brushlabels": brush, "keypointlabels": point}
    shapes = [RESULT | {"id": kind, "type": kind, "value": value} for kind, value in values.items()]
    relation = {"type": "relation", "from_id": "ellipselabels", "to_id": "polygonlabels", "direction": "right"}
    weather = {"type": "choices", "id": "whole", "from_name": "weather", "value": {"choices": ["fog"]}}
    reading = read(tmp_path, labelled(*shapes, relation, weather, RESULT))
    assert [(b.label, b.xyxy) for b in reading.images[0].boxes] == [
        ("cat", (10, 12, 30, 18)),
        ("dog", (4, 3, 12, 15)),
        ("cat", XYXY),
    ]
    assert levels(reading) == [
        ("refused", "1 brush masks were left out."),
        ("refused", "1 key points were left out."),
        ("refused", "1 relations between boxes were left out."),
        ("refused", "1 results of the kind 'choices' without a box were left out."),
        ("repaired", "1 ellipses were read as their bounding boxes."),
        ("repaired", "1 polygons were read as their bounding boxes."),
    ]


def test_labels_that_stand_apart_from_their_rectangle_are_found_by_its_id(tmp_path: Path) -> None:
    """As the interface <Rectangle> with <Labels> writes it."""
    plain = RESULT | {"type": "rectangle", "from_name": "rect", "value": PLACE}
    reading = read(tmp_path, labelled(beside("labels", {"labels": ["cat"]}), plain))
    assert [(b.label, b.xyxy) for b in reading.images[0].boxes] == [("cat", XYXY)]
    alone = read(tmp_path, labelled(beside("labels", {"labels": ["dog"]})))
    assert [(b.label, b.xyxy) for b in alone.images[0].boxes] == [("dog", XYXY)]


def test_results_without_an_id_are_all_read(tmp_path: Path) -> None:
    apart = beside("labels", {"labels": ["dog"]}, id=None)
    reading = read(tmp_path, labelled(result(None), result(None), apart))
    assert [b.label for b in reading.images[0].boxes] == ["cat", "cat", "dog"]


def test_a_region_without_a_label_is_counted_and_leaves_its_image_in_work(tmp_path: Path) -> None:
    reading = read(tmp_path, labelled(RESULT, RESULT | {"id": "b", "type": "rectangle", "value": PLACE}))
    assert (reading.images[0].state, len(reading.images[0].boxes)) == (State.IN_WORK, 1)
    assert levels(reading) == [("refused", "1 regions without a label were left out.")]


ANNOTATIONS: dict[str, tuple[list[Any], list[str], State, str]] = {
    "none": ([], [], State.UNLABELLED, ""),
    "an empty one": ([annotation()], [], State.DONE, ""),
    "ground truth": ([annotation(RESULT, ground_truth=True)], ["cat"], State.VERIFIED, ""),
    "the newest of two": (
        [annotation(result(rectanglelabels=["new"]), day=9), annotation(result(rectanglelabels=["old"]), day=2)],
        ["new"], State.DONE, "1 tasks have several annotations; the newest of each was taken.",
    ),
    "changed later": (
        [annotation(result(rectanglelabels=["old"]), day=3),
         annotation(result(rectanglelabels=["new"]), day=2, updated_at="2023-01-01T00:00:00+01:00")],
        ["new"], State.DONE, "1 tasks have several annotations; the newest of each was taken.",
    ),
    "without dates the last": (
        [{"result": [result(rectanglelabels=["old"])]}, {"result": [result(rectanglelabels=["new"])]}],
        ["new"], State.DONE, "1 tasks have several annotations; the newest of each was taken.",
    ),
    "the newest was cancelled": (
        [annotation(result(rectanglelabels=["old"]), day=2), annotation(RESULT, day=9, was_cancelled=True)],
        ["old"], State.DONE, "",
    ),
    "skipped": (
        [annotation(RESULT, was_cancelled=True)], [], State.UNLABELLED,
        "1 tasks were skipped (cancelled) by their annotators: unlabelled.",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", ANNOTATIONS)
def test_of_several_annotations_the_newest_that_was_not_cancelled_counts(tmp_path: Path, case: str) -> None:
    annotations, labels, state, told = ANNOTATIONS[case]
    reading = read(tmp_path, task(*annotations))
    assert ([b.label for b in reading.images[0].boxes], reading.images[0].state) == (labels, state)
    assert [remark.sentence for remark in reading.remarks] == ([told] if told else [])


def test_completions_of_the_first_versions_are_read(tmp_path: Path) -> None:
    """As Label Studio 0.9 wrote them."""
    old = {"completions": [{"created_at": 1600000000, "id": 1, "result": [RESULT], "skipped": True},
                           {"created_at": 1500000000, "id": 2, "result": [RESULT]}]}  # fmt: skip
    reading = read(tmp_path, {"id": 0, "data": {"image": "/data/upload/a.jpg"}} | old)
    assert [(i.name, len(i.boxes)) for i in reading.images] == [("a.jpg", 1)]


def test_predictions_and_drafts_are_no_labels(tmp_path: Path) -> None:
    reading = read(tmp_path, task(predictions=[{"result": [RESULT], "score": 0.9}], drafts=[{"result": [RESULT]}]))
    assert (reading.images[0].boxes, reading.images[0].state) == ((), State.UNLABELLED)
    assert levels(reading) == [
        ("refused", "1 tasks have drafts, which are no labels and were left out."),
        ("refused", "1 tasks have predictions, which are no labels and were left out."),
    ]


# as label-studio-sdk 2.0 writes JSON-MIN: the data of the task, one list for each control, no ids
MINIMAL: dict[str, Any] = {
    "image": "/data/upload/3/0a1b2c3d-a.jpg",
    "id": 1,
    "label": [RESULT["value"] | {"original_width": 40, "original_height": 30}],
    "weather": "fog",
    "annotator": 2,
    "annotation_id": 5,
    "created_at": "2022-12-01T13:36:25.747398Z",
    "updated_at": "2022-12-01T21:04:40.495704Z",
    "lead_time": 3.5,
}


def test_json_min_is_read(tmp_path: Path) -> None:
    later = {"label": [MINIMAL["label"][0] | {"rectanglelabels": ["dog"]}], "updated_at": "2022-12-03T21:04:40Z"}
    empty = {"image": "b.jpg", "id": 2, "annotator": 2, "annotation_id": 6, "lead_time": 1}
    bare = empty | {"image": "c.jpg", "id": 3, "annotation_id": None}
    reading = read(tmp_path, MINIMAL | later, MINIMAL, empty, bare)
    assert [(i.name, i.state, [(b.label, b.xyxy) for b in i.boxes]) for i in reading.images] == [
        ("a.jpg", State.DONE, [("dog", XYXY)]),
        ("b.jpg", State.DONE, []),
        ("c.jpg", State.UNLABELLED, []),
    ]
    assert levels(reading) == [("repaired", "1 tasks have several annotations; the newest of each was taken.")]
    assert json.loads(reading.images[0].boxes[0].extra)["labelstudio"]["task"] == {"data": {"weather": "fog"}}


def test_marks_of_json_min_are_counted_for_it_does_not_say_of_which_region_they_are(tmp_path: Path) -> None:
    several = PLACE | {"choices": ["difficult", "occluded"]}
    reading = read(tmp_path, MINIMAL | {"what": "difficult"}, MINIMAL | {"id": 2, "image": "b.jpg", "what": [several]})
    assert [i.boxes[0].difficult for i in reading.images] == [False, False]
    assert levels(reading) == [
        ("refused", "1 marks were left out: JSON-MIN does not say of which region they are."),
        ("refused", "1 results of the kind 'choices' without a box were left out."),
    ]


def test_a_damaged_record_of_json_min_is_refused_with_its_place(tmp_path: Path) -> None:
    damaged = MINIMAL | {"label": [MINIMAL["label"][0] | {"width": "wide"}]}
    with pytest.raises(Refused, match=r": \[0\]\.label\[0\]\.width: expected a finite number, found 'wide'"):
        read(tmp_path, damaged)


def test_a_file_of_a_target_storage_is_one_annotation_with_its_task(tmp_path: Path) -> None:
    stored = annotation(RESULT) | {"task": {"id": 1, "data": {"image": "s3://bucket/day/a.jpg"}, "predictions": [1]}}
    text(tmp_path / "12.json", json.dumps(stored))
    text(tmp_path / "13.json", json.dumps(task(annotation(), image="s3://bucket/day/b.jpg")))
    assert formats.recognise(tmp_path) == [("labelstudio", 1.0)]
    assert [(i.name, len(i.boxes)) for i in labelstudio.read(tmp_path).images] == [("day/a.jpg", 1), ("day/b.jpg", 0)]


NAMES = {
    "/data/upload/3/0a1b2c3d-a%20b.jpg": ("a b.jpg", "data/upload/3/0a1b2c3d-a b.jpg"),
    "upload/3/0a1b2c3d-a.jpg": ("a.jpg", "upload/3/0a1b2c3d-a.jpg"),
    "/data/upload/a.jpg": ("a.jpg", "data/upload/a.jpg"),
    "http://localhost:8080/data/upload/3/0a1b2c3d-a.jpg?token=x": ("a.jpg", "data/upload/3/0a1b2c3d-a.jpg"),
    "/storage-data/uploaded/?filepath=upload/3/0a1b2c3d-a.jpg": ("a.jpg", "upload/3/0a1b2c3d-a.jpg"),
    "/data/local-files/?d=day%201/a%2Bb.jpg": ("day 1/a+b.jpg",),
    "/data/local-files/?d=day/a&b.jpg": ("day/a&b.jpg",),
    "s3://bucket/day/a.jpg": ("day/a.jpg",),
    "https://example.com/day/a%20b.jpg?size=1#top": ("day/a b.jpg",),
    "day\\a.jpg": ("day/a.jpg",),
    "0a1b2c3d-a.jpg": ("0a1b2c3d-a.jpg",),
    "100%25.jpg": ("100%25.jpg", "100%.jpg"),
    "data:image/png;base64,iVBORw0KGgo=": (),
}


@pytest.mark.parametrize("url", NAMES)
def test_the_paths_that_a_value_may_mean(url: str) -> None:
    names = image_names(url)
    assert set(NAMES[url]) <= set(names)
    assert names[:1] == NAMES[url][:1] or url.endswith("a&b.jpg")


@pytest.mark.parametrize("file", ["a.jpg", "0a1b2c3d-a.jpg", "upload/3/0a1b2c3d-a.jpg", "images/a.jpg"])
def test_an_upload_is_found_with_and_without_its_hash(tmp_path: Path, file: str) -> None:
    image = picture(tmp_path / "pictures" / file)
    text(tmp_path / "set" / "x.json", json.dumps([labelled(RESULT)]))
    for given in (tmp_path / "set", tmp_path / "set" / "x.json"):
        assert [i.file for i in labelstudio.read(given, [tmp_path / "pictures"]).images] == [image]


def test_images_of_the_same_name_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    images = [picture(tmp_path / folder / "a.jpg") for folder in ("day 1", "day 2", "b")]
    tasks = [labelled(RESULT, image=f"/data/local-files/?d=photos/day%20{n}/a.jpg") for n in (1, 2)]
    reading = read(tmp_path, *tasks, labelled(RESULT))
    assert [i.file for i in reading.images] == [*images[:2], None, images[2]][:3]
    assert [r.sentence[:28] for r in reading.remarks] == ["3 images fit the name '/data"]


@pytest.mark.parametrize(
    "name",
    [
        "../secret.jpg",
        "/etc/secret.jpg",
        "C:\\secret.jpg",
        "/data/local-files/?d=..%2Fsecret.jpg",
        "http://x/a/../../secret.jpg",
    ],
)
def test_names_that_lead_outside_are_not_followed(tmp_path: Path, name: str) -> None:
    picture(tmp_path / "secret.jpg")
    file = text(tmp_path / "set" / "x.json", json.dumps([labelled(RESULT, image=name)]))
    for given in (tmp_path / "set", file):
        reading = labelstudio.read(given)
        assert [i.file for i in reading.images] == [None]
        assert any(r.level == "repaired" and "outside" in r.sentence for r in reading.remarks)


def test_the_image_is_found_under_any_key_of_the_data(tmp_path: Path) -> None:
    data = {"caption": "a cat. jpg", "number": 3, "thumb": "s/t.jpg", "photo": "day/a.jpg"}
    reading = read(tmp_path, labelled(result(to_name="photo"), data=data))
    assert reading.images[0].name == "day/a.jpg"
    assert levels(reading) == [("read", "1 tasks name several images; those of 'photo' were taken.")]
    with pytest.raises(Refused, match=r"\[0\]\.data: no value in it names an image"):
        read(tmp_path, labelled(RESULT, data={"text": "a cat"}))


def test_a_task_of_several_images_is_read_image_by_image(tmp_path: Path) -> None:
    pages = {"pages": ["a.jpg", "b.jpg"]}
    reading = read(tmp_path, labelled(RESULT, result("b", item_index=1, rectanglelabels=["dog"]), data=pages))
    assert [(i.name, [b.label for b in i.boxes]) for i in reading.images] == [("a.jpg", ["cat"]), ("b.jpg", ["dog"])]
    with pytest.raises(Refused, match="item_index"):
        read(tmp_path, labelled(result(item_index=2), data=pages))


def test_without_a_size_in_the_file_the_size_of_the_image_counts(tmp_path: Path) -> None:
    bare = {key: value for key, value in RESULT.items() if not key.startswith("original")}
    picture(tmp_path / "a.jpg", 80, 60)
    text(tmp_path / "c.jpg", "no picture")
    tasks = [labelled(bare), labelled(bare, image="b.jpg"), labelled(bare, image="c.jpg")]
    reading = read(tmp_path, *tasks)
    assert [[b.xyxy for b in i.boxes] for i in reading.images] == [[(20, 12, 60, 18)], [], []]
    assert [i.state for i in reading.images] == [State.DONE, State.UNLABELLED, State.UNLABELLED]
    assert [r.sentence.split(", for ")[0] for r in reading.remarks] == [
        "'b.jpg': 1 boxes were left out",
        "'c.jpg': 1 boxes were left out",
    ]


def test_a_picture_inside_the_file_is_not_taken(tmp_path: Path) -> None:
    reading = read(tmp_path, labelled(RESULT, image="data:image/png;base64,iVBORw0KGgo="))
    assert (reading.images[0].file, len(reading.images[0].boxes)) == (None, 1)
    assert levels(reading)[0][0] == "refused"


OBJECTIONS: dict[str, tuple[Any, str]] = {
    "no object": (7, "[1]"),
    "no data": ({"id": 2}, "[1].data"),
    "data that is a text": (task(data="a.jpg"), "[1].data"),
    "no list of annotations": (task() | {"annotations": 3}, "[1].annotations"),
    "an annotation that is a number": (task(12), "[1].annotations[0]"),
    "results that are a text": (task({"result": "x"}), "[1].annotations[0]"),
    "a result that is none": (labelled(5), "[1].annotations[0].result[0]"),
    "no type": (labelled(result(type=None)), "[1].annotations[0].result[0].type"),
    "no value": (labelled(RESULT | {"value": 3}), "[1].annotations[0].result[0].value"),
    "text as number": (labelled(RESULT, result("b", x="1")), "[1].annotations[0].result[1].value.x"),
    "true as number": (labelled(result(y=True)), "[1].annotations[0].result[0].value.y"),
    "infinite": (labelled(result(width=1e308)), "[1].annotations[0].result[0].value.width"),
    "negative": (labelled(result(height=-1)), "[1].annotations[0].result[0].value.height"),
    "a turn that is a text": (labelled(result(rotation="left")), "[1].annotations[0].result[0].value.rotation"),
    "a number as label": (labelled(result(rectanglelabels=[3])), "[1].annotations[0].result[0].value"),
    "half a character": (labelled(result(rectanglelabels=["\ud800"])), "[1].annotations[0].result[0].value"),
    "half a pixel": (labelled(result(original_width=0.5)), "[1].annotations[0].result[0].original_width"),
    "a point with one number": (
        labelled(RESULT | {"type": "polygonlabels", "value": {"points": [[1, 2], [3]], "polygonlabels": ["cat"]}}),
        "[1].annotations[0].result[0].value.points[1]",
    ),
}


@pytest.mark.parametrize("case", OBJECTIONS)
def test_a_damaged_entry_is_refused_with_its_place(tmp_path: Path, case: str) -> None:
    damaged, place = OBJECTIONS[case]
    with pytest.raises(Refused) as caught:
        read(tmp_path, labelled(RESULT, image="z.jpg"), damaged)
    assert caught.value.sentence.startswith(f"project-1-at-2022-12-27-21-05-d1a7e2f8.json: {place}: ")
    reading = read(tmp_path, labelled(RESULT, image="z.jpg"), damaged, skip_broken=True)
    assert (reading.images[0].name, reading.images[0].state, len(reading.images[0].boxes)) == ("z.jpg", State.DONE, 1)
    assert all(i.state is State.IN_WORK for i in reading.images[1:])
    assert [r.level for r in reading.remarks] == ["refused"]


def test_all_damages_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    text(tmp_path / "a.json", json.dumps([labelled(result(x="1"), result("b", x="2"))]))
    text(tmp_path / "b.json", json.dumps([labelled(RESULT)])[:-9])
    with pytest.raises(Refused) as caught:
        labelstudio.read(tmp_path)
    for place in ("a.json: [0].annotations[0].result[0]", "a.json: [0].annotations[0].result[1]", "b.json:1: "):
        assert place in caught.value.sentence


@pytest.mark.parametrize("damaged", ["", '[{"id', "\0" * 500])
def test_a_file_that_lost_its_content_is_told_by_its_name(tmp_path: Path, damaged: str) -> None:
    text(tmp_path / "y.json", damaged)
    assert len(read(tmp_path, labelled(RESULT)).images) == 1  # it may be anything
    for name in ("tasks.json", "project-7-at-2024-01-01-00-00-aaaa.json"):
        file = text(tmp_path / name, damaged)
        with pytest.raises(Refused, match=name):
            labelstudio.read(tmp_path)
        file.unlink()


def made() -> Snapshot:
    images = [
        Image(1, "day/a 100%+b.jpg", 40, 30, State.DONE, Split.TRAIN),
        Image(2, "b.png", 40, 30, State.VERIFIED, Split.VALIDATION),
        Image(3, "c.jpg", 40, 30, State.IN_WORK),
        Image(4, "d.jpg"),
        Image(5, "e.jpg", 0, 0, State.DONE),
    ]
    boxes = [
        Box(0, 0, 1, XYXY, occluded=True, difficult=True, note="half"),
        Box(0, 2, 0, (0, 0, 4, 3)),
        Box(0, 4, 0, (0, 0, 4, 3)),
    ]
    return snapshot(["<cat> & 'co'", "dog", "unused"], images, boxes)


def test_tasks_and_the_interface_that_they_fit_are_written(tmp_path: Path) -> None:
    tasks, config = labelstudio.write(made(), tmp_path)
    told = json.loads(tasks.read_text())
    assert [t["data"] for t in told] == [
        {"image": "/data/local-files/?d=images/day/a%20100%25%2Bb.jpg", "split": "train"},
        {"image": "/data/local-files/?d=images/b.png", "split": "val"},
        {"image": "/data/local-files/?d=images/c.jpg", "state": "in work"},
        {"image": "/data/local-files/?d=images/d.jpg"},
        {"image": "/data/local-files/?d=images/e.jpg"},  # its size is not known, so its box can't be said
    ]
    assert [[(len(a["result"]), a["ground_truth"]) for a in t["annotations"]] for t in told] == [
        [(2, False)], [(0, True)], [(1, False)], [], [],
    ]  # fmt: skip
    rectangle, marks = told[0]["annotations"][0]["result"]
    assert rectangle == RESULT | {
        "id": rectangle["id"],
        "value": RESULT["value"] | {"rectanglelabels": ["dog"]},
        "meta": {"text": ["half"]},
    }
    assert marks == beside(
        "choices", {"choices": ["difficult", "occluded"]}, from_name="attributes", id=rectangle["id"]
    )
    assert config.read_text().splitlines()[:4] == [
        "<View>",
        '  <Image name="image" value="$image"/>',
        '  <RectangleLabels name="label" toName="image">',
        """    <Label value="&lt;cat&gt; &amp; 'co'" background="#0072b2"/>""",
    ]
    assert formats.recognise(tmp_path) == [("labelstudio", 1.0)]
    assert labelstudio.read(tmp_path).labels == ("<cat> & 'co'", "dog", "unused")


def test_controls_keep_the_names_that_all_boxes_came_with(tmp_path: Path) -> None:
    reading = read(tmp_path, labelled(result(from_name="what", to_name="photo"), result("b", from_name="what")))
    box = reading.images[0].boxes[0]
    for boxes, names in (([box], ("what", "photo")), (reading.images[0].boxes, ("what", "image"))):
        made = [Box(0, 0, 0, XYXY, extra=b.extra) for b in boxes]
        tasks, config = labelstudio.write(snapshot(["cat"], [Image(1, "a.jpg", 40, 30)], made), tmp_path / "out")
        results = json.loads(tasks.read_text())[0]["annotations"][0]["result"]
        assert {(r["from_name"], r["to_name"]) for r in results} == {names}
        assert f'<RectangleLabels name="{names[0]}" toName="{names[1]}">' in config.read_text()


@pytest.mark.parametrize("damaged", ["<View>", "<!DOCTYPE x><View/>"])
def test_a_damaged_interface_is_remarked_and_the_boxes_are_read(tmp_path: Path, damaged: str) -> None:
    labelstudio.write(made(), tmp_path)
    text(tmp_path / "label_config.xml", damaged)
    reading = labelstudio.read(tmp_path)
    assert reading.labels == ("dog", "<cat> & 'co'")
    assert [r.file for r in reading.remarks] == ["label_config.xml"]


@pytest.mark.parametrize(
    "extra",
    [
        '{"labelstudio": [7]}',
        '{"labelstudio": {"id": 3, "more": {"value": 1}, "results": [5, {"type": "x"}], "task": 1}}',
    ],
)
def test_an_extra_that_is_no_good_is_not_written(tmp_path: Path, extra: str) -> None:
    image = Image(1, "a.jpg", 40, 30, State.DONE)
    labelstudio.write(snapshot(["cat"], [image], [Box(0, 0, 0, XYXY, extra=extra)]), tmp_path)
    assert [b.xyxy for b in labelstudio.read(tmp_path).images[0].boxes] == [XYXY]


def test_a_file_whose_first_task_is_endless_is_recognised(tmp_path: Path) -> None:
    for tasks in ([labelled(*[RESULT] * 400)], [MINIMAL | {"label": MINIMAL["label"] * 600}]):
        file = text(tmp_path / "x.json", json.dumps(tasks))
        assert file.stat().st_size > 65_536
        assert labelstudio.sniff(tmp_path) == labelstudio.sniff(file) == 1


@pytest.mark.parametrize(
    "other",
    [
        "", "[", "[]", "{}", "[[]]", "[7]", "[" * 90_000, '{"data":' * 90_000, "\0",
        '[{"image": "a.jpg", "annotations": [{"label": "cat", "coordinates": {"x": 1}}]}]',  # Create ML
        '{"images": [], "annotations": [], "categories": []}',
        '{"data": {"a": 1}}',
    ],
)  # fmt: skip
def test_other_documents_are_not_recognised(tmp_path: Path, other: str) -> None:
    assert labelstudio.sniff(text(tmp_path / "a.json", other)) == 0
    assert labelstudio.sniff(tmp_path) == 0
    with pytest.raises(Refused):
        labelstudio.read(tmp_path)
