"""Steps that take seconds, such as the import of a million boxes and its undo, on a connection of their own.

The window goes on showing the project as it was. Its own connection waits only while the transaction is written at the
end: until then all changed pages are held in memory, as a file that is written to early can't be read by others.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from workbench.core.applied_edit import AppliedEdit
from workbench.core.document import Document
from workbench.core.storage.rows import Connection
from workbench.core.store import FILE, Store
from workbench.errors import WorkbenchError

T = TypeVar("T")
LONG = 4 << 20
"""Bytes of edits that take half a second."""
MANY_BOXES = 40_000
"""Boxes that do."""
MANY_STEPS = 500
"""Steps that take as long, however small."""
_CACHE = 2 << 20
"""KiB of pages, more than any step has."""
_OFTEN = 20_000
"""SQLite's instructions between two looks whether to stop: some milliseconds."""


def is_long(store: Store, numbers: Sequence[int]) -> bool:
    """Whether undoing or redoing these edits takes long. Their texts are not read."""
    return len(numbers) > MANY_STEPS or store.read(lambda connection: _size(connection, numbers)) > LONG


def _size(connection: Connection, numbers: Sequence[int]) -> int:
    size = 0
    for number in numbers:
        for text in ("edit", "inverse"):
            with connection.blobopen("journal", text, number, readonly=True) as blob:
                size += len(blob)
    return size


def beside(
    folder: Path, act: Callable[[Document], T], stop: threading.Event
) -> tuple[T, tuple[AppliedEdit, ...]] | None:
    """What `act` returns, given the project in `folder`, and the edits that it has made; None after `stop`.

    Any thread. The project is open for editing in this process, where nobody edits it meanwhile. Stopping undoes the
    edit that is being made. WorkbenchError.
    """
    made = list[AppliedEdit]()
    with Store(folder / FILE, check=False) as store:
        store.connection.execute(f"PRAGMA cache_size = -{_CACHE}")
        store.connection.execute("PRAGMA cache_spill = OFF")
        store.connection.set_progress_handler(stop.is_set, _OFTEN)
        document = Document(folder, store, None, cached=False)
        document.listen(made.append)
        try:
            return act(document), tuple(made)
        except WorkbenchError:
            if stop.is_set():
                return None
            raise
