"""TensorFlow CSV: the tables of raccoon_dataset and Roboflow, columns in any order, damage with its line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import cast

import pytest

from tests.formats.making import picture, snapshot, text
from workbench import formats
from workbench.core.project import Box, Image, Snapshot, Split, State
from workbench.errors import Refused
from workbench.formats import ReadSettings, SupportsSources
from workbench.formats.parts.tfcsv_rows import parse_tfcsv

tfcsv = formats.load_all().get("tfcsv")
HEAD = "filename,width,height,class,xmin,ymin,xmax,ymax\n"
# as datitran/raccoon_dataset's xml_to_csv.py writes them (pandas.to_csv(index=None))
RACCOON = HEAD + "raccoon-1.jpg,40,30,raccoon,8,8,40,30\nraccoon-2.jpg,40,30,raccoon,1,2,12,13\n"


def parse(rows: str, head: str = HEAD) -> list[tuple[str, int, int, list[tuple[str, tuple[float, ...]]]]]:
    table = parse_tfcsv((head + rows).encode(), "x.csv")
    assert not table.broken
    return [(i.name, i.width, i.height, [(b.label, b.xyxy) for b in i.boxes]) for i in table.images.values()]


def one_box(**more: str | bool) -> Snapshot:
    return snapshot(
        ["cat"],
        [Image(1, "a.jpg", 40, 30, State.DONE)],
        [Box(0, 0, 0, (1, 2, 3.5, 4), **more)],  # type: ignore[arg-type]
    )


def test_the_layout_of_raccoon_dataset_is_read_with_its_splits(tmp_path: Path) -> None:
    text(tmp_path / "data" / "train_labels.csv", RACCOON)
    text(tmp_path / "data" / "test_labels.csv", HEAD + "raccoon-3.jpg,40,30,raccoon,0,2.5,12,13\n")
    files = [picture(tmp_path / "images" / f"raccoon-{n}.jpg") for n in (1, 2, 3, 4)]
    reading = tfcsv.read(tmp_path)
    assert reading.labels == ("raccoon",)
    assert sorted((i.name, i.file, i.split, i.state, [b.xyxy for b in i.boxes]) for i in reading.images) == [
        ("images/raccoon-4.jpg", files[3], None, State.UNLABELLED, []),
        ("raccoon-1.jpg", files[0], Split.TRAIN, State.DONE, [(8, 8, 40, 30)]),
        ("raccoon-2.jpg", files[1], Split.TRAIN, State.DONE, [(1, 2, 12, 13)]),
        ("raccoon-3.jpg", files[2], Split.TEST, State.DONE, [(0, 2.5, 12, 13)]),
    ]


def test_one_table_of_raccoon_dataset_finds_the_images_in_the_folder_beside_its_own(tmp_path: Path) -> None:
    table = text(tmp_path / "data" / "train_labels.csv", RACCOON)
    files = [picture(tmp_path / "images" / f"raccoon-{n}.jpg") for n in (1, 2)]
    assert [i.file for i in tfcsv.read(table).images] == files


def test_the_layout_of_roboflow_is_read_also_where_splits_have_images_of_one_name(tmp_path: Path) -> None:
    # as Roboflow's export "Tensorflow Object Detection" of 2024 lays it out
    for folder, label in (("train", "helmet"), ("valid", "head")):
        text(tmp_path / folder / "_annotations.csv", HEAD + f"a.jpg,40,30,{label},1,2,3,4\n")
        picture(tmp_path / folder / "a.jpg", grey=len(label))
    found = [(i.name, i.file, i.split, i.boxes[0].label) for i in tfcsv.read(tmp_path).images]
    assert found == [
        ("train/a.jpg", tmp_path / "train/a.jpg", Split.TRAIN, "helmet"),
        ("valid/a.jpg", tmp_path / "valid/a.jpg", Split.VALIDATION, "head"),
    ]


def test_columns_come_in_any_order_and_case() -> None:
    head = "Class,fileName,height,width,xmax,xmin,ymax,ymin\n"
    assert parse("cat,a.jpg,30,40,5,1,9,2\n", head) == [("a.jpg", 40, 30, [("cat", (1, 2, 5, 9))])]


def test_values_in_quotes_an_index_of_pandas_and_windows_line_ends_are_read() -> None:
    head = "\ufeff," + HEAD.replace("\n", "\r\n")
    assert parse('0,"a, b.jpg",40,30,"the ""cat""",1,2,5,9\r\n\r\n', head) == [
        ("a, b.jpg", 40, 30, [('the "cat"', (1, 2, 5, 9))])
    ]


