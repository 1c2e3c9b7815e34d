"""Labels of an export that come back without their images are known by the names that the export gave these."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.exchange.test_matching import coco
from tests.exchange.test_renamed_copies import refused
from tests.formats.making import picture
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import Box, Label, Split, State
from workbench.exchange import ImportPlan, ImportSettings, apply_import, export_labels, plan_import, remember

NAMED = ("coco", "createml", "cvat", "kitti", "labelme", "labelstudio", "tfcsv", "voc", "vott")
"""The formats whose files need no image to say where a box is."""


@pytest.fixture
def cameras(tmp_path: Path) -> Document:
    """A project of two folders with the same names in them, and a box of its own width in each image."""
    for camera in (1, 2):
        for name in ("0.jpg", "1.jpg", "d/0.jpg"):
            picture(tmp_path / f"camera{camera}" / name, grey=10 * len(name) + camera)
    document = Document.create(tmp_path / "p", images=tmp_path / "camera1")
    document.add_folder(tmp_path / "camera2")
    document.clear_history()
    document.do(edits.AddLabels((Label(0, "cat"),)))
    ids = tuple(image.id for image in document.images())
    document.do(edits.AddBoxes(tuple(Box(0, id, 1, (1.0, 2.0, 8.0 + id, 9.0)) for id in ids)))
    document.do(edits.Batch((edits.SetState(ids, State.DONE), edits.SetSplit(ids, Split.TRAIN)), "done"))
    return document


def exported(document: Document, format: str, folder: Path) -> Path:
    """As from the window or by the command, with images; then without."""
    report = export_labels(document.snapshot(), format, folder, True, replace=True)
    remember(document, report, document.labels(), copied=True)
    for image in folder.rglob("*.jpg"):
        image.unlink()
    return folder


def widths(document: Document) -> dict[int, list[float]]:
    """Of the boxes, by image."""
    return {image.id: [box.xyxy[2] - box.xyxy[0] for box in document.boxes(image.id)] for image in document.images()}


@pytest.mark.parametrize("format", NAMED)
def test_images_of_one_name_get_their_own_labels_back(cameras: Document, tmp_path: Path, format: str) -> None:
    with cameras as document:
        plan = plan_import(document, exported(document, format, tmp_path / "out"), format)
        assert (plan.is_empty, plan.alike, plan.missing, refused(plan)) == (True, 6, 0, [])
        assert sum("which the export that this comes from called so" in one.sentence for one in plan.remarks) == 6


def corrected(document: Document, folder: Path) -> ImportPlan:
    """Import coco's file after another program moved the right edge of every box by 20 pixels."""
    (file,) = folder.rglob("*.json")
    told = json.loads(file.read_text())
    for one in told["annotations"]:
        one["bbox"][2] += 20
    file.write_text(json.dumps(told))
    plan = plan_import(document, folder, "coco", settings=ImportSettings(on_existing="replace"))
    apply_import(document, plan)
    return plan


def test_what_was_corrected_comes_to_the_image_that_it_was_drawn_on(cameras: Document, tmp_path: Path) -> None:
    with cameras as document:
        before = widths(document)
        folder = shutil.move(exported(document, "coco", tmp_path / "out"), tmp_path / "elsewhere")
        picture(tmp_path / "camera1" / "00.jpg", grey=200)
        document.add_folder(tmp_path / "camera1")  # an image that came meanwhile
        corrected(document, Path(folder))
        assert {id: [width - 20 for width in found] for id, found in widths(document).items() if found} == before


@pytest.mark.parametrize("change", ["another size", "another name", "no export is remembered"])
def test_nobody_is_given_the_labels_of_another_where_it_is_not_sure(
    cameras: Document, tmp_path: Path, change: str
) -> None:
    with cameras as document:
        folder = exported(document, "coco", tmp_path / "out")
        (file,) = folder.rglob("*.json")
        if change == "another size":
            file.write_text(file.read_text().replace('"width":40', '"width":41'))
        elif change == "another name":
            file.write_text(file.read_text().replace('"1-2.jpg"', '"1-3.jpg"'))
        else:
            with document.store.transaction() as connection:
                edits.ChangeSetting("exported names", {}).apply(connection)
        before = widths(document)
        plan = corrected(document, folder)
        assert widths(document) == before
        assert plan.missing == 6
        assert sum("fit the name" in sentence for sentence in refused(plan)) == 3


