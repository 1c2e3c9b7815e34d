"""File formats of a trained detector, one per module: the list of them, and what each must implement.

To add one: a module here (or a plugin file) with an `Exporter`, registered by `@exporters.register("name")`. It then
appears on the Export page, the command line and in tests/contract/test_each_exporter.py. No module here
imports torch before it writes, so that the window can show the list at once.
"""

from __future__ import annotations

import functools
import importlib
import json
import pkgutil
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from workbench.core.nms import DIOU_POWERS, TITLES
from workbench.core.tiling import OVERLAP
from workbench.errors import WorkbenchError
from workbench.registry import OWN, Registry, class_text, missing_attributes
from workbench.settings import setting

if TYPE_CHECKING:
    from torch import nn
    from torch.export import ExportedProgram

    from workbench.detectors.parts.detector import Detector

Arrays = tuple[NDArray[Any], ...]
Run = Callable[[NDArray[np.float32]], Arrays]


DETECTIONS, DECODED, RAW = "detections", "decoded", "raw"
PUBLISHED = "published"
OUTPUT = "What the file returns"
RUNNING = ("onnx", "torchscript", "pt2")  # runtimes whose files answer to images
MOST_IMAGES, LARGEST = 1024, 4096  # at a time, and pixels of a side: where sizes are left open, they have an end
NMS_KINDS = ("per label", "across labels", "diou", "darknet diou")  # soft has no graph
KEY = "model.json"  # the name under which a file contains its card


@dataclass(frozen=True)
class ExportSettings:
    """Settings of an exported file: its inputs and outputs."""

    score: float = setting(
        0.25,
        "The confidence suggested to users of the file; the file itself cuts nothing off. Labels with a "
        "confidence of their own, kept on the Inspect page, use that one. Default: the run's operating point, else "
        "where F1 is highest on validation images.",
        low=0.0,
        high=1.0,
        called="Suggested confidence",
    )
    nms_kind: str = setting(
        PUBLISHED,
        "How NMS removes overlapping boxes; published: as the detector's authors do.",
        choices=(PUBLISHED, *NMS_KINDS),
        titles=(PUBLISHED, *(TITLES[kind] for kind in NMS_KINDS)),
        called="NMS",
    )
    iou: float | None = setting(
        None, "Overlap above which NMS removes the lower of two boxes; auto: as published.", low=0.05, high=0.95,
        called="NMS overlap",
    )  # fmt: skip
    output: str = setting(
        DETECTIONS,
        "What the file returns: detections after top-k and NMS; decoded boxes and scores of every prior; or the "
        "network's raw heads, for your own decoding.",
        choices=(DETECTIONS, DECODED, RAW),
        group=OUTPUT,
    )
    limit: int = setting(300, "The most detections per image, if NMS is in the file.", low=1, high=1000, group=OUTPUT)
    batch: int = setting(
        1, "Images at a time; 0: any number. For files that run by themselves.", low=0, high=256, group=OUTPUT
    )
    size: str = setting(
        "fixed",
        "Whether the input has the trained height and width, or any that the network can take. For files that run by "
        "themselves.",
        choices=("fixed", "dynamic"),
        group=OUTPUT,
    )
    licence: str = setting("", "Licence of the weights, such as CC-BY-4.0; written into the file and its card.")


