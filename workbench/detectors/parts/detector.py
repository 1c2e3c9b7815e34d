"""The base class of every detector and the tensors it exchanges: targets in, raw outputs and candidates out.

B = images in the batch, M = most boxes of one image, N = candidates of one image, C = labels, L = output levels.
Boxes are xyxy in pixels of the network input.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, cast

import torch
from torch import Tensor, nn

from workbench.core.nms import NmsKind
from workbench.core.resize import FitMode
from workbench.detectors import AnchorNeed, DetectorSettings
from workbench.detectors.parts.explained import Explained
from workbench.errors import WorkbenchError

Raw = tuple[Tensor, ...]


@dataclass(frozen=True)
class Targets:
    """The boxes of a batch, padded to M. A row with labels == -1 is padding.

    `ignore` marks boxes (crowd regions, optionally difficult ones) whose area must be neither object nor background.
    `pictures` uses the numbers of the settings' pictures(); given only to detectors that have some.
    """

    boxes: Tensor  # (B, M, 4) float32, xyxy pixels of the network input
    labels: Tensor  # (B, M) int64
    ignore: Tensor  # (B, M) bool
    pictures: Tensor | None = None  # (B,) int64: what a picture without boxes shows, -1 for images with boxes

    def only(self, images: slice) -> Targets:
        """The targets of some of the images."""
        pictures = None if self.pictures is None else self.pictures[images]
        return Targets(self.boxes[images], self.labels[images], self.ignore[images], pictures)

    def to(self, device: torch.device | str) -> Targets:
        boxes, labels, ignore = (t.to(device) for t in (self.boxes, self.labels, self.ignore))
        pictures = None if self.pictures is None else self.pictures.to(device)
        return Targets(boxes, labels, ignore, pictures)


@dataclass(frozen=True)
class Candidates:
    """Decoded predictions before NMS: every (box, label) pair has a score in 0..1."""

    boxes: Tensor  # (B, N, 4) xyxy pixels of the network input, x0 <= x1 and y0 <= y1; (B, N, C, 4): a box per label
    scores: Tensor  # (B, N, C)

    def best(self, most: int) -> tuple[Tensor, Tensor, Tensor]:
        """Up to `most` pairs of each image with the highest scores, highest first.

        boxes (B, k, 4), scores (B, k), labels (B, k).
        """
        labels = self.scores.shape[2]
        scores, pair = self.scores.flatten(1).topk(min(most, self.scores.shape[1] * labels), dim=1)
        boxes, row = (self.boxes, pair // labels) if self.boxes.ndim == 3 else (self.boxes.flatten(1, 2), pair)
        return boxes.gather(1, row[..., None].expand(-1, -1, 4)), scores, pair % labels


@dataclass(frozen=True)
class Assignment:
    """Which prior answers for which box, by the detector's own rules: one row per positive."""

    image: Tensor  # (P,) int64
    level: Tensor  # (P,)
    row: Tensor  # (P,) cell row
    column: Tensor  # (P,)
    anchor: Tensor  # (P,) index within the level
    target: Tensor  # (P,) index into the image's boxes


@dataclass(frozen=True)
class LabelRows:
    """Which rows of an output layer belong to which label, so that weights can go over to other labels.

    There are `groups` times (`before` rows for no label in particular, then one row per label), each row `repeat`
    times; and `after` more rows at the end that belong to no label.
    """

    groups: int
    before: int = 0
    repeat: int = 1
    after: int = 0

    def count(self, labels: int) -> int:
        return self.groups * (self.before + labels) * self.repeat + self.after


@dataclass(frozen=True)
class Pretrained:
    """Published weights that a detector can start from. A person has the file, or lets it be downloaded."""

    url: str  # its name ends in the first eight digits of its SHA-256, before the suffix
    megabytes: float
    source: str
    licence: str
    labels: tuple[str, ...]  # in the order of the output layers' rows
    prefix: str = ""  # comes before the file's names to give the detector's
    norm_eps: float | None = None  # what the file's batch norms add to their variances, if it isn't what ours add


