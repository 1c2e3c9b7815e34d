"""Another image by six routes in the middle of an edit: nothing that the hand has done is dropped, or goes elsewhere.

labelImg (#243) drops edits without a word where the image is changed by the mouse.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image as PillowImage
from PySide6.QtCore import QSizeF, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractItemView, QApplication, QLineEdit, QPushButton, QTreeWidget, QWidget
from pytestqt.qtbot import QtBot

from tests.ui.window_driver import Open, WindowDriver, boxes_on_disk, find
from workbench.core import edits
from workbench.core.decoding.intensity_window import IntensityWindow
from workbench.core.document import Document
from workbench.core.project import Box, Label
from workbench.ui.annotate.canvas import Canvas
from workbench.ui.annotate.side_panel import DetailsPanel
from workbench.ui.images import pictures
from workbench.ui.images.picture_loader import PictureLoader, PictureRequest
from workbench.ui.images.pictures import Picture
from workbench.ui.window.main_window import MainWindow

NONE, CTRL, SHIFT = (
    Qt.KeyboardModifier.NoModifier,
    Qt.KeyboardModifier.ControlModifier,
    Qt.KeyboardModifier.ShiftModifier,
)
LEFT = Qt.MouseButton.LeftButton
BEGUN = (20.0, 20.0, 80.0, 60.0)
"""The box that is edited, in a.png."""


@pytest.fixture
def labelled(project: Path) -> Path:
    """a.png has one cell; c.png has one of no width, which the check of the data finds."""
    with Document.open(project) as document:
        document.do(edits.AddLabels((Label(0, "cell"), Label(0, "plate"))))
        first, _, last = document.images()
        cell = document.labels()[0].id
        document.draw((Box(0, first.id, cell, BEGUN), Box(0, last.id, cell, (50, 20, 50, 60))))
    return project


# --- what the hand is doing, and what must be on disk afterwards ---


def holds_an_arrow(hand: WindowDriver) -> None:
    hand.click(50, 40)
    for _ in range(3):
        QTest.keyPress(hand.canvas, Qt.Key.Key_Right)


def types_a_note(hand: WindowDriver) -> None:
    hand.click(50, 40)
    note = find(hand.window, QLineEdit, "box-note")
    QTest.mouseClick(note, LEFT)
    note.setFocus()
    QTest.keyClicks(note, "blurred")


def has_drawn(hand: WindowDriver) -> None:
    hand.key(Qt.Key.Key_W)
    hand.drag((100, 30), (150, 90))


def draws_the_second_by_clicks(hand: WindowDriver) -> None:
    hand.key(Qt.Key.Key_W)
    hand.drag((100, 30), (150, 90))
    hand.click(10, 70)
    QTest.mouseMove(hand.canvas, hand.at(60, 95))


def has_moved(hand: WindowDriver) -> None:
    hand.drag((50, 40), (60, 40))


@dataclass(frozen=True)
class Doing:
    begin: Callable[[WindowDriver], None]
    wanted: tuple[tuple[tuple[float, ...], str], ...]  # corners and note of the boxes of a.png


DOING = {
    "an arrow is held": Doing(holds_an_arrow, (((23, 20, 83, 60), ""),)),
    "a note is typed": Doing(types_a_note, ((BEGUN, "blurred"),)),
    "a box was drawn": Doing(has_drawn, ((BEGUN, ""), ((100, 30, 150, 90), ""))),
    "a second box has one corner": Doing(draws_the_second_by_clicks, ((BEGUN, ""), ((100, 30, 150, 90), ""))),
    "a box was moved": Doing(has_moved, (((30, 20, 90, 60), ""),)),
}


# --- the routes ---


def by_keys(_qtbot: QtBot, window: MainWindow) -> None:
    focused = window.focusWidget()
    assert focused is not None
    QTest.keyClick(focused, Qt.Key.Key_D, CTRL | SHIFT)  # in a field of text as well


def by_the_list(_qtbot: QtBot, window: MainWindow) -> None:
    images = find(window, QAbstractItemView, "image-list")
    QTest.mouseClick(images.viewport(), LEFT, NONE, images.visualRect(images.model().index(1, 0)).center())


def by_the_gallery(_qtbot: QtBot, window: MainWindow) -> None:
    QTest.keyClick(window.focusWidget() or window, Qt.Key.Key_1, CTRL)
    gallery = find(window, QAbstractItemView, "gallery")
    there = gallery.visualRect(gallery.model().index(2, 0)).center()
    QTest.mouseClick(gallery.viewport(), LEFT, NONE, there)
    QTest.mouseDClick(gallery.viewport(), LEFT, NONE, there)


def by_search(_qtbot: QtBot, window: MainWindow) -> None:
    field = find(window, QLineEdit, "image-filter-text")
    QTest.mouseClick(field, LEFT)
    field.setFocus()
    QTest.keyClicks(field, "b.p")
    images = find(window, QAbstractItemView, "image-list")
    QTest.mouseClick(images.viewport(), LEFT, NONE, images.visualRect(images.model().index(0, 0)).center())


def by_the_palette(_qtbot: QtBot, window: MainWindow) -> None:
    QTest.keyClick(window.focusWidget() or window, Qt.Key.Key_K, CTRL)
    finder = QApplication.activePopupWidget()
    assert finder is not None
    field = find(finder, QLineEdit, "finder-field")
    QTest.keyClicks(field, "b.png")
    QTest.keyClick(field, Qt.Key.Key_Return)


def by_a_finding(_qtbot: QtBot, window: MainWindow) -> None:
    health = find(window, QWidget, "health-window")
    health.activateWindow()
    tree = find(health, QTreeWidget, "health-tree")
    row = next(row for row in range(tree.topLevelItemCount()) if "no width" in tree.topLevelItem(row).text(0))
    tree.setCurrentItem(tree.topLevelItem(row))
    QTest.mouseClick(find(health, QPushButton, "health-open"), LEFT)


ROUTES = {
    "keys": by_keys,
    "the list": by_the_list,
    "the gallery": by_the_gallery,
    "search": by_search,
    "the palette": by_the_palette,
    "a finding": by_a_finding,
}


def check_the_data(qtbot: QtBot, window: MainWindow) -> None:
    """So that a finding is there to be gone to."""
    window.show_page("data")
    QTest.keyClick(window, Qt.Key.Key_C, CTRL | SHIFT)
    qtbot.waitUntil(lambda: not window.session.jobs and find(window, QWidget, "health-window").isActiveWindow())
    window.show_page("label")
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)


def gone_elsewhere(qtbot: QtBot, window: MainWindow, doing: Doing, route: str) -> None:
    """From a.png as it was at first, with the hand in the middle of something."""
    begin_again(window)
    if route == "a finding":
        check_the_data(qtbot, window)
    hand = WindowDriver(qtbot, window)
    doing.begin(hand)
    ROUTES[route](qtbot, window)
    assert window.session.image is not None
    assert window.session.image.name != "a.png"
    QTest.keyRelease(hand.canvas, Qt.Key.Key_Right)


def begin_again(window: MainWindow) -> None:
    document = window.session.document
    assert document is not None
    window.show_page("label")
    find(window, QLineEdit, "image-filter-text").clear()
    first = document.images()[0]
    window.session.select_image(first.id)
    box, *others = document.boxes(first.id)
    again = edits.ReplaceBoxes((dataclasses.replace(box, xyxy=BEGUN, note=""),))
    document.do(edits.Batch((again, edits.RemoveBoxes(tuple(other.id for other in others))), "As at first"))
    canvas = find(window, Canvas, "canvas")
    canvas.set_drawing(False)
    canvas.select(())


def kept(project: Path) -> tuple[list[tuple[tuple[float, ...], str]], int]:
    """Corners and notes of a.png's boxes, rounded, and how many boxes others have."""
    boxes = boxes_on_disk(project)
    ours = [(tuple(float(round(side)) for side in box.xyxy), box.note) for box in boxes["a.png"]]
    return ours, sum(map(len, boxes.values())) - len(ours)


