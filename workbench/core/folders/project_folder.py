"""Which project folder a path means. It loads nothing else, as the window asks before it paints."""

from __future__ import annotations

import os
from pathlib import Path


def project_of(path: Path) -> Path | None:
    """The project folder that `path` refers to (the folder, or its project.sqlite), or None."""
    folder = path.parent if path.name == "project.sqlite" else path
    return folder if os.path.isfile(folder / "project.sqlite") else None
