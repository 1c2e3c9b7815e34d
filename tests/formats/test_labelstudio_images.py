"""Label Studio: which image a task is of, by uploads, paths and addresses, and what size it has."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.formats.labelstudio_documents import RESULT, labelled, labelstudio, levels, read, result
from tests.formats.making import picture, text
from workbench.core.project import State
from workbench.errors import Refused
from workbench.formats.parts.labelstudio_json import image_names

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


@pytest.mark.parametrize(
    "file", ["IMG (1).jpg", "WhatsApp Image 2024-05-01 at 10.20.30.jpeg", "50% näh+er.jpg", "a_b.jpg"]
)
def test_an_upload_is_found_by_what_label_studio_made_of_its_name(tmp_path: Path, file: str) -> None:
    """Spaces became _ and brackets went, and nobody asked: the photographs still have their own names."""
    image = picture(tmp_path / "pictures" / file)
    picture(tmp_path / "pictures" / "other.jpg")
    called = {"IMG (1).jpg": "IMG_1.jpg", "50% näh+er.jpg": "50_näher.jpg"}.get(file, file.replace(" ", "_"))
    text(tmp_path / "set" / "x.json", json.dumps([labelled(RESULT, image=f"/data/upload/3/0a1b2c3d-{called}")]))
    reading = labelstudio.read(tmp_path / "set", [tmp_path / "pictures"])
    assert [i.file for i in reading.images] == [image]
    told = [f"'{called}' is '{file}', whose name was changed by an upload."] if called != file else []
    assert [r.sentence for r in reading.remarks if r.level == "repaired"] == told


def test_an_upload_that_two_photographs_may_be_is_neither(tmp_path: Path) -> None:
    for name in ("a (1).jpg", "a 1.jpg"):
        picture(tmp_path / name)
    text(tmp_path / "x.json", json.dumps([labelled(RESULT, image="/data/upload/3/0a1b2c3d-a_1.jpg")]))
    reading = labelstudio.read(tmp_path)
    assert reading.images[0].file is None
    assert ["2 images fit the name" in r.sentence for r in reading.remarks if r.level == "refused"] == [True]


def test_only_an_upload_is_called_otherwise(tmp_path: Path) -> None:
    picture(tmp_path / "a b.jpg")
    text(tmp_path / "x.json", json.dumps([labelled(RESULT, image="/data/local-files/?d=a_b.jpg")]))
    assert labelstudio.read(tmp_path).images[0].file is None


def test_images_of_the_same_name_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    images = [picture(tmp_path / folder / "a.jpg") for folder in ("day 1", "day 2", "b")]
    tasks = [labelled(RESULT, image=f"/data/local-files/?d=photos/day%20{n}/a.jpg") for n in (1, 2)]
    reading = read(tmp_path, *tasks, labelled(RESULT))
    assert [i.file for i in reading.images] == [*images[:2], None, images[2]][:3]
    assert [r.sentence[:28] for r in reading.remarks] == ["3 images fit the name '/data"]


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
    assert [r.sentence.split(", because ")[0] for r in reading.remarks] == [
        "'b.jpg': 1 box was left out",
        "'c.jpg': 1 box was left out",
    ]


def test_a_picture_inside_the_file_is_not_taken(tmp_path: Path) -> None:
    reading = read(tmp_path, labelled(RESULT, image="data:image/png;base64,iVBORw0KGgo="))
    assert (reading.images[0].file, len(reading.images[0].boxes)) == (None, 1)
    assert levels(reading)[0][0] == "refused"
