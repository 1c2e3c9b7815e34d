"""The command that installs what is missing names a Python that is there."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from workbench.core import extras
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


def test_powershell_is_told_that_a_name_with_a_space_is_a_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on Windows for every user whose name has a space."""
    own = tmp_path / "Jane Doe" / "Scripts" / "python.exe"
    own.parent.mkdir(parents=True)
    own.touch()
    monkeypatch.setattr(extras, "os", SimpleNamespace(name="nt"))
    monkeypatch.setattr(sys, "exec_prefix", str(tmp_path / "Jane Doe"))
    assert install_command("pi-heif") == f'& "{own}" -m pip install pi-heif'
    monkeypatch.setattr(extras, "os", SimpleNamespace(name="posix"))
    monkeypatch.setattr(sys, "executable", str(own))
    assert install_command("pi-heif") == f'"{own}" -m pip install pi-heif'
