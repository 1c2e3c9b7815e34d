"""Zips are unpacked whole or not at all, once, and into the project's folder; everything else is refused in words."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import io
import itertools
import os
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.parsing.crafted_zips import DESCRIPTOR, UTF8, Entry, build
from workbench.core.files import resolve_inside
from workbench.core.parsing import archives, zip_names
from workbench.core.parsing.archives import UnpackingStopped, unpack_folder, unpack_zip
from workbench.core.parsing.zip_reader import LIMITS, Limits, open_zip
from workbench.core.storage.lock import Lock
from workbench.errors import Refused, WorkbenchError

LABELS = {"train/labels/a.txt": b"0 .5 .5 .1 .1\n" * 400, "train/images/a.jpg": os.urandom(3000), "data.yaml": b"nc: 1"}


class Usage(NamedTuple):
    total: int
    used: int
    free: int


def a_zip(folder: Path, name: str = "cells.zip", files: dict[str, bytes] = LABELS) -> Path:
    with zipfile.ZipFile(folder / name, "w", zipfile.ZIP_DEFLATED) as made:
        for path, data in files.items():
            made.writestr(path, data)
    return folder / name


def bring(file: Path, project: Path, stopped: Callable[[], bool] = lambda: False, limits: Limits = LIMITS) -> Path:
    return unpack_zip(file, unpack_folder(project, file), stopped=stopped, limits=limits)


def files_below(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def in_imports(project: Path) -> list[str]:
    """What the imports folder shows; the lock is empty and stays."""
    return sorted(name for name in os.listdir(project / "imports") if name != ".unpacking.lock")


def test_a_zip_is_unpacked_into_the_folder_of_its_name(tmp_path: Path) -> None:
    folder = bring(a_zip(tmp_path), tmp_path / "project")
    assert folder == tmp_path / "project" / "imports" / "cells"
    assert files_below(folder) == LABELS
    told = archives.about(folder)
    assert told is not None
    assert (told.name, told.files, told.bytes) == ("cells.zip", 3, sum(map(len, LABELS.values())))
    assert told.sha256 == hashlib.sha256((tmp_path / "cells.zip").read_bytes()).hexdigest()
    assert in_imports(tmp_path / "project") == ["cells", "cells.zip.json"]


@pytest.mark.parametrize("name", ["again.zip", "cells.zip"])
def test_the_same_zip_is_found_again_whatever_its_name(tmp_path: Path, name: str) -> None:
    project = tmp_path / "project"
    first = bring(a_zip(tmp_path), project)
    before = (first / "data.yaml").stat().st_mtime_ns
    assert bring((tmp_path / "cells.zip").rename(tmp_path / name), project) == first
    assert (first / "data.yaml").stat().st_mtime_ns == before
    assert in_imports(project) == ["cells", "cells.zip.json"]


def test_another_zip_of_the_same_name_and_size_gets_a_folder_of_its_own(tmp_path: Path) -> None:
    project, file = tmp_path / "project", tmp_path / "cells.zip"
    file.write_bytes(build(Entry("a.txt", b"0 1")))
    first = bring(file, project)
    file.write_bytes(build(Entry("a.txt", b"1 0")))
    second = bring(file, project)
    assert (first.name, second.name) == ("cells", "cells-2")
    assert (second / "a.txt").read_bytes() == b"1 0"


def test_a_zip_whose_folder_was_deleted_is_unpacked_again(tmp_path: Path) -> None:
    folder = bring(a_zip(tmp_path), tmp_path / "project")
    folder.rename(tmp_path / "elsewhere")
    assert bring(tmp_path / "cells.zip", tmp_path / "project") == folder
    assert files_below(folder) == LABELS


def test_a_damaged_note_is_no_proof(tmp_path: Path) -> None:
    project = tmp_path / "project"
    folder = bring(a_zip(tmp_path), project)
    (project / "imports" / "cells.zip.json").write_text("{")
    assert bring(tmp_path / "cells.zip", project).name == "cells-2"
    archives.discard(folder)
    assert folder.exists()


def test_what_no_import_took_is_discarded_and_what_one_took_is_kept(tmp_path: Path) -> None:
    project = tmp_path / "project"
    folder = bring(a_zip(tmp_path), project)
    archives.mark_used(folder)
    archives.discard(folder)
    assert files_below(folder) == LABELS
    other = bring(a_zip(tmp_path, "other.zip", {"a.txt": b"1"}), project)
    archives.discard(other)
    assert in_imports(project) == ["cells", "cells.zip.json"]


def test_no_other_folder_is_ever_discarded(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    archives.mark_used(tmp_path / "mine")
    archives.discard(tmp_path / "mine")
    assert sorted(os.listdir(tmp_path)) == ["mine"]


def test_asked_to_stop_at_any_point_it_leaves_nothing(tmp_path: Path) -> None:
    file, project = a_zip(tmp_path), tmp_path / "project"
    stops = 0
    while True:
        answers = itertools.chain(itertools.repeat(False, stops), itertools.repeat(True))
        try:
            bring(file, project, answers.__next__)
        except UnpackingStopped:
            stops += 1
            assert in_imports(project) == []
        else:
            break
    assert stops > 2 * len(LABELS)
    assert files_below(project / "imports" / "cells") == LABELS


def test_progress_goes_forward_to_its_end(tmp_path: Path) -> None:
    file = a_zip(tmp_path, files={f"{n}.jpg": os.urandom(2000) for n in range(300)})
    told = list[tuple[int, int]]()
    unpack_zip(file, unpack_folder(tmp_path, file), lambda done, total: told.append((done, total)))
    assert told == sorted(told)
    assert told[-1] == (2 * file.stat().st_size,) * 2
    assert 100 < len(told) <= 502


def test_a_failed_write_leaves_nothing_and_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", full)
        with pytest.raises(WorkbenchError, match="cells.zip could not be unpacked to .*: the disk is full"):
            bring(a_zip(tmp_path), tmp_path / "project")
    assert in_imports(tmp_path / "project") == []


def test_room_is_kept_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**9, 0, LIMITS.reserve + 8000))
    with pytest.raises(Refused, match=r"unpacks to 8,605 bytes, but the disk of .* has .* free"):
        bring(a_zip(tmp_path), tmp_path / "project")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**9, 0, LIMITS.reserve + 9000))
    bring(a_zip(tmp_path), tmp_path / "project")


def test_room_that_goes_meanwhile_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frees = iter([10**12, 10**12, 0])
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**12, 0, next(frees)))
    monkeypatch.setattr(archives, "_LOOK", 1000)
    with pytest.raises(Refused, match="Make room"):
        bring(a_zip(tmp_path), tmp_path / "project")
    assert in_imports(tmp_path / "project") == []


@pytest.mark.parametrize(
    ("files", "limits", "sentence"),
    [
        (LABELS, Limits(members=2), "it has more than 2 members"),
        (LABELS, Limits(unpacked=8000), "it unpacks to more than 8,000 bytes"),
        # photographs make up for the text, as a whole
        (
            LABELS | {"b.jpg": os.urandom(5000)},
            Limits(ratio=2, unsuspected=5000),
            "'train/labels/a.txt' unpacks to more",
        ),
        # none is large enough by itself
        ({"a.txt": bytes(4000), "b.txt": bytes(4000)}, Limits(ratio=2, unsuspected=5000), "it unpacks to more than 2"),
    ],
)
def test_each_limit_is_kept(tmp_path: Path, files: dict[str, bytes], limits: Limits, sentence: str) -> None:
    file = a_zip(tmp_path, files=files)
    with pytest.raises(Refused, match=sentence):
        bring(file, tmp_path / "project", limits=limits)
    assert in_imports(tmp_path / "project") == []
    bring(file, tmp_path / "project")


def test_what_a_killed_program_left_is_swept_away(tmp_path: Path) -> None:
    left = tmp_path / "project" / "imports" / ".cells.0123abcd.unpacking"
    left.mkdir(parents=True)
    (left / "half.jpg").write_bytes(b"")
    bring(a_zip(tmp_path), tmp_path / "project")
    assert in_imports(tmp_path / "project") == ["cells", "cells.zip.json"]


def test_two_do_not_unpack_into_one_project_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    imports = tmp_path / "project" / "imports"
    imports.mkdir(parents=True)
    other = Lock(imports, ".unpacking.lock")
    with pytest.raises(WorkbenchError, match=f"is in use by process {os.getpid()} .*stop it there"):
        bring(a_zip(tmp_path), tmp_path / "project")
    other.release()
    bring(tmp_path / "cells.zip", tmp_path / "project")

    def flock(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(WorkbenchError, match=r"disk of its folder has none \(No locks available\)\. Use a folder"):
        bring(a_zip(tmp_path), tmp_path / "project")


def tar(mode: str) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as made:  # type: ignore[call-overload]
        made.addfile(tarfile.TarInfo("a.txt"), io.BytesIO())
    return stream.getvalue()


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (tar("w"), "tar"), (tar("w:gz"), "gzip"), (tar("w:bz2"), "bzip2"), (tar("w:xz"), "xz"),
        (b"7z\xbc\xaf\x27\x1c\0\4", "7z"), (b"Rar!\x1a\x07\0", "rar"), (b"\x28\xb5\x2f\xfd", "zstd"),
    ],
    ids=lambda value: value if isinstance(value, str) else "bytes",  # gzip has the time in it
)  # fmt: skip
def test_other_archives_are_known_by_their_bytes_and_refused_with_what_to_do(
    tmp_path: Path, data: bytes, kind: str
) -> None:
    file = tmp_path / "labels.zip"
    file.write_bytes(data)
    assert archives.is_archive(file)
    with pytest.raises(Refused, match=rf"^labels.zip: this is a {kind} archive.* Unpack it and choose the folder"):
        bring(file, tmp_path / "project")


def test_a_zip_is_known_by_its_bytes_not_by_its_name(tmp_path: Path) -> None:
    assert archives.is_archive(a_zip(tmp_path, "cells.json"))
    (tmp_path / "text.zip").write_text("not packed")
    assert not archives.is_archive(tmp_path / "text.zip")
    assert not archives.is_archive(tmp_path)
    assert not archives.is_archive(tmp_path / "none")
    with pytest.raises(Refused, match="not an archive"):
        bring(tmp_path / "text.zip", tmp_path / "project")
    with pytest.raises(WorkbenchError, match="no file"):
        bring(tmp_path / "none", tmp_path / "project")


def test_an_empty_zip_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="contains no files"):
        bring(a_zip(tmp_path, files={}), tmp_path / "project")


def test_what_systems_leave_behind_is_left_out_and_counted(tmp_path: Path) -> None:
    junk = {"__MACOSX/": b"", "__MACOSX/._a.jpg": b"x", "sub/.DS_Store": b"x", "Thumbs.db": b"x"}
    folder = bring(a_zip(tmp_path, files=LABELS | junk), tmp_path / "project")
    assert files_below(folder) == LABELS
    assert not (folder / "__MACOSX").exists()
    told = archives.about(folder)
    assert told is not None
    assert told.left_out == 3


def test_nothing_comes_out_executable_and_a_zip_within_stays_a_file(tmp_path: Path) -> None:
    inner, file = build(Entry("x.txt")), tmp_path / "cells.zip"
    file.write_bytes(build(Entry("run.sh", b"#!/bin/sh", mode=0o104777), Entry("inner.zip", inner)))
    folder = bring(file, tmp_path / "project")
    assert files_below(folder) == {"run.sh": b"#!/bin/sh", "inner.zip": inner}
    assert not (folder / "run.sh").stat().st_mode & 0o7111


@pytest.mark.parametrize(
    ("entry", "name"),
    [
        (Entry("Zürich.jpg"), "Zürich.jpg"),
        (Entry("Zürich.jpg".encode(), flags=0), "Zürich.jpg"),  # macOS: UTF-8 that does not say so
        (Entry("Zürich.jpg".encode("cp437"), flags=0), "Zürich.jpg"),  # DOS and Windows
        (Entry("写真.jpg".encode("gbk"), flags=0), "写真.jpg".encode("gbk").decode("cp437")),
        (Entry(b"Z?rich.jpg", extra=b"\x75\x70" + bytes([16, 0, 1]) + zlib.crc32(b"Z?rich.jpg").to_bytes(4, "little")
               + "Zürich.jpg".encode()), "Zürich.jpg"),
        (Entry(b"Z-rich.jpg", extra=b"\x75\x70" + bytes([16, 0, 1]) + bytes(4) + "Zürich.jpg".encode()), "Z-rich.jpg"),
        (Entry(b"a.jpg", extra=b"\0\0\0"), "a.jpg"),
        (Entry("images\\train\\a.jpg"), "images/train/a.jpg"),
        (Entry("./images//a.jpg"), "images/a.jpg"),
        (Entry("..hidden/a...b.jpg"), "..hidden/a...b.jpg"),
    ],
)  # fmt: skip
def test_foreign_names_stay_readable(tmp_path: Path, entry: Entry, name: str) -> None:
    file = tmp_path / "cells.zip"
    file.write_bytes(build(entry))
    assert files_below(bring(file, tmp_path / "project")) == {name: b"label"}


class Pipe(io.RawIOBase):
    """Can't be sought, so that zipfile writes sizes behind the data."""

    def __init__(self) -> None:
        self.data = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        self.data += bytes(data)  # type: ignore[call-overload]
        return len(data)  # type: ignore[arg-type]


