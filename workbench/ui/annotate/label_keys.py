"""Which number key means which label: the keys that people gave, then 1 to 9 in the order of the labels."""

from __future__ import annotations

from collections.abc import Sequence

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
