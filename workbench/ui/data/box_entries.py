"""Another label for many boxes, or none: the entries of a menu and what they do, each as one step of undo."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from PySide6.QtGui import QAction
from PySide6.QtWidgets import QInputDialog, QWidget

from workbench.core import edits
from workbench.core.formatting import count
from workbench.core.project import Box
from workbench.errors import WorkbenchError
from workbench.ui.actions import escape_mnemonics
from workbench.ui.session import Session
from workbench.ui.widgets.popups import Menu

Ids = Callable[[], tuple[int, ...]]


def add_box_entries(menu: Menu, session: Session, words: str, number: int, ids: Ids, owner: QWidget) -> None:
    """For the `number` boxes that `words` name; `ids` is asked when an entry is chosen. `owner`: of a dialog."""
    document = session.document
    assert document is not None
    labels = menu.below(f"Label of {words}")
    for label in document.labels():
        choice = labels.addAction(escape_mnemonics(label.name))
        choice.triggered.connect(lambda _=False, id=label.id: relabel(session, ids(), id))
    labels.addSeparator()
    labels.addAction("A new label…").triggered.connect(lambda: _ask_for_name(session, ids(), owner))
    delete = QAction(f"Delete {words}", menu)
    delete.triggered.connect(lambda: session.do(edits.RemoveBoxes(ids())))
    menu.addAction(delete)
    for entry in (labels.menuAction(), delete):
        entry.setEnabled(number > 0)


def relabel(session: Session, ids: tuple[int, ...], label: int) -> None:
    """Give these boxes this label, however many images they are in."""
    document = session.document
    if document is None:
        return
    boxes = _boxes(session, ids)
    if not boxes:
        return
    changed = tuple(dataclasses.replace(box, label=label) for box in boxes if box.label != label)
    if not changed:
        session.inform("These boxes have that label already." if len(ids) > 1 else "This box has that label already.")
        return
    many, name = count(len(changed), "box"), document.label(label).name
    done = session.do(edits.Batch((edits.ReplaceBoxes(changed),), f"Change {many} to '{name}'"))
    if done is not None and len(changed) > 1:  # a single one is seen, and the next may follow at once
        session.inform(f"{many} are '{name}' now. Undo takes it back.")


def split_off(session: Session, ids: tuple[int, ...], name: str) -> None:
    """Give these boxes a label of their own, called `name`; the same label's other boxes stay."""
    if name.strip() and (boxes := _boxes(session, ids)):
        session.split_off(boxes, name.strip())


def _boxes(session: Session, ids: tuple[int, ...]) -> tuple[Box, ...]:
    """None if one is gone, which is said: one that was just deleted is listed until all are read again."""
    try:
        return session.document.boxes_with(ids) if session.document is not None else ()
    except WorkbenchError as error:
        session.report_error(error)
        return ()


def _ask_for_name(session: Session, ids: tuple[int, ...], owner: QWidget) -> None:
    words = "A new label for this box:" if len(ids) == 1 else f"A new label for these {len(ids):,} boxes:"
    name, agreed = QInputDialog.getText(owner, "Split off a label", words)
    if agreed:
        split_off(session, ids, name)