def test_a_row_without_a_box_says_that_there_is_nothing_in_its_image(tmp_path: Path) -> None:
    text(tmp_path / "x.csv", HEAD + "a.jpg,40,30,,,,,\n")
    assert [(i.name, i.state, i.boxes) for i in tfcsv.read(tmp_path).images] == [("a.jpg", State.DONE, ())]


def test_it_is_said_how_the_pixels_were_counted_and_what_speaks_for_either(tmp_path: Path) -> None:
    text(tmp_path / "x.csv", RACCOON)
    (remark,) = tfcsv.read(tmp_path).remarks
    assert "counted from 0" in remark.sentence
    assert "of 2 boxes 0 begin at 0 (which proves it) and 1 others end exactly at the border" in remark.sentence


def test_numbers_that_look_like_fractions_are_taken_as_pixels_with_a_remark(tmp_path: Path) -> None:
    text(tmp_path / "x.csv", HEAD + "a.jpg,40,30,cat,0.1,0.2,0.5,1\n")
    reading = tfcsv.read(tmp_path)
    assert reading.images[0].boxes[0].xyxy == (0.1, 0.2, 0.5, 1.0)
    assert any("fractions" in r.sentence for r in reading.remarks)


def test_swapped_corners_are_put_in_order_and_boxes_without_area_kept_each_with_its_line(tmp_path: Path) -> None:
    text(tmp_path / "x.csv", HEAD + "a.jpg,40,30,cat,9,2,5,4\na.jpg,40,30,cat,5,2,5,4\n")
    reading = tfcsv.read(tmp_path)
    assert [b.xyxy for b in reading.images[0].boxes] == [(5, 2, 9, 4), (5, 2, 5, 4)]
    assert [(r.level, r.line) for r in reading.remarks[:2]] == [("repaired", 2), ("read", 3)]


