"""Inspect looks at every image with the run of a cross-validation that has not learnt from it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from PySide6.QtWidgets import QComboBox, QLabel, QPushButton
from pytestqt.qtbot import QtBot

from tests.ui.inspect.inspect_page_driver import (
    FakeEvaluator,
    evaluate_fixture,
    keep_candidates,
    make_run,
    page_fixture,
    press,
    run_evaluation,
    session_fixture,
    text,
)
from tests.ui.inspect.inspect_tabs_driver import tab
from tests.ui.window_driver import find
from workbench.core import edits
from workbench.core.project import Split
from workbench.inference.events import EvaluationDone, FoldScore
from workbench.training.records.runs import RECIPE
from workbench.ui.inspect import evaluation_job
from workbench.ui.inspect.evaluation_job import EvaluationRequest, EvaluationResult
from workbench.ui.inspect.page import InspectPage
from workbench.ui.inspect.picture import InspectPicture
from workbench.ui.job_progress import JobProgress
from workbench.ui.session import Session

__all__ = ["evaluate_fixture", "page_fixture", "session_fixture"]


def entries(combo: QComboBox) -> list[str]:
    return [combo.itemText(row) for row in range(combo.count())]


def test_all_folds_are_offered_for_a_run_of_a_cross_validation_alone(
    qtbot: QtBot, page: InspectPage, session: Session, evaluate: FakeEvaluator
) -> None:
    assert session.document is not None
    make_run(session, "plain", 1.0)
    folder = make_run(session, "cells-fold-1", 2.0)
    (folder / RECIPE).write_text("[training]\nfolds = 3\nfold = 1\n")
    page.shown()
    run, split = (page.findChild(QComboBox, f"inspect-{name}") for name in ("run", "split"))
    assert isinstance(run, QComboBox)
    assert isinstance(split, QComboBox)
    qtbot.waitUntil(page.findChild(QPushButton, "inspect-look").isEnabled)
    images = ["validation (2)", "all images (2)", "held out"]
    assert (run.currentText(), entries(split)) == ("cells-fold-1 (finished)", [*images, "all 3 folds"])
    split.setCurrentIndex(3)
    press(qtbot, page, "inspect-look")
    qtbot.waitUntil(lambda: text(page, "inspect-ap50") != "–")
    request = evaluate.requests[-1]
    assert (request.run_folder, request.split, request.held_out_of, request.folds) == (folder, None, None, True)
    session.do(edits.SetSplit(tuple(session.document.images().ids.tolist()), Split.TRAIN))
    assert split.currentText() == "all 3 folds"
    assert not page._has_others, "each image still judges the same run"
    run.setCurrentIndex(1)
    assert (entries(split)[-1], split.currentText()) == ("held out", "validation (2)")
    assert not page._picker.folds
    run.setCurrentIndex(0)
    assert (entries(split)[-1], split.currentText()) == ("all 3 folds", "validation (2)")


def test_all_folds_stay_chosen_where_another_cross_validation_has_more_of_them(
    qtbot: QtBot, page: InspectPage, session: Session
) -> None:
    for number in (2, 5):
        folder = make_run(session, f"cells-{number}-fold-1", float(number))
        (folder / RECIPE).write_text(f"[training]\nfolds = {number}\nfold = 1\n")
    page.shown()
    run, split = (page.findChild(QComboBox, f"inspect-{name}") for name in ("run", "split"))
    qtbot.waitUntil(page.findChild(QPushButton, "inspect-look").isEnabled)
    split.setCurrentIndex(split.count() - 1)
    assert split.currentText() == "all 5 folds"
    run.setCurrentIndex(1)
    assert split.currentText() == "all 2 folds"


def test_a_look_at_all_folds_is_not_begun_without_asking(
    qtbot: QtBot, page: InspectPage, session: Session, evaluate: FakeEvaluator
) -> None:
    """It runs each of their detectors, of which nothing need be kept: that of one fold was enough to begin it."""
    for fold in (1, 2):
        folder = make_run(session, f"cells-fold-{fold}", float(fold))
        (folder / RECIPE).write_text(f"[training]\nfolds = 2\nfold = {fold}\n")
    keep_candidates(folder, 2)
    page.shown()
    split, picture = find(page, QComboBox, "inspect-split"), find(page, InspectPicture, "inspect-picture")
    qtbot.waitUntil(lambda: text(page, "inspect-ap50") != "–" and not session.jobs)
    split.setCurrentIndex(split.count() - 1)
    assert (picture.sentence.split(" to ")[0], len(evaluate.requests)) == ("Press Look", 1)
    press(qtbot, page, "inspect-look")
    qtbot.waitUntil(lambda: text(page, "inspect-ap50") != "–" and not session.jobs)
    other, words = find(page, QComboBox, "inspect-compare-run"), find(page, QLabel, "inspect-compare-status")
    tab(page, "Compare")
    other.setCurrentText("cells-fold-2, last")
    assert words.text() == "Press Look: cells-fold-2, last is then run on the same images."
    assert len(evaluate.requests) == 2


def test_a_look_at_all_folds_is_with_each_of_its_runs_and_opens_the_chosen_one_no_second_time(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert session.document is not None
    folder, snapshot = make_run(session), session.document.snapshot()
    asked: list[Any] = []

    def evaluated(*given: object, **named: object) -> Iterator[EvaluationDone]:
        asked.append((given, named))
        yield from ()

    monkeypatch.setattr("workbench.inference.predict.Predictor.open", lambda *_, **__: pytest.fail("opened"))
    monkeypatch.setattr("workbench.inference.evaluating.evaluate_folds.evaluate_folds", evaluated)
    request = EvaluationRequest(folder, folder / "last.safetensors", snapshot, None, folds=True)
    list(evaluation_job.evaluate_split(request))
    assert asked == [((folder, snapshot), {"checkpoint": "last.safetensors", "cpu_fallback": True})]


def test_a_cross_validation_is_not_compared_with_itself(
    qtbot: QtBot, page: InspectPage, session: Session, evaluate: FakeEvaluator
) -> None:
    """Two of its runs stand for the same runs: no difference was found, without a word."""
    for fold in (1, 2):
        folder = make_run(session, f"cells-fold-{fold}", float(fold))
        (folder / RECIPE).write_text(f"[training]\nfolds = 2\nfold = {fold}\n")
    page.shown()
    split, other = (page.findChild(QComboBox, f"inspect-{name}") for name in ("split", "compare-run"))
    assert isinstance(split, QComboBox)
    assert isinstance(other, QComboBox)
    qtbot.waitUntil(page.findChild(QPushButton, "inspect-look").isEnabled)
    split.setCurrentIndex(split.count() - 1)
    press(qtbot, page, "inspect-look")
    qtbot.waitUntil(lambda: text(page, "inspect-ap50") != "–" and not session.jobs)
    tab(page, "Compare")
    other.setCurrentText("cells-fold-1")
    press(qtbot, page, "inspect-compare-look")
    said = "cells-fold-2 and cells-fold-1 are of the same cross-validation. Compare it with a run of another one."
    qtbot.waitUntil(lambda: any(label.text() == said for label in page.findChildren(QLabel)))
    assert len(evaluate.requests) == 1


def test_how_far_the_folds_lie_apart_stands_beside_ap_until_a_label_is_edited(
    qtbot: QtBot, page: InspectPage, session: Session, monkeypatch: pytest.MonkeyPatch, evaluate: FakeEvaluator
) -> None:
    plain = evaluate.__call__
    scores = (FoldScore(1, "cells-fold-1", 1, 0.5, 0.9), FoldScore(2, "cells-fold-2", 1, 0.3, 0.8))

    def in_folds(request: EvaluationRequest) -> Iterator[JobProgress | EvaluationResult]:
        for event in plain(request):
            yield replace(event, folds=scores) if isinstance(event, EvaluationResult) else event

    monkeypatch.setattr(FakeEvaluator, "__call__", lambda _, request: in_folds(request))
    run_evaluation(qtbot, page, session)
    label = page.findChild(QLabel, "inspect-ap-all")
    assert isinstance(label, QLabel)
    assert label.text().replace("\N{NO-BREAK SPACE}", " ").endswith("; folds 0.400 ± 0.141")
    assert "Fold 2, cells-fold-2: AP 0.300 on 1 image" in label.toolTip()
    assert session.document is not None
    box = session.document.snapshot().box_ids[0]
    session.do(edits.RemoveBoxes((int(box),)))
    qtbot.waitUntil(lambda: "folds" not in label.text())
    assert "Fold 2" not in label.toolTip()


def test_what_to_know_about_the_other_run_is_said_beside_the_comparison(
    qtbot: QtBot, page: InspectPage, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as a fold that is not trained yet: it was said of the page's run alone."""
    for started, name in enumerate(("older", "newer")):
        make_run(session, name, 1.0 + started)
    said = {"older": "Not trained yet: fold 2 of 3.", "newer": ""}
    monkeypatch.setattr(evaluation_job, "kept_point", lambda request: (None, said[request.run_folder.name]))
    page.shown()
    press(qtbot, page, "inspect-look")
    qtbot.waitUntil(lambda: text(page, "inspect-ap50") != "–" and not session.jobs)
    tab(page, "Compare")
    other = page.findChild(QComboBox, "inspect-compare-run")
    assert isinstance(other, QComboBox)
    other.setCurrentText("older")
    press(qtbot, page, "inspect-compare-look")
    qtbot.waitUntil(lambda: text(page, "inspect-compare-status").endswith(f"older: {said['older']}"))
