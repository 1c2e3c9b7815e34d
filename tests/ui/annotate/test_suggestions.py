"""What a trained run suggests on the Label page, in the real window: which, how many, and of which run."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QComboBox, QLabel, QPushButton, QSlider
from pytestqt.qtbot import QtBot

from tests.ui.annotate import suggestions_driver
from tests.ui.annotate.suggestions_driver import Hand, fake, hand, window
from tests.ui.window_driver import find
from workbench.core import edits
from workbench.core.project import Box, Label
from workbench.inference.evaluating import operating_point
from workbench.inference.evaluating.operating_point import OperatingPoint
from workbench.inference.suggesting.suggest import SuggestionRequest, SuggestionResult
from workbench.ui.annotate import suggest_bar, suggestion_painter
from workbench.ui.annotate.page import AnnotatePage
from workbench.ui.annotate.suggest_runs import SuggestRun, list_suggest_runs
from workbench.ui.window.main_window import MainWindow

__all__ = ["hand", "window"]  # fixtures


def test_what_is_looked_at_stays_while_its_network_learns_and_comes_anew_at_the_end(
    hand: Hand, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    document, bar = hand.window.session.document, find(hand.window, suggest_bar.SuggestBar, "suggest-bar")
    assert document is not None
    state, real = ["running"], list_suggest_runs
    asked: list[SuggestionRequest] = []

    def listed(folder: Path) -> tuple[SuggestRun, ...]:
        return tuple(replace(one, run=replace(one.run, state=state[0])) for one in real(folder))

    def finder(ask: SuggestionRequest) -> SuggestionResult:
        asked.append(ask)
        return fake(ask)

    monkeypatch.setattr(bar._runs_background, "_work", listed)
    monkeypatch.setattr(bar, "_finder", finder)

    def changed() -> None:
        with qtbot.waitSignal(bar._runs_background.done):
            hand.window.session.runs_changed.emit()
        qtbot.waitUntil(lambda: bar._background.is_idle())

    changed()
    qtbot.waitUntil(lambda: bar._is_learning)
    for _ in range(2):
        changed()
    assert asked == []
    state[0] = "finished"
    changed()
    qtbot.waitUntil(lambda: len(asked) == 1)


def test_up_and_down_change_how_many_there_are(hand: Hand) -> None:
    least = find(hand.window, QSlider, "suggest-confidence")
    assert least.value() == 30
    for _ in range(2):
        hand.key(Qt.Key.Key_Down)
    hand.wait(3)
    assert least.value() == 20
    hand.key(Qt.Key.Key_Up)
    hand.wait(2)


def test_a_confidence_is_written_as_on_every_other_page(hand: Hand, monkeypatch: pytest.MonkeyPatch) -> None:
    named: list[str] = []
    monkeypatch.setattr(suggestion_painter, "name_plate", lambda _painter, _area, text, *_: named.append(text))
    hand.canvas.repaint()
    assert named[-1:] == ["cell? 0.90"]
    least, number = find(hand.window, QSlider, "suggest-confidence"), find(hand.window, QLabel, "suggest-from")
    assert number.text() == "0.30"
    for _ in range(2):
        hand.key(Qt.Key.Key_D)
    hand.qtbot.waitUntil(lambda: hand.words == "Nothing new above 0.30.")
    least.setValue(99)
    assert (number.text(), hand.words) == ("0.99", "Nothing new above 0.99.")


def test_an_nms_overlap_that_is_kept_thins_out_what_is_suggested_on_coming_back(
    hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    boxes = np.array([(0, 0, 9, 9), (0, 4, 9, 13), (90, 0, 99, 9), (0, 0, 1, 1)], float)
    monkeypatch.setattr(suggestions_driver, "BOXES", boxes)
    hand.key(Qt.Key.Key_D)
    hand.wait(2)
    assert hand.window.session.document is not None
    folder = hand.window.session.document.runs_folder / "one"
    hand.window.show_page("data")
    operating_point.write(folder, OperatingPoint(0.3, iou=0.3))
    hand.window.show_page("label")
    hand.wait(1)


def test_another_confidence_that_is_kept_with_the_run_is_that_of_the_suggestions_on_coming_back(hand: Hand) -> None:
    """Its overlap was taken at once, but its confidence only after a restart."""
    least = find(hand.window, QSlider, "suggest-confidence")
    assert hand.window.session.document is not None
    folder = hand.window.session.document.runs_folder / "one"

    def come_back() -> None:
        hand.window.show_page("data")
        hand.window.show_page("label")
        hand.qtbot.waitUntil(hand.page._suggest_bar._runs_background.is_idle)

    least.setValue(55)
    come_back()
    assert least.value() == 55
    operating_point.write(folder, OperatingPoint(0.2))
    come_back()
    assert least.value() == 20
    least.setValue(55)
    come_back()
    assert least.value() == 55, "one that a person has chosen since stays"


def test_another_run_begins_at_its_own_confidence_that_kept_with_it_or_its_best(hand: Hand) -> None:
    """It went on at that of the run before: of the better of two runs everything above 0.2 was suggested."""
    least, run = find(hand.window, QSlider, "suggest-confidence"), find(hand.window, QComboBox, "suggest-run")
    assert hand.window.session.document is not None
    folder = hand.window.session.document.runs_folder
    operating_point.write(folder / "one", OperatingPoint(0.2))
    rules = {"iou": 0.6, "kind": "per label", "limit": 300}
    evaluated = {"best_confidence": 0.52, "rules": rules, "split": "validation"}
    (folder / "two" / "evaluation.json").write_text(json.dumps(evaluated), "utf-8")
    (folder / "two" / "best.safetensors").write_bytes(b"weights")
    hand.window.show_page("data")
    hand.window.show_page("label")
    hand.qtbot.waitUntil(hand.page._suggest_bar._runs_background.is_idle)
    for name, confidence in (("two", 52), ("one", 20), ("two", 52)):
        run.setCurrentIndex(run.findText(name))
        run.activated.emit(run.currentIndex())
        assert least.value() == confidence


def test_what_is_labelled_is_not_suggested_and_a_strange_label_never(hand: Hand) -> None:
    session = hand.window.session
    assert session.document is not None
    cell, plate = session.document.labels()
    session.do(edits.AddBoxes((Box(0, session.image_id, plate.id, (10, 10, 50, 50)),)))
    hand.wait(2)
    session.do(edits.AddBoxes((Box(0, session.image_id, cell.id, (12, 12, 50, 50)),)))
    hand.wait(1)
    find(hand.window, QSlider, "suggest-confidence").setValue(1)
    hand.wait(2)
    assert {ghost.label for ghost in hand.canvas.suggestions} == {cell.id}


def test_a_label_that_is_renamed_or_merged_takes_the_suggestions_of_earlier_runs_with_it(hand: Hand) -> None:
    """The run knows it by the old name: nothing was suggested any more, and nothing said so."""
    session = hand.window.session
    assert session.document is not None
    cell, plate = session.document.labels()
    hand.wait(2)
    session.do(edits.ChangeLabel(replace(cell, name="Zelle")))
    hand.wait(2)
    session.do(edits.MergeLabels(cell.id, plate.id))
    hand.wait(2)
    assert {ghost.label for ghost in hand.canvas.suggestions} == {plate.id}
    for _ in range(2):
        session.undo()
    hand.wait(2)
    assert {ghost.label for ghost in hand.canvas.suggestions} == {cell.id}


@pytest.mark.parametrize("trained", [True, False])
def test_a_label_that_took_another_one_s_former_name_does_not_get_its_suggestions(
    hand: Hand, monkeypatch: pytest.MonkeyPatch, trained: bool
) -> None:
    """The run was trained before, and knows the label by its id; of a file that was imported only the name counts."""
    session = hand.window.session
    assert session.document is not None
    cell, _ = session.document.labels()
    monkeypatch.setattr(suggestions_driver, "TRAINED", (cell,) if trained else ())
    hand.key(Qt.Key.Key_D)
    hand.wait(2)
    session.do(edits.ChangeLabel(replace(cell, name="Zelle")))
    session.do(edits.AddLabels((Label(0, "cell"),)))
    hand.wait(2)
    assert {ghost.label for ghost in hand.canvas.suggestions} == {
        cell.id if trained else session.document.labels()[-1].id
    }


def test_another_image_another_run_and_none(hand: Hand, qtbot: QtBot) -> None:
    hand.key(Qt.Key.Key_D)
    hand.wait(2)
    hand.key(Qt.Key.Key_D)
    hand.wait(0)
    qtbot.waitUntil(lambda: hand.words.startswith("Nothing new"))
    hand.key(Qt.Key.Key_A)
    hand.wait(2)
    run = find(hand.window, QComboBox, "suggest-run")
    run.setCurrentIndex(run.findText("two"))
    run.activated.emit(run.currentIndex())
    qtbot.waitUntil(lambda: hand.words == "This checkpoint is empty.")
    hand.wait(0)  # those of the other run are not this one's
    session = hand.window.session
    assert session.document is not None
    session.do(edits.AddBoxes((Box(0, session.image_id, session.document.labels()[1].id, (1, 1, 5, 5)),)))
    assert hand.words == "This checkpoint is empty.", "an edit doesn't hide it"
    session.undo()
    hand.key(Qt.Key.Key_G)
    assert not hand.canvas.suggestions
    assert not find(hand.window, QPushButton, "suggest-all").isVisible()
    hand.key(Qt.Key.Key_Return)
    assert hand.boxes == []


def test_a_finished_run_on_all_images_suggests_before_a_fold_or_one_that_still_learns(
    window: MainWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newest was chosen: one just begun, which finds nothing yet, or the last fold of a cross-validation."""
    real = list_suggest_runs

    def listed(folder: Path) -> tuple[SuggestRun, ...]:
        one, _ = real(folder)
        newest = (("begun", "running", 0), ("fold", "finished", 2), ("whole", "finished", 0))
        weights = [one.run.folder.parent / name for name, _, _ in newest]
        for folder in weights:
            folder.mkdir(exist_ok=True)
            (folder / "best.safetensors").write_bytes(b"weights")
        return tuple(
            replace(one, run=replace(one.run, name=name, folder=place, state=state, folds=number))
            for place, (name, state, number) in zip(weights, newest, strict=True)
        )

    page = find(window, AnnotatePage, "page-label")
    monkeypatch.setattr(page._suggest_bar._runs_background, "_work", listed)
    QTest.keyClick(page.canvas, Qt.Key.Key_G)
    run = find(window, QComboBox, "suggest-run")
    qtbot.waitUntil(lambda: run.count() == 4)  # and "A file…"
    assert run.currentText() == "whole"