@dataclass(frozen=True, slots=True)
class Card:
    """Everything that a program needs to run the file, besides the weights: model.json, also inside the file.

    `output` "detections": boxes (n, 4), scores (n,), labels (n,) after NMS, or with `batch` other than 1 boxes
    (B, limit, 4), scores and labels (B, limit), padded with score 0 and label -1. "decoded": boxes (N, 4), scores
    (N, C) of all priors, each with a leading B if `batch` is not 1. "raw": the network's heads. Boxes are xyxy in
    pixels of the network input.
    """

    detector: str
    labels: tuple[str, ...]
    input_px: int
    resize: str  # one of core.resize.FIT_MODES
    score: float  # suggested confidence; the file itself cuts nothing off
    iou: float  # of the NMS inside the file, or after it
    nms_kind: str  # one of core.nms.KINDS
    output: str = DETECTIONS
    limit: int = 300
    batch: int = 1  # 0: any
    size: str = "fixed"
    multiple: int = 32  # in pixels, for a dynamic height and width
    anchors: tuple[tuple[float, float], ...] = ()
    window: tuple[float, float] | None = None  # the values of black and white in images with more than 8 bits
    tiles: int = 0  # side in pixels of the photograph of the tiles in which larger ones are seen too; 0: none
    tile_overlap: float = OVERLAP  # their share of that side, at least
    licence: str = ""  # of the weights
    data: str = ""  # hash of the snapshot of labels, images and boxes that it was trained on
    version: str = ""  # of the program that wrote it
    label_scores: dict[str, float] = field(default_factory=dict)  # for labels with a suggested confidence of their own
    provenance: dict[str, Any] = field(default_factory=dict)

    @property
    def nms(self) -> bool:
        return self.output == DETECTIONS

    @property
    def lone(self) -> bool:
        """Whether its arrays are for one image and lack the batch axis."""
        return self.batch == 1 and self.output != RAW

    @property
    def least(self) -> int:
        """The smallest dynamic side in pixels: torch.export treats a single cell as a constant."""
        return min(2 * self.multiple, self.input_px)

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
            "normalisation": "none beyond the range: what a network subtracts or divides by is inside it",
        }
        own = {"confidence_of_labels": self.label_scores} if self.label_scores else {}
        point = {"confidence": self.score, **own, "nms": self.nms_kind, "iou": self.iou, "most": self.limit}
        about = {"nms": self.nms, "operating_point": point, "preprocessing": preprocessing, "program": "Workbench"}
        record = {"format": 1, **asdict(self), **about}
        return json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False)


@dataclass(frozen=True, eq=False)
class Source:
    """What an exporter writes. `graph` (B, 3, S, S) -> the arrays described by Card; `example`: such an input."""

    detector: Detector
    graph: nn.Module
    example: Any  # (B, 3, S, S) float32 tensor
    card: Card
    metadata: dict[str, str]  # the checkpoint's, to be passed on

    @functools.cached_property
    def program(self) -> ExportedProgram:
        """The graph by torch.export, with the sizes that the card leaves open; made once for all formats."""
        import torch

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.export.export(self.graph, (self.example,), dynamic_shapes=open_sizes(self.card))


def open_sizes(card: Card) -> tuple[dict[int, Any]] | None:
    """Which sizes of the input are left open, in torch.export's form."""
    from torch.export import Dim

    sizes: dict[int, Any] = {} if card.batch else {0: Dim("batch", min=1, max=MOST_IMAGES)}
    if card.size == "dynamic":
        least, most = card.least // card.multiple, max(LARGEST, card.input_px) // card.multiple
        for axis, name in ((2, "rows"), (3, "columns")):
            sizes[axis] = card.multiple * Dim(name, min=least, max=most)
    return (sizes,) if sizes else None


class Unsuitable(WorkbenchError):
    """This format can't contain this detector; others can."""


class Exporter(Protocol):
    """One file format.

    A file is read back in one of three ways; the first that a format has counts. `runtime`, a key of
    runtime_child.OPENERS: its own library opens the file in a process of its own. `fill(file, detector)` puts the
    weights of a file that can't run by itself into a detector. `opened(file)` returns the file as a Run, as anybody
    would run it.

    Optional: `flexible`, True if it heeds Card.batch and Card.size; otherwise it gets those of one image of the trained
    size. `beside(source)`: further texts by file name. `unfit(kind)`: why it can't hold any detector of this class, ""
    if it can; the Export page does not offer it then.
    """

    title: ClassVar[str]  # as people write it
    summary: ClassVar[str]  # one sentence for the picker
    file: ClassVar[str]  # name of the file
    needs: ClassVar[tuple[str, ...]]  # packages beyond those that the program itself needs

    def write(self, source: Source, file: Path) -> str:
        """Write the file; returns a remark for the user or an empty text.

        Raises Unsuitable if the format can't contain this detector. May raise anything: export() explains it.
        """
        ...

    def code(self, card: Card) -> str:
        """About ten lines of Python that use the file without this program."""
        ...


