"""A project whose editor died in the middle of an edit can be read by somebody who may not write."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.promises import edited_projects
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import Box
from workbench.core.storage import rollback
from workbench.core.store import FILE, Store
from workbench.errors import WorkbenchError

# The cache is too small for the edit, so that half of it is in the file already when the process dies.
_KILLED = """
import os, sys
from pathlib import Path
from workbench.core.document import Document
document = Document.open(Path(sys.argv[1]))
document.store.connection.execute("PRAGMA cache_size = 1")
document.store.connection.execute("BEGIN IMMEDIATE")
document.store.connection.execute("UPDATE box SET note = 'half'")
os.kill(os.getpid(), 9)
"""
_READ = """
import fcntl, json, os, sys, urllib.parse
from pathlib import Path
from workbench.core.document import Document
if os.getuid() == 0:
    os.setuid(65534)  # root may write everywhere; all is imported, because others may not look into root's Python
with Document.open(Path(sys.argv[1])) as document:
    print(json.dumps([document.read_only, document.why_read_only, sorted({b.note for b in document.boxes(1)})]))
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """Of a project whose editor was killed. Where others may look, too: pytest's own folders are the user's."""
    with tempfile.TemporaryDirectory() as made:
        os.chmod(made, 0o755)
        folder = edited_projects.make(Path(made) / "p")
        with Document.open(folder) as document:
            document.do(edits.AddBoxes(tuple(Box(0, 1, 1, (0, 0, 5, 5), note="whole") for _ in range(2000))))
        subprocess.run([sys.executable, "-c", _KILLED, str(folder)], check=False)
        assert (folder / f"{FILE}-journal").stat().st_size > 0
        assert b"half" in (folder / FILE).read_bytes()
        yield folder
        os.chmod(folder, 0o755)


def left(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.glob(f"{FILE}*")}


def notes(document: Document) -> set[str]:
    return {box.note for box in document.boxes(1)}


def test_it_is_read_as_it_was_before_that_edit_and_stays_untouched(folder: Path) -> None:
    before = left(folder)
    with Document.open(folder, read_only=True) as document:
        assert notes(document) == {"whole"}
        assert document.store.file == folder / FILE
    assert left(folder) == before


def test_the_copy_goes_when_the_reader_does(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with Document.open(folder, read_only=True):
        assert list(tmp_path.iterdir())
    assert not list(tmp_path.iterdir())


def test_who_opens_it_for_editing_has_it_mended_in_place(folder: Path) -> None:
    with Document.open(folder) as document:
        assert not document.read_only
        assert notes(document) == {"whole"}
    assert not (folder / f"{FILE}-journal").exists()


@pytest.mark.skipif(os.name == "nt", reason="permissions are others there")
def test_it_is_read_where_nothing_may_be_written(folder: Path) -> None:
    for file in folder.iterdir():
        os.chmod(file, 0o444)
    os.chmod(folder, 0o555)
    done = subprocess.run([sys.executable, "-c", _READ, str(folder)], stdout=subprocess.PIPE, text=True, check=True)
    read_only, why, found = json.loads(done.stdout)
    assert (read_only, found) == (True, ["whole"])
    assert "can't be written" in why


@pytest.mark.skipif(os.name == "nt", reason="permissions are others there")
def test_a_file_that_may_not_be_written_is_open_for_reading_only(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory() as made:
        os.chmod(made, 0o755)
        folder = edited_projects.make(Path(made) / "p")
        os.chmod(folder, 0o777)
        os.chmod(folder / "project.lock", 0o666)
        os.chmod(folder / FILE, 0o444)
        done = subprocess.run([sys.executable, "-c", _READ, str(folder)], stdout=subprocess.PIPE, text=True, check=True)
    assert json.loads(done.stdout)[:2] == [
        True,
        f"{folder / FILE} can't be written, so this project is open for reading only.",
    ]


def test_no_room_for_the_copy_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(source: Path, to: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(WorkbenchError, match="could not be read or written: No space left on device"):
        Store(folder / FILE, read_only=True)


def test_a_file_that_changes_while_it_is_copied_is_copied_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copied: list[str] = []
    real = shutil.copyfile

    def copying(source: Path, to: Path) -> None:
        real(source, to)
        copied.append(source.name)
        if len(copied) == 2:  # both parts are there: another program writes
            os.utime(source, ns=(1, 1))

    monkeypatch.setattr(shutil, "copyfile", copying)
    Store(folder / FILE, read_only=True).close()
    assert copied == [FILE, f"{FILE}-journal"] * 2


def test_it_is_read_if_another_program_rolls_it_back_while_it_is_copied(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied: list[str] = []
    real = shutil.copyfile

    def copying(source: Path, to: Path) -> None:
        real(source, to)
        copied.append(source.name)
        if len(copied) == 1:
            Document.open(folder).close()

    monkeypatch.setattr(shutil, "copyfile", copying)
    with Document.open(folder, read_only=True) as document:
        assert notes(document) == {"whole"}
    assert copied == [FILE, FILE]


def test_a_file_that_never_keeps_still_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    states = iter(range(100))
    monkeypatch.setattr(rollback, "_state", lambda file: next(states))
    with pytest.raises(WorkbenchError, match="Another program is writing to"):
        Store(folder / FILE, read_only=True)