class Head(Protocol):
    """The part after the last convolution: a detector's rules, where several detectors share them."""

    def loss(self, raw: Raw, targets: Targets) -> dict[str, Tensor]: ...

    def candidates(self, raw: Raw) -> Candidates: ...

    def assignment(self, targets: Targets, size: tuple[int, int]) -> Assignment: ...

    def explained(self, raw: Raw | None, targets: Targets, size: tuple[int, int]) -> Explained: ...

    @property
    def need(self) -> AnchorNeed | None: ...

    @property
    def rows(self) -> tuple[LabelRows, ...]:
        """The rows of each of the detector's `outs`."""
        ...


class Detector(nn.Module):
    """An architecture with its own loss, target assignment and decoding.

    Subclasses set the class attributes, define forward(), and either set `head` or define the six methods that are
    delegated to it here. forward() and candidates() are exported, so their control flow must not depend on data.
    __init__() also runs under torch.device("meta"), without values, where only the network's size is needed.
    """

    name: ClassVar[str]  # set by register()
    title: ClassVar[str]  # as people write it: "YOLOv4-tiny"
    paper: ClassVar[str]  # authors, title, year, arXiv number
    summary: ClassVar[str]  # one sentence for the picker: what it is good for
    settings_class: ClassVar[type[DetectorSettings]]
    published_anchors: ClassVar[tuple[tuple[float, float], ...]] = ()  # (w, h) px at `published_px`
    published_px: ClassVar[int] = 416
    published: ClassVar[Mapping[str, Any]] = {}  # how its authors trained it: settings of its own and of the training
    published_start: ClassVar[Mapping[str, Any]] = {}  # more of these, for runs that start from weights as theirs did
    published_resize: ClassVar[FitMode] = (
        "stretch"  # how an image becomes the square input, unless settings say otherwise
    )
    published_nms: tuple[NmsKind, float] = ("per label", 0.45)  # its authors' kind of NMS and IoU threshold
    fixed_size: ClassVar[bool] = False  # whether it accepts only images of input_px, because of fully connected layers
    one_per_cell: ClassVar[bool] = False  # whether a cell learns only one of its boxes
    darknet: ClassVar[bool] = False  # whether it is a Darknet network, whose .weights it reads and writes
    multiple: ClassVar[int] = 32  # what the input side must be a multiple of
    pretrained: ClassVar[Pretrained | None] = None
    shared_divisor: ClassVar[bool] = False  # whether the loss is divided by the positives of all images together
    loss_per_positive: ClassVar[bool] = False  # whether an image's loss is a mean over its positives, not their sum
    judged_by: ClassVar[tuple[str, ...]] = ()  # terms of the loss by which images are compared; none: by all
    smallest_px: float = 0.0  # side of a square: of a smaller box its own anchors learn next to nothing; 0: it has none
    smaller_by: ClassVar[str] = "a larger input side"  # what makes that smaller beside the boxes
    largest_px: float = math.inf  # side of a square: of a larger box its own anchors learn next to nothing
    larger_by: ClassVar[str] = ""  # what makes that larger beside the boxes, if it is finite
    samples: ClassVar[bool] = False  # whether the loss looks at a random part of its boxes, each time another
    remarks: tuple[str, ...] = ()  # sentences for whoever begins to train it
    outs: ClassVar[tuple[str, ...]]  # names of the output layers, each with a weight, as in label_rows()
    backbone_parts: ClassVar[tuple[str, ...]] = ()  # submodules that can be frozen: what general weights contain
    head: Head

    def __init__(
        self, settings: DetectorSettings, labels: int, anchors: tuple[tuple[float, float], ...] | None = None
    ) -> None:
        """`anchors`: (w, h) in network pixels, in any order and number (how they spread over levels: `anchor_need`).

        None: the published ones, multiplied by input_px / published_px, so that they stay the same share of the image.
        Darknet never does that; to use a Darknet file at another size, pass `published_anchors` themselves.
        Raises WorkbenchError for an input side that is not a multiple of `multiple` and for anchors not above 0.
        """
        super().__init__()
        if settings.input_px % self.multiple:
            near = max(self.multiple, round(settings.input_px / self.multiple) * self.multiple)
            raise WorkbenchError(
                f"The input side must be a multiple of {self.multiple}, not {settings.input_px}. Try {near}."
            )
        if anchors is None:
            factor = settings.input_px / self.published_px
            anchors = tuple((w * factor, h * factor) for w, h in self.published_anchors)
        if not all(0 < side < math.inf for size in anchors for side in size):
            raise WorkbenchError("The sides of an anchor must be positive. Compute the anchors again.")
        self.settings = settings
        self.resize = self.chosen_resize(settings)
        self.side_multiple = self.chosen_multiple(settings)
        self.label_count = labels
        self.anchors = tuple(sorted(anchors, key=lambda size: size[0] * size[1]))  # by ascending area, as masks expect

    @classmethod
    def chosen_resize(cls, settings: DetectorSettings) -> FitMode:
        """How images become the square input."""
        return cast(FitMode, settings.resize) if settings.resize else cls.published_resize

    @classmethod
    def chosen_multiple(cls, settings: DetectorSettings) -> int:
        """What the sides must be multiples of by which a training varies the input: mostly `multiple`."""
        return cls.multiple

    def forward(self, images: Tensor) -> Raw:
        """images (B, 3, H, W) float RGB 0..1 -> the heads' raw outputs, one tensor per level."""
        raise NotImplementedError

    def loss(self, raw: Raw, targets: Targets) -> dict[str, Tensor]:
        """Named terms, each a scalar averaged over images (not over cells); their sum is minimised.

        "box" and "label" are among them. It makes the `explained.Roles` that explained() shows. Detectors with
        `shared_divisor` divide by the positives of the whole batch instead, as their authors do.
        """
        return self.head.loss(raw, targets)

    def candidates(self, raw: Raw) -> Candidates:
        """Decode every prior of every level."""
        return self.head.candidates(raw)

    def assignment(self, targets: Targets, size: tuple[int, int]) -> Assignment:
        """The positives for `targets` at network input `size` (H, W)."""
        return self.head.assignment(targets, size)

    def positives(self, targets: Targets, size: tuple[int, int]) -> Tensor:
        """() the number of rows of assignment(), on the targets' device. Asked of detectors with `shared_divisor`.

        Such detectors define it (or their heads do): that of assignment(), as here, lies on the processor, so each
        training step would wait for the graphics card, and the contract's tests refuse that.
        """
        count = getattr(getattr(self, "head", None), "positives", None)
        if count is None:
            return torch.full((), len(self.assignment(targets, size).image), device=targets.boxes.device)
        return cast(Tensor, count(targets))

    def explained(self, raw: Raw | None, targets: Targets, size: tuple[int, int]) -> Explained:
        """What the loss makes of every prior at network input `size` (H, W), computed by the loss's own code.

        `raw`: what forward() returned for these images; without it, only what does not depend on outputs is known. Call
        it without gradients. WorkbenchError if a plugin's detector lacks it.
        """
        tell = getattr(getattr(self, "head", None), "explained", None)
        if tell is None:
            raise WorkbenchError(f"{self.title} does not tell how its loss treats each cell, anchor or point.")
        found: Explained = tell(raw, targets, size)
        return found

    @property
    def anchor_need(self) -> AnchorNeed | None:
        """How many anchors it takes and which level uses which; None for detectors without anchors, or without a head
        and this property of their own.
        """
        return self.head.need if hasattr(self, "head") else None

    def label_rows(self) -> dict[str, LabelRows]:
        """Which rows of the output layers (by name) belong to which label, for loading weights with other labels."""
        return dict(zip(self.outs, self.head.rows, strict=True))

    @property
    def later_multiply_adds(self) -> int:
        """Multiplications in candidates() for one image, if a second network works there."""
        return 0

    def weigh_labels(self, weights: Tensor) -> None:
        """Make a box of label i count weights[i] > 0 times as much. (C,), kept in buffers called label_weights."""
        for buffer in self._label_weights():
            buffer.copy_(weights)

    @property
    def weighs_labels(self) -> bool:
        """Whether weigh_labels() has an effect."""
        return bool(self._label_weights())

    def _label_weights(self) -> list[Tensor]:
        return [buffer for name, buffer in self.named_buffers() if name.rpartition(".")[2] == "label_weights"]
