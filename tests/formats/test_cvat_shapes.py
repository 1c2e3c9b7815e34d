"""CVAT: what becomes of each shape of an image and of each track of a video."""

from __future__ import annotations

import pytest

from tests.formats.cvat_documents import PLAIN, VIDEO, at, extra, image, only_box, parse, task, track, video
from tests.formats.making import snapshot
from workbench.core.project import Box, Image, Split, State
from workbench.errors import Refused
from workbench.formats.parts.cvat_writer import to_xml
from workbench.formats.parts.cvat_xml import SIZE_LIMIT, parse_cvat

# elements as CVAT 2.x writes them; the boxes are worked out by hand
OUTLINES = {
    "a polygon": ('<polygon label="cat" points="1.00,2.00;5.50,2.00;3.00,9.00"/>', (1, 2, 5.5, 9), "polygons"),
    "a polyline": ('<polyline label="cat" points="5.00,2.00;1.00,9.00"/>', (1, 2, 5, 9), "polylines"),
    "a box turned by a quarter": (
        '<box label="cat" occluded="0" xtl="10.00" ytl="10.00" xbr="20.00" ybr="14.00" rotation="90.00"/>',
        (13, 7, 17, 17), "turned boxes",
    ),
    "a square turned by an eighth": (  # half its diagonal is 5 * sqrt(2)
        '<box label="cat" occluded="0" xtl="10.00" ytl="10.00" xbr="20.00" ybr="20.00" rotation="315.00"/>',
        (15 - 50**0.5, 15 - 50**0.5, 15 + 50**0.5, 15 + 50**0.5), "turned boxes",
    ),
    "an ellipse": ('<ellipse label="cat" cx="10.00" cy="20.00" rx="4.00" ry="2.00"/>', (6, 18, 14, 22), "ellipses"),
    "a turned ellipse": (
        '<ellipse label="cat" cx="10.00" cy="20.00" rx="4.00" ry="2.00" rotation="90.00"/>', (8, 16, 12, 24),
        "ellipses",
    ),
    "a mask": ('<mask label="cat" rle="0, 12" left="5" top="6" width="4" height="3"/>', (5, 6, 9, 9), "masks"),
    "a cuboid": (
        '<cuboid label="cat" xtl1="5.00" ytl1="6.00" xbl1="5.50" ybl1="16.00" xtr1="15.00" ytr1="6.50" xbr1="15.00"'
        ' ybr1="17.00" xtl2="17.00" ytl2="4.00" xbl2="17.00" ybl2="14.00" xtr2="7.00" ytr2="3.00" xbr2="7.00"'
        ' ybr2="13.00"/>',
        (5, 3, 17, 17), "cuboids",
    ),
    "a skeleton": (
        '<skeleton label="cat" z_order="0"><points label="eye" outside="0" occluded="0" points="3.00,4.00"/>'
        '<points label="tail" outside="0" occluded="0" points="9.00,5.00"/>'
        '<points label="paw" outside="1" occluded="0" points="90.00,90.00"/></skeleton>',
        (3, 4, 9, 5), "skeletons",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", OUTLINES)
def test_another_shape_becomes_its_bounding_box_and_is_counted(case: str) -> None:
    shape, xyxy, plural = OUTLINES[case]
    read = parse(shape)
    assert only_box(read).xyxy == pytest.approx(xyxy, abs=1e-9)
    assert read.counts == {("repaired", f"{plural} were read as their bounding boxes"): 1}


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ('<points label="cat" points="1.00,2.00;3.00,4.00"/>', "groups of points"),
        ('<tag label="cat" source="manual"></tag>', "tags of whole images"),
        ('<polygon label="cat" points="1.00,2.00"/>', "polygons of fewer than two visible points"),
        ('<blob label="cat"/>', "shapes <blob>"),
    ],
)
def test_what_no_box_can_be_made_of_is_left_out_and_counted(shape: str, words: str) -> None:
    read = parse(shape, PLAIN)
    assert only_box(read).label == "cat"
    assert read.counts == {("refused", f"{words} were left out: no box can be made of them"): 1}


