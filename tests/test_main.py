"""What is typed on the command line reaches the window or the command that it is for."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from workbench import console
from workbench.__main__ import main


def test_a_folder_that_nobody_may_look_into_gets_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The system refuses this name as it does a folder without permission, or a share that does not answer."""
    folder = tmp_path / ("x" * 300)
    for command in ([], ["check"], ["train"]):
        monkeypatch.setattr(sys, "argv", ["workbench", *command, str(folder)])
        assert main() == console.FAILED
        said = " ".join(capsys.readouterr().err.split())
        assert "could not be read or written: File name too long. Check its disk" in said, command
