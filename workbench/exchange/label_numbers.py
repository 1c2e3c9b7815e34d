"""Label numbers as a list of names gives them: the data set's own list, if it has one (formats/parts/yolo_names.py).

Training on a YOLO folder reads its numbers by the data.yaml above it, or by a list of names; a program that writes
its own numbers into it turns dogs into cats.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from workbench.core.project import Label, Snapshot


@dataclass(frozen=True, slots=True)
class NumberedSnapshot:
    """A snapshot whose labels have the numbers of a list. `unlisted`: for each label, by its number before, whether the
    list lacks it."""

    snapshot: Snapshot
    names: tuple[str, ...]
    unlisted: np.ndarray  # (labels,) bool, by the project's numbers

    def lacks(self, before: Snapshot, index: int) -> tuple[str, ...]:
        """The labels of image `index`'s boxes that have no number in the list."""
        used = np.unique(before.label_index[before.rows(index)])
        return tuple(before.labels[number].name for number in used.tolist() if self.unlisted[number])


def number_labels(snapshot: Snapshot, names: tuple[str, ...]) -> NumberedSnapshot:
    known = {label.name: label for label in snapshot.labels}
    place = {name: number for number, name in reversed(list(enumerate(names)))}
    numbers = np.array([place.get(label.name, -1) for label in snapshot.labels], np.int64)
    labels = tuple(known.get(name) or Label(0, name) for name in names)
    numbered = replace(snapshot, labels=labels, label_index=numbers[snapshot.label_index])
    return NumberedSnapshot(numbered, names, numbers < 0)
