"""Predicts a webcam's frames live until it is stopped.

The frames can't be read again, so there is no continuing, and the annotated video is recorded meanwhile. Whatever ends
the process, the results until then are kept for `merge`.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Event
from types import TracebackType
from typing import TYPE_CHECKING

import cv2
import numpy as np

from workbench.core.decoding.video import VideoFrame, silence_cv2
from workbench.core.detections import Detections
from workbench.core.project import Label
from workbench.core.tiling import tiling
from workbench.errors import WorkbenchError
from workbench.inference import prediction_job
from workbench.inference.events import PredictEvent, PredictionsSaved
from workbench.inference.pictures import streaming
from workbench.inference.pictures.listing import ListingSummary, Shard
from workbench.inference.pictures.sources import Frame, NumberedPicture, Position, SourceItem
from workbench.inference.pictures.streaming import PictureSink
from workbench.inference.predict_files import PredictionSettings, merge, predictor_labels, spec_of
from workbench.inference.prediction_job import PredictionJob
from workbench.inference.writing import out_folder, results
from workbench.inference.writing.draw import draw_detections
from workbench.inference.writing.result_parts import ResultParts, ResultRow
from workbench.inference.writing.results_pictures import PictureWriter
from workbench.inference.writing.results_video import RATE, UNFINISHED, Recorder

if TYPE_CHECKING:  # the caller has loaded torch
    from workbench.inference.predict import Predictor


_NOT_ALLOWED = (
    " Or macOS does not allow it yet: run 'workbench predict PROJECT --webcam 0' in a terminal once, where it asks, and"
    " start the window from there; or allow it in System Settings > Privacy & Security > Camera."
)
"""OpenCV can ask for it only in a program's main thread, which is the window's."""


class Webcam:
    """A camera of this machine, within a `with` block. WorkbenchError if there is no such camera."""

    def __init__(self, number: int) -> None:
        self.number = number
        with silence_cv2():
            self._capture = cv2.VideoCapture(number)
        if not self._capture.isOpened():
            self._capture.release()
            raise WorkbenchError(
                f"There is no webcam {number}, or another program is using it. Connect one, close the other program,"
                f" or choose another number (0 is the first).{_NOT_ALLOWED if sys.platform == 'darwin' else ''}"
            )
        self._capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # show the present, not a second ago
        self._begun, self._count = time.monotonic(), 0

    @property
    def rate(self) -> float:
        """Frames per second, as the camera states it."""
        found = float(self._capture.get(cv2.CAP_PROP_FPS))
        return found if 1 <= found <= 240 else RATE

    def read(self) -> VideoFrame | None:
        """Wait for the next frame; None if there are no more."""
        there, image = self._capture.read()
        if not there or image is None:
            return None
        rgb = np.ascontiguousarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)
        frame = VideoFrame(self._count, time.monotonic() - self._begun, rgb)
        self._count += 1
        return frame

    def close(self) -> None:
        self._capture.release()

    def __enter__(self) -> Webcam:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Recording:
    """Writes each frame with its boxes, at the pace of the camera."""

    def __init__(self, recorder: Recorder, labels: Sequence[Label]) -> None:
        self._recorder, self._labels = recorder, labels

    def save(self, row: ResultRow, frame: Frame, found: Detections) -> None:
        self._recorder.write_until(frame.seconds, draw_detections(frame.image, found, self._labels))


def predict_webcam(
    predictor: Predictor,
    number: int,
    output: Path,
    settings: PredictionSettings,
    stop: Event,
    *,
    frames: int = 0,
    fresh: bool = False,
) -> Iterator[PredictEvent]:
    """Predict until `stop` is set or `frames` were predicted (0: no limit), then write the results.

    WorkbenchError if there is no such camera, or if `output` already has results and `fresh` is not set.
    """
    formats, shard = results.check_formats(settings.formats), Shard()
    labels, name = predictor_labels(predictor), f"webcam{number}"
    spec = spec_of(predictor, [Path(name)], settings)
    out_folder.check(output, [], formats)
    with (
        Webcam(number) as camera,
        prediction_job.locked(prediction_job.folder_of(output, shard)),
        contextlib.ExitStack() as stack,
    ):
        if not fresh and prediction_job.shards(output):
            raise WorkbenchError(
                f"{output} already has results. Write them with --merge, replace them with --fresh, or choose"
                " another --out."
            )
        if (first := camera.read()) is None:
            raise WorkbenchError(f"Webcam {number} is there but sends no pictures. Plug it in again, or use another.")
        out_folder.claim(output, formats)
        prediction_job.resume(output, shard, spec, fresh=True, pictures=False)
        job = PredictionJob(
            prediction_job.folder_of(output, shard),
            spec,
            shard,
            labels,
            ListingSummary(0, 0, (), ""),
            "pictures" in formats,
            finished=True,
        )
        prediction_job.put_aside(job.folder)
        job.write()
        sinks: list[PictureSink] = [PictureWriter(output / "pictures", labels, alone=True)] if job.pictures else []
        video_file, recorder = output / "videos" / f"{name}.mp4", None
        aside = video_file.with_name(f"{name}{UNFINISHED}")
        aside.unlink(missing_ok=True)  # from an earlier recording
        if "video" in formats:
            recorder = stack.enter_context(Recorder(video_file, camera.rate / settings.every, aside))
            sinks.append(Recording(recorder, labels))
        written = stack.enter_context(contextlib.closing(ResultParts(job.folder, has_sinks=job.pictures)))
        predictor.tiling = tiling(spec.tiles, spec.overlap)
        pictures = _frames(camera, first, name, settings.every, frames, stop)
        yield from streaming.stream(predictor, pictures, written, spec.point, sinks, frames, batch=1)
        is_cut = not stop.is_set() and (frames == 0 or written.done.images < frames)
    for event in merge(
        output, [name for name in formats if name != "video"], recorded=video_file if recorder else None
    ):
        if isinstance(event, PredictionsSaved) and is_cut:
            event = replace(event, remark=f"It ended because webcam {number} no longer sends pictures. {event.remark}")
        yield event


def _frames(
    camera: Webcam, first: VideoFrame, name: str, every: int, most: int, stop: Event
) -> Iterator[NumberedPicture]:  # fmt: skip
    taken = 0
    frame: VideoFrame | None = first
    while frame is not None and not stop.is_set():
        if frame.index % every == 0:
            taken += 1
            item = SourceItem(name, name, Path(name), is_video=True)
            picture = Frame(name, frame.index, frame.image, item.file, True, name, frame.seconds)
            yield NumberedPicture(picture, item, Position(0, 0, frame.index + 1))
        frame = None if stop.is_set() or taken == most > 0 else camera.read()
