"""Images that can't be read, and marking images: only those that do not have the state yet."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from tests.ui.window_driver import Open, WindowDriver, find
from workbench.core.images import info
from workbench.core.labelling_progress import labelling_progress
from workbench.core.project import State
from workbench.errors import Refused
from workbench.ui.images import unread_images


def test_n_on_an_image_that_is_done_only_goes_on(qtbot: QtBot, open_window: Open, project: Path) -> None:
    """It wrote an edit that changed nothing: Undo seemed to do nothing, and the image counted as corrected."""
    window = open_window(project)
    hand = WindowDriver(qtbot, window)
    hand.key(Qt.Key.Key_N)
    hand.key(Qt.Key.Key_A)
    begun = time.time()
    hand.key(Qt.Key.Key_N)
    assert find(window, QLabel, "image-name").text() == "b.png"
    assert labelling_progress(window.session.document, begun).changed == 0
    window.session.undo()
    assert [image.state for image in window.session.document.images()] == [State.UNLABELLED] * 3


def test_of_several_images_only_those_that_are_not_done_yet_are_marked(open_window: Open, project: Path) -> None:
    session = open_window(project).session
    ids = [image.id for image in session.document.images()]
    assert unread_images.set_state(session, ids[:1], State.DONE)
    assert unread_images.set_state(session, ids, State.DONE)
    assert [image.state for image in session.document.images()] == [State.DONE] * 3
    titles = [row["title"] for row in session.document.store.rows("SELECT title FROM journal ORDER BY seq")]
    assert titles == ["Mark image done", "Mark 2 images done"]


def test_a_file_that_is_back_before_it_is_told_missing_is_not_recorded_as_damaged(
    open_window: Open, project: Path
) -> None:
    """A disk that is connected while its images are asked for left some that could not be read, for good."""
    session = open_window(project).session
    unread, file = unread_images.of(session), project.parent / "photographs" / "c.png"
    id = session.document.images()[2].id
    file.rename(project.parent / "away.png")
    with pytest.raises(Refused) as told:
        info(file)
    (project.parent / "away.png").rename(file)
    unread.read(id, told.value)
    assert unread.has(id)
    assert not session.document.image(id).problem
