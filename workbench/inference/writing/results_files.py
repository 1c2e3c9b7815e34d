"""Predictions with a file for each picture: YOLO txt with a column of scores, and Pascal VOC XML with a <score>.

The lines and elements are those of the formats themselves (formats/yolo.py, formats/voc.py), so tools that read labels
can read these; for a trainer that takes no scores, drop the last column.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from workbench.core.files import atomic_write, sync_all
from workbench.core.project import FLAGS, Image, Label, Snapshot, State
from workbench.formats.parts.layout import to_extra
from workbench.formats.parts.voc_xml import to_xml
from workbench.formats.parts.yolo_txt import to_line
from workbench.inference.writing.result_parts import ResultRow
from workbench.inference.writing.results import Progress, ResultsInfo, Written, replacing
from workbench.inference.writing.results_coco import file_name

CLASSES, WHOSE = "classes.txt", "images.csv"
"""Beside the labels in yolo/."""


def write_yolo(rows: Iterable[ResultRow], info: ResultsInfo, folder: Path) -> Progress:
    """yolo/labels/NAME.txt: "label x y width height score", as fractions; yolo/classes.txt: one label name per line.

    A picture without detections has an empty file. yolo/images.csv says which picture each file belongs to, as "a.gif"
    and "a.png" become a.txt and a~2.txt.
    """
    base = folder / "yolo"
    with replacing(base / WHOSE) as text:
        table = csv.writer(text, lineterminator="\n")
        table.writerow(["labels", "image", "frame"])
        for done, row in enumerate(rows, start=1):
            if not row.skipped:
                lines = (
                    f"{to_line(label, box, row.width, row.height).rstrip()} {score:g}\n"
                    for label, score, box in row.found
                )
                name = f"{row.own_place}.txt"
                atomic_write(base / "labels" / name, "".join(lines), sync=False)
                table.writerow([name, row.name, row.frame if row.frame >= 0 else ""])
            yield done
    names = "".join(f"{label.name}\n" for label in info.labels)
    atomic_write(base / CLASSES, names)
    sync_all()
    yield Written((base,))


def write_voc(rows: Iterable[ResultRow], info: ResultsInfo, folder: Path) -> Progress:
    """voc/Annotations/NAME.xml: whole pixels counted from 1, as in the devkit."""
    base = folder / "voc"
    base.mkdir(parents=True, exist_ok=True)
    for done, row in enumerate(rows, start=1):
        if not row.skipped:
            text = to_xml(_alone(row, info.labels), 0, file_name(row))
            atomic_write(base / "Annotations" / f"{row.own_place}.xml", text, sync=False)
        yield done
    sync_all()
    yield Written((base,))


def _alone(row: ResultRow, labels: tuple[Label, ...]) -> Snapshot:
    """The picture as the only one of a project, with its detections as labelled boxes, and their scores."""
    count = len(row.found)
    return Snapshot(
        labels,
        (Image(1, row.name, row.width, row.height, State.DONE),),
        (Path(row.name),),
        np.array([0, count]),
        np.array([box for _, _, box in row.found], np.float64).reshape(-1, 4),
        np.array([label for label, _, _ in row.found], np.int64),
        np.zeros((count, len(FLAGS)), bool),
        np.arange(1, count + 1),
        tuple(("", to_extra("voc", [["score", {}, f"{score:g}", []]])) for _, score, _ in row.found),
    )
