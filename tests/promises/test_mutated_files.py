"""Damaged annotation files: no crash, none takes a second, refusals name their place, nothing is lost without a word.

In the full form 100,000 and more: of parsers alone, of small data sets of which every byte's meaning is known, and of
data sets that other programs wrote.
"""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.promises import damaged_sets
from tests.promises.annotation_seeds import SEEDS
from tests.promises.examining import Tally, has_place, judge, kinds
from tests.promises.form import times
from tests.promises.format_readers import Read, no_plugin_stays, reader  # noqa: F401
from tests.promises.mutating import mutated
from workbench.errors import Refused
from workbench.formats import ReadBox, ReadImage, Reading, ReadSettings

SETTINGS = ReadSettings(voc_base="1")  # or one damaged corner would move all boxes, as it may
SKIPPING = ReadSettings(voc_base="1", skip_broken=True)
_IMAGES = (".jpg", ".jpeg", ".png", ".bmp")
FOREIGN = {
    "voc": ["datumaro/voc_dataset/voc_dataset1", "datumaro/voc_dataset/voc_dataset2", "datumaro/roboflow_dataset/voc"],
    "coco": ["datumaro/coco_dataset/coco", "datumaro/coco_dataset/coco_roboflow", "datumaro/roboflow_dataset/coco"],
    "yolo": ["yolo_mark", "datumaro/yolo_dataset/strict", "datumaro/roboflow_dataset/yolo"],
    "createml": ["datumaro/roboflow_dataset/createml"],
    "kitti": ["datumaro/kitti_dataset/kitti_detection"],
    "openimages": ["datumaro/open_images_dataset/v6"],
    "vott": ["datumaro/vott_json_dataset/dataset", "datumaro/vott_json_dataset/dataset_with_meta_file"],
    "cvat": ["datumaro/cvat_dataset/for_images/export_project", "datumaro/cvat_dataset/for_video"],
}


def examine(name: str, read: Read, folder: Path, count: int) -> Tally:
    """Damage one file of the data set of this format after the other, `count` times, and read it."""
    files, images = damaged_sets.make(name, folder)
    before, tally, chance = kinds(read(folder, SETTINGS)), Tally(), random.Random(f"sets {name}")
    with_boxes = [file for file, one in files.items() if any(part[0] == "b" for part in one.parts)]
    for number in range(count):
        file = chance.choice(with_boxes if chance.random() < 0.85 else list(files))
        mutant = mutated(files[file].data, chance, most=1 if number % 2 else 4)
        (folder / file).write_bytes(mutant.data)
        settings = SKIPPING if number % 4 > 1 else SETTINGS
        # a list of names that is cut off shows in the files that use them
        named = "" if file == "data.yaml" else file
        result = tally.run(lambda settings=settings: read(folder, settings), named)  # type: ignore[misc]
        (folder / file).write_bytes(files[file].data)
        if isinstance(result, Reading):
            judge(tally, result, before, files, file, mutant, images)
    return tally


@pytest.mark.parametrize("name", SEEDS)
def test_a_parser_reads_or_refuses_whatever_it_gets_and_names_the_place(name: str) -> None:
    parse, seed = SEEDS[name]
    parse(seed, "whole")
    tally, chance = Tally(), random.Random(f"parsers {name}")
    for _ in range(times(1000, 5000)):
        data = mutated(seed, chance).data
        result = tally.run(lambda data=data: parse(data, "the/file"), "the/file")  # type: ignore[misc]
        if result is not None:
            errors = list(result.broken)  # type: ignore[attr-defined]
            tally.nowhere += [error.sentence for error in errors if not has_place(error.sentence, "the/file")]
            tally.told += bool(errors)
            tally.unharmed += not errors
    print(f"parser {name}: {tally}")
    assert not tally.failures, (tally.crashed[:3], tally.late[:3], tally.nowhere[:3])
    assert tally.refused + tally.told > tally.files * 0.3  # the mutations do damage


@pytest.mark.parametrize("name", damaged_sets.FORMATS)
def test_of_a_damaged_data_set_nothing_is_lost_without_a_word(name: str, tmp_path: Path) -> None:
    tally = examine(name, reader(name), tmp_path, times(120, 4500))
    print(f"set {name}: {tally}")
    assert not tally.failures, (tally.crashed[:3], tally.late[:3], tally.nowhere[:3], tally.silent[:3])
    assert tally.refused + tally.told > tally.files * 0.3


