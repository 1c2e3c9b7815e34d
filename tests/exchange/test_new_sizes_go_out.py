"""Label files of photographs that were cropped since: relative edges and sizes in a file are those of the former."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image as Picture

from tests.exchange.beside import document, files, photographs, sync
from tests.exchange.test_unedited_files import come_in, go_out
from workbench import formats
from workbench.core import edits, new_sizes
from workbench.core.document import Document
from workbench.core.project import State
from workbench.exchange import export_labels, plan_import

__all__ = ["document", "photographs"]  # fixtures


def crop(document: Document, file: Path) -> None:
    """Take a quarter off at the right, and take the new size over."""
    with Picture.open(file) as whole:
        part = whole.crop((0, 0, whole.width * 3 // 4, whole.height))
    part.save(file)
    edit = new_sizes.taking_over(document, [image.id for image in document.images()])
    assert edit is not None
    document.do(edit)


def test_what_lies_beside_a_cropped_image_is_written_anew(document: Document, photographs: Path) -> None:
    sync(document)
    assert files(photographs)["a.txt"] == "0 0.35 0.35 0.5 0.5\n"
    crop(document, photographs / "a.jpg")
    assert sync(document).files == 1
    assert [round(float(part), 3) for part in files(photographs)["a.txt"].split()] == [0, 0.467, 0.35, 0.667, 0.5]
    assert sync(document).files == 0
    document.undo()
    sync(document)
    assert files(photographs)["a.txt"] == "0 0.35 0.35 0.5 0.5\n"


@pytest.mark.parametrize("name", ["yolo", "voc", "labelme", "labelstudio"])
def test_an_imported_file_does_not_go_out_for_a_cropped_image(document: Document, tmp_path: Path, name: str) -> None:
    document.do(edits.SetState((document.images()[0].id,), State.DONE))
    export_labels(document.snapshot(), name, tmp_path / "set", copy_images=True)
    with Document.create(tmp_path / "second") as second:
        come_in(second, tmp_path / "set", name)
        crop(second, next(second.file(image) for image in second.images() if image.name == "a.jpg"))
        go_out(second, tmp_path / "out", name, copied=True)
        read = formats.formats.get(name).read(tmp_path / "out")
        with Document.create(tmp_path / "third") as third:
            come_in(third, tmp_path / "out", name)
            (box,) = (box for image in third.images() for box in third.boxes(image.id))
    assert read.images
    assert [round(v, 3) for v in box.xyxy] == [4, 3, 24, 18]


def test_values_that_another_program_adds_do_not_make_boxes_of_a_cropped_image_others(
    document: Document, photographs: Path, tmp_path: Path
) -> None:
    """Of an image that was not cropped they don't either, as there are none here to compare them with."""
    document.do(edits.SetState((document.images()[0].id,), State.DONE))
    crop(document, photographs / "a.jpg")
    export_labels(document.snapshot(), "coco", tmp_path / "set")
    (file,) = (tmp_path / "set").rglob("*.json")
    told = json.loads(file.read_text())
    told["annotations"][0]["attributes"] = {"seen by": "Anna"}
    file.write_text(json.dumps(told))
    plan = plan_import(document, tmp_path / "set", "coco")
    assert (plan.is_empty, plan.alike) == (True, 1)
