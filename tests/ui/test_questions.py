"""The questions are drawn by Qt: shown by macOS they take no clicks, or end the program, on some of its versions."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtWidgets import QMessageBox
from pytestqt.qtbot import QtBot

from workbench.ui.widgets.buttons import show_whole_words

UI = Path(__file__).parents[2] / "workbench" / "ui"


def test_a_question_is_not_shown_by_the_system(qtbot: QtBot) -> None:
    question = QMessageBox()
    qtbot.addWidget(question)
    question.addButton("Stop and close", QMessageBox.ButtonRole.DestructiveRole)
    show_whole_words(question)
    assert question.testOption(QMessageBox.Option.DontUseNativeDialog)


def test_every_question_is_prepared_like_that() -> None:
    made = {
        file.name: (text.count("QMessageBox("), text.count("show_whole_words(question)\n"))
        for file in UI.rglob("*.py")
        if "QMessageBox" in (text := file.read_text("utf-8")) and file.name != "buttons.py"
    }
    assert made == {name: (count, count) for name, (count, _) in made.items()}
    assert len(made) == 3
    others = ("QMessageBox.question(", "QMessageBox.warning(", "QMessageBox.critical(", "QMessageBox.information(")
    assert not [file for file in UI.rglob("*.py") if any(word in file.read_text("utf-8") for word in others)]
