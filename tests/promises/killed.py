"""Somebody who edits a project, and whom a test kills: `python -m tests.promises.killed FOLDER HOW`.

It imports all once and forks an editor for each line that it reads, because starting Python for each of 200 kills takes
minutes. An editor says "begin KIND" before each edit and "done DIGEST" when the edit has returned; DIGEST is what the
project then holds.
"""

from __future__ import annotations

import json
import os
import random
import sys
from collections.abc import Callable
from pathlib import Path

from tests.promises import edited_projects
from workbench.core.document import Document

LABELS = "labels.json"


def tell(words: str) -> None:
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


def edit(folder: Path, chance: random.Random) -> None:
    """With the program's own store."""
    with Document.open(folder) as document:
        assert not document.read_only, document.why_read_only
        tell(f"done {edited_projects.contents(document)}")
        while True:
            kind = edited_projects.next_kind(document, chance)
            new = edited_projects.some_edit(document, chance) if kind == "do" else None
            tell(f"begin {kind}")
            if new is not None:
                document.do(new)
            else:
                getattr(document, kind)()
            tell(f"done {edited_projects.contents(document)}")


def write_in_place(folder: Path, chance: random.Random) -> None:
    """As many programs do: the whole file again after each edit."""
    file = folder / LABELS
    boxes = json.loads(file.read_text()) if file.exists() else []
    while True:
        tell("begin do")
        boxes = [*boxes, *([chance.random()] * 4 for _ in range(edited_projects.MANY))][-4 * edited_projects.MANY :]
        with open(file, "w", encoding="utf-8") as stream:
            json.dump(boxes, stream)
        tell(f"done {json.dumps(boxes[-1])}")


HOW: dict[str, Callable[[Path, random.Random], None]] = {"store": edit, "in place": write_in_place}

if __name__ == "__main__":
    for line in sys.stdin:
        if not (child := os.fork()):
            tell(f"{os.getpid()}")
            HOW[sys.argv[2]](Path(sys.argv[1]), random.Random(int(line)))
        os.waitpid(child, 0)
        tell("ended")
