"""Asking for a folder or a file, beginning beside the one that was chosen last, else at home."""

from __future__ import annotations

import os
from pathlib import Path

from PySide6.QtWidgets import QFileDialog, QWidget

from workbench.ui import preferences

LAST = "folder"
"""The preference with the folder of what was chosen last."""


def chosen_folder(parent: QWidget, title: str, last: str = LAST) -> Path | None:
    """None where nothing was chosen. `last`: the preference of a place of its own."""
    return _kept(QFileDialog.getExistingDirectory(parent, title, _begin(last)), last)


def chosen_file(parent: QWidget, title: str, filters: str, last: str = LAST) -> Path | None:
    """The same of a file to be read; `filters` as Qt has them."""
    return _kept(QFileDialog.getOpenFileName(parent, title, _begin(last), filters)[0], last)


def chosen_files(parent: QWidget, title: str, filters: str) -> list[Path]:
    """Several of one folder; none where nothing was chosen."""
    chosen = QFileDialog.getOpenFileNames(parent, title, _begin(LAST), filters)[0]
    return [path for name in chosen if (path := _kept(name, LAST))]


def _begin(last: str) -> str:
    """Not where the program was started from, which Qt would take."""
    return str(preferences.get(last) or Path.home())


def _kept(chosen: str, last: str) -> Path | None:
    if not chosen:
        return None
    preferences.put(last, str(Path(chosen).parent))
    return Path(chosen)


def typed_path(text: str) -> Path | None:
    """What was typed in a field, with ~ for the home folder, where a name alone is meant to be; None for nothing.

    "~somebody" who is not known here is a name like any other. Windows' "Copy as path" puts it in quotes.
    """
    text = text.strip()
    if len(text) > 2 and text[0] == text[-1] == '"':
        text = text[1:-1].strip()
    return Path.home() / os.path.expanduser(text) if text else None


def free_folder(folder: Path) -> Path:
    """`folder`, or the same with a number when there is something in that place."""
    number, free = 1, folder
    while free.exists():
        number += 1
        free = folder.with_name(f"{folder.name} {number}")
    return free
