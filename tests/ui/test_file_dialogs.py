"""Paths that are typed: home, strangers' homes, and names alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from workbench.ui.widgets.file_dialogs import typed_path


def test_what_is_typed_is_a_path_from_home_and_never_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    told = {
        "": None, "  ": None, "~": tmp_path, " ~/cells ": tmp_path / "cells", "/data/cells": Path("/data/cells"),
        "cells": tmp_path / "cells", "~nobody who is here/cells": tmp_path / "~nobody who is here/cells",
        '"/data/my cells"': Path("/data/my cells"), '"': tmp_path / '"',
    }  # fmt: skip
    assert {text: typed_path(text) for text in told} == told
