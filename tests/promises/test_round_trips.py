"""Boxes go from format to format and come back: real blood cells through four, made ones through all in random order.

Each step is a whole one: export from a project into a folder, import from it into a new project.
"""

from __future__ import annotations

import csv
import io
import itertools
import json
import random
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from PIL import Image as Picture

from tests.contract.test_every_format import BUILT_IN
from tests.promises.form import times
from workbench import formats
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import XYXY, Box, Label, Split
from workbench.exchange import apply_import, export_labels, plan_import
from workbench.formats import ReadSettings
from workbench.formats.parts import yolo_txt

TOLERANCE = 1e-4  # pixels
Truth = dict[str, tuple[Split, list[tuple[str, XYXY]]]]  # by image: its split, its labels and boxes


def truth_of(document: Document) -> Truth:
    names = {label.id: label.name for label in document.labels()}
    return {
        Path(image.path).stem: (
            image.split, [(names[box.label], box.xyxy) for box in document.boxes(image.id)],
        )
        for image in document.images()
    }  # fmt: skip


def differences(one: Truth, other: Truth, ordered: bool = True) -> list[str]:
    """What is not the same: images, splits, labels, how many boxes, and edges by more than TOLERANCE."""
    found = [f"{stem}: only on one side" for stem in one.keys() ^ other.keys()]
    for stem in one.keys() & other.keys():
        (split, boxes), (split2, boxes2) = one[stem], other[stem]
        if not ordered:
            boxes, boxes2 = sorted(boxes), sorted(boxes2)
        if split is not split2:
            found.append(f"{stem}: {split} became {split2}")
        if [label for label, _ in boxes] != [label for label, _ in boxes2]:
            found.append(f"{stem}: other labels")
            continue
        far = max((abs(a - b) for (_, p), (_, q) in zip(boxes, boxes2, strict=True) for a, b in zip(p, q, strict=True)),
                  default=0.0)  # fmt: skip
        if far > TOLERANCE:
            found.append(f"{stem}: an edge is off by {far:.6f} px")
    return found


def farthest(one: Truth, other: Truth) -> float:
    """The largest difference of an edge, in pixels, where all else is the same."""
    return max(
        abs(a - b)
        for stem, (_, boxes) in one.items()
        for (_, p), (_, q) in zip(boxes, other[stem][1], strict=True)
        for a, b in zip(p, q, strict=True)
    )


def through(document: Document, names: Iterable[str], folder: Path) -> Truth:
    """Export in each of these formats with the images, import into a new project, and so on; what comes out."""
    opened, truth = document, truth_of(document)
    for number, name in enumerate(names):
        place = folder / f"{number} {name}"
        export_labels(opened.snapshot(), name, place / "data", copy_images=True)
        if opened is not document:
            opened.close()
        opened = Document.create(place / "project")
        apply_import(opened, plan_import(opened, place / "data", name))
        truth = truth_of(opened)
    if opened is not document:
        opened.close()
    return truth


# the blood cells


def bccd_by_hand(folder: Path, stems: Sequence[str]) -> Truth:
    """What BCCD says, read without our reader."""
    splits = {}
    for name, split in (("train", Split.TRAIN), ("val", Split.VALIDATION), ("test", Split.TEST)):
        for stem in (folder / "ImageSets/Main" / f"{name}.txt").read_text().split():
            splits[stem] = split
    truth: Truth = {}
    for stem in stems:
        boxes = []
        for element in ElementTree.parse(folder / "Annotations" / f"{stem}.xml").getroot().iter("object"):
            x0, y0, x1, y1 = (float(element.findtext(f"bndbox/{k}") or "x") for k in ("xmin", "ymin", "xmax", "ymax"))
            boxes.append((element.findtext("name") or "", (x0 - 1, y0 - 1, x1, y1)))
        truth[stem] = splits[stem], boxes
    return truth


