"""What every annotation format keeps: it knows its own, gives back what it wrote, and refuses damage with its place."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image as Picture

from workbench import formats
from workbench.core.project import Box, Image, Label, Snapshot, Split, State
from workbench.errors import Refused
from workbench.formats import LOSSES, Format
from workbench.formats.parts.coco_json import parse_coco
from workbench.formats.parts.createml_json import parse_createml
from workbench.formats.parts.cvat_xml import parse_cvat
from workbench.formats.parts.kitti_txt import parse_kitti
from workbench.formats.parts.labelme_json import parse_labelme
from workbench.formats.parts.labelstudio_json import parse_labelstudio
from workbench.formats.parts.openimages_csv import parse_boxes
from workbench.formats.parts.tfcsv_rows import parse_tfcsv
from workbench.formats.parts.voc_xml import parse_voc
from workbench.formats.parts.vott_json import parse_vott
from workbench.formats.parts.yolo_txt import parse_yolo

BUILT_IN = (
    "voc", "coco", "yolo", "cvat", "labelme", "createml", "tfcsv", "openimages", "kitti", "labelstudio", "vott",
)  # fmt: skip
NAMES = [name for name in BUILT_IN if name in formats.load_all()]
SIZE = (64, 48)
OWN = {
    "voc": ["data/bccd", "import_cases/datumaro/voc_dataset/voc_dataset1",
            "import_cases/datumaro/voc_dataset/voc_dataset2", "import_cases/datumaro/roboflow_dataset/voc"],
    "coco": ["import_cases/datumaro/coco_dataset/coco", "import_cases/datumaro/coco_dataset/coco_roboflow",
             "import_cases/datumaro/roboflow_dataset/coco",
             "import_cases/evaluation/cocoapi/instances_val2014_100.json"],
    "yolo": ["data/cheetah", "import_cases/yolo_mark", "import_cases/datumaro/yolo_dataset/strict",
             "import_cases/datumaro/yolo_dataset/labels", "import_cases/datumaro/roboflow_dataset/yolo"],
    "createml": ["import_cases/datumaro/roboflow_dataset/createml"],
    "kitti": ["import_cases/datumaro/kitti_dataset", "import_cases/datumaro/kitti_dataset/kitti_detection"],
    "openimages": ["import_cases/datumaro/open_images_dataset", "import_cases/datumaro/open_images_dataset/v6"],
    "vott": ["import_cases/datumaro/vott_json_dataset", "import_cases/datumaro/vott_json_dataset/dataset",
             "import_cases/datumaro/vott_json_dataset/dataset_with_meta_file"],
    "cvat": ["import_cases/datumaro/cvat_dataset/for_images/export_project",
             "import_cases/datumaro/cvat_dataset/for_images/export_task",
             "import_cases/datumaro/cvat_dataset/for_video", "import_cases/datumaro/cvat_dataset"],
    "none": ["import_cases/datumaro/labelme_dataset",
             "import_cases/datumaro/open_images_dataset/v5",
             "import_cases/datumaro/vott_csv_dataset", "import_cases/datumaro/widerface_dataset", "images"],
}  # fmt: skip


def test_built_in_formats_are_registered() -> None:
    assert set(NAMES) == set(BUILT_IN)


@pytest.mark.parametrize("name", NAMES)
def test_a_format_has_a_title_and_loses_known_things(name: str) -> None:
    member = formats.formats.get(name)
    assert member.title
    assert member.cannot_store <= set(LOSSES)


@pytest.mark.parametrize("owner", OWN)
def test_a_folder_is_recognised_by_its_own_format_and_no_other(test_data: Path, owner: str) -> None:
    for folder in OWN[owner]:
        found = [name for name, _ in formats.recognise(test_data / folder)]
        assert found == ([] if owner == "none" else [owner]), folder


@st.composite
def projects(draw: st.DrawFn, member: Format) -> Snapshot:
    """A random project made of what the format can store."""
    lost = member.cannot_store
    whole = "fractions of a pixel" in lost
    texts = st.text(st.characters(blacklist_categories=["Cs", "Cc"], blacklist_characters="\ufffe\uffff"), max_size=8)
    names = texts.map(str.strip).filter(bool)
    if "spaces in labels" in lost:
        names = names.filter(lambda name: name.split() == [name])
    labels = draw(st.lists(names, min_size=1, max_size=4, unique=True))
    states = [State.UNLABELLED, State.DONE]
    states += [s for s, kind in ((State.VERIFIED, "verified"), (State.IN_WORK, "in work")) if kind not in lost]
    splits = list(Split) if "unsplit images" not in lost else [s for s in Split if s is not Split.NONE]
    images, boxes, offsets = [], [], [0]
    for number in range(draw(st.integers(1, 5))):
        split = draw(st.sampled_from(splits))
        state = draw(st.sampled_from(states)) if number else State.DONE  # so that there is something to write
        path = draw(st.sampled_from(["", "a/", "b c/", "images/"])) + f"{draw(st.sampled_from('xyzé'))}{number}.png"
        images.append(Image(number + 1, path, *SIZE, state, split))
        # in work and empty is not yet labelled
        least = int(state is State.IN_WORK or "empty images" in lost)
        for _ in range(draw(st.integers(least, 3)) if state is not State.UNLABELLED else 0):
            boxes.append(draw(_box(lost, whole, len(labels))))
        offsets.append(len(boxes))
    return Snapshot(
        labels=tuple(Label(i + 1, name, position=i) for i, name in enumerate(labels)),
        images=tuple(images),
        files=tuple(Path("/nowhere") / image.path for image in images),
        offsets=np.array(offsets, np.int64),
        boxes=np.array([box.xyxy for box in boxes], np.float64).reshape(-1, 4),
        label_index=np.array([box.label for box in boxes], np.int64),
        flags=np.array([(b.difficult, b.truncated, b.occluded, b.crowd) for b in boxes], bool).reshape(-1, 4),
        box_ids=np.arange(len(boxes)),
        notes=tuple((box.note, "") for box in boxes),
    )


@st.composite
def _box(draw: st.DrawFn, lost: frozenset[str], whole: bool, labels: int) -> Box:
    margin = 0 if "outside" in lost else 20

    def number(low: float, high: float) -> st.SearchStrategy[float]:
        return st.integers(int(low), int(high)).map(float) if whole else st.floats(low, high)

    least = 1 if "zero size" in lost else 0
    x0, y0 = draw(number(-margin, SIZE[0] - 1)), draw(number(-margin, SIZE[1] - 1))
    x1, y1 = draw(number(x0 + least, SIZE[0] + margin)), draw(number(y0 + least, SIZE[1] + margin))
    flag = {name: name not in lost and draw(st.booleans()) for name in ("difficult", "truncated", "occluded")}
    crowd = not {"crowd", "crowd apart", "crowd labels"} & lost and draw(st.booleans())
    note = draw(st.sampled_from(["", "half hidden"])) if "note" not in lost else ""
    return Box(0, 0, draw(st.integers(0, labels - 1)), (x0, y0, x1, y1), **flag, crowd=crowd, note=note)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_written_is_read_again(name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    member = formats.formats.get(name)

    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
    @given(projects(member))
    def check(snapshot: Snapshot) -> None:
        folder = tmp_path_factory.mktemp(name)
        places = member.places(snapshot)
        for place in places:
            (folder / place).parent.mkdir(parents=True, exist_ok=True)
            Picture.new("L", SIZE).save(folder / place)
        first = {file: file.read_bytes() for file in member.write(snapshot, folder)}
        assert {file: file.read_bytes() for file in member.write(snapshot, folder)} == first  # deterministic
        assert all(b"\r" not in content for content in first.values())
        reading = member.read(folder)
        if not {"label order", "unused labels"} & member.cannot_store:
            assert reading.labels == tuple(label.name for label in snapshot.labels)
        found = {image.file: image for image in reading.images}
        for index, (image, place) in enumerate(zip(snapshot.images, places, strict=True)):
            read = found.get(folder / place)
            if image.state is State.UNLABELLED and (read is None or "unlabelled images" in member.cannot_store):
                assert read is None or (read.state is State.UNLABELLED and not read.boxes)
                continue
            assert read is not None
            assert (read.state, read.split or Split.NONE) == (image.state, image.split)
            rows = snapshot.rows(index)
            xyxy = np.array([box.xyxy for box in read.boxes]).reshape(-1, 4)
            np.testing.assert_allclose(xyxy, snapshot.boxes[rows], atol=1e-5, rtol=0)
            assert [b.label for b in read.boxes] == [snapshot.labels[i].name for i in snapshot.label_index[rows]]
            told = [[b.difficult, b.truncated, b.occluded, b.crowd] for b in read.boxes]
            assert told == snapshot.flags[rows].tolist()
            assert [b.note for b in read.boxes] == [note for note, _ in snapshot.notes[rows]]

    check()


@pytest.mark.parametrize("name", NAMES)
def test_a_broken_file_is_refused_with_its_name_and_line(name: str, tmp_path: Path) -> None:
    broken = {
        "voc": ("Annotations/a.xml", "<annotation>\n<object>"),
        "coco": ("x.json", '{"images": [],\n "categories": NaN, "file_name": 0}'),
        "labelme": ("a.json", '{"shapes": [],\n "imageWidth": NaN, "imagePath": "a.png"}'),
        "createml": ("x.json", '[{"image": "a.png", "annotations": [\n{"label": "cat", "coordinates": NaN}]}]'),
        "cvat": ("annotations.xml", '<annotations>\n<image name="a.png"><box label="cat"/></image></annotations>'),
        "tfcsv": ("a.csv", "filename,width,height,class,xmin,ymin,xmax,ymax\na.png,64,48,cat,nan,1,2,3\n"),
        "openimages": (
            "annotations/train-annotations-bbox.csv",
            "ImageID,LabelName,XMin,XMax,YMin,YMax\na,/m/0,nan,1,0,1\n",
        ),
        "kitti": ("label_2/a.txt", "Car 0 0 0 1 1 2 2 -1 -1 -1 -1 -1 -1 -1\nCar 0 0 0 nan 1 2 2 -1 -1 -1 -1 -1 -1 -1"),
        "labelstudio": (
            "tasks.json",
            '[{"id": 1, "data": {"image": "a.png"}, "annotations": [{"result": [\n{"original_width": NaN}]}]}]',
        ),
        "vott": ("x-export.json", '{"tags": [],\n "assets": NaN, "videoSettings": {}}'),
        "yolo": ("labels/a.txt", "0 0.5 0.5 0.5 0.5\n0 nan 1 1 1\n"),
    }
    file, content = broken[name]
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text(content)
    (tmp_path / "images").mkdir()
    Picture.new("L", SIZE).save(tmp_path / "images" / "a.png")
    with pytest.raises(Refused) as caught:
        formats.formats.get(name).read(tmp_path)
    assert caught.value.sentence.startswith(f"{file}:2: ")


SEEDS: dict[str, tuple[Callable[[bytes, str], object], bytes]] = {
    "voc": (
        parse_voc,
        b'<?xml version="1.0"?>\n<annotation verified="yes"><filename>a.jpg</filename>\n<size><width>640</width>'
        b"<height>480</height><depth>3</depth></size>\n<object><name>cat</name><pose>Left</pose><difficult>1</difficult>"
        b"<bndbox>\n<xmin>1</xmin><ymin>2</ymin><xmax>30</xmax><ymax>40</ymax></bndbox></object>\n</annotation>",
    ),
    "coco": (
        parse_coco,
        b'{"images": [{"id": 1, "file_name": "a.jpg", "width": 640, "height": 480}],\n"annotations": [{"id": 1,'
        b' "image_id": 1, "category_id": 7, "bbox": [1, 2.5, 3e1, 4], "iscrowd": 0, "attributes": {"a": [1, "b"]}},\n'
        b'{"id": 2, "image_id": 1, "category_id": 7, "segmentation": [[1, 2, 3, 4, 5, 6]]}],\n'
        b'"categories": [{"id": 7, "name": "c\\u00e4t"}]}',
    ),
    "labelme": (
        parse_labelme,
        b'{"version": "7.9.1", "flags": {}, "shapes": [{"label": "c\\u00e4t", "points": [[30.5, 40], [1, 2e0]],\n'
        b'"group_id": 1, "description": "x", "shape_type": "rectangle", "flags": {"occluded": true}, "mask": null},\n'
        b'{"label": "dog", "points": [[1, 2], [5, 2], [5, 6], [1, 6]], "shape_type": "rectangle", "score": 0.5}],\n'
        b'"imagePath": "..\\\\a.jpg", "imageData": null, "imageHeight": 480, "imageWidth": 640, "checked": true}',
    ),
    "createml": (
        parse_createml,
        b'[{"image": "a.jpg", "verified": true, "annotations": [{"label": "c\\u00e4t", "coordinates":\n{"x": 20.5,'
        b' "y": 30, "width": 1e1, "height": 4}, "id": 7}, {"label": "dog", "coordinates": {"x": 2, "y": 3, "width": 1,'
        b' "height": 1}}]},\n{"imagefilename": "b.jpg", "annotation": []}]',
    ),
    "yolo": (parse_yolo, b"0 0.5 0.5 0.25 0.125\n1 0.1 0.2 0.1 0.2 0.9\r\n2 0.1 0.1 0.2 0.1 0.2 0.2\n"),
    "cvat": (
        parse_cvat,
        b'<?xml version="1.0" encoding="utf-8"?>\n<annotations><version>1.1</version><meta><task>'
        b"<mode>annotation</mode><labels><label><name>c\xc3\xa4t</name></label></labels></task></meta>\n"
        b'<image id="0" name="a.jpg" width="640" height="480"><box label="c\xc3\xa4t" occluded="1" xtl="1.00" ytl="2.5"'
        b' xbr="3e1" ybr="40" rotation="30" z_order="0">\n<attribute name="difficult">true</attribute></box>'
        b'<polygon label="dog" points="1,2;3.5,4;6,5"/></image>\n<track id="0" label="dog"><box frame="3" outside="0"'
        b' occluded="0" keyframe="1" xtl="1" ytl="2" xbr="3" ybr="4"/></track></annotations>',
    ),
    "tfcsv": (
        parse_tfcsv,
        b"filename,width,height,class,xmin,ymin,xmax,ymax,pose\nraccoon-1.jpg,650,417,raccoon,81,88,522,408,Left\r\n"
        b'a.jpg,640,480,"a ""b"", c",0.5,1,1e2,30,\na.jpg,640,480,cat,0,0,640,480,\nb.jpg,640,480,,,,,,\n',
    ),
    "openimages": (
        parse_boxes,
        b"ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsTruncated,IsGroupOf,IsDepiction,IsInside"
        b"\n000026e7ee790996,freeform,/m/07j7r,1,0.071905,0.145346,0.206591,0.391306,0,1,1,0,0\n"
        b"000062a39995e348,xclick,/m/015p6,1,0.205719,0.849912,0.154144,1.000000,-1,-1,-1,-1,-1\n",
    ),
    "kitti": (
        parse_kitti,
        b"Truck 0.00 0 -1.57 599.41 156.40 629.75 189.25 2.85 2.63 12.34 0.47 1.49 69.44 -1.56\nCar 0.35 2 1.85 387.63"
        b" 181.54 423.81 203.12 1.67 1.87 3.69 -16.53 2.39 58.49 1.57 0.9\r\nDontCare -1 -1 -10 503.89 169.71 590.61"
        b" 190.13 -1 -1 -1 -1000 -1000 -1000 -10\n",
    ),
    "labelstudio": (
        parse_labelstudio,
        b'[{"id": 1, "data": {"image": "/data/upload/3/0a1b2c3d-a%20b.jpg"}, "annotations": [{"was_cancelled": false,\n'
        b'"updated_at": "2022-12-27T21:04:40.495704Z", "result": [{"original_width": 640, "original_height": 480, "id":'
        b' "x", "from_name": "label", "to_name": "image", "type": "rectanglelabels", "meta": {"text": ["n"]}, "value":'
        b' {"x": 10.5, "y": 2e1, "width": 30, "height": 4, "rotation": 15, "rectanglelabels": ["c\\u00e4t"]}},\n'
        b'{"id": "x", "type": "choices", "from_name": "attributes", "value": {"choices": ["difficult"]}}]}]},\n'
        b'{"image": "b.jpg", "id": 2, "annotation_id": 4, "label": [{"x": 1, "y": 2, "width": 3, "height": 4,'
        b' "rectanglelabels": ["dog"], "original_width": 64, "original_height": 48}]}]',
    ),
    "vott": (
        parse_vott,
        b'{"name": "p", "tags": [{"name": "c\\u00e4t", "color": "#5db300"}], "version": "2.2.0",\n"assets": {"0d3d":'
        b' {"asset": {"format": "jpg", "id": "0d3d", "name": "a%20b.jpg", "path": "file:/p/a%20b.jpg", "size":'
        b' {"width": 640, "height": 480}, "state": 2, "type": 1},\n"regions": [{"id": "BsO3zj9bn", "type":'
        b' "RECTANGLE", "tags": ["cat", "dog"], "boundingBox": {"height": 2.5, "width": 1e1, "left":'
        b' 5, "top": 10}},\n{"id": "x", "type":'
        b' "POLYGON", "tags": ["cat"], "points": [{"x": 5, "y": 10}, {"x": 15, "y": 12}]}]}}}',
    ),
}
PIECES = [
    b"<", b">", b"&a;", b'"', b"{", b"}", b"[" * 300, b"<a>" * 40, b"nan", b"NaN", b"-Infinity", b"1e999", b"1_0",
    b"\0", b"\xff", b"\xed\xa0\x80", "٣".encode(), b"<!DOCTYPE x>", b'"id": 1, ', b"null", b"true", b"9" * 5000,
    b"\n", b"-", b" ", b"\xfe\xff", b'<?xml encoding="utf-7"?>', b"\\ud800", b"[]", b"{}",
]  # fmt: skip


def mutated(data: bytes, random: random.Random) -> bytes:
    for _ in range(random.randint(1, 4)):
        place, kind = random.randrange(len(data) + 1), random.randrange(5)
        if kind == 0:
            data = data[:place] + random.choice(PIECES) + data[place:]
        elif kind == 1:
            data = data[:place] + data[place + random.randint(1, 30) :]
        elif kind == 2:
            data = data[:place] + bytes([random.randrange(256)]) + data[place + 1 :]
        elif kind == 3:
            data = data[:place]
        else:
            other = random.randrange(len(data) + 1)
            data = data[:place] + data[min(place, other) : max(place, other)] + data[place:]
    return data


@pytest.mark.parametrize("name", SEEDS)
def test_a_thousand_mutated_files_are_read_or_refused_with_their_name_within_a_second_each(name: str) -> None:
    parse, seed = SEEDS[name]
    parse(seed, "whole")
    chance, refused = random.Random(7), 0
    for _ in range(1000):
        data = mutated(seed, chance)
        begin = time.perf_counter()
        try:
            read = parse(data, "the/file")
            errors = list(read.broken)  # type: ignore[attr-defined]
        except Refused as error:
            errors = [error]
        assert time.perf_counter() - begin < 1
        assert all(error.sentence.startswith("the/file:") for error in errors)
        refused += bool(errors)
    assert refused > 300  # the mutations do damage
