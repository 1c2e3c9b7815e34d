"""Whole-or-nothing writing, names from foreign files, and finding images."""

from __future__ import annotations

import contextlib
import errno
import inspect
import os
import stat
import sys
from pathlib import Path

import pytest

from tests.raising import interrupt
from workbench.core import files
from workbench.core.decoding import refusals
from workbench.errors import WorkbenchError
from workbench.ui.project import photograph_count


@pytest.mark.parametrize("call", ["fsync", "replace", "open"])
def test_a_failed_write_leaves_the_old_content_and_no_temporary_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    target = tmp_path / "labels.txt"
    target.write_text("old")

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("builtins.open" if call == "open" else f"os.{call}", full)
        with pytest.raises(WorkbenchError, match=r"labels.txt could not be written: the disk is full"):
            files.atomic_write(target, "new")
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["labels.txt"]


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP, errno.EIO])
def test_a_disk_that_syncs_no_folders_is_written_to_and_one_that_fails_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    synced, really = [], os.fsync

    def fsync(handle: int) -> None:
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(number, os.strerror(number))
        synced.append(handle)
        really(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(WorkbenchError, match="error") if number == errno.EIO else contextlib.nullcontext():
        files.atomic_write(tmp_path / "labels.txt", "new")
    assert (tmp_path / "labels.txt").read_text() == "new"
    assert len(synced) == 1, "the file itself"


@pytest.mark.parametrize(
    "name", ["x" * 255, "é" * 127, "漢" * 85, "🐈" * 63], ids=["one byte", "two bytes", "three bytes", "four bytes"]
)
def test_a_name_as_long_as_a_disk_holds_is_written_and_what_was_left_of_it_is_known(tmp_path: Path, name: str) -> None:
    assert 252 <= len(name.encode()) <= 255
    with files.atomic_path(tmp_path / name) as temporary:
        temporary.write_text("new")
        (tmp_path / f"{temporary.name[:-12]}00000000.tmp").write_text("of a writer that was killed")
    assert (tmp_path / name).read_text() == "new"
    files.remove_unfinished(tmp_path)
    assert os.listdir(tmp_path) == [name]


def test_text_is_written_as_utf8_with_lf(tmp_path: Path) -> None:
    files.atomic_write(tmp_path / "deep" / "ü.txt", "ä\nb\n")
    assert (tmp_path / "deep" / "ü.txt").read_bytes() == b"\xc3\xa4\nb\n"


@pytest.mark.parametrize(
    "name",
    ["../x", "a/../../x", "/etc/passwd", "C:\\x", "\\\\server\\share", "a\0b", "", "CON.txt", "d/nul", "end.", "..\\x"],
)
def test_a_path_that_leads_outside_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(WorkbenchError, match="not followed"):
        files.resolve_inside(tmp_path, name)


def test_a_link_that_leads_outside_is_refused(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "door").symlink_to(tmp_path)
    with pytest.raises(WorkbenchError, match="link"):
        files.resolve_inside(inside, "door/secret.jpg")


@pytest.mark.parametrize("name", ["a.jpg", "sub/ü b.jpg", "sub\\c.jpg", "..hidden/x.jpg", "construct.txt", "🐈.png"])
def test_a_path_inside_is_followed_with_both_separators(tmp_path: Path, name: str) -> None:
    assert files.resolve_inside(tmp_path, name) == tmp_path / name.replace("\\", "/")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("a/b:c", "a-b-c"),
        ("CON", "CON-"),
        ("aux.tar", "aux-.tar"),
        (" ..x.. ", "x"),
        ("", "untitled"),
        ("grüße 🐈", "grüße 🐈"),
        ("a" * 99, "a" * 80),
        pytest.param("🐈" * 80, "🐈" * 60, id="of four bytes each, and no disk holds more than 255"),
        pytest.param("x" + "🐈" * 80, "x" + "🐈" * 59, id="none is cut in two"),
    ],
)
def test_any_text_becomes_a_portable_file_name(text: str, name: str) -> None:
    assert files.safe_name(text) == name