def _settle(name: str, kind: type[Exporter]) -> str:
    """What is wrong with it, which might otherwise show only after a training, or ''."""
    if fault := missing_attributes(kind, ("title", "summary", "file"), ("needs",), ("write", "code")):
        return fault
    if getattr(kind, "runtime", "") or any(callable(getattr(kind, name, None)) for name in ("fill", "opened")):
        return ""
    return f"{class_text(kind)} has no `runtime`, `fill()` or `opened()`, by one of which its file is read back"


exporters: Registry[type[Exporter]] = Registry("export format", _settle)
register = exporters.register


def load_all() -> Registry[type[Exporter]]:
    """Import every module of this package and return the registry."""
    with exporters.owned_by(OWN):  # also if it is a plugin that asks for them first
        for module in pkgutil.iter_modules(__path__):
            importlib.import_module(f"{__name__}.{module.name}")
    return exporters


def unfit(member: type[Exporter], kind: type[Detector]) -> str:
    """Why this format can't contain detectors of this class; "" if nothing is known before trying."""
    says = getattr(member, "unfit", None)
    return str(says(kind)) if says is not None else ""


def is_runnable(member: Exporter) -> bool:
    """Whether its file takes images by itself; others contain only the weights."""
    kind = getattr(member, "runtime", "")
    return kind in RUNNING if kind else not hasattr(member, "fill")


def outputs_of(card: Card) -> tuple[str, ...]:
    """The names of a file's outputs; for raw heads they depend on the network."""
    return {DETECTIONS: ("boxes", "scores", "labels"), DECODED: ("boxes", "scores")}.get(card.output, ())


def picture_code(card: Card, imports: str) -> str:
    """The lines from a photograph to `tensor`, shared by all files that can run; exactly as in the program."""
    head = f"""import json
import pathlib
import sys

import cv2
import numpy as np
{imports}

if len(sys.argv) < 2 or not pathlib.Path(sys.argv[1]).is_file():
    sys.exit("Say which photograph: python example.py PHOTO")
here = pathlib.Path(__file__).parent
about = json.loads((here / "model.json").read_text("utf-8"))
data = np.fromfile(sys.argv[1], np.uint8)
image = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
if image is None:
    sys.exit("OpenCV does not read this file as a photograph.")
image = image[:, :, ::-1]  # upright, RGB
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
    several = f"tensor = np.repeat(tensor, {card.batch}, axis=0)  # the file takes as many at a time\n"
    return (
        head
        + fit
        + "tensor = np.ascontiguousarray(square.transpose(2, 0, 1)[None], np.float32) / 255\n"
        + (several if card.batch > 1 else "")
    )


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
    """The lines from `found`, the file's outputs, to printed detections; for raw heads their shapes."""
    if card.output == RAW:
        return "for head in found:  # for your own decoding, with model.json's anchors\n    print(head.shape)\n"
    one = "found" if card.lone else "(array[0] for array in found)  # of the first image"
    nms = "" if card.nms else DIOU_CODE if card.nms_kind in DIOU_POWERS else NMS_CODE
    if card.nms_kind == "across labels":
        nms = nms.replace("labels.tolist()", "[0] * len(labels)")
    code = (
        f"{', '.join(outputs_of(card))} = {one}\n"
        + nms
        + """boxes = np.clip((boxes - pad) / scale, 0, [width, height, width, height])  # pixels of the photograph
for box, score, label in zip(boxes, scores, labels):
    if score >= about["score"] and label >= 0 and (box[2:] > box[:2]).all():  # others lie outside of it
        print(about["labels"][label], round(float(score), 4), [round(float(side), 2) for side in box])
"""
    )
    return _by_label(code) if card.label_scores else code


def _by_label(code: str) -> str:
    """The same lines if some labels have a confidence of their own."""
    code = code.replace('score >= about["score"] and label >= 0', "label >= 0 and score >= least[label]")
    code = code.replace("labels, scores = scores.argmax(1)", ENOUGH_CODE + "labels, scores = scores.argmax(1)")
    return OWN_CODE + code.replace('about["score"]', "min(least)")


OWN_CODE = """own = about["label_scores"]
least = [own.get(name, about["score"]) for name in about["labels"]]  # confidence of each label
"""
ENOUGH_CODE = """scores = np.where(scores >= least, scores, 0)  # others remove nothing
"""
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
