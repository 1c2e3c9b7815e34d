"""Boxes get the numbers that a list of names gives to their labels; what it lacks is known for each image."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from workbench.core.project import Image, Label, Snapshot
from workbench.exchange.label_numbers import number_labels


def project(*names: str, images: tuple[tuple[int, ...], ...] = ()) -> Snapshot:
    """`images`: the number of the label of each of their boxes."""
    numbers = [number for image in images for number in image]
    return Snapshot(
        labels=tuple(Label(1 + n, name, position=n) for n, name in enumerate(names)),
        images=tuple(Image(1 + n, f"{n}.jpg") for n in range(len(images))),
        files=tuple(Path(f"{n}.jpg") for n in range(len(images))),
        offsets=np.cumsum([0, *map(len, images)]), boxes=np.tile([0.0, 0, 9, 9], (len(numbers), 1)),
        label_index=np.array(numbers, np.int64), flags=np.zeros((len(numbers), 4), bool),
        box_ids=np.arange(1, 1 + len(numbers)),
    )  # fmt: skip


def test_a_list_decides_the_numbers_and_names_what_it_lacks() -> None:
    """'dog' is first here and last there; the list has 'cow', which is unknown here, and lacks 'cat'."""
    before = project("dog", "cat", "hen", images=((0, 2), (1, 0, 1)))
    found = number_labels(before, ("hen", "cow", "dog"))
    assert [label.name for label in found.snapshot.labels] == ["hen", "cow", "dog"]
    assert [label.id for label in found.snapshot.labels] == [3, 0, 1], "those that are known stay themselves"
    assert found.snapshot.label_index.tolist() == [2, 0, -1, 2, -1]
    assert found.unlisted.tolist() == [False, True, False]
    assert [found.lacks(before, index) for index in range(2)] == [(), ("cat",)]


def test_of_a_name_that_is_listed_twice_the_first_number_counts() -> None:
    found = number_labels(project("a", "b", images=((0, 1),)), ("b", "a", "b"))
    assert found.snapshot.label_index.tolist() == [1, 0]


def test_without_boxes_or_labels_there_is_nothing_to_number() -> None:
    found = number_labels(project(), ("a",))
    assert (len(found.snapshot.labels), found.snapshot.label_index.tolist(), found.unlisted.tolist()) == (1, [], [])
