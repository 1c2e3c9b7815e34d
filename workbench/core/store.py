"""The SQLite file of a project: its tables, migrations, reads, and transactions that also write the journal.

journal_mode=DELETE and synchronous=EXTRA: when a transaction returns it is on disk, and a copied project folder
holds everything. WAL was refused: a copied folder then lacks the newest edits, and the SQLite of stock
Pythons has a corruption bug with two connections (reference/reliability.md, section 2).
"""

from __future__ import annotations

import contextlib
import copy
import json
import os
import shutil
import sqlite3
import stat
from collections.abc import Callable, Iterator
from pathlib import Path, PurePath
from typing import Any, TypeVar

from workbench.core.files import atomic_path, natural_key
from workbench.core.storage import file_checksum, journal_index, old_edits, rollback
from workbench.core.storage.store_errors import absent, damaged, sentences
from workbench.errors import ReadOnly, WorkbenchError

T = TypeVar("T")
FILE = "project.sqlite"
APPLICATION_ID = 0x57424348  # "WBCH": distinguishes our files from other SQLite files
VERSION = 5
_SIZES = ("freelist_count", "page_count", "page_size")
_MUCH_FREE = 32 << 20
"""Free bytes in a file from which they matter: each of its copies has as many."""
_NO_VERSION = 10_000
"""File versions above this can only come from a damaged header."""
IN_FORCE = "(SELECT ifnull(max(seq), 0) FROM journal WHERE undone = 0)"
"""The number of the newest edit in force, for statements: those undone have greater ones. SQLite finds it at the
journal's end, while `undone = 1` reads all of it: 0.13 s after 200,000 edits."""

