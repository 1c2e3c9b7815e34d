"""Lets a reader open a project's file whose last edit was interrupted: a copy in which SQLite rolled it back.

When such a file is opened for editing, SQLite does that in the file itself; a reader must not write, and often can't.
"""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import tempfile
from pathlib import Path

from workbench.errors import WorkbenchError

_TRIES = 5
"""How often to try: another program may open the file for editing, and so change it, while it is copied."""


def needs_rollback(connection: sqlite3.Connection) -> bool:
    """Whether a process died in a transaction on this file. SQLite must then roll it back, which a reader can't."""
    try:
        connection.execute("PRAGMA schema_version").fetchone()
    except sqlite3.OperationalError as error:
        return error.sqlite_errorcode == sqlite3.SQLITE_READONLY_ROLLBACK
    except sqlite3.Error:
        pass  # the next reading reports it
    return False


class RolledBackCopy:
    """A rolled back copy of a project's file: `file`, until `close`.

    OSError if there is no room for it; WorkbenchError if another program keeps writing while it is copied.
    """

    def __init__(self, file: Path) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="workbench-", ignore_cleanup_errors=True)
        self.file = Path(self._folder.name) / file.name
        try:
            self._copy(file)
            with contextlib.closing(sqlite3.connect(self.file)) as connection:
                connection.execute("PRAGMA schema_version").fetchone()  # the first read rolls the edit back
        except BaseException:
            self.close()
            raise

    def _copy(self, file: Path) -> None:
        journal = _journal(file)
        for _ in range(_TRIES):
            before = _state(file)
            shutil.copyfile(file, self.file)
            try:
                shutil.copyfile(journal, _journal(self.file))
            except FileNotFoundError:  # the edit has just been rolled back in the file itself
                _journal(self.file).unlink(missing_ok=True)
            if _state(file) == before:
                return
        raise WorkbenchError(f"Another program is writing to {file}. Try again in a moment.")

    def close(self) -> None:
        self._folder.cleanup()


def _journal(file: Path) -> Path:
    return file.with_name(f"{file.name}-journal")


def _state(file: Path) -> list[tuple[int, int] | None]:
    """A value that differs after each write."""
    found: list[tuple[int, int] | None] = []
    for part in (file, _journal(file)):
        try:
            about = part.stat()
            found.append((about.st_mtime_ns, about.st_size))
        except FileNotFoundError:
            found.append(None)
    return found
