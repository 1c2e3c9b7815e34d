"""The lock of a project holds and lets go on a full disk too, where its text can't be written."""

from __future__ import annotations

import errno
import fcntl
import os
import sys
import threading
import time
from pathlib import Path
from types import ModuleType

import pytest

from workbench.core.document import Document
from workbench.core.storage import backups
from workbench.core.storage.lock import FILE, Lock, is_held
from workbench.errors import WorkbenchError


def test_a_second_opener_is_told_who_holds_it(tmp_path: Path) -> None:
    first, second = Lock(tmp_path), Lock(tmp_path)
    assert (first.held, second.held) == (True, False)
    assert "process" in second.holder
    first.release()


def test_an_owner_that_has_not_said_who_it_is_yet_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Lock(tmp_path)
    said = (tmp_path / FILE).read_bytes()
    (tmp_path / FILE).write_bytes(b"")  # it has the lock, and is about to write
    waited: list[float] = []

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 2:
            (tmp_path / FILE).write_bytes(said)

    monkeypatch.setattr(time, "sleep", sleep)
    assert "process" in Lock(tmp_path).holder
    assert len(waited) == 4, "it is tried as often, too: somebody may only look"
    (tmp_path / FILE).write_bytes(b"")
    waited[:] = [0] * 3
    assert Lock(tmp_path).holder == "another process"
    first.release()


def test_a_lock_that_is_let_go_while_one_looks_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = Lock(tmp_path)
    (tmp_path / FILE).write_bytes(b"")
    monkeypatch.setattr(time, "sleep", lambda _: first.release())
    second = Lock(tmp_path)
    assert second.held
    second.release()


def test_a_folder_that_can_not_be_written_has_no_lock(tmp_path: Path) -> None:
    none = Lock(tmp_path / "not there")
    assert (none.held, none.writable) == (False, False)


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_disk_without_locks_is_not_called_another_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    Document.create(tmp_path / "project").close()

    def flock(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", flock)
    lock = Lock(tmp_path)
    assert (lock.held, lock.writable, lock.problem) == (False, True, os.strerror(number))
    told = f"The run a needs a lock, and the disk of its folder has none ({os.strerror(number)})"
    assert lock.why("the run a").startswith(told)
    (tmp_path / FILE).touch()
    assert not is_held(tmp_path), "nobody can: a run is not shown as running for ever"
    with Document.open(tmp_path / "project") as document:
        assert document.read_only
        assert "has no locks" in document.why_read_only
    with pytest.raises(WorkbenchError, match="needs a lock"):
        backups.restore(tmp_path / "project", backups.back_up(tmp_path / "project"))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_no_reason_not_to_open(tmp_path: Path) -> None:
    (tmp_path / FILE).symlink_to("/dev/full")
    taken = Lock(tmp_path)
    assert taken.held
    taken.release()


def test_looking_at_a_lock_is_not_seen_by_others_who_look_and_keeps_nobody_out(tmp_path: Path) -> None:
    assert not is_held(tmp_path)
    assert list(tmp_path.iterdir()) == [], "looking writes nothing"
    lock = Lock(tmp_path)
    assert is_held(tmp_path)
    lock.release()
    stop, wrong = threading.Event(), []

    def look() -> None:
        while not stop.is_set():
            if is_held(tmp_path):
                wrong.append(True)

    lookers = [threading.Thread(target=look) for _ in range(3)]
    for looker in lookers:
        looker.start()
    time.sleep(0.3)
    stop.set()
    for looker in lookers:
        looker.join()
    assert not wrong, "nobody held it"
    with open(tmp_path / FILE, "rb") as file:  # somebody looks for a moment
        fcntl.flock(file.fileno(), fcntl.LOCK_SH)
        threading.Timer(0.02, lambda: fcntl.flock(file.fileno(), fcntl.LOCK_UN)).start()
        lock = Lock(tmp_path)
        assert lock.held
        lock.release()


class Msvcrt(ModuleType):
    """Windows' locks as its C library has them: of bytes, refused also to another handle of the same process."""

    LK_NBLCK = 2

    def __init__(self) -> None:
        super().__init__("msvcrt")
        self._locked: dict[int, int] = {}  # who has the first byte, by file

    def locking(self, handle: int, mode: int, count: int) -> None:
        assert (mode, count, os.lseek(handle, 0, os.SEEK_CUR)) == (self.LK_NBLCK, 1, 0)
        file = os.fstat(handle).st_ino
        holder = self._locked.get(file)
        if holder is not None and holder != handle and self._is_open(holder, file):
            raise PermissionError(errno.EACCES, "Permission denied")
        self._locked[file] = handle

    @staticmethod
    def _is_open(handle: int, file: int) -> bool:
        """Closing lets go."""
        try:
            return os.fstat(handle).st_ino == file
        except OSError:
            return False


def test_on_windows_one_has_it_whoever_looks_and_the_next_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setitem(sys.modules, "msvcrt", Msvcrt())
    assert not is_held(tmp_path), "nobody has been there"
    first = Lock(tmp_path)
    assert first.held
    assert is_held(tmp_path)
    second = Lock(tmp_path)
    assert not second.held
    assert f"process {os.getpid()} on " in second.holder
    first.release()
    assert not is_held(tmp_path)
    third = Lock(tmp_path)
    assert third.held, "looking left nothing behind"
    third.release()
