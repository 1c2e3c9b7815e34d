"""Photographs on a share that does not answer, or in a folder that nobody may look into: a sentence, no report."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QAbstractItemView, QLabel, QMessageBox, QPushButton
from pytestqt.qtbot import QtBot

from tests.ui.data.data_page_driver import click_row, labelled, on_disk
from tests.ui.window_driver import Open, find
from workbench.core.document import Document
from workbench.ui.widgets.open_folder import open_folder

__all__ = ["labelled"]  # a fixture


@pytest.fixture
def away(labelled: Path) -> Path:
    """The folder of the photographs, one that the system refuses as it does one without permission."""
    folder = labelled / ("x" * 300)
    with Document.open(labelled) as document, document.store.transaction() as connection:
        connection.execute("UPDATE root SET path = ?", (os.path.relpath(folder, labelled),))
    return folder


def test_such_a_file_does_not_go_to_the_trash_and_that_is_said(
    qtbot: QtBot, open_window: Open, labelled: Path, away: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(question: QMessageBox) -> int:
        chosen = question.findChild(QPushButton, "trash-yes")
        monkeypatch.setattr(QMessageBox, "clickedButton", lambda _: chosen)
        return 0

    monkeypatch.setattr(QMessageBox, "exec", answer)
    window = open_window(labelled, "data")
    click_row(find(window, QAbstractItemView, "gallery"), 0)
    find(window, QAction, "action-trash-images").trigger()
    qtbot.waitUntil(lambda: not window.session.jobs)
    assert "could not be moved to the trash and stay" in find(window, QLabel, "message-text").text()
    assert len(on_disk(labelled)) == 3
    assert not open_folder(away)
