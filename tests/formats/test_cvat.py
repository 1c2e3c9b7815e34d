"""CVAT: tasks, projects and videos of others, damage with its line, and documents that CVAT takes back."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from tests.formats.cvat_documents import PLAIN, VIDEO, at, extra, image, parse, sentences, task, track
from tests.formats.making import picture, snapshot, text
from workbench import formats
from workbench.core.parsing import strict_xml
from workbench.core.project import Box, Image, Snapshot, Split, State
from workbench.errors import Refused
from workbench.formats import ReadBox, ReadImage, Reading, ReadSettings
from workbench.formats.parts.cvat_xml import parse_cvat

cvat = formats.load_all().get("cvat")
SAMPLE = "import_cases/datumaro/cvat_dataset"


def summary(reading: Reading) -> dict[str, tuple[int, State, Split | None]]:
    return {image.name: (len(image.boxes), image.state, image.split) for image in reading.images}


def test_a_project_is_read_with_a_split_for_each_subset(test_data: Path) -> None:
    folder = test_data / SAMPLE / "for_images/export_project"
    reading = cvat.read(folder)
    source = (folder / "annotations.xml").read_text()
    told = len(re.findall("<(box|polyline|polygon) ", source))
    assert sum(len(image.boxes) for image in reading.images) == told == 9
    assert reading.labels == ("label1", "label2")
    assert {(i.name, i.split): i.file.relative_to(folder).as_posix() for i in reading.images if i.file} == {
        (f"img{n}.jpg", split): f"images/{subset}/img{n}.jpg"
        for n in (0, 1)
        for subset, split in (("Train", Split.TRAIN), ("Validation", Split.VALIDATION), ("Test", Split.TEST))
    }
    assert len(reading.images) == source.count("<image ") == 6
    assert sentences(reading, "repaired") == {
        "3 polygons were read as their bounding boxes.", "3 polylines were read as their bounding boxes."
    }  # fmt: skip
    assert sentences(reading, "refused") == {"3 groups of points were left out: no box can be made of them."}


def test_a_task_that_datumaro_wrote_is_read_and_its_name_is_the_split(test_data: Path) -> None:
    reading = cvat.read(test_data / SAMPLE / "for_images/export_task")
    assert summary(reading) == {
        "img0.jpg": (1, State.DONE, Split.TRAIN),
        "img1.jpg": (0, State.UNLABELLED, Split.TRAIN),
    }
    box = reading.images[0].boxes[0]
    assert (box.label, box.xyxy, box.occluded) == ("label1", (0, 2, 4, 4), True)
    assert extra(box) == {
        "xml": {"z_order": "1"}, "attributes": {"a1": "true", "a2": "v3", "a3": "0003", "a4": "2.4"}
    }  # fmt: skip
    assert "2 shapes without a label were left out." in sentences(reading, "refused")


def test_a_video_is_read_frame_by_frame(test_data: Path) -> None:
    reading = cvat.read(test_data / SAMPLE / "for_video")
    assert reading.labels == ("klhg", "z U k", "II")
    assert summary(reading) == {
        "frame_000010.png": (1, State.DONE, None),
        "frame_000013.png": (1, State.DONE, None),
        "frame_000016.png": (0, State.UNLABELLED, None),
    }
    assert [(b.label, b.xyxy, b.occluded) for i in reading.images for b in i.boxes] == [
        ("II", (3, 4, 10, 5), True), ("II", (3.5, 2, 15.9, 13.88), False)
    ]  # fmt: skip
    assert all(i.file and i.file.name == i.name and (i.width, i.height) == (25, 20) for i in reading.images)


def test_a_folder_with_several_documents_is_read_as_one(test_data: Path) -> None:
    reading = cvat.read(test_data / SAMPLE)
    assert sum(len(image.boxes) for image in reading.images) == 9 + 1 + 2
    assert len({image.file for image in reading.images}) == len(reading.images) == 11


def test_the_order_of_labels_is_that_of_meta_without_the_points_of_skeletons() -> None:
    assert parse(PLAIN).labels == ("dog", "cat")
    assert parse(PLAIN.replace('"cat"', '"bird"')).labels == ("dog", "cat", "bird")


def test_an_image_without_shapes_is_unlabelled_for_cvat_lists_all_of_a_task(tmp_path: Path) -> None:
    text(tmp_path / "annotations.xml", task(image(PLAIN), image(name="b.jpg")))
    reading = cvat.read(tmp_path)
    assert [image.state for image in reading.images] == [State.DONE, State.UNLABELLED]
    assert sentences(reading, "read") == {
        "1 images have no boxes, and nothing says that anyone looked for some: they are unlabelled."
    }


@pytest.mark.parametrize(
    ("subset", "own", "folder", "split"),
    [
        ("Train", "", "", Split.TRAIN), ("valid", "", "test", Split.VALIDATION), ("default", "", "test", Split.TEST),
        ("", "", "", None), ("Train", ' subset="Test"', "", Split.TEST), ("Train", ' subset="default"', "val", None),
        ("fold 3", "", "", None),
    ],
)  # fmt: skip
def test_the_split_is_the_subset_of_the_image_or_its_task_or_a_folder(
    tmp_path: Path, subset: str, own: str, folder: str, split: Split | None
) -> None:
    text(tmp_path / folder / "annotations.xml", task(image(PLAIN, more=own), subset=subset))
    reading = cvat.read(tmp_path)
    assert reading.images[0].split is split
    assert any("fold 3" in sentence for sentence in sentences(reading, "read")) == (subset == "fold 3")


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("a.jpg", "images/a.jpg"), ("a.jpg", "a.jpg"), ("day 1/a.jpg", "images/day 1/a.jpg"),
        ("day 1\\a.jpg", "images/day 1/a.jpg"), ("a.jpg", "images/default/a.jpg"), ("a.jpg", "elsewhere/a.jpg"),
        ("frame_000000", "images/frame_000000.PNG"),  # an image task's document of a video
    ],
)  # fmt: skip
@pytest.mark.parametrize("one_file", [False, True])
def test_the_image_is_found_where_cvat_puts_it(tmp_path: Path, name: str, file: str, one_file: bool) -> None:
    document = text(tmp_path / "annotations.xml", task(image(PLAIN, name=name)))
    there = picture(tmp_path / file)
    assert cvat.read(document if one_file else tmp_path).images[0].file == there


def test_images_of_the_same_name_in_two_folders_are_told_apart(tmp_path: Path) -> None:
    text(tmp_path / "annotations.xml", task(*(image(PLAIN, name=name) for name in ("a.jpg", "b/a.jpg", "c/a.jpg"))))
    files = [picture(tmp_path / "images" / name) for name in ("a.jpg", "b/a.jpg", "c/a.jpg")]
    assert [image.file for image in cvat.read(tmp_path).images] == files


def test_the_frame_of_another_video_is_not_taken(tmp_path: Path) -> None:
    for number in (1, 2):
        text(tmp_path / f"task{number}/annotations.xml", VIDEO.format(tracks=track(at(5), at(6, outside=1))))
    there = picture(tmp_path / "task1/images/frame_000005.PNG")
    assert [image.file for image in cvat.read(tmp_path).images if image.boxes] == [there, None]


def test_in_a_project_the_folder_of_the_subset_comes_first(tmp_path: Path) -> None:
    images = [
        image(PLAIN, name="a.jpg", more=' subset="Train"'),
        image(PLAIN, name="Train/a.jpg", more=' subset="Test"'),
    ]
    text(tmp_path / "annotations.xml", task(*images).replace("task>", "project>"))
    files = [picture(tmp_path / "images" / place) for place in ("Train/a.jpg", "Test/Train/a.jpg")]
    assert [read.file for read in cvat.read(tmp_path).images] == files


def test_images_that_no_document_speaks_of_are_unlabelled(tmp_path: Path) -> None:
    text(tmp_path / "annotations.xml", task(image(PLAIN)))
    picture(tmp_path / "images/a.jpg")
    picture(tmp_path / "images/b.jpg")
    assert summary(cvat.read(tmp_path)) == {
        "a.jpg": (1, State.DONE, None), "images/b.jpg": (0, State.UNLABELLED, None)
    }  # fmt: skip


DAMAGES = {
    "no label": ('<box occluded="0" xtl="1" ytl="2" xbr="3" ybr="4"/>', "<box> has no label"),
    "no corner": ('<box label="cat" xtl="1" ytl="2" xbr="3"/>', "<box> has no ybr"),
    "nan": ('<box label="cat" xtl="nan" ytl="2" xbr="3" ybr="4"/>', "xtl must be a number of pixels, not 'nan'"),
    "endless": ('<box label="cat" xtl="1" ytl="2" xbr="1e300" ybr="4"/>', "xbr must be a number of pixels"),
    "angle": ('<box label="cat" xtl="1" ytl="2" xbr="3" ybr="4" rotation="x"/>', "rotation must be a number"),
    "points": ('<polygon label="cat" points="1,2;3"/>', "points must be pairs of numbers of pixels, not '3'"),
    "no points": ('<polyline label="cat"/>', "<polyline> has no points"),
    "empty mask": ('<mask label="cat" left="1" top="1" width="0" height="3"/>', "a mask of 0 x 3 pixels"),
    "attribute": ('<box label="cat" xtl="1" ytl="2" xbr="3" ybr="4"><attribute>x</attribute></box>', "without a name"),
}


@pytest.mark.parametrize("case", DAMAGES)
def test_a_damaged_shape_is_refused_with_its_line_or_left_out(tmp_path: Path, case: str) -> None:
    shape, reason = DAMAGES[case]
    document = task(image(PLAIN, shape))
    line = document[: document.index(shape)].count("\n") + 1
    text(tmp_path / "annotations.xml", document)
    with pytest.raises(Refused) as caught:
        cvat.read(tmp_path)
    assert caught.value.sentence.startswith(f"annotations.xml:{line}: ")
    assert reason in caught.value.sentence
    reading = cvat.read(tmp_path, settings=ReadSettings(skip_broken=True))
    assert summary(reading) == {"a.jpg": (1, State.IN_WORK, None)}
    assert [remark.line for remark in reading.remarks if remark.level == "refused"] == [line]


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('name="a.jpg"', "", "an <image> without a name"), ('width="40"', 'width="-1"', "must be in pixels"),
        ("<annotations>", "<!DOCTYPE x>\n<annotations>", "DOCTYPE"), ("</annotations>", "", "not well-formed"),
    ],
)  # fmt: skip
def test_a_damaged_document_is_refused(tmp_path: Path, old: str, new: str, reason: str) -> None:
    text(tmp_path / "annotations.xml", task(image(PLAIN)).replace(old, new))
    with pytest.raises(Refused, match=r"^annotations\.xml:\d+: ") as caught:
        cvat.read(tmp_path)
    assert reason in caught.value.sentence


def test_all_damages_are_told_at_once(tmp_path: Path) -> None:
    text(tmp_path / "one/annotations.xml", task(image(DAMAGES["nan"][0], DAMAGES["no label"][0])))
    text(tmp_path / "two/annotations.xml", "<annotations>\n<image")
    with pytest.raises(Refused) as caught:
        cvat.read(tmp_path)
    assert len(re.findall(r"annotations\.xml:\d+: ", caught.value.sentence)) == 3


def test_a_document_that_lost_its_content_is_told(tmp_path: Path) -> None:
    text(tmp_path / "one/annotations.xml", task(image(PLAIN)))
    text(tmp_path / "two/annotations.xml", "")
    with pytest.raises(Refused, match="two/annotations.xml:1: the file is empty"):
        cvat.read(tmp_path)


def test_other_xml_files_are_not_read_and_told(tmp_path: Path) -> None:
    text(tmp_path / "annotations.xml", task(image(PLAIN)))
    text(tmp_path / "other.xml", "<config/>")
    assert "Not a CVAT file; it was not read." in sentences(cvat.read(tmp_path), "read")


def test_another_version_is_told() -> None:
    read = parse_cvat(task(image(PLAIN)).replace("<version>1.1<", "<version>1.0<").encode(), "x.xml")
    assert ["1.0" in sentence for _, sentence, *_ in read.remarks] == [True]


def again(reading: Reading) -> Snapshot:
    """What was read as a project would give it to an export."""
    labelled = [image for image in reading.images if image.boxes]
    images = [
        Image(n + 1, image.name, image.width, image.height, image.state, image.split or Split.NONE)
        for n, image in enumerate(labelled)
    ]
    boxes = [
        Box(0, n, reading.labels.index(b.label), b.xyxy, b.difficult, b.truncated, b.occluded, b.crowd, b.note, b.extra)
        for n, image in enumerate(labelled)
        for b in image.boxes
    ]
    return snapshot(reading.labels, images, boxes)


def without_lines(images: tuple[ReadImage, ...]) -> list[tuple[str, list[ReadBox]]]:
    return [(image.name, [replace(box, line=0) for box in image.boxes]) for image in images]


def test_a_document_is_written_as_cvat_takes_it_back(tmp_path: Path) -> None:
    boxes = [
        Box(0, 0, 1, (1.25, 2, 10.5, 20), occluded=True),
        Box(0, 1, 0, (0, 0, 1 / 3, 4), difficult=True, note='a "b" & <c>'),
    ]
    images = [
        Image(1, "b.jpg", 40, 30, State.DONE, Split.TRAIN), Image(2, "a/b.jpg", 40, 30, State.VERIFIED),
        Image(3, "c.jpg", 0, 0, State.DONE), Image(4, "d.jpg", 40, 30),
    ]  # fmt: skip
    (file,) = cvat.write(snapshot(["dog", "cat"], images, boxes), tmp_path)
    assert file.read_text() == (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        "<annotations>\n"
        "  <version>1.1</version>\n"
        "  <meta>\n"
        "    <task>\n"
        "      <size>4</size>\n"
        "      <mode>annotation</mode>\n"
        "      <start_frame>0</start_frame>\n"
        "      <stop_frame>3</stop_frame>\n"
        "      <labels>\n"
        "        <label>\n"
        "          <name>dog</name>\n"
        "          <color>#0072b2</color>\n"
        "          <type>any</type>\n"
        "          <attributes>\n"
        "            <attribute><name>difficult</name><mutable>False</mutable><input_type>checkbox</input_type>"
        "<default_value>false</default_value><values>false</values></attribute>\n"
        "            <attribute><name>note</name><mutable>False</mutable><input_type>text</input_type>"
        "<default_value></default_value><values></values></attribute>\n"
        "          </attributes>\n"
        "        </label>\n"
        "        <label>\n"
        "          <name>cat</name>\n"
        "          <color>#0072b2</color>\n"
        "          <type>any</type>\n"
        "          <attributes>\n"
        "          </attributes>\n"
        "        </label>\n"
        "      </labels>\n"
        "    </task>\n"
        "  </meta>\n"
        '  <image id="0" name="a/b.jpg" subset="default" width="40" height="30" state="verified">\n'
        '    <box label="dog" occluded="0" xtl="0.00" ytl="0.00" xbr="0.3333333333333333" ybr="4.00" source="manual"'
        ' z_order="0">\n'
        '      <attribute name="difficult">true</attribute>\n'
        '      <attribute name="note">a "b" &amp; &lt;c&gt;</attribute>\n'
        "    </box>\n"
        "  </image>\n"
        '  <image id="1" name="b.jpg" subset="Train" width="40" height="30">\n'
        '    <box label="cat" occluded="1" xtl="1.25" ytl="2.00" xbr="10.50" ybr="20.00" source="manual" z_order="0">'
        "</box>\n"
        "  </image>\n"
        '  <image id="2" name="c.jpg" subset="default" state="done">\n'
        "  </image>\n"
        '  <image id="3" name="d.jpg" subset="default" width="40" height="30" state="unlabelled">\n'
        "  </image>\n"
        "</annotations>\n"
    )


def test_what_cvat_said_of_a_box_is_written_again(tmp_path: Path) -> None:
    shape = (
        '<box label="cat" source="auto" occluded="0" xtl="1.00" ytl="2.00" xbr="3.00" ybr="4.00" z_order="-2"'
        ' group_id="5"><attribute name="colour">r&amp;b</attribute><attribute name="Difficult">false</attribute>'
        '<attribute name="truncated">left</attribute></box>'
    )
    text(tmp_path / "in/annotations.xml", task(image(shape, PLAIN)))
    reading = cvat.read(tmp_path / "in")
    (file,) = cvat.write(again(reading), tmp_path / "out")
    assert without_lines(cvat.read(tmp_path / "out").images) == without_lines(reading.images)
    told = file.read_text()
    for part in (
        'source="auto"',
        'z_order="-2"',
        'group_id="5"',
        ">r&amp;b<",
        '"Difficult">false<',
        '"truncated">left<',
    ):
        assert told.count(part) == 1
    assert "<name>colour</name>" in told


def test_marks_that_the_file_had_are_written_as_they_are_now(tmp_path: Path) -> None:
    def attribute(name: str, value: str) -> str:
        return f'<attribute name="{name}">{value}</attribute>'

    told = [("Difficult", "1"), ("truncated", "left"), ("occluded", "false"), ("Note", "old"), ("is_crowd", "no")]
    box = PLAIN.replace("\n</box>", "".join(attribute(*pair) for pair in told) + "</box>")
    text(tmp_path / "annotations.xml", task(image(box)))
    whole = again(cvat.read(tmp_path))
    flags = ~whole.flags
    (file,) = cvat.write(replace(whole, flags=flags, notes=(("new", whole.notes[0][1]),)), tmp_path / "out")
    now = [("Difficult", "false"), ("truncated", "true"), ("occluded", "true"), ("Note", "new"), ("is_crowd", "true")]
    written = re.findall(r'<attribute name="(.*)">(.*)</attribute>', file.read_text())
    assert written == now
    box_read = cvat.read(tmp_path / "out").images[0].boxes[0]
    assert [box_read.difficult, box_read.truncated, box_read.occluded, box_read.crowd] == flags[0].tolist()
    assert box_read.note == "new"


@pytest.mark.parametrize(
    "told",
    [
        "x", [1], {"xml": [1], "attributes": "x"}, {"xml": {"a b": "1", "frame": 3, "label": "dog", "xmlns": "x"}},
        {"xml": {"z_order": "high", "group_id": "x", '"><box/>': "1"}},
        {"attributes": {"": "x", "n": 1, "\x00": "\x01"}},
        {"attributes": {"<&\">'": "<&\">'\ud800"}},
    ],
)  # fmt: skip
def test_whatever_a_box_was_told_the_document_is_sound(tmp_path: Path, told: object) -> None:
    box = Box(0, 0, 0, (1, 2, 3, 4), extra=json.dumps({"cvat": told}))
    (file,) = cvat.write(snapshot(["cat"], [Image(1, "a.jpg", 40, 30, State.DONE)], [box]), tmp_path)
    (element,) = strict_xml.parse(file.read_bytes(), "x").all("image")
    (written,) = element.all("box")
    assert re.fullmatch(r"-?\d+", written.attributes["z_order"])
    read = cvat.read(tmp_path).images[0].boxes[0]
    assert (read.label, read.xyxy) == ("cat", (1, 2, 3, 4))


def test_an_image_in_a_folder_called_after_a_subset_is_not_taken_for_one_of_it(tmp_path: Path) -> None:
    images = [Image(1, "Train/a.jpg", 40, 30, State.DONE), Image(2, "a.jpg", 40, 30, State.DONE, Split.TRAIN)]
    whole = snapshot(["cat"], images, [Box(0, 0, 0, (1, 1, 2, 2)), Box(0, 1, 0, (3, 3, 4, 4))])
    cvat.write(whole, tmp_path)
    files = [picture(tmp_path / place) for place in cvat.places(whole)]
    read = {image.file: image for image in cvat.read(tmp_path).images}
    assert [read[file].boxes[0].xyxy[0] for file in files] == [1, 3]
    assert [read[file].split for file in files] == [None, Split.TRAIN]


def test_a_written_folder_is_recognised_and_no_other_formats(tmp_path: Path) -> None:
    cvat.write(snapshot(["cat"], [Image(1, "a.jpg", 40, 30, State.DONE)], [Box(0, 0, 0, (1, 2, 3, 4))]), tmp_path)
    assert formats.recognise(tmp_path) == [("cvat", 1.0)]
    assert formats.recognise(tmp_path / "annotations.xml") == [("cvat", 1.0)]


def test_a_document_is_recognised_behind_many_other_xml_files(tmp_path: Path) -> None:
    for number in range(30):
        text(tmp_path / "a" / f"{number}.xml", "<config/>")
    text(tmp_path / "b" / "annotations.xml", task(image(PLAIN)))
    assert cvat.sniff(tmp_path) == 1


@pytest.mark.parametrize(
    "other", ["<annotation><object/></annotation>", "<annotations/>", "", "<annotations><row/></annotations>"]
)
def test_other_files_are_not_recognised(tmp_path: Path, other: str) -> None:
    assert cvat.sniff(text(tmp_path / "annotations.xml", other)) == 0
    assert cvat.sniff(tmp_path / "nothing.xml") == 0
