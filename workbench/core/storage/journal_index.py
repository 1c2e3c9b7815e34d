"""Which edit of the journal touched which image, so that the history of an image need not read all others.

The table `touched` has a row for each of an edit's images, written in the edit's own transaction. Rows outlive edits
that were undone and dropped: their numbers are never given again.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Collection

from workbench.core.edits import Edit
from workbench.core.storage import journal
from workbench.errors import WorkbenchError

SCHEMA = """
CREATE TABLE touched (image INTEGER NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (image, seq)) STRICT, WITHOUT ROWID;
"""
ANY_IMAGE = 0
"""Stands for all images that an edit touched, if they are many or not known: it must be looked into for each image."""
TOO_LONG = -1
"""Stands for them if the edit is LONG, too: then not even its length is asked, which would read all of it."""
LONG = 2_000_000
"""Characters from which an edit is not looked into: an import of ten thousand boxes."""
MANY = 1000
"""Images of one edit from which it has a single row: a division of 100,000 images would have as many, each time."""


def write(connection: sqlite3.Connection, title: str, edit: Edit, inverse: Edit) -> None:
    """Add an edit that was just applied to the journal and to the index."""
    texts = journal.to_json(edit), journal.to_json(inverse)
    row = connection.execute(
        "INSERT INTO journal (time, title, edit, inverse, undone) VALUES (?, ?, ?, ?, 0)", (time.time(), title, *texts)
    )
    add(connection, int(row.lastrowid or 0), edit.touches() | inverse.touches(), sum(map(len, texts)))


def add(connection: sqlite3.Connection, seq: int, images: Collection[int], length: int) -> None:
    """Index the edit `seq` by the ids of the images that it touched; `length`: its characters in the journal."""
    ids = images if len(images) <= MANY else (TOO_LONG if length > LONG else ANY_IMAGE,)
    connection.executemany("INSERT INTO touched VALUES (?, ?)", ((id, seq) for id in ids))


def add_all(connection: sqlite3.Connection) -> None:
    """Make the table for a journal that has none: 200,000 edits take a few seconds."""
    connection.execute(SCHEMA)
    texts = connection.cursor()
    texts.row_factory = None
    texts.execute(
        "SELECT seq, iif(length(edit) + length(inverse) > ?1, NULL, edit), inverse FROM journal ORDER BY seq", (LONG,)
    )
    for seq, edit, inverse in texts:
        add(connection, seq, (TOO_LONG,) if edit is None else _touched(edit, inverse), 0)


def _touched(edit: str, inverse: str) -> Collection[int]:
    try:
        images = journal.from_json(edit).touches() | journal.from_json(inverse).touches()
    except (WorkbenchError, TypeError):  # of a newer version, or damaged
        return (ANY_IMAGE,)
    return images if all(type(id) is int and 0 < id < 1 << 63 for id in images) else (ANY_IMAGE,)
