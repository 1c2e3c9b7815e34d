"""Thumbnails are kept as long as there is room for them, however often they are asked for."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from PySide6.QtCore import QTimer
from PySide6.QtGui import QImage
from pytestqt.qtbot import QtBot

from workbench.core.document import Document
from workbench.ui.background import Background
from workbench.ui.images import thumbnails
from workbench.ui.session import Session

BYTES = 40_000  # of one


def test_a_thumbnail_that_is_asked_for_again_while_it_is_made_counts_once(
    qtbot: QtBot, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It counted twice: after hours of scrolling no room was left, and the gallery stayed grey."""
    begun, go = threading.Event(), threading.Event()

    def make(_wish: object) -> QImage:
        begun.set()
        assert go.wait(20)
        return QImage(100, 100, QImage.Format.Format_RGB32)

    monkeypatch.setattr(thumbnails, "_make", make)
    monkeypatch.setattr(thumbnails, "MEMORY", 3 * BYTES)
    session = Session()
    document = Document.open(project)
    session.open(document)
    kept = thumbnails.of(session)
    first, *others = document.images()
    kept.get(first)
    qtbot.waitUntil(begun.is_set)
    for image in others:
        kept.get(image)
    qtbot.waitUntil(lambda: not kept.findChild(QTimer).isActive())
    go.set()
    qtbot.waitUntil(kept.findChild(Background).is_idle)
    assert [kept.get(image) is not None for image in (first, *others)] == [True, True, True]
    session.close()
    kept.close()
