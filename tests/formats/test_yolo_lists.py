"""YOLO: what lists beside the label files tell: obj.data, lists of images, images without a split, data.yaml above."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.formats.making import picture, snapshot, text
from workbench import formats
from workbench.core.project import Box, Image, Split, State
from workbench.errors import Refused

yolo = formats.load_all().get("yolo")


def test_lines_of_an_obj_data_that_are_no_settings_are_told(tmp_path: Path) -> None:
    picture(tmp_path / "data" / "a.jpg")
    text(tmp_path / "data" / "a.txt", "0 0.5 0.5 0.5 0.5\n")
    text(tmp_path / "obj.names", "cat\n")
    text(tmp_path / "train.txt", "data/a.jpg\n")
    text(tmp_path / "obj.data", "# ours\nclasses = 1\n\ntrain = train.txt\nvalid\nnames = obj.names\n")
    reading = yolo.read(tmp_path / "obj.data")
    assert [(image.split, [box.label for box in image.boxes]) for image in reading.images] == [(Split.TRAIN, ["cat"])]
    assert [(remark.sentence, remark.line) for remark in reading.remarks if remark.level == "refused"] == [
        ("'valid' is not of the form 'key = value'; it was left out.", 5)
    ]


def test_images_without_a_split_that_were_not_copied_get_their_boxes_back(tmp_path: Path) -> None:
    images = [Image(1, "a.jpg", 40, 30, State.DONE, Split.TRAIN), Image(2, "b.jpg", 40, 30, State.DONE)]
    boxes = [Box(0, 0, 0, (0, 0, 4, 3)), Box(0, 1, 0, (10, 7.5, 30, 22.5))]
    yolo.write(snapshot(["cat"], images, boxes), tmp_path / "out")
    for image in images:
        picture(tmp_path / "photographs" / image.path)
    read = yolo.read(tmp_path / "out", [tmp_path / "photographs"]).images
    assert {Path(image.name).stem: (image.split, [box.xyxy for box in image.boxes]) for image in read} == {
        "a": (Split.TRAIN, [(0, 0, 4, 3)]),
        "b": (None, [(10, 7.5, 30, 22.5)]),
    }


def test_a_split_of_many_folders_looks_at_each_image_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As of a data set with a folder for each video: 300 with 100 images each took two and a half minutes."""
    folders = [f"images/video {number}" for number in range(40)]
    for number, folder in enumerate(folders):
        picture(tmp_path / folder / "a.jpg")
        text(tmp_path / folder.replace("images", "labels") / "a.txt", f"{number % 2} 0.5 0.5 0.5 0.5\n")
    picture(tmp_path / "images" / "elsewhere" / "a.jpg")
    listed = "".join(f"  - {folder}\n" for folder in folders)
    text(tmp_path / "data.yaml", f"names: [cat, dog]\ntrain:\n{listed}val: images/video 7\n")
    compared = list[Path]()
    real = Path.is_relative_to
    monkeypatch.setattr(Path, "is_relative_to", lambda self, *other: (compared.append(self), real(self, *other))[1])
    reading = yolo.read(tmp_path / "data.yaml")
    assert len(compared) < 10 * len(folders)
    found = {image.name: [box.label for box in image.boxes] for image in reading.images if image.boxes}
    assert found == {f"{folder}/a.jpg": [("cat", "dog")[n % 2]] for n, folder in enumerate(folders)}
    assert {image.split for image in reading.images if image.boxes} == {Split.TRAIN}
    assert [remark.sentence for remark in reading.remarks] == ["The image is in two splits; it stays in train."]


def test_a_list_whose_paths_all_lead_up_is_told_in_a_few_lines(tmp_path: Path) -> None:
    """As Darknet's are, seen from where it was trained: each line was a remark of its own."""
    for number in range(50):
        picture(tmp_path / "images" / f"{number}.jpg")
    text(tmp_path / "train.txt", "".join(f"../images/{number}.jpg\n" for number in range(50)))
    text(tmp_path / "data.yaml", "names: [cat]\ntrain: train.txt\n")
    reading = yolo.read(tmp_path)
    assert len([image for image in reading.images if image.file]) == 50
    assert reading.remarks[-1].sentence == "30 more like this: image names that lead outside the folder"
    assert len(reading.remarks) == 21


