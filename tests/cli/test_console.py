"""What the commands print: names that are typed in the next command are whole, however narrow the terminal."""

from __future__ import annotations

import pytest

from workbench import console


def test_names_in_the_first_column_are_not_cut(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    names = ["yolov4-tiny-of-the-second-plate", "yolov4-tiny-of-the-third-plate"]
    rows = [
        [name, "yolov4-tiny", "finished", "300 / 300", 0.5, 0.25, "2c1a4f0 of 364 images", "2026-11-28 10:00"]
        for name in names
    ]
    console.table(["run", "detector", "state", "epochs", "AP50", "AP", "data", "started"], rows)
    printed = capsys.readouterr().out
    assert all(name in printed for name in names)
