"""Reads a list of label names: text with one name per line, pasted or in a file such as classes.txt."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from workbench.core import formatting
from workbench.core.edits import AddLabels
from workbench.core.project import Label
from workbench.errors import Refused

LIMIT = 1 << 20
"""Largest size in bytes; the 9,418 names of YOLO9000 take 120,000."""


def parse_names(text: str) -> tuple[str, ...]:
    """The names in a text with one per line, each once and in order. Blank lines and characters no name may have are
    dropped.
    """
    return tuple(dict.fromkeys(name for name in map(formatting.one_line, text.splitlines()) if name))


def read_names(file: Path) -> tuple[str, ...]:
    """The names in a text file (UTF-8). Refused if it is no text, holds no name or is too large to be such a list."""
    try:
        with open(file, "rb") as stream:
            data = stream.read(LIMIT + 1)
        if len(data) > LIMIT or b"\0" in data:
            raise Refused(file, "this is not a list of label names; choose a text file with one name a line")
        names = parse_names(data.decode("utf-8-sig"))
    except OSError as error:
        raise Refused(file, f"it can't be read: {error.strerror or error}", cause=error) from error
    except UnicodeDecodeError as error:
        raise Refused(file, "its characters can't be read; save it as UTF-8 in a text editor", cause=error) from error
    if not names:
        raise Refused(file, "it holds no names; write one label a line")
    return names


def add_labels_edit(names: Sequence[str], labels: Sequence[Label]) -> AddLabels | None:
    """The edit that adds the names that `labels` lacks; None if it has all."""
    known = {label.name for label in labels}
    fresh = tuple(Label(0, name) for name in names if name not in known)
    return AddLabels(fresh) if fresh else None
