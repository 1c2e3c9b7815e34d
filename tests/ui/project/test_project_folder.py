"""A project's folder whose file is missing is that project still: it is restored, and no new one takes its place."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtWidgets import QLabel, QMessageBox, QPushButton
from pytestqt.qtbot import QtBot

from tests.ui.data.test_data_images import drop
from tests.ui.window_driver import Open, find, when_asked, write_photographs
from workbench.core.document import Document
from workbench.core.folders.project_folder import project_at
from workbench.core.storage import mirror


@pytest.fixture
def lost(tmp_path: Path) -> Path:
    """A project of one image, of which only the text is left."""
    write_photographs(tmp_path / "lost" / "photographs", ["x.png"])
    Document.create(tmp_path / "lost", tmp_path / "lost" / "photographs").close()
    mirror.write(tmp_path / "lost")
    (tmp_path / "lost" / "project.sqlite").unlink()
    return tmp_path / "lost"


@pytest.mark.parametrize("is_open", [True, False])
def test_one_that_is_dropped_is_restored(
    qtbot: QtBot, open_window: Open, project: Path, lost: Path, is_open: bool
) -> None:
    """A new project of that folder was offered, or its pictures were added to the open one."""
    window = open_window(project, "data") if is_open else open_window()
    when_asked(QMessageBox, lambda asked: find(asked, QPushButton, "restore-text").click())
    drop(window, lost)
    document = window.session.document
    assert document is not None
    assert [image.name for image in document.images()] == ["x.png"]


def test_a_new_project_of_its_pictures_says_that_it_is_there(open_window: Open, lost: Path) -> None:
    window = open_window()
    window.offer(lost)
    assert any("This folder is a project already" in label.text() for label in window.findChildren(QLabel))


def test_other_folders_are_none(project: Path, lost: Path) -> None:
    assert (project_at(project), project_at(project / "project.sqlite"), project_at(lost)) == (project, project, lost)
    assert project_at(project.parent) is None
    assert project_at(lost / "photographs") is None
    assert project_at(lost / "labels" / "project.json") is None
