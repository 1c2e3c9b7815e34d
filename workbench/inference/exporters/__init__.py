"""File formats of a trained detector, one per module: the list of them, and what each must implement.

To add one: a module here (or a plugin file) with an `Exporter`, registered by `@exporters.register("name")`. It then
appears on the Export page, the command line and in tests/contract/test_each_exporter.py. No module here
imports torch before it writes, so that the window can show the list at once.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import json
import pkgutil
import textwrap
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
from workbench.inference.exporting import example_lines as lines
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
        deep = "from `window`" if self.window else "of 16 bits from their full range, floats from the image's own"
        cv2s, darknets = "bilinear without antialiasing (cv2.INTER_LINEAR)", "bilinear, corner pixels kept"
        preprocessing = {
            "colour": "RGB, transparency blended over white",
            "range": "0..1 (divide by 255)",
            "layout": f"{self.batch or 'B'}x3xHxW float32",
            "resize": self.resize,
            "interpolation": darknets if self.by_corners else cv2s,
            "padding": None if self.stretched else 128,
            "more_than_8_bits": f"{deep}: scaled to 0..255, clipped and rounded",
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


def missing_packages(member: Exporter | type[Exporter]) -> tuple[str, ...]:
    """The packages that this format needs and that are not installed."""
    return tuple(name for name in member.needs if importlib.util.find_spec(name) is None)


def is_runnable(member: Exporter) -> bool:
    """Whether its file takes images by itself; others contain only the weights."""
    kind = getattr(member, "runtime", "")
    return kind in RUNNING if kind else not hasattr(member, "fill")


def outputs_of(card: Card) -> tuple[str, ...]:
    """The names of a file's outputs; for raw heads they depend on the network."""
    return {DETECTIONS: ("boxes", "scores", "labels"), DECODED: ("boxes", "scores")}.get(card.output, ())


def example_code(card: Card, imports: str, opening: str, running: str) -> str:
    """The body of example.py for a file that takes images: from a photograph to what the program finds in it.

    `opening`: the lines that open the file; `running`: those from `tensor`, the network's input, to `found`, the file's
    outputs. Of a network that learnt from tiles, larger photographs are seen in these, too.
    """
    if not card.tiles or card.output == RAW:
        return picture_code(card, imports) + opening + running + result_code(card)
    find = _fitting(card) + running + _found(card, least="least / 2") + (lines.HALF_ENOUGH if card.nms else "")
    function = lines.FIND + textwrap.indent(find + lines.RETURN, "    ")
    return _reading(card, imports) + opening + lines.LEAST + function + lines.TILES + _nms(card) + lines.PRINT


def torch_code(card: Card, opening: str) -> str:
    """The same for a file that PyTorch opens, by the lines `opening`, as `model`."""
    modules = "import torch" if card.output == RAW else "import torch\nimport torchvision  # holds the NMS operation"
    running = "with torch.no_grad():\n    found = [array.numpy() for array in model(torch.from_numpy(tensor))]\n"
    return example_code(card, modules, opening, running)


def picture_code(card: Card, imports: str) -> str:
    """The lines from a photograph to `tensor`, exactly as in the program, which is given the whole photograph."""
    return _reading(card, imports) + _fitting(card)


def result_code(card: Card) -> str:
    """The lines from `found`, the file's outputs, to printed detections; for raw heads their shapes."""
    if card.output == RAW:
        return lines.HEADS
    return lines.LEAST + _found(card) + ("" if card.nms else _nms(card)) + lines.PRINT


def _reading(card: Card, imports: str) -> str:
    """From the photograph's path to `image`."""
    modules = f"import json\nimport pathlib\nimport sys\n\nimport cv2\nimport numpy as np\n{imports}\n"
    image = lines.IMAGE_IN_WINDOW if card.window else lines.IMAGE
    resize = lines.BY_CORNERS if card.by_corners else "resize = cv2.resize\n"
    return modules + lines.START + image + 'side = about["input_px"]\n' + resize


def _fitting(card: Card) -> str:
    """From `image` to `tensor`."""
    size = "height, width = image.shape[:2]\n"
    tensor = "tensor = np.ascontiguousarray(square.transpose(2, 0, 1)[None], np.float32) / 255\n"
    several = f"tensor = np.repeat(tensor, {card.batch}, axis=0)  # the file takes as many at a time\n"
    return size + (lines.STRETCH if card.stretched else lines.LETTERBOX) + tensor + (several if card.batch > 1 else "")


def _found(card: Card, least: str = "least") -> str:
    """From `found` to boxes in pixels of `image`, scores and labels; decoded ones of at least `least`, before NMS."""
    one = "found" if card.lone else "(array[0] for array in found)  # of the first image"
    pairs = "" if card.nms else lines.PAIRS.replace("least", least)
    return f"{', '.join(outputs_of(card))} = {one}\n" + lines.BACK + pairs


def _nms(card: Card) -> str:
    if card.nms_kind in DIOU_POWERS:
        return lines.NMS_DIOU
    return lines.NMS_ACROSS if card.nms_kind == "across labels" else lines.NMS
