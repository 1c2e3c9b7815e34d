"""Label Studio: percents of an image, marks and shapes, and the annotation that counts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.formats.labelstudio_documents import (
    MINIMAL,
    PLACE,
    RESULT,
    XYXY,
    annotation,
    beside,
    labelled,
    labelstudio,
    levels,
    read,
    result,
    task,
)
from tests.formats.making import picture, snapshot, text
from workbench import formats
from workbench.core.project import Box, Image, Split, State
from workbench.errors import Refused
from workbench.formats import ReadImage
from workbench.formats.parts.labelstudio_results import Shape


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
        ("refused", "1 tasks have drafts, which are not labels and were left out."),
        ("refused", "1 tasks have predictions, which are not labels and were left out."),
    ]


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
        ("refused", "1 marks were left out: JSON-MIN does not say which region they are of."),
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
