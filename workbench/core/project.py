"""The basic values of a project, all frozen: label, image, box, state, split, and a snapshot of everything.

A box is xyxy, float, in pixels of the upright original image, origin top left, half-open: a box that
covers the whole of a 640 x 480 image is (0, 0, 640, 480).
"""

from __future__ import annotations

import colorsys
import dataclasses
import hashlib
import json
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from workbench.core.decoding.intensity_window import IntensityWindow

if TYPE_CHECKING:  # image names are listed before NumPy is needed
    import numpy as np

XYXY = tuple[float, float, float, float]
AUTOSYNC = "autosync"
"""The project setting that names the format kept beside the images (exchange/autosync.py), if any."""
FIRST_RECIPE = "first recipe"
"""The project setting that names the recipe for its first training, if one was made for it."""


class State(StrEnum):
    """How far the labelling of an image is. *Done* without boxes is a negative example; *unlabelled* is not."""

    UNLABELLED = "unlabelled"
    IN_WORK = "in work"
    DONE = "done"
    VERIFIED = "verified"


FINISHED = (State.DONE, State.VERIFIED)
"""The states of completely labelled images."""


class Split(StrEnum):
    """Which part of the data an image belongs to. Sticky: an image keeps its split until a person changes it."""

    NONE = "none"
    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"

    @property
    def words(self) -> str:
        """Within a sentence."""
        return "no split" if self is Split.NONE else self.value


@dataclass(frozen=True, slots=True)
class Label:
    """A class of objects. `id` is permanent and never reused; `position` is its index on export."""

    id: int
    name: str
    colour: str = "#0072b2"
    key: str = ""
    position: int = 0


class FormerName(NamedTuple):
    """A name by which networks may know a label besides its present one, `now`; see former_names.py.

    `label` is its id if the name alone means another one: then only a network that knows the id means this one.
    """

    name: str
    now: str
    label: int = 0


@dataclass(frozen=True, slots=True)
class Image:
    """One picture. `path` is posix and relative to the folder `root` (an id in the store's root table).

    `width` and `height` are of the upright image; `orientation` is the EXIF value (1..8) that made it upright.
    0 x 0 means that the header has not been read yet, or could not be: `problem` then says why. `date` in seconds since
    1970: when it was taken according to its header, else when its file was last changed; 0: not known yet.
    """

    id: int
    path: str
    width: int = 0
    height: int = 0
    state: State = State.UNLABELLED
    split: Split = Split.NONE
    orientation: int = 1
    root: int = 1
    note: str = ""
    problem: str = ""
    date: float = 0.0

    @property
    def name(self) -> str:
        return self.path.rsplit("/", 1)[-1]


@dataclass(frozen=True, slots=True)
class Box:
    """A labelled rectangle of one image. `crowd` marks a region whose objects are not told apart (COCO iscrowd).

    `extra` is a JSON object with values of a foreign format for which this class has no field.
    """

    id: int
    image: int
    label: int
    xyxy: XYXY
    difficult: bool = False
    truncated: bool = False
    occluded: bool = False
    crowd: bool = False
    note: str = ""
    extra: str = ""

    def with_ids(self, id: int, image: int, label: int) -> Box:
        """As dataclasses.replace, in half the time: an import has hundreds of thousands."""
        return Box(
            id, image, label, self.xyxy, self.difficult, self.truncated, self.occluded, self.crowd, self.note,
            self.extra,
        )  # fmt: skip

    @property
    def width(self) -> float:
        return self.xyxy[2] - self.xyxy[0]

    @property
    def height(self) -> float:
        return self.xyxy[3] - self.xyxy[1]


FLAGS = ("difficult", "truncated", "occluded", "crowd")


