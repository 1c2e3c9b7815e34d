"""A folder that nobody can list, not even root: its path is longer than the system allows."""

from __future__ import annotations

import os
from pathlib import Path


def make_shut(folder: Path) -> None:
    """Nest folders below `folder` until the last can't be read, as on a disk that disappears."""
    folder.mkdir()
    here = os.open(folder, os.O_RDONLY)
    for _ in range(20):
        os.mkdir("x" * 250, dir_fd=here)
        below = os.open("x" * 250, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
