"""An operating point is kept for the weights that were looked at, also by Undo and Redo, and for no others."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from tests.inference.stub import write_head
from tests.ui.inspect.inspect_page_driver import (
    FakeEvaluator,
    evaluate_fixture,
    make_run,
    page_fixture,
    press,
    session_fixture,
    text,
)
from workbench.inference.evaluating import operating_point
from workbench.training.checkpoints.checkpoint import save_detector
from workbench.training.checkpoints.header import read_header
from workbench.ui.inspect.page import InspectPage
from workbench.ui.session import Session

__all__ = ["evaluate_fixture", "page_fixture", "session_fixture"]


@pytest.fixture(name="weights")
def weights_fixture(qtbot: QtBot, page: InspectPage, session: Session, evaluate: FakeEvaluator) -> Path:
    """Of step 1, with which the page has looked."""
    file = make_run(session) / "best.safetensors"
    write_head(file)
    at_step(file, 1)
    evaluate.step = 1
    page.shown()
    press(qtbot, page, "inspect-look")
    qtbot.waitUntil(lambda: text(page, "inspect-ap50") != "–" and not session.jobs)
    return file


def at_step(file: Path, step: int) -> None:
    save_detector(file, {}, replace(read_header(file), step=step))
    os.utime(file, (1000, 1000))  # as if it had been written in the same moment as the last one


def test_a_point_is_not_kept_for_weights_that_came_in_the_moment_before(
    qtbot: QtBot, page: InspectPage, weights: Path
) -> None:
    at_step(weights, 2)
    press(qtbot, page, "inspect-keep")
    assert operating_point.read(weights.parent) is None
    assert "The training has written other weights into best.safetensors" in text(page, "inspect-words")


def test_undo_and_redo_keep_what_was_kept_for_the_weights_of_then(
    qtbot: QtBot, page: InspectPage, session: Session, weights: Path
) -> None:
    """Redo noted it for those that the checkpoint had by then."""
    press(qtbot, page, "inspect-keep")
    assert operating_point.read(weights.parent) is not None
    at_step(weights, 2)
    session.undo_last()
    assert not (weights.parent / operating_point.FILE).exists()
    session.redo_last()
    assert operating_point.read(weights.parent) is None
    assert text(page, "inspect-words") == "No operating point is kept with run first now."
    assert text(page, "inspect-kept") != "as kept"
    at_step(weights, 1)
    assert operating_point.read(weights.parent) is not None
