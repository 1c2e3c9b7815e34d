"""Labels whose text is cut: the tooltip has it whole, and keeps what it said anyway."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QEvent, QPoint
from PySide6.QtGui import QHelpEvent
from PySide6.QtWidgets import QApplication, QToolTip
from pytestqt.qtbot import QtBot

from tests.ui.window_driver import Open, find
from workbench.core import edits
from workbench.core.document import Document
from workbench.ui.widgets.elided import ElidedLabel

LONG = "In training: 6 anchors, 416 px, mean IoU was 71.2 %"


def test_what_a_tooltip_says_is_not_lost_where_the_text_is_cut(qtbot: QtBot) -> None:
    label = ElidedLabel(LONG)
    label.setToolTip("10×13, 16×30")
    qtbot.addWidget(label)
    label.resize(80, 20)
    label.show()
    label.grab()  # painted
    assert label.full_tooltip == f"{LONG}\n10×13, 16×30"
    place = QPoint(4, 4)
    QApplication.sendEvent(label, QHelpEvent(QEvent.Type.ToolTip, place, label.mapToGlobal(place)))
    assert QToolTip.text() == label.full_tooltip
    QToolTip.hideText()
    label.resize(800, 20)
    assert label.full_tooltip == "10×13, 16×30"
    label.setToolTip("")
    label.resize(80, 20)
    label.grab()
    assert label.full_tooltip == LONG
    label.setText("short")
    label.grab()
    assert label.full_tooltip == "", "not the text before"


def test_the_note_on_an_image_is_told_where_its_name_is_cut(open_window: Open, project: Path) -> None:
    name = "a-photograph-with-a-name-that-is-much-longer-than-the-line-above-the-picture-has-room-for-" * 2
    (project.parent / "photographs" / "a.png").rename(project.parent / "photographs" / f"{name}.png")
    with Document.create(project.parent / "long", project.parent / "photographs") as document:
        document.do(edits.SetNote((document.images()[0].id,), "ask Anna"))
    window = open_window(project.parent / "long")
    label = find(window, ElidedLabel, "image-name")
    label.grab()
    assert label.full_tooltip.splitlines()[1:] == ["ask Anna", "200 × 100, unlabelled"]
