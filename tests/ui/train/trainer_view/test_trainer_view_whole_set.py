"""The whole set: numbers with their totals, the images behind them, and counting that stops when it is asked to."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel, QPushButton, QTabWidget, QTreeWidget
from pytestqt.qtbot import QtBot

from tests.ui.train.trainer_view.trainer_view_driver import FakeWorker, Opened, labelled, open_view, recipe, settle
from tests.ui.window_driver import find
from workbench.ui import theme
from workbench.ui.colours import DARK
from workbench.ui.session import Session
from workbench.ui.train.trainer_view import worker as worker_module
from workbench.ui.train.trainer_view.coverage_rows import MISSED
from workbench.ui.train.trainer_view.window import TrainerViewWindow

__all__ = ["labelled", "open_view"]

Count = Any


def coverage(name: str, title: str, images: tuple[int, ...], missed: int = 2) -> Any:
    """One medium box of the first label is missed in the first image, `missed` of the second in the others."""
    from workbench.training.trainer_view.box_coverage import Coverage

    boxes = [(images[0], 0, 1), *((image, 1, 0) for image in images[1:] for _ in range(missed // len(images[1:])))]
    total = np.array([[0, 3, 0], [1_400, 1, 0]])
    counted = np.zeros((2, 3), np.int64)
    np.add.at(counted, tuple(np.array(boxes)[:, 1:].T), 1)
    return Coverage(name, title, 96, total, counted, np.array(boxes))


def problem(name: str, title: str) -> Any:
    from workbench.training.trainer_view.box_coverage import Coverage

    nothing = np.zeros((2, 3), np.int64)
    return Coverage(name, title, 0, nothing, nothing, problem="Choose a .cfg file first.")


def shown(window: TrainerViewWindow) -> QTreeWidget:
    tree: QTreeWidget = find(window, QTreeWidget, "seen-whole")
    return tree


@pytest.fixture
def counted(
    qtbot: QtBot, open_view: Opened, monkeypatch: pytest.MonkeyPatch
) -> tuple[Session, TrainerViewWindow, FakeWorker]:
    session, window, worker = open_view()
    ids = tuple(image.id for image in session.document.images())

    def count(_folder: object, wanted: object, names: tuple[str, ...], files: object, _job: object) -> Iterator[Any]:
        assert wanted == recipe()
        assert files is worker.files
        yield coverage(names[0], "YOLOv1", (ids[0], ids[1], ids[2]), 4)
        yield coverage(names[1], "YOLOv3", (ids[1], ids[2]), 1)
        yield problem("darknet-cfg", "Darknet .cfg")

    monkeypatch.setattr(worker_module, "count_coverage", count)
    find(window, QTabWidget, "seen-tabs").setCurrentIndex(1)
    qtbot.waitUntil(lambda: not session.jobs)
    return session, window, worker


def texts(tree: QTreeWidget) -> list[list[str]]:
    rows = [tree.topLevelItem(k) for k in range(tree.topLevelItemCount())]
    return [[row.text(column) for column in range(tree.columnCount())] for row in rows]


def test_numbers_stand_with_their_totals_and_sort_by_value(
    counted: tuple[Session, TrainerViewWindow, FakeWorker],
) -> None:
    tree = shown(counted[1])
    assert texts(tree) == [
        ["YOLOv1", "96", "1,404", "5", "0.4 %", "4 of 1,400", "1 of 4", ""],
        ["YOLOv3", "96", "1,404", "2", "0.1 %", "1 of 1,400", "1 of 4", ""],
        ["Darknet .cfg is left out: Choose a .cfg file first.", "", "", "", "", "", "", ""],
    ]
    child = tree.topLevelItem(0).child(0)
    assert [child.text(column) for column in (0, 2, 3, 5, 6)] == ["cell", "3", "1", "", "1 of 3"]
    assert "1 of 3 medium boxes" in child.toolTip(6)
    tree.sortByColumn(MISSED, Qt.SortOrder.AscendingOrder)
    assert [row[0][:6] for row in texts(tree)] == ["Darkne", "YOLOv3", "YOLOv1"]
    tree.sortByColumn(MISSED, Qt.SortOrder.DescendingOrder)
    assert [row[0][:6] for row in texts(tree)] == ["YOLOv1", "YOLOv3", "Darkne"]


def test_a_detector_that_lacks_its_file_leads_to_where_it_is_chosen(
    counted: tuple[Session, TrainerViewWindow, FakeWorker],
) -> None:
    session, window, _ = counted
    tree, told = shown(window), find(window, QLabel, "seen-left-out")
    asked: list[str] = []
    session.page_requested.connect(asked.append)
    assert told.isVisible()
    assert told.text().startswith("A file describes the network of Darknet .cfg.")
    QTest.keyClick(told, Qt.Key.Key_Tab)  # to its only link
    QTest.keyClick(told, Qt.Key.Key_Return)
    assert asked == ["train"]
    tree.itemActivated.emit(tree.topLevelItem(2), 0)
    assert asked == ["train", "train"]
    window.whole.forget()
    assert not told.isVisible()


def test_another_reason_leads_nowhere(
    qtbot: QtBot, counted: tuple[Session, TrainerViewWindow, FakeWorker], monkeypatch: pytest.MonkeyPatch
) -> None:
    session, window, _ = counted
    monkeypatch.setattr(worker_module, "count_coverage", lambda *_: iter([problem("yolov3", "YOLOv3")]))
    window.whole.count()
    qtbot.waitUntil(lambda: not session.jobs)
    assert texts(shown(window))[0][0] == "YOLOv3 is left out: Choose a .cfg file first."
    assert not find(window, QLabel, "seen-left-out").isVisible()
    asked: list[str] = []
    session.page_requested.connect(asked.append)
    shown(window).itemActivated.emit(shown(window).topLevelItem(0), 0)
    assert asked == []


def test_what_was_counted_is_written_in_the_colours_of_a_theme_put_on_later(
    counted: tuple[Session, TrainerViewWindow, FakeWorker],
) -> None:
    tree, told = shown(counted[1]), find(counted[1], QLabel, "seen-left-out")
    row, child, without = tree.topLevelItem(0), tree.topLevelItem(0).child(1), tree.topLevelItem(2)
    try:
        theme.apply("dark")
        inks = [row.foreground(MISSED), child.foreground(MISSED), without.foreground(0)]
        assert [ink.color().name() for ink in inks] == [DARK.error, DARK.error, DARK.muted]
        assert DARK.accent in told.text()
    finally:
        theme.apply("light")


def test_a_number_leads_to_its_images_and_the_arrows_step_through_them(
    qtbot: QtBot, counted: tuple[Session, TrainerViewWindow, FakeWorker]
) -> None:
    session, window, worker = counted
    tree, ids = shown(window), tuple(image.id for image in session.document.images())
    row = tree.topLevelItem(0)
    tree.itemActivated.emit(row.child(1), MISSED)  # the second label's: those of the second and third image
    settle(qtbot, window, worker, 2)
    assert window.tabs.currentIndex() == 0
    assert session.image_id == ids[1]
    assert (worker.requests[-1].augmented, worker.requests[-1].detector) == (False, "yolov1")
    among = window.controls.among
    assert among.text().startswith("1 of 2 images with boxes of a label with a very long name")
    assert not window.controls.previous.isEnabled()
    QTest.mouseClick(window.controls.next, Qt.MouseButton.LeftButton)
    assert session.image_id == ids[2]
    assert not window.controls.next.isEnabled()
    QTest.mouseClick(window.controls.all, Qt.MouseButton.LeftButton)
    assert not among.isVisible()
    assert window.controls.previous.isEnabled()
    tree.itemActivated.emit(row.child(0), 6)
    assert session.image_id == ids[0]


def test_the_images_of_a_number_are_shown_in_the_gallery(
    counted: tuple[Session, TrainerViewWindow, FakeWorker],
) -> None:
    session, window, _ = counted
    asked: list[Any] = []
    session.page_requested.connect(asked.append)
    session.images_requested.connect(lambda *all_: asked.append(all_))
    tree, button = shown(window), find(window, QPushButton, "seen-gallery")
    tree.setCurrentItem(tree.topLevelItem(2))
    assert not button.isEnabled()  # nothing could be counted
    tree.setCurrentItem(tree.topLevelItem(0).child(1), 5)
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    ids = tuple(image.id for image in session.document.images())
    words = "with small boxes of a label with a very long name, as some have that YOLOv1 does not learn"
    assert asked == ["data", (frozenset(ids[1:]), words)]


def test_opened_before_pytorch_is_there_it_counts_by_itself(
    qtbot: QtBot, open_view: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts: list[object] = []
    monkeypatch.setattr(worker_module, "count_coverage", lambda *all_: iter(counts.append(all_) or ()))
    session, window, worker = open_view(wait=False)
    find(window, QTabWidget, "seen-tabs").setCurrentIndex(1)
    assert counts == []
    settle(qtbot, window, worker, 1)
    qtbot.waitUntil(lambda: len(counts) == 1 and not session.jobs)


@pytest.fixture
def endless(open_view: Opened, monkeypatch: pytest.MonkeyPatch) -> tuple[Session, TrainerViewWindow, list[int]]:
    """A counting that tells how far it is until it is stopped, and then takes a little longer."""
    begun: list[int] = []

    def count(_folder: object, _recipe: object, names: tuple[str, ...], _files: object, job: Any) -> Iterator[Any]:
        from workbench.training.trainer_view.box_coverage import CoverageProgress

        begun.append(len(begun))
        yield coverage(names[0], "YOLOv1", (1, 2), 1)
        while not job.stop.wait(0.01):
            yield CoverageProgress("YOLOv3", 0.4)
        held.wait(0.2)

    held = threading.Event()
    session, window, _ = open_view()
    monkeypatch.setattr(worker_module, "count_coverage", count)
    return session, window, begun


def test_a_stop_is_told_and_another_count_waits_for_it(
    qtbot: QtBot, endless: tuple[Session, TrainerViewWindow, list[int]]
) -> None:
    session, window, begun = endless
    button, words = find(window, QPushButton, "seen-count"), find(window, QLabel, "seen-whole-words")
    find(window, QTabWidget, "seen-tabs").setCurrentIndex(1)
    qtbot.waitUntil(lambda: words.text() == "Counting: 1 of 3 detectors, YOLOv3 40 %.")
    assert button.text() == "Stop"
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    assert words.text() == "Stopping …"
    assert not button.isEnabled()
    window.whole.count()
    qtbot.waitUntil(lambda: not session.jobs)
    assert words.text() == "Stopped after 1 of 3 detectors. Press Count to start again."
    assert begun == [0]
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: begun == [0, 1])
    assert len(session.jobs) == 1


def test_closing_the_project_stops_the_counting(
    qtbot: QtBot, endless: tuple[Session, TrainerViewWindow, list[int]]
) -> None:
    session, window, begun = endless
    find(window, QTabWidget, "seen-tabs").setCurrentIndex(1)
    qtbot.waitUntil(lambda: begun == [0])
    began = time.monotonic()
    session.close()
    assert session.jobs == [] or not session.jobs[0].isRunning()
    assert time.monotonic() - began < 5  # it would not end by itself
