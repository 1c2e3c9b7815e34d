"""Pascal VOC: base of counting, tags in any order, flags, splits, damage with its line, strict files."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.formats.making import picture, snapshot, text, voc_file, voc_object
from workbench import formats
from workbench.core.project import Box, Image, Split, State
from workbench.errors import Refused
from workbench.formats import Reading, ReadSettings
from workbench.formats.parts.voc_xml import parse_voc, to_xml

voc = formats.load_all().get("voc")


def data_set(folder: Path, **files: str) -> Path:
    for name, content in files.items():
        text(folder / "Annotations" / f"{name}.xml", content)
        picture(folder / "JPEGImages" / f"{name}.jpg")
    return folder


def boxes(reading: Reading) -> list[tuple[float, ...]]:
    return [box.xyxy for image in reading.images for box in image.boxes]


def test_corners_are_one_based_and_inclusive_when_nothing_proves_otherwise(tmp_path: Path) -> None:
    reading = voc.read(data_set(tmp_path, a=voc_file(voc_object("cat", (1, 2, 40, 30)))))
    assert boxes(reading) == [(0, 1, 40, 30)]
    assert "counted from 1" in reading.remarks[0].sentence
    assert "of 1 box 0 begin at 0" in reading.remarks[0].sentence
    assert "1 end exactly at the border" in reading.remarks[0].sentence


def test_one_zero_anywhere_proves_that_all_files_count_from_zero(tmp_path: Path) -> None:
    first, second = voc_file(voc_object("cat", (1, 2, 3, 4))), voc_file(voc_object("cat", (0, 5, 9, 9)))
    reading = voc.read(data_set(tmp_path, a=first, b=second))
    assert boxes(reading) == [(1, 2, 3, 4), (0, 5, 9, 9)]
    assert "counted from 0" in reading.remarks[0].sentence


def test_a_box_that_is_outside_its_image_proves_nothing(tmp_path: Path) -> None:
    first, second = voc_file(voc_object("cat", (1, 2, 3, 4))), voc_file(voc_object("cat", (-40, 5, 9, 9)))
    reading = voc.read(data_set(tmp_path, a=first, b=second))
    assert boxes(reading) == [(0, 1, 3, 4), (-41, 4, 9, 9)]
    third = voc_file(voc_object("cat", (-40, 0, 9, 9)))
    assert boxes(voc.read(data_set(tmp_path, c=third)))[0] == (1, 2, 3, 4), "the control: one that is at 0, too"


@pytest.mark.parametrize(("base", "expected"), [("0", (1, 2, 3, 4)), ("1", (0, 1, 3, 4))])
def test_a_person_may_say_the_base(tmp_path: Path, base: str, expected: tuple[int, ...]) -> None:
    folder = data_set(tmp_path, a=voc_file(voc_object("cat", (1, 2, 3, 4))))
    assert boxes(voc.read(folder, settings=ReadSettings(voc_base=base))) == [expected]


def test_corners_are_read_by_tag_not_by_order() -> None:
    corners = "<ymax>8</ymax><xmin>1</xmin><ymin>2</ymin><xmax>6</xmax>"
    shuffled = f"<object><bndbox>{corners}</bndbox><name>cat</name></object>"
    assert parse_voc(voc_file(shuffled).encode(), "a.xml").objects[0].box.xyxy == (1, 2, 6, 8)


def test_flags_belong_to_each_object_and_parts_are_kept() -> None:
    marked = voc_object("cat", (1, 2, 3, 4), "<difficult>1</difficult><occluded>1</occluded>")
    plain = voc_object("dog", (5, 6, 7, 8), "<part><name>head</name><bndbox><xmin>5</xmin></bndbox></part>")
    first, second = (o.box for o in parse_voc(voc_file(marked, plain).encode(), "a.xml").objects)
    assert (first.difficult, first.truncated, first.occluded) == (True, False, True)
    assert (second.difficult, second.truncated, second.occluded) == (False, False, False)
    assert '"head"' in second.extra
    assert second.xyxy == (5, 6, 7, 8)


def test_verified_on_the_outermost_element_makes_the_image_verified(tmp_path: Path) -> None:
    folder = data_set(tmp_path, a=voc_file(root='annotation verified="yes"'), b=voc_file())
    assert [image.state for image in voc.read(folder).images] == [State.VERIFIED, State.DONE]


def test_an_image_without_annotation_file_is_unlabelled(tmp_path: Path) -> None:
    folder = data_set(tmp_path, a=voc_file())
    picture(folder / "JPEGImages" / "b.jpg")
    assert {image.name: image.state for image in voc.read(folder).images}["JPEGImages/b.jpg"] is State.UNLABELLED


def test_a_box_of_one_point_is_remarked_and_kept(tmp_path: Path) -> None:
    reading = voc.read(data_set(tmp_path, a=voc_file(voc_object("cat", (5, 6, 5, 6)))))
    assert boxes(reading) == [(4, 5, 5, 6)]
    (told,) = (r for r in reading.remarks if "zero size" in r.sentence)
    assert (told.file, told.line) == ("Annotations/a.xml", 3)
    assert told.sentence.endswith("it was kept, as 1 x 1 pixels.")


def test_swapped_corners_are_put_in_order_with_a_remark(tmp_path: Path) -> None:
    reading = voc.read(data_set(tmp_path, a=voc_file(voc_object("cat", (9, 8, 3, 4)))))
    assert boxes(reading) == [(2, 3, 9, 8)]
    assert any(r.level == "repaired" and "swapped" in r.sentence for r in reading.remarks)


def test_a_box_that_cvat_turned_is_read_as_the_one_around_it(tmp_path: Path) -> None:
    """It writes the box as it was before: 20 x 4 pixels, turned by a quarter."""
    told = "".join(
        f"<attribute><name>{name}</name><value>{value}</value></attribute>"
        for name, value in (("rotation", "-90.0"), ("age", "3"))
    )
    turned = voc_object("cat", (10, 10, 30, 14), f"<attributes>{told}</attributes>")
    plain = voc_object("cat", (0, 2, 3, 4), f"<attributes>{told.replace('-90.0', '0.0')}</attributes>")
    reading = voc.read(data_set(tmp_path, a=voc_file(turned, plain)))
    assert boxes(reading)[0] == pytest.approx((18, 2, 22, 22))
    assert boxes(reading)[1] == (0, 2, 3, 4)
    assert [r.line for r in reading.remarks if r.sentence == "A rotated box was read as its bounding box."] == [3]
    image = reading.images[0]
    shown = snapshot(["cat"], [Image(1, "a.jpg", 40, 30)], [Box(0, 0, 0, b.xyxy, extra=b.extra) for b in image.boxes])
    again = to_xml(shown, 0, "JPEGImages/a.jpg")
    assert again.count("<name>age</name>") == 2
    assert again.count("<name>rotation</name>") == 1, "or who reads it again would turn it again"


def test_turned_boxes_of_rolabelimg_are_read_as_those_around_them() -> None:
    quarter = "<robndbox><cx>20</cx><cy>12</cy><w>20</w><h>4</h><angle>1.5707963267948966</angle></robndbox>"
    file = parse_voc(voc_file(f"<object><type>robndbox</type><name>cat</name>{quarter}</object>").encode(), "a.xml")
    (only,) = file.objects
    assert (only.turned, only.box.extra) == (True, "")
    assert only.box.xyxy == pytest.approx((18, 2, 22, 22))
    lacking = parse_voc(voc_file("<object><name>cat</name><robndbox><cx>20</cx></robndbox></object>").encode(), "a.xml")
    assert [error.reason for error in lacking.broken] == ["the box of 'cat' has no <cy>"]


def test_train_wins_over_trainval_and_lists_of_one_label_are_no_splits(tmp_path: Path) -> None:
    folder = data_set(tmp_path, a=voc_file(), b=voc_file(), c=voc_file(), d=voc_file())
    sets = folder / "ImageSets" / "Main"
    text(sets / "train.txt", "a\n")
    text(sets / "val.txt", "\n# a comment\nb  1\n")
    text(sets / "trainval.txt", "a\nb\n")
    text(sets / "cow_test.txt", "d -1\n")
    text(sets / "test.txt", "c\r\n")
    splits = {image.file.stem: image.split for image in voc.read(folder).images if image.file}
    assert splits == {"a": Split.TRAIN, "b": Split.VALIDATION, "c": Split.TEST, "d": None}


def test_an_image_in_two_splits_stays_in_the_first_with_a_remark(tmp_path: Path) -> None:
    folder = data_set(tmp_path, a=voc_file())
    for name in ("train", "test"):
        text(folder / "ImageSets" / "Main" / f"{name}.txt", "a\n")
    reading = voc.read(folder)
    assert reading.images[0].split is Split.TRAIN
    assert any("two splits" in r.sentence and r.line == 1 for r in reading.remarks)


BOMB = '<!DOCTYPE a [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><annotation>&b;</annotation>'
BROKEN = {
    "cut off": (voc_file(voc_object("cat", (1, 2, 3, 4)))[:-20], 3),
    "empty": ("", 0),
    "entities": ("<?xml version='1.0'?>\n" + BOMB, 2),
    "doctype": ("\n<!DOCTYPE annotation SYSTEM 'file:///etc/passwd'><annotation/>", 2),
    "deep": ("<annotation>\n" + "<a>" * 50, 2),
    "not VOC": ("<annotations></annotations>", 1),
    "no box": (voc_file("<object><name>cat</name></object>"), 3),
    "no name": (voc_file(voc_object("", (1, 2, 3, 4))), 3),
    "no corner": (voc_file("<object><name>cat</name>\n<bndbox><xmin>1</xmin></bndbox></object>"), 4),
    "nan": (voc_file(voc_object("cat", ("nan", 2, 3, 4))), 3),
    "inf": (voc_file(voc_object("cat", (1, "inf", 3, 4))), 3),
    "underscore": (voc_file(voc_object("cat", (1, "1_0", 3, 4))), 3),
    "Arabic digits": (voc_file(voc_object("cat", (1, "٣", 3, 4))), 3),
    "enormous": (voc_file(voc_object("cat", (1, 2, "1e300", 4))), 3),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_damaged_file_is_refused_with_its_line(tmp_path: Path, case: str) -> None:
    content, line = BROKEN[case]
    with pytest.raises(Refused) as caught:
        voc.read(data_set(tmp_path, a=content))
    assert caught.value.sentence.startswith(f"Annotations/a.xml:{line}:" if line else "Annotations/a.xml:")


def test_all_damage_is_told_at_once(tmp_path: Path) -> None:
    folder = data_set(tmp_path, **{f"f{n:02}": "<annotation>" for n in range(30)})
    with pytest.raises(Refused) as caught:
        voc.read(folder)
    assert "Annotations/f19.xml:1:" in caught.value.sentence
    assert "and 10 more" in caught.value.sentence
    assert "30 things" in caught.value.sentence


def test_skipping_broken_objects_leaves_the_image_in_work(tmp_path: Path) -> None:
    content = voc_file(voc_object("cat", (1, 2, 3, 4)), "<object><name>dog</name></object>")
    reading = voc.read(data_set(tmp_path, a=content, b="<annotation>"), settings=ReadSettings(skip_broken=True))
    assert {i.file.stem: (i.state, len(i.boxes)) for i in reading.images if i.file} == {
        "a": (State.IN_WORK, 1),
        "b": (State.UNLABELLED, 0),
    }
    assert [(r.file, r.line) for r in reading.remarks if r.level == "refused"] == [
        ("Annotations/a.xml", 4),
        ("Annotations/b.xml", 1),
    ]


def test_two_images_that_fit_equally_well_are_not_guessed_between(tmp_path: Path) -> None:
    text(tmp_path / "Annotations" / "a.xml", voc_file(filename="a.jpg"))
    picture(tmp_path / "one" / "a.jpg")
    picture(tmp_path / "two" / "a.jpg")
    reading = voc.read(tmp_path)
    assert reading.images[0].file is None
    assert any("2 images fit" in r.sentence for r in reading.remarks)


def test_sub_folders_keep_images_of_the_same_name_apart(tmp_path: Path) -> None:
    for folder, x in (("one", 5), ("two", 9)):
        text(tmp_path / "Annotations" / folder / "a.xml", voc_file(voc_object("cat", (x, 2, 20, 20))))
        picture(tmp_path / "JPEGImages" / folder / "a.jpg")
    found = {image.file: image.boxes[0].xyxy[0] for image in voc.read(tmp_path).images}
    assert found == {tmp_path / "JPEGImages/one/a.jpg": 4, tmp_path / "JPEGImages/two/a.jpg": 8}


def test_a_strict_file_has_whole_numbers_from_one_inside_the_image() -> None:
    image = Image(1, "a.jpg", 40, 30, State.DONE)
    cases = {
        (0, 0, 40, 30): "1 1 40 30", (5.4, 5.6, 9.5, 9.4): "6 7 10 9", (5, 5, 5, 5): "6 6 6 6",
        (-3, 2, 99, 4): "1 3 40 4",
    }  # fmt: skip
    for xyxy, expected in cases.items():
        written = to_xml(snapshot(["cat"], [image], [Box(0, 0, 0, xyxy)]), 0, "JPEGImages/a.jpg")
        parsed = parse_voc(written.encode(), "a")
        assert " ".join(f"{v:g}" for v in parsed.objects[0].box.xyxy) == expected


def test_unknown_elements_of_an_object_survive_a_round_trip() -> None:
    part = "<part a='1'><name>head</name><bndbox><xmin>1</xmin></bndbox></part>"
    more = f"{part}<pose>Left</pose><weight>3 &amp; 4</weight>"
    first = parse_voc(voc_file(voc_object("cat", (1, 2, 3, 4), more)).encode(), "a").objects[0].box
    image = Image(1, "a.jpg", 40, 30, State.DONE)
    written = to_xml(snapshot(["cat"], [image], [Box(0, 0, 0, (0, 1, 3, 4), extra=first.extra)]), 0, "JPEGImages/a.jpg")
    assert parse_voc(written.encode(), "a").objects[0].box.extra == first.extra


def test_labels_with_markup_in_their_names_are_escaped() -> None:
    image = Image(1, "a&<b>.jpg", 40, 30, State.DONE)
    written = to_xml(snapshot(['<c> & "d"'], [image], [Box(0, 0, 0, (1, 1, 2, 2))]), 0, "JPEGImages/a&<b>.jpg")
    parsed = parse_voc(written.encode(), "a")
    assert (parsed.objects[0].box.label, parsed.filename) == ('<c> & "d"', "a&<b>.jpg")


def test_a_folder_that_may_not_be_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(_: object) -> object:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("workbench.formats.parts.layout.os.scandir", denied)
    with pytest.raises(Refused, match="can't be read"):
        voc.read(tmp_path)


@pytest.mark.parametrize(
    ("case", "images", "count"), [("voc_dataset1", 2, 2), ("voc_dataset2", 5, 4), ("voc_dataset3", 1, 1)]
)
def test_files_of_another_tool_are_read(test_data: Path, case: str, images: int, count: int) -> None:
    reading = voc.read(test_data / "import_cases/datumaro/voc_dataset" / case)
    assert (len(reading.images), len(boxes(reading))) == (images, count)
    assert not [r for r in reading.remarks if r.level != "read"]


@pytest.mark.parametrize(
    ("listed", "expected"),
    [("cat 1\n#x\n", {"cat 1", "#x"}), ("cat\n", {"cat"}), ("cat  1\n# x\ncat 1\n", {"cat", "cat 1"}),
     ("dog -1\nx 0  1\n", {"dog", "x 0"}), ("\ufeffcat 1\r\ndog  1\r\n", {"cat 1", "dog"})],
)  # fmt: skip
def test_a_line_that_is_an_images_name_is_that(tmp_path: Path, listed: str, expected: set[str]) -> None:
    for stem in ("cat 1", "cat", "#x", "dog", "x 0"):
        text(
            tmp_path / "Annotations" / f"{stem}.xml", voc_file(voc_object("cat", (1, 1, 9, 9)), filename=f"{stem}.jpg")
        )
        picture(tmp_path / "JPEGImages" / f"{stem}.jpg")
    text(tmp_path / "ImageSets" / "Main" / "train.txt", listed)
    assert {i.file.stem for i in voc.read(tmp_path).images if i.file and i.split is Split.TRAIN} == expected


def test_an_image_in_a_sub_folder_does_not_get_the_split_of_one_of_its_name(tmp_path: Path) -> None:
    for stem in ("a", "d/a", "d/b"):
        text(
            tmp_path / "Annotations" / f"{stem}.xml", voc_file(voc_object("cat", (1, 1, 9, 9)), filename=f"{stem}.jpg")
        )
        picture(tmp_path / "JPEGImages" / f"{stem}.jpg")
    text(tmp_path / "ImageSets" / "Main" / "train.txt", "a\nb\n")
    splits = {i.source.file.relative_to(tmp_path).as_posix(): i.split for i in voc.read(tmp_path).images if i.source}
    assert splits == {"Annotations/a.xml": Split.TRAIN, "Annotations/d/a.xml": None, "Annotations/d/b.xml": Split.TRAIN}


def test_the_image_in_jpegimages_goes_before_others_of_its_name(tmp_path: Path) -> None:
    for stem in ("a", "d/a"):
        text(tmp_path / "Annotations" / f"{stem}.xml", voc_file(voc_object("cat", (1, 1, 9, 9)), filename="a.jpg"))
    for name in ("a.jpg", "d/a.jpg", "JPEGImages/a.jpg", "JPEGImages/d/a.jpg"):
        picture(tmp_path / name)
    found = {i.source.file.parent.name: i.file for i in voc.read(tmp_path).images if i.source}
    assert found == {"Annotations": tmp_path / "JPEGImages/a.jpg", "d": tmp_path / "JPEGImages/d/a.jpg"}


def test_files_next_to_their_images_are_read_also_where_there_is_a_folder_of_annotations(tmp_path: Path) -> None:
    for name in ("JPEGImages/a", "JPEGImages/d/b", "other/a", "c"):
        picture(tmp_path / f"{name}.jpg")
    for name in ("Annotations/a", "JPEGImages/a", "JPEGImages/d/b", "other/a", "c", "lost"):
        text(tmp_path / f"{name}.xml", voc_file(voc_object(name, (1, 2, 10, 12)), filename="x.jpg"))
    text(tmp_path / "c.xml", "<metadata/>")
    reading = formats.load_all().get("voc").read(tmp_path)
    found = {image.file: [box.label for box in image.boxes] for image in reading.images}
    assert found == {
        tmp_path / "JPEGImages/a.jpg": ["Annotations/a"],
        tmp_path / "JPEGImages/d/b.jpg": ["JPEGImages/d/b"],
        tmp_path / "other/a.jpg": ["other/a"],
    }
    told = [remark.file for remark in reading.remarks if remark.sentence.endswith("it was not read.")]
    assert told == ["JPEGImages/a.xml", "c.xml", "lost.xml"]


def test_an_export_of_label_studio_without_images_means_those_that_were_uploaded(tmp_path: Path) -> None:
    for name in ("a.jpg", "b (1).jpg"):
        picture(tmp_path / "photographs" / name)
    for name in ("0a1b2c3d-a", "1a1b2c3d-b_1"):
        content = voc_file(voc_object("cat", (1, 2, 3, 4))).replace("a.jpg", f"{name}.jpg")
        text(tmp_path / "export" / "Annotations" / f"{name}.xml", content)
    reading = voc.read(tmp_path / "export", [tmp_path / "photographs"])
    assert [image.file and image.file.name for image in reading.images] == ["a.jpg", "b (1).jpg"]
    assert [remark.level for remark in reading.remarks if "Label Studio" in remark.sentence] == ["repaired"] * 2
