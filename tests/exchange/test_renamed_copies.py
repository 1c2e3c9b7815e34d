"""An export whose files had to be renamed, or were renamed by another program, is known when it comes back."""

from __future__ import annotations

import shutil
import unicodedata
from pathlib import Path

import pytest

from tests.contract.test_every_format import BUILT_IN
from tests.exchange.test_matching import coco
from tests.formats.making import picture, text
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import Box, Image, Label, Split, State
from workbench.exchange import ImportPlan, copies, export_labels, plan_import

ODD = ("a:b.jpg", "con.jpg", "e .jpg", "aux/x.jpg", "fol./y.jpg", "k\x01l.jpg", "r/com1.jpg", "aux.b.jpg")
"""Names that Windows can't hold."""
DOUBLE = ("con.png", "q.jpg", "q.png", "q-2.jpg", "A.JPG", "a.jpg", "d/q.jpg")
"""Names that share a stem, also after those above were changed."""


def labelled(folder: Path, photographs: Path, names: tuple[str, ...]) -> Document:
    """A project of these images, each of its own size with a box of its own."""
    for number, name in enumerate(names):
        picture(photographs / name, 60 + number, 50, grey=10 * number + 1)
    document = Document.create(folder, images=photographs)
    document.do(edits.AddLabels((Label(0, "cat"),)))
    ids = tuple(image.id for image in document.images())
    document.do(edits.AddBoxes(tuple(Box(0, id, 1, (1.0, 2.0, 9.0 + n, 9.0)) for n, id in enumerate(ids))))
    document.do(edits.Batch((edits.SetState(ids, State.DONE), edits.SetSplit(ids, Split.TRAIN)), "done"))
    return document


def refused(plan: ImportPlan) -> list[str]:
    return [remark.sentence for remark in plan.remarks if remark.level == "refused"]


@pytest.mark.parametrize("moved", [False, True], ids=["", "moved"])
@pytest.mark.parametrize("format", BUILT_IN)
def test_images_that_an_export_renamed_are_the_projects_own(tmp_path: Path, format: str, moved: bool) -> None:
    names = ODD + DOUBLE
    with labelled(tmp_path / "p", tmp_path / "photographs", names) as document:
        export_labels(document.snapshot(), format, tmp_path / "out", copy_images=True)
        found = shutil.move(tmp_path / "out", tmp_path / "corrected") if moved else tmp_path / "out"
        plan = plan_import(document, Path(found), format)
    assert (plan.is_empty, plan.added, plan.alike, refused(plan)) == (True, 0, len(names), [])


@pytest.mark.parametrize("format", BUILT_IN)
def test_labels_alone_find_the_images_whose_names_an_export_changed(tmp_path: Path, format: str) -> None:
    with labelled(tmp_path / "p", tmp_path / "photographs", ODD) as document:
        export_labels(document.snapshot(), format, tmp_path / "out")
        plan = plan_import(document, tmp_path / "out", format)
    assert (plan.is_empty, plan.alike, plan.missing, refused(plan)) == (True, len(ODD), 0, [])


def test_labels_alone_find_their_images_also_while_the_photographs_are_away(tmp_path: Path) -> None:
    with labelled(tmp_path / "p", tmp_path / "photographs", ODD) as document:
        export_labels(document.snapshot(), "coco", tmp_path / "out")
        shutil.move(tmp_path / "photographs", tmp_path / "unplugged")
        plan = plan_import(document, tmp_path / "out", "coco")
    assert (plan.is_empty, plan.alike, plan.missing, refused(plan)) == (True, len(ODD), 0, [])


def test_of_two_images_of_one_exported_name_the_labels_are_those_of_the_image_that_has_it(tmp_path: Path) -> None:
    """It was said that there is no file for con-.jpg, as con.jpg could be called so, too."""
    with labelled(tmp_path / "p", tmp_path / "photographs", ("con.jpg", "con-.jpg")) as document:
        shutil.move(tmp_path / "photographs", tmp_path / "unplugged")
        plan = plan_import(document, coco(tmp_path / "labels" / "a.json", "con-.jpg"), "coco")
        assert [one.image.path for one in plan.compared] == ["con-.jpg"]


def test_labels_of_an_image_that_an_export_renamed_do_not_come_to_one_in_a_folder_that_has_the_name(
    tmp_path: Path,
) -> None:
    """The labels of con.jpg, which an export calls con-.jpg, went to x/con-.jpg."""
    with labelled(tmp_path / "p", tmp_path / "photographs", ("con.jpg", "x/con-.jpg")) as document:
        shutil.move(tmp_path / "photographs", tmp_path / "unplugged")
        plan = plan_import(document, coco(tmp_path / "labels" / "a.json", "con-.jpg"), "coco")
        assert ([one.image.path for one in plan.compared], plan.missing) == ([], 1)


