"""The project file under bad luck: full, foreign, newer, older (killed, cut off, damaged: tests/promises)."""

from __future__ import annotations

import contextlib
import errno
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from typing import Any, NoReturn, cast

import psutil
import pytest

from workbench.core import edits, store
from workbench.core.document import Document
from workbench.core.project import Box, Image, Label
from workbench.errors import Damaged, WorkbenchError

ONE = (Box(0, 1, 1, (0, 0, 5, 5)),)


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


def test_a_full_disk_gives_a_sentence_and_loses_nothing(document: Document, tmp_path: Path) -> None:
    document.draw((Box(0, 1, 1, (0, 0, 5, 5)),))
    pages = document.store.connection.execute("PRAGMA page_count").fetchone()[0]
    document.store.connection.execute(f"PRAGMA max_page_count = {pages}")  # SQLite's own "disk full"
    with pytest.raises(WorkbenchError, match=r"disk of .* is full.*everything before it was"):
        for _ in range(1000):
            document.draw(tuple(Box(0, 1, 1, (0, 0, 5, 5)) for _ in range(50)))
    kept = len(document.boxes(1))
    document.store.connection.execute("PRAGMA max_page_count = 1000000")  # room again
    document.draw((Box(0, 1, 1, (1, 1, 5, 5)),))
    document.close()
    with Document.open(document.folder) as again:
        assert len(again.boxes(1)) == kept + 1
        assert kept % 50 == 1


