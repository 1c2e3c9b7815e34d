"""What a trained run would label: its detections in one image at a time, without those that are labelled already."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from workbench.core import boxes as geometry
from workbench.core.detections import Candidates, Kind
from workbench.core.files import stamp
from workbench.core.project import XYXY, Box, Label
from workbench.core.window import Window
from workbench.errors import WorkbenchError

if TYPE_CHECKING:
    from workbench.inference.predict import Predictor

KEPT = 64  # images whose candidates are remembered
SAME = 0.5  # IoU with a box of the same label, from which an object is labelled already
MOST = 100  # suggestions for an image: nobody looks through more


@dataclass(frozen=True, slots=True)
class Ask:
    """Look at `file`, the image of this id, with the network of `checkpoint`."""

    checkpoint: Path
    image: int
    file: Path
    window: Window | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What the network sees in an image. `labels`: the network's, by name; `iou` and `kind` of its authors' NMS."""

    ask: Ask
    candidates: Candidates
    labels: tuple[str, ...]
    iou: float
    kind: Kind


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A box that nobody has drawn; `label`: id in the project."""

    xyxy: XYXY
    label: int
    score: float


class Finder:
    """Answers an Ask; keeps the network and what it found lately. For one thread at a time.

    WorkbenchError if the checkpoint or the image can't be read.
    """

    def __init__(self) -> None:
        self._open: tuple[tuple[Path, object], Predictor] | None = None
        self._known: OrderedDict[object, Found] = OrderedDict()

    def __call__(self, ask: Ask) -> Found:
        written = _stamp(ask.checkpoint)
        key = ask, written, _stamp(ask.file)
        found = self._known.pop(key, None) or self._look(ask, written)
        self._known[key] = found  # the latest last
        while len(self._known) > KEPT:
            self._known.popitem(last=False)
        return found

    def _look(self, ask: Ask, written: object) -> Found:
        from workbench.core import images
        from workbench.inference.predict import Predictor

        if self._open is None or self._open[0] != (ask.checkpoint, written):
            self._open = (ask.checkpoint, written), Predictor.open(ask.checkpoint)
        predictor = self._open[1]
        (candidates,) = predictor.candidates([images.read(ask.file, predictor.window or ask.window)])
        kind, iou = predictor.detector.published_nms
        return Found(ask, candidates, predictor.labels, iou, kind)


def _stamp(file: Path) -> object:
    try:
        return stamp(file)
    except OSError as error:
        raise WorkbenchError(f"{file} is not there any more: {error.strerror}. Choose another run.", error) from error


def suggestions(
    found: Found, labels: Iterable[Label], boxes: Sequence[Box], confidence: float
) -> tuple[Suggestion, ...]:  # fmt: skip
    """The most confident first; of labels that the project has by the same name, and not of what `boxes` has."""
    by_name = {label.name: label.id for label in labels}
    ids = np.array([by_name.get(name, 0) for name in found.labels] or [0])
    detected = found.candidates.detections(confidence, found.iou, found.kind, MOST)
    label = ids[detected.labels]
    new = label > 0
    if boxes and len(detected):
        overlap = geometry.iou(detected.boxes.astype(np.float64), np.array([box.xyxy for box in boxes]))
        same = label[:, None] == np.array([box.label for box in boxes])
        new &= ~((overlap >= SAME) & same).any(axis=1)
    return tuple(
        Suggestion(tuple(detected.boxes[row].tolist()), int(label[row]), float(detected.scores[row]))  # type: ignore[arg-type]
        for row in np.flatnonzero(new).tolist()
    )


def unknown(found: Found, labels: Iterable[Label]) -> tuple[str, ...]:
    """Names that the network has and the project doesn't: nothing of them is suggested."""
    names = {label.name for label in labels}
    return tuple(name for name in found.labels if name not in names)
