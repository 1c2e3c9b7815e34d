"""The program's other windows keep the same distance from their edges."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QDialog

from tests.ui.window_driver import Open, find
from workbench.ui import theme

WINDOWS = (
    "log", "history", "plugins", "about", "seen", "import-weights", "check-data", "split", "import-labels",
    "export-labels", "labels-beside",
)  # fmt: skip


@pytest.mark.parametrize("name", WINDOWS)
def test_what_a_window_shows_stands_two_grid_steps_off_its_edges(open_window: Open, project: Path, name: str) -> None:
    window = open_window(project, "data")
    find(window, QAction, f"action-{name}").trigger()
    (other,) = (dialog for dialog in window.findChildren(QDialog) if dialog.isVisible())
    layout = other.layout()
    assert layout is not None
    margins = layout.contentsMargins()
    assert {margins.left(), margins.right(), margins.bottom()} == {2 * theme.GRID}