def test_an_image_in_a_folder_that_windows_cannot_hold_is_found_whichever_way_its_accents_are_written(
    tmp_path: Path,
) -> None:
    """It counted twice, so it was said that there is no file for it."""
    name = unicodedata.normalize("NFD", "fol./\u00e9.jpg")
    with labelled(tmp_path / "p", tmp_path / "photographs", (name, "q.jpg")) as document:
        shutil.move(tmp_path / "photographs", tmp_path / "unplugged")
        plan = plan_import(document, coco(tmp_path / "labels" / "a.json", "fol/\u00e9.jpg"), "coco")
        assert [one.image.path for one in plan.compared] == [name]


def yolo_of(folder: Path, **images: Path) -> Path:
    """A data set of copies of these images under these names, with a box in each."""
    for name, file in images.items():
        (folder / "images").mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, folder / "images" / f"{name}{file.suffix}")
        text(folder / "labels" / f"{name}.txt", "0 .5 .5 .2 .2\n")
    text(folder / "data.yaml", "train: images\nnames: [cat]\n")
    return folder


@pytest.mark.parametrize("name", ["1b2c3d4e-a_1", "6f1ed0__a 1", "22754d115fcc574462a81b9c0d253f0e"])
def test_a_copy_that_another_program_renamed_is_the_picture_that_it_was_made_of(tmp_path: Path, name: str) -> None:
    """As Label Studio's exports with images."""
    with labelled(tmp_path / "p", tmp_path / "photographs", ("a 1.jpg", "b.jpg")) as document:
        plan = plan_import(document, yolo_of(tmp_path / "set", **{name: tmp_path / "photographs" / "a 1.jpg"}), "yolo")
    assert (plan.added, [one.image.path for one in plan.compared]) == (0, ["a 1.jpg"])
    (told,) = (remark.sentence for remark in plan.remarks if "same picture" in remark.sentence)
    assert told == "It is the same picture as 'a 1.jpg' of the project, so its labels go to that one."


def test_of_two_copies_under_other_names_none_takes_the_place_of_the_other(tmp_path: Path) -> None:
    """Nor does one of two photographs of the project with the same content."""
    with labelled(tmp_path / "p", tmp_path / "photographs", ("a.jpg", "b.jpg")) as document:
        a, b = (tmp_path / "photographs" / name for name in ("a.jpg", "b.jpg"))
        plan = plan_import(document, yolo_of(tmp_path / "set", x=a, y=a, z=b), "yolo")
        assert sorted(one.image.path for one in plan.compared if one.image.id) == ["b.jpg"]
        assert plan.added == 2
        shutil.copyfile(b, tmp_path / "photographs" / "c.jpg")
        document.add_folder(tmp_path / "photographs")
        assert plan_import(document, tmp_path / "set", "yolo").added == 3


def test_files_are_read_once_and_only_if_one_of_the_project_has_their_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All bitmaps of a camera have one size: each was compared with each, for minutes."""
    opened: list[str] = []
    real = Path.open
    monkeypatch.setattr(Path, "open", lambda self, *mode: (opened.append(self.name), real(self, *mode))[1])
    monkeypatch.setattr(copies, "same_content", lambda one, other: pytest.fail("their samples differ"))
    photographs = {name: picture(tmp_path / "photographs" / f"{name}.bmp", grey=n) for n, name in enumerate("abcd")}
    new = {name: picture(tmp_path / "new" / f"{name}.bmp", 60, grey=n) for n, name in enumerate("wx")}
    new |= {name: picture(tmp_path / "new" / f"{name}.bmp", grey=100 + n) for n, name in enumerate("yz")}
    images = {file: Image(n, file.name, 40, 30) for n, file in enumerate(photographs.values())}
    compared = copies.Copies(images, new.values())
    assert [compared.original(file) for file in new.values()] == [None] * 4
    assert sorted(opened) == ["a.bmp", "b.bmp", "c.bmp", "d.bmp", "y.bmp", "z.bmp"]


def test_of_many_files_with_the_same_content_none_is_the_one(tmp_path: Path) -> None:
    """As of black frames, which would be compared each with each."""
    files = [picture(tmp_path / f"{n}.png") for n in range(12)]
    assert (
        copies.Copies({file: Image(n, file.name, 40, 30) for n, file in enumerate(files)}, files).original(files[0])
        is None
    )
    lone = picture(tmp_path / "lone.png", grey=7)
    image = Image(1, "lone.png", 40, 30)
    assert (
        copies.Copies({lone: image}, [picture(tmp_path / "copy.png", grey=7)]).original(tmp_path / "copy.png") is image
    )