def test_a_box_is_read_as_it_stands_also_beyond_its_image_and_without_area() -> None:
    box = '<box label="cat" occluded="1" xtl="-3.50" ytl="2.00" xbr="50.00" ybr="2.00"/>'
    read = parse(box)
    assert only_box(read).xyxy == (-3.5, 2, 50, 2)
    assert only_box(read).occluded
    assert [(level, line) for level, _, line, _ in read.remarks] == [("read", only_box(read).line)]


def test_corners_in_the_wrong_order_are_swapped_with_a_remark() -> None:
    read = parse('<box label="cat" occluded="0" xtl="9" ytl="8" xbr="1" ybr="2"/>')
    assert only_box(read).xyxy == (1, 2, 9, 8)
    assert [level for level, *_ in read.remarks] == ["repaired"]


@pytest.mark.parametrize(
    ("attributes", "difficult", "truncated", "crowd", "note"),
    [
        ({"difficult": "true"}, True, False, False, ""), ({"Truncated": "1"}, False, True, False, ""),
        ({"is_crowd": "yes"}, False, False, True, ""), ({"iscrowd": "0"}, False, False, False, ""),
        ({"note": "half hidden"}, False, False, False, "half hidden"), ({"truncated": "left"}, False, False, False, ""),
    ],
)  # fmt: skip
def test_free_attributes_of_known_names_are_our_marks(
    attributes: dict[str, str], difficult: bool, truncated: bool, crowd: bool, note: str
) -> None:
    inner = "".join(f'<attribute name="{name}">{value}</attribute>' for name, value in attributes.items())
    box = only_box(parse(PLAIN.replace("\n</box>", f"{inner}</box>")))
    assert (box.difficult, box.truncated, box.crowd, box.note) == (difficult, truncated, crowd, note)


def test_values_that_are_too_long_to_be_kept_are_told() -> None:
    read = parse(PLAIN.replace("\n</box>", f'<attribute name="essay">{"x" * 5000}</attribute></box>'))
    assert only_box(read).extra == ""
    assert read.counts == {("read", "boxes have attributes that are too long to be kept"): 1}


def test_a_track_is_seen_from_frame_to_frame_until_it_is_outside() -> None:
    read = video(track(at(0), at(1, keyframe=0), at(2), at(3, outside=1)))
    assert [(i.name, [b.xyxy for b in i.boxes], i.state) for i in read.images] == [
        ("frame_000000.png", [(1, 2, 3, 4)], State.DONE),
        ("frame_000001.png", [(1, 2, 4, 4)], State.DONE),
        ("frame_000002.png", [(1, 2, 5, 4)], State.DONE),
        ("frame_000003.png", [], State.UNLABELLED),
    ]
    assert {(image.width, image.height) for image in read.images} == {(40, 30)}
    assert [extra(b) for i in read.images for b in i.boxes] == [
        {"attributes": {"track_id": "0"}},
        {"xml": {"keyframe": "0"}, "attributes": {"track_id": "0"}},
        {"attributes": {"track_id": "0"}},
    ]


def test_frames_between_key_frames_get_no_box_and_are_in_work() -> None:
    whole = track(*(at(frame) for frame in range(4)), at(4, outside=1))
    key_frames_only = track(at(0), at(2), at(4, outside=1), more='id="1" label="car"')
    read = video(whole, key_frames_only)
    assert [(len(image.boxes), image.state) for image in read.images] == [
        (2, State.DONE), (1, State.IN_WORK), (2, State.DONE), (1, State.IN_WORK), (0, State.UNLABELLED)
    ]  # fmt: skip
    assert [count for (level, _), count in read.counts.items() if level == "repaired"] == [2]


def test_a_track_without_an_end_goes_on_as_in_cvat() -> None:
    read = video(track(at(0)), track(at(0), at(1), at(2, outside=1)))
    assert [(len(image.boxes), image.state) for image in read.images] == [
        (2, State.DONE), (1, State.IN_WORK), (0, State.IN_WORK)
    ]  # fmt: skip


def test_attributes_may_change_from_frame_to_frame() -> None:
    on, off = (f'<attribute name="truncated">{value}</attribute>' for value in ("true", "false"))
    read = video(track(at(0, more=on), at(1, more=off)))
    assert [box.truncated for image in read.images for box in image.boxes] == [True, False]


