"""Keeps the candidates of a checkpoint beside its run, so that the Inspect page opens without running the network.

One file per checkpoint, `runs/<name>/candidates/<key>.npz`, with a row per image, recognised by the image's bytes. So
an image that was renamed or moved to another split is still known, and one that was changed is not. The folder can be
deleted at any time. No torch here: the window reads this before torch is loaded.

Predictions are kept bit for bit: float32 boxes and scores, and labels in as few bytes as possible, 21 bytes per
candidate. Half precision was refused: it would save 9 of them, but on generated splits of 400 images it changed mAP by
0.0006 in pictures of 640 pixels and by 0.003 in pictures of up to 4,000 (one label's AP by 0.013), and 1 to 3 % of the
boxes shown at a confidence of 0.25 came or went. 16-bit numbers on a grid of the image's own boxes and on the logarithm
of the odds do better (0.0001, 0.2 %), but then the second look at a run would differ from the first.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.core import npz
from workbench.core.detections import Candidates
from workbench.core.files import atomic_path
from workbench.errors import WorkbenchError

log = logging.getLogger(__name__)
VERSION = 2  # of the candidates: increase when decoding, fitting or clipping changes


def digest(file: Path) -> str:
    """SHA-256 of the file's bytes; OSError if it can't be read."""
    with open(file, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def cache_file(run_folder: Path, checkpoint: Path) -> Path:
    """The file for the candidates of this checkpoint; its name depends on the checkpoint's content."""
    return run_folder / "candidates" / f"{digest(checkpoint)[:24]}-{VERSION}.npz"


def image_digest(file: Path) -> str:
    """`digest`, or an empty string for a file that can't be read."""
    try:
        return digest(file)
    except OSError:
        return ""


def load(file: Path) -> dict[str, Candidates]:
    """Candidates by the digest of their image. Empty if the file is missing or damaged: it is only a cache."""
    try:
        names, offsets, boxes, scores, labels = npz.read(file, "images", "offsets", "boxes", "scores", "labels")
        spans, labels = [slice(*pair) for pair in pairwise(offsets.tolist())], labels.astype(np.int32)
        views = _views(file, len(spans))
        found = [Candidates(boxes[span], scores[span], labels[span], n) for span, n in zip(spans, views, strict=True)]
        return dict(zip(names.tolist(), found, strict=True))
    except (OSError, ValueError):
        return {}


def _views(file: Path, count: int) -> list[int]:
    """Of how many views each image's candidates are; one for files from before December 2026."""
    try:
        return [int(number) for number in npz.read(file, "views")[0]]
    except ValueError:
        return [1] * count


def sizes(file: Path) -> dict[str, tuple[int, int]]:
    """Width and height of the images when they were read, by digest; unknown for files from before November 2026."""
    try:
        names, found = npz.read(file, "images", "sizes")
        pairs = zip(names.tolist(), found.tolist(), strict=True)
        return {name: (width, height) for name, (width, height) in pairs if width}
    except (OSError, ValueError):
        return {}


def save(
    file: Path, known: Mapping[str, Candidates], sizes: Mapping[str, tuple[int, int]] = MappingProxyType({})
) -> None:  # fmt: skip
    """Replace the file. If the run's folder is gone (renamed or deleted), nothing is written.

    If the file can't be written, which is only logged, the images will be predicted again another time: a full disk
    must not cost the result of an hour's work.
    """
    if not file.parent.parent.is_dir():
        return
    entries = [Candidates.none(), *known.values()]
    arrays = {
        "images": np.array(list(known), "U64"),
        "offsets": np.cumsum([0, *(len(found) for found in known.values())]),
        "boxes": np.concatenate([found.boxes for found in entries]),
        "scores": np.concatenate([found.scores for found in entries]),
        "views": np.array([found.views for found in known.values()], np.int32),
        "sizes": np.array([sizes.get(name, (0, 0)) for name in known], np.int32).reshape(-1, 2),
        "labels": _small(np.concatenate([found.labels for found in entries])),
    }
    try:
        with atomic_path(file) as temporary, open(temporary, "wb") as stream:
            np.savez(stream, **arrays)  # type: ignore[arg-type]
    except WorkbenchError as error:
        log.warning("%s", error.sentence)


def _small(labels: NDArray[np.int32]) -> NDArray[Any]:
    """The same integers in the fewest bytes."""
    return labels.astype(
        np.promote_types(np.min_scalar_type(labels.min(initial=0)), np.min_scalar_type(labels.max(initial=0)))
    )
