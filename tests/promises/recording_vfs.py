"""A disk that remembers every write, sync, cut and deletion of a project's files, and what of them a power cut leaves.

`Recorder` is SQLite's own interface to the disk (a VFS, by apsw), and `stand_in` hands connections that use it to
workbench.core.store, whose statements and pragmas are what is tested. The disk is as unkind as SQLite's documentation
allows: what is not synced is dropped, kept, comes in another order, or is torn at sectors of 512 bytes, some of which
hold garbage; names made or deleted in a folder that was not synced are as uncertain.
"""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import apsw

SECTOR = 512


@dataclass(frozen=True, slots=True)
class Made:
    """A file got this name."""

    name: str
    file: int


@dataclass(frozen=True, slots=True)
class Written:
    file: int
    at: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Cut:
    """The file was made this long."""

    file: int
    size: int


@dataclass(frozen=True, slots=True)
class Synced:
    file: int


@dataclass(frozen=True, slots=True)
class Removed:
    name: str


@dataclass(frozen=True, slots=True)
class FolderSynced:
    pass


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """So many edits had returned."""

    edits: int


Event = Made | Written | Cut | Synced | Removed | FolderSynced | Acknowledged


class Recorder(apsw.VFS):
    """Writes through to `folder` and keeps what happened in `events`. Close all connections before it goes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.events: list[Event] = []
        self.files = {file.name: number for number, file in enumerate(sorted(folder.glob("*.sqlite")))}
        self.start = {number: (name, (folder / name).read_bytes()) for name, number in self.files.items()}
        self.vfs_name = f"recorder {id(self)}"
        super().__init__(self.vfs_name, "")

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:
        path = Path(name.filename() if isinstance(name, apsw.URIFilename) else name) if name else None
        if path is None or path.parent != self.folder:  # SQLite's temporary files: gone with the process
            return apsw.VFSFile("", name, flags)
        return _File(self, path.name, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:
        super().xDelete(filename, syncdir)
        name = Path(filename).name
        self.events.append(Removed(name))
        self.files.pop(name, None)
        if syncdir:
            self.events.append(FolderSynced())


class _File(apsw.VFSFile):
    def __init__(self, recorder: Recorder, name: str, given: Any, flags: list[int]) -> None:
        super().__init__("", given, flags)
        self._recorder = recorder
        self._new = name not in recorder.files
        if self._new:
            number = max([*recorder.start, *(e.file for e in recorder.events if isinstance(e, Made))]) + 1
            recorder.files[name] = number
            recorder.events.append(Made(name, number))
        self._file = recorder.files[name]

    def xWrite(self, data: bytes, offset: int) -> None:
        super().xWrite(data, offset)
        self._recorder.events.append(Written(self._file, offset, bytes(data)))

    def xTruncate(self, newsize: int) -> None:
        super().xTruncate(newsize)
        self._recorder.events.append(Cut(self._file, newsize))

    def xSync(self, flags: int) -> None:
        super().xSync(flags)
        self._recorder.events.append(Synced(self._file))
        if self._new:  # SQLite's unix VFS syncs the folder at the first sync of a journal that it made
            self._recorder.events.append(FolderSynced())
            self._new = False


# --- what a cut leaves ---


@dataclass
class _Disk:
    """What is certain, and what has not been synced since."""

    files: dict[int, bytearray]
    names: dict[str, int]
    pending: dict[int, list[Written | Cut]] = field(default_factory=dict)
    renamed: list[Made | Removed] = field(default_factory=list)

    def take(self, event: Event) -> None:
        if isinstance(event, Made):
            self.files[event.file] = bytearray()
            self.renamed.append(event)
        elif isinstance(event, Removed):
            self.renamed.append(event)
        elif isinstance(event, Written | Cut):
            self.pending.setdefault(event.file, []).append(event)
        elif isinstance(event, Synced):
            for change in self.pending.pop(event.file, ()):
                _apply(self.files[event.file], change)
        elif isinstance(event, FolderSynced):
            self._rename(self.renamed)
            self.renamed = []

    def _rename(self, changes: Iterable[Made | Removed]) -> None:
        for change in changes:
            if isinstance(change, Made):
                self.names[change.name] = change.file
            else:
                self.names.pop(change.name, None)

    def fail(self, chance: random.Random) -> dict[str, bytes]:
        """The power goes: the files by name, as the next start finds them."""
        self._rename(self.renamed[: chance.randint(0, len(self.renamed))])
        for number, changes in self.pending.items():
            _lose(self.files[number], changes, chance)
        return {name: bytes(self.files[number]) for name, number in self.names.items()}


def _apply(data: bytearray, change: Written | Cut) -> None:
    if isinstance(change, Cut):
        del data[change.size :]
        data.extend(bytes(change.size - len(data)))
    else:
        data.extend(bytes(max(0, change.at - len(data))))
        data[change.at : change.at + len(change.data)] = change.data


def _lose(data: bytearray, changes: list[Written | Cut], chance: random.Random) -> None:
    kept = [change for change in changes if chance.random() < chance.choice((0.0, 0.5, 1.0))]
    if chance.random() < 0.5:
        chance.shuffle(kept)
    tears = chance.random() < 0.5
    for change in kept:
        if isinstance(change, Written) and tears:
            for piece in _torn(change, chance):
                _apply(data, piece)
        else:
            _apply(data, change)


def _torn(change: Written, chance: random.Random) -> Iterator[Written]:
    """Some of its sectors; what shares a sector with it is not harmed (SQLite calls that powersafe overwrite)."""
    start = change.at
    while start < change.at + len(change.data):
        end = min(start - start % SECTOR + SECTOR, change.at + len(change.data))
        piece = change.data[start - change.at : end - change.at]
        luck = chance.random()
        if luck < 0.5:
            yield Written(change.file, start, piece)
        elif luck < 0.6:
            yield Written(change.file, start, chance.randbytes(len(piece)))
        start = end


def power_cut(recorder: Recorder, at: int, chance: random.Random, folder: Path) -> None:
    """Put the files into `folder` as they are when the power goes after `at` events."""
    disk = _Disk(
        {number: bytearray(data) for number, (_, data) in recorder.start.items()},
        {name: number for number, (name, _) in recorder.start.items()},
    )
    for event in recorder.events[:at]:
        disk.take(event)
    for name, data in disk.fail(chance).items():
        (folder / name).write_bytes(data)


# --- apsw's connections in the place of sqlite3's ---


class _Row(tuple[Any, ...]):
    """As sqlite3.Row: by number and by name."""

    names: tuple[str, ...]

    def __getitem__(self, key: Any) -> Any:
        return super().__getitem__(self.names.index(key) if isinstance(key, str) else key)

    def keys(self) -> tuple[str, ...]:
        return self.names


def _row(cursor: apsw.Cursor, values: Any) -> _Row:
    row = _Row(values)
    row.names = tuple(column[0] for column in cursor.get_description())
    return row


class _Answer:
    """What sqlite3's execute gives."""

    def __init__(self, cursor: apsw.Cursor) -> None:
        self._cursor = cursor
        self.lastrowid = cursor.get_connection().last_insert_rowid()
        self.fetchone, self.fetchall = cursor.fetchone, cursor.fetchall

    def __iter__(self) -> Iterator[Any]:
        return iter(self._cursor)


