"""Which project folder a path means. It loads nothing else, as the window asks before it paints."""

from __future__ import annotations

import os
from pathlib import Path


def project_of(path: Path) -> Path | None:
    """The project folder that `path` refers to (the folder, or its project.sqlite), or None."""
    folder = path.parent if path.name == "project.sqlite" else path
    return folder if os.path.isfile(folder / "project.sqlite") else None


def project_at(path: Path) -> Path | None:
    """As project_of, but also a folder with the text or copies of a project whose file was deleted or lost: opening it
    offers to restore it.
    """
    from workbench.core.storage import backups  # after the window is painted

    folder = project_of(path)
    return path if folder is None and backups.is_left(path) else folder
