"""Caches what is counted and sorted on opening a large project: 100,000 images are ready in 20 ms instead of 400.

It may be deleted or damaged at any time, and is only used for exactly the project file from which it was made.
"""

from __future__ import annotations

import io
import json
import logging
import os
from pathlib import Path

import numpy as np

from workbench.core.box_counts import BoxCounts
from workbench.core.files import atomic_write
from workbench.core.image_table import COLUMNS, SPLITS, STATES, ImageTable

FROM = 5000
"""Number of images from which a cache is kept: fewer are read too fast to notice."""
_FILE = "images.npz"
_VERSION = 2
log = logging.getLogger(__name__)


def load(project_file: Path, cache_folder: Path) -> tuple[ImageTable, BoxCounts] | None:
    """The table and the counts, if they were cached for the project file as it is now."""
    file = cache_folder / _FILE
    if not file.is_file():
        return None
    try:
        with np.load(io.BytesIO(file.read_bytes()), allow_pickle=False) as kept:  # numpy leaves damaged files open
            if kept["made_of"].tolist() != _identity(project_file):
                return None
            columns = {name: kept[name] for name in COLUMNS}
            words = json.loads(kept["words"].tobytes())
            ids = kept["ids"]
            if any(len(column) != len(ids) for column in columns.values()):
                return None
            if columns["state"].max(initial=0) >= len(STATES) or columns["split"].max(initial=0) >= len(SPLITS):
                return None
            notes, problems = ({int(id): text for id, text in words[key]} for key in ("notes", "problems"))
            table = ImageTable(ids, columns, kept["paths"].tobytes(), notes, problems)
            return table, BoxCounts(kept["counts"], dict(kept["labels"].tolist()))
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
        with np.load(io.BytesIO((cache_folder / _FILE).read_bytes()), allow_pickle=False) as kept:
            return bool(kept["made_of"].tolist() == _identity(project_file))
    except Exception:
        return False


def _identity(project_file: Path) -> list[int]:
    """Differs after every transaction: SQLite counts them in its header (bytes 24 to 27)."""
    about = os.stat(project_file)
    with open(project_file, "rb") as stream:
        counter = int.from_bytes(stream.read(28)[24:28], "big")
    return [_VERSION, counter, about.st_size, about.st_mtime_ns]
