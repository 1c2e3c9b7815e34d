"""The runs that a page offers are those of the open project."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from pytestqt.qtbot import QtBot

from workbench.core.document import Document
from workbench.training.records import runs
from workbench.ui.page import Page
from workbench.ui.session import Session
from workbench.ui.trained_runs import TrainedRuns


def project(name: str) -> Document:
    return cast(Document, SimpleNamespace(runs_folder=Path(name)))


def test_runs_of_the_project_before_are_not_offered(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        runs, "runs", lambda folder: (SimpleNamespace(checkpoint=folder), SimpleNamespace(checkpoint=None))
    )
    session = Session()
    page = Page(session)
    qtbot.addWidget(page)
    read: list[Any] = []
    reader = TrainedRuns(page)
    reader.read.connect(read.append)
    session.document = project("first")
    reader.ask()
    assert reader._reading.is_idle(), "nobody looks at the page"
    page.show()
    reader.ask()
    session.document = project("second")
    qtbot.waitUntil(reader._reading.is_idle)
    assert read == []
    reader.ask()
    qtbot.waitUntil(lambda: bool(read))
    assert [[run.checkpoint for run in some] for some in read] == [[Path("second")]]
    reader.close()
    session.document = None