def test_names_that_any_camera_gives_are_not_taken_for_those_of_an_export(cameras: Document, tmp_path: Path) -> None:
    """Nothing is in them that only an export calls so."""
    with cameras as document:
        folder = exported(document, "coco", tmp_path / "out")
        (file,) = folder.rglob("*.json")
        told = json.loads(file.read_text())
        told["images"] = [one for one in told["images"] if "-2" not in one["file_name"]]
        ids = {one["id"] for one in told["images"]}
        told["annotations"] = [one for one in told["annotations"] if one["image_id"] in ids]
        file.write_text(json.dumps(told))
        before = widths(document)
        plan = corrected(document, folder)
        assert (widths(document), plan.missing) == (before, 3)


def test_names_of_an_export_whose_images_are_not_all_here_any_more_are_of_nobody(
    cameras: Document, tmp_path: Path
) -> None:
    """Without d/0.jpg of the second camera, that of a third would be called d/0-2.jpg."""
    with cameras as document:
        folder = exported(document, "coco", tmp_path / "out")
        document.do(edits.RemoveImages((document.images()[-1].id,)))
        before = widths(document)
        plan = corrected(document, folder)
        changed = {id for id, found in widths(document).items() if found != before[id]}
        assert (changed, plan.missing) == ({3}, 5), "there is only one d/0.jpg now"


def test_a_single_file_that_names_an_image_of_two_folders_brings_labels_to_none(
    cameras: Document, tmp_path: Path
) -> None:
    """They went to that of the first folder without a word."""
    with cameras as document:
        file = coco(tmp_path / "labels" / "all.json", "0.jpg", "d/0.jpg")
        for given in (file, file.parent):
            plan = plan_import(document, given, "coco")
            assert (plan.boxes, plan.missing) == (0, 2)
            assert sum("2 images fit the name" in sentence for sentence in refused(plan)) == 2


@pytest.mark.parametrize("again", ["elsewhere", "to the same folder"])
def test_labels_of_an_older_export_do_not_come_to_images_that_have_its_names_now(
    cameras: Document, tmp_path: Path, again: str
) -> None:
    """The second camera's 2.jpg was called so; since the first has one, it is called 2-2.jpg."""
    picture(tmp_path / "camera2" / "2.jpg", grey=90)
    with cameras as document:
        document.add_folder(tmp_path / "camera2")
        own = max(image.id for image in document.images())
        document.do(edits.AddBoxes((Box(0, own, 1, (1.0, 2.0, 8.0 + own, 9.0)),)))
        document.do(edits.Batch((edits.SetState((own,), State.DONE), edits.SetSplit((own,), Split.TRAIN)), "done"))
        out = exported(document, "coco", tmp_path / "out")
        old = Path(shutil.copytree(out, tmp_path / "old"))
        picture(tmp_path / "camera1" / "2.jpg", grey=200)
        document.add_folder(tmp_path / "camera1")
        exported(document, "coco", out if again == "to the same folder" else tmp_path / "newer")
        before = widths(document)
        corrected(document, old)
        changed = {id for id, found in widths(document).items() if found != before[id]}
        assert not changed, "nobody knows whether it is that of the first camera, which was not there then"


def test_labels_of_an_export_before_an_image_was_removed_do_not_come_to_the_one_that_got_its_name(
    cameras: Document, tmp_path: Path
) -> None:
    with cameras as document:
        out = exported(document, "coco", tmp_path / "out")
        document.do(edits.RemoveImages((1,)))
        exported(document, "coco", tmp_path / "newer")
        (file,) = out.rglob("*.json")
        told = json.loads(file.read_text())
        kept = {one["id"] for one in told["images"] if one["file_name"] in ("0.jpg", "1-2.jpg")}
        told["images"] = [one for one in told["images"] if one["id"] in kept]
        told["annotations"] = [one for one in told["annotations"] if one["image_id"] in kept]
        file.write_text(json.dumps(told))
        before = widths(document)
        corrected(document, out)
        assert widths(document) == before


def test_labels_come_back_also_after_an_image_got_another_split(cameras: Document, tmp_path: Path) -> None:
    """CreateML has a folder for each; the names in it are the same."""
    with cameras as document:
        out = exported(document, "createml", tmp_path / "out")
        document.do(edits.SetSplit((5,), Split.VALIDATION))
        exported(document, "createml", tmp_path / "newer")
        plan = plan_import(document, out, "createml")
        assert (plan.alike, plan.missing, refused(plan)) == (6, 0, [])
