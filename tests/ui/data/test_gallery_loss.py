"""The loss of each image in the last run colours the gallery and orders it, also while a training runs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QAbstractItemView, QComboBox, QFrame, QLabel, QWidget
from pytestqt.qtbot import QtBot

from tests.ui.window_driver import Open, find, write_photographs
from workbench.core.document import Document
from workbench.training import events, recipes
from workbench.training.events import Evaluated
from workbench.training.monitoring import image_losses
from workbench.training.monitoring.image_losses import NONE, ImageLosses
from workbench.training.records import record
from workbench.training.request import RunRequest
from workbench.ui.images.image_losses import Losses, of_run
from workbench.ui.images.image_losses import of as image_losses_of
from workbench.ui.images.images_model import LISTED_IMAGE
from workbench.ui.job import Job
from workbench.ui.window.main_window import MainWindow


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Five photographs of the ids 1 to 5."""
    write_photographs(tmp_path / "photographs", [f"{name}.png" for name in "abcde"])
    Document.create(tmp_path / "project", tmp_path / "photographs").close()
    return tmp_path / "project"


def evaluated(project: Path, run: str, epoch: int, losses: dict[int, float], time: float) -> Evaluated:
    """What a run leaves after an evaluation: the losses by image, and the event."""
    folder = project / "runs" / run
    folder.mkdir(parents=True, exist_ok=True)
    kept = image_losses.read(folder).with_new(np.array([*losses]), np.array([*losses.values()], np.float32), epoch)
    image_losses.write(folder, kept)
    event = Evaluated(epoch, 10 * epoch, 0.3, 0.5, 0.2, {}, 2, 0.1, True, time=time)
    with open(folder / "events.jsonl", "a", encoding="utf-8") as file:
        file.write(events.to_json(event) + "\n")
    return event


def listed(window: MainWindow) -> list[str]:
    model = find(window, QAbstractItemView, "gallery").model()
    return [model.index(row, 0).data()[0] for row in range(model.rowCount())]


def strips(window: MainWindow) -> list[float]:
    model = find(window, QAbstractItemView, "gallery").model()
    return [model.index(row, 0).data(LISTED_IMAGE).loss for row in range(model.rowCount())]


def about(window: MainWindow) -> str:
    text: str = find(window, QLabel, "loss-about").text()
    return text


def highest_first(window: MainWindow) -> None:
    QTest.mouseClick(find(window, QAbstractButton, "loss-first"), Qt.MouseButton.LeftButton)


THREE = {2: 1.5, 3: 12.34, 5: 0.25}


def three() -> Losses:
    return of_run("tiny-2", NONE.with_new(np.array([5, 2, 3]), np.array([0.25, 1.5, 12.34], np.float32), 12))


def test_a_loss_is_told_with_how_many_are_lower() -> None:
    losses = of_run("tiny-2", NONE.with_new(np.arange(1, 102), np.arange(101, dtype=np.float32), 12))
    assert losses.words(98) == "loss 97, higher than 97 % of the images, run tiny-2 after epoch 12"
    assert losses.words(101) == "loss 100, the highest of 101 images, run tiny-2 after epoch 12"
    assert losses.words(1) == "loss 0, the lowest of 101 images, run tiny-2 after epoch 12"
    assert losses.words(400) == ""
    first = of_run("tiny-2", NONE.with_new(np.arange(1, 102), np.arange(101, dtype=np.float32), 0))
    assert first.words(101) == "loss 100, the highest of 101 images, run tiny-2 before its first epoch"
    assert three().words(3).startswith("loss 12.3, ")


def test_a_loss_above_few_others_is_not_higher_than_none() -> None:
    losses = of_run("r", ImageLosses(np.arange(300), np.arange(300, dtype=np.float32), np.ones(300, np.int32)))
    assert losses.words(1) == "loss 1, higher than 1 of 299 other images, run r after epoch 1"


def test_shares_count_the_other_images_and_equal_losses_stand_equally() -> None:
    losses = three()
    assert [losses.share(id) for id in (5, 2, 3)] == [0, 0.5, 1]
    assert np.isnan(losses.share(1))
    np.testing.assert_array_equal(losses.of(np.array([1, 3, 9])), np.array([np.nan, 12.34, np.nan], np.float32))
    equal = of_run("r", NONE.with_new(np.array([1, 2, 3]), np.array([7, 7, 9], np.float32), 1))
    assert [equal.share(id) for id in (1, 2, 3)] == [0, 0, 1]


def test_the_highest_losses_come_first_and_images_without_one_last(
    qtbot: QtBot, open_window: Open, project: Path
) -> None:
    evaluated(project, "tiny-1", 3, THREE, time=100)
    window = open_window(project, "data")
    qtbot.waitUntil(lambda: about(window) == "Loss of 3 images, measured in tiny-1 up to epoch 3")
    assert listed(window) == list("abcde")
    np.testing.assert_array_equal(strips(window), [np.nan, 0.5, 1, np.nan, 0])
    highest_first(window)
    assert listed(window) == list("cbead")
    assert find(window, QComboBox, "filter-order").currentText() == "Highest loss first"
    model = find(window, QAbstractItemView, "gallery").model()
    tip = model.index(0, 0).data(Qt.ItemDataRole.ToolTipRole)
    assert tip.endswith("loss 12.3, the highest of 3 images, run tiny-1 after epoch 3")
    highest_first(window)
    assert listed(window) == list("abcde")