@pytest.mark.parametrize("name", FOREIGN)
def test_damaged_data_sets_of_other_programs_are_read_or_refused(test_data: Path, name: str, tmp_path: Path) -> None:
    read, tally, chance = reader(name), Tally(), random.Random(f"foreign {name}")
    sources = [test_data / "import_cases" / inner for inner in FOREIGN[name]]
    for number, source in enumerate(sources):
        folder = tmp_path / str(number)
        shutil.copytree(source, folder)
        _examine_foreign(read, folder, times(40, 1500) // len(sources), tally, chance)
    if name == "voc":
        _examine_foreign(read, _few_of_bccd(test_data, tmp_path / "bccd"), times(10, 500), tally, chance)
    print(f"foreign {name}: {tally}")
    assert not tally.failures, (tally.crashed[:3], tally.late[:3], tally.nowhere[:3])
    assert tally.refused > tally.files * 0.1


def _examine_foreign(read: Read, folder: Path, count: int, tally: Tally, chance: random.Random) -> None:
    read(folder, SKIPPING)
    files = sorted(f for f in folder.rglob("*") if f.is_file() and f.suffix.lower() not in _IMAGES)
    files = [f for f in files if f.suffix.lower() not in (".md", ".meta")]
    for _ in range(count):
        file = chance.choice(files)
        whole = file.read_bytes()
        file.write_bytes(mutated(whole, chance).data)
        result = tally.run(lambda: read(folder, SETTINGS))  # a damaged list of names shows in the files that use it
        file.write_bytes(whole)
        tally.unharmed += result is not None


def _few_of_bccd(test_data: Path, folder: Path) -> Path:
    for number, file in enumerate(sorted((test_data / "data/bccd/BCCD/Annotations").glob("*.xml"))[:6]):
        image = test_data / "data/bccd/BCCD/JPEGImages" / f"{file.stem}.jpg"
        for source, place in ((file, f"Annotations/{number}.xml"), (image, f"JPEGImages/{number}.jpg")):
            (folder / place).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, folder / place)
    return folder


# negative controls


def _made(folder: Path, images: Sequence[ReadImage]) -> Reading:
    return Reading("control", folder, damaged_sets.LABELS, tuple(images))


def swallowing_voc(folder: Path, settings: ReadSettings) -> Reading:
    """As labelImg reads: any error is passed over, and what was read until then is all that there is."""
    images = []
    for file in sorted((folder / "Annotations").glob("*.xml")):
        boxes = []
        try:
            for element in ElementTree.parse(file).getroot().iter("object"):
                x0, y0, x1, y1 = (
                    float(element.findtext(f"bndbox/{k}") or "") for k in ("xmin", "ymin", "xmax", "ymax")
                )
                boxes.append(ReadBox(element.findtext("name") or "", (x0 - 1, y0 - 1, x1, y1)))
        except Exception:  # labelImg's own
            pass
        images.append(ReadImage(file.stem, folder / "JPEGImages" / f"{file.stem}.png", 0, 0, tuple(boxes)))
    return _made(folder, images)


def bare_coco(folder: Path, settings: ReadSettings) -> Reading:
    """As a script of ten lines reads: what is not as expected ends in KeyError, and boxes it can't place are left."""
    images = []
    for file in sorted((folder / "annotations").glob("*.json")):
        document = json.loads(file.read_text())
        labels = {one["id"]: one["name"] for one in document["categories"]}
        for image in document["images"]:
            told = [one for one in document["annotations"] if one["image_id"] == image["id"]]
            boxes = [ReadBox(labels[one["category_id"]], (x, y, x + w, y + h)) for one in told
                     for x, y, w, h in [one["bbox"]]]  # fmt: skip
            images.append(ReadImage(image["file_name"], folder / "images" / image["file_name"], 0, 0, tuple(boxes)))
    return _made(folder, images)


def vague_yolo(folder: Path, settings: ReadSettings) -> Reading:
    """Refuses with a sentence that says neither where nor what."""
    try:
        return reader("yolo")(folder, settings)
    except Refused as error:
        raise Refused(folder, "the data set could not be read") from error


def test_control_a_reader_that_passes_over_errors_loses_boxes_silently(tmp_path: Path) -> None:
    tally = examine("voc", swallowing_voc, tmp_path, 120)
    print(f"control, labelImg's way: {tally}")
    assert len(tally.silent) > 60
    assert not tally.refused


def test_control_a_bare_reader_crashes(tmp_path: Path) -> None:
    tally = examine("coco", bare_coco, tmp_path, 120)
    print(f"control, a script: {tally}")
    assert len(tally.crashed) > 60


def test_control_a_vague_refusal_is_seen(tmp_path: Path) -> None:
    tally = examine("yolo", vague_yolo, tmp_path, 60)
    assert tally.refused > 10
    assert len(tally.nowhere) == tally.refused


def test_control_a_slow_reading_is_seen() -> None:
    tally = Tally()
    tally.run(lambda: _compute_until(tally), "a.txt")
    assert tally.late


def _compute_until(tally: Tally) -> None:
    import time

    begin = time.process_time()
    while time.process_time() - begin < 1.01:
        pass
