"""Which run the Export page offers first where there are those of a cross-validation."""

from __future__ import annotations

from PySide6.QtWidgets import QComboBox
from pytestqt.qtbot import QtBot

from tests.ui.export.test_export_page import export, page, session
from tests.ui.inspect.inspect_page_driver import make_run
from workbench.training.records.runs import RECIPE
from workbench.ui.export.page import ExportPage
from workbench.ui.session import Session

__all__ = ["export", "page", "session"]  # fixtures


def test_the_newest_run_that_has_learnt_from_all_images_is_offered_before_the_folds_of_a_cross_validation(
    qtbot: QtBot, page: ExportPage, session: Session
) -> None:
    make_run(session, "whole")
    for number in (1, 2):
        folder = make_run(session, f"whole-fold-{number}", 1.0 + number)
        (folder / RECIPE).write_text(f"[training]\nfolds = 2\nfold = {number}\n")
    run = page.findChild(QComboBox, "export-run")
    assert isinstance(run, QComboBox)
    page.shown()
    qtbot.waitUntil(lambda: run.count() == 3)
    assert run.currentText() == "whole (finished)"
