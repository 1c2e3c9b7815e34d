"""What the tab "Pictures" asks of its threads: what was found in a run's images, and the images."""

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
"""The longer side in pixels: enough for a quarter of a large screen, or for some zooming in a small one."""


@dataclass(frozen=True, slots=True)
class Read:
    """What was found after each evaluation of the run in `folder`. `number` counts the askings: the file grows."""

    folder: Path
    number: int


@dataclass(frozen=True, slots=True)
class Wish:
    """The picture of an image. `cache`: the project's folder for what may be made again."""

    image: int
    file: Path
    window: Window | None
    cache: Path


def read(wish: Read) -> tuple[Look, ...]:
    return watched.read(wish.folder)


def picture(wish: Wish) -> Picture:
    """Small, but with the size of the original. WorkbenchError if the file can't be read."""
    from workbench.core import images

    about = images.info(wish.file)
    try:
        small = images.thumbnail(wish.file, SIDE, wish.window)
    except WorkbenchError:
        if about.is_huge:
            return pictures.load(wish.file, wish.window, wish.cache)  # its overview, if it has one
        raise
    return Picture((pictures.to_qimage(small),), (about.width, about.height))