def test_a_skeleton_in_a_track_is_outside_when_all_its_points_are() -> None:
    def skeleton(frame: int, outside: int) -> str:
        points = "".join(f'<points label="p" outside="{outside}" points="{xy}"/>' for xy in ("1,2", "3,4"))
        return f'<skeleton frame="{frame}" keyframe="1">{points}</skeleton>'

    read = video(track(skeleton(0, 0), skeleton(1, 1)))
    assert [[box.xyxy for box in image.boxes] for image in read.images] == [[(1, 2, 3, 4)], []]
    assert sorted(level for level, _ in read.counts) == ["read", "read", "repaired"]
    assert any("are tracks" in what for _, what in read.counts)


@pytest.mark.parametrize(
    ("old", "new"),
    [('frame="0"', ""), ('frame="0"', 'frame="-1"'), ('outside="0"', 'outside="x"'), ('label="car"', "")],
)
def test_a_damaged_track_is_refused_with_its_line(old: str, new: str) -> None:
    document = VIDEO.format(tracks=track(at(0)).replace(old, new))
    (error,) = parse_cvat(document.encode(), "x.xml").broken
    assert error.line == document[: document.index("<track")].count("\n") + (1 if "label" in old else 2)


def test_tracks_of_a_project_keep_to_their_task_and_subset() -> None:
    tasks = "".join(
        f"<task><id>{id}</id><subset>{subset}</subset><original_size><width>{id}0</width><height>30</height>"
        "</original_size></task>"
        for id, subset in ((1, "Train"), (2, "Test"))
    )
    tracks = "\n".join(track(at(0), at(1, outside=1), more=f'id="{n}" label="car" task_id="{n}"') for n in (1, 2))
    meta = f"<meta><project><tasks>{tasks}</tasks></project></meta>"
    read = parse_cvat(f"<annotations><version>1.1</version>{meta}{tracks}</annotations>".encode(), "x.xml")
    assert [(i.name, i.subset, i.width, len(i.boxes)) for i in read.images] == [
        ("frame_000000.png", "Train", 10, 1), ("frame_000001.png", "Train", 10, 0),
        ("frame_000000.png", "Test", 20, 1), ("frame_000001.png", "Test", 20, 0),
    ]  # fmt: skip


def test_tracks_of_a_task_of_images_ask_for_the_other_export() -> None:
    document = VIDEO.format(tracks=track(at(0))).replace("interpolation", "annotation")
    read = parse_cvat(document.encode(), "x.xml")
    assert any("CVAT for images" in sentence for _, sentence, *_ in read.remarks)


def test_images_have_the_size_that_is_told_and_none_that_is_not() -> None:
    bare = image(name="b.jpg").replace(' width="40" height="30"', "")
    read = parse_cvat(task(image(), bare).encode(), "x.xml")
    assert [(one.name, one.width, one.height) for one in read.images] == [("a.jpg", 40, 30), ("b.jpg", 0, 0)]


@pytest.mark.parametrize("number", ["", "-1", "1.5", "²", "٣", "9" * 11])
def test_a_frame_without_a_number_is_refused(number: str) -> None:
    try:
        broken = video(track(at(0).replace('frame="0"', f'frame="{number}"'))).broken
    except Refused as error:
        broken = (error,)
    assert [(one.line, "needs the number of its frame" in one.sentence) for one in broken] == [(16, True)]


def test_a_document_that_we_write_of_a_million_boxes_is_not_too_large_to_be_read() -> None:
    images = [Image(n, f"folder/photograph {n:07}.jpg", 4000, 3000, State.DONE, Split.TRAIN) for n in range(100)]
    edges = (1234.5678, 1234.5678, 2345.6789, 2345.6789)
    boxes = [Box(0, n // 10, 0, edges, occluded=True, note="half hidden") for n in range(1000)]
    written = to_xml(snapshot(["traffic light"], images, boxes), [image.path for image in images])
    assert len(written.encode()) * 1000 < SIZE_LIMIT
