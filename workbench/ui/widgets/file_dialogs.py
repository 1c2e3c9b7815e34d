"""Asks for a folder or a file, starting beside the one chosen last, else in the home folder."""

from __future__ import annotations

import os
from pathlib import Path

from PySide6.QtWidgets import QFileDialog, QWidget

from workbench.ui import preferences

LAST = "folder"
"""The preference that holds the folder of the last choice."""


def ask_for_folder(parent: QWidget, title: str, last: str = LAST) -> Path | None:
    """None if nothing was chosen. `last`: a preference, for dialogs that remember their own folder."""
    return _kept(QFileDialog.getExistingDirectory(parent, title, _begin(last)), last)


def ask_for_file(parent: QWidget, title: str, filters: str, last: str = LAST) -> Path | None:
    """The same for a file to read; `filters` in Qt's syntax."""
    return _kept(QFileDialog.getOpenFileName(parent, title, _begin(last), filters)[0], last)


def ask_for_files(parent: QWidget, title: str, filters: str) -> list[Path]:
    """Several files of one folder; none if nothing was chosen."""
    chosen = QFileDialog.getOpenFileNames(parent, title, _begin(LAST), filters)[0]
    return [path for name in chosen if (path := _kept(name, LAST))]


def _begin(last: str) -> str:
    """Not the working directory, which Qt would use."""
    return str(preferences.get(last) or Path.home())


def _kept(chosen: str, last: str) -> Path | None:
    if not chosen:
        return None
    preferences.put(last, str(Path(chosen).parent))
    return Path(chosen)


def typed_path(text: str) -> Path | None:
    """The path typed in a field, with ~ for the home folder, which a bare name is relative to; None if empty.

    "~somebody" with an unknown user is an ordinary name. Windows' "Copy as path" adds quotes.
    """
    text = text.strip()
    if len(text) > 2 and text[0] == text[-1] == '"':
        text = text[1:-1].strip()
    return Path.home() / os.path.expanduser(text) if text else None


def free_folder(folder: Path) -> Path:
    """`folder`, or the same with a number if something exists there."""
    number, free = 1, folder
    while os.path.exists(free):
        number += 1
        free = folder.with_name(f"{folder.name} {number}")
    return free