def test_zips_of_all_common_writers_are_read(tmp_path: Path) -> None:
    pipe, forced = Pipe(), io.BytesIO()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in LABELS.items():
            made.writestr(name, data)
    with zipfile.ZipFile(forced, "w") as made:
        for name, data in LABELS.items():
            with made.open(name, "w", force_zip64=True) as stream:
                stream.write(data)
    entries = [Entry(name, data, method=8) for name, data in LABELS.items()]
    variants = [
        bytes(pipe.data), forced.getvalue(), build(*entries, zip64=True), build(*entries, comment=b"PK\5\6" * 9),
        build(*(Entry(e.name, e.data, 8, flags=UTF8 | DESCRIPTOR) for e in entries)),
        build(*(Entry(e.name, e.data, e.method, mode=0o100644) for e in entries), Entry("train/", b"", mode=0o40755)),
    ]  # fmt: skip
    for number, data in enumerate(variants):
        file = tmp_path / f"{number}.zip"
        file.write_bytes(data)
        assert files_below(bring(file, tmp_path / "project")) == LABELS


@pytest.mark.slow
def test_more_members_than_an_old_count_holds_are_all_taken(tmp_path: Path) -> None:
    """As macOS packs them: the count is what is left of it in 16 bits."""
    file = tmp_path / "many.zip"
    file.write_bytes(build(*(Entry(f"{number}.txt", b"") for number in range(0x10001))))
    with open_zip(file) as packed:
        assert len(packed.members) == 0x10001


