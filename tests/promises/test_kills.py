"""Whoever is killed while editing loses nothing that was acknowledged, and leaves nothing half done."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.promises import edited_projects, killed, processes
from tests.promises.form import times
from workbench.core.document import Document
from workbench.errors import WorkbenchError


def kills(folder: Path, how: str, count: int, look: Callable[[Path, list[str]], str], longest: float) -> Counter[str]:
    """Kill somebody who edits in this way, again and again, up to `longest` seconds after an edit began.

    How often each verdict of `look`, which gets what the editor said; and how many edits were acknowledged.
    """
    found: Counter[str] = Counter()
    chance = random.Random(5)
    with processes.python("-m", "tests.promises.killed", str(folder), how) as editors:
        for number in range(count):
            processes.tell(editors, f"{number}")
            child = int(processes.hear(editors))
            said: list[str] = []
            begun = 1 + chance.randrange(4)
            while begun:
                said.append(processes.hear(editors))
                assert said[-1], "the editor died by itself"
                begun -= said[-1].startswith("begin")
            _spin(chance.random() * longest)
            os.kill(child, signal.SIGKILL)
            said += iter(lambda: processes.hear(editors), "ended")
            found["a journal was left"] += any(folder.glob("*-journal"))
            found[look(folder, said)] += 1
            found["acknowledged edits"] += sum(line.startswith("done") for line in said)
    return found


def _spin(seconds: float) -> None:
    """Let a random instant pass: the point is where in a save the kill falls, so nothing can be waited for."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


def look_at_project(folder: Path, said: list[str]) -> str:
    """What is on disk is what was said last, or that and the whole of the edit that had begun.

    Of that, the other direction tells: taken back, it must leave what was said last.
    """
    *_, acknowledged = (line.split()[1] for line in said if line.startswith("done"))
    with Document.open(folder) as document:
        assert not document.read_only, document.why_read_only
        found = edited_projects.contents(document)
        if found == acknowledged:
            return "as acknowledged"
        begun = said[-1].split()
        assert begun[0] == "begin", "something that nobody did"
        back, again = (document.redo, document.undo) if begun[1] == "undo" else (document.undo, document.redo)
        try:
            back()
            if edited_projects.contents(document) != acknowledged:
                return "lost or half"
            again()
        except WorkbenchError:
            return "lost or half"
        return "with the edit that had begun" if edited_projects.contents(document) == found else "lost or half"


def look_at_labels(folder: Path, said: list[str]) -> str:
    """The same of a file that is written in place."""
    done = [json.loads(line.removeprefix("done ")) for line in said if line.startswith("done")]
    if not (folder / killed.LABELS).exists():
        return "lost or half" if done else "as acknowledged"
    try:
        boxes = json.loads((folder / killed.LABELS).read_text())
    except ValueError:
        (folder / killed.LABELS).unlink()
        return "lost or half"
    return "as acknowledged" if not done or done[-1] in boxes else "lost or half"


@pytest.mark.slow
def test_no_kill_loses_an_edit_or_leaves_half_of_one(tmp_path: Path) -> None:
    edited_projects.make(tmp_path / "p")
    count = times(25, 200)
    found = kills(tmp_path / "p", "store", count, look_at_project, 0.01)
    print(f"\nkilled while editing: {dict(found)}")
    assert found["as acknowledged"] + found["with the edit that had begun"] == count
    assert found["acknowledged edits"] >= 2 * count


def test_the_same_kills_tell_of_a_file_that_is_written_in_place(tmp_path: Path) -> None:
    found = kills(tmp_path, "in place", times(25, 200), look_at_labels, 0.004)
    print(f"\nkilled while writing JSON in place: {dict(found)}")
    assert found["lost or half"] > 0
