"""Folders that are added to a project without the window: odd names, unreadable parts, and photographs that moved."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from tests.formats.making import picture
from tests.shut_folder import make_shut
from workbench import console
from workbench.cli import main

Capture = pytest.CaptureFixture[str]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has names that are not text")
def test_names_that_are_no_text_are_told(tmp_path: Path, capsys: Capture) -> None:
    folder = tmp_path / "photographs"
    picture(folder / "a.jpg")
    shutil.copy(folder / "a.jpg", folder / os.fsdecode(b"\xff.jpg"))
    assert main(["new", str(tmp_path / "p"), "--images", str(folder)]) == console.DONE
    assert "1 file or folder was left out because its name is not valid text" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have other longest paths")
def test_folders_that_can_not_be_read_are_told(tmp_path: Path, capsys: Capture) -> None:
    picture(tmp_path / "photographs" / "a.jpg")
    make_shut(tmp_path / "photographs" / "shut")
    assert main(["new", str(tmp_path / "p"), "--images", str(tmp_path / "photographs")]) == console.DONE
    told = " ".join(capsys.readouterr().err.split())
    assert "1 folder (shut/xxx" in told
    assert "File name too long) could not be read, so its images are missing" in told
    assert main(["add-images", str(tmp_path / "p"), str(tmp_path / "photographs")]) == console.DONE
    assert "could not be read, so its images are missing" in " ".join(capsys.readouterr().err.split())


def test_photographs_that_were_moved_are_found_again(tmp_path: Path, capsys: Capture) -> None:
    picture(tmp_path / "old" / "a.jpg", grey=9)
    project = str(tmp_path / "p")
    assert main(["new", project, "--images", str(tmp_path / "old")]) == console.DONE
    assert main(["find-images", project, str(tmp_path / "old")]) == console.FAILED
    assert "All photographs of this project are still in place" in capsys.readouterr().err
    (tmp_path / "old").rename(tmp_path / "new")
    assert main(["find-images", project, str(tmp_path / "p")]) == console.FAILED
    assert "None of the project's 1 image is in" in capsys.readouterr().err
    assert main(["find-images", project, str(tmp_path / "new"), "--json"]) == console.DONE
    assert json.loads(capsys.readouterr().out) == {"images": 1, "folder": str(tmp_path / "new")}
    (tmp_path / "new").rename(tmp_path / "newer")
    asked = ["find-images", project, str(tmp_path / "newer"), "--was", str(tmp_path / "old")]
    assert main(asked) == console.FAILED
    assert f"These are missing: {tmp_path / 'new'}" in capsys.readouterr().err
