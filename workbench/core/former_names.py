"""Other names of labels: former ones, and a foreign network's. Networks only know the names they were trained with.

Kept as a setting of the project by the very edits that rename or merge labels, so that undo takes it back with them.
A network may also have been trained with a name that undo took from its label: those are a setting of their own, which
no edit changes, so that it outlasts every undo. What a foreign network calls a label is said by the user, where it
suggests boxes.

Several labels may have had a name, one after the other, and one of them may have it now (two labels swapped names, or a
new one took an old name). Then the name alone does not say which is meant, and the last one that gave it up is taken
for it; a network that was trained here also knows the label's id, which does say it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from workbench.core.edits import Batch, ChangeLabel, ChangeSetting, Edit, MergeLabels, walk
from workbench.core.project import FormerName, Label

if TYPE_CHECKING:
    from workbench.core.storage.contents import Contents

FormerNames = Iterable[FormerName]
SETTING, UNDONE = "labels.former names", "labels.undone names"
"""For each name the ids of the labels that had it, the last at the end; one alone is no list, as in older projects."""
MERGED = "labels.merged"
"""The label that each merged one became, ids both; older projects have the new id at the old name instead."""
SAID = "suggest.labels"
"""The project's setting that holds the user's matches: label ids by a network's names."""
_Ids = tuple[int, ...]


def former_names(project: Contents) -> Mapping[str, int]:
    """Label ids by former name; names that a label has now are left out."""
    now, merged = {label.name for label in project.labels()}, _merged(project)
    return {name: _became(ids[-1], merged) for name, ids in _kept(project).items() if name not in now}


def said_names(project: Contents) -> Mapping[str, int]:
    """Label ids by the names that a network has for them, as the user said."""
    kept = project.setting(SAID)
    return {str(name): int(id) for name, id in kept.items()} if isinstance(kept, dict) else {}


def other_names(project: Contents, trained: Iterable[Label] = ()) -> Mapping[str, int]:
    """Label ids by former name and by what the user said, which goes first.

    `trained`: a network's labels with their ids, if it was trained in this project.
    """
    ids = {label.name: label.id for label in project.labels()}
    return {one.name: ids[one.now] for one in of_labels(trained, current_names(project)) if one.now in ids}


def _kept(project: Contents) -> dict[str, _Ids]:
    """Those of both settings; what edits kept goes before what undo left."""
    kept = _names(project.setting(UNDONE))
    for name, ids in _names(project.setting(SETTING)).items():
        kept[name] = _with(kept.get(name, ()), ids)
    return kept


def _names(kept: object) -> dict[str, _Ids]:
    if not isinstance(kept, dict):
        return {}
    return {str(name): tuple(map(int, ids if isinstance(ids, list) else [ids])) for name, ids in kept.items()}


def _plain(names: Mapping[str, _Ids]) -> dict[str, int | list[int]]:
    return {name: ids[0] if len(ids) == 1 else list(ids) for name, ids in names.items()}


def _with(ids: _Ids, last: _Ids) -> _Ids:
    return (*(id for id in ids if id not in last), *last)


def _merged(project: Contents) -> dict[int, int]:
    kept = project.setting(MERGED)
    return {int(id): int(target) for id, target in kept.items()} if isinstance(kept, dict) else {}


def _became(id: int, merged: Mapping[int, int]) -> int:
    """The label that this one was merged into, if it was."""
    while id in merged:
        id = merged[id]
    return id


def current_names(project: Contents) -> tuple[FormerName, ...]:
    """All other names with the present ones, without those of deleted labels."""
    now, merged = {label.id: label.name for label in project.labels()}, _merged(project)
    taken, given = set(now.values()), said_names(project)
    former: list[FormerName] = []
    for name, ids in _kept(project).items():
        if name in given and name not in taken:
            continue
        *earlier, last = ((id, now.get(_became(id, merged), name)) for id in ids)
        free = name not in taken and last[1] != name
        former += [FormerName(name, called, id) for id, called in earlier if free or called != name]
        former += [FormerName(name, last[1], 0 if free else last[0])] if last[1] != name else []
    return (
        *former,
        *(FormerName(name, now[id]) for name, id in given.items() if id in now and name not in taken),
    )


