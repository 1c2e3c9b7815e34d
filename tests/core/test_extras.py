"""The command that installs what is missing names a Python that is there."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import pytest

from workbench.core.extras import install_command


def test_it_is_the_environment_s_own_python() -> None:
    python, *rest = shlex.split(install_command("pi-heif"))
    assert rest == ["-m", "pip", "install", "pi-heif"]
    assert Path(python) == Path(sys.exec_prefix, "bin", "python")


def test_where_that_is_called_otherwise_it_is_the_one_that_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "exec_prefix", str(tmp_path))  # as /usr, which has a python3 only
    monkeypatch.setattr(sys, "executable", "/usr/bin/my python3")
    assert shlex.split(install_command("[export]"))[0] == "/usr/bin/my python3"
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").touch()
    assert shlex.split(install_command("[export]"))[0] == str(tmp_path / "bin" / "python")
