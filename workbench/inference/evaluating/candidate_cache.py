"""Keeps the candidates of a checkpoint beside its run, so that the Inspect page opens without running the network.

One file per checkpoint, `runs/<name>/candidates/<key>.npz`, with a row per image, recognised by the image's bytes. So
an image that was renamed or moved to another split is still known, and one that was changed is not. The file of weights
that a training has replaced goes. The folder can be deleted at any time. No torch here: the window reads this before
torch is loaded.

Predictions are kept bit for bit: float32 boxes and scores, and labels in as few bytes as possible, 21 bytes per
candidate. Half precision was refused: it would save 9 of them, but on generated splits of 400 images it changed mAP by
0.0006 in pictures of 640 pixels and by 0.003 in pictures of up to 4,000 (one label's AP by 0.013), and 1 to 3 % of the
boxes shown at a confidence of 0.25 came or went. 16-bit numbers on a grid of the image's own boxes and on the logarithm
of the odds do better (0.0001, 0.2 %), but then the second look at a run would differ from the first.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.core.detections import Candidates
from workbench.core.files import atomic_path
from workbench.core.parsing import npz
from workbench.errors import WorkbenchError

log = logging.getLogger(__name__)
VERSION = 2  # of the candidates: increase when decoding, fitting or clipping changes
FOLDER = "candidates"  # in the run's
_KEY = 24  # letters of a checkpoint's digest
_ARRAYS = ("images", "offsets", "boxes", "scores", "labels", "views", "sizes")
Seen = tuple[Candidates, tuple[int, int]]
"""What was found in an image, and its width and height as the file was read."""


def digest(file: Path) -> str:
    """SHA-256 of the file's bytes; OSError if it can't be read."""
    with open(file, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def key_of(checkpoint: Path) -> str:
    """What names the files that are kept of these weights; OSError if they can't be read."""
    return digest(checkpoint)[:_KEY]


def cache_file(run_folder: Path, checkpoint: Path) -> Path:
    """The file for the candidates of this checkpoint; its name depends on the checkpoint's content."""
    return run_folder / FOLDER / f"{key_of(checkpoint)}-{VERSION}.npz"


def image_digest(file: Path) -> str:
    """`digest`, or an empty string for a file that can't be read."""
    try:
        return digest(file)
    except OSError:
        return ""


def load(file: Path) -> dict[str, Seen]:
    """What was found, by the digest of the image. Empty if the file is missing or damaged, or of an earlier version: it
    is only a cache.
    """
    try:
        names, offsets, boxes, scores, labels, views, sizes = npz.read(file, *_ARRAYS)
        labels = labels.astype(np.int32)
        found = {}
        for name, span, n, size in zip(
            names.tolist(), pairwise(offsets.tolist()), views.tolist(), sizes.tolist(), strict=True
        ):
            rows = slice(*span)
            found[name] = Candidates(boxes[rows], scores[rows], labels[rows], n), (size[0], size[1])
        return found
    except (OSError, ValueError):
        return {}


def count(file: Path) -> int:
    """Of how many images candidates are in the file; 0 if it is missing or damaged."""
    try:
        return len(npz.read(file, "offsets")[0]) - 1
    except (OSError, ValueError):
        return 0


def save(file: Path, known: Mapping[str, Seen]) -> None:
    """Replace the file. If the run's folder is gone (renamed or deleted), nothing is written.

    If the file can't be written, which is only logged, the images will be predicted again another time: a full disk
    must not cost the result of an hour's work.
    """
    if not file.parent.parent.is_dir():
        return
    entries = [Candidates.none(), *(found for found, _ in known.values())]
    arrays = (
        np.array(list(known), "U64"),
        np.cumsum([len(found) for found in entries]),
        np.concatenate([found.boxes for found in entries]),
        np.concatenate([found.scores for found in entries]),
        _small(np.concatenate([found.labels for found in entries])),
        np.array([found.views for found in entries[1:]], np.int32),
        np.array([size for _, size in known.values()], np.int32).reshape(-1, 2),
    )
    try:
        with atomic_path(file) as temporary, open(temporary, "wb") as stream:
            np.savez(stream, **dict(zip(_ARRAYS, arrays, strict=True)))  # type: ignore[arg-type]
    except WorkbenchError as error:
        log.warning("%s", error.sentence)


def forget_former(file: Path) -> None:
    """Remove what lies beside this file of weights that no checkpoint of the run has any more, or of earlier versions:
    nobody would read it.
    """
    with contextlib.suppress(OSError):
        keys = [key_of(one) for one in file.parent.parent.glob("*.safetensors")]
        present = {file.name, *(f"{key}{file.name[_KEY:]}" for key in keys)}
        for other in file.parent.glob("*.npz"):
            if other.name not in present:
                other.unlink()


def _small(labels: NDArray[np.int32]) -> NDArray[Any]:
    """The same integers in the fewest bytes."""
    return labels.astype(
        np.promote_types(np.min_scalar_type(labels.min(initial=0)), np.min_scalar_type(labels.max(initial=0)))
    )
