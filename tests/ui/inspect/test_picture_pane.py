"""The Inspect page's picture: its neighbours in the list are read in advance, and what was read is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from PySide6.QtCore import QSizeF
from PySide6.QtWidgets import QTableView
from pytestqt.qtbot import QtBot

from tests.ui.inspect.inspect_page_driver import evaluate_fixture, page_fixture, run_evaluation, session_fixture
from workbench.ui.images import pictures, unread_images
from workbench.ui.inspect.images_table import ImagesTable
from workbench.ui.inspect.page import InspectPage
from workbench.ui.inspect.picture import InspectPicture
from workbench.ui.session import Session

__all__ = ["evaluate_fixture", "page_fixture", "session_fixture"]


@pytest.fixture(name="read")
def read_fixture(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that were read."""
    found: list[str] = []
    load = pictures.load

    def noted(file: Path, *rest: Any) -> pictures.Picture:
        found.append(file.name)
        return load(file, *rest)

    monkeypatch.setattr(pictures, "load", noted)
    return found


def test_the_next_image_of_the_list_is_there_when_it_is_chosen(
    qtbot: QtBot, page: InspectPage, session: Session, read: list[str]
) -> None:
    run_evaluation(qtbot, page, session)
    table, shown = page.findChild(ImagesTable), page.findChild(InspectPicture)
    assert table is not None
    assert shown is not None
    qtbot.waitUntil(page._middle.loader.is_idle)
    assert sorted(read) == ["a.png", "b.png"], "one is shown, the other is beside it in the list"
    choose_the_other(table)
    assert shown.picture is not None, "at once"
    qtbot.waitUntil(page._middle.loader.is_idle)
    assert len(read) == 2


def test_an_image_whose_size_was_changed_is_shown_alike_if_it_was_read_in_advance(
    qtbot: QtBot, page: InspectPage, session: Session
) -> None:
    """It was stretched to the size that it had when it was added."""
    run_evaluation(qtbot, page, session)
    table, shown, document = page.findChild(ImagesTable), page.findChild(InspectPicture), session.document
    assert table is not None
    assert shown is not None
    assert document is not None
    qtbot.waitUntil(page._middle.loader.is_idle)
    (other,) = (image for image in document.images() if image.id != session.image_id)
    PIL.Image.new("RGB", (80, 20)).save(document.file(other))
    page._middle.loader.forget()
    page._show_image(page._middle.image)
    qtbot.waitUntil(page._middle.loader.is_idle)
    choose_the_other(table)
    assert shown.picture is not None
    qtbot.waitUntil(page._middle.loader.is_idle)
    assert shown.image_size == QSizeF(80, 20)


def test_an_image_that_was_changed_meanwhile_or_went_is_told_on_all_pages(
    qtbot: QtBot, page: InspectPage, session: Session
) -> None:
    run_evaluation(qtbot, page, session)
    table, shown, document = page.findChild(ImagesTable), page.findChild(InspectPicture), session.document
    assert table is not None
    assert shown is not None
    assert document is not None
    qtbot.waitUntil(page._middle.loader.is_idle)
    (other,) = (image for image in document.images() if image.id != session.image_id)
    PIL.Image.new("RGB", (64, 64), (0, 0, 255)).save(document.file(other))
    choose_the_other(table)
    qtbot.waitUntil(lambda: shown.picture is not None and shown.picture.levels[0].pixelColor(5, 5).blue() == 255)
    qtbot.waitUntil(page._middle.loader.is_idle)
    page._middle.loader.forget()
    document.file(document.image(session.image_id)).unlink()
    page._show_image(page._middle.image)
    qtbot.waitUntil(lambda: "not there" in shown.sentence)
    assert unread_images.of(session).has(session.image_id)


def test_neighbours_are_rows_of_the_list_as_it_is_sorted(qtbot: QtBot) -> None:
    table = ImagesTable()
    qtbot.addWidget(table)
    images = table.images
    images.row_image = np.array([4, 2, 7])
    assert images.neighbours(2, (1, -1, 2)) == [7, 4]
    assert images.neighbours(4, (1, -1, 2)) == [2, 7]
    assert images.neighbours(5, (1, -1, 2)) == [], "it has no row"


def choose_the_other(table: QTableView) -> None:
    table.selectRow(1 - table.currentIndex().row())
