"""Which of a project's images an exported file is verified on. No torch here: the window uses it too."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

CHECKED = 8  # images that a file is verified on


def choose_images(files: Sequence[Path], for_validation: Sequence[bool]) -> list[Path]:
    """The validation images; if there are fewer than CHECKED, followed by the others."""
    first = [file for file, marked in zip(files, for_validation, strict=True) if marked]
    if len(first) >= CHECKED:
        return first
    return first + [file for file, marked in zip(files, for_validation, strict=True) if not marked]
