"""Boxes of many images as arrays: which, in whose order, and sorted by size and shape."""

from __future__ import annotations

from pathlib import Path

import pytest

from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import Box, Image, Label
from workbench.core.storage import box_rows
from workbench.core.storage.box_criteria import ANY_BOX, BoxCriteria
from workbench.core.storage.box_rows import BoxOrder, BoxRows

BOXES = (
    Box(1, 1, 1, (0, 0, 10, 40)),  # 400 px, 1 : 4
    Box(2, 2, 1, (0, 0, 30, 20)),  # 600 px, 3 : 2
    Box(3, 1, 2, (5, 5, 15, 15)),  # 100 px, 1 : 1
    Box(4, 3, 1, (0, 0, 60, 60)),
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    with Document.create(tmp_path / "project") as document:
        root = document.add_root(tmp_path)
        document.do(edits.AddLabels((Label(0, "cell"), Label(0, "plate"))))
        document.do(edits.AddImages(tuple(Image(0, f"{n}.jpg", 100, 50, root=root) for n in (1, 2, 3))))
        document.do(edits.AddBoxes(BOXES))
        return document.store.file


def ids(rows: BoxRows) -> list[int]:
    return list(rows.ids.tolist())


def test_they_come_in_the_order_of_their_images(file: Path) -> None:
    assert ids(box_rows.read(file, (2, 1), ANY_BOX)) == [2, 1, 3]
    rows = box_rows.read(file, (1, 2), BoxCriteria(label=1))
    assert ids(rows) == [1, 2]
    assert (rows.images.tolist(), rows.labels.tolist()) == ([1, 2], [1, 1])
    assert rows.xyxy.tolist() == [[0, 0, 10, 40], [0, 0, 30, 20]]
    assert len(box_rows.read(file, (), ANY_BOX)) == 0


@pytest.mark.parametrize(
    ("order", "wanted"),
    [
        (BoxOrder.IMAGE, [1, 3, 2]),
        (BoxOrder.SMALLEST, [3, 1, 2]),
        (BoxOrder.LARGEST, [2, 1, 3]),
        (BoxOrder.NARROWEST, [1, 3, 2]),
        (BoxOrder.WIDEST, [2, 3, 1]),
    ],
)
def test_they_are_sorted_by_size_or_shape(file: Path, order: BoxOrder, wanted: list[int]) -> None:
    assert ids(box_rows.read(file, (1, 2), ANY_BOX).ordered(order)) == wanted
