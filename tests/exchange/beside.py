"""Photographs in two folders, a project of them, and its label files beside them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.formats.making import picture
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import Box, Label
from workbench.exchange import autosync


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    for name in ("a", "b", "sub/c"):
        picture(tmp_path / "photographs" / f"{name}.jpg", 40, 30, grey=ord(name[-1]))
    return tmp_path / "photographs"


@pytest.fixture
def document(tmp_path: Path, photographs: Path) -> Iterator[Document]:
    with Document.create(tmp_path / "p", images=photographs) as made:
        made.do(edits.AddLabels((Label(0, "cat"), Label(0, "big dog"))))
        draw(made, "a.jpg", 4, 3, 24, 18)
        yield made


def draw(document: Document, path: str, *xyxy: float, label: int = 0) -> None:
    id = next(image.id for image in document.images() if image.path == path)
    document.do(edits.AddBoxes((Box(0, id, document.labels()[label].id, xyxy),)))  # type: ignore[arg-type]


def sync(document: Document, format: str = "yolo") -> autosync.SyncResult:
    synced = autosync.update_files(document.folder, format, document.snapshot())
    autosync.remember(document, synced)
    return synced


def told(synced: autosync.SyncResult) -> tuple[int, int, list[str]]:
    return synced.files, synced.current, [file.name for file in synced.foreign]


def files(folder: Path) -> dict[str, str]:
    """All that is not an image, by its path."""
    return {
        file.relative_to(folder).as_posix(): file.read_text()
        for file in sorted(folder.rglob("*"))
        if file.is_file() and file.suffix != ".jpg"
    }
