"""Open Images written: rows as they came, names for codes, a table for each split."""

from __future__ import annotations

import json
from pathlib import Path
from typing import cast

import pytest

from tests.formats.making import picture, snapshot, text
from tests.formats.test_openimages import CLICKS, HEAD, SUBSETS, TABLE, dataset, one, row, write
from workbench import formats
from workbench.core.project import XYXY, Box, Image, Split, State
from workbench.formats import Reading, SupportsSources
from workbench.formats.parts import openimages_reader
from workbench.formats.parts.openimages_csv import VerifiedLabels

openimages = formats.load_all().get("openimages")


def again(reading: Reading, folder: Path, edges: XYXY | None = None, label: str = "") -> list[str]:
    """The lines of the table of boxes when what was read is written, perhaps with its first box changed."""
    boxes = [
        Box(
            id=0,
            image=0,
            label=reading.labels.index(label or b.label),
            xyxy=edges or b.xyxy,
            truncated=b.truncated,
            occluded=b.occluded,
            crowd=b.crowd,
            extra=b.extra,
        )
        for b in one(reading).boxes
    ]
    shot = snapshot(reading.labels, [Image(1, "a.jpg", 40, 30, State.DONE, Split.TRAIN)], boxes)
    openimages.write(shot, folder)
    return (folder / TABLE).read_text().splitlines()


def test_rows_come_back_to_the_letter(tmp_path: Path) -> None:
    head = f"{HEAD},{CLICKS},Team"
    rows = [
        "a,xclick,/m/07j7r,1,0.25,0.5,0.1,0.9,-1,0,1,1,-1,0.3,0.5,0.4,0.25,0.1,0.5,0.9,0.6,",
        'a,activemil,/m/015p6,0.7,0,1,0,1,0,-1,-1,0,1,-1,-1,-1,-1,-1,-1,-1,-1,"x, y"',
    ]
    dataset(tmp_path)
    write(tmp_path, *(f"{line}\n" for line in rows), head=head)
    assert again(openimages.read(tmp_path), tmp_path / "out") == [head, *rows]


def test_points_of_a_box_that_was_moved_are_not_written(tmp_path: Path) -> None:
    dataset(tmp_path)
    line = "a,xclick,/m/07j7r,1,0.25,0.5,0.1,0.9,0,0,0,0,0,0.3,0.5,0.4,0.25,0.1,0.5,0.9,0.6\n"
    write(tmp_path, line, head=f"{HEAD},{CLICKS}")
    (_, moved) = again(openimages.read(tmp_path), tmp_path / "out", edges=(10, 3, 20, 24))
    assert moved == "a,xclick,/m/07j7r,1,0.25,0.5,0.1,0.8,0,0,0,0,0,-1,-1,-1,-1,-1,-1,-1,-1"


def test_a_box_that_was_given_another_label_has_no_longer_the_code_it_came_with(tmp_path: Path) -> None:
    dataset(tmp_path)
    (_, changed) = again(openimages.read(tmp_path), tmp_path / "out", label="Bird")
    assert changed.split(",")[2] == "Bird"
    assert "Tree,Tree" in (tmp_path / "out/annotations/oidv6-class-descriptions.csv").read_text()


def test_names_of_new_labels_stand_for_codes_and_never_for_those_of_others(tmp_path: Path) -> None:
    extra = json.dumps({"openimages": {"LabelName": "cat", "DisplayName": "tree"}})
    boxes = [Box(0, 0, 1, (0, 0, 4, 3), extra=extra)]
    openimages.write(snapshot(["cat", "tree"], [Image(1, "a.jpg", 40, 30, State.DONE)], boxes), tmp_path)
    names = (tmp_path / "annotations/oidv6-class-descriptions.csv").read_text()
    assert names == "LabelName,DisplayName\ncat-2,cat\ncat,tree\n"


@pytest.mark.parametrize("extra", ['{"openimages": 3}', '{"openimages": {"IsInside": "x", "XMin": "y"}}', "[" * 2000])
def test_strange_values_kept_with_a_box_are_not_written(tmp_path: Path, extra: str) -> None:
    boxes = [Box(0, 0, 0, (10, 3, 20, 27), extra=extra)]
    shot = snapshot(["/m/07j7r"], [Image(1, "a.jpg", 40, 30, State.DONE, Split.TRAIN)], boxes)
    openimages.write(shot, tmp_path)
    assert (tmp_path / TABLE).read_text() == f"{HEAD}\n{row()}"


def test_boxes_are_cut_at_the_border_and_left_out_where_the_size_is_not_known(tmp_path: Path) -> None:
    images = [Image(1, "a.jpg", 40, 30, State.DONE, Split.TRAIN), Image(2, "b.jpg", 0, 0, State.DONE, Split.TRAIN)]
    boxes = [Box(0, 0, 0, (-5, 3, 50, 27)), Box(0, 1, 0, (1, 2, 3, 4))]
    openimages.write(snapshot(["/m/07j7r"], images, boxes), tmp_path)
    assert (tmp_path / TABLE).read_text() == f"{HEAD}\n{row(edges='0,1,0.1,0.9')}"
    assert {"outside", "unknown size"} <= openimages.cannot_store


