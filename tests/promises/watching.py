"""What a piece of code opens, lists, makes, renames or removes outside the folders that it may touch."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PATHS = {  # audit events, and how many of their first arguments are paths
    "open": 1, "os.listdir": 1, "os.scandir": 1, "os.mkdir": 1, "os.rename": 2, "os.remove": 1, "os.rmdir": 1,
    "os.truncate": 1, "os.chmod": 1, "os.chown": 1, "os.utime": 1, "os.symlink": 2, "os.link": 2, "shutil.copyfile": 2,
    "shutil.copymode": 2, "shutil.move": 2, "shutil.rmtree": 1, "sqlite3.connect": 1, "os.chdir": 1,
}  # fmt: skip
_NEVER = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "socket.connect", "socket.getaddrinfo")
_IMPORTS = (sys.prefix, sys.base_prefix, str(Path(__file__).parents[2]), *(folder for folder in sys.path if folder))
_PYTHON = tuple({os.path.realpath(path) for path in _IMPORTS})  # also packages borrowed from another environment
_allowed: tuple[str, ...] = ()
_seen: list[str] = []


def _watch(event: str, arguments: tuple[object, ...]) -> None:
    """For good: Python has no way to take a hook back. It looks only while something is allowed."""
    if not _allowed:
        return
    if event in _NEVER:
        _seen.append(f"{event} {arguments!r:.200}")
    for path in arguments[: _PATHS.get(event, 0)]:
        if isinstance(path, str | bytes | os.PathLike) and not _is_inside(os.fsdecode(path)):
            _seen.append(f"{event} {os.fsdecode(path)!r:.200}")


def _is_inside(path: str) -> bool:
    """With all links followed: a link in a folder is no part of it."""
    real = os.path.realpath(path.removeprefix("file:").partition("?")[0])
    return any(real == folder or real.startswith(folder + os.sep) for folder in (*_allowed, *_PYTHON))


sys.addaudithook(_watch)


@contextmanager
def watched(*allowed: Path) -> Iterator[list[str]]:
    """What is touched outside the folders `allowed` while this lasts."""
    global _allowed
    _seen.clear()
    _allowed = tuple(os.path.realpath(folder) for folder in allowed)
    try:
        yield _seen
    finally:
        _allowed = ()
