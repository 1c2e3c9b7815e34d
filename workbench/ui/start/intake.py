"""Reading a folder of photographs for a project in a job: the window stays usable while it reads many headers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.errors import WorkbenchError
from workbench.ui.counted import Counted
from workbench.ui.job import Job

if TYPE_CHECKING:
    from workbench.core.project import Image

_EVERY = 50
"""Images between two reports: some 20 reports a second."""


@dataclass(frozen=True)
class Described:
    """The last event: the images of `folder`, with id 0 and root 0, to be added."""

    folder: Path
    images: tuple[Image, ...]
    project: Path  # they are only for this one: it may be closed by then
    left_out: str = ""  # what to tell the user about images that are missing


def describe(folder: Path, project: Path, names: Sequence[str] | None = None) -> Iterator[Counted | Described]:
    """The images below `folder`, or only those with these names, for a project.

    WorkbenchError if it has no image at all.
    """
    from workbench.core.files import PassedOver, natural_key, walk_images
    from workbench.core.intake import Describing

    yield Counted(0, 0)
    left_out = PassedOver()
    found = walk_images(folder, left_out) if names is None else names
    names = sorted(found, key=natural_key)
    if not names:
        why = left_out.sentence or "Choose the folder that holds your photographs."
        raise WorkbenchError(f"There are no images in {folder}. {why}")
    images = []
    with Describing() as describe_one:
        for number, name in enumerate(names, start=1):
            images.append(describe_one(folder / name, name, 0))
            if number % _EVERY == 0:
                yield Counted(number, len(names))
    yield Described(folder, tuple(images), project, left_out.sentence)


def extracted(file: Path, project: Path, every: int, job: Job) -> Iterator[Counted | Described]:
    """In a job's thread: saves every `every`-th frame of a video in the project's folder; keeps them if stopped."""
    from workbench.core import video

    folder, images, remark = video.folder_of(project, file), [], ""
    for event in video.extract(file, folder, every):
        if event.image is not None:
            images.append(event.image)
        remark = event.remark
        yield Counted(event.done, event.total, "frames")
        if job.stop.is_set():
            break
    yield Described(folder, tuple(images), project, remark)
