"""Recently opened projects, newest first, even if they are missing now: a drive may be mounted again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from workbench.ui import preferences

RECENT = 12
"""How many are kept: four rows on the start page."""


@dataclass(frozen=True, slots=True)
class RecentProject:
    """A recently opened project. `picture` is a file to show for it, or ""; `opened` is the last day it was opened,
    like 2026-11-28, "" if an older version stored it."""

    folder: Path
    name: str
    picture: str = ""
    opened: str = ""

    def when(self, today: date) -> str:
        """The day it was last opened, in words."""
        try:
            day = date.fromisoformat(self.opened)
        except ValueError:
            return ""
        ago = (today - day).days
        if ago in (0, 1):
            return "yesterday" if ago else "today"
        return f"{day.day} {day:%B}" if day.year == today.year else f"{day.day} {day:%B %Y}"


def projects() -> tuple[RecentProject, ...]:
    """All of them, without touching the disk: it may be a network that is down."""
    lines = preferences.get("recent", []) or []
    parts = [line.split("\t") for line in ([lines] if isinstance(lines, str) else map(str, lines))]
    return tuple(RecentProject(Path(part[0]), *part[1:4]) for part in parts if len(part) >= 3)


def remember(one: RecentProject) -> None:
    """Put a project that is being opened at the head of the list."""
    one = replace(one, opened=date.today().isoformat())
    _save((one, *(other for other in projects() if other.folder != one.folder))[:RECENT])


def rename(folder: Path, name: str) -> None:
    """The project in `folder` has another name now; its place in the list stays."""
    _save(tuple(replace(one, name=name) if one.folder == folder else one for one in projects()))


def forget(folder: Path) -> None:
    """Take a project off the list; its files stay where they are."""
    _save(tuple(one for one in projects() if one.folder != folder))


def _save(them: tuple[RecentProject, ...]) -> None:
    preferences.put(
        "recent", ["\t".join((str(r.folder), r.name.replace("\t", " "), r.picture, r.opened)) for r in them]
    )


def is_there(folder: Path) -> bool:
    """Whether the project is reachable now."""
    try:
        return (folder / "project.sqlite").is_file()
    except OSError:  # on a drive without permission, for instance
        return False
