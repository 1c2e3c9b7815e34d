"""What labels were called before: networks that were trained then know them by those names only.

Kept as a setting of the project by the very edits that rename or merge labels, so that undo takes it back with them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from workbench.core.edits import Batch, ChangeLabel, ChangeSetting, Edit, MergeLabels, walk
from workbench.core.project import Label

if TYPE_CHECKING:
    from workbench.core.contents import Contents

SETTING = "labels.former names"


def former_names(project: Contents) -> Mapping[str, int]:
    """Ids of labels by names that they had and no label has now."""
    kept = project.setting(SETTING)
    now = {label.name for label in project.labels()}
    if not isinstance(kept, dict):
        return {}
    return {str(name): int(id) for name, id in kept.items() if name not in now}


def keeping_names(edit: Edit, labels: Sequence[Label], kept: object) -> Edit:
    """`edit`, and if it renames or merges some of `labels` their names with it; `kept` is the setting as it is."""
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
