"""A project with a text, into which a colleague's labels come as by git."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.ui.window_driver import write_photographs
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import Box, Label
from workbench.core.storage import mirror, text_changes, text_merge

BOX = (0.0, 0.0, 5.0, 5.0)


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Document]:
    """Five images, two in a file, a box on the second; the text is written."""
    monkeypatch.setattr(mirror, "BLOCK", 2)
    write_photographs(tmp_path / "photographs", [f"{name}.png" for name in "abcde"])
    with Document.create(tmp_path / "mine", tmp_path / "photographs") as made:
        made.do(edits.AddLabels((Label(0, "cat"), Label(0, "dog"))))
        made.draw((Box(0, 2, 1, BOX),))
        text_changes.write(made.folder)
        yield made


def pulled(mine: Document, change: Callable[[Document], object]) -> None:
    """What a colleague changed in a copy of the project comes as text, as by git."""
    folder = mine.folder.with_name("theirs")
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(mine.folder, folder)
    with Document.open(folder) as theirs:
        change(theirs)
        mirror.write(folder)
    shutil.rmtree(mine.folder / "labels")
    shutil.copytree(folder / "labels", mine.folder / "labels")


def take_over(mine: Document) -> text_merge.TextMerge:
    found = text_changes.find(mine.folder)
    assert found is not None
    merge = text_merge.merge(mine, found)
    if merge.edit is not None:
        mine.do(merge.edit)
    text_changes.settle(mine.folder, found, aside=merge.left > 0)
    assert text_changes.find(mine.folder) is None
    return merge


def text(document: Document) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in (document.folder / "labels").glob("*.jsonl")}
