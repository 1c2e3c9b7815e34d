"""What the Export page says while the formats are not known yet."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot

from tests.ui.export.test_export_page import session
from tests.ui.inspect.inspect_page_driver import make_run
from tests.ui.window_driver import find, shown_page
from workbench.errors import WorkbenchError
from workbench.inference.events import ExportEvent
from workbench.ui.export import work
from workbench.ui.export.page import ExportPage
from workbench.ui.export.work import ExportRequest, FormatsLoaded
from workbench.ui.session import Session

__all__ = ["session"]


def exports_nothing(_request: ExportRequest) -> Iterator[ExportEvent]:
    return iter(())


def fails() -> Iterator[FormatsLoaded]:
    yield from ()
    raise WorkbenchError("PyTorch could not be loaded. Install it again.")


@pytest.fixture
def page(qtbot: QtBot, session: Session, monkeypatch: pytest.MonkeyPatch) -> Iterator[ExportPage]:
    monkeypatch.setattr(work, "load", fails)
    yield from shown_page(qtbot, ExportPage(session, export=exports_nothing), session)


def test_export_says_that_pytorch_can_not_be_loaded(qtbot: QtBot, page: ExportPage, session: Session) -> None:
    """It said that it was being loaded, for ever."""
    make_run(session)
    page.shown()
    start = find(page, QPushButton, "export-start")
    qtbot.waitUntil(lambda: start.toolTip().startswith("PyTorch could not be loaded."))
