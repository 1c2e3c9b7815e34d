"""From pictures to rows, batch by batch: only a batch and the few pictures read ahead are in memory."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

from workbench.core.detections import Detections
from workbench.inference.evaluating.operating_point import OperatingPoint
from workbench.inference.events import Predicted, Skipped
from workbench.inference.pictures.sources import Frame, NumberedPicture
from workbench.inference.writing.result_parts import ResultParts, ResultRow

if TYPE_CHECKING:  # the caller has loaded torch
    from workbench.inference.predict import Predictor

PIXELS = 64_000_000  # of a batch, 200 MB: fewer pictures at a time if they are large


class PictureSink(Protocol):
    """What is done with a picture while its pixels are in memory."""

    def save(self, row: ResultRow, frame: Frame, found: Detections) -> None: ...


def stream(
    predictor: Predictor,
    pictures: Iterable[NumberedPicture],
    parts: ResultParts,
    point: OperatingPoint,
    sinks: Sequence[PictureSink],
    total: int = 0,
    batch: int = 0,
) -> Iterator[Predicted | Skipped]:
    """Predict `pictures`, `batch` at a time (0: as many as the device likes). `total`: their number, 0 if unknown.
    `point` decides which detections are kept, `predictor.tiling` in which tiles large pictures are also seen.

    When a batch's events come, the batch is written, so closing the generator early loses nothing. Where batches begin
    depends on the pictures alone, so that a job that was interrupted gives the same bytes as one that was not.
    """
    begun, before = time.perf_counter(), parts.done.images
    for some in batches(pictures, batch or predictor.batch):
        frames = [one.read for one in some if isinstance(one.read, Frame)]
        found = iter(predictor.candidates([frame.image for frame in frames]))
        rows = []
        for one in some:
            if isinstance(one.read, Skipped):
                frame = one.read.index if one.item.is_video and one.read.index else -1  # where it ends early
                rows.append(ResultRow(one.item.name, one.item.place, frame=frame, skipped=one.read.sentence))
                continue
            kept = point.detections(next(found), predictor.labels)
            rows.append(ResultRow.of(one.read, kept))
            for each in sinks:
                each.save(rows[-1], one.read, kept)
        first = parts.done.pictures
        parts.append(rows, some[-1].next)
        speed = (parts.done.images - before) / max(time.perf_counter() - begun, 1e-9)
        for done, (one, row) in enumerate(zip(some, rows, strict=True), start=first + 1):
            if isinstance(one.read, Skipped):
                yield one.read
            else:
                yield Predicted(row.name, one.read.index, done, max(total, done) if total else 0, len(row.found), speed)


def batches(pictures: Iterable[NumberedPicture], size: int) -> Iterator[list[NumberedPicture]]:
    """Batches of `size`, or of as many as have PIXELS together; a new one begins where a video begins or ends."""
    some: list[NumberedPicture] = []
    pixels = 0
    for one in pictures:
        if some and (one.item.is_video or some[-1].item.is_video) and one.item.place != some[-1].item.place:
            yield some
            some, pixels = [], 0
        some.append(one)
        pixels += one.read.image.shape[0] * one.read.image.shape[1] if isinstance(one.read, Frame) else 0
        if len(some) == size or pixels >= PIXELS:
            yield some
            some, pixels = [], 0
    if some:
        yield some
