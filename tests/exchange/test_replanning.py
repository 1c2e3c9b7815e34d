"""A plan under other settings, or beside a project that was edited since: the files are not read again."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.formats.making import picture, text, voc_file, voc_object
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import Box, Split
from workbench.errors import WorkbenchError
from workbench.exchange import ChangedSide, ImportPlan, ImportSettings, apply_import, keep_files, plan_import
from workbench.exchange.importing import replan


@pytest.fixture
def document(tmp_path: Path) -> Iterator[Document]:
    """Two images came in from VOC files; a has one box more since, and the file of b one fewer."""
    for name in "ab":
        objects = (voc_object("cat", (1, 2, 10, 12)), voc_object("cat", (15, 5, 30, 25)))
        text(tmp_path / "set" / "Annotations" / f"{name}.xml", voc_file(*objects, filename=f"{name}.jpg"))
        picture(tmp_path / "set" / "JPEGImages" / f"{name}.jpg", grey=ord(name))
    with Document.create(tmp_path / "p") as made:
        plan = plan_import(made, tmp_path / "set", "voc")
        keep_files(made.folder, plan, apply_import(made, plan))
        draw(made, "a")
        fewer = voc_file(voc_object("cat", (1, 2, 10, 12)), filename="b.jpg")
        text(tmp_path / "set" / "Annotations" / "b.xml", fewer)
        yield made


def draw(document: Document, name: str) -> None:
    image = next(image for image in document.images() if image.name == f"{name}.jpg")
    document.do(edits.AddBoxes((Box(0, image.id, document.labels()[0].id, (2, 20, 9, 29)),)))


def told(plan: ImportPlan) -> tuple[object, ...]:
    numbers = (plan.matched, plan.left, plan.boxes, plan.replaced, plan.removed)
    return (*numbers, plan.remarks, [(one.changed, one.words) for one in plan.differences])


@pytest.mark.parametrize("how", ["update", "refuse", "keep", "replace", "add"])
def test_it_is_the_plan_that_a_new_reading_would_make(document: Document, tmp_path: Path, how: str) -> None:
    before = plan_import(document, tmp_path / "set", "voc")
    settings = ImportSettings(on_existing=how)
    read_again = plan_import(document, tmp_path / "set", "voc", settings=settings)
    shutil.rmtree(tmp_path / "set" / "Annotations")
    assert told(replan(document, before, settings)) == told(read_again)
    assert (told(before) == told(read_again)) is (how == "update"), "the settings do make a difference"


def test_it_sees_what_was_edited_since(document: Document, tmp_path: Path) -> None:
    before = plan_import(document, tmp_path / "set", "voc")
    assert [one.changed for one in before.differences] == [ChangedSide.HERE, ChangedSide.FILE]
    draw(document, "b")
    after = replan(document, before, before.settings)
    assert [one.changed for one in after.differences] == [ChangedSide.HERE, ChangedSide.BOTH]
    assert (before.removed, after.removed) == (1, 0), "the plan of before would overwrite that edit"


def test_images_that_are_gone_are_told(document: Document, tmp_path: Path) -> None:
    plan = plan_import(document, tmp_path / "set", "voc")
    document.do(edits.RemoveImages((document.images()[0].id,)))
    with pytest.raises(WorkbenchError, match="no longer in the project"):
        replan(document, plan, plan.settings)


def test_settings_of_reading_take_another_reading(document: Document, tmp_path: Path) -> None:
    plan = plan_import(document, tmp_path / "set", "voc")
    with pytest.raises(AssertionError):
        replan(document, plan, dataclasses.replace(plan.settings, voc_base="0"))


def test_the_sentence_tells_other_splits_new_labels_and_what_is_left(tmp_path: Path) -> None:
    for name in ("a.jpg", "b.jpg"):
        picture(tmp_path / "set" / name, 40, 30)
    box = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4]}
    listed = [{"id": 1, "file_name": "a.jpg"}, {"id": 2, "file_name": "b.jpg"}]
    content = {"images": listed, "annotations": [box], "categories": [{"id": 1, "name": "cat"}]}
    text(tmp_path / "set" / "instances_train.json", json.dumps(content))
    with Document.create(tmp_path / "p", images=tmp_path / "set") as document:
        first = document.images()[0].id
        document.do(edits.SetSplit((first,), Split.TEST))
        plan = plan_import(document, tmp_path / "set")
        assert plan.sentence == (
            "COCO JSON: 1 box in 2 images (0 new to the project); 2 images marked done; 1 new label; "
            "official splits taken: 1 train; 1 image in another split here (kept)."
        )
        without = plan_import(document, tmp_path / "set", settings=ImportSettings(splits=False))
        assert without.sentence.endswith("2 images marked done; 1 new label.")
        assert not dataclasses.replace(plan, boxes=0, matched=0, added=0, new_splits=0).is_empty, "a label is new"
        apply_import(document, plan)
        (drawn,) = document.boxes(first)
        document.do(edits.ReplaceBoxes((dataclasses.replace(drawn, xyxy=(5, 5, 20, 20)),)))
        assert plan_import(document, tmp_path / "set").sentence == (
            "COCO JSON: there is nothing to import; 1 image the same already; "
            "1 labelled differently here, left as they are."
        )
