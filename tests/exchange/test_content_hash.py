"""The hash of an image's labels is that of what it holds, whatever else the project has."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tests.formats.making import snapshot
from workbench.core.project import Box, Image, Label, State
from workbench.exchange import content_hash

NOTHING = frozenset[str]()


class Unread(tuple[Label, ...]):
    """Labels of which only those asked for may be looked at: a set of 1,203 was, for each of 20,000 images."""

    def __iter__(self) -> Iterator[Label]:
        raise AssertionError("all labels are read for one image")


def test_only_the_labels_of_its_own_boxes_are_read() -> None:
    images = [Image(1, "a.jpg", 40, 30, State.DONE), Image(2, "b.jpg", 40, 30, State.DONE)]
    made = snapshot(["cat", "dog", "bird"], images, [Box(0, 0, 1, (1, 2, 3, 4)), Box(0, 1, 2, (1, 2, 3, 4))])
    seen = [content_hash.of_image(made, index, NOTHING) for index in range(2)]
    assert seen[0] != seen[1]
    few = replace(made, labels=Unread(made.labels))
    assert [content_hash.of_image(few, index, NOTHING) for index in range(2)] == seen
    assert content_hash.of_image(few, 1, NOTHING, {"bird": "dog"}) == seen[0]