WEIRD = st.lists(
    st.sampled_from(["..", ".", "a", "con", "NUL.txt", "x.", "y ", "/", "\\", "C:", "\0", "COM1", "ü", "img.jpg"]),
    max_size=6,
).map("".join)


@given(WEIRD | st.text(max_size=12))
def test_every_name_that_is_not_followed_elsewhere_is_refused_here_too(name: str) -> None:
    wrong = zip_names.path_of(name)[1] if not any(0xD800 <= ord(c) < 0xE000 for c in name) else "is not text"
    try:
        resolve_inside(Path("/nowhere"), name)
    except (WorkbenchError, ValueError):
        assert wrong


@pytest.mark.parametrize("change", ["other bytes", "longer", "gone", "more", "link"])
def test_files_that_were_changed_since_are_not_handed_out_as_the_zips(tmp_path: Path, change: str) -> None:
    packed = {"labels/a.txt": b"0 0.5 0.5 0.5 0.5", "b.txt": b"b", ".hidden": b"h"}
    file = a_zip(tmp_path, "z.zip", packed)
    first = archives.unpack_zip(file, tmp_path / "p" / "imports" / "z")
    label = first / "labels" / "a.txt"
    (first / ".autosync").write_bytes(b"")
    (first / "labels" / "Thumbs.db").write_bytes(b"")
    (first / ".hidden").write_bytes(b"other")
    assert archives.unpack_zip(file, first) == first, "the control: nothing of the zip was changed"
    if change == "other bytes":
        label.write_bytes(b"1 0.5 0.5 0.5 0.5")
    elif change == "longer":
        label.write_bytes(b"0 0.5 0.5 0.5 0.5\n")
    elif change == "gone":
        label.unlink()
    elif change == "more":
        (first / "labels" / "c.txt").write_bytes(b"")
    else:
        label.unlink()
        label.symlink_to(first / "b.txt")
    before = {path: path.lstat().st_mtime_ns for path in first.rglob("*")}
    again = archives.unpack_zip(file, first)
    assert again == first.with_name("z-2")
    assert {name: (again / name).read_bytes() for name in packed} == packed
    assert {path: path.lstat().st_mtime_ns for path in first.rglob("*")} == before, "what was changed stays"
    assert archives.unpack_zip(file, first) == again, "found again from now on"
