"""The formats of predictions: each writer reads the rows once, whatever their number, and keeps none.

A writer is a generator that yields the number of rows done repeatedly, and finally what it wrote. If closed early it
leaves the files unchanged, except those of single images.
"""

from __future__ import annotations

import contextlib
import csv
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from workbench.core.files import atomic_path
from workbench.core.project import Label
from workbench.errors import WorkbenchError
from workbench.inference.writing.result_parts import ResultRow


@dataclass(frozen=True, slots=True)
class ResultsInfo:
    """What the rows do not tell. `videos`: place and file; `every`: every n-th frame of them was taken.

    `ids`: a COCO file whose ids of images and labels the COCO results should use.
    """

    labels: tuple[Label, ...]
    videos: tuple[tuple[str, Path], ...] = ()
    every: int = 1
    ids: Path | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """`remark`: what the user should know about it."""

    files: tuple[Path, ...]
    remark: str = ""


Progress = Iterator[int | Written]
Writer = Callable[[Iterable[ResultRow], ResultsInfo, Path], Progress]


def writers() -> dict[str, Writer]:
    """The writers by name of their format. ("pictures": while the pixels are at hand, see results_pictures.py.)"""
    from workbench.inference.writing.results_coco import write_coco
    from workbench.inference.writing.results_files import write_voc, write_yolo
    from workbench.inference.writing.results_video import write_videos

    return {
        "json": write_json, "coco": write_coco, "yolo": write_yolo, "voc": write_voc, "csv": write_csv,
        "video": write_videos,
    }  # fmt: skip


@contextlib.contextmanager
def replacing(file: Path) -> Iterator[IO[str]]:
    """A text that takes the place of the file once it is complete."""
    with atomic_path(file) as temporary, open(temporary, "w", encoding="utf-8", newline="\n") as text:
        yield text


class JsonList:
    """A list that is written into a JSON text entry by entry, after `begins`."""

    def __init__(self, text: IO[str], begins: str) -> None:
        self._text, self._before = text, "\n"
        text.write(begins)

    def add(self, entry: dict[str, Any]) -> None:
        self._text.write(self._before + json.dumps(entry, ensure_ascii=False, allow_nan=False))
        self._before = ",\n"

    def end(self, ends: str) -> None:
        self._text.write(ends)


LEFT_OUT = "left_out.csv"
FORMATS = ("json", "coco", "yolo", "voc", "csv", "pictures", "video")


def check_formats(names: Iterable[str]) -> tuple[str, ...]:
    """The names of formats, each once. WorkbenchError, which lists all formats, if one is unknown."""
    names = tuple(dict.fromkeys(names))
    for name in names:
        if name not in FORMATS:
            raise WorkbenchError(f"--format must be one of {', '.join(FORMATS)}, not '{name}'.")
    return names


def write_json(rows: Iterable[ResultRow], info: ResultsInfo, folder: Path) -> Progress:
    """predictions.json: a list of {file, width, height, detections: [{label, score, box}]}.

    Frames of a video also have a "frame". Boxes are xyxy in pixels of the upright picture.
    """
    file = folder / "predictions.json"
    with replacing(file) as text:
        listed = JsonList(text, "[")
        for done, row in enumerate(rows, start=1):
            if not row.skipped:
                listed.add(_entry(row, info.labels))
            yield done
        listed.end("\n]\n")
    yield Written((file,))


def _entry(row: ResultRow, labels: tuple[Label, ...]) -> dict[str, object]:
    entry: dict[str, object] = {"file": row.name}
    if row.frame >= 0:
        entry["frame"] = row.frame
    entry |= {"width": row.width, "height": row.height}
    entry["detections"] = [
        {"label": labels[label].name, "score": score, "box": list(box)} for label, score, box in row.found
    ]
    return entry


def write_csv(rows: Iterable[ResultRow], info: ResultsInfo, folder: Path) -> Progress:
    """predictions.csv: a line per detection, and one without a label for a picture without detections."""
    file = folder / "predictions.csv"
    with replacing(file) as text:
        table = csv.writer(text, lineterminator="\n")
        table.writerow(["file", "frame", "width", "height", "label", "score", "x0", "y0", "x1", "y1"])
        for done, row in enumerate(rows, start=1):
            begins = [row.name, row.frame if row.frame >= 0 else "", row.width, row.height]
            for label, score, box in row.found:
                table.writerow([*begins, info.labels[label].name, score, *box])
            if not row.found and not row.skipped:
                table.writerow([*begins, "", "", "", "", "", ""])
            yield done
    yield Written((file,))


def write_left_out(rows: Iterable[ResultRow], folder: Path) -> Path:
    """left_out.csv: the pictures that could not be read, and the reasons."""
    file = folder / LEFT_OUT
    with replacing(file) as text:
        table = csv.writer(text, lineterminator="\n")
        table.writerow(["file", "why"])
        table.writerows([row.name, row.skipped] for row in rows if row.skipped)
    return file
