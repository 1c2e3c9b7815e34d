"""YOLO: strict numbers with file and line, outlines, wrong paths in data.yaml, empty and missing files, Darknet."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.formats.making import picture, snapshot, text
from workbench import formats
from workbench.core.project import Box, Image, Split, State
from workbench.errors import Refused
from workbench.formats import ReadSettings
from workbench.formats.parts import layout
from workbench.formats.parts.yolo_txt import parse_yolo

yolo = formats.load_all().get("yolo")


def data_set(folder: Path, lines: str | bytes | None = "0 0.5 0.5 0.5 0.5\n", yaml: str = "") -> Path:
    picture(folder / "train" / "images" / "a.jpg")
    if lines is not None:
        text(folder / "train" / "labels" / "a.txt", lines)
    text(folder / "data.yaml", yaml or "train: train/images\nnames: [cat, dog]\n")
    return folder


def test_fractions_become_pixels(tmp_path: Path) -> None:
    image = yolo.read(data_set(tmp_path)).images[0]
    assert [(box.label, box.xyxy) for box in image.boxes] == [("cat", (10, 7.5, 30, 22.5))]
    assert (image.split, image.state) == (Split.TRAIN, State.DONE)


@pytest.mark.parametrize(
    "line",
    [
        b"1\t0.5\t0.5  0.25 0.25\n", b"\xef\xbb\xbf1 .5 0.5 2.5e-1 0.25\r\n", b"\n\n1 0.5 0.5 0.25 0.25 \r",
        b"1.0 0.5 0.5 +0.25 0.25",
    ],
)  # fmt: skip
def test_tabs_bom_line_ends_and_signs_are_read(line: bytes) -> None:
    row = parse_yolo(line, "a.txt", 2).rows[0]
    assert (row.index, row.cx, row.w) == (1, 0.5, 0.25)


REFUSED = {
    "four numbers": "0 0.5 0.5 0.5",
    "one word": "cat",
    "seven numbers and one": "0 0.1 0.1 0.2 0.2 0.3 0.3 0.9",
    "negative": "0 -0.1 0.5 0.5 0.5",
    "above 1": "0 0.5 0.5 1.2 0.5",
    "pixels": "0 120 80 30 30",
    "nan": "0 nan 0.5 0.5 0.5",
    "inf": "0 0.5 inf 0.5 0.5",
    "underscore": "1_0 0.5 0.5 0.5 0.5",
    "Arabic digits": "0 ٠.٥ 0.5 0.5 0.5",
    "half an index": "0.5 0.5 0.5 0.5 0.5",
    "negative index": "-1 0.5 0.5 0.5 0.5",
    "index beyond the names": "2 0.5 0.5 0.5 0.5",
    "comma": "0,0.5,0.5,0.5,0.5",
    "sixth is no number": "0 0.5 0.5 0.5 0.5 cat",
    "NUL": "0 0.5 0.5 0.5 0.5\0",
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_damaged_line_is_refused_with_file_and_line(tmp_path: Path, case: str) -> None:
    with pytest.raises(Refused) as caught:
        yolo.read(data_set(tmp_path, f"0 0.5 0.5 0.5 0.5\n\n{REFUSED[case]}\n"))
    assert caught.value.sentence.startswith("train/labels/a.txt:3: ")


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"train/labels/a.txt:2: .*UTF-8"):
        yolo.read(data_set(tmp_path, b"0 0.5 0.5 0.5 0.5\n\xff\xfe\n"))


def test_skipping_a_broken_line_takes_the_others_and_leaves_the_image_in_work(tmp_path: Path) -> None:
    folder = data_set(tmp_path, "0 0.5 0.5 0.5\n1 0.5 0.5 0.5 0.5\n")
    reading = yolo.read(folder, settings=ReadSettings(skip_broken=True))
    assert (reading.images[0].state, [b.label for b in reading.images[0].boxes]) == (State.IN_WORK, ["dog"])
    assert [(r.level, r.file, r.line) for r in reading.remarks] == [("refused", "train/labels/a.txt", 1)]


def test_a_sixth_number_is_kept_with_a_remark_that_it_is_ambiguous(tmp_path: Path) -> None:
    reading = yolo.read(data_set(tmp_path, "0 0.5 0.5 0.5 0.5 0.93\n"))
    assert reading.images[0].boxes[0].extra == '{"yolo":{"sixth":"0.93"}}'
    assert "confidence or a track id" in reading.remarks[0].sentence


@pytest.mark.parametrize("line", ["0 0.25 0.5 0.75 0.5 0.5 0.9", "0 0.25 0.5 0.75 0.5 0.75 0.9 0.25 0.9"])
def test_an_outline_becomes_its_box_with_a_remark(tmp_path: Path, line: str) -> None:
    reading = yolo.read(data_set(tmp_path, line))
    assert reading.images[0].boxes[0].xyxy == (10.0, 15.0, 30.0, 27.0)
    assert [(r.level, r.line) for r in reading.remarks] == [("repaired", 1)]


def test_key_points_are_not_taken_for_an_outline(tmp_path: Path) -> None:
    yaml = "train: train/images\nnames: [cat]\nkpt_shape: [2, 3]\n"
    reading = yolo.read(data_set(tmp_path, "0 0.5 0.5 0.5 0.5 0.1 0.1 2 0.9 0.9 2\n", yaml))
    assert reading.images[0].boxes[0].xyxy == (10.0, 7.5, 30.0, 22.5)


def test_edges_that_rounding_moved_over_the_border_are_put_back() -> None:
    assert parse_yolo(b"0 0.166666 0.5 0.333333 1.0000001", "a").rows[0].pixels(3000, 10) == (0, 0, 999.9975, 10)


def test_what_sticks_out_by_a_hundredth_is_taken_as_it_is() -> None:
    """Ultralytics trains with such files, and outlines of augmented images have such points."""
    read = parse_yolo(
        b"0 0.5 0.5 1.005 0.5\n0 0.5 -0.002 1.004 0.5 0.9 0.9\n0 0.5 0.5 1.02 0.5\n0 0.5 0.5 -0.005 0.5", "a"
    )
    assert [row.pixels(1000, 1000) for row in read.rows] == [(-2.5, 250, 1002.5, 750), (500, -2, 1004, 900)]
    assert [error.sentence.split(";")[0] for error in read.broken] == [
        "a:3: 1.02 is outside 0 to 1",
        "a:4: width and height must not be negative, found -0.005 x 0.5",
    ]


def test_an_empty_file_means_nothing_there_and_a_missing_one_means_not_labelled(tmp_path: Path) -> None:
    folder = data_set(tmp_path, "\n")
    picture(folder / "train" / "images" / "b.jpg")
    assert {i.name: (i.state, i.boxes) for i in yolo.read(folder).images} == {
        "train/images/a.jpg": (State.DONE, ()),
        "train/images/b.jpg": (State.UNLABELLED, ()),
    }


@pytest.mark.parametrize(
    "yaml",
    [
        "train: ../train/images\nnames: [cat]", "path: /gone/away\ntrain: train/images\nnames: [cat]",
        "train: /data/x/train/images\nnames: {0: cat}", "train: ..\\train\\images\nnames:\n- cat",
    ],
)  # fmt: skip
def test_wrong_paths_in_data_yaml_are_found_inside_the_folder_with_a_remark(tmp_path: Path, yaml: str) -> None:
    reading = yolo.read(data_set(tmp_path / "set", yaml=yaml))
    assert [i.split for i in reading.images] == [Split.TRAIN]
    assert reading.remarks[0].level == "repaired"


def test_paths_in_data_yaml_never_lead_outside(tmp_path: Path) -> None:
    picture(tmp_path / "private" / "a.jpg")
    text(tmp_path / "set" / "data.yaml", "train: ../private\nnames: [cat]")
    with pytest.raises(Refused, match="inside the data set's folder"):
        yolo.read(tmp_path / "set")


def test_a_split_given_as_a_list_of_files_is_read(tmp_path: Path) -> None:
    folder = data_set(tmp_path, yaml="train: train.txt\nval: [val.txt]\nnames: [cat]")
    picture(folder / "train" / "images" / "b.jpg")
    text(folder / "train.txt", "./train/images/a.jpg\r\n\r\n/old/place/train/images/gone.jpg\r\n")
    text(folder / "val.txt", "/old/place/train/images/b.jpg\n")
    reading = yolo.read(folder)
    assert {i.name: i.split for i in reading.images if i.file} == {
        "train/images/a.jpg": Split.TRAIN,
        "train/images/b.jpg": Split.VALIDATION,
    }
    assert [r.file for r in reading.remarks if r.level == "refused"] == ["old/place/train/images/gone.jpg"]


def test_names_that_yaml_would_change_stay_text(tmp_path: Path) -> None:
    yaml = "train: train/images\nnames: [no, on, 3.0, 12:30:45, null, 'a: b']\nnc: 6\n"
    assert yolo.read(data_set(tmp_path, yaml=yaml)).labels == ("no", "on", "3.0", "12:30:45", "null", "a: b")


def test_a_mark_of_byte_order_before_the_names_hides_nothing(tmp_path: Path) -> None:
    yaml = "\ufeffnames: [cat, dog]\ntrain: train/images\n"
    reading = yolo.read(data_set(tmp_path, yaml=yaml))
    assert (reading.labels, reading.images[0].split) == (("cat", "dog"), Split.TRAIN)


YAML = {
    "anchors": ("names: &a [cat]\ntrain: *a\n", 1),
    "a key twice": ("names: [cat]\nnames: [dog]\ntrain: x\n", 2),
    "not YAML": ("names: [cat\ntrain: x\n", 2),
    "names is text": ("names: cat\ntrain: x\n", 1),
    "a name is missing": ("names:\n- cat\n-\ntrain: x\n", 3),
    "key is no number": ("names:\n  cat: 0\ntrain: x\n", 2),
}


@pytest.mark.parametrize("case", YAML)
def test_a_damaged_data_yaml_is_refused_with_its_line(tmp_path: Path, case: str) -> None:
    content, line = YAML[case]
    with pytest.raises(Refused) as caught:
        yolo.read(data_set(tmp_path, yaml=content))
    assert caught.value.sentence.startswith(f"data.yaml:{line}:")


def test_capitals_that_differ_part_no_label_file_from_its_image(tmp_path: Path) -> None:
    for stem in ("A", "B", "b", "c"):
        picture(tmp_path / "images" / f"{stem}.JPG")
    for name in ("a.TXT", "b.txt", "c.TXT"):
        text(tmp_path / "labels" / name, "0 0.5 0.5 0.5 0.5\n")
    text(tmp_path / "data.yaml", "train: images\nnames: [cat]\n")
    found = {Path(image.name).stem: len(image.boxes) for image in yolo.read(tmp_path).images}
    assert found == {"A": 1, "B": 0, "b": 1, "c": 1}, "b.txt is the other's"


def test_a_list_of_names_is_no_label_file(tmp_path: Path) -> None:
    picture(tmp_path / "a.jpg")
    picture(tmp_path / "classes.jpg")
    text(tmp_path / "a.txt", "1 0.5 0.5 0.5 0.5")
    text(tmp_path / "classes.txt", "cat\ndog\n\n")
    text(tmp_path / "README.txt", "About this data.")
    reading = yolo.read(tmp_path)
    assert reading.labels == ("cat", "dog")
    assert [(i.name, i.state) for i in reading.images] == [("a.jpg", State.DONE), ("classes.jpg", State.UNLABELLED)]
    assert reading.remarks == ()


def test_without_names_the_labels_are_numbered_with_a_remark(tmp_path: Path) -> None:
    picture(tmp_path / "images" / "a.jpg")
    text(tmp_path / "labels" / "a.txt", "2 0.5 0.5 0.5 0.5")
    reading = yolo.read(tmp_path)
    assert reading.labels == ("label 0", "label 1", "label 2")
    assert reading.remarks[0].level == "repaired"


def test_different_lists_of_names_are_refused(tmp_path: Path) -> None:
    picture(tmp_path / "a.jpg")
    text(tmp_path / "a.txt", "0 0.5 0.5 0.5 0.5")
    text(tmp_path / "classes.txt", "cat")
    text(tmp_path / "obj.names", "dog")
    with pytest.raises(Refused, match="different lists of names"):
        yolo.read(tmp_path)


def test_the_fractions_are_of_the_upright_image(tmp_path: Path) -> None:
    folder = data_set(tmp_path, "0 0.5 0.5 1 1")
    picture(folder / "train" / "images" / "a.jpg", 40, 30, orientation=6)
    reading = yolo.read(folder)
    assert reading.images[0].boxes[0].xyxy == (0, 0, 30, 40)


def test_cheetah_is_read_as_it_is(test_data: Path) -> None:
    reading = yolo.read(test_data / "data/cheetah")
    splits = [i.split for i in reading.images]
    assert [splits.count(s) for s in (Split.TRAIN, Split.VALIDATION, Split.TEST)] == [90, 25, 14]
    assert sum(not i.boxes for i in reading.images) == 3
    assert {i.state for i in reading.images} == {State.DONE}
    assert [(r.level, r.line) for r in reading.remarks] == [("repaired", 1), ("repaired", 2), ("repaired", 3)]


@pytest.mark.parametrize(
    ("case", "images", "boxes"),
    [("yolo_dataset/labels", 2, 4), ("yolo_dataset/annotations", 1, 2), ("yolo_dataset/strict", 1, 2),
     ("roboflow_dataset/yolo", 3, 4)],
)  # fmt: skip
def test_files_of_another_tool_are_read(test_data: Path, case: str, images: int, boxes: int) -> None:
    reading = yolo.read(test_data / "import_cases/datumaro" / case)
    assert (len(reading.images), sum(len(i.boxes) for i in reading.images)) == (images, boxes)
    assert not [r for r in reading.remarks if r.level == "refused"]


def test_yolo_mark_with_its_images_is_read(test_data: Path, tmp_path: Path) -> None:
    for file in (test_data / "import_cases/yolo_mark").rglob("*.*"):
        text(tmp_path / file.relative_to(test_data / "import_cases/yolo_mark"), file.read_bytes())
    for name in [line.split("/", 1)[1] for line in (tmp_path / "train.txt").read_text().split()]:
        picture(tmp_path / name, 1280, 720)
    reading = yolo.read(tmp_path)
    assert reading.labels == ("air", "bird")
    assert (len(reading.images), sum(len(i.boxes) for i in reading.images)) == (11, 35)
    assert [i.name for i in reading.images if i.state is State.UNLABELLED] == ["img/air7.jpg"]


def test_what_is_written(tmp_path: Path) -> None:
    images = [
        Image(1, "one/a.jpg", 40, 30, State.DONE, Split.TRAIN), Image(2, "two/a.jpg", 40, 30, State.DONE, Split.TRAIN),
        Image(3, "b.jpg", 40, 30, State.UNLABELLED, Split.VALIDATION),
    ]  # fmt: skip
    yolo.write(snapshot(["cat", 'a "dog": 1'], images, [Box(0, 0, 1, (-5, 7.5, 30, 22.5))]), tmp_path)
    written = {f.relative_to(tmp_path).as_posix(): f.read_bytes() for f in tmp_path.rglob("*.*")}
    assert written == {
        "labels/train/one/a.txt": b"1 0.375 0.5 0.75 0.5\n",
        "labels/train/two/a.txt": b"",
        "data.yaml": b'train: images/train\nval: images/val\nnc: 2\nnames:\n  0: "cat"\n  1: "a \\"dog\\": 1"\n',
    }


def test_images_that_would_share_a_label_file_get_different_names() -> None:
    names = ["a.jpg", "a.png", "A.bmp", "images/b.jpg", "con.jpg"]
    places = yolo.places(snapshot([], [Image(i, name, split=Split.TRAIN) for i, name in enumerate(names)], []))
    inner = [place.removeprefix("images/train/") for place in places]
    assert inner == ["a.jpg", "a-2.png", "A-3.bmp", "images_/b.jpg", "con-.jpg"]


def test_images_of_one_path_in_very_many_folders_are_told_apart_in_a_few_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    looks, seen = [], layout._key
    monkeypatch.setattr(layout, "_key", lambda stem: looks.append(stem) or seen(stem))
    images = [Image(i, ("a.jpg", "a-2.jpg")[i == 5], root=i, split=Split.TRAIN) for i in range(300)]
    paths = layout.distinct_paths(images)
    assert [paths[i] for i in (0, 1, 4, 5, 6)] == ["a.jpg", "a-2.jpg", "a-5.jpg", "a-2-2.jpg", "a-6.jpg"]
    assert len({seen(path) for path in paths}) == 300
    assert len(looks) < 1000


def test_a_split_that_came_without_its_images_finds_them_in_the_folders_given(tmp_path: Path) -> None:
    """What Workbench itself exports when images are not copied: labels/train, and images only in the project."""
    photographs, source = tmp_path / "photographs", tmp_path / "out"
    picture(photographs / "a.jpg")
    text(source / "labels" / "train" / "a.txt", "0 0.5 0.5 0.5 0.5\n")
    text(source / "labels" / "train" / "gone.txt", "0 0.5 0.5 0.5 0.5\n")
    text(source / "data.yaml", "train: images/train\nnames: [cat]\n")
    reading = yolo.read(source, [photographs])
    found = {image.name.rsplit("/", 1)[-1]: image for image in reading.images}
    assert found["a.jpg"].boxes[0].xyxy == (10.0, 7.5, 30.0, 22.5)
    assert found["a.jpg"].split is Split.TRAIN
    assert found["gone"].file is None


@pytest.mark.parametrize("stem", ["test", "train", "val", "classes"])
@pytest.mark.parametrize("label", ["0 0.5 0.5 0.5 0.5\n", "", "0 0.5 oh\n"])
@pytest.mark.parametrize("yaml", [True, False])
def test_images_called_as_lists_are_keep_their_labels(tmp_path: Path, stem: str, label: str, yaml: bool) -> None:
    for name in (stem, "b"):
        picture(tmp_path / "images" / "train" / f"{name}.jpg")
    text(tmp_path / "labels" / "train" / f"{stem}.txt", label)
    text(tmp_path / "labels" / "train" / "b.txt", "0 0.5 0.5 0.5 0.5\n")
    if yaml:
        text(tmp_path / "data.yaml", "train: images/train\nnames: [cat]\n")
    if "oh" in label:
        with pytest.raises(Refused, match=stem):
            yolo.read(tmp_path)
        return
    counts = {i.file.stem: (len(i.boxes), i.state) for i in yolo.read(tmp_path).images if i.file}
    assert counts == {"b": (1, State.DONE), stem: (len(label) and 1, State.DONE)}


def test_lists_beside_the_labels_stay_lists(tmp_path: Path) -> None:
    """labelImg keeps classes.txt among the labels, Darknet's people train.txt beside the images."""
    for name in ("a", "train"):
        picture(tmp_path / f"{name}.jpg")
    text(tmp_path / "a.txt", "1 0.5 0.5 0.5 0.5\n")
    text(tmp_path / "train.txt", "a.jpg\ntrain.jpg\n")
    text(tmp_path / "labels" / "classes.txt", "cat\ndog\n")
    reading = yolo.read(tmp_path)
    assert reading.labels == ("cat", "dog")
    assert {i.file.stem: i.state for i in reading.images if i.file} == {"a": State.DONE, "train": State.UNLABELLED}