_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE root (id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE label (
  id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, colour TEXT NOT NULL, key TEXT NOT NULL,
  position INTEGER NOT NULL) STRICT;
CREATE TABLE image (
  id INTEGER PRIMARY KEY AUTOINCREMENT, root INTEGER NOT NULL REFERENCES root(id), path TEXT NOT NULL,
  width INTEGER NOT NULL, height INTEGER NOT NULL, state TEXT NOT NULL, split TEXT NOT NULL,
  orientation INTEGER NOT NULL, note TEXT NOT NULL, problem TEXT NOT NULL, date REAL NOT NULL, sort TEXT NOT NULL,
  UNIQUE (root, path)) STRICT;
CREATE INDEX image_sort ON image (root, sort);
CREATE TABLE box (
  id INTEGER PRIMARY KEY AUTOINCREMENT, image INTEGER NOT NULL REFERENCES image(id),
  label INTEGER NOT NULL REFERENCES label(id), x0 REAL NOT NULL, y0 REAL NOT NULL, x1 REAL NOT NULL, y1 REAL NOT NULL,
  difficult INTEGER NOT NULL, truncated INTEGER NOT NULL, occluded INTEGER NOT NULL, crowd INTEGER NOT NULL,
  note TEXT NOT NULL, extra TEXT NOT NULL) STRICT;
CREATE INDEX box_image ON box (image);
CREATE INDEX box_label ON box (label);
CREATE TABLE journal (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, time REAL NOT NULL, title TEXT NOT NULL, edit TEXT NOT NULL,
  inverse TEXT NOT NULL, undone INTEGER NOT NULL) STRICT;
"""
_ORIGINS = """
CREATE TABLE origin (
  id INTEGER PRIMARY KEY AUTOINCREMENT, format TEXT NOT NULL, archive TEXT NOT NULL, labels TEXT NOT NULL) STRICT;
CREATE TABLE imported (
  image INTEGER NOT NULL, origin INTEGER NOT NULL REFERENCES origin(id), file TEXT NOT NULL, name TEXT NOT NULL,
  content BLOB NOT NULL, PRIMARY KEY (image, origin)) STRICT;
CREATE TABLE written (
  file TEXT PRIMARY KEY, content BLOB NOT NULL, hash BLOB NOT NULL, size INTEGER NOT NULL, time INTEGER NOT NULL)
  STRICT;
"""
_ORIGINS_SINCE = """
ALTER TABLE origin ADD COLUMN step INTEGER NOT NULL DEFAULT 0;
ALTER TABLE origin ADD COLUMN base INTEGER;
UPDATE origin SET base = -1 WHERE format = 'voc';
ALTER TABLE imported ADD COLUMN left BLOB;
ALTER TABLE written ADD COLUMN image INTEGER NOT NULL DEFAULT 0;
ALTER TABLE written ADD COLUMN ours INTEGER NOT NULL DEFAULT 0;
"""
"""Where labels were imported from (exchange/origins.py), and what is kept beside the images (exchange/autosync.py)."""


def _with_natural_order(connection: sqlite3.Connection) -> None:
    """Version 2: images have a date, and a key by which SQLite returns them in natural order."""
    connection.create_function("natural_key", 1, natural_key, deterministic=True)
    connection.execute("ALTER TABLE image ADD COLUMN date REAL NOT NULL DEFAULT 0")
    connection.execute("ALTER TABLE image ADD COLUMN sort TEXT NOT NULL DEFAULT ''")
    connection.execute("UPDATE image SET sort = natural_key(path)")
    connection.execute("CREATE INDEX image_sort ON image (root, sort)")


def _with_origins(connection: sqlite3.Connection) -> None:
    """Version 3: where labels came from. Statement by statement, because executescript would commit the transaction."""
    for statement in _ORIGINS.split(";")[:-1]:
        connection.execute(statement)


def _with_origins_steps(connection: sqlite3.Connection) -> None:
    """Version 4: the step of an import, how it counted pixels, and whether files beside images are our own."""
    for statement in _ORIGINS_SINCE.split(";")[:-1]:
        connection.execute(statement)


def _with_journal_index(connection: sqlite3.Connection) -> None:
    """Version 5: which edit touched which image."""
    journal_index.add_all(connection)


# From version n to n + 1, in order: each is one function of the connection, run in one transaction with the version.
_MIGRATIONS: dict[int, Callable[[sqlite3.Connection], None]] = {
    1: _with_natural_order,
    2: _with_origins,
    3: _with_origins_steps,
    4: _with_journal_index,
}


def is_there(file: Path) -> bool:
    """Whether there is such a file. WorkbenchError if nobody may look, or its disk doesn't answer."""
    with sentences(file):
        try:
            return stat.S_ISREG(file.stat().st_mode)
        except (FileNotFoundError, NotADirectoryError):
            return False


class Store:
    """One open project file. Not to be shared between threads: other threads get a snapshot.

    Attributes: file, read_only, why_read_only (a sentence, "" when it can be edited), before_writing (called before
    each transaction, which does not begin if it raises), held (why no transaction may begin now, "" if it may).
    """

    def __init__(
        self, file: Path, *, read_only: bool = False, why: str = "", check: bool = True, upgrade: bool = True
    ) -> None:
        """`check` False leaves checking every page to others: for a large file that takes half a second. A process that
        edits the file already leaves it to store_check, which says why.

        `upgrade` False: the tables of an older file are as they were, for those who read only what all versions have.
        """
        self.file = file
        self.before_writing: Callable[[], None] | None = None
        self.held = ""
        if not read_only and is_there(file) and not os.access(file, os.W_OK):
            read_only, why = True, f"{file} can't be written, so this project is open for reading only."
        self.why_read_only = why if read_only else ""
        self._mended: rollback.RolledBackCopy | None = None
        self.connection = _connect(file, read_only)
        try:
            if read_only and rollback.needs_rollback(self.connection):
                self.connection.close()
                with sentences(file):
                    self._mended = rollback.RolledBackCopy(file)
                self.connection = _connect(self._mended.file, read_only)
            self._check_kind()
            if check:
                self.check()
            newer = self.version > VERSION
            if newer:
                read_only = True
                self.why_read_only = (
                    f"This project was made by a newer Workbench (file version {self.version}, this program knows"
                    f" {VERSION}), so it is open for reading only. Update Workbench to edit it."
                )
            self.read_only = read_only
            if self.version < VERSION and upgrade:
                self._migrate()
            if newer:
                self.connection.execute("PRAGMA query_only = ON")
        except BaseException:
            self.close()
            raise

    @classmethod
    def create(cls, file: Path) -> Store:
        """Create a new, empty project file; WorkbenchError if there is one already."""
        with sentences(file):
            try:
                file.touch(exist_ok=False)  # one only of two that make it at the same time
            except FileExistsError as error:
                raise WorkbenchError(
                    f"There is already a project in {file.parent}. Open it, or choose another folder.", error
                ) from error
            try:
                with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as connection:
                    connection.execute("PRAGMA journal_mode = DELETE")
                    connection.execute("PRAGMA synchronous = EXTRA")
                    connection.executescript(
                        f"BEGIN IMMEDIATE; {_SCHEMA} {_ORIGINS} {_ORIGINS_SINCE} {journal_index.SCHEMA}"
                        f" PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {VERSION}; COMMIT;"
                    )
                return cls(file)
            except BaseException:
                for unfinished in (file, file.with_name(f"{file.name}-journal")):
                    with contextlib.suppress(OSError):
                        unfinished.unlink(missing_ok=True)
                raise

    @property
    def version(self) -> int:
        return int(self.connection.execute("PRAGMA user_version").fetchone()[0])

    def _check_kind(self) -> None:
        """Refuse other programs' files, which are no projects, and ours with an impossible id or version: damaged."""
        with sentences(self.file):
            mark = self.connection.execute("PRAGMA application_id").fetchone()[0]
            tables = {row[0] for row in self.connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
        if mark != APPLICATION_ID and self.file.stat().st_size and not {"box", "image", "journal"} <= tables:
            raise WorkbenchError(f"{self.file} is not a Workbench project.")
        if mark != APPLICATION_ID or not 1 <= self.version < _NO_VERSION:
            raise damaged(self.file, f"application_id {mark}, user_version {self.version}, tables {sorted(tables)}")

    def check(self) -> None:
        """WorkbenchError if the file is damaged anywhere."""
        with sentences(self.file):
            verdict = self.connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if verdict == "ok" and file_checksum.is_damaged(self.file):
            verdict = "its bytes have changed since it was closed"
        if verdict != "ok":
            raise damaged(self.file, verdict)

    def _migrate(self) -> None:
        """Upgrade an older file to this version, after keeping a copy beside it.

        If it is open for reading only, it stays as it is, and a copy in memory is upgraded and read.
        """
        old = self.version
        if self.read_only:
            with contextlib.closing(self.connection), sentences(self.file):
                self.connection = _copy_in_memory(self.connection)
            for version in range(old, VERSION):
                with sentences(self.file):
                    _MIGRATIONS[version](self.connection)
            return
        copy = self.file.with_name(f"{self.file.stem}.version-{old}.sqlite")
        if not copy.exists():
            with atomic_path(copy) as temporary:
                shutil.copy2(self.file, temporary)
        for version in range(old, VERSION):
            with self.transaction():
                _MIGRATIONS[version](self.connection)
                self.connection.execute(f"PRAGMA user_version = {version + 1}")

    def compact(self) -> None:
        """Give free pages back to the disk if a large file is mostly those, as after a huge import that was undone.

        A second for each 50 MB that remain. If it fails, as on a full disk, the file stays as it is, and if it is
        damaged: bits that flipped would no longer be found in a file written anew.
        """
        (free, pages, size) = (self.rows(f"PRAGMA {asked}")[0][0] for asked in _SIZES)
        if free * size > _MUCH_FREE and free > pages // 2:
            with contextlib.suppress(WorkbenchError):
                self.check()
                self.rows("VACUUM")

    @contextlib.contextmanager
    def transaction(self, *, edits: bool = False) -> Iterator[sqlite3.Connection]:
        """A transaction: wholly done and on disk at the end, or not at all. ReadOnly, or WorkbenchError (disk full).

        `edits`: it is a person's edit, and the error says that it was not saved.
        """
        if self.read_only:
            raise ReadOnly(self.why_read_only or "This project is open for reading only.")
        if self.held:
            raise WorkbenchError(self.held)
        if self.before_writing is not None:
            self.before_writing()
        with sentences(self.file, edits=edits):
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield self.connection
                self.connection.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):
                    self.connection.execute("ROLLBACK")
                raise

    def rows(self, sql: str, *values: Any) -> list[sqlite3.Row]:
        with sentences(self.file):
            return self.connection.execute(sql, values).fetchall()

    def read(self, what: Callable[[sqlite3.Connection], T]) -> T:
        """The result of `what`, which reads the file; errors of SQLite and the disk are raised as WorkbenchError."""
        with sentences(self.file):
            return what(self.connection)

    @contextlib.contextmanager
    def copied(self) -> Iterator[Store]:
        """A copy in memory, of the file at one moment, to read from for long: an edit waits only while it is made.

        At once, not page by page: each edit would make the copying start over.
        """
        with sentences(self.file), contextlib.closing(_copy_in_memory(self.connection)) as memory:
            copied = copy.copy(self)
            copied.connection = memory
            yield copied

    def roots(self) -> dict[int, Path]:
        """The folders that hold the project's images, absolute, by id."""
        rows = self.rows("SELECT id, path FROM root ORDER BY id")
        return {row["id"]: (self.file.parent / row["path"]).absolute() for row in rows}

    def data_version(self) -> int:
        """A number that changes with each transaction of another connection."""
        return int(self.rows("PRAGMA data_version")[0][0])

    def meta(self, key: str, default: Any = None) -> Any:
        found = self.rows("SELECT value FROM meta WHERE key = ?", key)
        return json.loads(found[0]["value"]) if found else default

    def backup(self, file: Path) -> None:
        """Copy the project as it is now into `file`, without its oldest edits (old_edits), while it may be edited.

        WorkbenchError if any page is damaged; `file` is then unchanged.
        """
        with atomic_path(file) as temporary, self.copied() as copied, sentences(file):
            verdict = copied.connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
            if verdict != "ok":
                raise damaged(self.file, verdict)
            if self.version == VERSION and old_edits.drop(copied.connection):
                copied.connection.execute("VACUUM INTO ?", (str(temporary),))
                return
            with contextlib.closing(sqlite3.connect(temporary)) as target:
                copied.connection.backup(target)

    def close(self) -> None:
        """Close the file; safe to call twice."""
        self.connection.close()
        if self._mended is not None:
            self._mended.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _connect(file: Path, read_only: bool) -> sqlite3.Connection:
    if not is_there(file):
        raise absent(file)
    with sentences(file):
        uri = f"{uri_of(file.resolve())}?mode={'ro' if read_only else 'rw'}"
        # handed from the thread that opens to the one that works with it; never used by two at a time
        connection = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=10, check_same_thread=False)
        try:
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA foreign_keys = ON")
            if not read_only:
                connection.execute("PRAGMA synchronous = EXTRA")
        except BaseException:
            connection.close()
            raise
        return connection


def _copy_in_memory(connection: sqlite3.Connection) -> sqlite3.Connection:
    memory = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    try:
        connection.backup(memory)
    except BaseException:
        memory.close()
        raise
    memory.row_factory = sqlite3.Row
    return memory


def uri_of(file: PurePath) -> str:
    """As SQLite takes it: it refuses one that names a server, as that of a file on a network drive of Windows does."""
    uri = file.as_uri()
    return uri if uri.startswith("file:///") else uri.replace("file://", "file:////", 1)
