"""The operating point of a run: the confidences and the NMS at which its detections are to be used.

`runs/<name>/operating_point.json`, beside evaluation.json. It is kept on the Inspect page, which opens with it;
predicting and exporting read it from here. No torch here, so that the window can import it before torch is loaded.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from workbench.core.detections import FLOOR, KINDS, MOST, Candidates, Detections, NmsKind
from workbench.core.files import atomic_write
from workbench.core.formatting import named
from workbench.core.former_names import FormerNames, network_names
from workbench.core.parsing import strict_json
from workbench.core.project import Label
from workbench.errors import Refused, WorkbenchError
from workbench.training.checkpoints.header import CheckpointHeader, read_header

FILE = "operating_point.json"


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """Confidences and overlap are 0 to 1, inclusive. ValueError if a number is out of its range."""

    confidence: float  # for all labels without their own
    own: tuple[tuple[str, float], ...] = ()  # label's name and its confidence
    iou: float = 0.6  # NMS removes the lower of two detections that overlap more
    kind: NmsKind = "per label"
    limit: int = 300  # the most detections of an image, before the confidence
    checkpoint: str = ""  # name of the file that it was chosen for; "": any
    ids: tuple[tuple[str, int], ...] = ()  # of labels in `own`, in the project of the run, where known

    def __post_init__(self) -> None:
        for what, value in (("confidence", self.confidence), ("overlap", self.iou), *self.own):
            if not 0 <= value <= 1:
                raise ValueError(f"{what}: expected a number from 0 to 1, found {value}")
        if self.kind not in KINDS:
            raise ValueError(f"kind: expected one of {', '.join(KINDS)}, found {self.kind}")
        if not 1 <= self.limit <= MOST:
            raise ValueError(f"limit: expected a whole number from 1 to {MOST}, found {self.limit}")

    @property
    def words(self) -> str:
        """Its confidences in a sentence: "0.25", or "0.25 (cell 0.1, platelet 0.4 and 2 more)"."""
        own = named([f"{name} {value:g}" for name, value in self.own])
        return f"{self.confidence:g} ({own})" if own else f"{self.confidence:g}"

    def confidences(self, names: Sequence[str]) -> NDArray[np.float64]:
        """(C,) the confidence of each of these labels; names that are not among them are ignored."""
        own = dict(self.own)
        return np.array([own.get(name, self.confidence) for name in names], np.float64)

    def detections(self, found: Candidates, names: Sequence[str]) -> Detections:
        """One image's detections from its candidates, whose labels are indices into `names`.

        Across labels, candidates below their label's confidence remove nothing; within a label they never could.
        """
        least = self.confidences(names)
        if self.kind == "across labels" and self.own:
            rows = np.flatnonzero(found.scores >= least[found.labels])
            found = Candidates(found.boxes[rows], found.scores[rows], found.labels[rows], found.views)
        kept = found.detections(FLOOR, self.iou, self.kind, self.limit)
        enough = kept.scores >= least[kept.labels]
        return Detections(kept.boxes[enough], kept.scores[enough], kept.labels[enough])


def write(run_folder: Path, point: OperatingPoint, step: int | None = None) -> Path:
    """Keep `point` with the run, for the weights that its checkpoint has now; `step`: of those that it was chosen with.

    WorkbenchError if the checkpoint has others by now, or the run is gone or its folder can't be written.
    """
    _check(run_folder)
    weights = _header(run_folder, point.checkpoint) if point.checkpoint else None
    if weights is not None and step not in (None, weights.step):
        raise WorkbenchError(
            f"The training has written other weights into {point.checkpoint} since these were looked at, so the"
            " operating point was not kept. Look again."
        )
    record: dict[str, Any] = {
        "confidence": point.confidence,
        "confidence_of_labels": dict(point.own),
        "label_ids": {name: id for name, id in point.ids if name in dict(point.own)},
        "nms_overlap": point.iou,
        "nms_kind": point.kind,
        "limit": point.limit,
        "checkpoint": point.checkpoint or None,
    }
    if weights is not None:
        record["step"] = weights.step
    file = run_folder / FILE
    atomic_write(file, json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
    return file


def record(run_folder: Path) -> bytes | None:
    """What is kept with the run, whatever its weights are now, for `put_back`; None: nothing, or what is damaged."""
    try:
        read(run_folder)
        return (run_folder / FILE).read_bytes()
    except (WorkbenchError, OSError):
        return None


def put_back(run_folder: Path, before: bytes | None) -> None:
    """Keep again what `record` had, for the weights that it was kept for. WorkbenchError as write() and forget()."""
    if before is None:
        forget(run_folder)
    else:
        _check(run_folder)
        atomic_write(run_folder / FILE, before)


def _check(run_folder: Path) -> None:
    if not run_folder.is_dir():
        raise WorkbenchError(f"The run's folder {run_folder} is gone, so the operating point was not kept.")


def forget(run_folder: Path) -> None:
    """Remove the point kept with the run. WorkbenchError if its file can't be removed."""
    file = run_folder / FILE
    try:
        file.unlink(missing_ok=True)
    except OSError as error:
        raise WorkbenchError(f"{file} could not be removed: {error.strerror or error}.", error) from error


