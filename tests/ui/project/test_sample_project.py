"""The sample while it is made: another project that is asked for stays, and what was begun is in no one's way."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtWidgets import QLabel, QMessageBox, QPushButton
from pytestqt.qtbot import QtBot

from tests.ui.data.data_page_driver import press
from tests.ui.window_driver import Open, find, when_asked
from workbench import scenes
from workbench.core import edits
from workbench.core.applied_edit import AppliedEdit
from workbench.core.document import Document
from workbench.core.storage import mirror
from workbench.core.store import FILE
from workbench.errors import WorkbenchError
from workbench.ui.project import sample_project


@pytest.fixture
def documents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a small sample is made."""
    monkeypatch.setattr(sample_project, "IMAGES", 4)
    monkeypatch.setattr(sample_project, "UNLABELLED", 1)
    monkeypatch.setenv("XDG_DOCUMENTS_DIR", str(tmp_path / "documents"))
    return tmp_path / "documents"


def test_a_sample_whose_file_was_deleted_is_restored_and_not_in_its_own_way(
    qtbot: QtBot, open_window: Open, documents: Path
) -> None:
    """It said that other photographs lie where those of the sample belong."""
    window = open_window()
    press(window, "start-sample")
    qtbot.waitUntil(lambda: find(window, QLabel, "project-name").text() == "Sample project")
    window.close_project()
    folder = documents / "Workbench sample"
    mirror.write(folder)
    (folder / FILE).unlink()
    when_asked(QMessageBox, lambda asked: find(asked, QPushButton, "restore-text").click())
    press(window, "start-sample")
    qtbot.waitUntil(lambda: window.session.document is not None)
    assert len(window.session.document.images()) == 4


def test_a_project_that_is_opened_while_the_sample_is_made_stays(
    qtbot: QtBot, open_window: Open, project: Path, documents: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sample came in its place."""
    begun, go_on, written = threading.Event(), threading.Event(), scenes.write_scenes

    def slow(*given: Any) -> Iterator[scenes.Scene]:
        for scene in written(*given):
            begun.set()
            go_on.wait(10)
            yield scene

    monkeypatch.setattr(scenes, "write_scenes", slow)
    window = open_window()
    press(window, "start-sample")
    qtbot.waitUntil(begun.is_set)
    assert window.open(project)
    go_on.set()
    qtbot.waitUntil(lambda: not window.session.jobs)
    assert window.session.document is not None
    assert window.session.document.folder == project
    assert list((documents / "Workbench sample").iterdir()) == []
    window.close_project()
    press(window, "start-sample")
    qtbot.waitUntil(lambda: find(window, QLabel, "project-name").text() == "Sample project")


def test_a_sample_that_is_given_up_leaves_nothing_in_the_way_of_the_next(documents: Path) -> None:
    folder = documents / "Workbench sample"
    making = sample_project.make_sample(folder)
    next(making)
    making.close()
    assert list(folder.iterdir()) == []
    *_, made = sample_project.make_sample(folder)
    assert made == sample_project.SampleMade(folder)
    assert len(list((folder / scenes.PHOTOGRAPHS).iterdir())) == 4


def test_what_is_where_the_sample_belongs_is_left_and_told(documents: Path) -> None:
    photographs = documents / "Workbench sample" / scenes.PHOTOGRAPHS
    photographs.mkdir(parents=True)
    (photographs / "mine.jpg").touch()
    with pytest.raises(WorkbenchError, match="Rename that folder, then try again"):
        list(sample_project.make_sample(photographs.parent))
    assert [file.name for file in photographs.iterdir()] == ["mine.jpg"]
    with pytest.raises(WorkbenchError, match="The sample could not be made in"):
        list(sample_project.make_sample(photographs / "mine.jpg"))


def test_a_sample_whose_labels_can_not_be_written_leaves_nothing_in_the_way_of_the_next(
    documents: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own photographs were taken for others', or half a project for the sample."""
    folder, done = documents / "Workbench sample", Document.do

    def full(document: Document, edit: edits.Edit) -> AppliedEdit:
        if isinstance(edit, edits.Batch):
            raise WorkbenchError("The disk is full. Free some space.")
        return done(document, edit)

    with monkeypatch.context() as patch, pytest.raises(WorkbenchError, match="disk is full"):
        patch.setattr(Document, "do", full)
        list(sample_project.make_sample(folder))
    assert not (folder / FILE).exists()
    *_, made = sample_project.make_sample(folder)
    assert made == sample_project.SampleMade(folder)
