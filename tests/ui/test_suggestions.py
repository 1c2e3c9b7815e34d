"""Suggestions of a trained run on the Label page, by keys, in the real window; the network is a fake in most tests."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QAction
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QComboBox, QLabel, QLineEdit, QPushButton, QSlider, QTableView
from pytestqt.qtbot import QtBot

from tests.ui.window_driver import Open, find
from workbench.core import edits
from workbench.core.detections import Candidates
from workbench.core.document import Document
from workbench.core.project import Box, Label, State
from workbench.errors import WorkbenchError
from workbench.inference import operating_point
from workbench.inference.operating_point import OperatingPoint
from workbench.inference.suggest import Suggestion, SuggestionRequest, SuggestionResult
from workbench.ui.annotate import suggest_bar, suggestion_painter
from workbench.ui.annotate.page import AnnotatePage
from workbench.ui.annotate.suggest_runs import SuggestRun, list_suggest_runs
from workbench.ui.annotate.suggestion_answers import SuggestionAnswers
from workbench.ui.main_window import MainWindow
from workbench.ui.widgets.elided import ElidedLabel

BOXES = np.array([(10, 10, 50, 50), (60, 10, 90, 40), (20, 60, 40, 80), (70, 60, 95, 90)], float)
SCORES = np.array([0.9, 0.6, 0.4, 0.2])
TRAINED: tuple[Label, ...] = ()  # the run's labels with their ids


def fake(ask: SuggestionRequest) -> SuggestionResult:
    """Three cells, and one of a label that the project doesn't have; nothing in c.png."""
    if ask.file.name == "c.png":
        return SuggestionResult(ask, Candidates.none(), ("cell", "moon"), 0.5, "per label")
    if not ask.checkpoint.read_bytes():
        raise WorkbenchError("This checkpoint is empty.")
    return SuggestionResult(
        ask, Candidates.of_arrays(BOXES, SCORES, np.array([0, 0, 1, 0])), ("cell", "moon"), 0.5, "per label", TRAINED
    )


@pytest.fixture
def window(
    qtbot: QtBot, open_window: Open, project: Path, monkeypatch: pytest.MonkeyPatch
) -> MainWindow:  # fmt: skip
    with Document.open(project) as document:
        document.do(edits.AddLabels((Label(0, "cell"), Label(0, "plate"))))
        for name in ("one", "two"):
            folder = document.runs_folder / name
            folder.mkdir(parents=True)
            (folder / "best.safetensors").write_bytes(b"weights" if name == "one" else b"")
            (folder / "events.jsonl").write_text("", "utf-8")
    monkeypatch.setattr(suggest_bar, "SuggestionWorker", lambda: fake)
    return open_window(project, "label")


