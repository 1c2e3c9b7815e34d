"""Shows a folder in the system's file manager."""

from __future__ import annotations

import os
from pathlib import Path

from PySide6.QtCore import QUrl
from PySide6.QtGui import QDesktopServices


def open_folder(folder: Path) -> bool:
    """False if the folder doesn't exist or nothing can show it."""
    return os.path.isdir(folder) and QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder)))
