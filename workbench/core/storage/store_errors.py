"""What goes wrong with a project's file, as sentences: SQLite's errors and the disk's."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from workbench.errors import Damaged, WorkbenchError

_DAMAGE = (
    *("malformed", "not a database", "unsupported file format", "decode to UTF-8"),
    *("no such table", "no such column", "duplicate column", "already exists"),  # contradicts its version
)


def damaged(file: Path, cause: object) -> Damaged:
    """The error for a project's file that is damaged."""
    return Damaged(f"The project file {file} is damaged and was left as it is.", cause)


def absent(file: Path) -> WorkbenchError:
    """The error for a project's file that is not there."""
    return WorkbenchError(
        f"There is no project in {file.parent} (no {file.name}). Choose another folder, or make a new one."
    )


@contextlib.contextmanager
def sentences(file: Path, *, edits: bool = False) -> Iterator[None]:
    """Turn SQLite's and the disk's errors into sentences. `edits`: in one, so they say that it was lost."""
    lost = " The last edit was not saved, but everything before it was." if edits else ""
    try:
        yield
    except UnicodeDecodeError as error:  # sqlite3's message about a damaged page contains bytes of it
        raise damaged(file, "its text can't be read") from error
    except UnicodeEncodeError as error:
        raise WorkbenchError(
            "That was not saved: the text has half of a character in it, which no file can hold. Type it again.", error
        ) from error
    except sqlite3.DatabaseError as error:
        raise _of_sqlite(file, error, lost) from error
    except OSError as error:
        raise WorkbenchError(
            f"{file} could not be read or written: {error.strerror or error}.{lost} Check its disk and permissions.",
            error,
        ) from error


def _of_sqlite(file: Path, error: sqlite3.DatabaseError, lost: str) -> WorkbenchError:
    text, name = str(error), getattr(error, "sqlite_errorname", "")
    if name == "SQLITE_READONLY_DBMOVED":
        return WorkbenchError(
            f"{file} was moved, replaced or deleted while it was open.{lost} Open the project again where it is now.",
            error,
        )
    if "full" in text:
        return WorkbenchError(f"The disk of {file.parent} is full.{lost} Make room and do it again.", error)
    if any(words in text for words in _DAMAGE):
        return damaged(file, text)
    if "locked" in text:
        return WorkbenchError(f"Another program is writing to {file}. Try again in a moment.", error)
    if "disk I/O error" in text:
        return WorkbenchError(
            f"Reading or writing on the disk of {file.parent} failed.{lost} Check whether the disk is full, was removed"
            " or is failing, then do it again.",
            f"{error} ({name})",
        )
    if "readonly" in text or "unable to open" in text:
        return WorkbenchError(f"{file} can't be written or opened.{lost} Check the folder's permissions.", error)
    return WorkbenchError(f"The project file {file} gave an error: {text}.{lost}", error)