def test_each_split_has_its_tables_and_all_images_are_in_the_list(tmp_path: Path) -> None:
    images = [
        Image(1, "a.jpg", 40, 30, State.DONE, Split.TRAIN),
        Image(2, "b.jpg", 40, 30, State.DONE, Split.VALIDATION),
        Image(3, "c.jpg", 40, 30, State.UNLABELLED, Split.VALIDATION),
        Image(4, "d.jpg", 40, 30, State.DONE, Split.TEST),
        Image(5, "e.jpg", 40, 0, State.DONE, Split.TEST),
    ]
    boxes = [
        Box(0, 0, 0, (10, 3, 20, 27)), Box(0, 3, 0, (50, 3, 60, 27)), Box(0, 3, 1, (0, 0, 10, 30)),
        Box(0, 4, 0, (1, 2, 3, 4)),
    ]  # fmt: skip
    shot = snapshot(["cat", "dog"], images, boxes)
    written = [file.relative_to(tmp_path).as_posix() for file in openimages.write(shot, tmp_path)]
    listed = "".join(f"{id},{subset}{',' * 10}0\n" for id, subset in zip("abcde", SUBSETS, strict=True))
    denied = "b,verification,cat,0\nb,verification,dog,0\n"
    first, whole = "a,freeform,cat,1,0.25,0.5,0.1,0.9,0,0,0,0,0\n", "d,freeform,dog,1,0,0.25,0,1,0,0,0,0,0\n"
    told = {name: (tmp_path / name).read_text().split("\n", 1)[1] for name in written}
    assert told == {
        "annotations/train-annotations-bbox.csv": first,
        "annotations/validation-annotations-bbox.csv": "",
        "annotations/validation-annotations-human-imagelabels-boxable.csv": denied,
        "annotations/test-annotations-bbox.csv": whole,
        "annotations/oidv6-class-descriptions.csv": "cat,cat\ndog,dog\n",
        "annotations/image_ids_and_rotation.csv": listed,
    }
    sources = [
        source and (source.file.as_posix(), source.name) for source in cast(SupportsSources, openimages).sources(shot)
    ]
    train, test = "annotations/train-annotations-bbox.csv", "annotations/test-annotations-bbox.csv"
    assert sources == [(train, "a"), None, None, (test, "d"), None]


def test_a_project_without_images_has_a_table_all_the_same(tmp_path: Path) -> None:
    first, *_ = openimages.write(snapshot(["cat"], [], []), tmp_path)
    assert first.read_text() == f"{HEAD}\n"
    image = Image(1, "a.jpg", 40, 30, State.DONE, Split.TEST)
    tables = openimages.write(snapshot(["cat"], [image], [Box(0, 0, 0, (1, 2, 3, 4))]), tmp_path / "test")
    assert [file.name for file in tables if "bbox" in file.name] == ["test-annotations-bbox.csv"]


def test_the_table_that_denies_labels_is_read_however_large_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That of 100,000 images has more than the limit, and they came back unlabelled; the official ones are no help."""
    images = [Image(n, f"{n}.jpg", 40, 30, State.DONE, Split.TRAIN) for n in range(3)]
    openimages.write(snapshot(["cat", "dog"], images, [Box(0, 0, 0, (1, 2, 5, 9))]), tmp_path)
    for image in images:
        picture(tmp_path / "images" / "train" / image.path, grey=image.id)
    official = text(
        tmp_path / "annotations" / "train-annotations-human-imagelabels.csv", "ImageID,LabelName,Confidence\n"
    )
    monkeypatch.setattr(openimages_reader, "_LABELS_LIMIT", 8)
    reading = openimages.read(tmp_path)
    assert [image.state for image in reading.images] == [State.DONE] * 3
    assert [(r.file, r.sentence) for r in reading.remarks] == [
        (f"annotations/{official.name}", "0 image labels were not read, only boxes.")
    ]


def test_an_image_has_none_of_the_labels_only_if_the_last_word_on_each_denies_it() -> None:
    verified = VerifiedLabels()
    told = {"a": ["-cat", "-dog"], "b": ["-cat"], "c": ["-cat", "-dog", "+fox"], "d": ["+cat", "-cat", "-dog"]}
    for image, labels in told.items():
        for label in labels:
            verified.add(image, label[1:], label[0] == "+")
    assert verified.without(["cat", "dog"]) == {"a", "d"}
    assert verified.without(["cat", "fox"]) == verified.without(["cow"]) == verified.without([]) == set()
    assert verified.present == 1
