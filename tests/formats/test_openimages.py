"""Open Images: fractions, codes for labels, marks with -1, tables of several versions, damage with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.formats.making import picture, text
from workbench import formats
from workbench.core.project import Split, State
from workbench.errors import Refused
from workbench.formats import ReadImage, Reading, ReadSettings
from workbench.formats.parts.openimages_csv import parse_boxes

openimages = formats.load_all().get("openimages")
SUBSETS = ("train", "validation", "validation", "test", "test")
SAMPLE = "import_cases/datumaro/open_images_dataset/v6"
TABLE = "annotations/train-annotations-bbox.csv"
# the columns of V4 (2018_04/train/train-annotations-bbox.csv), and those that V6 added to them
HEAD = "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsTruncated,IsGroupOf,IsDepiction,IsInside"
CLICKS = "XClick1X,XClick2X,XClick3X,XClick4X,XClick1Y,XClick2Y,XClick3Y,XClick4Y"
NAMES = "/m/07j7r,Tree\n/m/015p6,Bird\n"  # class-descriptions-boxable.csv of V4: no line of column names


def row(id: str = "a", label: str = "/m/07j7r", edges: str = "0.25,0.5,0.1,0.9", flags: str = "0,0,0,0,0") -> str:
    return f"{id},freeform,{label},1,{edges},{flags}\n"


def write(folder: Path, *rows: str, file: str = TABLE, head: str = HEAD) -> Path:
    return text(folder / file, f"{head}\n" + "".join(rows))


def dataset(folder: Path, *rows: str) -> Path:
    """A table with the names of its labels and one image of 40 x 30 pixels, a.jpg."""
    text(folder / "annotations/class-descriptions-boxable.csv", NAMES)
    picture(folder / "images/train/a.jpg")
    return write(folder, *(rows or (row(),)))


def said(reading: Reading) -> list[tuple[str, str]]:
    return [(r.level, r.sentence) for r in reading.remarks]


def one(reading: Reading) -> ReadImage:
    (image,) = reading.images
    return image


def test_a_folder_is_known_by_a_table_of_boxes_among_others(tmp_path: Path) -> None:
    text(tmp_path / "prices.csv", "name,price\n")
    assert openimages.sniff(tmp_path) == 0
    table = write(tmp_path, row(), file="BOXES.CSV")
    assert openimages.sniff(tmp_path) == openimages.sniff(table) == 1


def test_the_samples_of_datumaro_are_read(test_data: Path) -> None:
    reading = openimages.read(test_data / SAMPLE)
    assert reading.labels == ("Generic label #0", "Generic label #1", "Generic label #2", "Generic label #3")
    found = [(i.name, (i.width, i.height), i.split, i.state) for i in reading.images]
    assert found == [
        ("images/train/b.jpg", (8, 2), Split.TRAIN, State.DONE),
        ("images/test/c.jpg", (5, 10), Split.TEST, State.DONE),
        ("images/train/a.jpg", (0, 0), Split.TRAIN, State.UNLABELLED),
        ("images/validation/d.png", (0, 0), Split.VALIDATION, State.UNLABELLED),
    ]
    (b,), (c,) = reading.images[0].boxes, reading.images[1].boxes
    assert (b.label, b.xyxy, b.truncated, b.occluded, b.crowd) == ("Generic label #0", (1.6, 0.6, 8, 1), *[False] * 3)
    assert (c.label, c.xyxy, c.truncated, c.occluded, c.crowd) == (
        "Generic label #3",
        (3.5, 0, 4, 5),
        False,
        True,
        True,
    )
    assert said(reading) == [
        ("read", "1 masks were not read, only boxes."),
        ("read", "3 image labels were not read, only boxes."),
    ]


@pytest.mark.parametrize("inner", ["annotations", "annotations/test-annotations-bbox.csv"])
def test_a_part_of_a_data_set_finds_its_images(test_data: Path, inner: str) -> None:
    found = {i.file: len(i.boxes) for i in openimages.read(test_data / SAMPLE / inner).images}
    assert found[test_data / SAMPLE / "images/test/c.jpg"] == 1


def test_a_data_set_without_boxes_is_not_one_of_these(test_data: Path) -> None:
    folder = test_data / "import_cases/datumaro/open_images_dataset/v5"
    assert openimages.sniff(folder) == 0
    with pytest.raises(Refused, match="no table of boxes"):
        openimages.read(folder)


def test_fractions_become_pixels_of_the_image_and_codes_names(tmp_path: Path) -> None:
    dataset(tmp_path, row(flags="1,1,1,0,0"), row(label="/m/015p6", edges="0,1,0,1"))
    reading = openimages.read(tmp_path)
    tree, bird = one(reading).boxes
    assert (tree.label, tree.xyxy, tree.occluded, tree.truncated, tree.crowd) == ("Tree", (10, 3, 20, 27), *[True] * 3)
    assert (bird.label, bird.xyxy, bird.occluded, bird.truncated, bird.crowd) == ("Bird", (0, 0, 40, 30), *[False] * 3)
    assert reading.labels == ("Tree", "Bird")
    assert not reading.remarks


def test_the_folders_of_fiftyone_and_oidv4_toolkit_are_read(tmp_path: Path) -> None:
    fiftyone, toolkit = tmp_path / "one", tmp_path / "OID"
    write(fiftyone, row(), file="validation/labels/detections.csv")
    text(fiftyone / "validation/metadata/classes.csv", NAMES)
    files = [picture(fiftyone / "validation/data/a.jpg"), picture(toolkit / "Dataset/train/Tree/a.jpg")]
    write(toolkit, row(), file="csv_folder/train-annotations-bbox.csv")
    text(toolkit / "csv_folder/class-descriptions-boxable.csv", NAMES)
    for folder, file, split in zip((fiftyone, toolkit), files, (Split.VALIDATION, Split.TRAIN), strict=True):
        image = one(openimages.read(folder))
        assert (image.file, image.split, image.boxes[0].label) == (file, split, "Tree")


def test_rows_of_images_that_are_not_there_are_counted_and_not_looked_at(tmp_path: Path) -> None:
    dataset(tmp_path, row(), row("b"), row("b"), row("c", edges="x,y,z,w"))
    reading = openimages.read(tmp_path)
    assert [(i.name, len(i.boxes)) for i in reading.images] == [("images/train/a.jpg", 1)]
    assert said(reading) == [("refused", "Left out, as the image files are missing: 3 boxes of 2 images.")]


def test_of_a_long_list_of_names_those_are_taken_that_have_boxes(tmp_path: Path) -> None:
    dataset(tmp_path, row())
    (tmp_path / "annotations/class-descriptions-boxable.csv").unlink()
    many = "".join(f"/m/x{n},thing {n}\n" for n in range(1100))
    text(tmp_path / "annotations/oidv6-class-descriptions.csv", "LabelName,DisplayName\n" + many + NAMES)
    reading = openimages.read(tmp_path)
    assert reading.labels == ("Tree",)
    assert said(reading) == [("read", "Of 1,102 labels, only those with boxes were taken.")]


def test_the_names_of_things_that_have_boxes_come_before_those_of_all_things(tmp_path: Path) -> None:
    dataset(tmp_path, row())
    text(tmp_path / "annotations/class-descriptions.csv", "/m/0,Entity\n" + NAMES)
    assert openimages.read(tmp_path).labels == ("Tree", "Bird")


def test_a_code_without_a_name_is_the_label_itself(tmp_path: Path) -> None:
    dataset(tmp_path, row(label="/m/zz"))
    reading = openimages.read(tmp_path)
    assert reading.labels == ("Tree", "Bird", "/m/zz")
    assert [level for level, _ in said(reading)] == ["repaired"]


def test_an_image_is_done_and_empty_where_all_labels_are_denied(tmp_path: Path) -> None:
    dataset(tmp_path)
    for name in ("b", "c", "d", "e"):
        picture(tmp_path / f"images/train/{name}.jpg", grey=ord(name))
    denied = "b,verification,/m/07j7r,0\nb,verification,/m/015p6,0\nc,verification,/m/07j7r,0\n"
    shown = "d,verification,/m/07j7r,1\nd,verification,/m/015p6,0\n"
    head = "ImageID,Source,LabelName,Confidence\n"
    text(tmp_path / "annotations/train-annotations-human-imagelabels-boxable.csv", head + denied + shown)
    found = {i.name[-5:]: i.state for i in openimages.read(tmp_path).images}
    assert found == {
        "a.jpg": State.DONE, "b.jpg": State.DONE, "c.jpg": State.UNLABELLED, "d.jpg": State.UNLABELLED,
        "e.jpg": State.UNLABELLED,
    }  # fmt: skip


def test_tables_of_other_things_are_said_with_their_number(tmp_path: Path) -> None:
    dataset(tmp_path)
    folder = tmp_path / "annotations"
    text(folder / "train-annotations-vrd.csv", "ImageID,LabelName1,LabelName2,XMin1\na,/m/0,/m/1,0\na,/m/0,/m/2,0\n")
    text(
        folder / "train-annotations-machine-imagelabels.csv",
        "ImageID,Source,LabelName,Confidence\na,machine,/m/0,0.7\n",
    )
    text(folder / "train-point-labels.csv", "ImageId,X,Y,Label,EstimatedYesNo\na,0.1,0.2,/m/0,yes\n")
    text(folder / "other.csv", "one,two\n1,2\n")
    assert sorted(sentence for _, sentence in said(openimages.read(tmp_path))) == [
        "1 image labels were not read, only boxes.",
        "1 points were not read, only boxes.",
        "2 relationships were not read, only boxes.",
        "Not one of Open Images' tables.",
    ]


def test_tables_of_two_versions_that_tell_the_same_are_taken_once(tmp_path: Path) -> None:
    dataset(tmp_path)
    clicks = row().replace("\n", ",-1,-1,-1,-1,-1,-1,-1,-1\n")
    write(tmp_path, clicks, file="annotations/oidv6-train-annotations-bbox.csv", head=f"{HEAD},{CLICKS}")
    reading = openimages.read(tmp_path)
    assert len(one(reading).boxes) == 1
    assert [level for level, _ in said(reading)] == ["read"]


def test_tables_that_tell_different_things_of_an_image_are_refused(tmp_path: Path) -> None:
    dataset(tmp_path)
    write(tmp_path, row(edges="0,1,0,1"), file="annotations/oidv6-train-annotations-bbox.csv")
    with pytest.raises(Refused, match=r"bbox\.csv:2: 'a' is also in another table, with other boxes"):
        openimages.read(tmp_path)


DAMAGED: dict[str, tuple[str, str]] = {
    "not a number": (row(edges="0.1,x,0,1"), "XMax must be a number"),
    "nan": (row(edges="0.1,0.2,nan,1"), "YMin must be a number"),
    "infinite": (row(edges="0.1,0.2,0,1e999"), "YMax must be a number"),
    "pixels": (row(edges="0.1,20,0,1"), "XMax is 20, outside 0 to 1"),
    "a mark of two": (row(flags="0,0,2,0,0"), "IsGroupOf must be 1 (yes), 0 (no) or -1 (unknown)"),
    "no code": (row(label=""), "a box without a LabelName"),
    "no image": (row(""), "a row without an ImageID"),
    "confidence": (row().replace(",1,", ",inf,", 1), "Confidence must be a number"),
    "too few values": (row()[:-3] + "\n", "12 values, but the first line has 13"),
    "open quote": ('"' + row(), "a quoted value begins here and does not end"),
    "NUL": (row(label="/m/\0"), "NUL"),
    "not UTF-8": (row(label="/m/\udcff"), "not UTF-8"),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_row_is_refused_with_its_line(tmp_path: Path, case: str) -> None:
    content, reason = DAMAGED[case]
    dataset(tmp_path)
    text(tmp_path / TABLE, f"{HEAD}\n{row()}{content}".encode("utf-8", "surrogateescape"))
    with pytest.raises(Refused) as caught:
        openimages.read(tmp_path)
    assert caught.value.sentence.startswith(f"{TABLE}:3: ")
    assert reason in caught.value.sentence


def test_a_table_that_is_called_one_of_boxes_and_has_other_columns_is_refused(tmp_path: Path) -> None:
    dataset(tmp_path)
    write(tmp_path, row(), file="annotations/test-annotations-bbox.csv", head=HEAD.replace("XMax", "X"))
    with pytest.raises(Refused, match=r"test-annotations-bbox\.csv:1: .*there is no XMax"):
        openimages.read(tmp_path)


@pytest.mark.parametrize(
    ("file", "content", "place"),
    [
        ("class-descriptions-boxable.csv", "/m/07j7r,Tree\n/m/015p6\n", ":2: "),
        ("train-annotations-human-imagelabels.csv", "ImageID,Source,LabelName,Confidence\na,v,/m/0,nan\n", ":2: "),
        ("image_ids_and_rotation.csv", 'ImageID,Subset\n"a,train\n', ":2: "),
    ],
)
def test_damage_in_the_tables_beside_it_is_refused_with_its_line(
    tmp_path: Path, file: str, content: str, place: str
) -> None:
    dataset(tmp_path)
    text(tmp_path / "annotations" / file, content)
    with pytest.raises(Refused) as caught:
        openimages.read(tmp_path)
    assert caught.value.sentence.startswith(f"annotations/{file}{place}")


def test_skipping_a_broken_row_leaves_its_image_in_work(tmp_path: Path) -> None:
    dataset(tmp_path, row(), row(edges="0,2,0,1"))
    reading = openimages.read(tmp_path, settings=ReadSettings(skip_broken=True))
    assert (one(reading).state, len(one(reading).boxes)) == (State.IN_WORK, 1)
    assert [r.line for r in reading.remarks] == [3]


def test_swapped_edges_are_put_in_order_and_boxes_without_area_kept_each_with_its_line() -> None:
    table = parse_boxes(f"{HEAD}\n{row(edges='0.5,0.1,0,1')}{row(edges='0,0,0,1')}".encode(), "x.csv")
    assert [b.edges for b in table.boxes["a"]] == [(0.1, 0, 0.5, 1), (0, 0, 0, 1)]
    assert [(level, line) for level, _, line, _ in table.remarks] == [("repaired", 2), ("read", 3)]


@pytest.mark.parametrize("id", ["../secret", "/etc/secret", "C:\\secret"])
def test_names_that_lead_outside_are_not_followed(tmp_path: Path, id: str) -> None:
    picture(tmp_path / "secret.jpg")
    dataset(tmp_path / "set", row(id), row())
    assert [i.file for i in openimages.read(tmp_path / "set").images] == [tmp_path / "set/images/train/a.jpg"]
    inside = picture(tmp_path / "set/images/train/secret.jpg", grey=9)
    reading = openimages.read(tmp_path / "set")
    assert inside in [i.file for i in reading.images]
    assert any("leads outside" in sentence for _, sentence in said(reading))


def test_an_image_that_cannot_be_read_is_said_and_left_unlabelled(tmp_path: Path) -> None:
    dataset(tmp_path)
    text(tmp_path / "images/train/a.jpg", "no image")
    reading = openimages.read(tmp_path)
    assert (one(reading).state, one(reading).boxes) == (State.UNLABELLED, ())
    assert [level for level, _ in said(reading)] == ["refused"]


@pytest.mark.parametrize(
    ("orientation", "rotation", "size", "xyxy"),
    [
        (1, "90.0", (40, 30), (10, 3, 20, 27)),  # stored turned, and so boxed
        (6, "0.0", (30, 40), (7.5, 4, 15, 36)),  # boxed as it is shown
        (6, "270.0", (40, 30), (10, 3, 20, 27)),  # boxed as it is stored: whoever imports turns the boxes
        (3, "180.0", (40, 30), (20, 3, 30, 27)),
        (6, "nan", (30, 40), (7.5, 4, 15, 36)),
    ],
)
def test_boxes_are_of_the_stored_pixels_where_exif_and_list_turn_the_image_alike(
    tmp_path: Path, orientation: int, rotation: str, size: tuple[int, int], xyxy: tuple[float, ...]
) -> None:
    dataset(tmp_path)
    picture(tmp_path / "images/train/a.jpg", 40, 30, orientation)
    text(tmp_path / "annotations/image_ids_and_rotation.csv", f"ImageID,Subset,Rotation\na,train,{rotation}\n")
    reading = openimages.read(tmp_path)
    assert ((one(reading).width, one(reading).height), one(reading).boxes[0].xyxy) == (size, xyxy)
    assert bool([level for level, _ in said(reading)]) is (rotation not in ("0.0", "nan"))
