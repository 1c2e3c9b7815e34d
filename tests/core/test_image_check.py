"""A file that kills or stalls its decoder costs that file and nothing else."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from tests.core import awkward_files as awkward
from workbench.core.image_check import Checked, check_in_child
from workbench.core.images import ImageInfo

# A child that answers like the real one but dies on names with "kill" and hangs on names with "hang".
FAKE = """
import json, os, sys, threading
for line in sys.stdin:
    name = json.loads(line)
    if "kill" in name:
        os.abort()
    if "hang" in name:
        threading.Event().wait()
    print(json.dumps([None, "seen"]), flush=True)
"""


def test_good_and_bad_files_are_told_in_order(tmp_path: Path) -> None:
    (tmp_path / "Übung 🐕\n.jpg").write_bytes(awkward.held_sideways(6, "JPEG"))
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "half.jpg").write_bytes(awkward.saved(awkward.photograph(), "JPEG")[:700])
    files = [tmp_path / name for name in ("Übung 🐕\n.jpg", "empty.png", "half.jpg", "gone.jpg")]
    good, empty, half, gone = check_in_child(files)
    assert good == Checked(files[0], ImageInfo(64, 32, 6, "JPEG", 1, 8))
    assert empty.problem.startswith("the file is empty")
    assert "cut off" in half.problem
    assert "not there" in gone.problem


def test_a_file_that_kills_or_stalls_the_decoder_is_refused_and_the_rest_goes_on(tmp_path: Path) -> None:
    names = ["a", "kill", "b", "kill", "hang", "c"]
    results = list(check_in_child([Path(n) for n in names], seconds=2, child=(sys.executable, "-c", FAKE)))
    assert [str(r.file) for r in results] == names
    failed = "decoding it failed badly; remove it or save it anew as PNG or JPEG"
    assert [r.problem for r in results] == ["seen", failed, "seen", failed, failed, "seen"]


def test_a_child_that_cannot_even_start_refuses_each_file_and_ends() -> None:
    files = [Path("a"), Path("b")]
    results = list(check_in_child(files, child=(sys.executable, "-c", "")))
    assert [(r.file, r.info) for r in results] == [(files[0], None), (files[1], None)]
    assert all("failed badly" in r.problem for r in results)


def test_no_files_start_no_child() -> None:
    assert list(check_in_child([], child=("a command that does not exist",))) == []


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on address space")
def test_an_image_that_needs_more_memory_than_allowed_is_refused_with_a_sentence(tmp_path: Path) -> None:
    large = tmp_path / "large.png"
    large.write_bytes(awkward.bomb(13_000))
    small = tmp_path / "small.png"
    small.write_bytes(awkward.png_16(np.zeros((2, 2), np.uint16)))
    refused, taken = check_in_child([large, small], memory=1_000_000_000)
    assert "memory" in refused.problem or "failed badly" in refused.problem
    assert taken.info == ImageInfo(2, 2, 1, "PNG", 1, 16)