@dataclass(frozen=True, eq=False)
class Snapshot:
    """A frozen copy of labels, images and boxes, for clustering, training, evaluation and export.

    n images, m boxes. Boxes of image i are rows offsets[i]:offsets[i+1]. `label_index` points into `labels`
    (which are in export order), not at label ids. `files` are absolute.
    """

    labels: tuple[Label, ...]
    images: tuple[Image, ...]
    files: tuple[Path, ...]
    offsets: np.ndarray  # (n + 1,) int64
    boxes: np.ndarray  # (m, 4) float64, xyxy pixels of the upright original
    label_index: np.ndarray  # (m,) int64
    flags: np.ndarray  # (m, 4) bool, columns as FLAGS
    box_ids: np.ndarray  # (m,) int64
    notes: tuple[tuple[str, str], ...] = ()  # (m,) of (note, extra), or empty when no box has any
    window: IntensityWindow | None = None  # how images of more than 8 bits are read
    former_names: tuple[FormerName, ...] = ()
    places: tuple[tuple[int, int, int, int] | None, ...] = ()  # (n,) the part of its file that each image is, xyxy
    # (None: all of it), or empty if no file was cut; see snapshot_views.py

    def __len__(self) -> int:
        return len(self.images)

    def place(self, index: int) -> tuple[int, int, int, int] | None:
        """The part of its file that image `index` is; None: all of it."""
        return self.places[index] if self.places else None

    def rows(self, index: int) -> slice:
        """The rows of image `index` in boxes, label_index, flags and box_ids."""
        return slice(int(self.offsets[index]), int(self.offsets[index + 1]))

    @property
    def crowd(self) -> np.ndarray:
        return self.flags[:, 3]

    @property
    def difficult(self) -> np.ndarray:
        return self.flags[:, 0]

    def only(self, *, splits: Collection[Split] | None = None, states: Collection[State] | None = None) -> Snapshot:
        """The images with these splits and states (None: any), with their boxes; all labels are kept."""
        return self.take(
            [
                i
                for i, image in enumerate(self.images)
                if (splits is None or image.split in splits) and (states is None or image.state in states)
            ]
        )

    def take(self, indices: list[int]) -> Snapshot:
        """The images at `indices`, in that order, with their boxes."""
        import numpy as np

        spans = [np.arange(self.offsets[i], self.offsets[i + 1]) for i in indices]
        rows = np.concatenate(spans) if spans else np.zeros(0, np.int64)
        counts = np.array([len(span) for span in spans], np.int64)
        return dataclasses.replace(
            self,
            images=tuple(self.images[i] for i in indices),
            files=tuple(self.files[i] for i in indices),
            places=tuple(self.places[i] for i in indices) if self.places else (),
            offsets=np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)]),
            boxes=self.boxes[rows],
            label_index=self.label_index[rows],
            flags=self.flags[rows],
            box_ids=self.box_ids[rows],
            notes=tuple(self.notes[int(r)] for r in rows) if self.notes else (),
        )

    @property
    def digest(self) -> str:
        """SHA-256 over images, splits, states, boxes and labels: identifies this data in a run's record.

        Of labels only the ids: under another name the same boxes are learnt.
        """
        names = [(i.path, i.width, i.height, i.state, i.split) for i in self.images]
        text = json.dumps([label.id for label in self.labels]) + json.dumps(names)
        digest = hashlib.sha256(text.encode())
        for array in (self.offsets, self.boxes, self.label_index, self.flags):
            digest.update(array.tobytes())  # in row order, whatever its memory layout
        if self.window is not None:
            digest.update(repr(self.window).encode())
        if self.places:
            digest.update(repr(self.places).encode())
        return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class AnchorSet:
    """Anchors kept with a project: (w, h) in pixels of a square network input of side `input_px`, sorted by area."""

    sizes: tuple[tuple[float, float], ...]
    input_px: int
    resize: str = "stretch"
    mean_iou: float = 0.0
    recall: float = 0.0
    source: str = ""  # how they came about, for the run's record
    tiles: int = 0  # side of the tiles in which large images were seen, in their pixels; 0: none

    def made_for(self, px: int = 0) -> str:
        """How many, and for which input side; and whether scaled to `px`, that of a training (0: not known)."""
        scaled = f", scaled to {px:,}" if px and px != self.input_px else ""
        tiles = f" in tiles of {self.tiles:,} px" if self.tiles else ""
        return f"{len(self.sizes):,}, made for {self.input_px:,} px{tiles}{scaled}"

    def other_tiles(self, tiles: int) -> str:
        """For a training in tiles of that side (0: none), unless these were made for it; "" also if they were for no
        tiles, as sizes of any origin say that. No full stop.
        """
        if self.tiles in (0, tiles):
            return ""
        seen = f"in tiles of {tiles:,} px" if tiles else "only as a whole"
        return f"They were made for tiles of {self.tiles:,} px, but this training sees photographs {seen}"

    def to_setting(self) -> dict[str, Any]:
        """The form that edits.ChangeSetting("anchors", ...) stores and Document.anchors() reads."""
        return {**dataclasses.asdict(self), "sizes": [list(pair) for pair in self.sizes]}


# Okabe and Ito's colour-blind-safe set without black, then darker and lighter variants.
LABEL_COLOURS = (
    *("#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7", "#b3b3b3"),
    *("#a6761d", "#7fc97f", "#beaed4", "#fdc086", "#386cb0", "#f0027f", "#66a61e", "#1b9e77"),
)


_HUE_STEP, _SHADES = 0.7548777, (0.5, 0.65, 0.35)
"""Of some that were tried, those that leave the first eighty colours, as many as COCO has, farthest apart."""


def rgb(colour: str) -> tuple[int, int, int]:
    """ "#0072b2" as three bytes."""
    red, green, blue = bytes.fromhex(colour[1:])
    return red, green, blue


def colour_for(number: int) -> str:
    """The colour of the label with this permanent id (1, 2, ...): after the set above hues between, in three shades."""
    further = number - len(LABEL_COLOURS)
    if further <= 0:
        return LABEL_COLOURS[number - 1]
    hue, shade = further * _HUE_STEP % 1, _SHADES[further % len(_SHADES)]
    return "#" + "".join(f"{round(255 * part):02x}" for part in colorsys.hls_to_rgb(hue, shade, 0.75))
