"""File formats of a trained detector, one per module: the list of them, and what each has to do.

To add one: a module here (or a plugin file) with an `Exporter`, registered by `@exporters.register("name")`. It then
appears on the Export page, the command line and in tests/inference/test_export.py. No module here
imports torch before it has to write, so that the window can show the list at once.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from workbench.core.nms import DIOU_POWERS
from workbench.errors import WorkbenchError
from workbench.registry import Registry
from workbench.settings import setting

if TYPE_CHECKING:
    from torch import nn

    from workbench.detectors.parts.detector import Detector

Arrays = tuple[NDArray[Any], ...]
Run = Callable[[NDArray[np.float32]], Arrays]


@dataclass(frozen=True)
class ExportSettings:
    """What an exported file is told."""

    score: float = setting(
        0.25, "Confidence suggested to whoever uses the file; the file itself cuts nothing off.", low=0.0, high=1.0
    )
    iou: float | None = setting(
        None, "Overlap above which NMS removes the lower of two boxes; auto: as published.", low=0.05, high=0.95
    )
    nms: bool = setting(True, "Put NMS into the file: it then gives detections instead of a value for every prior.")


@dataclass(frozen=True, slots=True)
class Card:
    """All that a program needs to run the file, apart from the weights: model.json, also inside the file.

    `nms`: outputs are boxes (n, 4), scores (n,), labels (n,) after NMS; otherwise boxes (N, 4), scores (N, C) of all
    priors. Boxes are xyxy in pixels of the network input.
    """

    detector: str
    labels: tuple[str, ...]
    input_px: int
    resize: str  # one of core.resize.HOWS
    score: float  # suggested confidence; the file itself cuts nothing off
    iou: float  # of the NMS inside the file, or after it
    nms: bool
    nms_kind: str  # one of core.nms.KINDS: the detector's as published
    anchors: tuple[tuple[float, float], ...] = ()
    window: tuple[float, float] | None = None  # values that are black and white in images of more than 8 bits
    provenance: dict[str, Any] = field(default_factory=dict)

    @property
    def stretched(self) -> bool:
        return self.resize.endswith("stretch")

    @property
    def by_corners(self) -> bool:
        return self.resize.startswith("darknet")

    def to_json(self) -> str:
        cv2s, darknets = "bilinear without antialiasing (cv2.INTER_LINEAR)", "bilinear, corner pixels kept"
        preprocessing = {
            "colour": "RGB",
            "range": "0..1 (divide by 255)",
            "layout": "1x3xHxW float32",
            "resize": self.resize,
            "interpolation": darknets if self.by_corners else cv2s,
            "padding": None if self.stretched else 128,
            "orientation": "upright (EXIF orientation applied)",
        }
        record = {"format": 1, **asdict(self), "preprocessing": preprocessing, "program": "Workbench"}
        return json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False)


@dataclass(frozen=True, eq=False)
class Source:
    """What an exporter writes. `graph` (1, 3, S, S) -> the arrays that Card describes; `example` is such an input."""

    detector: Detector
    graph: nn.Module
    example: Any  # (1, 3, S, S) float32 tensor
    card: Card
    metadata: dict[str, str]  # of the checkpoint, to be carried along


class Unsuitable(WorkbenchError):
    """This format can't hold this detector; others can."""


class Exporter(Protocol):
    """One file format."""

    title: ClassVar[str]  # as people write it
    summary: ClassVar[str]  # one sentence for the picker
    file: ClassVar[str]  # name of the file
    needs: ClassVar[tuple[str, ...]]  # packages beyond those that the program itself needs

    def write(self, source: Source, file: Path) -> str:
        """Write the file; returns a remark for the user or an empty text.

        Raises Unsuitable where the format can't hold this detector. May raise anything: export() explains.
        """
        ...

    def opened(self, file: Path) -> Run | None:
        """The written file as a function, run the way a stranger would, or None where it can't run by itself."""
        ...

    def code(self, card: Card) -> str:
        """About ten lines of Python that use the file without this program."""
        ...


exporters: Registry[type[Exporter]] = Registry("export format")
register = exporters.register


