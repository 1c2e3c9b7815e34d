"""The Export page's bar: it moves while the first format is written, which can take a minute."""

from __future__ import annotations

from PySide6.QtWidgets import QProgressBar
from pytestqt.qtbot import QtBot

from tests.ui.test_export_page import export, page, ready, session
from workbench.inference.events import ExportProgress
from workbench.ui.export.page import ExportPage
from workbench.ui.session import Session

__all__ = ["export", "page", "session"]  # fixtures


def test_the_bar_moves_until_something_is_done(qtbot: QtBot, page: ExportPage, session: Session) -> None:
    ready(qtbot, page, session)
    bar = page.findChild(QProgressBar, "export-progress")
    assert isinstance(bar, QProgressBar)
    shown = []
    for done in (0, 1):
        page._reported(ExportProgress("onnx", "Writing ONNX", done, 2))
        shown.append((bar.value(), bar.maximum()))
    assert shown == [(0, 0), (1, 2)]
