"""While a training runs, a machine that would fall asleep by itself is kept awake: asked of fakes of two systems."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.raising import interrupt
from workbench.training import keep_awake, run_folder
from workbench.training.keep_awake import kept_awake
from workbench.training.runtime import Runtime


class Caffeinate:
    """As subprocess.Popen."""

    def __init__(self, command: list[str], **_: Any) -> None:
        self.command, self.calls = command, list[str]()
        STARTED.append(self)

    def terminate(self) -> None:
        self.calls.append("terminated")

    def __enter__(self) -> Caffeinate:
        return self

    def __exit__(self, *_: object) -> None:
        self.calls.append("waited for")


STARTED: list[Caffeinate] = []


def test_windows_is_told_at_the_beginning_and_at_the_end_also_of_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[int] = []
    kernel = SimpleNamespace(SetThreadExecutionState=told.append)
    monkeypatch.setattr(ctypes, "windll", SimpleNamespace(kernel32=kernel), raising=False)
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(ZeroDivisionError), kept_awake():
        assert told == [0x80000001]
        interrupt()
    assert told == [0x80000001, 0x80000000]


def test_macos_has_a_program_for_it_that_ends_with_the_training(monkeypatch: pytest.MonkeyPatch) -> None:
    STARTED.clear()
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(subprocess, "Popen", Caffeinate)
    with kept_awake():
        (one,) = STARTED
        assert one.command == ["/usr/bin/caffeinate", "-i", "-w", str(os.getpid())]
        assert one.calls == []
    assert one.calls == ["terminated", "waited for"]


def test_without_that_program_it_is_trained_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(keep_awake, "_CAFFEINATE", "/nowhere/caffeinate")
    with kept_awake():
        done = True
    assert done


def test_a_runs_folder_is_held_awake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    STARTED.clear()
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(subprocess, "Popen", Caffeinate)
    with run_folder.locked(tmp_path / "run", Runtime()):
        assert len(STARTED) == 1
    assert STARTED[0].calls == ["terminated", "waited for"]
