"""What every annotation format keeps: it knows its own, gives back what it wrote, and refuses damage with its place."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image as Picture

from tests.contract import members
from tests.formats.making import snapshot
from tests.promises import annotation_seeds, attack_names, damaged_sets
from workbench import formats
from workbench.core.project import Box, Image, Label, Snapshot, Split, State
from workbench.errors import Refused, WorkbenchError
from workbench.formats import LOSSES, Format

BUILT_IN = (
    "voc", "coco", "yolo", "cvat", "labelme", "createml", "tfcsv", "openimages", "kitti", "labelstudio", "vott",
)  # fmt: skip
TABLES = {
    "damaged_sets._MADE": damaged_sets.FORMATS,
    "annotation_seeds.SEEDS": tuple(annotation_seeds.SEEDS),
    "attack_names.USES": tuple(format for format, _ in attack_names.USES.values()),
}
FAMILY = "formats"  # see conftest.py: `name` is each of them
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
    there = {name for name, _ in formats.load_all() if formats.formats.owner(name) == "built in"}
    todo = "BUILT_IN names the formats of workbench/formats; CONTRIBUTING.md, A format in one file, says what else does"
    assert there == set(BUILT_IN), f"{', '.join(sorted(there ^ set(BUILT_IN)))}: {todo}"


@pytest.mark.parametrize("table", TABLES)
def test_the_files_of_every_built_in_format_are_damaged(table: str) -> None:
    """By tests/promises, which run over tables: a format that is in none would pass them unseen."""
    lacking = set(BUILT_IN) - set(TABLES[table])
    assert not lacking, f"{table} in tests/promises lacks {', '.join(sorted(lacking))}"


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
    if "split" in lost:
        splits = [Split.NONE]
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
    difficult, truncated, occluded = (
        flag not in lost and draw(st.booleans()) for flag in ("difficult", "truncated", "occluded")
    )
    crowd = not {"crowd", "crowd apart", "crowd labels"} & lost and draw(st.booleans())
    note = draw(st.sampled_from(["", "half hidden"])) if "note" not in lost else ""
    return Box(0, 0, draw(st.integers(0, labels - 1)), (x0, y0, x1, y1), difficult, truncated, occluded, crowd, note)


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
        assert not [remark for remark in reading.remarks if remark.level != "read"]  # nothing had to be mended
        if not {"label order", "unused labels"} & member.cannot_store:
            assert reading.labels == tuple(label.name for label in snapshot.labels), (
                "labels, or their order, are lost: cannot_store has neither 'unused labels' nor 'label order'"
            )
        found = {image.file: image for image in reading.images}
        for index, (image, place) in enumerate(zip(snapshot.images, places, strict=True)):
            read = found.get(folder / place)
            if image.state is State.UNLABELLED and (read is None or "unlabelled images" in member.cannot_store):
                assert read is None or (read.state is State.UNLABELLED and not read.boxes)
                continue
            assert read is not None, f"{place}, which lies there, is the `file` of none of the images read"
            assert (read.state, read.split or Split.NONE) == (image.state, image.split), f"state or split of {place}"
            rows = snapshot.rows(index)
            xyxy = np.array([box.xyxy for box in read.boxes]).reshape(-1, 4)
            told = f"the boxes of {place}, xyxy"
            np.testing.assert_allclose(xyxy, snapshot.boxes[rows], atol=1e-5, rtol=0, err_msg=told)
            labels = [snapshot.labels[i].name for i in snapshot.label_index[rows]]
            assert [b.label for b in read.boxes] == labels, f"the labels of the boxes of {place}"
            marks = [[b.difficult, b.truncated, b.occluded, b.crowd] for b in read.boxes]
            assert marks == snapshot.flags[rows].tolist(), "difficult, truncated, occluded and crowd of each box"
            assert [b.note for b in read.boxes] == [note for note, _ in snapshot.notes[rows]], "the boxes' notes"

    check()


def test_what_it_cannot_store_is_lost_as_it_says(name: str, tmp_path: Path) -> None:
    """In the words of LOSSES, which people read before they export: the rest of an image is not lost with it."""
    member, plain = formats.formats.get(name), (1.0, 2.0, 10.0, 20.0)
    lost = member.cannot_store
    files = [("v.png", State.VERIFIED), ("w.png", State.IN_WORK), ("c.png", State.DONE), ("d.png", State.DONE)]
    made = snapshot(
        ["cat"],
        [Image(i + 1, file, *SIZE, state, Split.TRAIN) for i, (file, state) in enumerate(files)],
        [
            Box(0, 1, 0, plain),
            Box(0, 2, 0, plain),
            Box(0, 2, 0, (20.0, 2.0, 30.0, 20.0), crowd=True),
            Box(0, 3, 0, plain, True, True, True, note="half hidden"),
        ],
    )
    places = member.places(made)
    for place in places:
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        Picture.new("L", SIZE).save(tmp_path / place)
    member.write(made, tmp_path)
    found = {image.file: image for image in member.read(tmp_path).images}
    empty, begun, crowded, marked = (found.get(tmp_path / place) for place in places)
    if "empty images" not in lost:
        assert empty is not None, "a verified image without boxes"
        assert empty.state is (State.DONE if "verified" in lost else State.VERIFIED)
    assert begun is not None, "an image in work"
    assert (begun.state, len(begun.boxes)) == (State.DONE if "in work" in lost else State.IN_WORK, 1)
    assert crowded is not None
    kept = [(box.crowd, box.difficult) for box in crowded.boxes]
    apart = {"crowd": [], "crowd apart": [(False, True)]}
    assert kept == [(False, False), *next((left for loss, left in apart.items() if loss in lost), [(True, False)])]
    assert marked is not None, "a box with marks and a note"
    (box,) = marked.boxes
    told = {"difficult": box.difficult, "truncated": box.truncated, "occluded": box.occluded, "note": bool(box.note)}
    assert [mark for mark, there in told.items() if not there] == [mark for mark in told if mark in lost]


ODD = (
    "no", "true", "null", "~", "1", "1e3", "0x10", "12:30:45", "3.0", "nan", "NULL", "- a", "a: b", "#x",
    "a #b", "a  b", '"q"', "'s'", "a'b\"c", "a,b", "a;b", "a\\b", "a\\nb", "a/b", "../a", "<b>&amp;", "]]>",
    "<!-- a", "{x}", "[y]", "|", "> x", "!tag", "*star", "&anchor", "%YAML", "---", "...", "@at", "`t`", "?",
    "=1+1", "%41", "label 0", "__ignore__", "_background_", "DontCare", "😀", "é", "e\u0301", "a\u00a0b",
    "a\u3000b", "\u202eabc", "\u200b", "\ufeffa", "x\u2028y", "x\u0085y", "a" * 200, "a\tb", "a\nb", "a\rb",
    "a\r\nb",
)  # fmt: skip


def as_written(name: str, lost: frozenset[str], format: str) -> str:
    """What a format makes of a label's name: the CSV tables have one line for each row."""
    if "spaces in labels" in lost:
        return "_".join(re.split(r"[\s\ufeff]+", name.strip()))
    return re.sub(r"[\t\r\n]+", " ", name) if format in ("tfcsv", "openimages") else name


