"""Photographs whose folder was moved are found again, if they are there, and never taken for others."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ui.window_driver import write_photographs
from workbench.core.document import Document
from workbench.core.folders import lost_folders
from workbench.errors import WorkbenchError


@pytest.fixture
def document(tmp_path: Path) -> Iterator[Document]:
    """Three images in old/cells, two in old/plates."""
    write_photographs(tmp_path / "old" / "cells", ["a.png", "b.png", "c.png"])
    write_photographs(tmp_path / "old" / "plates", ["a.png", "d.png"])
    with Document.create(tmp_path / "project", tmp_path / "old" / "cells") as made:
        made.add_folder(tmp_path / "old" / "plates")
        yield made


def test_nothing_is_lost_where_all_is_as_it_was(document: Document) -> None:
    assert lost_folders.find_lost_folders(document) == ()


def test_lost_folders_are_told_the_largest_first(document: Document, tmp_path: Path) -> None:
    (tmp_path / "old").rename(tmp_path / "new")
    assert [(one.folder.name, one.images) for one in lost_folders.find_lost_folders(document)] == [
        ("cells", 3),
        ("plates", 2),
    ]


@pytest.mark.parametrize("chosen", ["new/cells", "new"])
def test_images_are_found_in_the_folder_or_in_its_own_name_inside(
    document: Document, tmp_path: Path, chosen: str
) -> None:
    (tmp_path / "old").rename(tmp_path / "new")
    cells, plates = lost_folders.find_lost_folders(document)
    assert lost_folders.move(document, cells, tmp_path / chosen) == f"3 images now at {tmp_path / 'new' / 'cells'}."
    assert [document.file(image).exists() for image in document.images()] == [True] * 3 + [False] * 2
    assert lost_folders.find_lost_folders(document) == (plates,)
    folder = document.folder
    document.close()
    with Document.open(folder) as again:
        assert again.file(again.images()[0]) == tmp_path / "new" / "cells" / "a.png"


def test_a_folder_without_the_images_is_not_taken(document: Document, tmp_path: Path) -> None:
    (tmp_path / "old").rename(tmp_path / "new")
    write_photographs(tmp_path / "others", ["x.png"])
    with pytest.raises(WorkbenchError, match=r"None of the project's 3 images is in .*others.* holds a\.png"):
        lost_folders.move(document, lost_folders.find_lost_folders(document)[0], tmp_path / "others")
    assert len(lost_folders.find_lost_folders(document)) == 2


def test_some_that_are_missing_are_counted(document: Document, tmp_path: Path) -> None:
    (tmp_path / "old").rename(tmp_path / "new")
    (tmp_path / "new" / "cells" / "b.png").unlink()
    said = lost_folders.move(document, lost_folders.find_lost_folders(document)[0], tmp_path / "new" / "cells")
    assert said.endswith("cells. 1 of the 3 that were looked for are not there.")


def test_the_folder_of_others_is_not_taken(document: Document, tmp_path: Path) -> None:
    """a.png is in both: their labels would be mixed up."""
    shutil.rmtree(tmp_path / "old" / "cells")
    with pytest.raises(WorkbenchError, match="is already a folder of this project"):
        lost_folders.move(document, lost_folders.find_lost_folders(document)[0], tmp_path / "old" / "plates")


def test_inside_the_project_they_move_with_it(document: Document, tmp_path: Path) -> None:
    (tmp_path / "old" / "cells").rename(tmp_path / "project" / "cells")
    lost_folders.move(document, lost_folders.find_lost_folders(document)[0], tmp_path / "project" / "cells")
    document.close()
    (tmp_path / "project").rename(tmp_path / "elsewhere")
    with Document.open(tmp_path / "elsewhere") as again:
        assert lost_folders.find_lost_folders(again) == ()


def test_a_folder_that_nobody_may_look_into_has_none_of_the_images(document: Document, tmp_path: Path) -> None:
    (tmp_path / "old").rename(tmp_path / "new")
    with pytest.raises(WorkbenchError, match="None of the project's 3 images"):
        lost_folders.move(document, lost_folders.find_lost_folders(document)[0], tmp_path / ("x" * 300))
