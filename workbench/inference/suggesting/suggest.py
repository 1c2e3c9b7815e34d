"""What a trained network would label: its detections in an image, without those already labelled."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from workbench.core import boxes as geometry
from workbench.core.decoding.intensity_window import IntensityWindow
from workbench.core.detections import Candidates, NmsKind
from workbench.core.files import stamp
from workbench.core.project import XYXY, Box, Label
from workbench.errors import WorkbenchError
from workbench.training.checkpoints.header import trained_labels

if TYPE_CHECKING:
    from workbench.inference.predict import Predictor
    from workbench.inference.suggesting.onnx_model import OnnxModel

KEPT = 64  # images whose candidates are remembered
SAME = 0.5  # IoU with a box of the same label from which an object counts as labelled
MOST = 100  # the most suggestions for an image at a time: nobody checks more
_AT_ONCE = 256  # detections compared with all boxes of the image at a time
NOTHING: Mapping[str, int] = {}


@dataclass(frozen=True, slots=True)
class SuggestionRequest:
    """Run the network of `checkpoint`, which may be one of our ONNX files, on `file`, the image with this id."""

    checkpoint: Path
    image: int
    file: Path
    window: IntensityWindow | None = None


@dataclass(frozen=True, slots=True, eq=False)
class SuggestionResult:
    """The network's detections in an image. `labels`: the network's names; `iou` and `kind`: its authors' NMS.

    `trained`: its labels with the ids of the project that it was trained in, if it was.
    """

    request: SuggestionRequest
    candidates: Candidates
    labels: tuple[str, ...]
    iou: float
    kind: NmsKind
    trained: tuple[Label, ...] = ()


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A suggested box; `label`: id in the project."""

    xyxy: XYXY
    label: int
    score: float


class SuggestionWorker:
    """Answers a SuggestionRequest; keeps the network and its latest results. For one thread at a time.

    WorkbenchError if the checkpoint or the image can't be read.
    """

    def __init__(self) -> None:
        self._open: tuple[tuple[Path, object], Predictor | OnnxModel, tuple[NmsKind, float], tuple[Label, ...]] | None
        self._open = None
        self._known: OrderedDict[object, SuggestionResult] = OrderedDict()

    def __call__(self, request: SuggestionRequest) -> SuggestionResult:
        written = _stamp(request.checkpoint)
        key = request, written, _stamp(request.file)
        found = self._known.pop(key, None) or self._look(request, written)
        self._known[key] = found  # latest last
        while len(self._known) > KEPT:
            self._known.popitem(last=False)
        return found

    def _look(self, request: SuggestionRequest, written: object) -> SuggestionResult:
        from workbench.core import images

        if self._open is None or self._open[0] != (request.checkpoint, written):
            self.close()
            self._open = (request.checkpoint, written), *_opened(request.checkpoint)
        _, network, (kind, iou), trained = self._open
        picture = images.read(request.file, network.window or request.window)
        try:
            (candidates,) = network.candidates([picture])
        except WorkbenchError:
            self.close()  # its process may have ended and would fail from now on
            raise
        candidates.select(1.0, iou, kind)  # so that NMS is done here and not in the window's thread
        return SuggestionResult(request, candidates, network.labels, iou, kind, trained)

    def close(self) -> None:
        """Release the network; the next request opens it again."""
        if self._open is not None and hasattr(self._open[1], "close"):
            self._open[1].close()
        self._open = None


def _opened(file: Path) -> tuple[Predictor | OnnxModel, tuple[NmsKind, float], tuple[Label, ...]]:
    """The network, its authors' NMS, and its labels if they have a project's ids."""
    if file.suffix == ".onnx":
        from workbench.inference.suggesting.onnx_model import OnnxModel

        model = OnnxModel(file)
        return model, model.published_nms, ()
    from workbench.inference.predict import Predictor

    predictor = Predictor.open(file, cpu_fallback=True)
    trained = trained_labels(predictor.header) if predictor.header is not None else ()
    return predictor, predictor.detector.published_nms, trained


def _stamp(file: Path) -> object:
    try:
        return stamp(file)
    except OSError as error:
        raise WorkbenchError(f"{file} no longer exists: {error.strerror}. Choose another run.", error) from error


