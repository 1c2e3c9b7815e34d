"""The cache of a large project is used for exactly the file it was made of, and never trusted further."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest

from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import Box, Image, Label, Split, State
from workbench.core.storage import table_cache
from workbench.core.storage.image_table import ImageTable
from workbench.errors import WorkbenchError


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Closed, so that it has a cache."""
    monkeypatch.setattr(table_cache, "FROM", 3)
    with Document.create(tmp_path / "p") as document:
        root = document.add_root(tmp_path)
        images = (Image(0, "ü 1.png", 5, 6, State.DONE, Split.TEST, 1, root, note="n"), Image(0, "2.png", root=root))
        document.do(edits.AddImages((*images, Image(0, "3.png", root=root, problem="broken"))))
        document.do(edits.AddLabels((Label(0, "cat"),)))
        document.draw((Box(0, 1, 1, (0, 0, 5, 5)), Box(0, 1, 1, (0, 0, 4, 4)), Box(0, 2, 1, (0, 0, 5, 5))))
        document.images(), document.counts()
    return tmp_path / "p"


class Reads:
    """Counts how often all images are read from the project's file."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.number = 0
        read = ImageTable.read

        def counted(connection: sqlite3.Connection) -> ImageTable:
            self.number += 1
            return read(connection)

        monkeypatch.setattr(ImageTable, "read", counted)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Reads:
    return Reads(monkeypatch)


def truth(project: Path) -> tuple[tuple[Image, ...], dict[int, int]]:
    """What the file says, without the cache."""
    connection = sqlite3.connect(project / "project.sqlite")
    connection.row_factory = sqlite3.Row
    found = tuple(ImageTable.read(connection)), dict(connection.execute("SELECT image, count(*) FROM box GROUP BY 1"))
    connection.close()
    return found


def test_a_project_is_opened_from_its_cache(project: Path, reads: Reads) -> None:
    expected = truth(project)
    reads.number = 0
    with Document.open(project) as document:
        assert (tuple(document.images()), document.box_counts()) == expected
        assert document.label_counts() == {1: 3}
        assert reads.number == 0
        document.do(edits.SetState((2,), State.VERIFIED))  # and followed from there
        assert document.image(2).state is State.VERIFIED
    with Document.open(project) as document:  # closing kept the new one
        assert document.image(2).state is State.VERIFIED
        assert reads.number == 0


def test_a_file_that_was_changed_by_others_is_read_anew(project: Path, reads: Reads) -> None:
    other = sqlite3.connect(project / "project.sqlite")
    other.execute("UPDATE image SET state = 'verified'")
    other.commit()
    other.close()
    with Document.open(project) as document:
        assert {image.state for image in document.images()} == {State.VERIFIED}
    assert reads.number == 1


def test_an_edit_whose_window_was_killed_is_there(project: Path, reads: Reads) -> None:
    document = Document.open(project)
    document.do(edits.SetSplit((1, 2, 3), Split.TRAIN))
    document.store.close()  # killed: no cache was kept
    with Document.open(project, read_only=True) as again:
        assert {image.split for image in again.images()} == {Split.TRAIN}
    document.close()


@pytest.mark.parametrize("damage", ["nothing", "half", "noise", "states", "short"])
def test_a_damaged_cache_is_only_slower(project: Path, reads: Reads, damage: str) -> None:
    file = project / "cache" / "images.npz"
    data = file.read_bytes()
    if damage in ("states", "short"):
        with np.load(file) as kept:
            parts = dict(kept)
        parts["state"] = np.full(3, 200, np.uint8) if damage == "states" else parts["state"][:2]
        np.savez(file, **parts)
    else:
        half, noise = data[: len(data) // 2], bytes(255 - byte for byte in data)
        file.write_bytes({"nothing": b"", "half": half, "noise": noise}[damage])
    with Document.open(project) as document:
        assert [image.path for image in document.images()] == ["2.png", "3.png", "ü 1.png"]
        assert document.box_counts() == {1: 2, 2: 1}
    assert reads.number == 1


def test_small_projects_and_readers_keep_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, project: Path) -> None:
    (project / "cache" / "images.npz").unlink()
    with Document.open(project, read_only=True) as document:
        document.images(), document.counts()
    monkeypatch.setattr(table_cache, "FROM", 4)
    with Document.open(project) as document:
        document.images(), document.counts()
    assert not (project / "cache" / "images.npz").exists()


@pytest.mark.parametrize("gone", ["folder", "disk"])
def test_a_project_whose_disk_has_gone_is_closed_all_the_same(
    project: Path, monkeypatch: pytest.MonkeyPatch, gone: str
) -> None:
    """Else the next project is not shown, and this one stays locked by the very process that closed it."""
    document = Document.open(project)
    document.images(), document.counts()
    document.do(edits.SetState((1,), State.VERIFIED))
    away = project.rename(project.with_name("away")) if gone == "folder" else project
    if gone == "disk":
        monkeypatch.setattr(document.store, "read", pulled_out)
    document.close()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        document.store.connection.execute("SELECT 1")
    with Document.open(away) as again:
        assert not again.read_only
        assert again.image(1).state is State.VERIFIED


def pulled_out(_: object) -> NoReturn:
    raise WorkbenchError("The disk did not give what was asked of it.")


def test_what_another_process_wrote_meanwhile_is_not_stamped_as_known(project: Path) -> None:
    (project / "cache" / "images.npz").unlink()
    document = Document.open(project)
    document.images(), document.counts()
    other = sqlite3.connect(project / "project.sqlite")
    other.execute("UPDATE image SET width = 77")
    other.commit()
    other.close()
    document.close()
    with Document.open(project) as again:
        assert {image.width for image in again.images()} == {77}
