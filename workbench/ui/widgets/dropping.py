"""What is dragged from the desktop and dropped on a window."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtGui import QDropEvent


def local_paths(event: QDropEvent) -> list[Path]:
    """The files and folders of this machine; none where something else is dragged."""
    return [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