class Hand:
    def __init__(self, qtbot: QtBot, window: MainWindow) -> None:
        self.qtbot, self.window = qtbot, window
        self.page = find(window, AnnotatePage, "page-label")
        self.canvas = self.page.canvas
        self.canvas.setFocus()
        self.key(Qt.Key.Key_G)
        run = find(window, QComboBox, "suggest-run")
        qtbot.waitUntil(lambda: run.count() == 3)  # and "A file…"
        run.setCurrentIndex(run.findText("one"))
        run.activated.emit(run.currentIndex())
        self.wait(2)

    def key(self, key: Qt.Key, held: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
        QTest.keyClick(self.canvas, key, held)

    def wait(self, number: int) -> None:
        self.qtbot.waitUntil(lambda: len(self.canvas.suggestions) == number)

    @property
    def words(self) -> str:
        return str(find(self.window, ElidedLabel, "suggest-words").text())

    @property
    def boxes(self) -> list[tuple[float, ...]]:
        session = self.window.session
        assert session.document is not None
        return [box.xyxy for box in session.document.boxes(session.image_id)]


@pytest.fixture
def hand(qtbot: QtBot, window: MainWindow) -> Hand:
    return Hand(qtbot, window)


def test_enter_takes_one_and_shift_enter_all_as_edits_that_can_be_undone(hand: Hand) -> None:
    assert hand.words == "2 boxes: Enter takes, Del refuses. Not in the project: moon."
    hand.key(Qt.Key.Key_Return)
    assert hand.boxes == [(10, 10, 50, 50)], "the most confident one"
    hand.wait(1)
    find(hand.window, QAction, "action-undo").trigger()
    hand.wait(2)
    hand.key(Qt.Key.Key_Return, Qt.KeyboardModifier.ShiftModifier)
    assert hand.boxes == [(10, 10, 50, 50), (60, 10, 90, 40)]
    assert hand.window.session.image is not None
    assert str(hand.window.session.image.state) == "in work"
    hand.wait(0)
    assert hand.words == "No label here for moon."
    find(hand.window, QAction, "action-undo").trigger()
    assert hand.boxes == [], "all of them are one step"


def test_enter_takes_one_after_a_click_into_the_list_of_images_but_not_in_a_field(hand: Hand) -> None:
    field = find(hand.window, QLineEdit, "new-label")
    field.setFocus()
    QTest.keyClick(field, Qt.Key.Key_Return)
    assert hand.boxes == []
    images = find(hand.window, QTableView, "image-list")
    images.setFocus()
    QTest.keyClick(images, Qt.Key.Key_Return)
    assert hand.boxes == [(10, 10, 50, 50)]
    QTest.keyClick(images, Qt.Key.Key_Return, Qt.KeyboardModifier.ShiftModifier)
    assert hand.boxes == [(10, 10, 50, 50), (60, 10, 90, 40)]


def test_delete_refuses_the_marked_one_for_good_and_a_selected_box_goes_before(hand: Hand) -> None:
    hand.key(Qt.Key.Key_Delete)
    hand.wait(1)
    assert hand.canvas.suggestions[0].xyxy == (60.0, 10.0, 90.0, 40.0)
    assert hand.boxes == []
    hand.key(Qt.Key.Key_Return)
    hand.wait(0)
    find(hand.window, QSlider, "suggest-confidence").setValue(1)
    hand.wait(1)  # a less sure one
    hand.canvas.select(hand.canvas.layer.ids)
    hand.key(Qt.Key.Key_Delete)
    assert (hand.boxes, len(hand.canvas.suggestions)) == (
        [],
        2,
    )  # what was taken comes back, not what was refused


def test_refusing_one_is_taken_back_before_an_edit_of_another_image(hand: Hand) -> None:
    session, undo = hand.window.session, find(hand.window, QAction, "action-undo")
    assert session.document is not None
    first, other = session.image_id, session.document.images()[1].id
    assert first != other
    session.do(edits.SetState((other,), State.DONE))
    hand.key(Qt.Key.Key_Delete)
    hand.wait(1)
    undo.trigger()
    hand.wait(2)
    assert (session.image_id, str(session.document.image(other).state)) == (first, "done")
    find(hand.window, QAction, "action-redo").trigger()
    hand.wait(1)
    session.select_image(other)
    undo.trigger()
    assert session.image_id == first, "it is taken back where it is seen"
    hand.wait(2)
    undo.trigger()
    assert str(session.document.image(other).state) == "unlabelled"


def test_a_refused_suggestion_stays_away_where_another_network_puts_it_a_little_elsewhere() -> None:
    here, moved, other = (
        Suggestion((x, 10.0, x + 40, 50.0), label, 0.9) for x, label in ((10.0, 1), (15.0, 1), (10.0, 2))
    )
    taken = SuggestionAnswers()
    taken.refuse(7, here)
    assert taken.unanswered(7, (here, moved, other), ()) == (other,)
    assert taken.unanswered(8, (here,), ()) == (here,)
    taken.forget()
    assert taken.unanswered(7, (here,), ()) == (here,)


def test_enter_takes_one_after_the_slider_was_moved(hand: Hand) -> None:
    slider = find(hand.window, QSlider, "suggest-confidence")
    slider.setFocus()
    QTest.keyClick(slider, Qt.Key.Key_Left)
    QTest.keyClick(slider, Qt.Key.Key_Return)
    assert hand.boxes == [(10, 10, 50, 50)]


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

    bar._runs_background.close()
    bar._runs_background = None
    monkeypatch.setattr(suggest_bar, "list_suggest_runs", listed)
    monkeypatch.setattr(bar, "_finder", finder)

    def changed() -> None:
        with qtbot.waitSignal(bar._runs_background.done if bar._runs_background else hand.window.session.runs_changed):
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


def test_what_was_taken_and_then_corrected_does_not_come_back_while_its_box_is_there(hand: Hand) -> None:
    document = hand.window.session.document
    assert document is not None
    hand.key(Qt.Key.Key_Return)
    hand.wait(1)
    (box,) = document.boxes(hand.window.session.image_id)
    hand.window.session.do(edits.ReplaceBoxes((replace(box, xyxy=(12, 12, 20, 20)),)))
    assert hand.boxes == [(12, 12, 20, 20)]
    assert [ghost.xyxy for ghost in hand.canvas.suggestions] == [(60, 10, 90, 40)]
    hand.window.session.do(edits.RemoveBoxes((box.id,)))
    assert [ghost.xyxy for ghost in hand.canvas.suggestions] == [(10, 10, 50, 50), (60, 10, 90, 40)]


def test_the_one_below_the_pointer_is_taken(hand: Hand) -> None:
    at = hand.canvas.view.to_widget(QPointF(75, 25)).toPoint()
    QTest.mouseMove(hand.canvas, at)
    hand.key(Qt.Key.Key_Enter)
    assert hand.boxes == [(60, 10, 90, 40)]


def test_what_is_marked_follows_the_pointer_and_what_is_hidden_is_not_taken(
    hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    painted: list[object] = []
    real = suggestion_painter.paint
    monkeypatch.setattr(
        suggestion_painter,
        "paint",
        lambda painter, canvas: (painted.append(suggestion_painter.marked_suggestion(canvas)), real(painter, canvas)),
    )
    for x, number in ((30, 0), (75, 1)):
        QTest.mouseMove(hand.canvas, hand.canvas.view.to_widget(QPointF(x, 25)).toPoint())
        hand.qtbot.waitUntil(partial(lambda one: bool(painted) and painted[-1] is hand.canvas.suggestions[one], number))
    find(hand.window, QAction, "action-hide-boxes").trigger()
    hand.key(Qt.Key.Key_Return)
    hand.key(Qt.Key.Key_Return, Qt.KeyboardModifier.ShiftModifier)
    assert hand.boxes == []


def test_a_suggestion_is_taken_by_dragging_its_corner_and_does_not_come_back(hand: Hand) -> None:
    corner, there = (hand.canvas.view.to_widget(QPointF(*at)).toPoint() for at in ((50, 50), (55, 60)))
    QTest.mouseMove(hand.canvas, corner)
    assert hand.canvas.cursor().shape() == Qt.CursorShape.SizeFDiagCursor
    left, none = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    for end in (corner, there):  # a click takes nothing
        QTest.mousePress(hand.canvas, left, none, corner)
        QTest.mouseMove(hand.canvas, end)
        hand.canvas.grab()
        QTest.mouseRelease(hand.canvas, left, none, end)
        hand.wait(2 if end == corner else 1)
    ((x0, y0, x1, y1),) = hand.boxes
    assert (x0, y0) == (10, 10)
    assert abs(x1 - 55) <= 1
    assert abs(y1 - 60) <= 1
    assert hand.canvas.selected == ()


def test_a_number_key_takes_the_suggestion_below_the_pointer_with_its_label(hand: Hand) -> None:
    session = hand.window.session
    assert session.document is not None
    plate = session.document.labels()[1].id
    hand.canvas.pointer = None
    QTest.keyClick(hand.canvas, Qt.Key.Key_2)
    assert hand.boxes == [], "it is for the next box"
    QTest.mouseMove(hand.canvas, hand.canvas.view.to_widget(QPointF(75, 25)).toPoint())
    QTest.keyClick(hand.canvas, Qt.Key.Key_2)
    hand.wait(1)
    assert [(box.xyxy, box.label) for box in session.document.boxes(session.image_id)] == [((60, 10, 90, 40), plate)]
    hand.canvas.set_drawing(True)
    QTest.mouseMove(hand.canvas, hand.canvas.view.to_widget(QPointF(30, 30)).toPoint())
    QTest.keyClick(hand.canvas, Qt.Key.Key_1)
    hand.wait(1)


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
    monkeypatch.setitem(
        globals(), "BOXES", np.array([(0, 0, 9, 9), (0, 4, 9, 13), (90, 0, 99, 9), (0, 0, 1, 1)], float)
    )
    hand.key(Qt.Key.Key_D)
    hand.wait(2)
    assert hand.window.session.document is not None
    folder = hand.window.session.document.runs_folder / "one"
    hand.window.show_page("data")
    operating_point.write(folder, OperatingPoint(0.3, iou=0.3))
    hand.window.show_page("label")
    hand.wait(1)


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
    monkeypatch.setattr("tests.ui.test_suggestions.TRAINED", (cell,) if trained else ())
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