def test_only_an_edit_that_was_lost_is_said_to_be(
    document: Document, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An hourly copy for which there was no room was told as "The last edit was not saved"."""

    def full(_: sqlite3.Connection) -> NoReturn:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(store, "_copy_in_memory", full)
    with pytest.raises(WorkbenchError) as told:
        document.store.backup(tmp_path / "copy.sqlite")
    assert told.value.sentence == f"The disk of {document.folder} is full. Make room and do it again."


def test_a_project_that_is_moved_while_it_is_open_says_so_and_goes_on_at_its_new_place(
    document: Document, tmp_path: Path
) -> None:
    """It said to check the folder's permissions."""
    document.draw(ONE)
    document.folder.rename(tmp_path / "elsewhere")
    words = "was moved, replaced or deleted while it was open. The last edit was not saved, .* where it is now"
    with pytest.raises(WorkbenchError, match=words):
        document.draw(ONE)
    document.close()
    assert not document.folder.exists(), "closing makes no new folder at the old place"
    with Document.open(tmp_path / "elsewhere") as again:
        again.draw(ONE)
        assert len(again.boxes(1)) == 2


def test_an_empty_file_is_a_damaged_project_and_a_foreign_one_is_none(tmp_path: Path) -> None:
    (tmp_path / store.FILE).write_bytes(b"")
    with pytest.raises(Damaged, match="damaged and was left as it is"):
        Document.open(tmp_path)
    (tmp_path / store.FILE).unlink()
    other = sqlite3.connect(tmp_path / store.FILE)
    other.execute("CREATE TABLE other (id)")
    other.close()
    with pytest.raises(WorkbenchError, match="not a Workbench project"):
        Document.open(tmp_path)


@pytest.mark.parametrize(
    "mark", ["user_version = 0", "user_version = -7", "user_version = 99999", "application_id = 7"]
)
def test_a_project_with_a_mark_that_nobody_wrote_is_damaged(document: Document, mark: str) -> None:
    document.store.connection.execute(f"PRAGMA {mark}")
    document.close()
    with pytest.raises(Damaged, match="damaged and was left as it is"):
        Document.open(document.folder)
    assert sorted(document.folder.glob("*.sqlite")) == [document.folder / store.FILE], "it was not taken for an old one"


def test_a_damaged_file_is_not_held_open(document: Document) -> None:
    document.close()
    file = document.folder / store.FILE
    file.write_bytes(b"no database" + file.read_bytes()[11:])
    with pytest.raises(Damaged) as told:
        Document.open(document.folder)
    assert str(file) not in [one.path for one in psutil.Process().open_files()], told  # whose frames hold all there was


def test_damage_whose_message_is_no_text_is_damage(document: Document) -> None:
    """sqlite3 decodes what SQLite says of it, and a name in it is not what it was."""
    document.close()
    file = document.folder / store.FILE
    before = file.read_bytes()
    after = before.replace(b"tablemetameta", b"tablem\xd4tam\xd4ta").replace(b"CREATE TABLE meta", b"CREATE TABLX meta")
    assert after != before
    file.write_bytes(after)
    with pytest.raises(Damaged, match="damaged and was left as it is"):
        Document.open(document.folder)


def test_an_older_version_than_the_tables_are_of_is_damage(document: Document) -> None:
    document.store.connection.execute("PRAGMA user_version = 1")
    document.close()
    before = (document.folder / store.FILE).read_bytes()
    with pytest.raises(Damaged):
        Document.open(document.folder)
    assert (document.folder / store.FILE).read_bytes()[100:] == before[100:]


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


def schema(connection: sqlite3.Connection) -> dict[str, list[tuple[object, ...]]]:
    """Name, type, "not null" and key of each table's columns; the columns of an index."""
    names = connection.execute("SELECT name, type FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' ORDER BY name")
    return {
        name: sorted((*row[1:4], *row[5:]) for row in map(tuple, connection.execute(f"PRAGMA {kind}_info({name})")))
        for name, kind in names.fetchall()
    }


BACK = {  # from version n + 1 to n
    1: "DROP INDEX image_sort; ALTER TABLE image DROP COLUMN sort; ALTER TABLE image DROP COLUMN date",
    2: "DROP TABLE imported; DROP TABLE origin; DROP TABLE written",
    3: "ALTER TABLE origin DROP COLUMN step; ALTER TABLE origin DROP COLUMN base;"
    "ALTER TABLE imported DROP COLUMN left;"
    "ALTER TABLE written DROP COLUMN image; ALTER TABLE written DROP COLUMN ours",
    4: "DROP TABLE touched",
}


@pytest.mark.parametrize("version", BACK)
def test_a_project_of_every_older_version_gets_the_tables_of_a_new_one(document: Document, version: int) -> None:
    wanted = schema(document.store.connection)
    document.close()
    with contextlib.closing(sqlite3.connect(document.folder / store.FILE)) as old:
        for step in range(store.VERSION - 1, version - 1, -1):
            old.executescript(BACK[step])
        old.execute(f"PRAGMA user_version = {version}")
        assert schema(old) != wanted
    with Document.open(document.folder) as migrated:
        assert not migrated.read_only
        assert schema(migrated.store.connection) == wanted


def test_an_edit_is_on_the_disk_when_it_is_done(document: Document) -> None:
    """EXTRA: https://sqlite.org/pragma.html#pragma_synchronous; power cuts: tests/promises."""
    assert document.store.connection.execute("PRAGMA synchronous").fetchone()[0] == 3


def test_a_folder_without_a_project_and_one_that_another_program_writes_to_are_told(
    document: Document, tmp_path: Path
) -> None:
    with pytest.raises(WorkbenchError, match="There is no project in"):
        store.Store(tmp_path / store.FILE)
    document.store.connection.execute("PRAGMA busy_timeout = 0")
    with contextlib.closing(sqlite3.connect(document.folder / store.FILE, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(WorkbenchError, match="Another program is writing to"):
            document.draw((Box(0, 1, 1, (0, 0, 5, 5)),))
    document.draw((Box(0, 1, 1, (0, 0, 5, 5)),))


def test_the_copy_of_an_older_project_is_whole_or_not_there(
    document: Document, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of one was taken for the whole at the next opening, and the old file went without a copy."""
    document.close()
    old = store.VERSION
    monkeypatch.setattr(store, "VERSION", old + 1)
    monkeypatch.setitem(store._MIGRATIONS, old, lambda _: None)

    def full(source: Path, target: Path) -> NoReturn:
        target.write_bytes(source.read_bytes()[:5000])
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as disk, pytest.raises(WorkbenchError, match="disk is full|No space"):
        disk.setattr(shutil, "copy2", full)
        Document.open(document.folder)
    before = (document.folder / store.FILE).read_bytes()
    Document.open(document.folder).close()
    assert (document.folder / f"project.version-{old}.sqlite").read_bytes() == before


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


@pytest.mark.parametrize(
    ("file", "uri"),
    [
        (PureWindowsPath(r"\\nas\lab 1\cells\project.sqlite"), "file:////nas/lab%201/cells/project.sqlite"),
        (PureWindowsPath(r"C:\cells\project.sqlite"), "file:///C:/cells/project.sqlite"),
        (PurePosixPath("/home/ü/project.sqlite"), "file:///home/%C3%BC/project.sqlite"),
    ],
)
def test_a_project_on_a_network_drive_of_windows_has_no_server_in_its_uri(file: PurePath, uri: str) -> None:
    """Drives with a letter, too: resolved, they are the server's."""
    assert store.uri_of(file) == uri


def test_sqlite_refuses_a_server_in_a_uri_and_follows_the_path_of_one(document: Document) -> None:
    with pytest.raises(sqlite3.OperationalError, match="invalid uri authority: nas"):
        sqlite3.connect("file://nas/cells/project.sqlite?mode=ro", uri=True)
    uri = document.store.file.as_uri().replace("file:///", "file:////", 1)
    with contextlib.closing(sqlite3.connect(f"{uri}?mode=ro", uri=True)) as connection:
        assert connection.execute("SELECT count(*) FROM label").fetchone() == (1,)


class WithEdits:
    """A connection on which another edits after each part that is copied."""

    def __init__(self, connection: sqlite3.Connection, edit: Callable[[], object]) -> None:
        self._connection, self._edit, self._edits = connection, edit, 0

    def _copied(self, *_: int) -> None:
        self._edits += 1
        assert self._edits < 50, "the copying starts over at each edit and never ends"
        self._edit()

    def backup(self, target: sqlite3.Connection, **named: Any) -> None:
        self._connection.backup(target, **named, progress=self._copied)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


def test_a_backup_ends_however_often_somebody_edits_meanwhile(document: Document, tmp_path: Path) -> None:
    document.draw(tuple(Box(0, 1, 1, (0, 0, 5, 5), note="x" * 900) for _ in range(5_000)))
    assert document.store.file.stat().st_size > 8 << 20
    copy = tmp_path / "copy" / store.FILE
    with store.Store(document.store.file, read_only=True) as reader:
        reader.connection = cast(sqlite3.Connection, WithEdits(reader.connection, lambda: document.draw(ONE)))
        reader.backup(copy)
    with store.Store(copy, read_only=True) as copied:
        assert copied.rows("SELECT count(*) FROM box")[0][0] == 5_000
    assert len(document.boxes(1)) == 5_001, "it waited for nothing"


def everything(document: Document) -> list[tuple[object, ...]]:
    tables = [row[0] for row in document.store.rows("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    return [tuple(row) for table in tables for row in document.store.rows(f"SELECT * FROM {table}")]


def test_a_file_that_is_mostly_free_pages_gives_them_back_when_it_is_opened(
    document: Document, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An import that was undone, and an edit after it."""
    document.draw(ONE)
    document.draw(tuple(Box(0, 1, 1, (0, 0, 5, 5), note="x" * 500) for _ in range(2000)))
    document.undo()
    document.draw(ONE)
    last, file = document.boxes(1)[-1].id, document.folder / store.FILE
    before = everything(document)
    document.close()
    size = file.stat().st_size
    Document.open(document.folder).close()
    assert file.stat().st_size == size, "it is not large"
    monkeypatch.setattr(store, "_MUCH_FREE", size // 2)
    with Document.open(document.folder, read_only=True):
        pass
    assert file.stat().st_size == size
    with Document.open(document.folder) as opened:
        assert file.stat().st_size < size // 4
        assert everything(opened) == before
        opened.draw(ONE)
        assert opened.boxes(1)[-1].id == last + 1
        assert opened.store.version == store.VERSION
        opened.undo()
        opened.undo()
        assert len(opened.boxes(1)) == 1


def test_a_file_that_can_not_be_compacted_is_opened_all_the_same(
    document: Document, monkeypatch: pytest.MonkeyPatch
) -> None:
    document.draw(tuple(Box(0, 1, 1, (0, 0, 5, 5), note="x" * 500) for _ in range(2000)))
    document.undo()
    document.draw(ONE)
    document.close()
    asked, rows = list[str](), store.Store.rows

    def full(self: store.Store, sql: str, *values: Any) -> list[sqlite3.Row]:
        asked.append(sql)
        if sql == "VACUUM":
            raise WorkbenchError("The disk is full.")
        return rows(self, sql, *values)

    monkeypatch.setattr(store, "_MUCH_FREE", 0)
    monkeypatch.setattr(store.Store, "rows", full)
    with Document.open(document.folder) as opened:
        assert len(opened.boxes(1)) == 1
    assert "VACUUM" in asked
