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
from workbench.formats.parts.voc_xml import parse_voc
from workbench.formats.parts.yolo_txt import parse_yolo

NAMES = [name for name in ("voc", "coco", "yolo") if name in formats.load_all()]
SIZE = (64, 48)
OWN = {
    "voc": ["data/bccd", "import_cases/datumaro/voc_dataset/voc_dataset1",
            "import_cases/datumaro/voc_dataset/voc_dataset2", "import_cases/datumaro/roboflow_dataset/voc"],
    "coco": ["import_cases/datumaro/coco_dataset/coco", "import_cases/datumaro/coco_dataset/coco_roboflow",
             "import_cases/datumaro/roboflow_dataset/coco",
             "import_cases/evaluation/cocoapi/instances_val2014_100.json"],
    "yolo": ["data/cheetah", "import_cases/yolo_mark", "import_cases/datumaro/yolo_dataset/strict",
             "import_cases/datumaro/yolo_dataset/labels", "import_cases/datumaro/roboflow_dataset/yolo"],
    "none": ["import_cases/datumaro/labelme_dataset", "import_cases/datumaro/cvat_dataset",
             "import_cases/datumaro/kitti_dataset", "import_cases/datumaro/open_images_dataset",
             "import_cases/datumaro/roboflow_dataset/createml", "import_cases/datumaro/vott_json_dataset",
             "import_cases/datumaro/vott_csv_dataset", "import_cases/datumaro/widerface_dataset", "images"],
}  # fmt: skip


def test_built_in_formats_are_registered() -> None:
    assert set(NAMES) == {"voc", "coco", "yolo"}


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
    labels = draw(st.lists(texts.map(str.strip).filter(bool), min_size=1, max_size=4, unique=True))
    states = [State.UNLABELLED, State.DONE]
    states += [s for s, kind in ((State.VERIFIED, "verified"), (State.IN_WORK, "in work")) if kind not in lost]
    splits = list(Split) if "unsplit images" not in lost else [s for s in Split if s is not Split.NONE]
    images, boxes, offsets = [], [], [0]
    for number in range(draw(st.integers(1, 5))):
        split = draw(st.sampled_from(splits))
        state = draw(st.sampled_from(states)) if number else State.DONE  # so that there is something to write
        path = draw(st.sampled_from(["", "a/", "b c/", "images/"])) + f"{draw(st.sampled_from('xyzé'))}{number}.png"
        images.append(Image(number + 1, path, *SIZE, state, split))
        least = int(state is State.IN_WORK)  # in work and empty is not yet labelled
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
    crowd = not {"crowd", "crowd apart"} & lost and draw(st.booleans())
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
    "yolo": (parse_yolo, b"0 0.5 0.5 0.25 0.125\n1 0.1 0.2 0.1 0.2 0.9\r\n2 0.1 0.1 0.2 0.1 0.2 0.2\n"),
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
