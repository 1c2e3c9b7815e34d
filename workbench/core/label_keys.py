"""Which digit chooses which label: those that users assigned, then 1 to 9 and 0 in the order of the labels."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence

from workbench.core.edits import Batch, ChangeLabel, Edit
from workbench.core.project import Label

DIGITS = "1234567890"


def label_keys(labels: Sequence[Label]) -> dict[str, Label]:
    """Labels by key. A key that two labels claim belongs to the first of them."""
    found: dict[str, Label] = {}
    for label in labels:
        if label.key in DIGITS and label.key:
            found.setdefault(label.key, label)
    free = (digit for digit in DIGITS if digit not in found)
    for label in labels:
        if label not in found.values():
            digit = next(free, None)
            if digit is None:
                break
            found[digit] = label
    return found


def keeping_keys(edit: Edit, gone: Collection[int], labels: Sequence[Label]) -> Edit:
    """`edit`, which removes the labels with ids `gone`, with all others' keys kept: users know them by heart."""
    before = label_keys(labels)
    after = {label.id: key for key, label in label_keys([one for one in labels if one.id not in gone]).items()}
    kept = tuple(
        ChangeLabel(dataclasses.replace(label, key=key))
        for key, label in before.items()
        if label.id not in gone and after.get(label.id) != key
    )
    return Batch((edit, *kept), edit.title) if kept else edit
