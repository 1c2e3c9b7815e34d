"""A folder that nobody can list, root neither: its path is longer than the system takes."""

from __future__ import annotations

import os
from pathlib import Path


def make_shut(folder: Path) -> None:
    """Below `folder` folders within folders: the last can't be read, as on a disk that goes away."""
    folder.mkdir()
    here = os.open(folder, os.O_RDONLY)
    for _ in range(20):
        os.mkdir("x" * 250, dir_fd=here)
        below = os.open("x" * 250, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
