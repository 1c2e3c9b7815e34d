"""An export into a folder that is not empty, killed or failing anywhere: nothing is lost, and the next one mends it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.exchange.exports import by_path, edit, filled, out, tree
from tests.formats.making import text
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import Split
from workbench.errors import WorkbenchError
from workbench.exchange import export_folder, export_labels
from workbench.exchange.export_folder import LIST


class Killed(BaseException):
    """What nobody catches."""


@pytest.fixture
def document(tmp_path: Path) -> Iterator[Document]:
    with filled(tmp_path) as made:
        yield made


def torn(folder: Path, *allowed: dict[str, bytes]) -> list[str]:
    """Files that are neither wholly as they were nor wholly new."""
    seen = {name: data for name, data in tree(folder).items() if not name.startswith(".")}
    return [name for name, data in seen.items() if not any(one.get(name) == data for one in allowed)]


def cut_off(monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    """Die before step `at` of those that change the folder; what cleans up does not run."""
    steps = 0

    def counted(work: Callable[..., object]) -> Callable[..., object]:
        def one(*args: object) -> object:
            nonlocal steps
            steps += 1
            if steps > at:
                raise Killed
            return work(*args)

        return one

    monkeypatch.setattr(os, "replace", counted(os.replace))
    monkeypatch.setattr(export_folder.ExportFolder, "_unlink", counted(export_folder.ExportFolder._unlink))
    monkeypatch.setattr(shutil, "rmtree", lambda *_, **__: None)


@pytest.mark.parametrize("copies", [True, False], ids=["copies", "labels only"])
@pytest.mark.parametrize("way", ["export", "control"])
def test_an_export_that_was_cut_off_anywhere_loses_nothing_and_the_next_one_mends_it(
    document: Document, tmp_path: Path, way: str, copies: bool
) -> None:
    out(document, tmp_path / "before")
    edit(document)
    out(document, tmp_path / "new")
    before, new = tree(tmp_path / "before"), tree(tmp_path / "new")
    later = edits.SetSplit((by_path(document)["f.jpg"], 90), Split.TEST)
    document.do(later)
    out(document, tmp_path / "later")
    document.undo()
    at, is_killed, bad = 0, True, list[str]()
    while is_killed:
        folder = tmp_path / f"set {at}"
        shutil.copytree(tmp_path / "before", folder)
        with pytest.MonkeyPatch.context() as patch:
            cut_off(patch, at)
            if way == "control":
                patch.setattr(export_folder.ExportFolder, "_write_list", only_when_all_is_done)
            try:
                out(document, folder, copies=copies)
                is_killed = False
            except Killed:
                pass
        assert not torn(folder, before, new)
        again = tmp_path / f"again {at}"
        shutil.copytree(folder, again)
        document.do(later)  # what was cut off is not written again: its files must be known as ours
        bad += told_other(document, again, tmp_path / "later", copies)
        document.undo()
        bad += told_other(document, folder, tmp_path / "new", copies)
        at += 1
    assert at > 10
    assert bool(bad) is (way == "control"), bad


def told_other(document: Document, folder: Path, new: Path, copies: bool) -> list[str]:
    """How `folder` differs from `new` after one more export."""
    try:
        out(document, folder, copies=copies)
    except WorkbenchError as error:
        return [error.sentence]
    now, wanted = tree(folder), tree(new)
    return sorted(name for name in {*now, *wanted} if now.get(name) != wanted.get(name))


def only_when_all_is_done(self: export_folder.ExportFolder, format: str, files: dict[str, export_folder.Ours]) -> None:
    """The control: no list before the files are moved."""
    if files == self._stay | self._new:
        _WRITE_LIST(self, format, files)


_WRITE_LIST = export_folder.ExportFolder._write_list


def test_an_export_that_was_really_killed_is_mended_by_the_next(document: Document, tmp_path: Path) -> None:
    folder = tmp_path / "set"
    out(document, folder)
    edit(document)
    out(document, tmp_path / "new")
    program = """
import os, signal, sys
from pathlib import Path
from workbench.core.document import Document
from workbench.exchange import export_folder, export_labels
unlink = export_folder.ExportFolder._unlink
def dying(self, file):
    unlink(self, file)
    os.kill(os.getpid(), signal.SIGKILL)
export_folder.ExportFolder._unlink = dying
with Document.open(Path(sys.argv[1]), read_only=True) as document:
    export_labels(document.snapshot(), "yolo", Path(sys.argv[2]), True, True, project=document.folder)
"""
    done = subprocess.run([sys.executable, "-c", program, str(document.folder), str(folder)], check=False)
    assert done.returncode == -9
    assert tree(folder) != tree(tmp_path / "new")
    out(document, folder)
    assert tree(folder) == tree(tmp_path / "new")


def test_where_a_copy_fails_the_last_export_is_as_it_was(
    document: Document, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: export_folder.ExportFolder, _picture: object, part: Path) -> None:
        raise WorkbenchError(f"{part / 'images'} could not be written: the disk is full.")

    folder = tmp_path / "set"
    out(document, folder)
    before, known = tree(folder), (folder / LIST).read_bytes()
    edit(document)
    with monkeypatch.context() as patch:
        patch.setattr(export_folder.ExportFolder, "copy", full)
        with pytest.raises(WorkbenchError, match=r"set/images could not be written: the disk is full"):
            out(document, folder)
        with pytest.raises(WorkbenchError, match="disk is full"):
            out(document, tmp_path / "other")
    assert (tree(folder), (folder / LIST).read_bytes()) == (before, known)
    assert not (tmp_path / "other").exists()


def test_what_a_killed_export_left_half_written_does_not_fill_a_folder(document: Document, tmp_path: Path) -> None:
    text(tmp_path / "set" / f"{LIST}.abc.part" / "labels" / "a.txt", "0 0 0 0 0\n")
    export_labels(document.snapshot(), "yolo", tmp_path / "set", project=document.folder)
    assert [file.name for file in (tmp_path / "set").iterdir() if file.name.startswith(".")] == [LIST]
    text(tmp_path / "mine" / "notes.txt", "mine")
    with pytest.raises(WorkbenchError, match="is not empty"):
        export_labels(document.snapshot(), "yolo", tmp_path / "mine")
