"""Titles that fold what is below them."""

from __future__ import annotations

from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from workbench.ui.widgets.folding_title import FOLDED, OPEN, FoldingTitle


def test_a_title_begins_folded_and_a_press_opens_and_folds_it(qtbot: QtBot) -> None:
    page, body = QWidget(), QLabel("below")
    title = FoldingTitle("title", body, "Above")
    qtbot.addWidget(page)
    column = QVBoxLayout(page)
    column.setContentsMargins(10, 0, 10, 0)
    column.addWidget(title)
    column.addWidget(body)
    page.show()
    told: list[bool] = []
    title.folded.connect(told.append)
    assert state(title, body) == (False, False, FOLDED, False)
    title.set_open(True)
    assert state(title, body) == (True, True, OPEN, False)
    title.set_open(True)
    assert told == [True]
    title.click()
    assert state(title, body) == (False, False, FOLDED, True)
    title.click()
    assert told == [True, False, True]
    assert title.width() == body.width() == page.width() - 20


def state(title: FoldingTitle, body: QWidget) -> tuple[bool, bool, str, bool]:
    return title.is_open, body.isVisible(), str(title.property("icon-name")), title.by_hand
