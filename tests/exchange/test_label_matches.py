"""Labels of a colleague's files that are called otherwise here: a person says which label of the project they are."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.exchange.test_label_names import come_in
from tests.formats.making import picture, text, voc_file, voc_object
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import Label
from workbench.errors import WorkbenchError
from workbench.exchange import ChangedSide, apply_import, export_labels, keep_files, plan_import
from workbench.exchange.importing import replan

BOXES = ("rbc", (2, 3, 20, 25)), ("Platelet", (22, 3, 30, 12))
NAMES = {"rbc": "RBC"}


@pytest.fixture
def document(tmp_path: Path) -> Iterator[Document]:
    """A project with the labels RBC and WBC, beside files that say rbc and Platelet."""
    write(tmp_path / "set", "a")
    with Document.create(tmp_path / "p") as made:
        made.do(edits.AddLabels((Label(0, "RBC"), Label(0, "WBC"))))
        yield made


def write(folder: Path, name: str) -> None:
    picture(folder / "JPEGImages" / f"{name}.jpg", grey=ord(name))
    objects = [voc_object(label, corners) for label, corners in BOXES]
    text(folder / "Annotations" / f"{name}.xml", voc_file(*objects, filename=f"{name}.jpg"))


def labelled(document: Document) -> list[list[str]]:
    names = {label.id: label.name for label in document.labels()}
    return [[names[box.label] for box in document.boxes(image.id)] for image in document.images()]


def test_a_label_comes_in_as_the_one_that_it_is_said_to_be(document: Document, tmp_path: Path) -> None:
    plan = plan_import(document, tmp_path / "set", names=NAMES)
    assert plan.new_labels == ("Platelet",)
    assert "1 new label" in plan.sentence
    keep_files(document.folder, plan, apply_import(document, plan))
    assert [label.name for label in document.labels()] == ["RBC", "WBC", "Platelet"]
    assert labelled(document) == [["RBC", "Platelet"]]
    export_labels(document.snapshot(), "voc", tmp_path / "out", project=document.folder)
    (written,) = (tmp_path / "out" / "Annotations").iterdir()
    assert "<name>RBC</name>" in written.read_text(), "not as the file came"


def test_it_is_known_at_the_next_import_until_it_is_undone(document: Document, tmp_path: Path) -> None:
    plan = plan_import(document, tmp_path / "set", names=NAMES)
    keep_files(document.folder, plan, apply_import(document, plan))
    again = plan_import(document, tmp_path / "set")
    assert (again.is_empty, again.alike) == (True, 1)
    assert plan_import(document, tmp_path / "set", names=NAMES).is_empty, "the same command again"
    write(tmp_path / "set", "b")
    come_in(document, tmp_path / "set")
    assert labelled(document) == [["RBC", "Platelet"]] * 2
    document.undo()
    document.undo()
    assert plan_import(document, tmp_path / "set").new_labels == ("rbc", "Platelet")


def test_it_can_be_said_and_taken_back_without_reading_again(document: Document, tmp_path: Path) -> None:
    plan = plan_import(document, tmp_path / "set")
    shutil.rmtree(tmp_path / "set" / "Annotations")
    said = replan(document, plan, plan.settings, NAMES)
    assert said.new_labels == ("Platelet",)
    assert replan(document, said, plan.settings).new_labels == ("Platelet",), "kept where nothing else is said"
    assert replan(document, said, plan.settings, {}).new_labels == plan.new_labels == ("rbc", "Platelet")
    document.do(edits.RemoveLabel(document.labels()[0].id))
    assert replan(document, said, plan.settings).new_labels == ("rbc", "Platelet")


def test_a_name_that_the_project_has_itself_is_said_to_be_matched_this_once(document: Document, tmp_path: Path) -> None:
    """Else the next import relabelled the boxes, as "changed in the file"."""
    document.do(edits.AddLabels((Label(0, "rbc"),)))
    plan = plan_import(document, tmp_path / "set", names=NAMES)
    words = "'rbc' is 'RBC' this time only, as the project has a label of that name, too. Say so again"
    assert [remark for remark in plan.remarks if remark.sentence.startswith(words)]
    apply_import(document, plan)
    assert labelled(document) == [["RBC", "Platelet"]]
    same = plan_import(document, tmp_path / "set", names={"rbc": "rbc"})
    assert not [remark for remark in same.remarks if "this time only" in remark.sentence]


def test_images_labelled_here_are_compared_under_the_projects_names(document: Document, tmp_path: Path) -> None:
    plan = plan_import(document, tmp_path / "set", names={"rbc": "RBC", "Platelet": "WBC"})
    apply_import(document, plan)
    assert labelled(document) == [["RBC", "WBC"]]
    plan = plan_import(document, tmp_path / "set", names={"rbc": "RBC", "Platelet": "WBC"})
    assert (plan.alike, plan.left) == (1, 0)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ({"rcb": "RBC"}, "The files have no label 'rcb', so it can't be 'RBC'. There are 'rbc', 'Platelet'."),
        ({"rbc": "RCB"}, "The project has no label 'RCB' that 'rbc' could be. There are 'RBC', 'WBC'."),
    ],
)
def test_a_mistyped_name_is_refused(document: Document, tmp_path: Path, names: dict[str, str], words: str) -> None:
    with pytest.raises(WorkbenchError) as refused:
        plan_import(document, tmp_path / "set", names=names)
    assert str(refused.value) == words


def test_a_label_of_several_former_names_is_that_of_each_of_them(document: Document, tmp_path: Path) -> None:
    come_in(document, tmp_path / "set")
    rbc = next(label for label in document.labels() if label.name == "rbc")
    document.do(edits.ChangeLabel(dataclasses.replace(rbc, name="red cell")))
    picture(tmp_path / "other" / "z.jpg", grey=99)
    text(tmp_path / "other" / "z.xml", voc_file(voc_object("Erythrocyte", (2, 3, 20, 25)), filename="z.jpg"))
    plan = plan_import(document, tmp_path / "other", names={"Erythrocyte": "red cell"})
    keep_files(document.folder, plan, apply_import(document, plan))
    for folder, file in (("set", "Annotations/a.xml"), ("other", "z.xml")):
        changed = tmp_path / folder / file
        changed.write_text(changed.read_text().replace("<xmax>20<", "<xmax>19<"))
        (difference,) = plan_import(document, tmp_path / folder).differences
        assert difference.changed is ChangedSide.FILE, "nobody has touched it here"


def test_files_that_came_in_under_either_of_a_labels_former_names_are_known(document: Document, tmp_path: Path) -> None:
    """The first when it was rbc, the second when it was red cell."""
    for folder, name in (("set", "red cell"), ("other", "RC")):
        if folder == "other":
            picture(tmp_path / "other" / "z.jpg", grey=99)
            text(tmp_path / "other" / "z.xml", voc_file(voc_object("red cell", (2, 3, 20, 25)), filename="z.jpg"))
        come_in(document, tmp_path / folder)
        label = next(one for one in document.labels() if one.name in ("rbc", "red cell"))
        document.do(edits.ChangeLabel(dataclasses.replace(label, name=name)))
    for folder, file in (("set", "Annotations/a.xml"), ("other", "z.xml")):
        changed = tmp_path / folder / file
        changed.write_text(changed.read_text().replace("<xmax>20<", "<xmax>19<"))
        (difference,) = plan_import(document, tmp_path / folder).differences
        assert difference.changed is ChangedSide.FILE, "nobody has touched it here"