def near(found: list[tuple[tuple[float, ...], str]], wanted: tuple[tuple[tuple[float, ...], str], ...]) -> bool:
    """A pixel of the screen is less than one of the image, so a hand may miss by one."""
    return len(found) == len(wanted) and all(
        note == wanted_note and all(abs(a - b) <= 1 for a, b in zip(xyxy, wanted_xyxy, strict=True))
        for (xyxy, note), (wanted_xyxy, wanted_note) in zip(found, wanted, strict=True)
    )


@pytest.mark.parametrize("doing", DOING)
def test_an_edit_that_is_being_made_is_kept_whichever_way_one_goes(
    qtbot: QtBot, open_window: Open, labelled: Path, doing: str
) -> None:
    window = open_window(labelled)
    for route in ROUTES:
        gone_elsewhere(qtbot, window, DOING[doing], route)
        found, elsewhere = kept(labelled)
        assert near(found, DOING[doing].wanted), (route, found)
        assert elsewhere == 1, route


def test_a_canvas_and_a_panel_that_drop_what_is_half_done_are_caught(
    qtbot: QtBot, open_window: Open, labelled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: with what keeps it taken away, the same look at the disk finds the loss."""
    monkeypatch.setattr(Canvas, "end_nudge", Canvas.cancel_gesture)
    monkeypatch.setattr(DetailsPanel, "finish", lambda _: False)
    window = open_window(labelled)
    for doing in ("an arrow is held", "a note is typed"):
        gone_elsewhere(qtbot, window, DOING[doing], "keys")
        found, _ = kept(labelled)
        assert not near(found, DOING[doing].wanted)


@pytest.mark.parametrize("doing", ["an arrow is held", "a note is typed"])
@pytest.mark.parametrize("command", [Qt.Key.Key_W, Qt.Key.Key_Q])
def test_closing_by_a_key_keeps_it_too(
    qtbot: QtBot, open_window: Open, labelled: Path, doing: str, command: Qt.Key
) -> None:
    window = open_window(labelled)
    DOING[doing].begin(WindowDriver(qtbot, window))
    focused = window.focusWidget()
    assert focused is not None
    QTest.keyClick(focused, command, CTRL)
    found, _ = kept(labelled)
    assert near(found, DOING[doing].wanted), found


@pytest.mark.parametrize("doing", ["an arrow is held", "a note is typed"])
def test_closing_by_the_menu_keeps_it_too(qtbot: QtBot, open_window: Open, labelled: Path, doing: str) -> None:
    window = open_window(labelled)
    DOING[doing].begin(WindowDriver(qtbot, window))
    window.close_project()
    found, _ = kept(labelled)
    assert near(found, DOING[doing].wanted), found


def test_a_command_in_the_middle_finds_the_box_where_it_is_seen(
    qtbot: QtBot, open_window: Open, labelled: Path
) -> None:
    """While an arrow is held: another label, the mouse over the picture, a click beside the box."""
    hand = WindowDriver(qtbot, open_window(labelled))
    holds_an_arrow(hand)
    hand.key("2")
    assert near(kept(labelled)[0], (((23, 20, 83, 60), ""),))
    assert {box.label for box in boxes_on_disk(labelled)["a.png"]} == {2}
    QTest.keyPress(hand.canvas, Qt.Key.Key_Right)
    QTest.mouseMove(hand.canvas, hand.at(150, 80))
    hand.click(150, 80)
    QTest.keyRelease(hand.canvas, Qt.Key.Key_Right)
    assert near(kept(labelled)[0], (((24, 20, 84, 60), ""),))


def test_a_box_that_waits_for_its_label_goes_to_the_image_in_which_it_was_drawn(
    qtbot: QtBot, open_window: Open, project: Path
) -> None:
    """A job that reads the folder may show another image meanwhile."""
    window = open_window(project)
    hand = WindowDriver(qtbot, window)
    hand.draw((10, 10), (60, 50))
    document = window.session.document
    assert document is not None
    window.session.select_image(document.images()[2].id)
    hand.type_label("cell")
    assert {name: len(boxes) for name, boxes in boxes_on_disk(project).items()} == {"a.png": 1, "b.png": 0, "c.png": 0}


def test_a_label_that_is_asked_for_is_asked_for_no_longer_in_another_project(
    qtbot: QtBot, open_window: Open, project: Path, tmp_path: Path
) -> None:
    Document.create(tmp_path / "other", tmp_path / "photographs").close()
    window = open_window(project)
    hand = WindowDriver(qtbot, window)
    hand.draw((10, 10), (60, 50))
    assert QApplication.activePopupWidget() is not None
    assert window.open(tmp_path / "other")
    assert QApplication.activePopupWidget() is None
    assert not any(boxes_on_disk(project).values())
    assert not any(boxes_on_disk(tmp_path / "other").values())


def shown_in_another_project(
    qtbot: QtBot, open_window: Open, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> list[int]:
    """Widths of the pictures on the canvas, where one of the project before comes late, and has the same number."""
    (tmp_path / "others").mkdir()
    PillowImage.new("RGB", (50, 80), (200, 10, 10)).save(tmp_path / "others" / "z.png")
    Document.create(tmp_path / "other", tmp_path / "others").close()
    load, show, begun, may_end = pictures.load, Canvas.show_picture, threading.Event(), threading.Event()
    shown: list[int] = []

    def late(file: Path, window: IntensityWindow | None = None, cache: Path | None = None) -> Picture:
        if file.name == "a.png":
            begun.set()
            may_end.wait()
        return load(file, window, cache)

    def watched(canvas: Canvas, picture: Picture | None, size: QSizeF, *, keep_view: bool = False) -> None:
        if picture is not None:
            shown.append(picture.width)
        show(canvas, picture, size, keep_view=keep_view)

    monkeypatch.setattr(pictures, "load", late)
    monkeypatch.setattr(Canvas, "show_picture", watched)
    window = open_window(project)
    qtbot.waitUntil(begun.is_set)
    assert window.open(tmp_path / "other")
    window.show_page("label")
    may_end.set()
    qtbot.waitUntil(lambda: 50 in shown)
    return shown


def test_a_late_picture_of_one_project_is_not_shown_in_another(
    qtbot: QtBot, open_window: Open, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert shown_in_another_project(qtbot, open_window, project, tmp_path, monkeypatch) == [50]


def test_a_loader_that_tells_of_every_picture_is_caught(
    qtbot: QtBot, open_window: Open, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control."""

    def every(loader: PictureLoader, wish: object, result: object) -> None:
        if isinstance(wish, PictureRequest):
            loader.loaded.emit(wish.image, result)

    monkeypatch.setattr(PictureLoader, "_done", every)
    assert shown_in_another_project(qtbot, open_window, project, tmp_path, monkeypatch) == [200, 50]
