"""A key that is held decides once, also where Qt does not tell that it repeats itself, as under Xvfb."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QAction, QKeyEvent
from PySide6.QtWidgets import QAbstractItemView, QApplication, QWidget
from pytestqt.qtbot import QtBot

from tests.ui.annotate.label_page_project import CTRL, corners, labelled
from tests.ui.inspect.test_review import Bench, bench, session
from tests.ui.window_driver import Open, WindowDriver, find
from workbench.core.document import Document
from workbench.core.project import State
from workbench.ui.annotate.suggestion_commands import SuggestionCommands
from workbench.ui.data.box_gallery import BoxGallery

__all__ = ["bench", "labelled", "session"]  # fixtures
NONE = Qt.KeyboardModifier.NoModifier


def send(place: QWidget, kind: QEvent.Type, ms: int, is_told: bool = False, key: Qt.Key = Qt.Key.Key_N) -> None:
    event = QKeyEvent(kind, key, NONE, chr(key).lower() if key < 128 else "", is_told)
    event.setTimestamp(ms)
    QApplication.sendEvent(place, event)


def hold(place: QWidget, command: QAction) -> None:
    """Press its key, which repeats itself twice before it is let go."""
    for pressed, is_told in ((1000, False), (1660, False), (1705, True)):
        send(place, QEvent.Type.ShortcutOverride, pressed, is_told)
        command.trigger()  # as the window system does for its key
        send(place, QEvent.Type.KeyRelease, max(pressed, 1660))


def hold_2(place: QWidget) -> None:
    for pressed, released in ((3000, 3660), (3660, 3705), (3705, 3750)):
        send(place, QEvent.Type.KeyPress, pressed, key=Qt.Key.Key_2)  # which sends ShortcutOverride before
        send(place, QEvent.Type.KeyRelease, released, key=Qt.Key.Key_2)


def test_a_held_key_marks_one_image_as_done(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    hand = WindowDriver(qtbot, open_window(labelled))
    command = find(hand.window, QAction, "action-done")

    def done() -> int:
        with Document.open(labelled, read_only=True) as document:
            return int(document.images().in_state(State.DONE).sum())

    hold(hand.canvas, command)
    assert done() == 1
    hand.settle()
    QApplication.processEvents()
    command.trigger()
    assert done() == 2, "a click on its button"
    hand.settle()
    send(hand.canvas, QEvent.Type.ShortcutOverride, 3000)
    command.trigger()
    assert done() == 3, "pressed again"


def test_a_key_counts_that_is_pressed_while_the_one_before_is_let_go(
    qtbot: QtBot, open_window: Open, labelled: Path
) -> None:
    """Windows tells times in steps of 16 ms."""
    window = open_window(labelled)
    hand = WindowDriver(qtbot, window)
    send(hand.canvas, QEvent.Type.KeyRelease, 1000, key=Qt.Key.Key_D)
    send(hand.canvas, QEvent.Type.ShortcutOverride, 1000)
    find(window, QAction, "action-done").trigger()
    assert window.session.document.images()[0].state is State.DONE


def test_a_held_key_makes_one_copy_of_a_box(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    hand = WindowDriver(qtbot, open_window(labelled))
    hand.key(Qt.Key.Key_Tab)
    hold(hand.canvas, find(hand.window, QAction, "action-duplicate"))
    assert len(hand.canvas.layer.boxes) == 2


def test_a_held_arrow_key_moves_a_box_in_one_step(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    """It was a step for each repetition: 25 a second to undo."""
    hand = WindowDriver(qtbot, open_window(labelled))
    hand.click(50, 40)

    def arrow(*times: tuple[int, int]) -> None:
        for pressed, released in times:
            send(hand.canvas, QEvent.Type.KeyPress, pressed, key=Qt.Key.Key_Right)
            send(hand.canvas, QEvent.Type.KeyRelease, released, key=Qt.Key.Key_Right)

    arrow((1000, 1660), (1660, 1705), (1705, 1750))
    assert corners(labelled) == [(20, 20, 80, 60)], "it may go on"
    qtbot.waitUntil(lambda: corners(labelled) == [(23, 20, 83, 60)])
    hand.key("z", CTRL)
    assert corners(labelled) == [(20, 20, 80, 60)]
    arrow((3000, 3660), (3670, 3700))
    assert corners(labelled) == [(22, 20, 82, 60)], "a tap is on disk when the key is up"
    hand.key("z", CTRL)
    assert corners(labelled) == [(21, 20, 81, 60)], "pressed again is a step of its own"


def test_a_held_number_is_for_the_next_boxes_and_not_also_for_the_one_just_drawn(
    qtbot: QtBot, open_window: Open, labelled: Path
) -> None:
    hand = WindowDriver(qtbot, open_window(labelled))
    hand.key("w")
    hand.drag((100, 30), (140, 60))
    before = [box.label for box in hand.canvas.layer.boxes]
    hold_2(hand.canvas)
    assert hand.window.session.label.name == "plate"
    assert [box.label for box in hand.canvas.layer.boxes] == before


def test_a_held_key_takes_one_suggestion(
    qtbot: QtBot, open_window: Open, labelled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[object] = []
    monkeypatch.setattr(SuggestionCommands, "take_marked", lambda _: taken.append(1))
    hand = WindowDriver(qtbot, open_window(labelled))
    hold(hand.canvas, find(hand.window, QAction, "action-take-suggestion"))
    assert len(taken) == 1


def test_a_held_key_takes_one_image_out_of_the_project(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    window = open_window(labelled, "data")
    gallery = find(window, QAbstractItemView, "gallery")
    qtbot.waitUntil(lambda: gallery.model().rowCount() == 3)
    gallery.setCurrentIndex(gallery.model().index(0, 0))
    hold(gallery, find(window, QAction, "action-remove-images"))
    assert gallery.model().rowCount() == 2


def test_a_held_key_deletes_or_relabels_one_of_the_boxes_shown_one_by_one(
    qtbot: QtBot, open_window: Open, labelled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = open_window(labelled, "data")
    find(window, QAction, "action-box-tiles").trigger()
    gallery = window.findChild(BoxGallery)
    view = gallery.view
    qtbot.waitUntil(lambda: view.model().rowCount() == 1)
    view.setCurrentIndex(view.model().index(0, 0))
    made: list[object] = []
    monkeypatch.setattr(window.session, "do", made.append)
    hold(view, find(window, QAction, "action-boxes-delete"))
    QApplication.processEvents()
    assert len(made) == 1
    monkeypatch.setattr(gallery, "_relabel", made.append)
    hold_2(view)
    assert made[1:] == ["2"]


def test_a_held_key_decides_one_item_of_the_review(bench: Bench) -> None:
    bench.shown()
    before = len(bench.kinds())
    hold(bench.review.view, find(bench.window, QAction, "action-review-take"))
    assert len(bench.kinds()) == before - 1
