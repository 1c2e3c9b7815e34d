"""Which edit of the journal touched which image, so that the history of an image need not read all others.

The table `touched` has a row for each of an edit's images, written in the edit's own transaction. Rows outlive edits
that were undone and dropped: their numbers are never given again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection

from workbench.core import journal
from workbench.errors import WorkbenchError

SCHEMA = """
CREATE TABLE touched (image INTEGER NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (image, seq)) STRICT, WITHOUT ROWID;
"""
ANY_IMAGE = 0
"""Stands for all images that an edit touched, if they are many or not known: it must be looked into for each image."""
LONG = 2_000_000
"""Characters from which an edit is not looked into: an import of ten thousand boxes."""
MANY = 1000
"""Images of one edit from which it has a single row: a division of 100,000 images would have as many, each time."""


def add(connection: sqlite3.Connection, seq: int, images: Collection[int]) -> None:
    """Index the edit `seq` by the ids of the images that it touched."""
    ids = (ANY_IMAGE,) if len(images) > MANY else images
    connection.executemany("INSERT INTO touched VALUES (?, ?)", ((id, seq) for id in ids))


def add_all(connection: sqlite3.Connection) -> None:
    """Make the table for a journal that has none: 200,000 edits take ten seconds."""
    connection.execute(SCHEMA)
    texts = connection.cursor()
    texts.row_factory = None
    texts.execute(
        "SELECT seq, iif(length(edit) + length(inverse) > ?1, NULL, edit), inverse FROM journal ORDER BY seq", (LONG,)
    )
    for seq, edit, inverse in texts:
        add(connection, seq, (ANY_IMAGE,) if edit is None else _touched(edit, inverse))


def _touched(edit: str, inverse: str) -> Collection[int]:
    try:
        return journal.from_json(edit).touches() | journal.from_json(inverse).touches()
    except WorkbenchError:  # of a newer version, or damaged
        return (ANY_IMAGE,)