DAMAGED: dict[str, tuple[str, int, str]] = {
    "not a number": (HEAD + "a.jpg,40,30,cat,1,2,x,4\n", 2, "xmax must be a number"),
    "nan": (HEAD + "a.jpg,40,30,cat,1,nan,3,4\n", 2, "ymin must be a number"),
    "infinite": (HEAD + "a.jpg,40,30,cat,1,2,3,1e999\n", 2, "ymax must be a number"),
    "too large": (HEAD + "a.jpg,40,30,cat,1,2,3,1e9\n", 2, "ymax must be a number"),
    "half a box": (HEAD + "a.jpg,40,30,cat,1,2,,\n", 2, "xmax must be a number"),
    "no class": (HEAD + "a.jpg,40,30,,1,2,3,4\n", 2, "a box without a class"),
    "no name": (HEAD + ",40,30,cat,1,2,3,4\n", 2, "a row without a file name"),
    "size of halves": (HEAD + "a.jpg,40.5,30,cat,1,2,3,4\n", 2, "width must be a whole number"),
    "negative size": (HEAD + "a.jpg,40,-30,cat,1,2,3,4\n", 2, "height must be a whole number"),
    "two sizes": (
        HEAD + "a.jpg,40,30,cat,1,2,3,4\na.jpg,41,30,cat,1,2,3,4\n",
        3,
        "the size of 'a.jpg' is 41 x 30 here",
    ),
    "too few values": (HEAD + "a.jpg,40,30,cat,1,2,3\n", 2, "7 values, but the first line has 8"),
    "too many values": (HEAD + "a.jpg,40,30,cat,1,2,3,4,5\n", 2, "9 values, but the first line has 8"),
    "open quote": (HEAD + 'a.jpg,40,30,cat,1,2,3,4\n"b.jpg,40,30,cat,1,2,3,4\nc.jpg\n', 3, "a quoted value begins"),
    "text after a quote": (HEAD + '"a.jpg"x,40,30,cat,1,2,3,4\n', 2, "not a CSV table"),
    "NUL": (HEAD + "a.jpg,40,30,c\0at,1,2,3,4\n", 2, "NUL"),
    "line of two values": (HEAD + '"a\nb.jpg",40,30,cat,1,2,3,4\nb.jpg,40,30,cat,1,2,3,x\n', 4, "ymax must be"),
    "not UTF-8": (HEAD + "a.jpg,40,30,c\udcfft,1,2,3,4\n", 2, "not UTF-8"),
    "column twice": (HEAD.replace("width", "height"), 1, "two columns are called 'height'"),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_table_is_refused_with_its_line(tmp_path: Path, case: str) -> None:
    content, line, reason = DAMAGED[case]
    file = text(tmp_path / "x.csv", content.encode("utf-8", "surrogateescape"))
    with pytest.raises(Refused) as caught:
        tfcsv.read(file)
    assert caught.value.sentence.startswith(f"x.csv:{line}: ")
    assert reason in caught.value.sentence


def test_all_damages_are_told_at_once_and_skipped_ones_leave_their_image_in_work(tmp_path: Path) -> None:
    text(tmp_path / "x.csv", HEAD + "a.jpg,40,30,cat,1,2,3,4\na.jpg,40,30,cat,x,2,3,4\nb.jpg,40,30,cat,1,2,3,y\n")
    with pytest.raises(Refused, match=r"(?s)x\.csv:3: xmin.*x\.csv:4: ymax"):
        tfcsv.read(tmp_path)
    reading = tfcsv.read(tmp_path, settings=ReadSettings(skip_broken=True))
    assert [(i.name, i.state, len(i.boxes)) for i in reading.images] == [
        ("a.jpg", State.IN_WORK, 1),
        ("b.jpg", State.IN_WORK, 0),
    ]
    assert [r.line for r in reading.remarks if r.level == "refused"] == [3, 4]


def test_names_that_fit_several_images_are_not_guessed(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        picture(tmp_path / folder / "a.jpg")
    text(tmp_path / "x.csv", HEAD + "a.jpg,40,30,cat,1,2,3,4\n")
    reading = tfcsv.read(tmp_path)
    assert [i.file for i in reading.images] == [None]
    assert any("2 images fit the name 'a.jpg'" in r.sentence for r in reading.remarks)


def test_an_image_beside_another_of_its_name_in_a_folder_below_is_found(tmp_path: Path) -> None:
    for name in ("a.jpg", "b/a.jpg"):
        picture(tmp_path / "images" / name)
    text(tmp_path / "x.csv", HEAD + "a.jpg,40,30,cat,1,2,3,4\nb/a.jpg,40,30,cat,1,2,3,4\n")
    assert [i.file for i in tfcsv.read(tmp_path).images] == [
        tmp_path / "images/a.jpg",
        tmp_path / "images/b/a.jpg",
    ]


def test_columns_of_others_come_back_on_writing(tmp_path: Path) -> None:
    head = HEAD.replace("\n", ",pose,team\n")
    text(tmp_path / "x.csv", head + 'a.jpg,40,30,cat,1,2,3.5,4,"left, up",\n')
    (box,) = tfcsv.read(tmp_path).images[0].boxes
    assert json.loads(box.extra) == {"tfcsv": {"pose": "left, up"}}
    (file,) = tfcsv.write(one_box(extra=box.extra), tmp_path / "out")
    assert file.read_text() == HEAD.replace("\n", ",pose\n") + 'a.jpg,40,30,cat,1,2,3.5,4,"left, up"\n'


@pytest.mark.parametrize("extra", ['{"tfcsv": 3}', '{"tfcsv": {"xmin": "9", "": "x", "a": 3}}', "[" * 2000, '"'])
def test_strange_values_kept_with_a_box_are_not_written(tmp_path: Path, extra: str) -> None:
    (file,) = tfcsv.write(one_box(extra=extra), tmp_path)
    assert file.read_text() == HEAD + "a.jpg,40,30,cat,1,2,3.5,4\n"


def test_crowd_regions_and_images_without_boxes_are_left_out_on_writing(tmp_path: Path) -> None:
    images = [Image(1, "a.jpg", 40, 30, State.DONE, Split.TRAIN), Image(2, "b.jpg", 40, 30, State.DONE, Split.TEST)]
    boxes = [Box(0, 0, 0, (1, 2, 3, 4)), Box(0, 0, 0, (1, 2, 3, 4), crowd=True)]
    (file,) = tfcsv.write(snapshot(["cat"], images, boxes), tmp_path)
    assert (file.name, file.read_text()) == ("train_labels.csv", HEAD + "a.jpg,40,30,cat,1,2,3,4\n")
    assert {"crowd", "empty images"} <= tfcsv.cannot_store


def test_the_table_of_an_image_is_told_where_it_is_in_one(tmp_path: Path) -> None:
    images = [Image(n, f"{name}.jpg", 40, 30, State.DONE, Split.TRAIN) for n, name in enumerate("abc")]
    boxes = [Box(0, 0, 0, (1, 2, 3, 4)), Box(0, 1, 0, (1, 2, 3, 4), crowd=True)]
    first, *others = cast(SupportsSources, tfcsv).sources(snapshot(["cat"], images, boxes))
    assert first is not None
    assert (first.file.as_posix(), first.name) == ("train_labels.csv", "a.jpg")
    assert others == [None, None], "crowd regions and empty images are not written"
    table = text(tmp_path / "x.csv", HEAD + "a.jpg,40,30,cat,1,2,3,4\nb.jpg,40,30,cat,1,2,3\n")
    read = tfcsv.read(tmp_path, settings=ReadSettings(skip_broken=True)).images
    assert [(i.name, i.source and (i.source.file, i.source.name)) for i in read] == [
        ("a.jpg", (table, "a.jpg")), ("b.jpg", None),
    ], "a row that was skipped would be lost when the table is kept up to date"  # fmt: skip


def test_other_tables_are_not_taken_for_these(tmp_path: Path) -> None:
    text(tmp_path / "a.csv", "filename,cat,dog\na.jpg,1,0\n")  # Roboflow's _classes.csv
    text(tmp_path / "b.csv", b"\xff\xfe\0\0" * 9)
    assert tfcsv.sniff(tmp_path) == 0
    with pytest.raises(Refused, match="no CSV table"):
        tfcsv.read(tmp_path)
    text(tmp_path / "c.csv", RACCOON)
    assert tfcsv.sniff(tmp_path) == 1
    assert sum("was not read" in r.sentence for r in tfcsv.read(tmp_path).remarks) == 2


@pytest.mark.parametrize(
    ("name", "seen"), [("TRAIN_LABELS.CSV", True), ("_annotations.csv", True), ("prices.csv", False)]
)
def test_a_table_that_lacks_columns_is_taken_for_one_by_its_name(tmp_path: Path, name: str, seen: bool) -> None:
    """So that its damage is told; tables of other things have some of these columns, too."""
    text(tmp_path / name, "filename,width,height,class,xmin\na.jpg,40,30,cat,1\n")
    assert (tfcsv.sniff(tmp_path) > 0) == seen
    text(tmp_path / name, "filename,width,height,class\na.jpg,40,30,cat\n")
    assert tfcsv.sniff(tmp_path) == 0
    text(tmp_path / "others.csv", RACCOON)
    levels = [r.level for r in tfcsv.read(tmp_path).remarks if "was not read" in r.sentence]
    assert levels == ["refused" if seen else "read"], "boxes may be missing"


def test_without_any_box_the_table_has_its_columns_alone(tmp_path: Path) -> None:
    image = Image(1, "a.jpg", 40, 30, State.DONE, Split.TRAIN)
    (file,) = tfcsv.write(snapshot(["cat"], [image], []), tmp_path)
    assert (file.name, file.read_text()) == ("labels.csv", HEAD)


def test_images_of_one_name_that_are_away_stay_apart_by_their_folders(tmp_path: Path) -> None:
    for folder in ("train", "valid"):
        text(tmp_path / folder / "_annotations.csv", HEAD + "a.jpg,40,30,cat,1,2,3,4\n")
    assert [i.name for i in tfcsv.read(tmp_path).images] == ["train/a.jpg", "valid/a.jpg"]


def test_the_table_of_vott_is_none_of_these(test_data: Path) -> None:
    folder = test_data / "import_cases/datumaro/vott_csv_dataset"
    assert tfcsv.sniff(folder) == 0
    assert tfcsv.sniff(folder / "missing.csv") == 0


MAP = """# made by hand
item {
  id: 2
  name: 'dog\\'s'
}
item { name: "cat" id: 1, display_name: "Cat" }
item: < id: 30; display_name: 'K\\303\\244fer' >
"""


def test_a_label_map_tells_the_order_of_the_labels(tmp_path: Path) -> None:
    rows = "a.png,64,48,dog's,1,2,3,4\na.png,64,48,bird,1,2,3,4\na.png,64,48,cat,1,2,3,5\n"
    text(tmp_path / "train_labels.csv", f"filename,width,height,class,xmin,ymin,xmax,ymax\n{rows}")
    assert tfcsv.read(tmp_path).labels == ("dog's", "bird", "cat")
    text(tmp_path / "label_map.pbtxt", MAP)
    assert tfcsv.read(tmp_path).labels == ("cat", "dog's", "Käfer", "bird")
    text(tmp_path / "train_labels.csv", HEAD + "a.png,64,48,,,,,\n")
    assert tfcsv.read(tmp_path).labels == ("cat", "dog's", "Käfer"), "also where nothing is labelled yet"


def test_a_label_map_of_other_labels_is_told_and_not_taken(tmp_path: Path) -> None:
    text(tmp_path / "train_labels.csv", RACCOON)
    text(tmp_path / "label_map.pbtxt", MAP)
    reading = tfcsv.read(tmp_path)
    assert reading.labels == ("raccoon",)
    told = [r.sentence for r in reading.remarks if r.file == "label_map.pbtxt"]
    assert told == ["It lists none of the boxes' labels, so it was ignored."]


@pytest.mark.parametrize(
    ("content", "line", "reason"),
    [
        ("item {\n  id: 1\n}\n", 3, "an item needs a name and an id"),
        ("item { id: 1 name: 'a' }\nitem { id: 1 name: 'b' }", 2, "the id 1 occurs twice"),
        ("item { id: 1\nname: 'a }", 2, 'not a label map: "\'" is not expected here'),
        ("item { id: 1 name: 'a'\n", 2, "not a label map: expected item { id: 1 name: 'cat' } and so on"),
        ("", 1, "not a label map: expected item { id: 1 name: 'cat' } and so on"),
    ],
)
def test_a_damaged_label_map_is_told_and_the_boxes_are_read(
    tmp_path: Path, content: str, line: int, reason: str
) -> None:
    rows = "a.png,64,48,dog,1,2,3,4\n"
    text(tmp_path / "train_labels.csv", f"filename,width,height,class,xmin,ymin,xmax,ymax\n{rows}")
    text(tmp_path / "label_map.pbtxt", content)
    reading = tfcsv.read(tmp_path)
    assert reading.labels == ("dog",)
    told = [(r.line, r.sentence) for r in reading.remarks if r.file == "label_map.pbtxt"]
    assert told == [(line, f"The order of the labels could not be read: {reason}.")]