@pytest.fixture
def cells(test_data: Path, tmp_path: Path) -> tuple[Path, Truth]:
    """BCCD or, in the short form, 24 of its images as a VOC data set of their own."""
    source = test_data / "data/bccd/BCCD"
    stems = sorted(file.stem for file in (source / "Annotations").glob("*.xml"))
    stems = stems[:: times(len(stems) // 24, 1)]
    folder = tmp_path / "bccd"
    shutil.copytree(source / "ImageSets", folder / "ImageSets")
    for stem in stems:
        for inner in (f"Annotations/{stem}.xml", f"JPEGImages/{stem}.jpg"):
            (folder / inner).parent.mkdir(exist_ok=True)
            shutil.copyfile(source / inner, folder / inner)
    return folder, bccd_by_hand(source, stems)


CHAIN = ("coco", "yolo", "voc")


def test_blood_cells_go_through_voc_coco_yolo_voc_unharmed(cells: tuple[Path, Truth], tmp_path: Path) -> None:
    folder, truth = cells
    with Document.create(tmp_path / "first") as document:
        apply_import(document, plan_import(document, folder))
        last = through(document, CHAIN, tmp_path / "chain")
    boxes = sum(len(boxes) for _, boxes in truth.values())
    print(f"bccd: {len(truth)} images, {boxes:,} boxes, farthest edge {farthest(truth, last):g} px")
    assert not differences(truth, last)


def test_control_a_yolo_of_four_decimals_is_seen(
    cells: tuple[Path, Truth], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = yolo_txt.to_line

    def coarse(*arguments: Any) -> str:
        index, *numbers = whole(*arguments).split()
        return " ".join([index, *(f"{float(number):.4f}" for number in numbers)]) + "\n"

    monkeypatch.setattr("workbench.formats.yolo.to_line", coarse)
    folder, truth = cells
    with Document.create(tmp_path / "first") as document:
        apply_import(document, plan_import(document, folder))
        last = through(document, ("coco", "yolo"), tmp_path / "chain")  # VOC would round them back
    found = differences(truth, last)
    print(f"control, four decimals: {len(found)} of {len(truth)} images differ")
    assert len(found) > len(truth) / 2


# made ones


def made_project(folder: Path, chance: random.Random, fractions: bool) -> Document:
    """Nine images of 200 x 160 in all three splits, with one to five boxes each."""
    document = Document.create(folder / "project")
    for number in range(9):
        file = folder / "photos" / f"p{number}.png"
        file.parent.mkdir(exist_ok=True)
        Picture.new("L", (200, 160), number * 20).save(file)
    document.add_folder(folder / "photos")
    document.clear_history()
    images = document.images()
    labels = [Label(n + 1, name, position=n) for n, name in enumerate(("cat", "dog", "übergroß"))]
    boxes = []
    for image in images:
        for _ in range(chance.randint(1, 5)):
            x0, y0 = chance.uniform(0, 150), chance.uniform(0, 120)
            xyxy = (x0, y0, x0 + chance.uniform(1, 45), y0 + chance.uniform(1, 35))
            xyxy = xyxy if fractions else tuple(map(round, xyxy))  # type: ignore[assignment]
            x0, y0, x1, y1 = map(float, xyxy)
            boxes.append(Box(0, image.id, chance.choice(labels).id, (x0, y0, x1, y1)))
    splits = [s for s in Split if s is not Split.NONE]
    parts = [tuple(image.id for image in images[n::3]) for n in range(3)]
    document.do(edits.Batch((
        edits.AddLabels(tuple(labels)), edits.AddBoxes(tuple(boxes)),
        *(edits.SetSplit(ids, split) for ids, split in zip(parts, splits, strict=True)),
    ), "made"))  # fmt: skip
    return document


@pytest.mark.parametrize("number", range(times(2, 20)))
def test_boxes_go_through_all_formats_in_random_order(number: int, tmp_path: Path) -> None:
    chance = random.Random(number)
    fractions = number % 2 == 1
    ring = [name for name in BUILT_IN if name != "voc" or not fractions]  # VOC has whole pixels only
    chance.shuffle(ring)
    with made_project(tmp_path, chance, fractions) as document:
        first, last = truth_of(document), through(document, ring, tmp_path / "ring")
    print(f"ring {number}: {', '.join(ring)}: farthest edge {farthest(first, last):g} px")
    assert not differences(first, last)


def test_control_a_writer_that_rounds_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from workbench.formats import coco

    whole = coco._annotation

    def rounded(*arguments: Any) -> dict[str, Any]:
        entry = whole(*arguments)
        return entry | {"bbox": [round(v) for v in entry["bbox"]]}

    monkeypatch.setattr(coco, "_annotation", rounded)
    with made_project(tmp_path, random.Random(1), fractions=True) as document:
        first, last = truth_of(document), through(document, ("labelme", "coco", "cvat"), tmp_path / "ring")
    assert len(differences(first, last)) == len(first)


# files of other tools


def _json_files(pattern: str) -> Callable[[Path], Iterable[Any]]:
    return lambda folder: (json.loads(file.read_bytes()) for file in sorted(folder.glob(pattern)))


def _coco(pattern: str) -> Callable[[Path], int]:
    return lambda folder: sum(len(document["annotations"]) for document in _json_files(pattern)(folder))


def _voc(folder: Path) -> int:
    return sum(len(ElementTree.parse(f).getroot().findall("object/bndbox")) for f in folder.rglob("*.xml")
               if "bndbox" in f.read_text())  # fmt: skip


def _lines(pattern: str) -> Callable[[Path], int]:
    return lambda folder: sum(len(f.read_text().split("\n")) - f.read_text().split("\n").count("") for f in
                              folder.glob(pattern))  # fmt: skip


def _createml(folder: Path) -> int:
    return sum(len(image["annotations"]) for document in _json_files("*/*.json")(folder) for image in document)


def _vott(folder: Path) -> int:
    return sum(
        len(region["tags"])
        for document in _json_files("*-export.json")(folder)
        for asset in document["assets"].values()
        for region in asset["regions"]
    )


_SHAPES = ("box", "polygon", "polyline", "ellipse", "mask", "cuboid", "skeleton")


def _cvat(folder: Path) -> int:
    """Shapes that have a label, or whose track has one, where they are to be seen."""
    roots = [ElementTree.parse(file).getroot() for file in folder.glob("*.xml")]
    parents = [parent for root in roots for parent in (*root.iter("image"), *root.iter("track"))]
    shapes = [shape for parent in parents for shape in parent if shape.get("label", parent.get("label"))]
    return sum(shape.tag in _SHAPES and shape.get("outside", "0") == "0" for shape in shapes)


def _openimages(folder: Path) -> int:
    """Each image once, and only what has a file: the tables speak of images that are not there."""
    there = {file.stem for file in folder.glob("images/**/*") if file.is_file()}
    rows = {
        tuple(row[key] for key in ("ImageID", "LabelName", "XMin", "XMax", "YMin", "YMax"))
        for file in folder.glob("annotations/*annotations-bbox.csv")
        for row in csv.DictReader(io.StringIO(file.read_text(encoding="utf-8")))
    }
    return sum(row[0] in there for row in rows)


CASES: dict[str, tuple[str, Callable[[Path], int]]] = {
    "datumaro/coco_dataset/coco": ("coco", _coco("annotations/instances_*.json")),
    "datumaro/coco_dataset/coco_instances": ("coco", _coco("annotations/instances_*.json")),
    "datumaro/coco_dataset/coco_person_keypoints": ("coco", _coco("annotations/person_keypoints_*.json")),
    "datumaro/coco_dataset/coco_roboflow": ("coco", _coco("*/_annotations.coco.json")),
    "datumaro/coco_dataset/mmdet_coco": ("coco", _coco("annotations/instances_*.json")),
    "datumaro/roboflow_dataset/coco": ("coco", _coco("*/_annotations.coco.json")),
    "datumaro/roboflow_dataset/createml": ("createml", _createml),
    "datumaro/roboflow_dataset/voc": ("voc", _voc),
    "datumaro/roboflow_dataset/yolo": ("yolo", _lines("*/labels/*.txt")),
    "datumaro/voc_dataset/voc_dataset1": ("voc", _voc),
    "datumaro/voc_dataset/voc_dataset2": ("voc", _voc),
    "datumaro/voc_dataset/voc_dataset3": ("voc", _voc),
    "datumaro/yolo_dataset/strict": ("yolo", _lines("obj_train_data/*.txt")),
    "datumaro/yolo_dataset/labels": ("yolo", _lines("labels/*/*.txt")),
    "datumaro/yolo_dataset/annotations": ("yolo", _lines("[Aa]nnotations/**/*.txt")),
    "datumaro/kitti_dataset": ("kitti", _lines("kitti_detection/training/label_2/*.txt")),
    "datumaro/open_images_dataset/v6": ("openimages", _openimages),
    "datumaro/vott_json_dataset/dataset": ("vott", _vott),
    "datumaro/vott_json_dataset/dataset_with_meta_file": ("vott", _vott),
    "datumaro/cvat_dataset/for_images/export_project": ("cvat", _cvat),
    "datumaro/cvat_dataset/for_images/export_task": ("cvat", _cvat),
    "datumaro/cvat_dataset/for_video": ("cvat", _cvat),
    "evaluation/cocoapi": ("coco", _coco("instances_*_100.json")),
    "yolo_mark": ("yolo", _lines("img/*.txt")),
}


@pytest.mark.parametrize("case", CASES)
def test_files_of_other_tools_are_read_with_all_their_boxes(test_data: Path, case: str, tmp_path: Path) -> None:
    format, count = CASES[case]
    folder = test_data / "import_cases" / case
    if case == "yolo_mark":  # came without its images
        folder = shutil.copytree(folder, tmp_path / case)
        for file in folder.glob("img/*.txt"):
            Picture.new("L", (64, 64)).save(file.with_suffix(".jpg"))
    reading = formats.load_all().get(format).read(folder, (), ReadSettings())
    found = sum(len(image.boxes) for image in reading.images)
    print(f"{case}: {format}, {len(reading.images)} images, {found} boxes")
    assert found == count(folder) > 0
    assert [name for name, _ in formats.recognise(folder)] == [format]
    counted = Counter(box.label for image in reading.images for box in image.boxes)
    assert counted.keys() <= set(reading.labels)


def test_control_counting_knows_a_box_more_or_less(test_data: Path, tmp_path: Path) -> None:
    case = "datumaro/roboflow_dataset/yolo"
    folder = shutil.copytree(test_data / "import_cases" / case, tmp_path / "set")
    before = CASES[case][1](folder)
    file = next(itertools.islice(folder.glob("*/labels/*.txt"), 1))
    file.write_text(file.read_text().rstrip("\n") + "\n0 0.5 0.5 0.1 0.1\n")
    assert CASES[case][1](folder) == before + 1
