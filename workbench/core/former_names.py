"""The former names of labels: networks trained earlier only know those.

Kept as a setting of the project by the very edits that rename or merge labels, so that undo takes it back with them;
but a name that undo takes from a label is one that a network may have been trained with, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from workbench.core.edits import Batch, ChangeLabel, ChangeSetting, Edit, MergeLabels, walk
from workbench.core.project import Label

if TYPE_CHECKING:
    from workbench.core.contents import Contents

Former = Iterable[tuple[str, str]]
"""Pairs of a label's former and present name."""
SETTING = "labels.former names"


def former_names(project: Contents) -> Mapping[str, int]:
    """Label ids by former name; names that a label has now are left out."""
    kept = project.setting(SETTING)
    now = {label.name for label in project.labels()}
    if not isinstance(kept, dict):
        return {}
    return {str(name): int(id) for name, id in kept.items() if name not in now}


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


def keeping_names(edit: Edit, labels: Sequence[Label], kept: object) -> Edit:
    """The edit, extended so that it also keeps the names of `labels` that it renames or merges.

    `kept`: the setting SETTING as it is before the edit.
    """
    names = {label.id: label.name for label in labels}
    before: dict[str, int] = dict(kept) if isinstance(kept, dict) else {}
    after = dict(before)
    for part in walk(edit):
        if isinstance(part, ChangeLabel) and names.get(part.label.id, part.label.name) != part.label.name:
            after[names[part.label.id]] = part.label.id
        elif isinstance(part, MergeLabels) and part.source in names:
            after = {name: part.target if id == part.source else id for name, id in after.items()}
            after[names[part.source]] = part.target
    return edit if after == before else Batch((edit, ChangeSetting(SETTING, after)), edit.title)


def left_behind(edit: Edit, labels: Sequence[Label]) -> dict[str, int]:
    """Names that `edit` takes from some of `labels`, where it takes their renaming back: ids by them."""
    names = {label.id: label.name for label in labels}
    changed = (part.label for part in walk(edit) if isinstance(part, ChangeLabel) and part.label.id in names)
    return {names[label.id]: label.id for label in changed if names[label.id] != label.name}
