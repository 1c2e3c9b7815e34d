"""A label that was given another name here is still the one that the files speak of."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from tests.formats.making import picture, text, voc_file, voc_object
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import Label
from workbench.errors import WorkbenchError
from workbench.exchange import ImportReport, apply_import, export_labels, keep_files, plan_import
from workbench.exchange.label_names import check_matches, clean_names, names_before
from workbench.formats import ReadBox, ReadImage, Reading
from workbench.formats.parts.report import Report

SQUARE = (2.0, 3.0, 20.0, 25.0)


def test_only_names_that_change_are_told_and_the_boxes_get_them(tmp_path: Path) -> None:
    names = ("cat", " dog", "pup", "\t")
    images = tuple(ReadImage(f"{n}.jpg", None, 0, 0, (ReadBox(name, SQUARE),)) for n, name in enumerate(names))
    report = Report()
    clean = clean_names(Reading("voc", tmp_path, ("cat", " dog"), images), report, {"pup": "dog"})
    assert clean.labels == ("cat", "dog")
    assert [box.label for image in clean.images for box in image.boxes] == ["cat", "dog", "dog", "unnamed"]
    assert [remark.sentence for remark in report.remarks] == [
        "The label ' dog' is called 'dog' here.",
        "The label 'pup' is called 'dog' here now. To keep the two apart, add a label 'pup' first.",
        "The label '?' is called 'unnamed' here.",
    ]


def test_a_label_with_fewer_former_names_than_others_keeps_its_last(tmp_path: Path) -> None:
    with Document.create(tmp_path / "p") as document:
        assert names_before(document) == ()
        document.do(edits.AddLabels((Label(0, "a1"), Label(0, "b1"), Label(0, "c"))))
        for name, then in (("a1", "a2"), ("b1", "b"), ("a2", "a")):
            label = next(one for one in document.labels() if one.name == name)
            document.do(edits.ChangeLabel(dataclasses.replace(label, name=then)))
        assert {tuple(sorted(names.items())) for names in names_before(document)} == {
            (("a", "a1"), ("b", "b1")), (("a", "a2"), ("b", "b1")),
        }  # fmt: skip


def test_of_many_labels_twelve_are_named_in_a_refusal(tmp_path: Path) -> None:
    names = tuple(f"l{number}" for number in range(1, 14))
    with Document.create(tmp_path / "p") as document:
        for count, ending in ((13, "'l12' and 1 more."), (12, "'l11', 'l12'."), (1, "There are 'l1'."), (0, "none.")):
            with pytest.raises(WorkbenchError, match="no label 'x'") as refused:
                check_matches(document, Reading("voc", tmp_path, names[:count], ()), {"x": "y"})
            assert str(refused.value).endswith(ending)


def write(folder: Path, name: str, *corners: tuple[int, int, int, int]) -> None:
    picture(folder / "JPEGImages" / f"{name}.jpg", grey=ord(name))
    objects = [voc_object("cat", box) for box in corners]
    text(folder / "Annotations" / f"{name}.xml", voc_file(*objects, filename=f"{name}.jpg"))


def come_in(document: Document, folder: Path) -> ImportReport:
    plan = plan_import(document, folder)
    report = apply_import(document, plan)
    keep_files(document.folder, plan, report)
    return report


def test_a_name_of_before_is_the_label_that_had_it(tmp_path: Path) -> None:
    folder, box = tmp_path / "set", (2, 3, 20, 25)
    write(folder, "a", box)
    write(folder, "b", box)
    with Document.create(tmp_path / "p") as document:
        come_in(document, folder)
        (cat,) = document.labels()
        document.do(edits.ChangeLabel(dataclasses.replace(cat, name="kitty")))
        write(folder, "a", box, (5, 6, 12, 14))
        write(folder, "c", box)
        report = come_in(document, folder)
        assert (report.boxes, report.left, [label.name for label in document.labels()]) == (2, 0, ["kitty"])
        assert any(r.sentence.startswith("The label 'cat' is called 'kitty' here now.") for r in report.remarks)
        export_labels(document.snapshot(), "voc", tmp_path / "out", project=document.folder)
        files = [file.read_text() for file in (tmp_path / "out" / "Annotations").iterdir()]
        assert ["<name>kitty</name>" in said for said in files] == [True] * 3, "none goes out as it came"
        document.do(edits.AddLabels((Label(0, "cat"),)))
        write(folder, "d", box)
        come_in(document, folder)
        assert len(document.boxes(document.images()[-1].id)) == 1
        assert document.boxes(document.images()[-1].id)[0].label != cat.id, "kept apart, as that remark says"
