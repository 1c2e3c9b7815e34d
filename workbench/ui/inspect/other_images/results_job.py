"""Writes the results for everything that was opened: exactly as `workbench predict` does, in a job of the session."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from workbench.core import formatting
from workbench.core.files import safe_name
from workbench.core.former_names import FormerNames
from workbench.errors import WorkbenchError
from workbench.inference.evaluating.operating_point import OperatingPoint
from workbench.inference.events import ListingProgress, Predicted, PredictionsSaved, Resumed, Skipped, WritingProgress
from workbench.ui.job_progress import JobProgress


@dataclass(frozen=True, slots=True)
class PredictionRequest:
    """A request to predict `source` (a folder, an image or a video) into a new folder of `into`."""

    checkpoint: Path
    source: Path
    into: Path
    point: OperatingPoint
    formats: tuple[str, ...]
    tiles: int = 0
    former: FormerNames = ()  # former names of the project's labels


@dataclass(frozen=True, slots=True)
class PredictionsWritten:
    """`sentence` says what was found and what a person should know about it."""

    folder: Path
    sentence: str


ResultsWriter = Callable[[PredictionRequest], Iterator[JobProgress | PredictionsWritten]]


def write_results(request: PredictionRequest) -> Iterator[JobProgress | PredictionsWritten]:
    """Yields progress, then PredictionsWritten. Closed early, it continues when the same is requested again."""
    from workbench import plugins
    from workbench.inference import prediction_job
    from workbench.inference.pictures.listing import Shard
    from workbench.inference.predict import Predictor
    from workbench.inference.predict_files import PredictionSettings, predict_files, spec_of

    plugins.loaded()
    predictor = Predictor.open(request.checkpoint, cpu_fallback=True)
    predictor.rename_labels(request.former)
    settings = PredictionSettings(request.point, tiles=request.tiles, formats=request.formats)
    spec = spec_of(predictor, [request.source], settings)

    def is_free(folder: Path) -> bool:
        """New, or the same work, interrupted."""
        if not os.path.exists(folder):
            return True
        try:
            job = prediction_job.read(prediction_job.folder_of(folder, Shard()))
            if job is not None:
                prediction_job.check_videos(job)
        except WorkbenchError:
            return False
        return job is not None and not job.finished and not job.spec.differences(spec)

    folder = folder_for(request, is_free)
    for event in predict_files(predictor, [request.source], folder, settings):
        if isinstance(event, ListingProgress):
            yield JobProgress(0, 0, f"{formatting.count(event.found, 'image')} found")
        elif isinstance(event, Resumed | Predicted):
            yield JobProgress(event.done, event.total, "images")
        elif isinstance(event, WritingProgress):
            yield JobProgress(event.done, event.total, f"writing {event.format}")
        elif isinstance(event, Skipped):
            yield JobProgress(0, 0, event.sentence)
        elif isinstance(event, PredictionsSaved):
            yield PredictionsWritten(folder, _sentence(event))


def folder_for(request: PredictionRequest, is_free: Callable[[Path], bool]) -> Path:
    """ "predictions of SOURCE", with a number appended if that holds other results."""
    name = f"predictions of {safe_name(request.source.name, 'images')}"
    number = 1
    while not is_free(folder := request.into / (name if number == 1 else f"{name} {number}")):
        number += 1
    return folder


def _sentence(saved: PredictionsSaved) -> str:
    found = f"{formatting.count(saved.detections, 'object')} found in {formatting.count(saved.images, 'image')}."
    return f"{found} {saved.remark}".rstrip()
