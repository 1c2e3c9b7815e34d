"""The project file under bad luck: killed, full disk, damaged, newer, older."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from workbench.core import edits, store
from workbench.core.document import Document
from workbench.core.project import Box, Image, Label
from workbench.errors import WorkbenchError

# Starting Python anew for each of 200 kills takes most of a minute: one process imports all and forks who draws.
_DRAWERS = """
import os, sys
from pathlib import Path
from workbench.core.document import Document
from workbench.core.project import Box
for _ in sys.stdin:
    child = os.fork()
    if not child:
        document = Document.open(Path(sys.argv[1]))
        assert not document.read_only, document.why_read_only
        sys.stdout.write(f"{os.getpid()}\\n")
        while True:
            boxes = document.draw(tuple(Box(0, 1, 1, (n, 0, n + 5, 5)) for n in range(3))).added_boxes
            sys.stdout.write(" ".join(str(box.id) for box in boxes) + "\\n")
            sys.stdout.flush()
    os.waitpid(child, 0)
    sys.stdout.write("ended\\n")
    sys.stdout.flush()
"""


@pytest.fixture
def document(tmp_path: Path) -> Iterator[Document]:
    document = make(tmp_path / "p")
    yield document
    document.close()


def make(folder: Path) -> Document:
    document = Document.create(folder)
    document.do(edits.AddLabels((Label(0, "cat"),)))
    document.do(edits.AddImages((Image(0, "1.jpg", 100, 50, root=document.add_root(folder)),)))
    return document


@pytest.mark.slow
def test_no_acknowledged_box_is_lost_in_200_kills(tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as pool:  # two projects at a time: what takes long is starting Python
        acknowledged = sum(pool.map(lambda seed: _kills(tmp_path / f"p{seed}", seed, 100), (1, 2)))
    assert acknowledged > 600


def _kills(folder: Path, seed: int, times: int) -> int:
    """Kill somebody who draws, again and again; how many boxes were acknowledged, all of which are there."""
    make(folder).close()
    acknowledged: set[int] = set()
    chance = random.Random(seed)
    command = [sys.executable, "-c", _DRAWERS, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as drawers:
        assert drawers.stdin is not None
        assert drawers.stdout is not None
        for _ in range(times):
            drawers.stdin.write("draw\n")
            drawers.stdin.flush()
            child = int(drawers.stdout.readline())
            lines = [drawers.stdout.readline() for _ in range(1 + chance.randrange(12))]  # it draws
            _spin(chance.random() * 0.004)
            os.kill(child, signal.SIGKILL)
            lines += list(iter(drawers.stdout.readline, "ended\n"))
            acknowledged |= {int(i) for line in lines for i in line.split()}
            with Document.open(folder) as again:
                assert not again.read_only
                there = {box.id for box in again.boxes(1)}
                assert acknowledged <= there
                assert len(there) % 3 == 0, "half an edit"
    return len(acknowledged)


def _spin(seconds: float) -> None:
    """Let a random instant pass: the point is where in a save the kill falls, so nothing can be waited for."""
    import time

    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


def test_a_full_disk_gives_a_sentence_and_loses_nothing(document: Document, tmp_path: Path) -> None:
    document.draw((Box(0, 1, 1, (0, 0, 5, 5)),))
    pages = document.store.connection.execute("PRAGMA page_count").fetchone()[0]
    document.store.connection.execute(f"PRAGMA max_page_count = {pages}")  # SQLite's own "disk full"
    with pytest.raises(WorkbenchError, match=r"disk of .* is full.*everything before it is"):
        for _ in range(1000):
            document.draw(tuple(Box(0, 1, 1, (0, 0, 5, 5)) for _ in range(50)))
    kept = len(document.boxes(1))
    document.store.connection.execute("PRAGMA max_page_count = 1000000")  # room again
    document.draw((Box(0, 1, 1, (1, 1, 5, 5)),))
    document.close()
    with Document.open(document.folder) as again:
        assert len(again.boxes(1)) == kept + 1
        assert kept % 50 == 1


@pytest.mark.parametrize("where", [0, 4096, -4096])
def test_a_damaged_project_is_refused_with_a_sentence_and_left_as_it_is(
    document: Document, tmp_path: Path, where: int
) -> None:
    for _ in range(30):
        document.draw(tuple(Box(0, 1, 1, (0, 0, 5, 5), note="x" * 50) for _ in range(20)))
    document.close()
    file = document.folder / store.FILE
    data = bytearray(file.read_bytes())
    data[where : where + 2000] = b"\xff" * 2000
    file.write_bytes(data)
    with pytest.raises(WorkbenchError, match=r"damaged|not a Workbench project"):
        Document.open(document.folder)
    assert file.read_bytes() == bytes(data)


def test_an_empty_or_foreign_file_is_no_project(tmp_path: Path) -> None:
    (tmp_path / store.FILE).write_bytes(b"")
    with pytest.raises(WorkbenchError, match="not a Workbench project"):
        Document.open(tmp_path)
    (tmp_path / store.FILE).unlink()
    other = sqlite3.connect(tmp_path / store.FILE)
    other.execute("CREATE TABLE other (id)")
    other.close()
    with pytest.raises(WorkbenchError, match="not a Workbench project"):
        Document.open(tmp_path)


def test_a_newer_project_opens_for_reading_only_with_a_sentence(document: Document, tmp_path: Path) -> None:
    document.draw((Box(0, 1, 1, (0, 0, 5, 5)),))
    document.store.connection.execute(f"PRAGMA user_version = {store.VERSION + 1}")
    document.close()
    with Document.open(document.folder) as newer:
        assert newer.read_only
        assert "newer Workbench" in newer.why_read_only
        assert len(newer.boxes(1)) == 1
        with pytest.raises(WorkbenchError, match="newer Workbench"):
            newer.draw((Box(0, 1, 1, (0, 0, 5, 5)),))


def test_an_older_project_is_migrated_after_a_copy_is_kept(
    document: Document, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    document.close()
    monkeypatch.setattr(store, "VERSION", store.VERSION + 1)

    def add_a_table(connection: sqlite3.Connection) -> None:
        connection.execute("CREATE TABLE later (id INTEGER PRIMARY KEY) STRICT")

    monkeypatch.setitem(store._MIGRATIONS, store.VERSION - 1, add_a_table)
    with Document.open(document.folder) as migrated:
        assert not migrated.read_only
        assert migrated.store.version == store.VERSION
        assert migrated.store.rows("SELECT * FROM later") == []
        assert [label.name for label in migrated.labels()] == ["cat"]
    copy = document.folder / f"project.version-{store.VERSION - 1}.sqlite"
    old = sqlite3.connect(copy)
    assert old.execute("PRAGMA user_version").fetchone()[0] == store.VERSION - 1
    old.close()


def test_a_migration_that_fails_leaves_the_old_version(
    document: Document, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    document.close()
    before = (document.folder / store.FILE).read_bytes()

    def fail(connection: sqlite3.Connection) -> None:
        connection.execute("CREATE TABLE half (id)")
        raise WorkbenchError("This migration fails.")

    monkeypatch.setitem(store._MIGRATIONS, store.VERSION, fail)
    monkeypatch.setattr(store, "VERSION", store.VERSION + 1)
    with pytest.raises(WorkbenchError, match="This migration fails"):
        Document.open(document.folder)
    monkeypatch.undo()
    assert (document.folder / store.FILE).read_bytes()[100:] == before[100:]
    with Document.open(document.folder) as again:
        assert [label.name for label in again.labels()] == ["cat"]


def test_a_backup_made_while_editing_opens_as_a_project(document: Document, tmp_path: Path) -> None:
    document.draw((Box(0, 1, 1, (0, 0, 5, 5)),))
    (tmp_path / "copy").mkdir()
    document.store.backup(tmp_path / "copy" / store.FILE)
    with Document.open(tmp_path / "copy") as copy:
        assert len(copy.boxes(1)) == 1


def test_a_dead_owners_lock_is_free_and_a_living_ones_is_not(document: Document, tmp_path: Path) -> None:
    document.close()
    holder = textwrap.dedent("""
        import sys
        from pathlib import Path
        from workbench.core.document import Document
        document = Document.open(Path(sys.argv[1]))
        print("open", flush=True)
        sys.stdin.read()
    """)
    command = [sys.executable, "-c", holder, str(document.folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        child.stdout.readline()
        with Document.open(document.folder) as second:
            assert f"process {child.pid}" in second.why_read_only
        child.kill()
        child.wait()
        with Document.open(document.folder) as third:
            assert not third.read_only
