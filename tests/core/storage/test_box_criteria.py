"""Which boxes are meant, asked of each box and of the project's file."""

from __future__ import annotations

from pathlib import Path

import pytest

from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import Box, Image, Label
from workbench.core.storage.box_criteria import ANY_BOX, BoxCriteria

BOXES = (
    Box(1, 1, 1, (0, 0, 10, 40)),
    Box(2, 1, 1, (0, 0, 40, 20), occluded=True),
    Box(3, 2, 2, (0, 0, 20.5, 30), crowd=True),
    Box(4, 2, 1, (0, 0, 60, 60)),
    Box(5, 3, 1, (0, 0, 20, 20)),
)


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        (ANY_BOX, (1, 2, 3, 4)),
        (BoxCriteria(label=1), (1, 2, 4)),
        (BoxCriteria(side_from=20), (2, 3, 4)),
        (BoxCriteria(side_to=20), (1, 2)),
        (BoxCriteria(side_from=20, side_to=20.5), (2, 3)),
        (BoxCriteria(flags=("occluded", "crowd")), (2, 3)),
        (BoxCriteria(flags=("difficult",)), ()),
        (BoxCriteria(ids=frozenset({2, 4, 5})), (2, 4)),
        (BoxCriteria(label=1, side_from=20, flags=("occluded",), ids=frozenset({1, 2, 3})), (2,)),
    ],
)
def test_the_file_and_each_box_give_the_same_answer(
    tmp_path: Path, asked: BoxCriteria, wanted: tuple[int, ...]
) -> None:
    with Document.create(tmp_path / "project") as document:
        root = document.add_root(tmp_path)
        document.do(edits.AddLabels((Label(0, "cell"), Label(0, "plate"))))
        document.do(edits.AddImages(tuple(Image(0, f"{n}.jpg", 100, 50, root=root) for n in (1, 2, 3))))
        document.do(edits.AddBoxes(BOXES))
        assert document.box_ids((1, 2), asked) == wanted
        assert document.boxes_with(wanted) == tuple(box for box in BOXES if box.id in wanted)
    assert tuple(box.id for box in BOXES if box.image < 3 and asked.fits(box)) == wanted
