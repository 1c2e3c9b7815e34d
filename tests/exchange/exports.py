"""A project that is exported, edited and exported again into the same folder."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path

from tests.formats.making import picture
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import Box, Label, Split, State
from workbench.exchange import ExportReport, export_labels
from workbench.exchange.export_folder import LIST

NAMES = ("a.jpg", "a.png", "b.jpg", "c.jpg", "d/e.jpg", "f.jpg")


@contextlib.contextmanager
def filled(tmp_path: Path) -> Iterator[Document]:
    """Images of different greys, each with a box of its own size, in train; a second b.jpg; labels cat and dog."""
    for number, name in enumerate(NAMES):
        picture(tmp_path / "photographs" / name, grey=40 * number)
    picture(tmp_path / "others" / "b.jpg", grey=250)
    with Document.create(tmp_path / "p", images=tmp_path / "photographs") as made:
        root, one = made.add_root(tmp_path / "others"), made.images()[0]
        made.do(edits.AddImages((dataclasses.replace(one, id=90, root=root, path="b.jpg"),)))
        made.do(edits.AddLabels((Label(0, "cat"), Label(0, "dog"))))
        ids = [image.id for image in made.images()]
        made.do(edits.AddBoxes(tuple(Box(0, id, 1 + id % 2, (1, 1, 5 + id % 20, 9)) for id in ids)))
        made.do(edits.SetState(tuple(ids), State.DONE))
        made.do(edits.SetSplit(tuple(ids), Split.TRAIN))
        yield made


def out(document: Document, folder: Path, format: str = "yolo", copies: bool = True) -> ExportReport:
    return export_labels(document.snapshot(), format, folder, copies, replace=True, project=document.folder)


def by_path(document: Document) -> dict[str, int]:
    """Ids of the images by path; the b.jpg of the second folder is called others."""
    return {"others" if image.id == 90 else image.path: image.id for image in document.images()}


def edit(document: Document) -> None:
    """What leaves files behind. Of two that share a name the first goes: the second takes its place, as does a.png."""
    ids = by_path(document)
    document.do(edits.RemoveImages((ids["a.jpg"], ids["b.jpg"])))
    document.do(edits.SetSplit((ids["f.jpg"], ids["d/e.jpg"]), Split.VALIDATION))
    document.do(edits.RemoveBoxes(tuple(box.id for box in document.boxes(ids["c.jpg"]))))
    document.do(edits.SetState((ids["c.jpg"],), State.UNLABELLED))


def tree(folder: Path) -> dict[str, bytes]:
    """Every file but the list, with what is in it."""
    files = (file for file in folder.rglob("*") if file.is_file() and file.name != LIST)
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in files}


def warnings(report: ExportReport) -> dict[str, str]:
    return {remark.file: remark.sentence for remark in report.remarks if remark.level == "warning"}
