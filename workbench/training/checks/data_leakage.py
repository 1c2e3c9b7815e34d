"""How many of some images a run has learnt from, by its own record, whatever split they are in now.

A run keeps the data that it was started with, so images that have changed their split since are still known. Images
are recognised by their file or, where files have moved, by id, name and date in the project. No torch at the top of
this module, as the window imports it.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from workbench.core.formatting import count
from workbench.core.project import Image, Snapshot, Split
from workbench.errors import WorkbenchError
from workbench.training.records import record

ADVICE = (
    "To judge it fairly, keep the same images in the validation split, or in the fold, for both, or start from fresh"
    " weights."
)
"""Follows `start_warning`."""
_FAIRER = "To judge {} fairly, choose a split that {} learnt from, or train again with the splits as they are."
"""Follows what `_trained` says of one run or of two."""


def count_learnt_images(folder: Path, snapshot: Snapshot) -> int | None:
    """How many images of `snapshot` were learnt by the run in `folder`, or by a run whose weights it began with.

    None if there is no record of it: imported weights, or a checkpoint that was copied elsewhere. It reads the data of
    the run (0.1 s for 10,000 images), so call it in a job.
    """
    parts = list(_parts(folder))
    return sum(_are_among(snapshot, parts)) if parts else None


def held_out(folder: Path, snapshot: Snapshot) -> Snapshot:
    """`snapshot` with only those images in the validation split by which the run in `folder` was judged.

    WorkbenchError if all of them were learnt from, or if they are not known. Call it in a job.
    """
    among = judged(folder, snapshot)
    if not any(among):
        raise WorkbenchError(
            f"No image was held out from {folder.name}: they are no longer among these. Choose other images."
        )
    images = tuple(
        replace(image, split=Split.VALIDATION if judged else Split.TRAIN)
        for image, judged in zip(snapshot.images, among, strict=True)
    )
    return replace(snapshot, images=images)


def judged(folder: Path, snapshot: Snapshot) -> list[bool]:
    """For each image of `snapshot` whether the run in `folder` was judged by it; errors as of roles()."""
    return roles(folder, snapshot)[1]


def roles(folder: Path, snapshot: Snapshot) -> tuple[list[bool], list[bool]]:
    """For each image of `snapshot` whether the run in `folder` has learnt from it, and whether it was judged by it.

    WorkbenchError if all of them were learnt from, or if they are not known. Call it in a job.
    """
    from workbench.training import prepare

    try:
        request = record.read_request(folder)
    except WorkbenchError as error:
        raise WorkbenchError(
            f"There is no record of the images that {folder.name} held out. Choose other images.", error
        ) from error
    train, judges, _ = prepare.select_images(request.snapshot, request.recipe.training)
    if judges.files == train.files:
        raise WorkbenchError(f"No image was held out from {folder.name}: they are too few. Choose other images.")
    return _are_among(snapshot, [train]), _are_among(snapshot, [judges])


def _are_among(snapshot: Snapshot, parts: Sequence[Snapshot]) -> list[bool]:
    """For each image of `snapshot` whether it is in one of `parts`."""
    real = functools.cache(Path.resolve)  # a project may be opened through a link; there are few folders
    files = {real(file.parent) / file.name for part in parts for file in part.files}
    images = {_same(image) for part in parts for image in part.images}
    return [
        real(file.parent) / file.name in files or (image.date > 0 and _same(image) in images)
        for image, file in zip(snapshot.images, snapshot.files, strict=True)
    ]


def _same(image: Image) -> tuple[int, str, float]:
    """Not by id alone, which could be that of another project's image."""
    return image.id, image.path, image.date


def _parts(folder: Path) -> Iterator[Snapshot]:
    """The training images of the run and of the runs before it, as far back as there are records."""
    from workbench.training import prepare

    seen: set[Path] = set()
    while folder.resolve() not in seen:
        seen.add(folder.resolve())
        try:
            request = record.read_request(folder)
            yield prepare.select_images(request.snapshot, request.recipe.training)[0]
        except WorkbenchError:
            return
        if request.start is None:
            return
        folder = request.start.parent


def start_warning(start: Path, train: Snapshot, judges: Snapshot) -> str:
    """A warning if the AP of a training on `train` will be too good, because the weights in `start` have learnt images
    of `judges`; "" if they have learnt none of them, or nobody knows.

    If the training images themselves are the judges, there is another message for that.
    """
    known = count_learnt_images(start.parent, judges) if judges.files != train.files else None
    if not known:
        return ""
    number = f"{known:,} {'was' if known == 1 else 'were'}"
    return (
        f"Of the {count(len(judges), 'image')} to validate on, {number} learnt by the run {start.parent.name}, whose"
        " weights this training starts from: its AP is too good."
    )


def run_warning(name: str, learnt: int | None, images: int) -> str:
    """A warning that numbers of the run `name` on so many images are too good; "" if it has seen
    none, or nobody knows.
    """
    if not learnt:
        return ""
    return f"{_trained(name, learnt, images)} here, so its numbers are too good. {_FAIRER.format('it', 'it has not')}"


def folds_warning(learnt: int | None, images: int) -> str:
    """The same warning for a cross-validation: no run has learnt from the images that judge it, but perhaps the weights
    that it began with.
    """
    if not learnt:
        return ""
    return (
        f"{learnt:,} of {count(images, 'image')} here had been learnt by the weights that these runs began with, so the"
        " numbers are too good. To judge the images fairly, train the folds from fresh weights."
    )


def two_runs_warning(names: tuple[str, str], learnt: tuple[int | None, int | None], images: tuple[int, int]) -> str:
    """The same warning for two runs, in one sentence if both have seen some of the images."""
    one, other = zip(names, learnt, images, strict=True)
    if not learnt[0] or not learnt[1]:
        return run_warning(*one) or run_warning(*other)
    both = f"{_trained(names[0], learnt[0], images[0])} here, {names[1]} on {learnt[1]:,} of {images[1]:,}"
    return f"{both}, so their numbers are too good. {_FAIRER.format('them', 'neither has')}"


def _trained(name: str, learnt: int, images: int) -> str:
    return f"{name} was trained on {learnt:,} of {count(images, 'image')}"