def suggestions(
    found: SuggestionResult,
    labels: Sequence[Label],
    boxes: Sequence[Box],
    confidence: float,
    decided: Mapping[str, int] = NOTHING,
    overlap: float = SAME,
) -> tuple[Suggestion, ...]:
    """Detections of labels that the project has (see `match_labels`) and that `boxes` lacks, the most confident first.

    At most MOST of them, whatever the number of detections: of a photograph in tiles there may be ten thousand. One
    that overlaps a more confident one of its label by `overlap`, the IoU kept with the run, is left out: the authors'
    NMS lets through some that would be no suggestion any more once the other was taken.
    """
    ids = np.array(match_labels(found.labels, labels, decided) or [0])
    detected = found.candidates.detections(confidence, found.iou, found.kind)
    places, label = detected.boxes.astype(np.float64), ids[detected.labels]
    chosen = _chosen(places, label, boxes, min(overlap, SAME))
    return tuple(
        Suggestion(tuple(detected.boxes[row].tolist()), int(label[row]), float(detected.scores[row]))  # type: ignore[arg-type]
        for row in chosen
    )


def _chosen(
    places: NDArray[np.float64], labels: NDArray[np.int64], boxes: Sequence[Box], overlap: float
) -> list[int]:  # fmt: skip
    """Rows of these detections (n, 4), most confident first: the first MOST that are not labelled and overlap no more
    confident one of their label, be it labelled or not. `labels`: (n,) ids, 0 for none of the project's.
    """
    ours = np.array([box.xyxy for box in boxes], float).reshape(-1, 4), np.array([box.label for box in boxes], np.int64)
    kept, chosen = np.zeros(0, np.int64), list[int]()  # `kept`: what overlaps no more confident one
    rows = np.flatnonzero(labels)
    for some in np.split(rows, range(_AT_ONCE, len(rows), _AT_ONCE)):
        own = places[some], labels[some]
        stays: NDArray[np.bool_] = ~np.asarray(_overlaps(*own, places[kept], labels[kept], overlap).any(axis=1))
        near = _overlaps(*own, *own, overlap)
        for at in range(1, len(some)):
            stays[at] &= not (near[at, :at] & stays[:at]).any()
        kept = np.concatenate([kept, some[stays]])
        chosen += some[stays & ~_overlaps(*own, *ours, SAME).any(axis=1)].tolist()
        if len(chosen) >= MOST:
            break
    return chosen[:MOST]


def _overlaps(
    places: NDArray[np.float64], labels: NDArray[np.int64], others: NDArray[np.float64], theirs: NDArray[np.int64],
    overlap: float,
) -> NDArray[np.bool_]:  # fmt: skip
    """(n, m) which of these (n, 4) boxes overlap which of `others` (m, 4) of the same label by `overlap`."""
    return np.asarray((geometry.iou(places, others) >= overlap) & (labels[:, None] == theirs))


def match_labels(theirs: Sequence[str], labels: Sequence[Label], decided: Mapping[str, int] = NOTHING) -> list[int]:
    """For each of a network's labels the id of the project's label that it means, 0 for none.

    `decided`: what a person decided, ids by the network's names. Otherwise it is the label of the same name, or of one
    that differs only in capitals, spaces, hyphens and underscores: "TV monitor" is "tvmonitor".
    """
    ours = {label.id for label in labels}
    loosely = {plain_name(label.name): label.id for label in reversed(labels)}
    exactly = {label.name: label.id for label in labels}
    chosen = {name: id for name, id in decided.items() if id in ours}
    return [chosen.get(name) or exactly.get(name) or loosely.get(plain_name(name), 0) for name in theirs]


def plain_name(name: str) -> str:
    """A label's name without the differences that match_labels() ignores."""
    return name.casefold().replace(" ", "").replace("_", "").replace("-", "")


def unknown_labels(
    found: SuggestionResult, labels: Sequence[Label], decided: Mapping[str, int] = NOTHING
) -> tuple[str, ...]:
    """The network's labels that the project lacks, for which there are no suggestions."""
    return tuple(
        name for name, id in zip(found.labels, match_labels(found.labels, labels, decided), strict=True) if not id
    )


def seen_labels(found: SuggestionResult, names: Iterable[str], confidence: float) -> tuple[str, ...]:
    """Those of `names` that the network sees in the image, the most frequent first."""
    detected = found.candidates.detections(confidence, found.iou, found.kind, MOST)
    counts = Counter(found.labels[label] for label in detected.labels.tolist())
    wanted = set(names)
    return tuple(name for name, _ in counts.most_common() if name in wanted)
