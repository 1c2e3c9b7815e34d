"""Exporting labels in the real window: what is lost is told before anything is written."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtGui import QAction
from PySide6.QtWidgets import (
    QAbstractButton,
    QCheckBox,
    QComboBox,
    QFileDialog,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QWidget,
)
from pytestqt.qtbot import QtBot

from tests.formats.making import picture, text, voc_file, voc_object
from tests.ui.window_driver import Open, find
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import Box, Label
from workbench.errors import WorkbenchError
from workbench.exchange import apply_import, export_history, keep_files, plan_import
from workbench.ui.data import export_window
from workbench.ui.window.main_window import MainWindow


@pytest.fixture
def labelled(project: Path) -> Path:
    """Labels cell and plate; a.png is in work with one cell."""
    with Document.open(project) as document:
        document.do(edits.AddLabels((Label(0, "cell"), Label(0, "plate"))))
        document.draw((Box(0, document.images()[0].id, document.labels()[0].id, (20, 20, 80, 60)),))
    return project


class Exporting:
    """The window, by what a person does in it."""

    def __init__(self, qtbot: QtBot, window: MainWindow) -> None:
        self.qtbot, self.session = qtbot, window.session
        find(window, QAction, "action-export-labels").trigger()
        self.dialog = find(window, QWidget, "export-window")
        self.format = find(self.dialog, QComboBox, "export-format")
        self.button = find(self.dialog, QAbstractButton, "export-write")
        self.folder = find(self.dialog, QLineEdit, "export-folder")

    def choose(self, format: str) -> None:
        self.format.setCurrentIndex(self.format.findData(format))

    def wait(self) -> None:
        self.qtbot.waitUntil(self.button.isEnabled)

    def write(self) -> None:
        self.wait()
        self.button.click()
        self.qtbot.waitUntil(lambda: self.sentence.startswith("Written."))

    @property
    def sentence(self) -> str:
        return str(find(self.dialog, QLabel, "export-sentence").text())

    @property
    def losses(self) -> str:
        return str(find(self.dialog, QPlainTextEdit, "export-losses").toPlainText())


def test_labels_are_exported_and_the_losses_are_told_before(
    qtbot: QtBot, open_window: Open, labelled: Path, tmp_path: Path
) -> None:
    exporting = Exporting(qtbot, open_window(labelled, "data"))
    exporting.choose("coco")
    assert not exporting.button.isEnabled(), "not before a person could read what is lost"
    exporting.wait()
    assert "not marked done" in exporting.losses
    exporting.folder.setText(str(tmp_path / "out"))
    exporting.button.click()
    assert exporting.sentence.startswith("Writing …")
    qtbot.waitUntil(lambda: exporting.sentence.startswith("Written."))
    assert list((tmp_path / "out").rglob("*.json"))


def test_an_export_that_ends_as_its_project_is_closed_is_noted_in_it(
    qtbot: QtBot, open_window: Open, labelled: Path, tmp_path: Path
) -> None:
    """A change of the labels' order would else not be told of this folder."""
    window = open_window(labelled, "data")
    exporting = Exporting(qtbot, window)
    exporting.choose("yolo")
    exporting.folder.setText(str(tmp_path / "out"))
    exporting.wait()
    exporting.button.click()
    window.session.close()
    with Document.open(labelled, read_only=True) as document:
        assert [one.folder for one in export_history.past_exports(document)] == [tmp_path / "out"]


def test_what_the_last_export_wrote_is_replaced_only_when_asked(
    qtbot: QtBot, open_window: Open, labelled: Path, tmp_path: Path
) -> None:
    exporting = Exporting(qtbot, open_window(labelled, "data"))
    replace = find(exporting.dialog, QCheckBox, "export-replace")
    exporting.choose("coco")
    exporting.folder.setText(str(tmp_path / "out"))
    assert not replace.isVisible(), "there is nothing to replace"
    exporting.wait()
    exporting.write()
    exporting.choose("voc")
    exporting.wait()
    exporting.button.click()
    qtbot.waitUntil(lambda: "Choose a new one, or tick Replace above." in exporting.sentence)
    assert not list((tmp_path / "out").rglob("*.xml"))
    assert replace.isVisible()
    replace.click()
    exporting.write()
    assert list((tmp_path / "out").rglob("*.xml"))
    assert not list((tmp_path / "out").rglob("*.json"))
    assert not replace.isChecked(), "asked for once"
    exporting.folder.setText(str(labelled))
    assert not replace.isVisible(), "no export of ours"
    exporting.wait()
    exporting.button.click()
    qtbot.waitUntil(lambda: exporting.sentence.endswith("is not empty. Choose a new one."))


