"""The filter of images by name: what Enter in it does, beside the canvas and above the gallery."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLineEdit

from tests.ui.window_driver import Open, find, write_photographs
from workbench.core.document import Document


@pytest.mark.parametrize(
    ("words", "shown"),
    [("b.p", "b.png"), (".png", "c.png"), ("nothing", "c.png")],
    ids=["hidden by the filter", "listed", "none listed"],
)
@pytest.mark.parametrize(("page", "field"), [("label", "image-filter-text"), ("data", "filter-text")])
def test_enter_in_the_filter_shows_the_first_image_listed_unless_the_shown_one_is(
    open_window: Open, project: Path, page: str, field: str, words: str, shown: str
) -> None:
    """Else one would draw on an image that the list does not have, with the one looked for beside it."""
    window = open_window(project, page)
    window.session.select_image(window.session.document.images()[2].id)
    text = find(window, QLineEdit, field)
    text.setFocus()
    QTest.keyClicks(text, words)
    assert window.session.image.name == "c.png", "typing alone goes nowhere"
    QTest.keyClick(text, Qt.Key.Key_Return)
    assert window.session.image.name == shown


@pytest.mark.parametrize(("page", "field"), [("label", "image-filter-text"), ("data", "filter-text")])
def test_a_name_that_was_looked_for_is_dropped_with_its_project(
    open_window: Open, project: Path, tmp_path: Path, page: str, field: str
) -> None:
    """Another project was opened without an image: none was called so there."""
    write_photographs(tmp_path / "others", ["d.png", "e.png"])
    Document.create(tmp_path / "other", tmp_path / "others").close()
    window = open_window(project, page)
    text = find(window, QLineEdit, field)
    text.setText("b.p")
    window.session.document_changed.emit()
    assert text.text() == "b.p", "opened again, it is the same project"
    window.open(tmp_path / "other")
    window.show_page(page)
    assert text.text() == ""
