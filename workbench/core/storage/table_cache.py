"""Caches what is counted and sorted on opening a large project: 100,000 images are ready in 20 ms instead of 400.

It may be deleted or damaged at any time, and is only used for exactly the project file from which it was made.
"""

from __future__ import annotations

import io
import json
import logging
from pathlib import Path

import numpy as np

from workbench.core.files import atomic_write, stamp
from workbench.core.parsing import npz
from workbench.core.storage import file_checksum
from workbench.core.storage.box_counts import BoxCounts
from workbench.core.storage.image_table import COLUMNS, SPLITS, STATES, ImageTable

FROM = 5000
"""Number of images from which a cache is kept: fewer are read too fast to notice."""
_FILE = "images.npz"
_VERSION = 2
_PARTS = ("made_of", "ids", "paths", "words", "counts", "labels")
log = logging.getLogger(__name__)


def load(project_file: Path, cache_folder: Path) -> tuple[ImageTable, BoxCounts] | None:
    """The table and the counts, if they were cached for the project file as it is now."""
    file = cache_folder / _FILE
    try:
        made_of, ids, paths, words, counts, labels, *columns = npz.read(file, *_PARTS, *COLUMNS)
        about = dict(zip(COLUMNS, columns, strict=True))
        if made_of.tolist() != _identity(project_file) or any(len(column) != len(ids) for column in columns):
            return None
        if about["state"].max(initial=0) >= len(STATES) or about["split"].max(initial=0) >= len(SPLITS):
            return None
        texts = json.loads(words.tobytes())
        notes, problems = ({int(id): text for id, text in texts[key]} for key in ("notes", "problems"))
        return ImageTable(ids, about, paths.tobytes(), notes, problems), BoxCounts(counts, dict(labels.tolist()))
    except FileNotFoundError:
        return None
    except Exception as error:  # whatever is wrong, the project file has everything
        log.info("The cache %s is not used: %r", file, error)
        return None


def save(project_file: Path, cache_folder: Path, table: ImageTable, counts: BoxCounts) -> None:
    """Cache both for the next opening. OSError or WorkbenchError if that fails."""
    made_of = _identity(project_file)
    words = {"notes": list(table.notes.items()), "problems": list(table.problems.items())}
    parts = {
        "made_of": np.array(made_of, np.int64),
        "ids": table.ids,
        "paths": np.frombuffer(table.paths, np.uint8),
        "words": np.frombuffer(json.dumps(words).encode(), np.uint8),
        "counts": counts.by_id,
        "labels": np.array(list(counts.labels.items()), np.int64).reshape(-1, 2),
        "root": table.roots,
        "width": table.widths,
        "height": table.heights,
        "orientation": table.orientations,
        "date": table.dates,
        "state": table.states,
        "split": table.splits,
    }
    stream = io.BytesIO()
    np.savez(stream, allow_pickle=False, **parts)
    atomic_write(cache_folder / _FILE, stream.getvalue(), sync=False)


def is_kept(project_file: Path, cache_folder: Path) -> bool:
    """Whether there is a cache of the project file as it is now."""
    try:
        (made_of,) = npz.read(cache_folder / _FILE, "made_of")
        return bool(made_of.tolist() == _identity(project_file))
    except (OSError, ValueError):
        return False


def _identity(project_file: Path) -> list[int]:
    """Differs after every transaction: SQLite counts them in its header."""
    return [_VERSION, *stamp(project_file), *file_checksum.write_counts(project_file)]
