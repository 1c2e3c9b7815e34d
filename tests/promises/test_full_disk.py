"""A full disk is told in a sentence, takes nothing that was there, and editing goes on when there is room again."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.promises import processes

_SIZE = "12m"


def worked(folder: Path, how: str) -> dict[str, Any]:
    """What on_full_disk.py tells. On a disk of 12 MB in memory, which only that process sees, for "disk"."""
    command = [sys.executable, "-m", "tests.promises.on_full_disk", str(folder), how]
    if how == "disk":
        mounted = f"mount -t tmpfs -o size={_SIZE} none {shlex.quote(str(folder))} && exec {shlex.join(command)}"
        command = [*_alone(), "sh", "-c", mounted]
    home = {"XDG_CONFIG_HOME": str(folder / "home"), "QT_QPA_PLATFORM": "offscreen"}
    done = subprocess.run(command, capture_output=True, text=True, cwd=processes.REPOSITORY, env={**os.environ, **home})
    assert done.returncode == 0, done.stderr[-3000:]
    return dict(json.loads(done.stdout.splitlines()[-1]))


def _alone() -> list[str]:
    """A command that gives another one its own view of the disks; the test is skipped where the system forbids it."""
    for way in (["unshare", "--user", "--map-root-user", "--mount"], ["unshare", "--mount"]):
        if shutil.which("unshare") and subprocess.run([*way, "true"], capture_output=True).returncode == 0:
            return way
    pytest.skip("this system lets nobody have a small disk of their own")


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("disk", r"^The disk of .* is full\. The last edit was not saved, but everything before it was\. Make room"),
        (
            "limit",
            r"^Reading or writing on the disk of .* failed.*The last edit was not saved, but everything before it was",
        ),
    ],
)
def test_a_full_disk_is_told_and_takes_nothing(tmp_path: Path, how: str, words: str) -> None:
    told = worked(tmp_path, how)
    edits = told["edits"]
    print(f"\nfull disk ({how}): {edits['acknowledged']} edits of 10 boxes acknowledged, then all refused")
    assert edits["acknowledged"] > 20
    assert edits["same"]
    assert edits["boxes"] == told["boxes before"] + 10 * edits["acknowledged"]
    assert re.search(words, edits["told"])
    assert told["nothing lost"]
    assert told["integrity"] == "ok"
    assert told["later"] == [""] * 4, "with room again, all goes on"
    assert told["copies"]["backup is whole"]
    assert told["copies"]["left"] == []
    assert told["window"]["thumbnails"] == 3
    if how == "disk":
        assert told["preferences kept"]  # a limit makes Qt write them by half, and say nothing
        assert "is full" in told["copies"]["backup"]
        assert "edit was not saved" not in told["copies"]["backup"], "all of them were"
        assert "the disk is full. Make room and try again; nothing was lost" in told["copies"]["text"]
    else:
        assert "failed" in told["copies"]["backup"]
        assert "could not be written: File too large" in told["copies"]["text"]
    assert not told["JSON in place is whole"], "the control: a file written in place is destroyed by the same"
