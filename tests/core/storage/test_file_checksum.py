"""A bit that flips on the disk while a project is closed is seen at its opening; other changes of the file are none."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

import pytest
from PIL import Image as Picture

from workbench.core import edits, store
from workbench.core.document import Document
from workbench.core.project import Box, Label, State
from workbench.core.storage import backups, file_checksum
from workbench.core.store import FILE
from workbench.errors import Damaged


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "photographs").mkdir()
    Picture.new("RGB", (200, 200)).save(tmp_path / "photographs" / "a.png")
    with Document.create(tmp_path / "p", images=tmp_path / "photographs") as document:
        document.do(edits.AddLabels((Label(0, "cat"),)))
        boxes = tuple(Box(0, document.images()[0].id, 1, (x, 3, x + 7.25, 99), note=f"n{x}") for x in range(150))
        document.do(edits.AddBoxes(boxes))
    backups.back_up(tmp_path / "p")
    return tmp_path / "p"


def rot(file: Path, at: int, bit: int) -> None:
    """As a disk does: the size and the time stay."""
    about = file.stat()
    data = bytearray(file.read_bytes())
    data[at] ^= 1 << bit
    file.write_bytes(data)
    os.utime(file, ns=(about.st_atime_ns, about.st_mtime_ns))


def opens(folder: Path) -> bool:
    try:
        Document.open(folder).close()
    except Damaged as damage:
        return "is intact" not in damage.sentence
    return True


def test_every_flipped_bit_is_seen_and_without_the_seal_most_are_not(project: Path, tmp_path: Path) -> None:
    chance = random.Random(5)
    size, seen, seen_without = (project / FILE).stat().st_size, 0, 0
    for number in range(40):
        at, bit = chance.randrange(100, size), chance.randrange(8)
        for sealed in (True, False):
            here = tmp_path / f"{number}-{sealed}"
            shutil.copytree(project, here)  # keeps times
            if not sealed:
                shutil.rmtree(here / "cache")
            rot(here / FILE, at, bit)
            found = not opens(here)
            seen += found and sealed
            seen_without += found and not sealed
    assert seen == 40
    assert seen_without < 30, "the control: SQLite alone"


def test_a_project_that_was_written_since_is_not_called_damaged(project: Path) -> None:
    with Document.open(project) as document:
        document.do(edits.AddLabels((Label(0, "dog"),)))
        document.store.close()  # killed: no seal
    os.utime(project / FILE)
    assert opens(project)
    assert not file_checksum.is_damaged(project / FILE)


def test_a_copy_that_took_the_projects_place_is_not_called_damaged(project: Path) -> None:
    with Document.open(project) as document:
        document.do(edits.AddLabels((Label(0, "dog"),)))
    (copy,) = backups.backups(project)
    backups.restore(project, copy)
    assert opens(project)


@pytest.mark.parametrize("note", ["", "[]", "{}", '{"file": 3, "sum": "x"}', "{", '{"file": [1, 2], "sum": 0}'])
def test_a_damaged_note_is_no_note(project: Path, note: str) -> None:
    (project / "cache" / "seal.json").write_text(note)
    assert opens(project)


def test_reading_only_leaves_no_note(project: Path) -> None:
    (project / "cache" / "seal.json").unlink()
    Document.open(project, read_only=True).close()
    assert not (project / "cache" / "seal.json").exists()


def coarse(file: Path) -> None:
    """As a disk whose clock goes in steps (FAT: two seconds) would have stamped it."""
    os.utime(file, ns=(1_700_000_000 * 10**9,) * 2)


@pytest.mark.parametrize("how", ["closed", "killed", "killed in between"])
def test_edits_within_one_tick_of_the_disks_clock_are_no_damage(project: Path, how: str) -> None:
    file = project / FILE
    coarse(file)
    file_checksum.record(file)
    size = file.stat().st_size
    with Document.open(project) as document:
        first = document.boxes(document.images()[0].id)[0]
        document.do(edits.SetState((document.images()[0].id,), State.DONE))
        document.do(edits.RemoveBoxes((first.id,)))
        if how == "killed":
            document.store.close()
            coarse(file)
    if how == "killed in between":
        (project / f"{FILE}-journal").touch()
    coarse(file)
    assert file.stat().st_size == size, "what tells it apart is neither time nor size"
    assert opens(project)


@pytest.mark.parametrize("closes", [False, True])
def test_what_another_process_writes_while_the_sum_is_taken_is_no_damage(
    project: Path, monkeypatch: pytest.MonkeyPatch, closes: bool
) -> None:
    real, others = file_checksum._sum, list[Document]()

    def written_meanwhile(file: Path) -> int:
        monkeypatch.setattr(file_checksum, "_sum", real)
        others.append(Document.open(project))
        others[0].do(edits.SetState((others[0].images()[0].id,), State.DONE))
        if closes:
            others[0].close()
        coarse(file)
        return real(file)

    coarse(project / FILE)
    file_checksum.record(project / FILE)
    monkeypatch.setattr(file_checksum, "_sum", written_meanwhile)
    assert not file_checksum.is_damaged(project / FILE)
    others[0].close()


def test_bits_of_the_count_of_writes_are_seen_too(project: Path) -> None:
    for at in (*range(24, 28), *range(92, 96)):
        rot(project / FILE, at, 3)
        assert file_checksum.is_damaged(project / FILE)
        rot(project / FILE, at, 3)
    assert not file_checksum.is_damaged(project / FILE)


def test_without_the_count_a_disk_with_a_coarse_clock_is_called_damaged(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control."""
    monkeypatch.setattr(file_checksum, "write_counts", lambda _: [1, 1])
    coarse(project / FILE)
    file_checksum.record(project / FILE)
    with Document.open(project) as document:
        document.do(edits.SetState((document.images()[0].id,), State.DONE))
        document.store.close()
        coarse(project / FILE)
    coarse(project / FILE)
    assert not opens(project)


def test_damage_is_not_rewritten_where_the_file_is_checked_only_after_it_was_opened(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The window opens a large project before it is checked, and rewriting it made its flipped bits look right."""
    file = project / FILE
    with Document.open(project) as document:
        image = document.images()[0].id
        document.draw(tuple(Box(0, image, 1, (0, 0, 5, 5), note="x" * 500) for _ in range(2000)))
        document.undo()
        document.draw((Box(0, image, 1, (0, 0, 5, 5), note="as it was"),))
    at, size = file.read_bytes().rindex(b"as it was"), file.stat().st_size
    rot(file, at, 0)
    monkeypatch.setattr(store, "_MUCH_FREE", 0)
    with Document.open(project, check=False):
        assert file.stat().st_size == size
    assert not opens(project)
    rot(file, at, 0)
    with Document.open(project, check=False):
        assert file.stat().st_size < size / 4