def test_images_are_found_below_a_folder_in_natural_order_without_hidden_ones(tmp_path: Path) -> None:
    for name in ("b/img10.JPG", "b/img2.png", "a.jpeg", ".hidden.jpg", ".thumbs/x.jpg", "notes.txt", "ü 🐈.webp"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    with open(os.fsencode(tmp_path) + b"/\xff.jpg", "wb"):
        pass
    assert files.scan_images(tmp_path) == ["a.jpeg", "b/img2.png", "b/img10.JPG", "ü 🐈.webp"]


@pytest.mark.parametrize("name", ["$RECYCLE.BIN", "System Volume Information", "@eaDir", "#recycle"])
def test_deleted_photographs_and_thumbnails_of_a_disk_are_not_photographs(tmp_path: Path, name: str) -> None:
    """Whoever chose a whole disk of Windows, or a folder on a NAS, got them among the others."""
    for file in ("a.jpg", f"{name}/deleted.jpg", f"trip/{name}/b.jpg/thumbnail.jpg", "trip/b.jpg"):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    assert files.scan_images(tmp_path) == ["a.jpg", "trip/b.jpg"]
    assert files.scan_images(tmp_path / name) == ["deleted.jpg"]
    assert list(photograph_count.photograph_flags(tmp_path)) == [True, True]


def test_a_folder_that_may_not_be_read_gets_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "scandir", refuse)  # the tests may run as root, whom chmod does not stop
    with pytest.raises(WorkbenchError, match=r"can't be read: Permission denied\. Choose another"):
        files.scan_images(tmp_path)


def test_what_a_macs_privacy_keeps_back_is_told_and_not_called_a_matter_of_permissions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def scandir(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(WorkbenchError, match="change its permissions"):
        files.scan_images(tmp_path)
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(WorkbenchError, match=r"Privacy & Security.*start it again\.$"):
        files.scan_images(tmp_path)
    assert "Privacy & Security" in refusals.not_readable(PermissionError(errno.EPERM, "Operation not permitted"))
    assert "Privacy" not in refusals.not_readable(PermissionError(errno.EACCES, "Permission denied"))
    monkeypatch.setattr(os, "replace", scandir)
    with pytest.raises(WorkbenchError, match=r"could not be written: macOS keeps .*start it again\.$"):
        files.atomic_write(tmp_path / "labels.txt", "new")


def test_a_link_in_a_circle_hides_nothing_else(tmp_path: Path) -> None:
    for number in range(20):
        (tmp_path / f"{number}.png").touch()
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "x.png").touch()
    (tmp_path / "10 loop.jpg").symlink_to(tmp_path / "10 loop.jpg")
    (tmp_path / "circle").symlink_to(tmp_path)
    found = files.scan_images(tmp_path)
    assert len(found) == 22
    assert {"10 loop.jpg", "sub/x.png"} <= set(found)


def test_what_a_killed_writer_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    for name in (".last.state.pt.4711.0cdf0a7a.tmp", "last.state.pt", ".mine.tmp", "a.4711.0cdf0a7a.tmp"):
        (tmp_path / name).write_text("x")
    files.remove_unfinished(tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == {"last.state.pt", ".mine.tmp", "a.4711.0cdf0a7a.tmp"}


def test_the_name_that_is_written_to_is_one_of_those(tmp_path: Path) -> None:
    with pytest.raises(KeyError), files.atomic_path(tmp_path / "a.txt") as temporary:
        other = temporary.with_name(temporary.name)
        interrupt(KeyError)
    other.write_text("as if killed")
    files.remove_unfinished(tmp_path)
    assert not other.exists()


def test_what_nobody_may_look_at_is_passed_over_and_what_is_above_it_is_tried(tmp_path: Path) -> None:
    """The system refuses this name as it does a folder without permission, or a share that does not answer."""
    shut = tmp_path / ("x" * 300)
    files.check_writable(shut / "out")
    assert files.gather_images([shut], files.SkippedFiles()) == ({}, [shut])


def test_no_folder_is_too_deep(tmp_path: Path) -> None:
    """Each was a call in the one above it, and more than Python allows a crash report."""
    (tmp_path / ("a/" * 100)).mkdir(parents=True)
    (tmp_path / ("a/" * 100) / "1.png").touch()
    allowed = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack(0)) + 80)
    try:
        found = list(files.walk_images(tmp_path))
    finally:
        sys.setrecursionlimit(allowed)
    assert found == ["a/" * 100 + "1.png"]
