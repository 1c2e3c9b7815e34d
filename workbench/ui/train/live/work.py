"""What the tab "Pictures" does in threads: read a run's detections, and the images."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from workbench.core.decoding.intensity_window import IntensityWindow
from workbench.core.storage.image_table import ImageTable
from workbench.errors import WorkbenchError
from workbench.training.monitoring import watched_images
from workbench.training.monitoring.watched_images import WatchedDetections
from workbench.training.records import present_images
from workbench.ui.images import pictures
from workbench.ui.images.pictures import Picture

SIDE = 768
"""Length of the longer side in pixels: enough for a quarter of a large screen, or for zooming in a small one."""


@dataclass(frozen=True, slots=True)
class DetectionsRequest:
    """A request for the detections after each evaluation of the run in `folder`. `number`: of the request.

    `images`: those of the project.
    """

    folder: Path
    number: int
    images: ImageTable = field(compare=False)


@dataclass(frozen=True, slots=True)
class PictureRequest:
    """A request for the picture of an image. `cache`: the project's cache folder."""

    image: int
    file: Path
    window: IntensityWindow | None
    cache: Path


def read_detections(request: DetectionsRequest) -> tuple[WatchedDetections, ...]:
    """With the present ids of the images, 0 for those that are gone."""
    present = present_images.present_ids(request.folder, request.images)
    found = watched_images.read(request.folder)
    return found if present is None else tuple(watched_images.with_ids(one, present) for one in found)


def load_picture(request: PictureRequest) -> Picture:
    """Reduced, but with the size of the original. WorkbenchError if the file can't be read."""
    from workbench.core import images

    about = images.info(request.file)
    try:
        small = images.thumbnail(request.file, SIDE, request.window)
    except WorkbenchError:
        if about.is_huge:
            return pictures.load(request.file, request.window, request.cache)  # its overview, if it has one
        raise
    return Picture((pictures.to_qimage(small),), (about.width, about.height))
