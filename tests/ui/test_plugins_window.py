"""Help > Plugins lists what there is and takes the user's yes."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtWidgets import QLabel, QPushButton, QTableWidget

from tests.ui.hand import Open, find
from workbench import plugins
from workbench.ui.widgets.plugins_window import PluginsWindow


def test_a_new_plugin_asks_and_is_allowed_for_the_next_start(
    open_window: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "stranger.py"
    file.write_text('"""Adds nothing."""\nAPI = 1\n')
    monkeypatch.setattr(plugins, "user_folder", lambda: tmp_path)
    monkeypatch.setattr(plugins, "shipped_folder", lambda: tmp_path / "none")
    monkeypatch.setattr(plugins, "_loaded", None)
    window = open_window()
    window.show_plugins()
    dialog = find(window, PluginsWindow, "plugins-window")
    table = find(dialog, QTableWidget, "plugins-table")
    assert [table.item(0, column).text() for column in range(4)] == ["stranger", "asks to run", "", "Adds nothing."]
    table.selectRow(0)
    allow = find(dialog, QPushButton, "plugins-allow")
    assert allow.isEnabled()
    allow.click()
    assert not allow.isEnabled()
    assert "next start" in find(dialog, QLabel, "plugins-said").text()
    assert [plugin.state for plugin in plugins.load_all()] == ["loaded"]
