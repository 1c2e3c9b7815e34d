"""Where pictures to predict come from: single files, folders and videos, one picture in memory at a time.

A picture that can't be read is handed on as `Skipped` and the rest goes on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from workbench.core import images
from workbench.core import video as videos
from workbench.core.files import IMAGE_SUFFIXES, scan_images
from workbench.core.video import is_video, printable
from workbench.core.window import Window
from workbench.errors import WorkbenchError
from workbench.inference.events import Skipped

__all__ = ["Frame", "count", "frames", "is_video", "listed", "video"]


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture. `name` is relative to the folder that was given; a video's frames share their file's name."""

    name: str
    index: int  # of the picture among all, or of the frame in its video
    image: NDArray[np.uint8]  # (H, W, 3) RGB, upright
    file: Path
    is_video: bool = False


def frames(paths: Sequence[Path], every: int = 1, window: Window | None = None) -> Iterator[Frame | Skipped]:
    """The pictures of files, folders (and folders within) and videos, of videos every `every`-th frame.

    WorkbenchError if a path does not exist or is neither an image nor a video.
    """
    index = 0
    for path in paths:
        if is_video(path):
            yield from video(path, every)
            continue
        prefix = f"{path.name}/" if len(paths) > 1 and path.is_dir() else ""
        for name, file in listed(path):
            yield _picture(prefix + name, index, file, window)
            index += 1


def count(paths: Sequence[Path], every: int = 1) -> int:
    """How many pictures frames() will yield; for videos what their headers say, which may be wrong."""
    return sum(-(-videos.length(path) // every) if is_video(path) else len(listed(path)) for path in paths)


def listed(path: Path) -> list[tuple[str, Path]]:
    """(name, file) of an image, or of all images in a folder and below."""
    if path.is_dir():
        return [(name, path / name) for name in scan_images(path)]
    if not path.exists():
        raise WorkbenchError(f"{path} does not exist. Check the name.")
    if path.suffix.lower() not in IMAGE_SUFFIXES:
        raise WorkbenchError(f"{path} is neither a folder nor an image nor a video by its name.")
    return [(printable(path.name), path)]


def _picture(name: str, index: int, file: Path, window: Window | None) -> Frame | Skipped:
    try:
        return Frame(name, index, images.read(file, window), file)
    except WorkbenchError as error:
        return Skipped(name, index, error.sentence)


def video(file: Path, every: int = 1) -> Iterator[Frame]:
    """Every `every`-th frame in order. Refused if the file can't be opened or holds no frame."""
    for one in videos.frames(file, every):
        yield Frame(file.name, one.index, one.image, file, is_video=True)
