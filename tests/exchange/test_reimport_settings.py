"""Files that come again are read as they were when they came first, whatever their own look would let one guess now."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.formats.making import picture, text, voc_file, voc_object
from workbench.core.document import Document
from workbench.exchange import ImportSettings, apply_import, plan_import
from workbench.exchange.import_plan import ImportPlan

NAMES = "abc"


def write(folder: Path, name: str, *boxes: tuple[int, int, int, int]) -> None:
    objects = [voc_object("cat", box) for box in boxes]
    text(folder / "Annotations" / f"{name}.xml", voc_file(*objects, filename=f"{name}.jpg"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in NAMES:
        write(tmp_path / "set", name, (5, 6, 20, 25))
        picture(tmp_path / "set" / "JPEGImages" / f"{name}.jpg", grey=ord(name))
    return tmp_path / "set"


@pytest.fixture
def document(tmp_path: Path) -> Iterator[Document]:
    with Document.create(tmp_path / "p") as made:
        yield made


def take(document: Document, path: Path, **settings: str) -> ImportPlan:
    plan = plan_import(document, path, settings=ImportSettings(**settings))  # type: ignore[arg-type]
    apply_import(document, plan)
    return plan


def firsts(document: Document) -> list[float]:
    """The left edge of each box."""
    return [box.xyxy[0] for image in document.images() for box in document.boxes(image.id)]


@pytest.mark.parametrize("base", [0, 1])
def test_the_first_pixel_keeps_its_number_when_the_proof_goes_or_comes(
    document: Document, folder: Path, base: int
) -> None:
    write(folder, "a", (base, 6, 20, 25))
    take(document, folder)
    assert firsts(document) == [0, 5 - base, 5 - base]
    write(folder, "a", (2 if base == 0 else 0, 6, 20, 25))  # moved by one or two pixels in another program
    plan = take(document, folder)
    assert (plan.alike, plan.reading.base) == (2, base)
    assert firsts(document)[1:] == [5 - base, 5 - base]
    said = f"Pixels are counted from {base}, because then 2 boxes of images in the project lie where it has them."
    assert any(remark.sentence.startswith(said) for remark in plan.remarks)
    other = plan_import(document, folder, settings=ImportSettings(voc_base=str(1 - base)))
    assert other.reading.base == 1 - base, "a person's choice stays"


def test_a_file_alone_is_read_as_its_data_set_was(document: Document, folder: Path) -> None:
    write(folder, "a", (0, 6, 20, 25))
    take(document, folder)
    write(folder, "b", (5, 6, 20, 25), (8, 8, 12, 12))
    plan = take(document, folder / "Annotations" / "b.xml", on_existing="add")
    assert (plan.boxes, plan.replaced, firsts(document)) == (1, 0, [0, 5, 8, 5])


def test_boxes_that_were_scaled_are_scaled_again(document: Document, tmp_path: Path) -> None:
    picture(tmp_path / "set" / "a.jpg", 80, 60)
    images = [{"id": 1, "file_name": "a.jpg", "width": 40, "height": 30}]
    box = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [4, 5, 6, 7]}
    told = {"images": images, "categories": [{"id": 1, "name": "cat"}], "annotations": [box]}
    text(tmp_path / "set" / "i.json", json.dumps(told))
    take(document, tmp_path / "set", on_size="scale")
    assert firsts(document) == [8]
    plan = take(document, tmp_path / "set")
    assert (plan.alike, firsts(document)) == (1, [8])
    assert any("were scaled, because then 1 box of images in the project lies" in r.sentence for r in plan.remarks)
