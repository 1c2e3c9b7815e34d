"""Help > Plugins lists what there is and takes the user's yes."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel, QPushButton, QTableWidget

from tests.ui.window_driver import Open, find
from workbench import plugins
from workbench.ui.window import plugins_window
from workbench.ui.window.plugins_window import PluginsWindow


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
    QTest.keyClick(table, Qt.Key.Key_Return)
    assert table.item(0, 1).text() == "asks to run"  # nobody allows a program by an Enter that was for the list
    allow.click()
    assert not allow.isEnabled()
    assert table.item(0, 1).text() == "at the next start"
    assert "next start" in find(dialog, QLabel, "plugins-said").text()
    assert [plugin.state for plugin in plugins.load_all()] == ["loaded"]
    forget = find(dialog, QPushButton, "plugins-forget")
    forget.click()
    assert (table.item(0, 1).text(), allow.isEnabled(), forget.isEnabled()) == ("asks to run", True, False)
    assert [plugin.state for plugin in plugins.load_all()] == ["asks"]


def test_its_buttons_say_why_they_are_off_and_where_the_folder_is(
    open_window: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = open_window()
    window.show_plugins()
    dialog = find(window, PluginsWindow, "plugins-window")
    table, allow = find(dialog, QTableWidget, "plugins-table"), find(dialog, QPushButton, "plugins-allow")
    table.clearSelection()
    assert (allow.isEnabled(), allow.toolTip()) == (False, "Choose a plugin in the list first.")
    table.selectRow(0)
    assert (allow.isEnabled(), allow.toolTip()) == (False, "It came with the program, and needs no consent.")
    said = find(dialog, QLabel, "plugins-said")
    monkeypatch.setattr(plugins_window, "open_folder", lambda _: False)
    monkeypatch.setattr(plugins, "user_folder", lambda: tmp_path / "mine")
    find(dialog, QPushButton, "plugins-open").click()
    assert said.text() == f"Nothing on this computer shows folders. Open {tmp_path / 'mine'} by hand."
    (tmp_path / "file").touch()
    monkeypatch.setattr(plugins, "user_folder", lambda: tmp_path / "file" / "mine")
    find(dialog, QPushButton, "plugins-open").click()
    assert "can't be made (" in said.text()


def test_a_plugin_that_came_or_was_changed_since_the_start_asks_without_a_restart(
    open_window: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plugins, "user_folder", lambda: tmp_path)
    monkeypatch.setattr(plugins, "shipped_folder", lambda: tmp_path / "none")
    monkeypatch.setattr(plugins, "_loaded", None)
    old, new = tmp_path / "old.py", tmp_path / "new.py"
    old.write_text("API = 1\n")
    plugins.allow(plugins.find("old.py"))
    assert [plugin.state for plugin in plugins.loaded()] == ["loaded"]
    old.write_text("API = 1  # changed\n")
    new.write_text("API = 1\n")
    window = open_window()
    window.show_plugins()
    dialog = find(window, PluginsWindow, "plugins-window")
    table = find(dialog, QTableWidget, "plugins-table")
    shown = [[table.item(row, column).text() for column in (0, 1)] for row in range(2)]
    assert shown == [["old", "loaded, asks at the next start"], ["new", "asks to run"]]
    table.selectRow(0)
    find(dialog, QPushButton, "plugins-allow").click()
    assert table.item(0, 1).text() == "loaded"
    assert plugins.is_allowed(plugins.find("old.py"))


def test_a_plugin_whose_file_is_gone_by_now_is_not_allowed_but_said(
    open_window: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plugins, "user_folder", lambda: tmp_path)
    monkeypatch.setattr(plugins, "shipped_folder", lambda: tmp_path / "none")
    monkeypatch.setattr(plugins, "_loaded", None)
    file = tmp_path / "stranger.py"
    file.write_text("API = 1\n")
    window = open_window()
    window.show_plugins()
    dialog = find(window, PluginsWindow, "plugins-window")
    find(dialog, QTableWidget, "plugins-table").selectRow(0)
    file.unlink()
    find(dialog, QPushButton, "plugins-allow").click()
    assert find(dialog, QLabel, "plugins-said").text().startswith(f"{file} can't be read (")