def test_a_queued_run_that_has_finished_suggests_from_then_on_unless_another_was_chosen(
    window: MainWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    page, real = find(window, AnnotatePage, "page-label"), list_suggest_runs
    state, ap50, said = {"one": "finished", "two": "running"}, {"one": 0.6, "two": 0.5}, list[str]()
    window.session.message.connect(lambda _, sentence: said.append(sentence))

    def listed(folder: Path) -> tuple[SuggestRun, ...]:
        found = [(one, one.run.name) for one in sorted(real(folder), key=lambda one: one.run.name, reverse=True)]
        return tuple(
            replace(one, run=replace(one.run, state=state[name], best_ap50=ap50[name], started=1.0))
            for one, name in found
        )

    def changed(name: str, now: str) -> str:
        state[name] = now
        with qtbot.waitSignal(page._suggest_bar._runs_background.done):
            window.session.runs_changed.emit()
        return run.currentText()

    monkeypatch.setattr(page._suggest_bar._runs_background, "_work", listed)
    run = find(window, QComboBox, "suggest-run")
    with qtbot.waitSignal(page._suggest_bar._runs_background.done):
        QTest.keyClick(page.canvas, Qt.Key.Key_G)
    assert run.currentText() == "one"
    assert changed("two", "stopped") == "one", "which may have learnt nothing"
    assert changed("two", "finished") == "one", "which finds more on the same images"
    ap50["two"] = 0.7
    assert changed("two", "finished") == "two"
    assert said == ["Suggestions now come from two, which has finished."]
    run.setCurrentIndex(run.findText("one"))
    run.activated.emit(run.currentIndex())
    assert changed("two", "finished") == "one"