@pytest.mark.parametrize("inner", ["train", "train/labels", "labels/train"])
def test_a_part_of_a_data_set_takes_its_names_from_above(tmp_path: Path, inner: str) -> None:
    """Else the labels of a project would become label 0 and label 1 by choosing a folder too deep."""
    text(tmp_path / "set" / "data.yaml", "train: train/images\nnames: [cheetah, human]\n")
    folder = tmp_path / "set" / inner
    image = "images/train/a.jpg" if inner == "labels/train" else "train/images/a.jpg"
    picture(tmp_path / "set" / image)
    labels = Path(image.replace("images", "labels")).with_suffix(".txt")
    text(tmp_path / "set" / labels, "1 0.5 0.5 0.5 0.5\n")
    read = formats.load_all().get("yolo").read(folder, [tmp_path / "set"])
    assert read.labels == ("cheetah", "human")
    assert [box.label for image in read.images for box in image.boxes] == ["human"]
    assert any("come from" in remark.sentence and "data.yaml" in remark.sentence for remark in read.remarks)


def test_images_without_label_files_are_not_said_to_be_no_images(tmp_path: Path) -> None:
    picture(tmp_path / "images" / "train" / "a.jpg")
    text(tmp_path / "labels" / "train" / "a.txt", "0 0.5 0.5 0.1 0.1\n")
    with pytest.raises(Refused, match="no image here has a label file; choose the parent folder"):
        yolo.read(tmp_path / "images" / "train")