def load_all() -> Registry[type[Exporter]]:
    """Import every module of this package and return the registry."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
    return exporters


def picture_code(card: Card, imports: str) -> str:
    """The lines from a photograph to `tensor`, shared by all files that can run: exactly what the program does."""
    head = f"""{imports}
about = json.load(open("model.json", encoding="utf-8"))
image = cv2.imdecode(np.fromfile("photo.jpg", np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1]  # upright, RGB
side, (height, width) = about["input_px"], image.shape[:2]
{BY_CORNERS_CODE if card.by_corners else "resize = cv2.resize"}
"""
    if card.stretched:
        fit = """square, scale, pad = resize(image, (side, side)), np.array([side / width, side / height] * 2), 0
"""
    else:
        fit = """w, h = max(1, width * side // max(width, height)), max(1, height * side // max(width, height))
square, left, top = np.full((side, side, 3), 128, np.float32), (side - w) // 2, (side - h) // 2
square[top:top + h, left:left + w] = resize(image, (w, h))
scale, pad = np.array([w / width, h / height] * 2), np.array([left, top] * 2)
"""
    return head + fit + "tensor = np.ascontiguousarray(square.transpose(2, 0, 1)[None], np.float32) / 255\n"


BY_CORNERS_CODE = """def resize(pixels, size):  # bilinear, with the corner pixels kept: Darknet's
    for axis, wanted in ((1, size[0]), (0, size[1])):
        place = np.linspace(0, pixels.shape[axis] - 1, wanted)
        low = place.astype(int)
        high, share = np.minimum(low + 1, pixels.shape[axis] - 1), np.expand_dims(place - low, [1 - axis, 2])
        near = np.take(pixels, low, axis).astype(float)
        pixels = near + share * (np.take(pixels, high, axis) - near)
    return pixels
"""


def result_code(card: Card) -> str:
    """The lines from `boxes, scores` (and `labels`) to printed detections."""
    nms = "" if card.nms else DIOU_CODE if card.nms_kind in DIOU_POWERS else NMS_CODE
    return (
        nms
        + """boxes = np.clip((boxes - pad) / scale, 0, [width, height, width, height])  # pixels of the photograph
for box, score, label in zip(boxes, scores, labels):
    if score >= about["score"]:
        print(about["labels"][label], round(float(score), 4), [round(float(side), 2) for side in box])
"""
    )


NMS_CODE = """labels, scores = scores.argmax(1), scores.max(1)  # the best label of each prior
sizes = np.hstack([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]]).tolist()
keep = cv2.dnn.NMSBoxesBatched(sizes, scores.tolist(), labels.tolist(), about["score"], about["iou"])
boxes, scores, labels = boxes[keep], scores[keep], labels[keep]
"""
DIOU_CODE = f"""labels, scores = scores.argmax(1), scores.max(1)  # the best label of each prior
waiting, keep = [row for row in np.argsort(-scores) if scores[row] >= about["score"]], []
while waiting:
    row, waiting = waiting[0], waiting[1:]
    keep.append(row)
    (ax, ay, bx, by), (cx, cy, dx, dy) = boxes[row], boxes[waiting].T
    shared = np.maximum(np.minimum(bx, dx) - np.maximum(ax, cx), 0) * np.maximum(
        np.minimum(by, dy) - np.maximum(ay, cy), 0)
    iou = shared / ((bx - ax) * (by - ay) + (dx - cx) * (dy - cy) - shared)
    apart = ((ax + bx - cx - dx) ** 2 + (ay + by - cy - dy) ** 2) / 4  # of the centres, squared
    hull = (np.maximum(bx, dx) - np.minimum(ax, cx)) ** 2 + (np.maximum(by, dy) - np.minimum(ay, cy)) ** 2
    power = {DIOU_POWERS!r}[about["nms_kind"]]
    stays = (iou - (apart / hull) ** power <= about["iou"]) | (labels[waiting] != labels[row])
    waiting = [one for one, stay in zip(waiting, stays) if stay]
boxes, scores, labels = boxes[keep], scores[keep], labels[keep]
"""
