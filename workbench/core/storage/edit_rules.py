"""What an edit may not do, whatever the project's file would take: renumber locked labels, or give odd names."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from workbench.core import formatting
from workbench.core.edits import AddLabels, ChangeLabel, Edit, MergeLabels, RemoveLabel, walk
from workbench.core.project import Label
from workbench.errors import WorkbenchError


def renumbers(edit: Edit, labels: Iterable[Label]) -> bool:
    """Whether one of these labels would be removed, or get another position on export."""
    places = {label.id: label.position for label in labels}
    return any(
        isinstance(part, RemoveLabel | MergeLabels)
        or (isinstance(part, ChangeLabel) and part.label.position != places.get(part.label.id))
        for part in walk(edit)
    )


def check_names(edit: Edit, known: Collection[str]) -> None:
    """WorkbenchError for names that formats would change, except those already `known`: projects may be older."""
    for part in walk(edit):
        labels = part.labels if isinstance(part, AddLabels) else (part.label,) if isinstance(part, ChangeLabel) else ()
        for name in (label.name for label in labels):
            if name.strip() and name not in known and formatting.one_line(name) != name:
                raise WorkbenchError(
                    "A label's name is one line without spaces at its ends or invisible characters, not"
                    f" '{formatting.visible(name)}'."
                )