def test_odd_names_of_labels_come_back(name: str, tmp_path: Path) -> None:
    """What YAML takes for a number or for false, what is a mark in XML, CSV or JSON, what nobody sees."""
    member = formats.formats.get(name)
    for number, odd in enumerate(ODD):
        made = snapshot(
            [odd, "other"],
            [Image(1, "a.png", *SIZE, State.DONE, Split.TRAIN)],
            [Box(0, 0, 0, (1.0, 2.0, 10.0, 20.0)), Box(0, 0, 1, (1.0, 2.0, 11.0, 21.0))],
        )
        folder = tmp_path / str(number)
        place = folder / member.places(made)[0]
        place.parent.mkdir(parents=True, exist_ok=True)
        Picture.new("L", SIZE).save(place)
        member.write(made, folder)
        found = [box.label for image in member.read(folder).images for box in image.boxes]
        assert found == [as_written(odd, member.cannot_store, name), "other"], repr(odd)


def small_set(name: str, folder: Path) -> tuple[Path, ...]:
    """The files that a format writes for two boxes of one image, which lies beside them."""
    member = formats.formats.get(name)
    made = snapshot(
        ["cat", "dog"],
        [Image(1, "a.png", *SIZE, State.DONE, Split.TRAIN)],
        [Box(0, 0, 0, (1.0, 2.0, 10.0, 20.0)), Box(0, 0, 1, (1.0, 2.0, 11.0, 21.0))],
    )
    place = folder / member.places(made)[0]
    place.parent.mkdir(parents=True, exist_ok=True)
    Picture.new("L", SIZE).save(place)
    return member.write(made, folder)


