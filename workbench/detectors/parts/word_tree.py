"""A WordTree: labels and what they are kinds of, so that pictures of dogs and boxes of animals train one network
(Redmon, Farhadi: YOLO9000, 2016, arXiv 1612.08242, section 4).

V = nodes, C = labels of the project, which are some of the nodes. Siblings, the nodes of one parent, exclude each other
and share a softmax; a node's probability is the product of those on its path from the root.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from workbench.errors import WorkbenchError


@dataclass(frozen=True)
class WordTree:
    """Node i is called names[i]; parents[i] comes before it, or is -1. nodes[l] is the node of label l."""

    names: tuple[str, ...]
    parents: tuple[int, ...]
    nodes: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.names)

    @property
    def groups(self) -> tuple[int, ...]:
        """(V,) the number of each node's group of siblings; one group per parent."""
        numbers = {parent: number for number, parent in enumerate(dict.fromkeys(self.parents))}
        return tuple(numbers[parent] for parent in self.parents)

    def path(self, node: int) -> tuple[int, ...]:
        """The node, its parent, and so on up to a child of the root."""
        found = []
        while node >= 0:
            found.append(node)
            node = self.parents[node]
        return tuple(found)

    def to_text(self) -> str:
        """A line per node: name, parent, label or -1; read() reads it."""
        labels = {node: label for label, node in enumerate(self.nodes)}
        lines = [
            f"{name}\t{parent}\t{labels.get(node, -1)}"
            for node, (name, parent) in enumerate(zip(self.names, self.parents, strict=True))
        ]
        return "\n".join(lines)


def flat(labels: int) -> WordTree:
    """All labels at the root: one softmax over all, as in YOLOv2."""
    return WordTree(tuple(map(str, range(labels))), (-1,) * labels, tuple(range(labels)))


def read(text: str) -> WordTree:
    """The inverse of to_text(). WorkbenchError with the line if the text is not valid."""
    names: list[str] = []
    parents: list[int] = []
    labels: dict[int, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        try:
            name, parent, label = line.split("\t")
            names.append(name)
            parents.append(_parent(parent, number, len(parents)))
            labels[int(label)] = len(names) - 1
        except ValueError:
            raise WorkbenchError(f"The tree of labels is damaged in line {number}: '{line[:60]}'.") from None
    labels.pop(-1, None)
    if not labels or sorted(labels) != list(range(len(labels))):
        raise WorkbenchError("The tree of labels is damaged: it does not say which node is which label.")
    return WordTree(tuple(names), tuple(parents), tuple(labels[label] for label in range(len(labels))))


def for_labels(text: str, labels: tuple[str, ...]) -> WordTree:
    """A user's tree in Darknet's form: on each line a name and its parent's line number, counted from 0, or -1.

    Each of `labels` must be the name of a node, ignoring case; else WorkbenchError with the line or the label.
    """
    names: list[str] = []
    parents: list[int] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        name, _, parent = line.strip().replace("\t", " ").rpartition(" ")
        if not name.strip():
            raise WorkbenchError(f"Line {number} of the tree must be a name and its parent's line, not '{line[:60]}'.")
        names.append(name.strip())
        parents.append(_parent(parent, number, len(parents)))
    index = {name.casefold(): node for node, name in reversed(list(enumerate(names)))}
    for label in labels:
        if label.casefold() not in index:
            near = difflib.get_close_matches(label.casefold(), index, n=1)
            hint = f" Did you mean '{names[index[near[0]]]}'?" if near else ""
            raise WorkbenchError(f"The label '{label}' is not in the tree.{hint}")
    return WordTree(tuple(names), tuple(parents), tuple(index[label.casefold()] for label in labels))


def _parent(text: str, line: int, before: int) -> int:
    try:
        parent = int(text)
    except ValueError:
        raise WorkbenchError(f"Line {line} of the tree must end in its parent's line number.") from None
    if not -1 <= parent < before:
        raise WorkbenchError(
            f"Line {line} of the tree names {parent} as its parent's line, counted from 0. It must be one before it,"
            " or -1."
        )
    return parent
