"""What the window remembers between starts: pane sizes, recent projects, the theme. In an ini file of our own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import platformdirs
from PySide6.QtCore import QByteArray, QSettings


def file() -> Path:
    """Where they are stored; may be deleted at any time."""
    return Path(platformdirs.user_config_dir("workbench", appauthor=False)) / "window.ini"


def _settings() -> QSettings:
    return QSettings(str(file()), QSettings.Format.IniFormat)


def get(key: str, default: Any = None) -> Any:
    """The value stored under `key`; as text if it was read back from the file."""
    return _settings().value(key, default)


def flag(key: str, default: bool = False) -> bool:
    """A boolean stored under `key`."""
    return str(get(key, default)).lower() == "true"


def put(key: str, value: Any) -> None:
    _settings().setValue(key, value)


def geometry(key: str) -> QByteArray:
    """A window's or splitter's state, empty if there is none."""
    found = get(key)
    return found if isinstance(found, QByteArray) else QByteArray()
