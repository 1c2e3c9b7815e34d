"""The thumbnails of a project on disk: one SQLite file in its cache, which keeps the most recently used.

It may be deleted, locked or damaged at any time: every failure only means that thumbnails are made again.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3

FILE = "thumbnails.sqlite"
"""In the project's cache."""
SIZE = 1 << 30
"""Bytes from which the least recently used go: some 130,000 thumbnails."""
EACH = 200
"""Thumbnails added between two looks at the size; twice as many go at a time, which takes some 50 ms."""
_USED_FOR = 7
"""Days in which a thumbnail that is shown again is not noted once more."""
_VERSION = 1
_DAY = 86_400
_SCHEMA = """
CREATE TABLE IF NOT EXISTS thumbnail (key TEXT PRIMARY KEY, jpeg BLOB NOT NULL);
ALTER TABLE thumbnail ADD COLUMN used INTEGER NOT NULL DEFAULT 0;
CREATE INDEX thumbnail_used ON thumbnail (used);
"""
"""`used`: the day on which it was made or shown last, since 1970. Older files have none."""


def load(cache: Path, key: str) -> bytes | None:
    """The JPEG file kept as `key` in the file `cache`, or None."""
    import sqlite3  # after the window is painted

    found: bytes | None = None
    if cache.is_file():
        with contextlib.suppress(sqlite3.Error), _connected(cache) as connection:
            row = connection.execute("SELECT * FROM thumbnail WHERE key = ?", (key,)).fetchone()
            if row is not None:
                found = bytes(row[1])
                if len(row) > 2 and row[2] < _today() - _USED_FOR:  # an older file may be on a disk only to be read
                    connection.execute("UPDATE thumbnail SET used = ? WHERE key = ?", (_today(), key))
    return found


def store(cache: Path, file: Path, key: str, jpeg: bytes) -> None:
    """Keep the JPEG file of the image `file` as `key`, which begins with the file's name, time and size.

    Those of the image as it was before it was changed go, and the least recently used if all take more than SIZE.
    """
    import sqlite3

    with contextlib.suppress(sqlite3.Error, OSError):
        cache.parent.mkdir(exist_ok=True)
        with _connected(cache) as connection:
            _add_columns(connection)
            time, size = key[len(_begin(file)) :].split("|")[:2]
            current = f"{_begin(file)}{time}|{size}|"
            outdated = [(one,) for one in _keys(connection, file) if not one.startswith(current)]
            connection.executemany("DELETE FROM thumbnail WHERE key = ?", outdated)
            row = connection.execute("INSERT OR REPLACE INTO thumbnail VALUES (?, ?, ?)", (key, jpeg, _today()))
            if (row.lastrowid or 0) % EACH == 0:
                _trim(connection)


def last_seen(cache: Path, files: Sequence[Path]) -> dict[Path, tuple[int, int]]:
    """When these files were changed (ns) and their size in bytes, by their newest thumbnails; they may be gone now."""
    import sqlite3

    found: dict[Path, tuple[int, int]] = {}
    if not cache.is_file():
        return found
    with contextlib.suppress(sqlite3.Error, ValueError), contextlib.closing(sqlite3.connect(cache)) as connection:
        for file in files:
            keys = _keys(connection, file)
            stamps = [tuple(map(int, key[len(_begin(file)) :].split("|")[:2])) for key in keys]
            if stamps:
                time, size = max(stamps)
                found[file] = time, size
    return found


@contextlib.contextmanager
def _connected(cache: Path) -> Iterator[sqlite3.Connection]:
    """One transaction."""
    import sqlite3

    with contextlib.closing(sqlite3.connect(cache, timeout=1)) as connection, connection:
        connection.execute("PRAGMA synchronous = OFF")
        yield connection


def _add_columns(connection: sqlite3.Connection) -> None:
    """Make the table, or give that of an earlier version what it lacks."""
    if connection.execute("PRAGMA user_version").fetchone()[0] < _VERSION:
        connection.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {_VERSION}; COMMIT;")


def _trim(connection: sqlite3.Connection) -> None:
    """Let the least recently used go if all are too large; the room is used again, not given back."""
    pages, free, size = (
        connection.execute(f"PRAGMA {asked}").fetchone()[0] for asked in ("page_count", "freelist_count", "page_size")
    )
    if (pages - free) * size > SIZE:
        oldest = "SELECT rowid FROM thumbnail ORDER BY used, rowid LIMIT ?"
        connection.execute(f"DELETE FROM thumbnail WHERE rowid IN ({oldest})", (2 * EACH,))


def _begin(file: Path) -> str:
    return f"{file}|"


def _keys(connection: sqlite3.Connection, file: Path) -> list[str]:
    """The keys of the thumbnails of this file."""
    asked = "SELECT key FROM thumbnail WHERE key >= ? AND key < ?"
    return [str(row[0]) for row in connection.execute(asked, (_begin(file), f"{file}{chr(ord('|') + 1)}"))]


def _today() -> int:
    return int(time.time()) // _DAY
