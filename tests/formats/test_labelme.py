"""LabelMe: rectangles of two and of four points, other shapes as their boxes, and files that labelme itself opens."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.formats.making import picture, snapshot, text
from workbench import formats
from workbench.core.project import Box, Image, Split, State
from workbench.errors import Refused
from workbench.formats import ReadBox, ReadSettings
from workbench.formats.parts.labelme_json import parse_labelme

labelme = formats.load_all().get("labelme")

# as labelme 7.9.1 writes it
SHAPE: dict[str, Any] = {
    "label": "cat",
    "points": [[10.5, 20.0], [3.25, 4.0]],
    "group_id": 2,
    "description": "half hidden",
    "shape_type": "rectangle",
    "flags": {"occluded": True, "male": False},
    "mask": None,
    "locked": True,
}
DOCUMENT: dict[str, Any] = {
    "version": "7.9.1",
    "flags": {},
    "shapes": [SHAPE],
    "imagePath": "a.jpg",
    "imageData": None,
    "imageHeight": 30,
    "imageWidth": 40,
}
# as X-AnyLabeling 4.2.1 writes it
FOUR: dict[str, Any] = {
    "label": "cat",
    "score": 0.5,
    "points": [[3.25, 4.0], [10.5, 4.0], [10.5, 20.0], [3.25, 20.0]],
    "group_id": None,
    "description": "",
    "difficult": True,
    "shape_type": "rectangle",
    "flags": {},
    "attributes": {"colour": "red"},
    "kie_linking": [[1, 2]],
}
WRITTEN = ("version", "flags", "shapes", "imagePath", "imageData", "imageHeight", "imageWidth")


def shape(**changes: Any) -> dict[str, Any]:
    return {"label": "cat", "points": [[1, 2], [3, 4]], "shape_type": "rectangle"} | changes


def content(*shapes: Any, **changes: Any) -> str:
    return json.dumps(DOCUMENT | {"shapes": list(shapes)} | changes, indent=2)


def parse(*shapes: Any, **changes: Any) -> Any:
    return parse_labelme(content(*shapes, **changes).encode(), "a.json")


def written(folder: Path, boxes: list[ReadBox], image: Image) -> dict[str, Any]:
    """The document that is written for one image with these boxes."""
    made = [
        Box(0, 0, 0, b.xyxy, b.difficult, b.truncated, b.occluded, b.crowd, note=b.note, extra=b.extra) for b in boxes
    ]
    files = labelme.write(snapshot(["cat"], [image], made), folder)
    return json.loads(files[-1].read_text(encoding="utf-8"))


def test_what_labelme_wrote_is_read_and_written_again_as_it_was(tmp_path: Path) -> None:
    read = parse(SHAPE)
    box = read.boxes[0]
    assert (box.label, box.xyxy, box.note) == ("cat", (3.25, 4, 10.5, 20), "half hidden")
    assert (box.difficult, box.truncated, box.occluded, box.crowd) == (False, False, True, False)
    assert (read.image, read.width, read.height, read.state, read.split) == ("a.jpg", 40, 30, State.DONE, None)
    again = written(tmp_path, [box], Image(1, "a.jpg", 40, 30, State.DONE))
    assert again == DOCUMENT | {
        "version": again["version"],
        "shapes": [SHAPE | {"points": [[3.25, 4.0], [10.5, 20.0]]}],
    }
    assert list(again) == list(WRITTEN)


def test_four_points_of_x_anylabeling_become_the_two_that_labelme_opens(tmp_path: Path) -> None:
    read = parse(FOUR, checked=True, description="")
    box = read.boxes[0]
    assert (box.xyxy, box.difficult, read.state) == ((3.25, 4, 10.5, 20), True, State.VERIFIED)
    assert not read.remarks
    assert not read.counts
    again = written(tmp_path, [box], Image(1, "a.jpg", 40, 30, State.VERIFIED))
    assert again["checked"] is True
    told = again["shapes"][0]
    assert told["points"] == [[3.25, 4.0], [10.5, 20.0]]
    assert {key: told[key] for key in ("score", "difficult", "attributes", "kie_linking")} == {
        key: FOUR[key] for key in ("score", "difficult", "attributes", "kie_linking")
    }


@pytest.mark.parametrize(("checked", "state"), [(False, State.DONE), ("failed", State.IN_WORK), (1, State.DONE)])
def test_what_x_anylabeling_says_of_a_check_is_the_state(checked: object, state: State) -> None:
    assert parse(checked=checked).state is state


SHAPES: dict[str, tuple[dict[str, Any], tuple[float, float, float, float], str]] = {
    "polygon": ({"points": [[1, 2], [9, 3], [4, 8]]}, (1, 2, 9, 8), "polygons"),
    "no type, as in the first versions": (
        {"points": [[1, 2], [9, 3], [4, 8]], "shape_type": None},
        (1, 2, 9, 8),
        "polygons",
    ),
    "circle": ({"points": [[10, 10], [13, 14]]}, (5, 5, 15, 15), "circles"),
    "line": ({"points": [[5, 1], [2, 7]]}, (2, 1, 5, 7), "lines"),
    "linestrip": ({"points": [[5, 1], [2, 7], [6, 3]]}, (2, 1, 6, 7), "line strips"),
    "mask": ({"points": [[2, 3], [5, 7]], "mask": "iVBORw0KGgo="}, (2, 3, 6, 8), "masks"),
    "oriented_rectangle": ({"points": [[5, 0], [10, 5], [5, 10], [0, 5]]}, (0, 0, 10, 10), "turned rectangles"),
    "rotation": ({"points": [[5, 0], [10, 5], [5, 10], [0, 5]], "direction": 0.7}, (0, 0, 10, 10), "turned rectangles"),
    "rectangle": ({"points": [[5, 0], [10, 5], [5, 10], [0, 5]]}, (0, 0, 10, 10), "turned rectangles"),
}


@pytest.mark.parametrize("case", SHAPES)
def test_another_shape_becomes_its_bounding_box_and_is_counted(case: str) -> None:
    changes, xyxy, plural = SHAPES[case]
    read = parse(shape(**{"shape_type": case} | changes))
    assert read.boxes[0].xyxy == xyxy
    assert read.counts == {("repaired", f"{plural} were read as their bounding boxes"): 1}


def test_remarks_count_the_shapes_of_all_files_together(tmp_path: Path) -> None:
    polygon = shape(shape_type="polygon", points=[[1, 2], [9, 3], [4, 8]])
    dots = [shape(shape_type="point", points=[[1, 1]]), shape(shape_type="points", points=[[1, 1], [2, 2]])]
    text(tmp_path / "a.json", content(polygon, polygon, *dots))
    text(tmp_path / "b.json", content(polygon, shape(shape_type="polygon", points=[[1, 1]])))
    reading = labelme.read(tmp_path)
    assert [len(image.boxes) for image in reading.images] == [2, 1]
    assert [(r.level, r.sentence.split(" were ")[0]) for r in reading.remarks] == [
        ("refused", "1 groups of points"),
        ("refused", "1 polygons of a single point"),
        ("refused", "1 single points"),
        ("repaired", "3 polygons"),
    ]


OBJECTIONS: dict[str, tuple[dict[str, Any], str]] = {
    "three corners": ({"points": [[1, 2], [3, 4], [5, 6]]}, "shapes[1].points: a rectangle has 2 or 4"),
    "no points": ({"points": []}, "shapes[1].points"),
    "three numbers": ({"points": [[1, 2], [3, 4, 5]]}, "shapes[1].points[1]"),
    "text as number": ({"points": [[1, "2"], [3, 4]]}, "shapes[1].points[0]"),
    "true as number": ({"points": [[1, True], [3, 4]]}, "shapes[1].points[0]"),
    "infinite": ({"points": [[1, 1e308], [3, 4]]}, "shapes[1].points[0]"),
    "no label": ({"label": " "}, "shapes[1].label"),
    "a number as label": ({"label": 7}, "shapes[1].label"),
    "half a character": ({"label": "\ud800"}, "shapes[1].label"),
    "unknown shape": ({"shape_type": "spline"}, "shapes[1].shape_type"),
    "flags as a list": ({"flags": ["a"]}, "shapes[1].flags"),
    "a number as description": ({"description": 7}, "shapes[1].description"),
}


@pytest.mark.parametrize("case", OBJECTIONS)
def test_a_damaged_shape_is_refused_with_its_place_or_left_out(tmp_path: Path, case: str) -> None:
    changes, place = OBJECTIONS[case]
    text(tmp_path / "a.json", content(shape(), shape(**changes)))
    with pytest.raises(Refused) as caught:
        labelme.read(tmp_path)
    assert caught.value.sentence.startswith(f"a.json: {place}")
    reading = labelme.read(tmp_path, settings=ReadSettings(skip_broken=True))
    assert [(image.state, len(image.boxes)) for image in reading.images] == [(State.IN_WORK, 1)]
    assert [r.level for r in reading.remarks] == ["refused"]


def test_all_damages_are_told_at_once(tmp_path: Path) -> None:
    text(tmp_path / "a.json", content(7, shape(label="")))
    text(tmp_path / "b.json", content(imageHeight="30"))
    with pytest.raises(Refused) as caught:
        labelme.read(tmp_path)
    for place in ("a.json: shapes[0]", "a.json: shapes[1].label", "b.json: imageHeight"):
        assert place in caught.value.sentence


DAMAGED = {
    "NaN": (content(shape()).replace("30", "NaN"), content(shape()).split("30")[0].count("\n") + 1),
    "a key twice": (content(shape()).replace('"flags"', '"version"', 1), 3),
    "cut off": (content(shape())[:-3], content(shape())[:-3].count("\n") + 1),
    "not UTF-8": (content(shape()).replace("a.jpg", "\udcff.jpg"), content(shape()).split("a.jpg")[0].count("\n") + 1),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_document_is_refused_with_its_line(tmp_path: Path, case: str) -> None:
    damaged, line = DAMAGED[case]
    text(tmp_path / "a.json", damaged.encode("utf-8", "surrogateescape"))
    with pytest.raises(Refused) as caught:
        labelme.read(tmp_path)
    assert caught.value.sentence.startswith(f"a.json:{line}:")


@pytest.mark.parametrize("damaged", ["", '{"version": "7.9', "\0" * 500])
def test_a_file_that_lost_its_content_is_told_if_its_image_lies_beside_it(tmp_path: Path, damaged: str) -> None:
    text(tmp_path / "a.json", content(shape()))
    text(tmp_path / "b.json", damaged)
    for name in ("a.jpg", "b.jpg"):
        picture(tmp_path / name)
    with pytest.raises(Refused, match="b.json"):
        labelme.read(tmp_path)
    read = labelme.read(tmp_path, settings=ReadSettings(skip_broken=True)).images
    assert [(i.name, i.state) for i in read] == [("a.jpg", State.DONE), ("b.jpg", State.UNLABELLED)]


def test_other_json_files_are_not_read_and_told(tmp_path: Path) -> None:
    text(tmp_path / "a.json", content(shape()))
    text(tmp_path / "settings.json", '{"shapes": 3}')
    reading = labelme.read(tmp_path)
    assert len(reading.images) == 1
    assert [(r.level, r.file) for r in reading.remarks] == [("read", "settings.json")]


@pytest.mark.parametrize("path", ["..\\images\\a.jpg", "../images/a.jpg", "a.jpg", "C:\\old\\a.jpg", "/old/a.jpg"])
def test_the_image_is_found_from_windows_too_and_in_the_folder_beside_the_labels(tmp_path: Path, path: str) -> None:
    image = picture(tmp_path / "images" / "a.jpg")
    file = text(tmp_path / "labels" / "a.json", content(shape(), imagePath=path))
    for given in (tmp_path, tmp_path / "labels", file):
        reading = labelme.read(given)
        assert [i.file for i in reading.images] == [image], given
        assert bool(reading.remarks) == ("old" in path)


def test_the_named_image_comes_before_the_one_of_the_files_own_name(tmp_path: Path) -> None:
    for name in ("a.jpg", "b.jpg"):
        picture(tmp_path / name)
    text(tmp_path / "a.json", content(shape(), imagePath="b.jpg"))
    text(tmp_path / "b.json", content(shape(), imagePath="gone.jpg"))  # renamed with its image
    reading = labelme.read(tmp_path)
    assert [i.file for i in reading.images[:2]] == [tmp_path / "b.jpg", tmp_path / "b.jpg"]
    assert [(r.level, r.file) for r in reading.remarks] == [("repaired", "b.json")]


def test_an_image_without_a_file_of_labels_is_unlabelled_and_one_without_shapes_done(tmp_path: Path) -> None:
    for name in ("a.jpg", "b.jpg"):
        picture(tmp_path / name)
    text(tmp_path / "a.json", content())
    assert [(i.name, i.state) for i in labelme.read(tmp_path).images] == [
        ("a.jpg", State.DONE),
        ("b.jpg", State.UNLABELLED),
    ]


def test_the_picture_inside_a_file_is_not_taken_and_never_written(tmp_path: Path) -> None:
    whole = {"imageData": "A" * 300_000} | DOCUMENT | {"imageData": "A" * 300_000}  # in front of all other keys
    text(tmp_path / "a.json", json.dumps(whole))
    assert labelme.sniff(tmp_path) == 1
    reading = labelme.read(tmp_path)
    assert ["imageData" in r.sentence for r in reading.remarks] == [True]
    again = written(tmp_path / "out", list(reading.images[0].boxes), Image(1, "a.jpg", 40, 30, State.DONE))
    assert again["imageData"] is None


@pytest.mark.parametrize(("side", "width"), [(None, 0), (-1, 0), (40.0, 40), (0, 0)])
def test_a_size_that_is_not_said_is_unknown(side: object, width: int) -> None:
    read = parse(imageWidth=side)
    assert (read.width, read.broken) == (width, ())


@pytest.mark.parametrize("side", ["40", True, 40.5, -2, 1e30])
def test_a_size_that_is_none_is_refused(side: object) -> None:
    assert [str(error).split(":")[1] for error in parse(imageWidth=side).broken] == [" imageWidth"]


def test_flags_that_the_file_had_are_written_as_they_are_now(tmp_path: Path) -> None:
    read = parse(shape(flags={"occluded": True, "truncated": False, "difficult": True, "odd": 3}))
    box = read.boxes[0]
    assert (box.occluded, box.truncated, box.difficult) == (True, False, True)
    assert [kind for _, _, kind in read.remarks] == ["flags that are neither true nor false"]
    changed = ReadBox("cat", box.xyxy, truncated=True, crowd=True, extra=box.extra)
    told = written(tmp_path, [changed], Image(1, "a.jpg", 40, 30, State.DONE))["shapes"][0]
    assert told["flags"] == {"occluded": False, "truncated": True, "difficult": False, "crowd": True}
    assert "difficult" not in told


def test_what_a_file_says_of_its_image_comes_back_while_it_has_boxes(tmp_path: Path) -> None:
    told = {"flags": {"night": True, "rain": False}, "tags": ["street", 3], "lineColor": [0, 255, 0, 128]}
    read = parse(shape(), shape(), **told)
    again = written(tmp_path, [read.boxes[1]], Image(1, "a.jpg", 40, 30, State.DONE))
    assert (again["flags"], again["tags"]) == ({"night": True}, ["street", 3])
    assert [r[0] for r in parse(**told).remarks] == ["read", "read"]


def test_values_that_are_too_long_to_be_kept_are_told() -> None:
    deep: Any = []
    for _ in range(100):
        deep = [deep]
    read = parse(shape(score=0.5, caption="x" * 5000, tree=deep, group_id="7"))
    assert json.loads(read.boxes[0].extra) == {"labelme": {"more": {"score": 0.5}}}
    assert sorted(sentence.split(" ")[0] for _, sentence, _ in read.remarks) == [
        "shapes[0].caption",
        "shapes[0].group_id",
        "shapes[0].tree",
    ]


@pytest.mark.parametrize(
    "extra",
    [
        '{"labelme": 7}',
        '{"labelme": {"more": {"locked": 1, "points": 2, "mask": 3}}}',
        '{"labelme": {"flags": 1, "group_id": true, "more": {"locked": 1, "points": 2, "a": 1e999}}}',
    ],
)
def test_whatever_a_box_was_told_the_file_keeps_the_rules_of_labelme(tmp_path: Path, extra: str) -> None:
    """What labelme 7.9.1 refuses otherwise: its _label_file.py; that it opens such files was tried with it."""
    box = ReadBox("cat", (-3.5, 1, 60, 2), crowd=True, extra=extra)
    again = written(tmp_path, [box], Image(1, "s/a.jpg", 0, 0, State.DONE))
    assert list(again) == list(WRITTEN)
    assert (again["imagePath"], again["imageHeight"], again["imageWidth"]) == ("a.jpg", None, None)
    assert again["shapes"] == [
        {
            "label": "cat", "points": [[-3.5, 1.0], [60.0, 2.0]], "group_id": None, "description": "",
            "shape_type": "rectangle", "flags": {"crowd": True}, "mask": None,
        }
    ]  # fmt: skip


def test_the_split_and_the_state_that_the_format_has_no_words_for_come_back(tmp_path: Path) -> None:
    images = [
        Image(1, "train/a.jpg", 40, 30, State.IN_WORK, Split.NONE),
        Image(2, "b.jpg", 40, 30, State.VERIFIED, Split.VALIDATION),
        Image(3, "val/c.jpg", 40, 30, State.DONE, Split.TEST),
    ]
    labelme.write(snapshot(["cat"], images, [Box(0, 0, 0, (0, 0, 4, 3))]), tmp_path)
    read = {i.name: (i.state, i.split) for i in labelme.read(tmp_path).images}
    assert read == {
        "train/a.jpg": (State.IN_WORK, None),
        "b.jpg": (State.VERIFIED, Split.VALIDATION),
        "val/c.jpg": (State.DONE, Split.TEST),
    }


def test_folders_are_splits_where_the_file_says_none(tmp_path: Path) -> None:
    text(tmp_path / "valid" / "a.json", content(shape()))
    assert labelme.read(tmp_path).images[0].split is Split.VALIDATION


def test_a_written_folder_is_recognised_and_no_other_formats(tmp_path: Path) -> None:
    images = [Image(1, "a.jpg", 40, 30, State.DONE)]
    labelme.write(snapshot(["0", "cat"], images, [Box(0, 0, 0, (0, 0, 4, 3))]), tmp_path)
    picture(tmp_path / "a.jpg")
    assert formats.recognise(tmp_path) == [("labelme", 1.0)]
    assert formats.recognise(tmp_path / "a.json") == [("labelme", 1.0)]


@pytest.mark.parametrize(
    "other", ["", "{", "[]", '{"shapes": []}', '[{"shapes": [], "imagePath": ""}]', "[" * 9000, "\0"]
)
def test_other_files_are_not_recognised(tmp_path: Path, other: str) -> None:
    assert labelme.sniff(text(tmp_path / "a.json", other)) == 0
    assert labelme.sniff(tmp_path) == 0
    with pytest.raises(Refused):
        labelme.read(tmp_path)
