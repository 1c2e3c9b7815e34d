"""Reading a folder of photographs for a project in a job: the window stays usable while it reads many headers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.errors import Refused, WorkbenchError
from workbench.ui.job import Job
from workbench.ui.job_progress import JobProgress

if TYPE_CHECKING:
    from workbench.core.project import Image

_EVERY = 50
"""Images between two reports: some 20 reports a second."""


@dataclass(frozen=True)
class ImagesDescribed:
    """The last event: the images of `folder`, with id 0 and root 0, to be added."""

    folder: Path
    images: tuple[Image, ...]
    project: Path  # they are only for this one: it may be closed by then
    left_out: str = ""  # what to tell the user about images that are missing


def describe_images(
    folder: Path, project: Path, names: Sequence[str] | None = None
) -> Iterator[JobProgress | ImagesDescribed]:
    """The images below `folder`, or only those with these names, for a project.

    WorkbenchError if it has no image at all.
    """
    from workbench.core.files import SkippedFiles, natural_key, walk_images
    from workbench.core.folders.image_records import ImageDescriber

    yield JobProgress(0, 0)
    left_out = SkippedFiles()
    found = walk_images(folder, left_out) if names is None else names
    names = sorted(found, key=natural_key)
    if not names:
        why = left_out.sentence or "Choose the folder that holds your photographs."
        raise WorkbenchError(f"There are no images in {folder}. {why}")
    images = []
    with ImageDescriber() as describe_one:
        for number, name in enumerate(names, start=1):
            images.append(describe_one(folder / name, name, 0))
            if number % _EVERY == 0:
                yield JobProgress(number, len(names))
    yield ImagesDescribed(folder, tuple(images), project, left_out.sentence)


def extract_frames(file: Path, project: Path, every: int, job: Job) -> Iterator[JobProgress | ImagesDescribed]:
    """In a job's thread: saves every `every`-th frame of a video in the project's folder; keeps them if stopped.

    Refused if there is none.
    """
    from workbench.core.decoding import video

    folder, images, remark = video.folder_of(project, file), [], ""
    for event in video.extract(file, folder, every):
        if event.image is not None:
            images.append(event.image)
        remark = event.remark
        yield JobProgress(event.done, event.total, "frames")
        if job.stop.is_set():
            break
    if images:
        yield ImagesDescribed(folder, tuple(images), project, remark)
    elif not job.stop.is_set():
        raise Refused(file, "none of the frames asked for can be read. Take more of them, or convert the video to MP4.")