class Connection:
    """What workbench.core.store wants of a connection. `ran`: the statements, as they were given."""

    row_factory: Any = None

    def __init__(self, uri: str, recorder: Recorder, change: Callable[[str], str]) -> None:
        flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_URI
        self._connection = apsw.Connection(uri, flags=flags, vfs=recorder.vfs_name)
        self._connection.set_row_trace(_row)
        self._change = change
        self.ran: list[str] = []

    def execute(self, sql: str, values: Sequence[Any] = ()) -> _Answer:
        self.ran.append(sql)
        return _Answer(self._connection.execute(self._change(sql), tuple(values)))

    def executemany(self, sql: str, values: Iterable[Sequence[Any]]) -> _Answer:
        self.ran.append(sql)
        return _Answer(self._connection.executemany(self._change(sql), values))

    def close(self) -> None:
        self._connection.close()


def stand_in(recorder: Recorder, change: Callable[[str], str] = lambda sql: sql) -> Any:
    """For the name `sqlite3` in workbench.core.store. `change` may put other statements in the place of ours."""

    def connect(uri: str, /, **_: Any) -> Connection:
        return Connection(uri, recorder, change)

    return SimpleNamespace(
        connect=connect, Row=sqlite3.Row, Error=sqlite3.Error, DatabaseError=sqlite3.DatabaseError
    )  # fmt: skip
