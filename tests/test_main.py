"""What is typed on the command line reaches the window or the command that it is for."""

from __future__ import annotations

import os
import subprocess
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


NOBODY = """
import os, pwd, sys
os.environ.pop("HOME", None)

def getpwuid(_):
    raise KeyError

pwd.getpwuid = getpwuid
sys.argv = ["workbench", *sys.argv[1:]]
from workbench.__main__ import main
sys.exit(main())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="users have a home there")
def test_a_user_without_a_home_is_served(tmp_path: Path) -> None:
    """As a container makes one up: every command that loads plugins ended in a traceback."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")}
    for command, code in ((["plugins"], console.DONE), (["plugins", "--allow", "mine"], console.FAILED)):
        done = subprocess.run(
            [sys.executable, "-c", NOBODY, *command], cwd=tmp_path, env=environment, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []
