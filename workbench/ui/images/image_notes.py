"""Notes on images: one for several, or one more on each, which the fields for names then find."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtWidgets import QInputDialog, QWidget

from workbench.core import edits
from workbench.core.edits import Edit, SetNote
from workbench.core.formatting import count, one_line
from workbench.ui.session import Session

BETWEEN = "; "
"""Between the notes of one image."""


def ask_for_note(session: Session, images: tuple[int, ...], owner: QWidget) -> None:
    """Change the note that all of these images have; if theirs differ, as those of frames do, add one to each."""
    document = session.document
    if document is None or not images or not session.may_change():
        return
    notes = document.images().notes
    before = {id: notes.get(id, "") for id in images}
    same = len(set(before.values())) == 1
    words = f"A note on {count(len(images), 'image')}; the field for names finds it."
    if not same:
        words += "\nTheir notes differ, so it is added to each."
    note, agreed = QInputDialog.getText(owner, "Note", words, text=before[images[0]] if same else "")
    edit = noting(before, one_line(note), adds=not same) if agreed else None
    if edit is not None:
        session.do(edit)


def noting(before: Mapping[int, str], note: str, *, adds: bool) -> Edit | None:
    """The edit that gives the images with these notes another one; with `adds`, one more unless they have it.

    None if that changes nothing.
    """
    changed: dict[str, list[int]] = {}
    for id, old in before.items():
        new = note
        if adds and old:
            new = old if not note or note in old.split(BETWEEN) else f"{old}{BETWEEN}{note}"
        if new != old:
            changed.setdefault(new, []).append(id)
    parts = [SetNote(tuple(ids), new) for new, ids in changed.items()]
    if len(parts) > 1:
        return edits.Batch(tuple(parts), f"Note on {count(sum(map(len, changed.values())), 'image')}")
    return parts[0] if parts else None
