"""Whatever instant the power goes, a project opens again with every edit that was acknowledged, and none by half.

Edits run over a disk that records (recording_vfs.py). After a random event of it the power goes, and what the disk
then holds is opened as a person would open it, by the program's own SQLite.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.promises import edited_projects, recording_vfs
from tests.promises.form import times
from tests.promises.recording_vfs import Acknowledged, Recorder
from workbench.core import store
from workbench.core.document import Document
from workbench.errors import WorkbenchError

EDITS = 12
"""In one recording."""
CUTS = 20
"""Of one recording."""


def recorded(folder: Path, seed: int, change: Callable[[str], str]) -> tuple[Recorder, list[str]]:
    """A disk on which edits ran, and what the project held before and after each of them."""
    edited_projects.make(folder)
    chance = random.Random(seed)
    with Document.open(folder) as document:  # something to change
        for _ in range(6):
            edited_projects.act(document, chance)
    recorder = Recorder(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "sqlite3", recording_vfs.stand_in(recorder, change))
        with Document.open(folder) as document:
            if seed % 2:  # a cache too small for an edit: pages go to the file before the transaction ends
                document.store.connection.execute("PRAGMA cache_size = 8")
            held = [edited_projects.contents(document, journal=True)]
            recorder.events.append(Acknowledged(0))
            for number in range(1, EDITS + 1):
                edited_projects.act(document, chance)
                recorder.events.append(Acknowledged(number))
                held.append(edited_projects.contents(document, journal=True))
    recorder.unregister()
    return recorder, held


def verdict(folder: Path, held: list[str], acknowledged: int) -> str:
    """Of what a cut left: "sound", "corrupt", "lost" (an acknowledged edit is gone) or "half" (something else)."""
    try:
        with Document.open(folder) as document:  # looks at every page (quick_check)
            if [row[0] for row in document.store.rows("PRAGMA integrity_check")] != ["ok"]:
                return "corrupt"
            if document.store.rows("PRAGMA foreign_key_check"):
                return "half"
            found = edited_projects.contents(document, journal=True)
    except WorkbenchError:
        return "corrupt"
    if found in held[acknowledged : acknowledged + 2]:  # the one that was going on may be there
        return "sound"
    return "lost" if found in held[:acknowledged] else "half"


def after_cuts(folder: Path, count: int, change: Callable[[str], str] = lambda sql: sql) -> Counter[str]:
    """How often each verdict, of `count` cuts."""
    found: Counter[str] = Counter()
    for seed in range(-(-count // CUTS)):
        recorder, held = recorded(folder / f"{seed}", seed, change)
        for number in range(min(CUTS, count - CUTS * seed)):
            chance = random.Random(1000 * seed + number)
            first = recorder.events.index(Acknowledged(0))
            at = chance.randint(first + 1, len(recorder.events))
            acknowledged = max(e.edits for e in recorder.events[:at] if isinstance(e, Acknowledged))
            left = folder / f"{seed} {number}"
            left.mkdir()
            recording_vfs.power_cut(recorder, at, chance, left)
            found[verdict(left, held, acknowledged)] += 1
    return found


def with_synchronous(mode: str) -> Callable[[str], str]:
    return lambda sql: f"PRAGMA synchronous = {mode}" if sql.startswith("PRAGMA synchronous =") else sql


def test_no_power_cut_loses_an_edit(tmp_path: Path) -> None:
    count = times(60, 400)
    found = after_cuts(tmp_path, count)
    print(f"\npower cuts, synchronous=EXTRA: {dict(found)}")
    assert found == {"sound": count}


@pytest.mark.parametrize("mode", ["FULL", "NORMAL", "OFF"])
def test_the_same_cuts_tell_when_the_store_does_not_wait_for_the_disk(tmp_path: Path, mode: str) -> None:
    """The control. FULL and NORMAL lose the deletion of the journal, which then takes the edit back."""
    found = after_cuts(tmp_path, times(40, 400), with_synchronous(mode))
    print(f"\npower cuts, synchronous={mode}: {dict(found)}")
    assert found["lost"] + found["corrupt"] + found["half"] > 0


def test_the_recorded_store_has_the_programs_own_settings(tmp_path: Path) -> None:
    edited_projects.make(tmp_path / "p")
    recorder = Recorder(tmp_path / "p")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "sqlite3", recording_vfs.stand_in(recorder))
        with Document.open(tmp_path / "p") as recorded:
            seen = [recorded.store.rows(f"PRAGMA {name}")[0][0] for name in ("synchronous", "journal_mode")]
    with Document.open(tmp_path / "p") as plain:
        own = [plain.store.rows(f"PRAGMA {name}")[0][0] for name in ("synchronous", "journal_mode")]
    assert seen == own == [3, "delete"]  # 3: EXTRA
    recorder.unregister()
