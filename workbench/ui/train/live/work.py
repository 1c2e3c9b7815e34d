"""What the tab "Pictures" does in threads: read a run's detections, and the images."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from workbench.core.window import Window
from workbench.errors import WorkbenchError
from workbench.training import watched
from workbench.training.watched import Look
from workbench.ui import pictures
from workbench.ui.pictures import Picture

SIDE = 768
"""Length of the longer side in pixels: enough for a quarter of a large screen, or for zooming in a small one."""


@dataclass(frozen=True, slots=True)
class Read:
    """A request for the detections after each evaluation of the run in `folder`. `number`: of the request."""

    folder: Path
    number: int


@dataclass(frozen=True, slots=True)
class Wish:
    """A request for the picture of an image. `cache`: the project's cache folder."""

    image: int
    file: Path
    window: Window | None
    cache: Path


def read(wish: Read) -> tuple[Look, ...]:
    return watched.read(wish.folder)


def picture(wish: Wish) -> Picture:
    """Reduced, but with the size of the original. WorkbenchError if the file can't be read."""
    from workbench.core import images

    about = images.info(wish.file)
    try:
        small = images.thumbnail(wish.file, SIDE, wish.window)
    except WorkbenchError:
        if about.is_huge:
            return pictures.load(wish.file, wish.window, wish.cache)  # its overview, if it has one
        raise
    return Picture((pictures.to_qimage(small),), (about.width, about.height))