def test_a_part_of_a_data_set_of_key_points_has_the_boxes_of_the_whole(tmp_path: Path) -> None:
    """As of Ultralytics' tiger-pose: two numbers for a point look like an outline, which begins at the box's centre."""
    text(tmp_path / "data.yaml", "names: [tiger]\ntrain: images/train\nkpt_shape: [3, 2]\n")
    picture(tmp_path / "images" / "train" / "a.jpg")
    text(tmp_path / "labels" / "train" / "a.txt", "0 0.5 0.5 0.5 0.5 0.1 0.1 0.2 0.9 0.9 0.9\n")
    for given in (tmp_path, tmp_path / "labels" / "train"):
        read = yolo.read(given, [tmp_path]).images
        assert [box.xyxy for image in read for box in image.boxes] == [(10, 7.5, 30, 22.5)], given


def test_images_that_did_not_come_with_their_labels_are_told_once(tmp_path: Path) -> None:
    """Each was listed, and its label file was without an image; later, those of two splits counted once by their name,
    and those that Label Studio names after uploads were called missing although they were found.
    """
    text(tmp_path / "data.yaml", "names: [cat]\ntrain: images/train\nval: images/val\n")
    files = [f"labels/{name}.txt" for name in ("train/a", "train/b", "train/torn", "val/a")]
    for name in (*files, "labels/val/0a1b2c3d-c.txt"):
        text(tmp_path / name, "0 0.5 0.5\n" if "torn" in name else "0 0.5 0.5 0.5 0.5\n")
    uploaded = picture(tmp_path / "photographs" / "c.jpg")
    reading = yolo.read(tmp_path, [tmp_path / "photographs"])
    assert [image.file for image in reading.images] == [uploaded, None, None, None, None]
    assert [image.name for image in reading.images[1:]] == [name.removesuffix(".txt") for name in files]
    assert [remark.file for remark in reading.remarks if remark.level == "refused"] == files


def test_a_link_to_nothing_beside_the_data_yaml_is_no_second_data_set(tmp_path: Path) -> None:
    text(tmp_path / "data.yaml", "names: [cat]\ntrain: images\n")
    (tmp_path / "training.yaml").symlink_to("nowhere")
    picture(tmp_path / "images" / "a.jpg")
    text(tmp_path / "labels" / "a.txt", "0 0.5 0.5 0.5 0.5\n")
    assert [len(image.boxes) for image in yolo.read(tmp_path).images] == [1]
    (tmp_path / "data.yaml").unlink()
    (tmp_path / "other.yaml").symlink_to("nowhere")
    with pytest.raises(Refused, match=r"^other\.yaml: it is a link to a file that is not there"):
        yolo.read(tmp_path)


WINDOWS = {
    "folders": {"data.yaml": "path: D:\\work\\set\r\ntrain: images\\train\r\nval: D:\\work\\set\\images\\val\r\n"},
    "other capitals": {"data.yaml": "train: Images\\Train\r\nval: IMAGES\\val\r\n"},
    "lists": {
        "data.yaml": "train: train.txt\r\nval: lists\\Val.txt\r\n",
        "train.txt": "D:\\work\\set\\images\\train\\a.jpg\r\n",
        "lists/val.txt": ".\\Images\\val\\B.JPG\r\n",
    },
}


@pytest.mark.parametrize("case", WINDOWS)
def test_a_data_set_whose_paths_were_written_on_windows_is_found(tmp_path: Path, case: str) -> None:
    for name in ("train/a", "val/b"):
        picture(tmp_path / "images" / f"{name}.jpg")
        text(tmp_path / "labels" / f"{name}.txt", "0 0.5 0.5 0.5 0.5\r\n")
    for file, content in WINDOWS[case].items():
        text(tmp_path / file, content + ("names: [cat]\r\n" if file == "data.yaml" else ""))
    reading = yolo.read(tmp_path)
    assert [(image.name, image.split, len(image.boxes)) for image in reading.images] == [
        ("images/train/a.jpg", Split.TRAIN, 1),
        ("images/val/b.jpg", Split.VALIDATION, 1),
    ]
    assert {remark.level for remark in reading.remarks} <= {"repaired"}


