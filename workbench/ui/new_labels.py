"""Label names given as a list, pasted into the field for one or from a text file: all are added in one edit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from workbench.core import formatting
from workbench.core.label_lists import add_labels_edit
from workbench.ui.session import Session

if TYPE_CHECKING:
    from workbench.core.applied_edit import AppliedEdit


def add(session: Session, names: Sequence[str]) -> AppliedEdit | None:
    """Create those labels that are new, and say how many there were; None if none is new."""
    document = session.document
    if document is None:
        return None
    edit = add_labels_edit(names, document.labels())
    there = len(names) - (len(edit.labels) if edit else 0)
    if edit is None:
        session.inform("This label is there already." if there == 1 else f"All {there:,} labels are there already.")
        return None
    applied = session.do(edit)
    if applied is not None:
        also = f" {there:,} {'was' if there == 1 else 'were'} there already." if there else ""
        session.inform(f"{formatting.count(len(edit.labels), 'label')} added.{also}")
    return applied
