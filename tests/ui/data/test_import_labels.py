"""In the import window, a person says which label of the project a label of the files is."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLineEdit, QListWidget

from tests.formats.making import picture
from tests.ui.data.import_window_driver import Importing, document, folder, importing, write
from tests.ui.window_driver import find
from workbench.core import edits
from workbench.core.project import Label
from workbench.ui.widgets.label_popup import LabelPopup

__all__ = ["folder", "importing"]  # fixtures


@pytest.fixture
def alike(importing: Importing, folder: Path) -> Importing:
    """The project has the labels dog and Cats, the files' only label is cat."""
    document(importing).do(edits.AddLabels((Label(0, "dog"), Label(0, "Cats"))))
    importing.read(folder)
    return importing


def rows(importing: Importing) -> list[str]:
    return [f"{row.words}: {row.beside}" for row in importing.part("labels-list").rows.rows]


def choose(importing: Importing, name: str) -> list[str]:
    """Say that the first label of the files is `name`; the project's labels in the order of the popup."""
    view = importing.part("labels-list")
    QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(30, 10))
    importing.part("label-match").click()
    popup = find(importing.dialog, LabelPopup, "label-popup")
    shown = find(popup, QListWidget, "label-popup-list")
    offered = [shown.item(row).text() for row in range(shown.count())]
    field = find(popup, QLineEdit, "label-popup-field")
    QTest.keyClicks(field, name)
    QTest.keyClick(field, Qt.Key.Key_Return)
    importing.wait()
    return offered


def test_a_name_nearly_that_of_the_projects_is_shown_first(alike: Importing) -> None:
    tabs = alike.part("tabs")
    assert tabs.tabText(tabs.currentIndex()) == "Labels (1)"
    assert rows(alike) == ["cat: new to the project, 13 boxes"]
    assert not alike.part("label-match").isEnabled(), "no label is chosen"


def test_its_boxes_come_in_as_the_label_that_it_is(alike: Importing) -> None:
    assert "1 new label" in alike.sentence
    assert choose(alike, "Cats") == ["Cats", "dog"], "the likely one first"
    assert rows(alike) == ["cat: “Cats” here, 13 boxes"]
    assert "new label" not in alike.sentence
    alike.apply()
    assert [label.name for label in document(alike).labels()] == ["dog", "Cats"]
    assert {box.label for image in document(alike).images() for box in document(alike).boxes(image.id)} == {2}


def test_what_was_said_can_be_taken_back_and_is_not_said_of_other_files(alike: Importing, tmp_path: Path) -> None:
    choose(alike, "dog")
    assert rows(alike) == ["cat: “dog” here, 13 boxes"]
    alike.part("label-part").click()
    alike.wait()
    assert rows(alike) == ["cat: new to the project, 13 boxes"]
    assert not alike.part("label-part").isVisible()
    choose(alike, "dog")
    write(tmp_path / "other", "z", (1, 2, 10, 12))
    picture(tmp_path / "other" / "JPEGImages" / "z.jpg")
    alike.read(tmp_path / "other")
    assert rows(alike) == ["cat: new to the project, 1 box"]


def test_it_is_kept_when_the_files_are_read_otherwise(alike: Importing) -> None:
    choose(alike, "dog")
    alike.choose("base", "0")
    assert rows(alike) == ["cat: “dog” here, 13 boxes"]


def test_a_project_without_labels_is_asked_nothing(importing: Importing, folder: Path) -> None:
    importing.read(folder)
    assert not importing.part("label-match").isVisible()
    assert not importing.part("labels-hint").isVisible()
