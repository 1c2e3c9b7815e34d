"""What the Export page says while the formats are not known yet."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtWidgets import QLabel, QPushButton
from pytestqt.qtbot import QtBot

from tests.ui.export.test_export_page import session
from tests.ui.inspect.inspect_page_driver import make_run
from tests.ui.window_driver import find, shown_page
from workbench.errors import WorkbenchError
from workbench.inference.events import ExportEvent
from workbench.ui.export import work
from workbench.ui.export.formats_list import FormatsList
from workbench.ui.export.page import ExportPage
from workbench.ui.export.work import ExportRequest, FormatChoice, FormatsLoaded
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


def test_every_package_that_a_format_needs_is_named(qtbot: QtBot) -> None:
    """Of a plugin's format with more than five the others were only counted, and nobody could install them."""
    needs = ("one", "two", "three", "four", "five", "six")
    formats = FormatsList()
    qtbot.addWidget(formats)
    formats.fill((FormatChoice("rare", "Rare", "For few.", "model.rare", needs),))
    assert "Needs one, two, three, four, five, six." in find(formats, QLabel, "export-missing-rare").text()
