"""Asking for a folder, beginning beside the one that was chosen last, else at home."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtWidgets import QFileDialog, QWidget

from workbench.ui import preferences


def chosen_folder(parent: QWidget, title: str) -> Path | None:
    """None where nothing was chosen."""
    chosen = QFileDialog.getExistingDirectory(parent, title, str(preferences.get("folder") or Path.home()))
    if not chosen:
        return None
    preferences.put("folder", str(Path(chosen).parent))
    return Path(chosen)


def free_folder(folder: Path) -> Path:
    """`folder`, or the same with a number when there is something in that place."""
    number, free = 1, folder
    while free.exists():
        number += 1
        free = folder.with_name(f"{folder.name} {number}")
    return free