def test_it_recognises_what_it_writes_and_nothing_that_others_write(name: str, tmp_path: Path) -> None:
    for other in {*members.of(FAMILY), name}:
        small_set(other, tmp_path / other)
        seen = formats.formats.get(name).sniff(tmp_path / other)
        assert (seen > 0) == (other == name), f"sniff() says {seen} of a folder that {other} wrote"
    found = [one for one, _ in formats.recognise(tmp_path / name)]
    assert found == [name], f"a folder that {name} wrote is taken for one of {found}"


DAMAGES: tuple[tuple[str, Callable[[bytes], bytes]], ...] = (
    ("empty", lambda data: b""),
    ("half of it", lambda data: data[: len(data) // 2]),
    ("no text", lambda data: bytes(range(256))),
    ("a letter that is not UTF-8", lambda data: data.replace(b"cat", b"c\xe4t")),
    ("letters for digits", lambda data: re.sub(rb"\d", b"x", data)),
    ("JSON of another kind", lambda data: b'{"a": [1, null], "b": {"c": "d"}}'),
    ("a JSON list", lambda data: b'[1, null, {"a": 2}]'),
)


def test_damage_is_refused_or_read_and_never_an_error_of_python(name: str, tmp_path: Path) -> None:
    """Neither recognising nor reading it, in the whole set and alone."""
    member = formats.formats.get(name)
    for file in small_set(name, tmp_path):
        whole = file.read_bytes()
        for what, damage in DAMAGES:
            file.write_bytes(damage(whole))
            for path in (tmp_path, file):
                try:
                    assert 0 <= member.sniff(path) <= 1
                    member.read(path)
                except WorkbenchError:
                    pass  # a sentence, as it should be
                except Exception as error:
                    told = f"{file.name}, {what}: {repr(error)[:120]}"
                    pytest.fail(f"{told}. sniff() answers 0 of it, and read() raises Refused (file, sentence, line).")
        file.write_bytes(whole)


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_link_to_nothing_hides_no_labels_and_is_told(name: str, tmp_path: Path) -> None:
    """As git-annex and DVC leave them: with one such file a data set was of no known format, and reading it crashed."""
    file = next(file for file in small_set(name, tmp_path) if file.name != "labels.txt")
    for image in [*tmp_path.rglob("a.png")]:
        shutil.copy(image, image.with_name("0a.png"))
    link = file.with_name(f"0{file.name}")
    link.symlink_to("nowhere")
    assert [one for one, _ in formats.recognise(tmp_path)] == [name]
    with pytest.raises(Refused) as caught:
        formats.formats.get(name).read(tmp_path)
    place = link.relative_to(tmp_path).as_posix()
    assert caught.value.sentence.startswith(f"{place}: it is a link to a file that is not there")
    reading = formats.formats.get(name).read(tmp_path, settings=formats.ReadSettings(skip_broken=True))
    assert sum(len(image.boxes) for image in reading.images) == 2


@pytest.mark.parametrize("name", BUILT_IN)
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
    assert name in broken, f"`broken` here has no file of {name} with damage in its second line: add one"
    file, content = broken[name]
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text(content)
    (tmp_path / "images").mkdir()
    Picture.new("L", SIZE).save(tmp_path / "images" / "a.png")
    with pytest.raises(Refused) as caught:
        formats.formats.get(name).read(tmp_path)
    assert caught.value.sentence.startswith(f"{file}:2: ")