def read(run_folder: Path, checkpoint: str = "", former: FormerNames = ()) -> OperatingPoint | None:
    """The kept point; None if there is none, or for another checkpoint than this file's name ("": any), or for weights
    that the checkpoint had before the training went on.

    `former`: earlier names of labels, which are renamed in it: the confidence of a label that was merged into another
    becomes that one's, unless the network knows both: each is for what the network finds as it. Files of earlier
    versions have no ids: in them a name that a label has now is that label's.
    If it is damaged, a WorkbenchError names the file and what is wrong in it.
    """
    file = run_folder / FILE
    try:
        data = file.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise WorkbenchError(f"{file} could not be read: {error.strerror}. Keep the point again.", error) from error
    try:
        record = strict_json.parse(data, str(file))
        point = _point(record)
    except (ValueError, Refused) as error:
        reason, line = (error.reason, error.line) if isinstance(error, Refused) else (str(error), 0)
        raise Refused(
            file, f"{reason}. Keep the operating point again on the Inspect page, or delete the file", line
        ) from error
    weights = _header(run_folder, point.checkpoint or checkpoint)
    if weights is not None and record.get("step") not in (None, weights.step):
        return None
    names = [name for name, _ in point.own]
    trained = () if weights is None else weights.labels  # one merged into another of these keeps its own name
    others = [label for label in trained if label.name not in names]
    names += [label.name for label in others]
    labels = [*(Label(id, name) for name, id in point.ids), *others]
    now = dict(zip(names, network_names(names, labels, former), strict=True))
    point = replace(
        point,
        own=tuple((now[name], value) for name, value in point.own),
        ids=tuple((now[name], id) for name, id in point.ids),
    )
    return None if checkpoint and point.checkpoint not in ("", checkpoint) else point


def _header(run_folder: Path, checkpoint: str) -> CheckpointHeader | None:
    """What the run's checkpoint of this name says of itself; None if it can't be read."""
    try:
        return read_header(run_folder / (checkpoint or "best.safetensors"))
    except WorkbenchError:
        return None


def _point(record: Any) -> OperatingPoint:
    if not isinstance(record, dict):
        raise ValueError("expected an object of settings")
    own = record.get("confidence_of_labels", {})
    if not isinstance(own, dict):
        raise ValueError("confidence_of_labels: expected an object of labels and numbers")
    ids = record.get("label_ids", {})
    if not isinstance(ids, dict) or not all(type(id) is int and name in own for name, id in ids.items()):
        raise ValueError("label_ids: expected an object of labels with a confidence of their own and whole numbers")
    limit, checkpoint, step = record.get("limit"), record.get("checkpoint"), record.get("step")
    if isinstance(limit, bool) or not isinstance(limit, int):
        raise ValueError(f"limit: expected a whole number, found {limit!r}")
    if not isinstance(checkpoint, str | None):
        raise ValueError(f"checkpoint: expected a file's name, found {checkpoint!r}")
    if isinstance(step, bool) or not isinstance(step, int | None):
        raise ValueError(f"step: expected a whole number, found {step!r}")
    return OperatingPoint(
        _number(record, "confidence"),
        tuple((name, _number(own, name)) for name in own),
        _number(record, "nms_overlap"),
        cast(NmsKind, str(record.get("nms_kind"))),
        limit,
        checkpoint or "",
        tuple(ids.items()),
    )


def _number(record: dict[str, Any], name: str) -> float:
    value = record.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{name}: expected a number, found {value!r}")
    return float(value)