@pytest.mark.skipif(os.sep == "\\", reason="no name holds a backslash there")
@pytest.mark.parametrize("described", [True, False])
def test_a_zip_from_windows_that_was_unpacked_without_making_folders_is_read(tmp_path: Path, described: bool) -> None:
    """As by some programs: all files lie side by side, with backslashes in their names."""
    for name in ("train\\a", "val\\b"):
        picture(tmp_path / f"images\\{name}.jpg")
        text(tmp_path / f"labels\\{name}.txt", "0 0.5 0.5 0.5 0.5\n")
    if described:
        text(tmp_path / "data.yaml", "train: images\\train\nval: ../set/images/val\nnames: [cat]\n")
    found = [(image.name, image.split, len(image.boxes)) for image in yolo.read(tmp_path).images]
    assert found == [("images\\train\\a.jpg", Split.TRAIN, 1), ("images\\val\\b.jpg", Split.VALIDATION, 1)]


@pytest.mark.parametrize("images", ["away", "at the top"])
def test_a_split_whose_folder_of_images_is_empty_is_read_by_its_labels(tmp_path: Path, images: str) -> None:
    """It was said that there is no such folder."""
    (tmp_path / "images" / "train").mkdir(parents=True)
    text(tmp_path / "labels" / "train" / "a.txt", "0 0.5 0.5 0.5 0.5\n")
    text(tmp_path / "data.yaml", "train: images/train\nnames: [cat]\n")
    file = picture(tmp_path / "a.jpg") if images == "at the top" else None
    (image,) = yolo.read(tmp_path).images
    assert (image.file, image.split, len(image.boxes)) == (file, Split.TRAIN if file else None, 1 if file else 0)


def test_a_data_set_in_utf_16_is_read(tmp_path: Path) -> None:
    picture(tmp_path / "images" / "a.jpg")
    text(tmp_path / "train.txt", "images\\a.jpg\r\n".encode("utf-16"))
    text(tmp_path / "labels" / "a.txt", "0 0.5 0.5 0.5 0.5\r\n".encode("utf-16"))
    text(tmp_path / "data.yaml", "train: train.txt\r\nnames: [cat]\r\n".encode("utf-16"))
    (image,) = yolo.read(tmp_path).images
    assert [box.label for box in image.boxes] == ["cat"]


def test_large_label_files_in_utf_16_are_known_as_such_without_a_description(tmp_path: Path) -> None:
    """The first part of one was cut off within a character: it was no label file, and nothing was said of it."""
    picture(tmp_path / "images" / "a.jpg")
    for name in "ab":
        text(tmp_path / "labels" / f"{name}.txt", ("0 0.5 0.5 0.5 0.5\r\n" * 200).encode("utf-16"))
    assert yolo.sniff(tmp_path) == 0.8
    remarks = [(remark.file, remark.sentence) for remark in yolo.read(tmp_path).remarks if remark.level == "refused"]
    assert remarks == [("labels/b.txt", "There is no image for this label file; its boxes were left out.")]


def test_darknets_description_in_utf_16_is_found(tmp_path: Path) -> None:
    picture(tmp_path / "a.jpg")
    for name, said in (("a.txt", "0 0.5 0.5 0.5 0.5"), ("obj.names", "cat"), ("train.txt", "a.jpg")):
        text(tmp_path / name, f"{said}\r\n".encode("utf-16"))
    text(tmp_path / "obj.data", "train = train.txt\r\nnames = obj.names\r\n".encode("utf-16"))
    (image,) = yolo.read(tmp_path).images
    assert (image.split, [box.label for box in image.boxes]) == (Split.TRAIN, ["cat"])


def test_a_listed_image_that_is_away_is_told_once_though_its_label_file_lies_in_another_folder(tmp_path: Path) -> None:
    """As Darknet's lists are, seen from the folder above: both the image and the label file were told."""
    text(tmp_path / "obj.names", "cat\n")
    text(tmp_path / "obj.data", "train = data/train.txt\nnames = data/obj.names\n")
    text(tmp_path / "train.txt", "data/img/a.jpg\ndata/img/b.jpg\n")
    for name in ("img/a", "img/c"):
        text(tmp_path / f"{name}.txt", "0 0.5 0.5 0.5 0.5\n")
    reading = yolo.read(tmp_path)
    assert [image.name for image in reading.images] == ["data/img/a.jpg", "data/img/b.jpg", "img/c"]
    assert [remark.file for remark in reading.remarks if remark.level == "refused"] == [
        "data/img/a.jpg", "data/img/b.jpg", "img/c.txt",
    ]  # fmt: skip