def test_numbers_of_one_name_are_told(tmp_path: Path) -> None:
    picture(tmp_path / "images" / "a.jpg")
    text(tmp_path / "labels" / "a.txt", "0 0.5 0.5 0.1 0.1\n1 0.5 0.5 0.2 0.1\n")
    text(tmp_path / "data.yaml", "train: images\nnames: [cat, cat, dog]\n")
    reading = yolo.read(tmp_path)
    assert [box.label for box in reading.images[0].boxes] == ["cat", "cat"]
    assert "Several numbers are called 'cat'; they became one label." in [r.sentence for r in reading.remarks]


def test_a_listed_image_that_is_gone_is_told_once_though_its_label_file_is_there(tmp_path: Path) -> None:
    text(tmp_path / "labels" / "train" / "gone.txt", "0 0.5 0.5 0.5 0.5\n")
    text(tmp_path / "train.txt", "images/train/gone.jpg\n")
    text(tmp_path / "data.yaml", "train: train.txt\nnames: [cat]\n")
    reading = yolo.read(tmp_path)
    assert [image.name for image in reading.images] == ["images/train/gone.jpg"]
    assert [remark.file for remark in reading.remarks if remark.level == "refused"] == ["images/train/gone.jpg"]


def test_an_export_of_label_studio_without_images_means_those_that_were_uploaded(tmp_path: Path) -> None:
    """It sets a hash before each name, and _ for spaces; all labels were left out."""
    for name in ("a.jpg", "b (1).jpg", "c.jpg", "1.jpg"):
        picture(tmp_path / "photographs" / name)
    folder = tmp_path / "export"
    text(folder / "classes.txt", "cat\n")
    for name in ("0a1b2c3d-a", "12345678-b_1", "0a1b2c3d-c", "1a1b2c3d-c", "20240131-1", "deadbeef-d"):
        text(folder / "labels" / f"{name}.txt", "0 0.5 0.5 0.5 0.5\n")
    reading = yolo.read(folder, [tmp_path / "photographs"])
    found = {image.name: image.file.name if image.file else "" for image in reading.images if image.boxes}
    assert found == {"a.jpg": "a.jpg", "b (1).jpg": "b (1).jpg"}
    lost = [remark.file for remark in reading.remarks if remark.level == "refused"]
    assert lost == [f"labels/{name}.txt" for name in ("0a1b2c3d-c", "1a1b2c3d-c", "20240131-1", "deadbeef-d")]
    told = [remark.sentence for remark in reading.remarks if remark.file == "labels/12345678-b_1.txt"]
    assert told == ["Its image is 'b (1).jpg': Label Studio puts a hash before the names of uploads."]
