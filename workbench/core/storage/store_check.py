"""Checks every page of a project's file in a process of its own, while the project is edited in this one.

When a process closes a file, the system takes away all locks that the process has on it, also that of an edit that is
just being written (POSIX; https://sqlite.org/howtocorrupt.html, section 2.2). SQLite keeps its own files open for that;
the checksum (core.storage.file_checksum) reads the bytes past SQLite, so not in the process that edits.
"""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

from workbench.core import child_process
from workbench.core.child_process import ChildEnded, ChildProcess
from workbench.core.store import Store
from workbench.errors import Damaged, WorkbenchError


def check(file: Path) -> None:
    """Damaged if the project file is; nothing happens if that can't be told."""
    with contextlib.suppress(ChildEnded, OSError), contextlib.closing(ChildProcess(__name__, str(file))) as child:
        if found := child.receive():
            raise Damaged(*found)


def main() -> None:
    """The child: sends what is wrong with the file, as the values of an error, or nothing."""
    child_process.begin()
    found: list[str] = []
    try:
        Store(Path(sys.argv[1]), read_only=True).close()
    except Damaged as damage:
        found = [damage.sentence, damage.cause]
    except WorkbenchError:  # moved, or its disk is gone: whoever uses it is told
        pass
    child_process.send(found)


if __name__ == "__main__":
    main()
