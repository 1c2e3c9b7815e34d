"""A label that was given another name here is still the one that the files speak of."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from tests.formats.making import picture, text, voc_file, voc_object
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import Label
from workbench.exchange import ImportReport, apply_import, export_labels, keep_files, plan_import


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
