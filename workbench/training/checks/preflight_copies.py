"""Are copies of one picture in two splits? Identical files before reading, nearly the same pictures after.

`workbench check` finds both at any time, and can fix them.
"""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from workbench.core.decoding.fingerprint import fingerprint, near_groups
from workbench.core.formatting import count
from workbench.core.project import Snapshot, Split
from workbench.training.batches.data import Dataset
from workbench.training.checks.findings import WARNING, Finding
from workbench.training.settings import TrainingSettings

SAMPLE = 4096  # bytes
SPLITS_DECIDE = "Data > Check the data puts such images into one split."
FOLDS_DECIDE = "Whatever their splits are: delete all but one of each, or set Fold by so that they are in one fold."


def advice_for(settings: TrainingSettings) -> str:
    """By what decides which images judge a training with these settings."""
    return FOLDS_DECIDE if settings.folds else SPLITS_DECIDE


def of_files(snapshot: Snapshot, train: Snapshot, validation: Snapshot, advice: str) -> Iterator[Finding]:
    """Identical files in two splits, with that advice."""
    part = {image.id: "test" for image in snapshot.images if image.split is Split.TEST}
    part |= {image.id: "training" for image in train.images}
    if validation is not train:
        part |= {image.id: "validation" for image in validation.images}
    rows = [row for row, image in enumerate(snapshot.images) if image.id in part]
    groups = _same_files([snapshot.files[row] for row in rows])
    leaks = [[snapshot.images[rows[one]] for one in group] for group in groups]
    leaks = [group for group in leaks if len({part[image.id] for image in group}) > 1]
    if leaks:
        images = [image for group in leaks for image in group]
        where = " and ".join(sorted({part[image.id] for image in images}, reverse=True))
        one = leaks[0][0]
        other = next(image for image in leaks[0] if part[image.id] != part[one.id])
        sentence = f"The same file is in {where}, {count(len(leaks), 'time')}: {one.path} is {other.path}."
        found = tuple(image.id for image in images)
        yield Finding(WARNING, "leak", f"{sentence} AP will be too good.", advice, len(leaks), found)


def _same_files(files: Sequence[Path]) -> list[list[int]]:
    """Rows of identical files. Reads only files of the same length, and only likely copies completely."""
    groups = _alike(range(len(files)), lambda row: _length(files[row]))
    for part in (SAMPLE, None):
        groups = [same for rows in groups for same in _alike(rows, lambda row, part=part: _digest(files[row], part))]  # type: ignore[misc]
    return groups


def _alike(rows: Iterable[int], key: Callable[[int], object]) -> list[list[int]]:
    """Groups of two or more rows with the same key; None matches nothing."""
    groups: dict[object, list[int]] = defaultdict(list)
    for row in rows:
        value = key(row)
        if value is not None:
            groups[value].append(row)
    return [same for same in groups.values() if len(same) > 1]


def _length(file: Path) -> int | None:
    try:
        return file.stat().st_size
    except OSError:  # reported when it is read
        return None


def _digest(file: Path, part: int | None) -> bytes | None:
    """Of the file, or of `part` bytes from its middle: uncompressed pictures have equal lengths and heads."""
    try:
        with open(file, "rb") as stream:
            if part is None:
                return hashlib.file_digest(stream, "blake2b").digest()
            stream.seek(max(0, (os.fstat(stream.fileno()).st_size - part) // 2))
            return hashlib.blake2b(stream.read(part)).digest()
    except OSError:
        return None


def of_pictures(train: Dataset, validation: Dataset, advice: str) -> tuple[Finding, ...]:
    """Training pictures that are nearly the same as validation pictures, by the pixels that are in memory anyway.

    `advice` as in of_files(). A tenth of a millisecond per image. Nothing if the training images are evaluated.
    """
    ids = {image.id for image in train.snapshot.images}
    if any(image.id in ids for image in validation.snapshot.images):
        return ()
    learnt, judged = _whole(train), _whole(validation)  # tiles are often alike: sky, grass
    pictures = [(data, index) for data, some in ((train, learnt), (validation, judged)) for index in some]
    images = [data.snapshot.images[index] for data, index in pictures]
    prints = [fingerprint(_picture(data, index)) for data, index in pictures]
    groups = [rows for rows in near_groups(prints) if min(rows) < len(learnt) <= max(rows)]
    if not groups:
        return ()
    first = groups[0]
    names = f"{images[first[0]].path} is {images[next(r for r in first if r >= len(learnt))].path}"
    sentence = f"Nearly the same picture is in training and validation, {count(len(groups), 'time')}: {names}."
    found = tuple(images[row].id for rows in groups for row in rows)
    return (Finding(WARNING, "leak", sentence, f"AP will be too good. {advice}", len(groups), found),)


def _whole(data: Dataset) -> list[int]:
    """Indices of the images that are not tiles of one."""
    return [index for index in range(len(data)) if data.snapshot.place(index) is None]


def _picture(data: Dataset, index: int) -> NDArray[np.uint8]:
    """(h, w, 3): the image without a letterbox's grey, which is alike in all, and slow to compare in many."""
    pixels, way = data.pixels[data.rows[index]], data.fits[index]
    across, down = int(way.pad_x), int(way.pad_y)
    return np.asarray(pixels[down : data.side - down, across : data.side - across])
