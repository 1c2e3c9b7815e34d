"""What the window remembers between starts: sizes of panes, recent projects, the theme. One ini file of our own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs
from PySide6.QtCore import QByteArray, QSettings

RECENT = 12
"""How many recent projects are kept: as many as the start page shows without scrolling."""


def file() -> Path:
    """Where it is kept; may be deleted at any time."""
    return Path(platformdirs.user_config_dir("workbench", appauthor=False)) / "window.ini"


def _settings() -> QSettings:
    return QSettings(str(file()), QSettings.Format.IniFormat)


def get(key: str, default: Any = None) -> Any:
    """The value kept under `key`; text where it was read back from the file."""
    return _settings().value(key, default)


def flag(key: str, default: bool = False) -> bool:
    """A yes or no kept under `key`."""
    return str(get(key, default)).lower() == "true"


def put(key: str, value: Any) -> None:
    _settings().setValue(key, value)


def geometry(key: str) -> QByteArray:
    """A window's or splitter's state, empty when there is none."""
    found = get(key)
    return found if isinstance(found, QByteArray) else QByteArray()


@dataclass(frozen=True, slots=True)
class Recent:
    """A project that was open before. `picture` is a file to show for it, "" for none."""

    folder: Path
    name: str
    picture: str = ""


def recent() -> tuple[Recent, ...]:
    """Projects opened before that still exist, newest first."""
    kept = get("recent", []) or []
    lines = [kept] if isinstance(kept, str) else [str(line) for line in kept]
    found = [
        Recent(Path(parts[0]), parts[1], parts[2]) for parts in (line.split("\t") for line in lines) if len(parts) == 3
    ]
    return tuple(one for one in found if (one.folder / "project.sqlite").is_file())


def remember(one: Recent) -> None:
    """Put a project at the head of the recent ones."""
    others = [other for other in recent() if other.folder != one.folder]
    put("recent", ["\t".join((str(r.folder), r.name.replace("\t", " "), r.picture)) for r in (one, *others)][:RECENT])


def forget(folder: Path) -> None:
    """Take a project off the list of recent ones; its files stay."""
    put("recent", ["\t".join((str(r.folder), r.name, r.picture)) for r in recent() if r.folder != folder])
