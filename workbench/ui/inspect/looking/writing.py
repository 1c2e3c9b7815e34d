"""Writes the results for everything that was opened: exactly as `workbench predict` does, in a job of the session."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from workbench.core import words
from workbench.core.files import safe_name
from workbench.core.former_names import Former
from workbench.errors import WorkbenchError
from workbench.inference.events import GoingOn, Listing, Predicted, PredictionsSaved, Skipped, Writing
from workbench.inference.operating_point import OperatingPoint
from workbench.ui.counted import Counted


@dataclass(frozen=True, slots=True)
class Wish:
    """A request to predict `source` (a folder, an image or a video) into a new folder of `into`."""

    checkpoint: Path
    source: Path
    into: Path
    point: OperatingPoint
    formats: tuple[str, ...]
    tiles: int = 0
    former: Former = ()  # former names of the project's labels


@dataclass(frozen=True, slots=True)
class Wrote:
    """`sentence` says what was found and what a person should know about it."""

    folder: Path
    sentence: str


Write = Callable[[Wish], Iterator[Counted | Wrote]]


def write(wish: Wish) -> Iterator[Counted | Wrote]:
    """Yields progress, then Wrote. Closed early, it continues when the same is requested again."""
    from workbench import plugins
    from workbench.inference import jobs
    from workbench.inference.listing import Shard
    from workbench.inference.predict import Predictor
    from workbench.inference.predict_files import Asked, order_of, predict_files

    plugins.loaded()
    predictor = Predictor.open(wish.checkpoint, gives_way=True)
    predictor.call_labels(wish.former)
    asked = Asked(wish.point, tiles=wish.tiles, formats=wish.formats)
    order = order_of(predictor, [wish.source], asked)

    def is_free(folder: Path) -> bool:
        """New, or the same work, interrupted."""
        if not folder.exists():
            return True
        try:
            job = jobs.read(jobs.folder_of(folder, Shard()))
            if job is not None:
                jobs.check_videos(job)
        except WorkbenchError:
            return False
        return job is not None and not job.finished and not job.order.differences(order)

    folder = folder_for(wish, is_free)
    for event in predict_files(predictor, [wish.source], folder, asked):
        if isinstance(event, Listing):
            yield Counted(0, 0, f"{event.found:,} images found")
        elif isinstance(event, GoingOn | Predicted):
            yield Counted(event.done, event.total, "images")
        elif isinstance(event, Writing):
            yield Counted(event.done, event.total, f"writing {event.format}")
        elif isinstance(event, Skipped):
            yield Counted(0, 0, event.sentence)
        elif isinstance(event, PredictionsSaved):
            yield Wrote(folder, _sentence(event))


def folder_for(wish: Wish, is_free: Callable[[Path], bool]) -> Path:
    """ "predictions of SOURCE", with a number appended if that holds other results."""
    name = f"predictions of {safe_name(wish.source.name, 'images')}"
    number = 1
    while not is_free(folder := wish.into / (name if number == 1 else f"{name} {number}")):
        number += 1
    return folder


def _sentence(saved: PredictionsSaved) -> str:
    found = f"{words.count(saved.detections, 'object')} found in {words.count(saved.images, 'image')}."
    return f"{found} {saved.remark}".rstrip()
