"""KITTI: lines of 15 or 16 values, DontCare regions, objects in space, lists of splits, damage with its line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.formats.making import picture, snapshot, text, times_as_long
from workbench import formats
from workbench.core.project import Box, Image, Split, State
from workbench.errors import Refused
from workbench.formats import ReadBox, ReadSettings
from workbench.formats.parts.kitti_txt import parse_kitti, to_line

kitti = formats.load_all().get("kitti")
SAMPLE = "import_cases/datumaro/kitti_dataset/kitti_detection"
# as the benchmark's own training labels (data_object_label_2) have them
CAR = "Car 0.35 2 1.85 387.63 181.54 423.81 203.12 1.67 1.87 3.69 -16.53 2.39 58.49 1.57\n"
UNKNOWN = "Cyclist 0.00 3 -1.65 676.60 163.95 688.98 193.93 1.86 0.60 2.02 4.59 1.32 45.84 -1.55\n"
REGION = "DontCare -1 -1 -10 503.89 169.71 590.61 190.13 -1 -1 -1 -1000 -1000 -1000 -10\n"


def parse(content: str) -> list[ReadBox]:
    read = parse_kitti(content.encode(), "x.txt")
    assert not read.broken
    return read.boxes


def line(label: str = "Car", x0: object = 1, y0: object = 2, x1: object = 3, y1: object = 4) -> str:
    return f"{label} 0.00 0 -10 {x0} {y0} {x1} {y1} -1 -1 -1 -1000 -1000 -1000 -10\n"


def again(box: ReadBox, **changes: bool) -> str:
    """The line of a box that was read, after the marks were changed."""
    marks = {"truncated": box.truncated, "occluded": box.occluded, "region": box.crowd} | changes
    return to_line(box.label, box.xyxy, extra=box.extra, **marks)


def test_the_samples_of_datumaro_are_read(test_data: Path) -> None:
    reading = kitti.read(test_data / SAMPLE)
    assert reading.labels == ("Truck", "Van")
    found = [(i.name, [(b.label, b.xyxy, b.truncated, b.occluded) for b in i.boxes]) for i in reading.images]
    assert found == [
        ("training/image_2/000030_10.png", [("Truck", (0, 1, 2, 3), True, False), ("Van", (0, 5, 1, 8), False, False)]),
        (
            "training/image_2/000030_11.png",
            [
                ("Van", (0, 0, 2, 2), True, True),
                ("Van", (4, 4, 6, 6), False, False),
                ("Van", (6, 6, 7, 9), False, True),
            ],
        ),
    ]
    assert all(i.file == test_data / SAMPLE / i.name and i.split is Split.TRAIN for i in reading.images)
    assert not reading.remarks  # Datumaro's -1 stands for "not known"


@pytest.mark.parametrize("inner", ["training", "training/label_2", "training/label_2/000030_11.txt"])
def test_a_part_of_a_data_set_finds_its_images(test_data: Path, inner: str) -> None:
    reading = kitti.read(test_data / SAMPLE / inner)
    assert reading.images[-1].file == test_data / SAMPLE / "training/image_2/000030_11.png"
    assert len(reading.images[-1].boxes) == 3


def test_lines_of_the_benchmark_come_back_to_the_letter() -> None:
    score = CAR.replace("1.57\n", "1.57 0.93\n")
    content = CAR + UNKNOWN + REGION + score
    assert "".join(map(again, parse(content))) == content


def test_marks_are_read_from_numbers_and_unknown_occlusion_is_none() -> None:
    told = [(b.label, b.truncated, b.occluded, b.crowd) for b in parse(CAR + UNKNOWN + REGION)]
    assert told == [("Car", True, True, False), ("Cyclist", False, False, False), ("DontCare", False, False, True)]


def test_a_changed_mark_is_written_and_the_rest_of_the_line_stays() -> None:
    (car,), (cyclist,) = parse(CAR), parse(UNKNOWN)
    assert again(car, truncated=False) == CAR.replace("0.35", "0.00")
    assert again(car, occluded=False) == CAR.replace(" 2 1.85", " 0 1.85")
    assert again(cyclist, occluded=True) == UNKNOWN.replace(" 3 -1.65", " 1 -1.65")


@pytest.mark.parametrize("extra", ['{"kitti": 3}', '{"kitti": ["1"]}', "[" * 2000, "{}"])
def test_strange_values_kept_with_a_box_are_not_written(extra: str) -> None:
    assert to_line("Car", (1, 2, 3, 4), False, False, False, extra) == line(x0="1.00", y0="2.00", x1="3.00", y1="4.00")


def test_a_kept_value_that_is_no_number_does_not_reach_the_file() -> None:
    extra = json.dumps({"kitti": ["0", "0", "x\ny", *["-1"] * 7]})
    assert to_line("Car", (1, 2, 3, 4), False, False, False, extra).split() == [
        *("Car", "0", "0", "-1", "1.00", "2.00", "3.00", "4.00"),
        *["-1"] * 7,
    ]


def test_what_is_kept_is_said_once_with_its_number(tmp_path: Path) -> None:
    for name in ("a", "b"):
        text(tmp_path / "training/label_2" / f"{name}.txt", CAR + UNKNOWN + REGION + CAR.replace("1.57\n", "1.57 1\n"))
    remarks = kitti.read(tmp_path).remarks
    assert {r.level for r in remarks} == {"read"}
    text(tmp_path / "one/label_2/a.txt", REGION)
    assert kitti.read(tmp_path / "one").remarks[0].sentence.startswith("1 DontCare region was read as crowd")
    told = ("2 DontCare regions", "2 boxes have unknown", "6 boxes have a place in space", "2 boxes have a score")
    assert all(r.sentence.startswith(words) for r, words in zip(remarks, told, strict=True))


def test_the_numbers_of_the_two_folders_are_not_taken_for_each_other(tmp_path: Path) -> None:
    """The benchmark counts from 000000 in training and in testing, and its lists name numbers only."""
    for folder in ("training", "testing"):
        for name in ("000000", "000001", "000002"):
            picture(tmp_path / folder / "image_2" / f"{name}.png")
            picture(tmp_path / folder / "image_3" / f"{name}.png")  # the right eye
    for name in ("000000", "000001", "000002"):
        text(tmp_path / "training/label_2" / f"{name}.txt", line())
    lists = {"train": "000000\n", "val": "000001\r\n", "trainval": "000000\n000001\n000002\n", "test": "000000\n"}
    for name, content in lists.items():
        text(tmp_path / "ImageSets" / f"{name}.txt", content)
    reading = kitti.read(tmp_path)
    assert [(i.name, i.split, i.state) for i in reading.images] == [
        ("training/image_2/000000.png", Split.TRAIN, State.DONE),
        ("training/image_2/000001.png", Split.VALIDATION, State.DONE),
        ("training/image_2/000002.png", None, State.DONE),
        ("testing/image_2/000000.png", Split.TEST, State.UNLABELLED),
        ("testing/image_2/000001.png", Split.TEST, State.UNLABELLED),
        ("testing/image_2/000002.png", Split.TEST, State.UNLABELLED),
    ]


def test_a_list_of_test_images_without_a_folder_of_them_means_those_of_training(tmp_path: Path) -> None:
    for name in ("a", "b"):
        text(tmp_path / "training/label_2" / f"{name}.txt", line())
    text(tmp_path / "ImageSets/test.txt", "b\n")
    assert [i.split for i in kitti.read(tmp_path).images] == [None, Split.TEST]


def test_folders_as_nvidia_tao_names_them_are_read(tmp_path: Path) -> None:
    text(tmp_path / "labels/a.txt", "person 0.00 0 0.00 1.00 2.00 3.00 4.00 0.00 0.00 0.00 0.00 0.00 0.00 0.00\n")
    text(tmp_path / "labels/b.txt", "")
    text(tmp_path / "notes/readme.txt", "not a label file\n")
    files = [picture(tmp_path / "images" / f"{name}.jpg") for name in "abc"]
    reading = kitti.read(tmp_path)
    assert kitti.sniff(tmp_path) == 1
    assert [(i.file, i.state, len(i.boxes)) for i in reading.images] == [
        (files[0], State.DONE, 1),
        (files[1], State.DONE, 0),
        (files[2], State.UNLABELLED, 0),
    ]
    assert not reading.remarks


DAMAGED = {
    "too few": (CAR + CAR[:-6] + "\n", "14 values; expected 15"),
    "a label of two words": (CAR + "Big " + CAR, "'Car' is not a plain number"),
    "of the tracking benchmark": (CAR + "0 2 " + CAR, "tracking"),
    "nan": (CAR + line(x0="nan"), "'nan' is not a plain number"),
    "infinite": (CAR + line(y1="1e999"), "'1e999' is not a plain number"),
    "enormous": (CAR + line(y1="1e8"), "1e+08 is no number of pixels"),
    "not UTF-8": (CAR + line("C\udcffr"), "not UTF-8"),
    "NUL": (CAR + line("C\0r"), "NUL"),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_line_is_refused_with_its_place(tmp_path: Path, case: str) -> None:
    content, reason = DAMAGED[case]
    text(tmp_path / "training/label_2/a.txt", content.encode("utf-8", "surrogateescape"))
    with pytest.raises(Refused) as caught:
        kitti.read(tmp_path)
    assert caught.value.sentence.startswith("training/label_2/a.txt:2: ")
    assert reason in caught.value.sentence


def test_skipping_a_broken_line_leaves_its_image_in_work(tmp_path: Path) -> None:
    text(tmp_path / "label_2/a.txt", line() + "Car 1\n")
    text(tmp_path / "label_2/b.txt", line())
    reading = kitti.read(tmp_path, settings=ReadSettings(skip_broken=True))
    assert [(i.state, len(i.boxes)) for i in reading.images] == [(State.IN_WORK, 1), (State.DONE, 1)]
    assert [(r.level, r.file, r.line) for r in reading.remarks] == [("refused", "label_2/a.txt", 2)]


def test_swapped_corners_are_put_in_order_and_boxes_without_area_kept_each_with_its_line() -> None:
    read = parse_kitti((line(x0=9, x1=5) + line(x1=1)).encode(), "x.txt")
    assert [b.xyxy for b in read.boxes] == [(5, 2, 9, 4), (1, 2, 1, 4)]
    assert [(level, number) for level, _, number, _ in read.remarks] == [("repaired", 1), ("read", 2)]


def test_labels_are_written_without_spaces_and_stay_apart(tmp_path: Path) -> None:
    labels = ["traffic light", "traffic_light", "traffic  light", "é"]
    images = [Image(1, "a.jpg", 40, 30, State.DONE)]
    kitti.write(snapshot(labels, images, [Box(0, 0, n, (1, 2, 3, 4)) for n in range(4)]), tmp_path)
    assert [b.label for b in kitti.read(tmp_path).images[0].boxes] == [
        "traffic_light-2", "traffic_light", "traffic_light-3", "é",
    ]  # fmt: skip


def test_a_crowd_region_becomes_a_dontcare_region(tmp_path: Path) -> None:
    boxes = [Box(0, 0, 0, (503.89, 169.71, 590.61, 190.13), crowd=True)]
    kitti.write(snapshot(["Car"], [Image(1, "a.jpg", 600, 300, State.DONE)], boxes), tmp_path)
    assert (tmp_path / "training/label_2/a.txt").read_text() == REGION


def test_images_are_laid_flat_and_listed_by_split(tmp_path: Path) -> None:
    splits = (Split.TRAIN, Split.VALIDATION, Split.NONE, Split.TEST)
    names = ("s/a.jpg", "t/a.png", "s/b.jpg", "c.jpg")
    images = [
        Image(n, name, 40, 30, State.DONE, split) for n, (name, split) in enumerate(zip(names, splits, strict=True))
    ]
    shot = snapshot(["Car"], images, [Box(0, 0, 0, (1, 2, 3, 4))])
    assert kitti.places(shot) == (
        "training/image_2/s_a.jpg", "training/image_2/t_a.png", "training/image_2/b.jpg", "testing/image_2/c.jpg",
    )  # fmt: skip
    written = {f.relative_to(tmp_path).as_posix(): f.read_text() for f in kitti.write(shot, tmp_path)}
    assert written == {
        "training/label_2/s_a.txt": line(x0="1.00", y0="2.00", x1="3.00", y1="4.00"),
        "training/label_2/t_a.txt": "",
        "training/label_2/b.txt": "",
        "testing/label_2/c.txt": "",
        "ImageSets/train.txt": "s_a\n",
        "ImageSets/val.txt": "t_a\n",
        "ImageSets/trainval.txt": "s_a\nt_a\nb\n",
        "ImageSets/test.txt": "c\n",
    }


def test_images_that_are_not_labelled_lie_where_no_reader_misses_their_labels(tmp_path: Path) -> None:
    images = [Image(1, "a.jpg", 40, 30, State.DONE), Image(2, "b.jpg", 40, 30, split=Split.TEST)]
    shot = snapshot(["Car"], images, [])
    assert kitti.places(shot) == ("training/image_2/a.jpg", "unlabelled/image_2/b.jpg")
    assert [f.name for f in kitti.write(shot, tmp_path)] == ["a.txt", "trainval.txt"]
    bare = picture(tmp_path / "unlabelled/image_2/b.jpg")
    assert [(i.file, i.split, i.state) for i in kitti.read(tmp_path).images if i.file] == [
        (bare, None, State.UNLABELLED)
    ]


def test_only_texts_of_this_form_are_recognised(tmp_path: Path) -> None:
    yolo = "0 0.5 0.5 0.25 0.125\n"
    outline = "0 " + " ".join(["0.5"] * 14) + "\n"  # fifteen values, as KITTI has them
    for name, content in {"a": yolo, "b": outline, "c": "0 0 " + CAR, "d": "", "e": CAR[:-6]}.items():
        text(tmp_path / "labels" / f"{name}.txt", content)
    assert kitti.sniff(tmp_path) == 0
    with pytest.raises(Refused, match="no KITTI label files"):
        kitti.read(tmp_path)
    assert kitti.sniff(text(tmp_path / "labels/f.txt", REGION)) == 1


def test_splits_are_known_also_when_the_folder_of_the_labels_or_a_half_was_given(tmp_path: Path) -> None:
    for half, stem in (("training", "000000"), ("training", "000001"), ("testing", "000000")):
        text(tmp_path / half / "label_2" / f"{stem}.txt", "Car 0 0 0 1 1 2 2 -1 -1 -1 -1 -1 -1 -1\n")
        picture(tmp_path / half / "image_2" / f"{stem}.png")
    text(tmp_path / "ImageSets/train.txt", "000000\n")
    text(tmp_path / "ImageSets/val.txt", "000001\n")
    for given in ("training/label_2", "training"):
        assert [image.split for image in kitti.read(tmp_path / given).images] == [Split.TRAIN, Split.VALIDATION]
    for given in ("testing/label_2", "testing"):
        assert [image.split for image in kitti.read(tmp_path / given).images] == [Split.TEST]


def test_very_many_labels_that_differ_in_spaces_alone_are_told_apart_at_once(tmp_path: Path) -> None:
    def write(count: int) -> None:
        labels = [f"a{' ' * n}b" for n in range(1, count + 1)]
        box = Box(0, 0, count - 1, (1, 2, 3, 4))
        kitti.write(snapshot(labels, [Image(1, "a.jpg", 40, 30, State.DONE)], [box]), tmp_path / str(count))

    assert times_as_long(lambda: write(200), lambda: write(1600)) < 24  # 64 if each number of each is looked for
    assert kitti.read(tmp_path / "1600").labels == ("a_b-1600",)
