"""Other names of labels: former ones, and a foreign network's. Networks only know the names they were trained with.

Kept as a setting of the project by the very edits that rename or merge labels, so that undo takes it back with them.
A network may also have been trained with a name that undo took from its label: those are a setting of their own, which
no edit changes, so that it outlasts every undo. What a foreign network calls a label is said by the user, where it
suggests boxes.

If another label has a former name now (two labels swapped names, or a new one took an old name), the name alone does
not say which is meant: a network that was trained here in the former name's time also knows the label's id.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from workbench.core.edits import Batch, ChangeLabel, ChangeSetting, Edit, MergeLabels, walk
from workbench.core.project import FormerName, Label

if TYPE_CHECKING:
    from workbench.core.contents import Contents

FormerNames = Iterable[FormerName]
SETTING, UNDONE = "labels.former names", "labels.undone names"
SAID = "suggest.labels"
"""The project's setting that holds the user's matches: label ids by a network's names."""


def former_names(project: Contents) -> Mapping[str, int]:
    """Label ids by former name; names that a label has now are left out."""
    now = {label.name for label in project.labels()}
    return {name: id for name, id in _kept(project).items() if name not in now}


def said_names(project: Contents) -> Mapping[str, int]:
    """Label ids by the names that a network has for them, as the user said."""
    return _ids(project.setting(SAID))


def other_names(project: Contents, trained: Iterable[Label] = ()) -> Mapping[str, int]:
    """Label ids by former name and by what the user said, which goes first.

    `trained`: a network's labels with their ids, if it was trained in this project.
    """
    ids = {label.name: label.id for label in project.labels()}
    return {one.name: ids[one.now] for one in of_labels(trained, current_names(project))}


def _kept(project: Contents) -> dict[str, int]:
    """Those of both settings; what edits kept goes before what undo left."""
    return _ids(project.setting(UNDONE)) | _ids(project.setting(SETTING))


def _ids(kept: object) -> dict[str, int]:
    return {str(name): int(id) for name, id in kept.items()} if isinstance(kept, dict) else {}


def current_names(project: Contents) -> tuple[FormerName, ...]:
    """All other names with the present ones, without those of deleted labels."""
    now = {label.id: label.name for label in project.labels()}
    taken, given = set(now.values()), said_names(project)
    former = {name: id for name, id in _kept(project).items() if name in taken or name not in given}
    return (
        *(
            FormerName(name, now[id], id if name in taken else 0)
            for name, id in former.items()
            if now.get(id, name) != name
        ),
        *(FormerName(name, now[id]) for name, id in given.items() if id in now and name not in taken),
    )


def by_name(former: FormerNames) -> dict[str, str]:
    """Present names by those former names that no label has now."""
    return {one.name: one.now for one in former if not one.label}


def of_labels(labels: Iterable[Label], former: FormerNames) -> tuple[FormerName, ...]:
    """What `former` means to a network trained here with `labels`, whose names and ids are those of that time."""
    known = {(label.name, label.id) for label in labels}
    return tuple(FormerName(one.name, one.now) for one in former if not one.label or (one.name, one.label) in known)


def current_label_names(names: Sequence[str], former: FormerNames) -> tuple[str, ...]:
    """A run's labels by their present names, without duplicates: a merged label keeps its own."""
    now = by_name(former)
    called = [now.get(name, name) for name in names]
    before: list[str] = []
    while called != before:  # a name that is taken back may be one that another label got
        before, times = list(called), Counter(called)
        for i in reversed(range(len(names))):
            if called[i] != names[i] and times[called[i]] > 1:
                times[called[i]] -= 1
                called[i] = names[i]
    return tuple(called)


def colours(project: Contents) -> dict[str, str]:
    """The labels' colours by every name they have or had."""
    own = {label.name: label.colour for label in project.labels()}
    return {former: own[now] for former, now in by_name(current_names(project)).items()} | own


def with_former_names(edit: Edit, project: Contents) -> Edit:
    """The edit, extended so that it also keeps the names of the project's labels that it renames or merges."""
    names = {label.id: label.name for label in project.labels()}
    before, given = _kept(project), said_names(project)
    after, means = dict(before), dict(given)
    for part in walk(edit):
        if isinstance(part, ChangeLabel) and names.get(part.label.id, part.label.name) != part.label.name:
            after[names[part.label.id]] = part.label.id
        elif isinstance(part, MergeLabels) and part.source in names:
            after, means = _merged(after, part), _merged(means, part)
            after[names[part.source]] = part.target
    changed = [ChangeSetting(SETTING, after)] if after != before else []
    changed += [ChangeSetting(SAID, means)] if means != given else []
    return Batch((edit, *changed), edit.title) if changed else edit


def _merged(names: Mapping[str, int], merge: MergeLabels) -> dict[str, int]:
    return {name: merge.target if id == merge.source else id for name, id in names.items()}


def undone_names(inverse: Edit, project: Contents) -> ChangeSetting | None:
    """What keeps the names that `inverse`, an undo, takes from the project's labels; None: it takes none."""
    names = {label.id: label.name for label in project.labels()}
    changed = (part.label for part in walk(inverse) if isinstance(part, ChangeLabel) and part.label.id in names)
    left = {names[label.id]: label.id for label in changed if names[label.id] != label.name}
    kept = project.setting(UNDONE)
    return ChangeSetting(UNDONE, {**(kept if isinstance(kept, dict) else {}), **left}) if left else None
