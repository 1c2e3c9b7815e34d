"""Inspect looks at the images that a run held out, where no image has the split validation."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from PySide6.QtWidgets import QCheckBox, QComboBox, QPushButton
from pytestqt.qtbot import QtBot

from tests.ui.inspect.inspect_page_driver import (
    FakeEvaluator,
    evaluate_fixture,
    make_run,
    page_fixture,
    press,
    session_fixture,
    text,
)
from workbench.core import edits
from workbench.core.project import Snapshot, Split, State
from workbench.inference.events import EvaluationDone
from workbench.training.records.runs import RunInfo
from workbench.ui.inspect import evaluation_job
from workbench.ui.inspect.evaluation_job import EvaluationRequest
from workbench.ui.inspect.page import InspectPage
from workbench.ui.inspect.run_picker import RunPicker
from workbench.ui.session import Session

__all__ = ["evaluate_fixture", "page_fixture", "session_fixture"]


def test_where_no_image_has_the_split_validation_those_that_the_run_held_out_can_be_looked_at_alone(
    qtbot: QtBot, page: InspectPage, session: Session, evaluate: FakeEvaluator
) -> None:
    """Of all images most were learnt by the run, and AP was too good; nothing else could be chosen."""
    assert session.document is not None
    session.do(edits.SetSplit(tuple(session.document.images().ids.tolist()), Split.NONE))
    folder = make_run(session)
    page.shown()
    combo = page.findChild(QComboBox, "inspect-split")
    assert isinstance(combo, QComboBox)
    assert [combo.itemText(row) for row in range(combo.count())] == ["all images (2)", "held out"]
    qtbot.waitUntil(page.findChild(QPushButton, "inspect-look").isEnabled)
    combo.setCurrentIndex(1)
    press(qtbot, page, "inspect-look")
    qtbot.waitUntil(lambda: text(page, "inspect-ap50") != "–")
    assert (evaluate.requests[-1].split, evaluate.requests[-1].held_out_of) == (Split.VALIDATION, folder)


@pytest.mark.parametrize(
    ("judged_by", "images", "chosen"),
    [("4f1f", 18, "held out"), ("", 18, "all images (2)"), ("4f1f", 2, "all images (2)")],
)
def test_where_no_image_has_the_split_validation_those_held_out_are_chosen_at_first_if_there_are_some(
    judged_by: str, images: int, chosen: str, qtbot: QtBot, session: Session, tmp_path: Path
) -> None:
    """Whoever splits nothing saw an AP, and got a confidence, of images that the run had learnt from. Of few images
    none is held out, and there was nothing to look at.
    """
    assert session.document is not None
    session.do(edits.SetSplit(tuple(session.document.images().ids.tolist()), Split.NONE))
    choice = RunPicker()
    qtbot.addWidget(choice)
    choice.list_splits(session.document.images())
    run = run_info(tmp_path, "one", judged_by, images)
    choice.list_runs((run,))
    combo = choice.findChild(QComboBox, "inspect-split")
    assert isinstance(combo, QComboBox)
    assert combo.currentText() == chosen
    combo.setCurrentIndex(0)
    choice.list_runs((run,))
    assert combo.currentText() == "all images (2)", "what a person chose stays"


def test_of_the_run_that_is_asked_for_the_images_are_chosen_and_no_other_run_before(
    qtbot: QtBot, session: Session, tmp_path: Path
) -> None:
    """Imported weights have held out none: nothing could be looked at, as the newest run had."""
    assert session.document is not None
    session.do(edits.SetSplit(tuple(session.document.images().ids.tolist()), Split.NONE))
    choice, names = RunPicker(), []
    qtbot.addWidget(choice)
    choice.changed.connect(lambda: names.append(choice.run.name if choice.run is not None else ""))
    choice.list_splits(session.document.images())
    choice.choose_run("imported")
    choice.list_runs((run_info(tmp_path, "newest", "4f1f", 18), run_info(tmp_path, "imported", "", 0)))
    assert names == ["imported"]
    assert choice.findChild(QComboBox, "inspect-split").currentText() == "all images (2)"


def run_info(folder: Path, name: str, judged_by: str, images: int) -> RunInfo:
    return RunInfo(
        name, folder, "yolov4-tiny", "", "finished", 1.0, 5, 5, 50, 0.5, 0.7,
        images=images, validation_images=2, judged_by=judged_by,
    )  # fmt: skip


def test_where_no_image_of_the_split_validation_is_done_that_is_said_and_those_held_out_can_be_chosen(
    qtbot: QtBot, page: InspectPage, session: Session
) -> None:
    """A random split can give it unlabelled images alone. It was said that there is no image in it."""
    assert session.document is not None
    ids = tuple(session.document.images().ids.tolist())
    session.do(edits.SetSplit(ids, Split.VALIDATION))
    session.do(edits.SetState(ids, State.UNLABELLED))
    make_run(session)
    page.shown()
    combo = page.findChild(QComboBox, "inspect-split")
    assert isinstance(combo, QComboBox)
    assert [combo.itemText(row) for row in range(combo.count())] == [
        "validation (0 of 2)", "all images (0 of 2)", "held out",
    ]  # fmt: skip
    assert combo.currentText() == "all images (0 of 2)", "not one that can only be refused"
    combo.setCurrentIndex(0)
    qtbot.waitUntil(page.findChild(QPushButton, "inspect-look").isEnabled)
    press(qtbot, page, "inspect-look")
    tick = page.findChild(QCheckBox, "inspect-done-only").text()
    advice = f"Mark those whose boxes are complete as done, choose other images, or untick '{tick}'."
    words = f"Of 2 images in the split 'validation', none is done. {advice}"
    qtbot.waitUntil(lambda: text(page, "inspect-words") == words)


def test_those_held_out_can_also_be_chosen_beside_the_split_validation_and_stay_as_they_were(
    qtbot: QtBot, page: InspectPage, session: Session, evaluate: FakeEvaluator
) -> None:
    """As after a new split, when the run's own judges may be anywhere."""
    assert session.document is not None
    folder = make_run(session)
    page.shown()
    combo = page.findChild(QComboBox, "inspect-split")
    assert isinstance(combo, QComboBox)
    assert combo.currentText() == "validation (2)"
    qtbot.waitUntil(page.findChild(QPushButton, "inspect-look").isEnabled)
    combo.setCurrentIndex(combo.findText("held out"))
    press(qtbot, page, "inspect-look")
    qtbot.waitUntil(lambda: text(page, "inspect-ap50") != "–")
    assert (evaluate.requests[-1].split, evaluate.requests[-1].held_out_of) == (Split.VALIDATION, folder)
    session.do(edits.SetSplit(tuple(session.document.images().ids.tolist()), Split.TRAIN))
    assert combo.currentText() == "held out"
    assert not page._has_others, "its judges are the same ones"


def test_a_look_at_those_held_out_is_at_the_images_that_judged_the_run(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert session.document is not None
    folder, snapshot = make_run(session), session.document.snapshot()
    judged = snapshot.take([1])
    seen: list[Snapshot] = []

    def evaluated(_: object, truth: Snapshot, *__: object) -> Iterator[EvaluationDone]:
        seen.append(truth)
        yield from ()

    held_out = "workbench.training.checks.data_leakage.held_out"
    monkeypatch.setattr(held_out, lambda run, all: judged if run == folder else all)
    predictor = SimpleNamespace(labels=("cell",))
    monkeypatch.setattr("workbench.inference.predict.Predictor.open", lambda file, **_: predictor)
    monkeypatch.setattr("workbench.inference.evaluating.evaluate.evaluate_run", evaluated)
    for of in (folder, None):
        list(
            evaluation_job.evaluate_split(
                EvaluationRequest(folder, folder / "best.safetensors", snapshot, Split.VALIDATION, of)
            )
        )
    assert seen == [judged, snapshot]
