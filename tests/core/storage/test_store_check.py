"""The project file can be checked while it is edited, and the lock of the edit that is being written stays."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import Label
from workbench.core.storage import file_checksum, store_check, table_cache
from workbench.core.store import FILE
from workbench.errors import Damaged

REPOSITORY = Path(__file__).parents[3]
WRITES = """
import sqlite3, sys
try:
    sqlite3.connect(sys.argv[1], timeout=0).execute("BEGIN IMMEDIATE")
except sqlite3.OperationalError as error:
    print(error)
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Closed, so that its checksum is kept."""
    with Document.create(tmp_path / "p") as document:
        document.do(edits.AddLabels((Label(0, "cat"),)))
    return tmp_path / "p"


def answer_to_another_process(file: Path) -> str:
    """What SQLite tells another process that would write the file now; "" if it may."""
    command = [sys.executable, "-c", WRITES, str(file)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_an_edit_keeps_its_lock_while_the_file_is_checked(project: Path) -> None:
    with Document.open(project) as document, document.store.transaction():
        store_check.check(project / FILE)
        assert answer_to_another_process(project / FILE) == "database is locked"


def test_an_edit_keeps_its_lock_while_a_job_reads_the_project(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """To know whether the cache of the images is current, a job read the file past SQLite."""
    monkeypatch.setattr(table_cache, "FROM", 0)
    with Document.open(project) as document:
        document.images(), document.counts()
    assert table_cache.is_kept(project / FILE, document.cache_folder)
    with Document.open(project) as document, document.store.transaction():
        with Document.open(project, read_only=True, check=False) as beside:
            assert len(beside.images()) == 0
        assert answer_to_another_process(project / FILE) == "database is locked"


@pytest.mark.skipif(sys.platform == "win32", reason="locks are the open file's there, not the process's")
def test_a_check_in_the_same_process_takes_the_lock_away(project: Path) -> None:
    """The control: if it no longer does, the check needs no process of its own."""
    with Document.open(project) as document, document.store.transaction():
        assert not file_checksum.is_damaged(project / FILE)
        assert answer_to_another_process(project / FILE) == ""


def test_damage_is_told_as_in_this_process(project: Path) -> None:
    file = project / FILE
    about = file.stat()
    data = bytearray(file.read_bytes())
    data[data.rindex(b"cat")] ^= 1
    file.write_bytes(data)
    os.utime(file, ns=(about.st_atime_ns, about.st_mtime_ns))  # as a disk does
    with pytest.raises(Damaged) as here:
        Document.open(project)
    with pytest.raises(Damaged) as there:
        store_check.check(file)
    assert there.value.cause == "its bytes have changed since it was closed"
    assert here.value.sentence.startswith(there.value.sentence)


def test_a_project_that_is_gone_is_not_called_damaged(tmp_path: Path) -> None:
    store_check.check(tmp_path / FILE)


def test_where_no_process_can_be_started_nothing_is_checked(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(subprocess, "Popen", full)
    store_check.check(project / FILE)


def openings(file: Path) -> list[ast.Call]:
    """The calls in a module that open a project's file for reading only, or a store of it."""
    calls = [node for node in ast.walk(ast.parse(file.read_text("utf-8"))) if isinstance(node, ast.Call)]
    stores = [call for call in calls if ast.unparse(call.func) == "Store"]
    documents = [call for call in calls if ast.unparse(call.func) == "Document.open"]
    return stores + [call for call in documents if "read_only=True" in ast.unparse(call)]


def test_no_work_beside_the_window_checks_the_file_in_its_process() -> None:
    files = [file for place in ("ui", "exchange") for file in (REPOSITORY / "workbench" / place).rglob("*.py")]
    found = [ast.unparse(call) for file in files for call in openings(file)]
    assert len(found) > 15
    assert [call for call in found if "check=False" not in call] == []
