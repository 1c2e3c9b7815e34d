"""Paths that are typed: home, strangers' homes, and names alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from workbench.ui.widgets.file_dialogs import free_folder, typed_path


def test_what_is_typed_is_a_path_from_home_and_never_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    told = {
        "": None, "  ": None, "~": tmp_path, " ~/cells ": tmp_path / "cells", "/data/cells": Path("/data/cells"),
        "cells": tmp_path / "cells", "~nobody who is here/cells": tmp_path / "~nobody who is here/cells",
        '"/data/my cells"': Path("/data/my cells"), '"': tmp_path / '"',
    }  # fmt: skip
    assert {text: typed_path(text) for text in told} == told


def test_a_folder_that_nobody_may_look_at_is_taken_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    assert free_folder(tmp_path / "set") == tmp_path / "set 2"
    assert free_folder(tmp_path / ("x" * 300)) == tmp_path / ("x" * 300)
