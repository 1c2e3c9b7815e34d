"""VoTT: tags and regions, exports and asset files of one project, states, and what it has no place for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.formats.making import picture, snapshot, text
from workbench import formats
from workbench.core.project import Box, Image, Snapshot, Split, State
from workbench.errors import Refused
from workbench.formats import ReadImage, ReadSettings
from workbench.formats.parts.vott_json import parse_vott

vott = formats.load_all().get("vott")
SAMPLE = "import_cases/datumaro/vott_json_dataset"

# as VoTT 2.2.0 writes it; its file is <id>-asset.json, an export has it below "assets" by its id
REGION: dict[str, Any] = {
    "id": "BsO3zj9bn",
    "type": "RECTANGLE",
    "tags": ["cat"],
    "boundingBox": {"height": 2.5, "width": 10, "left": 5, "top": 10},
    "points": [{"x": 5, "y": 10}, {"x": 15, "y": 10}, {"x": 15, "y": 12.5}, {"x": 5, "y": 12.5}],
}
ASSET: dict[str, Any] = {
    "format": "jpg",
    "id": "0d3de147",
    "state": 2,
    "type": 1,
    "name": "a%20b.jpg",
    "path": "file:/home/me/day%201/a%20b.jpg",
    "size": {"width": 40, "height": 30},
}


def region(**changes: Any) -> dict[str, Any]:
    return REGION | changes


def entry(*regions: Any, **changes: Any) -> dict[str, Any]:
    return {"asset": ASSET | changes, "regions": list(regions), "version": "2.2.0"}


def export(*entries: Any, tags: Any = ("cat", "dog"), **changes: Any) -> dict[str, Any]:
    assets = {str(e["asset"]["id"]) if isinstance(e, dict) else "x": e for e in entries}
    listed = [{"name": name, "color": "#5db300"} for name in tags]
    return {"name": "p", "tags": listed, "videoSettings": {"frameExtractionRate": 15}, "assets": assets} | changes


def project(*assets: dict[str, Any]) -> dict[str, Any]:
    """A .vott file: it lists assets, and their regions stand in files of their own."""
    return export(assets={asset["id"]: asset for asset in assets}, securityToken="p Token")


def parse(*entries: Any, **changes: Any) -> Any:
    return parse_vott(json.dumps(export(*entries, **changes)).encode(), "x-export.json")


def again(images: list[ReadImage], folder: Path) -> list[Any]:
    """The entries that are written for what was read."""
    labels = list(dict.fromkeys(box.label for image in images for box in image.boxes))
    made: list[Image] = [
        Image(n + 1, Path(i.name).name, i.width, i.height, i.state, i.split or Split.NONE) for n, i in enumerate(images)
    ]
    boxes = [
        Box(0, n, labels.index(b.label), b.xyxy, b.difficult, b.truncated, b.occluded, b.crowd, b.note, b.extra)
        for n, image in enumerate(images)
        for b in image.boxes
    ]
    (file,) = vott.write(snapshot(labels, made, boxes), folder)
    return list(json.loads(file.read_text(encoding="utf-8"))["assets"].values())


def test_an_export_is_read_and_each_tag_of_a_region_is_a_box(test_data: Path) -> None:
    """The counts are those of: grep -c '"boundingBox"' (4 regions), grep -A3 '"tags": \\[' (1, 2, 0 and 1 tags)."""
    reading = vott.read(test_data / SAMPLE / "dataset")
    assert reading.labels == ("animal", "dog", "person")
    assert [(i.name, i.state, [b.label for b in i.boxes]) for i in reading.images] == [
        ("img0001.jpg", State.DONE, ["animal"]),
        ("img0002.jpg", State.DONE, ["animal", "dog"]),
        ("img0003.jpg", State.IN_WORK, ["person"]),  # it has a region without a tag
    ]
    assert all(i.file == test_data / SAMPLE / "dataset" / i.name for i in reading.images)
    assert {i.split for i in reading.images} == {Split.TRAIN}  # of train-export.json
    assert reading.images[1].boxes[0].xyxy == pytest.approx((11.5, 12, 21.7, 32.5))
    assert [(r.level, r.sentence) for r in reading.remarks] == [
        ("read", "1 regions with several tags became one box for each tag."),
        ("refused", "1 regions without a tag were left out."),
    ]


def test_a_list_of_labels_that_another_program_put_beside_is_not_taken_for_vott(test_data: Path) -> None:
    reading = vott.read(test_data / SAMPLE / "dataset_with_meta_file")
    assert [len(i.boxes) for i in reading.images] == [1, 1, 1]
    assert [r.file for r in reading.remarks] == ["dataset_meta.json", "dataset_with_meta_file"]


def test_what_vott_wrote_is_written_again_as_it_was(tmp_path: Path) -> None:
    several = region(id="mosw0b97K", tags=["dog", "cat"], secret=[1, {"a": 2}])
    told = entry(REGION, several, timestamp=1.5, parent={"id": "v"})
    text(tmp_path / "x-export.json", json.dumps(export(told)))
    (written,) = again(list(vott.read(tmp_path).images), tmp_path / "out")
    assert written["regions"] == [REGION, several]
    assert written["asset"] == told["asset"] | {"name": "a b.jpg", "path": "a b.jpg"}


def test_a_region_whose_boxes_were_parted_is_written_as_several(tmp_path: Path) -> None:
    read = parse(entry(region(tags=["cat", "dog"])))
    cat, dog = read.assets[0].boxes
    image = Image(1, "a.jpg", 40, 30, State.DONE)
    moved = (*dog.xyxy[:3], 20)
    boxes = [Box(0, 0, 0, cat.xyxy, extra=cat.extra), Box(0, 0, 1, moved, extra=dog.extra)]
    (file,) = vott.write(snapshot(["cat", "dog"], [image], boxes), tmp_path)
    regions = next(iter(json.loads(file.read_text())["assets"].values()))["regions"]
    assert [r["tags"] for r in regions] == [["cat"], ["dog"]]
    assert regions[0]["id"] == "BsO3zj9bn" != regions[1]["id"]


SHAPES: dict[str, tuple[dict[str, Any], tuple[float, ...], str]] = {
    "polygon": ({"type": "POLYGON"}, (5, 10, 15, 12.5), "polygons"),
    "polyline": ({"type": "POLYLINE"}, (5, 10, 15, 12.5), "polylines"),
    "points alone": (
        {"type": "POLYGON", "boundingBox": None, "points": [{"x": 1, "y": 9}, {"x": 4, "y": 2}]},
        (1, 2, 4, 9),
        "polygons",
    ),
    "square": ({"type": "SQUARE"}, (5, 10, 15, 12.5), ""),
}


@pytest.mark.parametrize("case", SHAPES)
def test_other_shapes_become_their_bounding_boxes_with_a_count(case: str) -> None:
    changes, xyxy, told = SHAPES[case]
    read = parse(entry(region(**changes), region(**changes)))
    assert [b.xyxy for b in read.assets[0].boxes] == [xyxy, xyxy]
    assert dict(read.counts) == ({("repaired", f"{told} were read as their bounding boxes"): 2} if told else {})


def test_a_point_is_left_out_with_a_count_and_its_image_stays_done() -> None:
    read = parse(entry(region(type="POINT", points=[{"x": 1, "y": 2}]), REGION))
    assert (len(read.assets[0].boxes), read.assets[0].state) == (1, State.DONE)
    assert [key for key in read.counts if key[0] == "refused" and "points" in key[1]]


def test_a_box_without_area_is_kept_with_a_remark() -> None:
    read = parse(entry(region(boundingBox={"left": 1, "top": 2, "width": 0, "height": 3})))
    assert read.assets[0].boxes[0].xyxy == (1, 2, 1, 5)
    assert "zero size" in read.remarks[0][1]


@pytest.mark.parametrize(
    ("stage", "regions", "state"),
    [
        (0, [], State.UNLABELLED),
        (1, [], State.UNLABELLED),  # VoTT: "visited, but not yet tagged"
        (2, [], State.DONE),
        (1, [REGION], State.DONE),
        (2, [REGION], State.DONE),
        (2, [REGION | {"tags": []}], State.IN_WORK),
    ],
)
def test_the_state_is_what_vott_says(stage: int, regions: list[Any], state: State) -> None:
    read = parse(entry(*regions, state=stage))
    assert read.assets[0].state is state
    looked_at = [what for level, what in read.counts if "only viewed" in what]
    assert len(looked_at) == (stage == 1 and not regions)


def test_an_asset_file_is_newer_than_an_export_and_a_project_tells_labels_and_unlabelled_images(tmp_path: Path) -> None:
    old, gone = (
        entry(region(tags=["dog"])),
        entry(region(tags=["bird"]), id="77", name="c.jpg", path="file:/home/me/c.jpg"),
    )
    text(tmp_path / "vott-json-export" / "p-export.json", json.dumps(export(old, gone, tags=["dog", "bird"])))
    text(tmp_path / "0d3de147-asset.json", json.dumps(entry(REGION)))
    fresh = {
        "id": "9",
        "name": "z.jpg",
        "path": "file:/home/me/z.jpg",
        "size": None,
        "state": 0,
        "type": 1,
        "format": "jpg",
    }
    video = fresh | {"id": "8", "name": "v.mp4", "type": 2, "state": 2}
    text(tmp_path / "p.vott", json.dumps(project(ASSET, fresh, video)))
    reading = vott.read(tmp_path)
    assert reading.labels == ("dog", "bird", "cat")
    assert [(i.name, i.state, [b.label for b in i.boxes]) for i in reading.images] == [
        ("home/me/day 1/a b.jpg", State.DONE, ["cat"]),
        ("home/me/c.jpg", State.DONE, ["bird"]),
        ("home/me/z.jpg", State.UNLABELLED, []),
    ]
    assert sorted(r.sentence for r in reading.remarks) == [
        "'a%20b.jpg' also has an asset file, which is newer and was used.",
        "1 videos: only their frames have regions.",
    ]
    alone = vott.read(tmp_path / "p.vott")
    assert alone.labels == ("cat", "dog")
    assert [(i.name, len(i.boxes)) for i in alone.images] == [("home/me/day 1/a b.jpg", 1), ("home/me/z.jpg", 0)]


def test_a_project_that_lost_an_asset_file_is_refused(tmp_path: Path) -> None:
    text(tmp_path / "p.vott", json.dumps(project(ASSET)))
    with pytest.raises(Refused, match=r"p.vott: assets.0d3de147: it is tagged, but .* .0d3de147.-asset.json, is"):
        vott.read(tmp_path / "p.vott")
    (image,) = vott.read(tmp_path / "p.vott", settings=ReadSettings(skip_broken=True)).images
    assert (image.state, image.boxes) == (State.IN_WORK, ())


OBJECTIONS: dict[str, tuple[Any, str]] = {
    "no object": (7, "assets.x"),
    "no regions": ({"asset": ASSET | {"id": "x"}}, "assets.x"),
    "no name": (entry(id="x", name=" "), "assets.x.asset.name"),
    "half a character": (entry(id="x", name="\ud800.jpg"), "assets.x.asset.name"),
    "a size without height": (entry(id="x", size={"width": 3}), "assets.x.asset.size"),
    "a state beyond VoTT's": (entry(id="x", state=7), "assets.x.asset.state"),
    "true as a state": (entry(id="x", state=True), "assets.x.asset.state"),
    "a region that is none": (entry(5, id="x"), "assets.x.regions[0]"),
    "an unknown shape": (entry(REGION, region(type="CUBE"), id="x"), "assets.x.regions[1].type"),
    "no tags": (entry(region(tags=None), id="x"), "assets.x.regions[0].tags"),
    "a number as tag": (entry(region(tags=["a", 3]), id="x"), "assets.x.regions[0].tags[1]"),
    "no box and no points": (entry(region(boundingBox=None, points=[]), id="x"), "assets.x.regions[0].points"),
    "a point without y": (
        entry(region(boundingBox=None, points=[{"x": 1, "y": 2}, {"x": 1}]), id="x"),
        "assets.x.regions[0].points[1]",
    ),
    "text as number": (
        entry(region(boundingBox={"left": "1", "top": 1, "width": 1, "height": 1}), id="x"),
        "assets.x.regions[0].boundingBox.left",
    ),
    "infinite": (
        entry(region(boundingBox={"left": 1, "top": 1, "width": 1e308, "height": 1}), id="x"),
        "assets.x.regions[0].boundingBox.width",
    ),
    "negative": (
        entry(region(boundingBox={"left": 1, "top": 1, "width": -1, "height": 1}), id="x"),
        "assets.x.regions[0].boundingBox",
    ),
}


@pytest.mark.parametrize("case", OBJECTIONS)
def test_a_damaged_entry_is_refused_with_its_place(tmp_path: Path, case: str) -> None:
    damaged, place = OBJECTIONS[case]
    text(tmp_path / "x-export.json", json.dumps(export(entry(REGION), damaged)))
    with pytest.raises(Refused) as caught:
        vott.read(tmp_path)
    assert caught.value.sentence.startswith(f"x-export.json: {place}: ")
    reading = vott.read(tmp_path, settings=ReadSettings(skip_broken=True))
    assert (reading.images[0].state, len(reading.images[0].boxes)) == (State.DONE, 1)
    assert all(i.state is State.IN_WORK for i in reading.images[1:])
    assert [r.level for r in reading.remarks] == ["refused"]


def test_all_damages_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    text(tmp_path / "train-export.json", json.dumps(export(entry(5, 6), tags=["cat", 7])))
    text(tmp_path / "77-asset.json", json.dumps(entry(REGION))[:-9])
    with pytest.raises(Refused) as caught:
        vott.read(tmp_path)
    for place in ("regions[0]", "regions[1]", "tags[1].name", "77-asset.json:1: "):
        assert place in caught.value.sentence


@pytest.mark.parametrize("damaged", ["", '{"na', "\0" * 500])
def test_a_file_that_lost_its_content_is_told_by_its_name(tmp_path: Path, damaged: str) -> None:
    text(tmp_path / "x-export.json", json.dumps(export(entry(REGION))))
    text(tmp_path / "y.json", damaged)
    assert len(vott.read(tmp_path).images) == 1  # it may be anything
    text(tmp_path / "y-asset.json", damaged)
    with pytest.raises(Refused, match=r"y-asset\.json"):
        vott.read(tmp_path)


def test_images_are_found_by_their_encoded_names_and_the_folders_where_vott_had_them(tmp_path: Path) -> None:
    beside = picture(tmp_path / "set" / "a b.jpg")
    file = text(tmp_path / "set" / "x-export.json", json.dumps(export(entry(REGION))))
    assert [i.file for i in vott.read(tmp_path / "set").images] == [beside]
    assert [i.file for i in vott.read(file).images] == [beside]
    beside.unlink()
    picture(tmp_path / "pictures" / "day 2" / "a b.jpg")
    there = picture(tmp_path / "pictures" / "day 1" / "a b.jpg")
    assert [i.file for i in vott.read(file, [tmp_path / "pictures"]).images] == [there]


def test_names_that_fit_several_images_are_remarked(tmp_path: Path) -> None:
    for folder in ("x", "y"):
        picture(tmp_path / folder / "a b.jpg")
    text(tmp_path / "x-export.json", json.dumps(export(entry(REGION))))
    reading = vott.read(tmp_path)
    assert reading.images[0].file is None
    assert [r.sentence for r in reading.remarks] == [
        "2 images fit the name 'a%20b.jpg' equally well, so none was taken."
    ]


def made() -> Snapshot:
    images = [
        Image(1, "day/a.jpg", 40, 30, State.DONE, Split.TRAIN),
        Image(2, "night/A.png", 40, 30, State.VERIFIED, Split.TEST),
        Image(3, "night/b.jpg", 40, 30, State.DONE),
        Image(4, "c.jpg"),
        Image(5, "d.jpg", 40, 30, State.IN_WORK),
    ]
    boxes = [Box(0, 0, 1, (1, 2, 4, 3.5), occluded=True, note="half"), Box(0, 0, 0, (0, 0, 9, 9), crowd=True)]
    return snapshot(["cat", "dog"], images, boxes)


def test_one_file_for_each_split_with_all_tags_and_images_in_one_folder(tmp_path: Path) -> None:
    names = ("day_a.jpg", "night_A.png", "b.jpg", "c.jpg", "d.jpg")
    assert vott.places(made()) == tuple(f"vott-json-export/{name}" for name in names)
    files = vott.write(made(), tmp_path)
    assert [f.name for f in files] == ["train-export.json", "test-export.json", "none-export.json"]
    told = [json.loads(file.read_text()) for file in files]
    assert all([tag["name"] for tag in one["tags"]] == ["cat", "dog"] for one in told)
    assets = [
        (a["asset"]["name"], a["asset"]["state"], a["asset"].get("status")) for o in told for a in o["assets"].values()
    ]
    assert assets == [
        ("day_a.jpg", 2, None),
        ("night_A.png", 2, "verified"),
        ("b.jpg", 2, None),
        ("c.jpg", 0, None),
        ("d.jpg", 1, "in work"),
    ]
    regions = next(iter(told[0]["assets"].values()))["regions"]
    assert [{k: v for k, v in r.items() if k not in ("id", "points")} for r in regions] == [
        {
            "type": "RECTANGLE",
            "tags": ["dog"],
            "boundingBox": {"height": 1.5, "width": 3.0, "left": 1.0, "top": 2.0},
            "occluded": True,
            "note": "half",
        },
        {
            "type": "RECTANGLE",
            "tags": ["cat"],
            "boundingBox": {"height": 9, "width": 9, "left": 0, "top": 0},
            "crowd": True,
        },
    ]
    assert formats.recognise(tmp_path) == [("vott", 1.0)]


@pytest.mark.parametrize("extra", ['{"vott": [7]}', '{"vott": {"id": 3, "more": {"tags": 1, "a": 1e999}, "asset": 5}}'])
def test_an_extra_that_is_no_good_is_not_written(tmp_path: Path, extra: str) -> None:
    image = Image(1, "a.jpg", 40, 30, State.DONE)
    (file,) = vott.write(snapshot(["cat"], [image], [Box(0, 0, 0, (1, 2, 3, 4), extra=extra)]), tmp_path)
    assert len(vott.read(file).images[0].boxes) == 1
    assert "Infinity" not in file.read_text()


@pytest.mark.parametrize(
    "other",
    [
        "", "[", "{}", "[]", '{"a":' * 90_000, "\0", '{"assets": [], "tags": []}',
        '{"frames": {"a.jpg": [{"x1": 1, "y1": 2, "x2": 3, "y2": 4, "tags": ["cat"]}]}, "inputTags": "cat"}',  # VoTT 1
        '{"asset": {"version": "2.0"}, "scenes": [], "nodes": []}',  # glTF
        '{"images": [], "annotations": [], "categories": []}',
    ],
)  # fmt: skip
def test_other_documents_are_not_recognised(tmp_path: Path, other: str) -> None:
    assert vott.sniff(text(tmp_path / "a.json", other)) == 0
    assert vott.sniff(tmp_path) == 0
    with pytest.raises(Refused):
        vott.read(tmp_path)
