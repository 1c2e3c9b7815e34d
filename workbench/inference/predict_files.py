"""Predicts files, folders and videos and writes what was found: predictions.json and pictures with boxes."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import cv2

from workbench.core.detections import Detections, Kind
from workbench.core.files import atomic_path, atomic_write
from workbench.core.project import Label
from workbench.errors import WorkbenchError
from workbench.inference import sources
from workbench.inference.draw import drawn
from workbench.inference.events import Predicted, PredictEvent, PredictionsSaved, Skipped
from workbench.inference.predict import Predictor
from workbench.inference.sources import Frame

# colour-blind-safe (Okabe and Ito 2008), for checkpoints that carry no colours
_COLOURS = ("#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#f0e442", "#999999")


def predict_files(
    predictor: Predictor,
    paths: Sequence[Path],
    output: Path,
    *,
    score: float = 0.25,
    iou: float | None = None,
    kind: Kind | None = None,
    limit: int = 300,
    pictures: bool = True,
    every: int = 1,
) -> Iterator[PredictEvent]:
    """Predict all pictures of `paths` and write `output`/predictions.json and `output`/pictures/.

    predictions.json is a list of {file, width, height, detections: [{label, score, box}]}, frames of a video with
    a "frame" too; box is xyxy in pixels of the upright picture. A picture that can't be read is reported and left
    out. Closing the generator early keeps what was done. Memory does not grow with the number of pictures.
    `iou` and `kind` of NMS are the detector's own, as published, unless given.
    """
    own_kind, own_iou = predictor.detector.published_nms
    kind, iou = own_kind if kind is None else kind, own_iou if iou is None else iou
    paths = [Path(path) for path in paths]
    total, tally, begun = sources.count(paths, every), _Tally(), time.perf_counter()
    labels = predictor_labels(predictor)
    stopped: GeneratorExit | None = None
    file = Path(output) / "predictions.json"
    with atomic_path(file) as temporary, open(temporary, "w", encoding="utf-8") as text:
        text.write("[")
        try:
            for some in _batches(sources.frames(paths, every, predictor.window), predictor.batch):
                ready = [item for item in some if isinstance(item, Frame)]
                found = iter(predictor.candidates([frame.image for frame in ready]))
                for item in some:
                    if isinstance(item, Skipped):
                        tally.skipped += 1
                        yield item
                        continue
                    kept = next(found).detections(score, iou, kind, limit)
                    _record(text, item, kept, predictor.labels, first=tally.images == 0)
                    if pictures:
                        _save_picture(Path(output) / "pictures", _unused(item, tally.names), item, kept, labels)
                    tally.images, tally.detections = tally.images + 1, tally.detections + len(kept)
                    done = tally.images + tally.skipped
                    speed = tally.images / max(time.perf_counter() - begun, 1e-9)
                    yield Predicted(item.name, item.index, done, max(total, done), len(kept), speed)
        except GeneratorExit as asked:
            stopped = asked
        text.write("\n]\n")
    if stopped is not None:
        raise stopped
    yield PredictionsSaved(file, tally.images, tally.detections, tally.skipped)


@dataclass(slots=True)
class _Tally:
    images: int = 0
    detections: int = 0
    skipped: int = 0
    names: set[str] = field(default_factory=set)  # of pictures written: two folders may hold the same name


def predictor_labels(predictor: Predictor) -> tuple[Label, ...]:
    """The labels of the checkpoint with their colours, or the bare names with colours of our own."""
    if predictor.header is not None:
        return tuple(predictor.header.labels)
    return tuple(Label(i + 1, name, _COLOURS[i % len(_COLOURS)], position=i) for i, name in enumerate(predictor.labels))


def _batches(items: Iterator[Frame | Skipped], size: int) -> Iterator[list[Frame | Skipped]]:
    some: list[Frame | Skipped] = []
    for item in items:
        some.append(item)
        if len(some) == size:
            yield some
            some = []
    if some:
        yield some


def _record(text: IO[str], frame: Frame, found: Detections, labels: tuple[str, ...], first: bool) -> None:
    entry: dict[str, object] = {"file": frame.name}
    if frame.is_video:
        entry["frame"] = frame.index
    entry |= {"width": frame.image.shape[1], "height": frame.image.shape[0]}
    entry["detections"] = [
        {"label": labels[label], "score": round(float(score), 5), "box": [round(float(side), 2) for side in box]}
        for box, score, label in zip(found.boxes, found.scores, found.labels, strict=True)
    ]
    text.write(("\n" if first else ",\n") + json.dumps(entry, ensure_ascii=False, allow_nan=False))


def _save_picture(folder: Path, name: str, frame: Frame, found: Detections, labels: tuple[Label, ...]) -> None:
    picture = drawn(frame.image, found, labels)
    whole, data = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 92])
    if not whole:
        raise WorkbenchError(f"The picture {name} could not be written as JPEG. Predict without pictures.")
    atomic_write(folder / name, data.tobytes())


def _unused(frame: Frame, used: set[str]) -> str:
    """The name of the JPEG: that of the original, made different where the name was already written."""
    stem = f"{frame.name}-{frame.index:06d}" if frame.is_video else frame.name
    name = stem if stem.lower().endswith((".jpg", ".jpeg")) else f"{stem}.jpg"
    while name in used:
        name = f"{stem}-{len(used)}.jpg"
    used.add(name)
    return name
