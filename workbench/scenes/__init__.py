"""The demo: generated photographs of balls, crates, gears, leaves and stars with exact boxes, and a project of them.

Everything is drawn by this program from a seed, so the demo needs no download and no licence. Difficulty is chosen so
that a small detector learns it in minutes on a CPU, while light, scale, overlap and ground vary as in real pictures.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from workbench.core import edits
from workbench.core.document import Document, remove_files
from workbench.core.files import atomic_write
from workbench.core.project import FIRST_RECIPE, XYXY, Box, Label, Split, State
from workbench.errors import WorkbenchError
from workbench.scenes.composition import LABELS, compose

__all__ = ["LABELS", "NAME", "PHOTOGRAPHS", "RECIPE", "Scene", "project_of", "write_scenes"]

NAME, RECIPE = "Sample project", "demo"
"""The demo project's name, and the recipe made for it."""
PHOTOGRAPHS = "photographs"
"""The folder of the demo's images inside the project folder."""

JPEG_QUALITY = 92
VALIDATION, TEST = 0.15, 0.15
"""Shares of the labelled images; the rest is for training."""

# Okabe and Ito's colours, which people with any colour vision tell apart.
_COLOURS = {"ball": "#d55e00", "crate": "#f0e442", "gear": "#56b4e9", "leaf": "#009e73", "star": "#cc79a7"}


@dataclass(frozen=True, slots=True)
class Scene:
    """One written photograph: its file name, its size, and the box and label name of each object, in the same order."""

    file: str
    width: int
    height: int
    boxes: tuple[XYXY, ...]
    labels: tuple[str, ...]


def write_scenes(folder: Path, count: int, seed: int, size: tuple[int, int] = (416, 312)) -> Iterator[Scene]:
    """Write `count` JPEGs of `size` (width, height) into `folder`, yielding after each one: progress for a job.

    The same seed and number give the same bytes, however many are written. Existing files are never overwritten.
    """
    width, height = size
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(count):
        image, objects = compose(width, height, np.random.default_rng([seed, index]))
        file = f"photograph-{index + 1:03}.jpg"
        if (folder / file).exists():
            raise WorkbenchError(f"There is a {file} in {folder} already. Choose another folder for the demo.")
        atomic_write(folder / file, _jpeg(image))
        boxes = tuple(box for _, box in objects)
        yield Scene(file, width, height, boxes, tuple(label for label, _ in objects))


def project_of(folder: Path, scenes: Iterable[Scene], unlabelled: int, seed: int) -> Document:
    """A new project in `folder` from scenes written to its PHOTOGRAPHS folder. Returned open: the caller closes it.

    `seed` decides which images stay unlabelled and which are for validation and test. To report progress, iterate
    `write_scenes` yourself and pass the collected scenes to this function.
    """
    by_file = {scene.file: scene for scene in scenes}  # this may write them
    document = Document.create(folder, folder / PHOTOGRAPHS, name=NAME)
    with contextlib.ExitStack() as undo:
        undo.callback(remove_files, folder)
        undo.callback(document.close)
        _label(document, by_file, unlabelled, seed)
        undo.pop_all()
    return document


def _label(document: Document, by_file: dict[str, Scene], unlabelled: int, seed: int) -> None:
    document.do(edits.AddLabels(tuple(_labels())))
    label_ids = {label.name: label.id for label in document.labels()}
    all_ids = [image.id for image in document.images()]
    order = [all_ids[i] for i in np.random.default_rng(seed).permutation(len(all_ids))]
    splits = _split(order[unlabelled:])
    labelled = set(order[unlabelled:])
    boxes = tuple(
        Box(0, image.id, label_ids[label], xyxy)
        for image in document.images()
        if image.id in labelled
        for label, xyxy in zip(by_file[image.name].labels, by_file[image.name].boxes, strict=True)
    )
    done = edits.SetState(tuple(sorted(labelled)), State.DONE)
    first = edits.ChangeSetting(FIRST_RECIPE, RECIPE)
    document.do(edits.Batch((edits.AddBoxes(boxes), done, *splits, first), "Label the sample's photographs"))


def _labels() -> Iterator[Label]:
    for position, name in enumerate(LABELS):
        yield Label(0, name, _COLOURS[name], key=str(position + 1), position=position)


def _split(ids: list[int]) -> list[edits.SetSplit]:
    """Shuffled image ids: the first for validation, the next for test, the others for training."""
    validation, test = round(len(ids) * VALIDATION), round(len(ids) * TEST)
    parts = {
        Split.VALIDATION: ids[:validation],
        Split.TEST: ids[validation : validation + test],
        Split.TRAIN: ids[validation + test :],
    }
    return [edits.SetSplit(tuple(sorted(part)), split) for split, part in parts.items() if part]


def _jpeg(image: np.ndarray) -> bytes:
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    done, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    assert done, "encoding a JPEG in memory cannot fail for uint8 RGB"
    return data.tobytes()
