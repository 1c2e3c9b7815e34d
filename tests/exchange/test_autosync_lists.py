"""Which list of labels the numbers in YOLO files beside the images are of, and what becomes of our own lists."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from tests.exchange.beside import document, draw, files, photographs, sync, told
from tests.formats.making import picture, text
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import Label
from workbench.exchange import ChangedSide, apply_import, keep_files, plan_import

__all__ = ["document", "photographs"]  # fixtures


def test_another_programs_list_of_labels_gives_the_numbers(document: Document, photographs: Path) -> None:
    (photographs / "classes.txt").write_text("big dog\ncat\n")
    draw(document, "b.jpg", 1, 1, 9, 9)
    assert told(sync(document)) == (2, 0, [])
    assert files(photographs)["a.txt"] == "1 0.35 0.35 0.5 0.5\n"
    assert files(photographs)["classes.txt"] == "big dog\ncat\n"
    assert told(sync(document)) == (0, 2, [])


@pytest.mark.parametrize("yaml", ["names: [big dog, cat]", "names:\n  0: big dog\n  1: cat\n  2: fish"])
@pytest.mark.parametrize("name", ["data.yaml", "bees.yml"])
def test_a_data_set_keeps_the_numbers_of_its_yaml(tmp_path: Path, yaml: str, name: str) -> None:
    """Whoever trains by it would take cats for dogs; and an import of it would change the project's own labels so."""
    folder = tmp_path / "set"
    picture(folder / "images" / "train" / "a.jpg", 40, 30)
    text(folder / name, f"path: .\ntrain: images/train\n{yaml}\n")
    text(folder / "labels" / "train" / "a.txt", "1  0.5 0.5 0.5 0.5\n")
    with Document.create(tmp_path / "q") as document:
        document.do(edits.AddLabels((Label(0, "bird"), Label(0, "cat"))))
        plan = plan_import(document, folder, "yolo")
        keep_files(document.folder, plan, apply_import(document, plan))
        assert told(sync(document)) == (0, 1, [])
        assert files(folder)["labels/train/a.txt"] == "1  0.5 0.5 0.5 0.5\n", "as it came"
        draw(document, "images/train/a.jpg", 0, 0, 40, 30, label=1)
        assert told(sync(document)) == (1, 0, [])
        assert files(folder)["labels/train/a.txt"] == "1 0.5 0.5 0.5 0.5\n1 0.5 0.5 1 1\n"
        assert {one.changed for one in plan_import(document, folder, "yolo").differences} == {ChangedSide.NOWHERE}
        draw(document, "images/train/a.jpg", 1, 1, 9, 9, label=0)
        synced = sync(document)
        assert told(synced) == (0, 0, [])
        assert synced.sentence.endswith(f"1 not written, because {name} does not list 'bird': add it there.")
        assert files(folder)["labels/train/a.txt"].count("\n") == 2, "no number is made up"


def test_a_list_that_cannot_be_read_leaves_the_files_alone(document: Document, photographs: Path) -> None:
    (photographs / "data.yaml").write_text("names: &a [cat]\ntrain: .\nval: *a\n")
    synced = sync(document)
    assert (synced.files, list(synced.unlisted)) == (0, [photographs / "data.yaml"])
    assert set(files(photographs)) == {"data.yaml"}


def test_an_image_called_classes_does_not_write_over_the_list(document: Document, photographs: Path) -> None:
    picture(photographs / "classes.jpg", 40, 30)
    document.add_folder(photographs)
    draw(document, "classes.jpg", 1, 1, 9, 9)
    for _ in range(2):
        assert [file.name for file in sync(document).sharing] == ["classes.jpg"]
        assert files(photographs)["classes.txt"] == "cat\nbig dog\n"


def test_labels_that_are_renumbered_are_renumbered_in_all_files(document: Document, photographs: Path) -> None:
    sync(document)
    cat, dog = document.labels()
    document.do(edits.Batch((edits.ChangeLabel(Label(cat.id, "cat", cat.colour, position=2)),), "Move"))
    assert [label.name for label in document.labels()] == ["big dog", "cat"]
    assert told(sync(document)) == (1, 0, [])
    assert files(photographs) == {"a.txt": "1 0.35 0.35 0.5 0.5\n", "classes.txt": "big dog\ncat\n"}
    assert dog.id


def test_our_list_of_a_folder_above_rules_no_folder_below(document: Document, photographs: Path) -> None:
    """Which comes first: it is not yet renewed then."""
    document.undo()  # so that the first image is one of the folder below
    draw(document, "sub/c.jpg", 0, 0, 40, 30)
    picture(photographs / "z.jpg", 40, 30)
    document.add_folder(photographs)
    draw(document, "z.jpg", 0, 0, 40, 30)
    sync(document)
    first, second = document.labels()
    moved = (dataclasses.replace(first, position=1), dataclasses.replace(second, position=0))
    document.do(edits.Batch(tuple(map(edits.ChangeLabel, moved))))
    sync(document)
    document.do(edits.AddLabels((Label(0, "bird"),)))
    draw(document, "sub/c.jpg", 0, 0, 20, 15, label=2)
    assert not sync(document).unlisted
    found = files(photographs)
    assert found["sub/classes.txt"] == found["classes.txt"] == "big dog\ncat\nbird\n"
    assert found["sub/c.txt"] == "1 0.5 0.5 1 1\n2 0.25 0.25 0.5 0.5\n"
    assert found["z.txt"] == "1 0.5 0.5 1 1\n"


def test_a_list_goes_with_the_last_label_file_of_its_folder(document: Document, photographs: Path) -> None:
    draw(document, "sub/c.jpg", 0, 0, 40, 30)
    sync(document)
    document.undo()
    assert told(sync(document)) == (1, 1, [])
    assert files(photographs).keys() == {"a.txt", "classes.txt"}
