"""The former names of labels: networks trained earlier only know those.

Kept as a setting of the project by the very edits that rename or merge labels, so that undo takes it back with them.
A network may also have been trained with a name that undo took from its label: those are a setting of their own, which
no edit changes, so that it outlasts every undo.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from workbench.core.edits import Batch, ChangeLabel, ChangeSetting, Edit, MergeLabels, walk

if TYPE_CHECKING:
    from workbench.core.contents import Contents

Former = Iterable[tuple[str, str]]
"""Pairs of a label's former and present name."""
SETTING, UNDONE = "labels.former names", "labels.undone names"


def former_names(project: Contents) -> Mapping[str, int]:
    """Label ids by former name; names that a label has now are left out."""
    now = {label.name for label in project.labels()}
    return {name: id for name, id in _kept(project).items() if name not in now}


def _kept(project: Contents) -> dict[str, int]:
    """Those of both settings; what edits kept goes before what undo left."""
    both = [kept for key in (UNDONE, SETTING) if isinstance(kept := project.setting(key), dict)]
    return {str(name): int(id) for kept in both for name, id in kept.items()}


def names_now(project: Contents) -> tuple[tuple[str, str], ...]:
    """The same as (former name, present name), without deleted labels."""
    now = {label.id: label.name for label in project.labels()}
    return tuple((name, now[id]) for name, id in former_names(project).items() if id in now)


def called_now(names: Sequence[str], former: Former) -> tuple[str, ...]:
    """A run's labels by their present names, without duplicates: a merged label keeps its own."""
    now, taken, called = dict(former), set(names), []
    for name in names:
        called.append(name if now.get(name, name) in taken else now[name])
        taken.add(called[-1])
    return tuple(called)


def colours(project: Contents) -> dict[str, str]:
    """The labels' colours by every name they have or had."""
    own = {label.name: label.colour for label in project.labels()}
    return {former: own[now] for former, now in names_now(project)} | own


def keeping_names(edit: Edit, project: Contents) -> Edit:
    """The edit, extended so that it also keeps the names of the project's labels that it renames or merges."""
    names = {label.id: label.name for label in project.labels()}
    before = _kept(project)
    after = dict(before)
    for part in walk(edit):
        if isinstance(part, ChangeLabel) and names.get(part.label.id, part.label.name) != part.label.name:
            after[names[part.label.id]] = part.label.id
        elif isinstance(part, MergeLabels) and part.source in names:
            after = {name: part.target if id == part.source else id for name, id in after.items()}
            after[names[part.source]] = part.target
    return edit if after == before else Batch((edit, ChangeSetting(SETTING, after)), edit.title)


def undone_names(inverse: Edit, project: Contents) -> ChangeSetting | None:
    """What keeps the names that `inverse`, an undo, takes from the project's labels; None: it takes none."""
    names = {label.id: label.name for label in project.labels()}
    changed = (part.label for part in walk(inverse) if isinstance(part, ChangeLabel) and part.label.id in names)
    left = {names[label.id]: label.id for label in changed if names[label.id] != label.name}
    kept = project.setting(UNDONE)
    return ChangeSetting(UNDONE, {**(kept if isinstance(kept, dict) else {}), **left}) if left else None
