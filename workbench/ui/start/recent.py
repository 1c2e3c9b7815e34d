"""The projects that were open before, newest first, also those that are not there now: a drive may come back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from workbench.ui import preferences

RECENT = 12
"""How many are kept: as many as the start page shows without scrolling."""


@dataclass(frozen=True, slots=True)
class Recent:
    """A project that was open before. `picture` is a file to show for it, "" for none."""

    folder: Path
    name: str
    picture: str = ""


def kept() -> tuple[Recent, ...]:
    """All of them; the disk is not asked, which may be a network that is down."""
    lines = preferences.get("recent", []) or []
    parts = [line.split("\t") for line in ([lines] if isinstance(lines, str) else map(str, lines))]
    return tuple(Recent(Path(part[0]), part[1], part[2]) for part in parts if len(part) == 3)


def remember(one: Recent) -> None:
    """Put a project at their head."""
    _keep((one, *(other for other in kept() if other.folder != one.folder))[:RECENT])


def forget(folder: Path) -> None:
    """Take a project off the list; its files, wherever they are, stay."""
    _keep(tuple(one for one in kept() if one.folder != folder))


def _keep(them: tuple[Recent, ...]) -> None:
    preferences.put("recent", ["\t".join((str(r.folder), r.name.replace("\t", " "), r.picture)) for r in them])


def is_there(folder: Path) -> bool:
    """Whether the project can be reached now."""
    try:
        return (folder / "project.sqlite").is_file()
    except OSError:  # as of a drive that one may not read
        return False
