"""Undoes and redoes edits of the journal, any number of them in one transaction."""

from __future__ import annotations

from collections.abc import Sequence

from workbench.core.edits import Batch, Edit
from workbench.core.formatting import count
from workbench.core.former_names import undone_names
from workbench.core.storage import journal
from workbench.core.storage.contents import Contents
from workbench.core.storage.rows import Connection
from workbench.core.store import IN_FORCE, Store
from workbench.errors import WorkbenchError


def undoable(store: Store, after: int | None = None) -> list[int]:
    """The numbers of the edits in force that are newer than the edit `after`, newest first; None: of the newest one."""
    if after is None:
        return _numbers(store, "SELECT seq FROM journal WHERE undone = 0 ORDER BY seq DESC LIMIT 1")
    return _numbers(store, "SELECT seq FROM journal WHERE undone = 0 AND seq > ? ORDER BY seq DESC", after)


def redoable(store: Store, up_to: int | None = None) -> list[int]:
    """The numbers of the undone edits up to the edit `up_to`, oldest first; None: of the first one."""
    if up_to is None:
        return _numbers(store, f"SELECT seq FROM journal WHERE seq > {IN_FORCE} ORDER BY seq LIMIT 1")
    return _numbers(store, f"SELECT seq FROM journal WHERE seq > {IN_FORCE} AND seq <= ? ORDER BY seq", up_to)


def between(store: Store, seq: int) -> tuple[str, list[int]]:
    """What makes edit `seq` the newest in force (0: none is): "undo" or "redo", and of which edits, in order.

    WorkbenchError if there is no such edit.
    """
    if seq and not store.rows("SELECT 1 FROM journal WHERE seq = ?", seq):
        raise WorkbenchError("That step is no longer in the project's history.")
    back = undoable(store, seq)
    return ("undo", back) if back else ("redo", redoable(store, seq))


def _numbers(store: Store, asked: str, *values: int) -> list[int]:
    return [row["seq"] for row in store.rows(asked, *values)]


def apply_steps(connection: Connection, project: Contents, kind: str, numbers: Sequence[int]) -> tuple[Edit, Edit, str]:
    """Undo or redo these edits, in this order; returns what was done, its inverse and a title.

    WorkbenchError if one can't be read; the transaction must then be rolled back.
    """
    titles, done, inverses = list[str](), list[Edit](), list[Edit]()
    for number in numbers:
        (row,) = connection.execute("SELECT title, edit, inverse FROM journal WHERE seq = ?", (number,))
        edit = journal.from_json(row["inverse"] if kind == "undo" else row["edit"])
        now = Contents(project.folder, project.store)  # with the labels as the step before left them
        names = undone_names(edit, now) if kind == "undo" else None
        applied, inverse = edit.apply(connection)
        if names is not None:
            names.apply(connection)
        connection.execute("UPDATE journal SET undone = ? WHERE seq = ?", (int(kind == "undo"), number))
        titles.append(row["title"])
        done.append(applied)
        inverses.append(inverse)
    if len(numbers) == 1:
        return done[0], inverses[0], titles[0]
    title = count(len(numbers), "step")
    return Batch(tuple(done), title), Batch(tuple(reversed(inverses)), title), title