def by_name(former: FormerNames) -> dict[str, str]:
    """Present names by those former names that do not need an id."""
    return {one.name: one.now for one in former if not one.label}


def by_id(labels: Iterable[Label], former: FormerNames) -> dict[str, str]:
    """Present names by those former names that say which label is meant only together with the ids of `labels`."""
    known = {(label.name, label.id) for label in labels}
    return {one.name: one.now for one in former if one.label and (one.name, one.label) in known}


def of_labels(labels: Iterable[Label], former: FormerNames) -> tuple[FormerName, ...]:
    """What `former` means to a network trained here with `labels`, whose names and ids are those of that time."""
    means = by_name(former) | by_id(labels, former)
    return tuple(FormerName(name, now) for name, now in means.items())


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


def network_names(names: Sequence[str], labels: Iterable[Label], former: FormerNames) -> tuple[str, ...]:
    """What a network's labels `names` are called in the project and in what is written, without duplicates.

    `labels`: those that it was trained with here, if it was. One that was merged into another of them keeps its own
    name, which may mean a third label by now: then it is called "cat (now dog)".
    """
    trained, former = tuple(labels), tuple(former)
    third, called = by_id(trained, former), current_label_names(names, of_labels(trained, former))
    return tuple(
        f"{name} (now {third[name]})" if now == name and third.get(name, name) != name else now
        for name, now in zip(names, called, strict=True)
    )


def colours(project: Contents) -> dict[str, str]:
    """The labels' colours by every name they have or had."""
    own = {label.name: label.colour for label in project.labels()}
    return {former: own[now] for former, now in by_name(current_names(project)).items()} | own


def with_former_names(edit: Edit, project: Contents) -> Edit:
    """The edit, extended so that it also keeps the names of the project's labels that it renames or merges."""
    names = {label.id: label.name for label in project.labels()}
    before, given, merged = _names(project.setting(SETTING)), said_names(project), _merged(project)
    after, means, became = dict(before), dict(given), dict(merged)
    for part in walk(edit):
        if isinstance(part, ChangeLabel) and names.get(part.label.id, part.label.name) != part.label.name:
            gone = part.label.id
        elif isinstance(part, MergeLabels) and part.source in names:
            gone, became[part.source] = part.source, part.target
            means = {name: part.target if id == part.source else id for name, id in means.items()}
        else:
            continue
        after[names[gone]] = _with(after.get(names[gone], ()), (gone,))
    changed = [ChangeSetting(SETTING, _plain(after))] if after != before else []
    changed += [ChangeSetting(MERGED, {str(id): target for id, target in became.items()})] if became != merged else []
    changed += [ChangeSetting(SAID, means)] if means != given else []
    return Batch((edit, *changed), edit.title) if changed else edit


def with_foreign_names(project: Contents, names: Mapping[str, int]) -> ChangeSetting | None:
    """What keeps that files call these labels (by their ids) so, as if those had been their former names.

    A name that a label has now is not kept. None: nothing is new.
    """
    now, before = {label.name for label in project.labels()}, _names(project.setting(SETTING))
    after = before | {name: _with(before.get(name, ()), (id,)) for name, id in names.items() if name not in now}
    return ChangeSetting(SETTING, _plain(after)) if after != before else None


def undone_names(inverse: Edit, project: Contents) -> ChangeSetting | None:
    """What keeps the names that `inverse`, an undo, takes from the project's labels; None: it takes none."""
    names = {label.id: label.name for label in project.labels()}
    changed = (part.label for part in walk(inverse) if isinstance(part, ChangeLabel) and part.label.id in names)
    left = {names[label.id]: label.id for label in changed if names[label.id] != label.name}
    if not left:
        return None
    kept = _names(project.setting(UNDONE))
    return ChangeSetting(UNDONE, _plain(kept | {name: _with(kept.get(name, ()), (id,)) for name, id in left.items()}))
