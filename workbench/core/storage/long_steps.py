"""Undo and redo of steps that take seconds, such as an import of a million boxes, on a connection of their own.

The window goes on showing the project as it was. Its own connection waits only while the transaction is written at the
end: until then all changed pages are held in memory, as a file that is written to early can't be read by others.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from workbench.core.edits import Edit
from workbench.core.storage import undo_steps
from workbench.core.storage.contents import Contents
from workbench.core.storage.rows import Connection
from workbench.core.store import FILE, Store
from workbench.errors import WorkbenchError

LONG = 4 << 20
"""Bytes of edits that take half a second: 40,000 boxes."""
MANY = 500
"""Steps that take as long, however small."""
_CACHE = 2 << 20
"""KiB of pages, more than any step has."""
_OFTEN = 20_000
"""SQLite's instructions between two looks whether to stop: some milliseconds."""


@dataclass(frozen=True, slots=True)
class LongStep:
    """What was done: as the parameters of Document.tell."""

    kind: str
    edit: Edit
    inverse: Edit
    title: str
    steps: int


def is_long(store: Store, numbers: Sequence[int]) -> bool:
    """Whether undoing or redoing these edits takes long. Their texts are not read."""
    return len(numbers) > MANY or store.read(lambda connection: _size(connection, numbers)) > LONG


def _size(connection: Connection, numbers: Sequence[int]) -> int:
    size = 0
    for number in numbers:
        for text in ("edit", "inverse"):
            with connection.blobopen("journal", text, number, readonly=True) as blob:
                size += len(blob)
    return size


def apply(folder: Path, kind: str, numbers: Sequence[int], stop: threading.Event) -> LongStep | None:
    """Undo or redo these edits of the project in `folder`, all or none; None, and nothing is changed, after `stop`.

    Any thread; the project is open for editing in this process, which makes no edit meanwhile. WorkbenchError.
    """
    with Store(folder / FILE, check=False) as store:
        store.connection.execute(f"PRAGMA cache_size = -{_CACHE}")
        store.connection.execute("PRAGMA cache_spill = OFF")
        store.connection.set_progress_handler(stop.is_set, _OFTEN)
        try:
            with store.transaction(edits=True) as connection:
                project = Contents(folder, store, cached=False)
                edit, inverse, title = undo_steps.apply_steps(connection, project, kind, numbers)
                if stop.is_set():
                    raise WorkbenchError("It was stopped.")
        except WorkbenchError:
            if stop.is_set():
                return None
            raise
    return LongStep(kind, edit, inverse, title, len(numbers))
