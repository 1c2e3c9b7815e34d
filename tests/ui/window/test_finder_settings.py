"""Ctrl+K shows a setting of a training in the form of the Train page."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtWidgets import QLineEdit, QWidget
from pytestqt.qtbot import QtBot

from tests.ui.window.test_window import find_and_press
from tests.ui.window_driver import Open, find


@pytest.mark.slow
def test_the_finder_shows_a_setting_of_a_training_once_the_form_is_loaded(
    qtbot: QtBot, open_window: Open, project: Path
) -> None:
    (project / "runs").mkdir()  # else its Train page asks for boxes first
    window = open_window(project, "data")
    find_and_press("cross-val", window)
    assert find(window, QWidget, "page-train").isVisible()
    qtbot.waitUntil(lambda: window.findChild(QLineEdit, "train-form-folds") is not None, timeout=60_000)

    def seen() -> bool:
        folds = find(window, QLineEdit, "train-form-folds")  # another one where a recipe was suggested after that
        return window.focusWidget() is folds and not folds.visibleRegion().isEmpty()

    qtbot.waitUntil(seen)