def test_without_a_folder_it_is_said_that_one_is_needed(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    exporting = Exporting(qtbot, open_window(labelled, "data"))
    exporting.wait()
    exporting.folder.setText(" ")
    exporting.button.click()
    assert exporting.sentence == "Choose the folder to export into first."
    assert exporting.button.isEnabled(), "nothing is being written"


def test_a_folder_that_nobody_may_look_into_gets_a_sentence(
    qtbot: QtBot, open_window: Open, labelled: Path, tmp_path: Path
) -> None:
    """The system refuses this name as it does a folder without permission, or a share that does not answer."""
    window, folder = open_window(labelled, "data"), str(tmp_path / ("x" * 300))
    exporting = Exporting(qtbot, window)
    exporting.wait()
    exporting.folder.setText(folder)
    exporting.button.click()
    qtbot.waitUntil(lambda: "File name too long" in exporting.sentence)
    exporting.dialog.close()
    assert Exporting(qtbot, window).folder.text() == folder


def test_each_format_says_what_it_loses_of_this_project(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    exporting = Exporting(qtbot, open_window(labelled, "data"))
    told = {}
    for format in ("yolo", "voc"):
        exporting.choose(format)
        exporting.wait()
        told[format] = exporting.losses
    assert "the order of the labels" in told["voc"]
    assert "the order of the labels" not in told["yolo"]


def test_an_edit_while_the_window_is_open_is_counted(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    exporting = Exporting(qtbot, open_window(labelled, "data"))
    exporting.choose("voc")
    exporting.wait()
    assert "labels without boxes: 1" in exporting.losses
    document = exporting.session.document
    assert document is not None
    document.draw((Box(0, document.images()[1].id, document.labels()[1].id, (20, 20, 80, 60)),))
    assert not exporting.button.isEnabled(), "what is shown is no longer true"
    exporting.wait()
    assert "labels without boxes" not in exporting.losses


def test_yolo_is_proposed_where_nothing_was_imported(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    assert Exporting(qtbot, open_window(labelled, "data")).format.currentData() == "yolo"


def test_the_format_that_came_in_last_is_proposed_and_unedited_files_are_told(
    qtbot: QtBot, open_window: Open, labelled: Path, tmp_path: Path
) -> None:
    for name in ("d", "e"):
        text(
            tmp_path / "set" / "Annotations" / f"{name}.xml",
            voc_file(voc_object("cat", (1, 2, 10, 12)), filename=f"{name}.jpg"),
        )
        picture(tmp_path / "set" / "JPEGImages" / f"{name}.jpg", grey=ord(name))
    with Document.open(labelled) as document:
        plan = plan_import(document, tmp_path / "set", "voc")
        keep_files(labelled, plan, apply_import(document, plan))
    exporting = Exporting(qtbot, open_window(labelled, "data"))
    assert exporting.format.currentData() == "voc"
    exporting.folder.setText(str(tmp_path / "out"))
    exporting.write()
    assert "2 files not edited: written byte for byte as imported." in exporting.losses
    for name in ("d", "e"):
        came = (tmp_path / "set" / "Annotations" / f"{name}.xml").read_bytes()
        assert next((tmp_path / "out").rglob(f"{name}.xml")).read_bytes() == came


def test_its_folder_is_looked_for_where_one_was_chosen_last(
    qtbot: QtBot, open_window: Open, labelled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun_in: list[str] = []

    def choose(_parent: QWidget, _title: str, begin: str) -> str:
        begun_in.append(begin)
        return str(tmp_path / "out")

    monkeypatch.setattr(QFileDialog, "getExistingDirectory", choose)
    exporting = Exporting(qtbot, open_window(labelled, "data"))
    for _ in range(2):
        find(exporting.dialog, QAbstractButton, "export-choose").click()
    assert exporting.folder.text() == str(tmp_path / "out")
    assert begun_in[1] == str(tmp_path)


def test_an_export_that_the_project_cannot_note_says_so_in_the_end(
    qtbot: QtBot, open_window: Open, labelled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise WorkbenchError("The disk is full. Free some space.")

    monkeypatch.setattr(export_window, "remember", full)
    window = open_window(labelled, "data")
    exporting = Exporting(qtbot, window)
    exporting.choose("yolo")
    exporting.folder.setText(str(tmp_path / "out"))
    exporting.wait()
    exporting.button.click()
    qtbot.waitUntil(lambda: exporting.sentence.startswith("Written."))
    assert find(window, QLabel, "message-text").text() == "The disk is full. Free some space."
