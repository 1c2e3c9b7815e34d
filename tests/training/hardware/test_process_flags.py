"""The flags by which processes that train together are stopped from outside."""

from __future__ import annotations

from pathlib import Path

import pytest

from workbench.core.storage.lock import Lock
from workbench.training.hardware import process_flags


def test_a_signal_that_comes_while_the_files_are_looked_at_stops_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was found in the files, nothing, replaced it."""
    launcher, flag = Lock(tmp_path, process_flags.LAUNCHER), process_flags.StopFlag(tmp_path)

    def signalled() -> bool:
        flag.set()
        return False

    monkeypatch.setattr(flag, "_alone", signalled)
    assert flag.is_set()
    assert flag.is_set()
    launcher.release()
