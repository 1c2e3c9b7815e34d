"""The pop-up that finds a label by a part of its name."""

from __future__ import annotations

import unicodedata

from PySide6.QtCore import Qt
from PySide6.QtGui import QTextDocumentFragment
from PySide6.QtWidgets import QLineEdit, QListWidget, QWidget
from pytestqt.qtbot import QtBot

from tests.ui.window_driver import find
from workbench.core.project import Label
from workbench.ui.inspect.other_images.label_counts import LabelCountTable
from workbench.ui.widgets.label_popup import LabelPopup


def test_a_label_is_found_whichever_way_its_accents_are_written_and_not_made_again(qtbot: QtBot) -> None:
    """Labels of a file from a Mac may have an e and an accent where a keyboard types é: they were offered as new."""
    parent = QWidget()
    qtbot.addWidget(parent)
    popup = LabelPopup([Label(1, unicodedata.normalize("NFD", "Fenêtre")), Label(2, "한국")], parent)
    field, listed = find(popup, QLineEdit, "label-popup-field"), find(popup, QListWidget, "label-popup-list")

    def offered(typed: str) -> list[str]:
        field.setText(typed)
        return [unicodedata.normalize("NFC", listed.item(row).text()) for row in range(listed.count())]

    assert offered("fenê") == ["Fenêtre", "New label 'fenê'"]
    assert offered("Fenêtre") == ["Fenêtre"]
    assert offered(unicodedata.normalize("NFD", "한국")) == ["한국"]
    assert offered("fenêtre") == ["Fenêtre", "New label 'fenêtre'"], "capitals may be meant"


def test_a_label_typed_as_it_looks_comes_before_one_with_other_capitals(qtbot: QtBot) -> None:
    """Enter took the first one, which the typed name only resembles."""
    parent = QWidget()
    qtbot.addWidget(parent)
    labels = [Label(1, "FENÊTRE", position=0), Label(2, unicodedata.normalize("NFD", "Fenêtre"), position=1)]
    popup = LabelPopup(labels, parent)
    find(popup, QLineEdit, "label-popup-field").setText("Fenêtre")
    listed = find(popup, QListWidget, "label-popup-list")
    assert [listed.item(row).data(Qt.ItemDataRole.UserRole) for row in range(listed.count())] == [2, 1]


def test_a_name_that_is_html_is_told_as_it_is_written(qtbot: QtBot) -> None:
    """Of a label called <img> nothing was told, here and in the list of what was found in other images."""
    labels = (Label(1, "<img>"),)
    parent, counts = QWidget(), LabelCountTable()
    qtbot.addWidget(parent)
    qtbot.addWidget(counts)
    counts.show_labels(labels)
    listed = find(LabelPopup(labels, parent), QListWidget, "label-popup-list")
    for item in (listed.item(0), counts.item(0, 0)):
        assert QTextDocumentFragment.fromHtml(item.toolTip()).toPlainText() == "<img>"
