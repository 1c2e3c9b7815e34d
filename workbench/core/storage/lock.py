"""One editor per project: a lock that names its holder and that a dead process cannot keep.

It is the operating system's own lock on `project.lock`, so it is released the moment its owner ends, however it died;
the text inside (host, process, since when) is only for the sentence shown to a second user.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
import threading
import time
from pathlib import Path
from typing import IO

FILE = "project.lock"
_TEXT_FROM = 1  # byte 0 is what Windows locks: a locked byte can't be read there
_LOOKS, _BETWEEN = 5, 0.01
"""Attempts, and seconds between them: the owner may not have written its name yet, or another only checks the lock."""
_LOOKING = threading.Lock()


class Lock:
    """Tries to take the lock of `folder`: `held` says whether that worked, `holder` who has it otherwise.

    `writable` is False if the folder can't be written, so that nobody can have the lock. `problem` is the system's
    message if the disk has no locks (Lustre without flock, NFS without its daemon).
    """

    def __init__(self, folder: Path, name: str = FILE) -> None:
        self.held = False
        self.holder = ""
        self.writable, self.problem = True, ""
        self._file: IO[bytes] | None = None
        try:
            self._file = open(folder / name, "a+b", buffering=0)  # noqa: SIM115 - held open as long as the lock
        except OSError:
            self.holder = "nobody, but the folder can't be written"
            self.writable = False
            return
        self._try()
        if self.held:
            about = {"host": socket.gethostname(), "process": os.getpid(), "since": time.strftime("%Y-%m-%d %H:%M")}
            with contextlib.suppress(OSError):  # a full disk: the lock holds without its text
                self._file.truncate(0)
                self._file.write(b" " + json.dumps(about).encode())
        else:
            self._file.close()
            self._file = None
            self.holder = self.holder or ("nobody, but its disk has no locks" if self.problem else "another process")

    def why(self, what: str) -> str:
        """A sentence for people: why the lock of `what` could not be taken."""
        if not self.writable:
            return f"The folder of {what} can't be written. Change its permissions, or use another folder."
        if self.problem:
            return (
                f"{what[:1].upper()}{what[1:]} needs a lock, and the disk of its folder has none ({self.problem})."
                " Use a folder on another disk, or have this one mounted with locks."
            )
        return f"{what[:1].upper()}{what[1:]} is in use by {self.holder}. Close or stop it there first."

    def _try(self) -> None:
        assert self._file is not None
        for look in range(_LOOKS):
            try:
                self.held = _take(self._file)
            except OSError as error:
                self.problem = error.strerror or str(error)
                return
            self.holder = "" if self.held else _holder(self._file)
            if self.held:
                return
            if look < _LOOKS - 1:
                time.sleep(_BETWEEN)

    def release(self) -> None:
        """Release the lock; safe to call twice."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.truncate(0)
            self._file.close()
            self._file = None
            self.held = False


def is_held(folder: Path, name: str = FILE) -> bool:
    """Whether some process holds the lock. Nothing is written, and processes that ask at the same time don't disturb
    each other.
    """
    try:
        file = open(folder / name, "rb")  # noqa: SIM115 - closed below
    except OSError:
        return False
    with _LOOKING, file:
        if sys.platform == "win32":
            with contextlib.suppress(OSError):
                return not _take(file)
            return False
        import fcntl

        try:
            fcntl.flock(file.fileno(), fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:  # a disk without locks: nobody can hold one
            return False
        return False


def _take(file: IO[bytes]) -> bool:
    """Take the lock; False if another process has it. OSError if the disk has no locks."""
    try:
        if sys.platform == "win32":
            import msvcrt

            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):  # POSIX and Windows
        return False
    return True


def _holder(file: IO[bytes]) -> str:
    """Who holds the lock by the file's text, "" if it does not say."""
    try:
        file.seek(_TEXT_FROM)
        about = json.loads(file.read(1000))
        return f"process {about['process']} on {about['host']} since {about['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return ""
