"""The line above the canvas where it is narrow."""

from __future__ import annotations

from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from tests.ui.window_driver import find
from workbench.core.project import Image
from workbench.ui.annotate.canvas_toolbar import CanvasToolbar

LONG = "photographs of the first of May, from the bridge/photo-2024-001.jpg"


def test_the_zoom_gives_way_to_a_name_that_would_be_cut(qtbot: QtBot) -> None:
    """At 1280 pixels "pho…-001" was left of it."""
    toolbar = CanvasToolbar([], [], [], {})
    qtbot.addWidget(toolbar)
    zoom = find(toolbar, QLabel, "zoom")
    toolbar.show_zoom(0.95)
    toolbar.show_image(Image(1, "1.jpg", 64, 64))
    toolbar.resize(700, 40)
    toolbar.show()
    assert zoom.isVisible()
    toolbar.show_image(Image(1, 3 * LONG, 64, 64))
    assert not zoom.isVisible()
    toolbar.show_image(Image(1, "1.jpg", 64, 64))
    assert zoom.isVisible()
