"""Create ML: centres in pixels, one list for a folder, splits in folders, and what others write under its name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.formats.making import picture, snapshot, text
from workbench import formats
from workbench.core.project import Box, Image, Split, State
from workbench.errors import Refused
from workbench.formats import ReadSettings
from workbench.formats.parts.createml_json import parse_createml

createml = formats.load_all().get("createml")
SAMPLE = "import_cases/datumaro/roboflow_dataset/createml"
FILE = "_annotations.createml.json"


def annotation(label: object = "cat", x: object = 10, y: object = 8, width: object = 4, height: object = 6) -> Any:
    return {"label": label, "coordinates": {"x": x, "y": y, "width": width, "height": height}}


def record(*annotations: Any, image: object = "a.jpg", **more: Any) -> dict[str, Any]:
    return {"image": image, "annotations": list(annotations)} | more


def parse(*records: Any) -> Any:
    return parse_createml(json.dumps(records).encode(), "x.json")


def test_a_data_set_of_roboflow_is_read_with_its_splits(test_data: Path) -> None:
    reading = createml.read(test_data / SAMPLE)
    assert [(i.name, i.split, len(i.boxes), i.state) for i in reading.images] == [
        ("train/train_001.jpg", Split.TRAIN, 1, State.DONE),
        ("train/train_002.jpg", Split.TRAIN, 1, State.DONE),
        ("val/val_001.jpg", Split.VALIDATION, 2, State.DONE),
    ]
    assert reading.labels == ("label_0", "label_1")
    assert all(i.file == test_data / SAMPLE / i.name for i in reading.images)
    assert reading.images[0].boxes[0].xyxy == (0.5, 0.5, 3.5, 1.5)


def test_what_labelimg_wrote_is_read_from_its_centres(tmp_path: Path) -> None:
    # as labelImg 1.8.6 writes it, one file for each image; the mark "verified" came with its next version
    told = (
        '[{"image": "a.jpg", "annotations": [{"label": "cat", "coordinates":'
        ' {"x": 12.5, "y": 10.0, "width": 5.0, "height": 6.0}}]}]'
    )
    text(tmp_path / "a.json", told)
    text(tmp_path / "b.json", json.dumps([record(annotation("dog"), image="b.jpg", verified=True)]))
    text(tmp_path / "c.json", json.dumps([record(image="c.jpg", verified=False)]))
    images = [picture(tmp_path / name) for name in ("a.jpg", "b.jpg", "c.jpg", "d.jpg")]
    reading = createml.read(tmp_path)
    assert not reading.remarks
    assert [(i.file, i.state, [b.xyxy for b in i.boxes]) for i in reading.images] == [
        (images[0], State.DONE, [(10, 7, 15, 13)]),
        (images[1], State.VERIFIED, [(8, 5, 12, 11)]),
        (images[2], State.DONE, []),
        (images[3], State.UNLABELLED, []),
    ]


def test_the_names_that_apples_documents_use_are_read_too() -> None:
    read = parse({"imagefilename": "cat and dog.png", "annotation": [annotation(), annotation("dog")]})
    assert [(i.name, [b.label for b in i.boxes]) for i in read.images] == [("cat and dog.png", ["cat", "dog"])]


def test_records_of_one_image_are_put_together_with_a_remark() -> None:
    read = parse(record(annotation()), record(annotation("dog")), record(image="b.jpg"))
    assert [(i.name, [b.label for b in i.boxes]) for i in read.images] == [("a.jpg", ["cat", "dog"]), ("b.jpg", [])]
    assert [level for level, _, _ in read.remarks] == ["repaired"]


def test_a_box_without_area_is_kept_with_a_remark() -> None:
    read = parse(record(annotation(width=0)))
    assert read.images[0].boxes[0].xyxy == (10, 5, 10, 11)
    assert "zero size" in read.remarks[0][1]


@pytest.mark.parametrize(
    ("boxes", "words"),
    [
        ([annotation(x=1, y=1, width=9, height=9), annotation()], "1 of 2 boxes begin left of or above"),
        ([annotation(x=0.5, y=0.5, width=0.2, height=0.2)] * 2, "may be fractions"),
    ],
)
def test_numbers_that_may_mean_something_else_are_told(boxes: list[Any], words: str) -> None:
    read = parse(record(*boxes))
    assert [words in sentence for _, sentence, _ in read.remarks] == [True]


OBJECTIONS: dict[str, tuple[Any, str]] = {
    "no object": (7, "[1]"),
    "no image": ({"annotations": []}, "[1].image"),
    "a number as image": (record(image=3), "[1].image"),
    "no list": ({"image": "b.jpg"}, "[1].annotations"),
    "half a character": (record(image="\ud800"), "[1].image"),
    "no label": (record(annotation(label=" ")), "[1].annotations[0].label"),
    "a label of an image classifier": (record("cat"), "[1].annotations[0]"),
    "no coordinates": (record(annotation(), {"label": "cat"}), "[1].annotations[1].coordinates"),
    "no height": (record(annotation(height=None)), "[1].annotations[0].coordinates.height"),
    "text as number": (record(annotation(x="7")), "[1].annotations[0].coordinates.x"),
    "true as number": (record(annotation(y=True)), "[1].annotations[0].coordinates.y"),
    "infinite": (record(annotation(width=1e308)), "[1].annotations[0].coordinates.width"),
    "negative": (record(annotation(width=-1)), "[1].annotations[0].coordinates"),
}


@pytest.mark.parametrize("case", OBJECTIONS)
def test_a_damaged_entry_is_refused_with_its_place(tmp_path: Path, case: str) -> None:
    damaged, place = OBJECTIONS[case]
    text(tmp_path / FILE, json.dumps([record(annotation(), image="z.jpg"), damaged]))
    with pytest.raises(Refused) as caught:
        createml.read(tmp_path)
    assert caught.value.sentence.startswith(f"{FILE}: {place}: ")
    reading = createml.read(tmp_path, settings=ReadSettings(skip_broken=True))
    assert (reading.images[0].name, reading.images[0].state, len(reading.images[0].boxes)) == ("z.jpg", State.DONE, 1)
    assert all(i.state is State.IN_WORK for i in reading.images[1:])
    assert [r.level for r in reading.remarks] == ["refused"]


def test_all_damages_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    text(tmp_path / "train" / FILE, json.dumps([record(annotation(x="1"), annotation(y="1"))]))
    text(tmp_path / "test" / FILE, json.dumps([record(annotation())])[:-9])
    with pytest.raises(Refused) as caught:
        createml.read(tmp_path)
    for place in (f"train/{FILE}: [0].annotations[0]", f"train/{FILE}: [0].annotations[1]", f"test/{FILE}:1: "):
        assert place in caught.value.sentence


@pytest.mark.parametrize("damaged", ["", '[{"im', "\0" * 500])
def test_a_file_that_lost_its_content_is_told(tmp_path: Path, damaged: str) -> None:
    text(tmp_path / "a.json", json.dumps([record(annotation())]))
    text(tmp_path / "b.json", damaged)
    assert len(createml.read(tmp_path).images) == 1  # it may be anything
    picture(tmp_path / "b.jpg")
    with pytest.raises(Refused, match="b.json"):
        createml.read(tmp_path)
    text(tmp_path / "val" / FILE, damaged)
    with pytest.raises(Refused, match=f"val/{FILE}"):
        createml.read(tmp_path)


def test_images_of_the_same_name_are_those_of_their_own_folder(tmp_path: Path) -> None:
    for folder in ("train", "valid", "old/valid"):
        text(tmp_path / folder / FILE, json.dumps([record(annotation())]))
        picture(tmp_path / folder / "a.jpg")
    found = {i.name: (i.file, i.split) for i in createml.read(tmp_path).images}
    assert found == {
        "train/a.jpg": (tmp_path / "train" / "a.jpg", Split.TRAIN),
        "valid/a.jpg": (tmp_path / "valid" / "a.jpg", Split.VALIDATION),
        "old/valid/a.jpg": (tmp_path / "old" / "valid" / "a.jpg", Split.VALIDATION),
    }
    assert createml.read(tmp_path / "valid" / FILE).images[0].file == tmp_path / "valid" / "a.jpg"


def test_images_apart_from_the_file_are_found_by_name(tmp_path: Path) -> None:
    image = picture(tmp_path / "pictures" / "deep" / "a.jpg")
    text(tmp_path / "set" / FILE, json.dumps([record(annotation())]))
    assert createml.read(tmp_path / "set", [tmp_path / "pictures"]).images[0].file == image


def test_each_split_is_one_folder_with_one_file_and_its_images(tmp_path: Path) -> None:
    images = [
        Image(1, "day/a.jpg", 40, 30, State.DONE, Split.TRAIN),
        Image(2, "night/A.png", 40, 30, State.VERIFIED, Split.TEST),
        Image(3, "night/b.jpg", 40, 30, State.DONE, Split.NONE),
        Image(4, "c.jpg", 40, 30),
    ]
    made = snapshot(["cat"], images, [Box(0, 0, 0, (1, 2, 4, 3.5)), Box(0, 0, 0, (0, 0, 9, 9), crowd=True)])
    assert createml.places(made) == ("train/day_a.jpg", "test/night_A.png", "none/b.jpg", "none/c.jpg")
    files = createml.write(made, tmp_path)
    assert [f.relative_to(tmp_path).as_posix() for f in files] == [f"{s}/{FILE}" for s in ("none", "test", "train")]
    box = {"label": "cat", "coordinates": {"x": 2.5, "y": 2.75, "width": 3.0, "height": 1.5}}
    assert [json.loads(f.read_text()) for f in files] == [
        [{"image": "b.jpg", "verified": False, "annotations": []}],
        [{"image": "night_A.png", "verified": True, "annotations": []}],
        [{"image": "day_a.jpg", "verified": False, "annotations": [box]}],
    ]


def test_without_splits_the_folder_itself_is_the_data_set_and_says_what_create_ml_knows(tmp_path: Path) -> None:
    made = snapshot(["cat"], [Image(1, "s/a.jpg", 40, 30, State.DONE)], [Box(0, 0, 0, (1, 2, 4, 3))])
    assert createml.places(made) == ("a.jpg",)
    (file,) = createml.write(made, tmp_path)
    assert file == tmp_path / FILE
    assert json.loads(file.read_text())[0].keys() == {"image", "annotations"}
    assert formats.recognise(tmp_path) == [("createml", 1.0)]


def test_what_a_file_says_more_about_a_box_comes_back(tmp_path: Path) -> None:
    more = {"uniqueIdentifier": "4E6F", "confidence": 0.5}
    read = parse(record(annotation() | more | {"long": "x" * 5000}, weather="fog"))
    assert sorted(kind for _, _, kind in read.remarks) == [
        "values not kept: too long",
        "values of images that a project has no place for",
    ]
    box = read.images[0].boxes[0]
    image = Image(1, "a.jpg", 40, 30, State.DONE)
    for extra, told in ((box.extra, more), ('{"createml": [7]}', {}), ('{"createml": {"label": "x", "a": 1e999}}', {})):
        (file,) = createml.write(snapshot(["cat"], [image], [Box(0, 0, 0, box.xyxy, extra=extra)]), tmp_path)
        assert json.loads(file.read_text())[0]["annotations"] == [annotation() | told]


def test_a_file_whose_first_record_is_endless_is_recognised(tmp_path: Path) -> None:
    file = text(tmp_path / "x.json", json.dumps([record(*[annotation()] * 2000)]))
    assert file.stat().st_size > 65_536
    assert createml.sniff(tmp_path) == createml.sniff(file) == 1


@pytest.mark.parametrize(
    "other",
    [
        "", "[", "[]", "{}", "[" * 90_000, "[{" + "[" * 90_000, "\0",
        '[{"image": "a.jpg", "annotations": ["cat"]}]',  # of an image classifier
        '[{"id": 1, "data": {"image": "a.jpg"}, "annotations": [{"id": 2, "result": []}]}]',  # Label Studio
        '[{"image": "a.jpg", "id": 1, "annotation_id": 2, "label": [{"x": 1, "y": 2}]}]',  # Label Studio, JSON-MIN
        '[{"image_id": 1, "category_id": 2, "bbox": [1, 2, 3, 4], "score": 0.5}]',  # results of COCO
    ],
)  # fmt: skip
def test_other_lists_are_not_recognised(tmp_path: Path, other: str) -> None:
    assert createml.sniff(text(tmp_path / "a.json", other)) == 0
    assert createml.sniff(tmp_path) == 0
    with pytest.raises(Refused):
        createml.read(tmp_path)
