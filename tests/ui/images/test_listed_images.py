"""Which images a filter lists."""

from __future__ import annotations

from pathlib import Path

import pytest

from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import Box, Image, Label
from workbench.ui.images.images_model import ANY_MARK, Filter, listed_ids


@pytest.mark.parametrize(
    ("wanted", "listed"),
    [
        (Filter(label=1), [1, 2]),
        (Filter(label=2), [1]),
        (Filter(side_from=30), [1]),
        (Filter(mark=ANY_MARK), [1, 2]),
        (Filter(mark="occluded"), [1]),
        (Filter(label=1, side_to=10), [2]),
        (Filter(label=1, mark="occluded"), []),
    ],
)
def test_an_image_is_listed_for_a_box_that_is_all_that_is_asked_for(
    tmp_path: Path, wanted: Filter, listed: list[int]
) -> None:
    """A large cat and a small dog made it one of the images with small cats, in which no box was marked."""
    with Document.create(tmp_path / "p") as document:
        root = document.add_root(tmp_path)
        document.do(edits.AddLabels((Label(0, "cat"), Label(0, "dog"))))
        document.do(edits.AddImages(tuple(Image(0, f"{n}.png", 100, 50, root=root) for n in (1, 2, 3))))
        small, large = (0, 0, 5, 5), (0, 0, 40, 40)
        boxes = Box(0, 1, 1, large), Box(0, 1, 2, small, occluded=True), Box(0, 2, 1, small, difficult=True)
        document.do(edits.AddBoxes(boxes))
        assert listed_ids(document, wanted).tolist() == listed
