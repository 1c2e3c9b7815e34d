"""Every help page is in the menu and opens from it, with its pictures; links lead on. Commands: test_help_commands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt, QUrl
from PySide6.QtGui import QAction, QTextDocument, QTextTable
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QDialog, QLineEdit, QTextBrowser
from pytestqt.qtbot import QtBot

from tests.ui.window.test_window import find_and_press
from tests.ui.window_driver import Open, find
from workbench.core.files import resource
from workbench.ui import theme
from workbench.ui.commands import HELP

FOLDER = Path(str(resource("help", "choosing-a-detector.md"))).parent


def test_the_menu_has_every_page() -> None:
    assert sorted(HELP) == sorted(file.stem for file in FOLDER.glob("*.md"))


@pytest.mark.parametrize("page", HELP)
def test_a_page_opens_with_all_that_it_says(qtbot: QtBot, open_window: Open, page: str) -> None:
    window = open_window()
    find(window, QAction, f"action-help-{page}").trigger()
    shown = find(window, QTextBrowser, "help-text").toPlainText()
    text = (FOLDER / f"{page}.md").read_text("utf-8")
    headings = re.findall(r"^#+ (.*)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE)
    assert headings
    assert [heading for heading in headings if heading.replace("*", "") not in shown] == []
    assert "|---" not in shown, "a table that isn't one"
    browser = find(window, QTextBrowser, "help-text")
    for picture in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", text):
        assert browser.document().resource(QTextDocument.ResourceType.ImageResource, QUrl(picture)), picture
        assert (FOLDER / picture).stat().st_size < 300_000
    links = re.findall(r"(?<!!)\[[^\]]*\]\(([^)]+)\)", text)
    assert set(links) <= {f"{name}.md" for name in HELP}


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_tables_have_the_lines_of_the_theme(open_window: Open, mode: str) -> None:
    window = open_window()
    window.show_help("labels-in-and-out")
    browser = find(window, QTextBrowser, "help-text")
    window.set_theme(mode)  # while it is open
    tables = [one for one in browser.document().rootFrame().childFrames() if isinstance(one, QTextTable)]
    assert tables
    assert {one.format().borderBrush().color().name() for one in tables} == {theme.colours().border}
    window.set_theme("light")


def test_a_link_leads_to_another_page_in_the_same_window_and_back(qtbot: QtBot, open_window: Open) -> None:
    window = open_window()
    window.show_help("start-here")
    browser, dialog = find(window, QTextBrowser, "help-text"), find(window, QDialog, "help-window")
    assert dialog.windowTitle() == HELP["start-here"]
    browser.setTextCursor(browser.document().find("Label fast", 2000))
    there = browser.cursorRect().center() - QPoint(10, 0)
    QTest.mouseClick(browser.viewport(), Qt.MouseButton.LeftButton, pos=there)
    assert browser.toPlainText().startswith("Label fast")
    assert dialog.windowTitle() == HELP["label-fast"]
    browser.backward()
    assert browser.toPlainText().startswith("Start here")


def pages_with(*words: str) -> int:
    """How many have one of them."""
    texts = [resource("help", f"{page}.md").read_text("utf-8").lower() for page in HELP]
    return sum(any(word in text for word in words) for text in texts)


def test_a_page_that_ctrl_k_found_by_its_text_opens_at_that_place(
    qtbot: QtBot, open_window: Open, project: Path
) -> None:
    window = open_window(project, "data")
    find_and_press("Crowds", window, rows=pages_with("crowds"))
    browser = find(window, QTextBrowser, "help-text")
    assert find(window, QLineEdit, "help-find").text() == "crowds"
    assert browser.textCursor().selectedText().lower() == "crowds"
    qtbot.waitUntil(lambda: browser.viewport().rect().contains(browser.cursorRect()))
    find(window, QDialog, "help-window").close()
    window.activateWindow()
    find_and_press("threshold", window, rows=pages_with("threshold", "confidence"))
    shown = [field.text() for field in window.findChildren(QLineEdit, "help-find") if field.isVisible()]
    assert shown == ["confidence"], "as it is called there"
    window.findChildren(QDialog, "help-window")[-1].close()
    window.activateWindow()
    find_and_press("help start here", window)
    shown = [field.text() for field in window.findChildren(QLineEdit, "help-find") if field.isVisible()]
    assert shown == [""], "it is called so"