def test_the_colours_are_explained_where_they_are_and_not_beside_single_boxes(
    qtbot: QtBot, open_window: Open, project: Path
) -> None:
    evaluated(project, "tiny-1", 3, THREE, time=100)
    window = open_window(project, "data")
    scale = find(window, QWidget, "loss-scale")
    qtbot.waitUntil(scale.isVisible)
    action = find(window, QAction, "action-box-tiles")
    action.trigger()
    assert not scale.isVisible()
    assert find(window, QAbstractButton, "loss-first").isVisible(), "it orders the boxes too"
    action.trigger()
    assert scale.isVisible()


def test_without_a_run_there_is_neither_line_nor_strip(qtbot: QtBot, open_window: Open, project: Path) -> None:
    window = open_window(project, "data")
    assert find(window, QFrame, "loss-bar").isHidden()
    assert np.isnan(strips(window)).all()


def test_the_run_that_was_evaluated_last_counts_whichever_file_is_newer(
    qtbot: QtBot, open_window: Open, project: Path
) -> None:
    evaluated(project, "new", 1, {1: 1.0}, time=200)
    evaluated(project, "old", 9, {1: 2.0, 2: 3.0}, time=100)
    window = open_window(project, "data")
    qtbot.waitUntil(lambda: about(window) == "Loss of 1 image, measured in new up to epoch 1")


class Training:
    """A job that reports an evaluation whenever one is put down for it."""

    def __init__(self) -> None:
        self.due = threading.Event()
        self.next: list[Evaluated] = []

    def __call__(self, job: Job) -> Iterator[Evaluated]:
        while not job.stop.is_set():
            if self.due.wait(0.01):
                self.due.clear()
                yield self.next.pop()

    def report(self, event: Evaluated) -> None:
        self.next.append(event)
        self.due.set()


def test_the_gallery_follows_the_running_training_and_keeps_what_is_selected(
    qtbot: QtBot, open_window: Open, project: Path
) -> None:
    window = open_window(project, "data")
    training = Training()
    window.session.start(Job("Training tiny-1", training))
    training.report(evaluated(project, "tiny-1", 1, THREE, time=100))
    qtbot.waitUntil(lambda: find(window, QFrame, "loss-bar").isVisible())
    highest_first(window)
    assert listed(window) == list("cbead")
    view = find(window, QAbstractItemView, "gallery")
    QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=view.visualRect(view.model().index(1, 0)).center())
    training.report(evaluated(project, "tiny-1", 2, {1: 50.0, 3: 0.1}, time=200))
    qtbot.waitUntil(lambda: listed(window) == list("abecd"))
    assert about(window) == "Loss of 4 images, measured in tiny-1 up to epoch 2"
    assert window.session.image_id == 2
    assert find(window, QLabel, "gallery-selected").text() == "1 selected"
    assert view.selectionModel().selectedIndexes()[0].data() == "b.png"


def test_losses_of_a_project_that_was_closed_are_gone(qtbot: QtBot, open_window: Open, project: Path) -> None:
    evaluated(project, "tiny-1", 3, THREE, time=100)
    window = open_window(project, "data")
    qtbot.waitUntil(lambda: find(window, QFrame, "loss-bar").isVisible())
    Document.create(project.parent / "other", project.parent / "photographs").close()
    window.open(project.parent / "other")
    window.show_page("data")
    assert find(window, QFrame, "loss-bar").isHidden()
    assert np.isnan(strips(window)).all()
    window.open(project)
    window.show_page("data")
    qtbot.waitUntil(lambda: find(window, QFrame, "loss-bar").isVisible())


def test_losses_stay_with_their_images_when_ids_mean_others_after_a_restored_copy(
    qtbot: QtBot, open_window: Open, project: Path
) -> None:
    evaluated(project, "tiny-1", 3, THREE, time=100)
    with Document.open(project) as document:
        then = document.snapshot()
    ids = {"a": 2, "b": 1, "c": 8, "d": 4, "e": 5}  # at that time; what was image 8 is image 3 now
    then = replace(then, images=tuple(replace(image, id=ids[image.path[0]]) for image in then.images))
    record.write_request(RunRequest(project / "runs" / "tiny-1", then, recipes.preset("quick-cpu")))
    window = open_window(project, "data")
    qtbot.waitUntil(lambda: about(window) == "Loss of 2 images, measured in tiny-1 up to epoch 3")
    highest_first(window)
    assert listed(window)[:2] == ["a", "e"]


def test_what_a_training_tells_while_its_project_closes_begins_no_thread(
    qtbot: QtBot, open_window: Open, project: Path
) -> None:
    """A thread that nobody waits for any more ended the program with an abort, once in 200 closings."""
    window = open_window(project, "data")
    session = window.session
    watch = image_losses_of(session)
    session.closing.connect(session.runs_changed.emit)  # after the watch has closed
    session.close()
    assert watch._background is None
    evaluated(project, "tiny-1", 3, THREE, time=100)
    window.open(project)
    qtbot.waitUntil(lambda: about(window) == "Loss of 3 images, measured in tiny-1 up to epoch 3")
