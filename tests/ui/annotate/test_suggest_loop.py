"""Label, train, suggest by one button: with a training of made-up events, in the real window."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QComboBox, QPushButton, QSlider, QToolButton
from pytestqt.qtbot import QtBot

from tests.ui.annotate.suggestions_driver import fake
from tests.ui.window_driver import Open, find
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.image_queue import QueueOrder
from workbench.core.project import Label, State
from workbench.errors import WorkbenchError
from workbench.inference.evaluating.operating_point import OperatingPoint, write
from workbench.inference.events import EvaluationProgress
from workbench.inference.suggesting.image_queue import LabellingQueue
from workbench.training import events, recipes
from workbench.training.events import Control, Evaluated, Event, Failed, Finished, Progress, Saved, Started
from workbench.training.records.next_training import NO_RUN, NextTraining, NextTrainingRequest
from workbench.training.request import RunRequest
from workbench.ui.annotate import loop_bar, suggest_bar
from workbench.ui.annotate.image_list import REORDERED
from workbench.ui.annotate.page import AnnotatePage
from workbench.ui.images import image_queues
from workbench.ui.images.image_queues import QueueJobRequest
from workbench.ui.images.images_model import Filter
from workbench.ui.train.page import TrainPage
from workbench.ui.widgets.elided import ElidedLabel
from workbench.ui.window.lost_folders_bar import LostFoldersBar
from workbench.ui.window.main_window import MainWindow


class Training:
    """Goes on until it is let go, stopped, or fails; then leaves what a real one leaves."""

    def __init__(self) -> None:
        self.requests: list[RunRequest] = []
        self.plans: list[NextTrainingRequest] = []
        self.recipe = recipes.preset("quick-cpu")  # now: loading the detectors takes seconds where much is going on
        self.let_go = False
        self.fails = ""
        self.queued: list[Path | None] = []

    def plan(self, wish: NextTrainingRequest) -> NextTraining:
        self.plans.append(wish)
        if wish.run is None:
            raise WorkbenchError(NO_RUN)
        return NextTraining(
            wish.run.name, self.recipe, None, False, None if wish.fresh else wish.run / "best.safetensors"
        )

    def __call__(self, request: RunRequest, control: Control) -> Iterator[Event]:
        self.requests.append(request)
        request.folder.mkdir(parents=True, exist_ok=True)
        with open(request.folder / "events.jsonl", "a", encoding="utf-8") as file:
            for event in self._events(request.folder, control):
                file.write(events.to_json(event) + "\n")
                file.flush()
                yield event

    def _events(self, folder: Path, control: Control) -> Iterator[Event]:
        yield Started(folder.name, str(folder), "yolov4-tiny", "cpu", "fp32", 2, 1, 4, 40, 9, time=2e9)
        yield Evaluated(1, 10, 0.3, 0.5, 0.2, {}, 1, 0.1, True)
        step = 20
        while not self.let_go and not control.stop.wait(0.005):
            yield Progress(step, 40, 2, 4, {}, 1.0, 0.001, 50.0, 75.0)
        if self.fails:
            yield Failed(self.fails)
            return
        (folder / "best.safetensors").write_bytes(b"better")
        yield Saved("best", str(folder / "best.safetensors"), step)
        yield Finished(step, 2, control.stop.is_set(), 0.5, 1.0, str(folder))

    def queue(self, asked: QueueJobRequest) -> Iterator[EvaluationProgress | LabellingQueue]:
        """The last image first."""
        self.queued.append(asked.checkpoint)
        checkpoint = asked.checkpoint or asked.runs_folder / "one" / "best.safetensors"
        fresh = [image.id for image in asked.snapshot().images if image.state is State.UNLABELLED]
        yield EvaluationProgress(1, 3, 0, 1.0, 1.0)
        order = np.array(fresh[::-1], np.int64)
        yield LabellingQueue(checkpoint.parent.name, checkpoint, dict.fromkeys(QueueOrder, order), 0)


@pytest.fixture
def training(monkeypatch: pytest.MonkeyPatch) -> Training:
    made = Training()
    monkeypatch.setattr(suggest_bar, "SuggestionWorker", lambda: fake)
    monkeypatch.setattr(loop_bar, "_plan", made.plan)
    monkeypatch.setattr(image_queues.QueueWatch, "work", staticmethod(made.queue))
    monkeypatch.setattr(TrainPage.__init__, "__kwdefaults__", {"train": made})
    return made


@pytest.fixture
def window(training: Training, open_window: Open, project: Path) -> MainWindow:
    """Three images, of which the first is labelled, and a run of before; suggestions are shown."""
    with Document.open(project) as document:
        document.do(edits.AddLabels((Label(0, "cell"),)))
        document.do(edits.SetState((1,), State.DONE))
        folder = document.runs_folder / "one"
        folder.mkdir(parents=True)
        (folder / "best.safetensors").write_bytes(b"weights")
        started = Started("one", str(folder), "yolov4-tiny", "cpu", "fp32", 2, 1, 4, 40, 9, time=1e9)
        (folder / "events.jsonl").write_text(events.to_json(started) + "\n", "utf-8")
        write(folder, OperatingPoint(0.55, checkpoint="best.safetensors"))
    return open_window(project, "label")


def shown(qtbot: QtBot, window: MainWindow) -> None:
    find(window, AnnotatePage, "page-label").canvas.setFocus()
    QTest.keyClick(find(window, AnnotatePage, "page-label").canvas, Qt.Key.Key_G)
    qtbot.waitUntil(lambda: find(window, QComboBox, "suggest-run").currentText() == "one")


def words(window: MainWindow) -> str:
    return str(find(window, ElidedLabel, "loop-words").text())


def is_whole(window: MainWindow) -> bool:
    """Whether the words are not cut."""
    label = find(window, ElidedLabel, "loop-words")
    return label.cut(label.contentsRect().width()) == label.text()


def press(window: MainWindow) -> None:
    QTest.mouseClick(find(window, QToolButton, "loop-train"), Qt.MouseButton.LeftButton)


def test_one_button_trains_on_what_is_labelled_and_its_suggestions_come(
    qtbot: QtBot, window: MainWindow, training: Training
) -> None:
    least = find(window, QSlider, "suggest-confidence")
    assert least.value() == 30
    shown(qtbot, window)
    assert least.value() == 55, "where a person keeps it with the run"
    QTest.keyClick(find(window, AnnotatePage, "page-label").canvas, Qt.Key.Key_Up)
    window.session.runs_changed.emit()
    qtbot.waitUntil(find(window, AnnotatePage, "page-label")._suggest_bar._runs_background.is_idle)
    assert least.value() == 60, "a person's wish stays while the run does"
    session = window.session
    assert session.document is not None
    assert words(window) == "1 of 3 images labelled, 2 remain; 1 corrected since the last training"
    session.do(edits.SetState((2,), State.DONE))
    qtbot.waitUntil(lambda: words(window).startswith("2 of 3 images labelled, 1 remain; 2 corrected"))
    told: list[str] = []
    session.message.connect(lambda _level, sentence: told.append(sentence))
    press(window)
    qtbot.waitUntil(lambda: words(window) == "Training yolov4-tiny-1: epoch 2 of 4, AP50 0.50, 1:15 left")
    assert "train" in window._pages
    assert window._stack.currentWidget() is window._pages["label"], "the Train page runs it, unseen"
    (request,) = training.requests
    one = session.document.runs_folder / "one"
    assert (request.folder.name, request.start) == ("yolov4-tiny-1", one / "best.safetensors")
    assert [image.state for image in request.snapshot.images][:2] == [State.DONE] * 2
    training.let_go = True
    qtbot.waitUntil(lambda: find(window, QComboBox, "suggest-run").currentText() == "yolov4-tiny-1")
    qtbot.waitUntil(lambda: training.queued == [request.folder / "best.safetensors"])
    order = find(window, QComboBox, "image-order")
    qtbot.waitUntil(lambda: order.currentText() == "Most useful first")
    assert told.count(REORDERED) == 1
    qtbot.waitUntil(lambda: session.image_id == 3)  # the first of its order
    qtbot.waitUntil(lambda: words(window) == "2 of 3 images labelled, 1 remain; 0 corrected since the last training")


def test_corrected_is_what_came_after_the_data_of_the_run_not_after_its_start(qtbot: QtBot, window: MainWindow) -> None:
    """A run that was extended is newer than what it has learnt."""
    session = window.session
    assert session.document is not None
    (session.document.runs_folder / "one" / "data.json").write_text('{"time": 3e9}', "utf-8")
    shown(qtbot, window)
    qtbot.waitUntil(lambda: words(window) == "1 of 3 images labelled, 2 remain; 0 corrected since the last training")


def test_an_image_that_somebody_looks_at_stays_though_others_come_first(
    qtbot: QtBot, window: MainWindow, training: Training
) -> None:
    shown(qtbot, window)
    window.session.do(edits.SetState((1, 2), State.DONE))
    window.session.do(edits.SetState((3,), State.UNLABELLED))
    press(window)
    qtbot.waitUntil(lambda: words(window).startswith("Training yolov4-tiny-1"))
    window.session.select_image(3)
    training.let_go = True
    qtbot.waitUntil(lambda: find(window, QComboBox, "image-order").currentText() == "Most useful first")
    qtbot.waitUntil(lambda: not window.session.jobs)
    assert window.session.image_id == 3


def test_where_no_image_waits_for_labels_a_person_stays_at_the_one_of_before(
    qtbot: QtBot, window: MainWindow, training: Training
) -> None:
    shown(qtbot, window)
    window.session.do(edits.SetState((1, 2, 3), State.DONE))
    window.session.select_image(2)
    press(window)
    qtbot.waitUntil(lambda: words(window).startswith("Training yolov4-tiny-1"))
    training.let_go = True
    qtbot.waitUntil(lambda: find(window, QComboBox, "image-order").currentText() == "Most useful first")
    qtbot.waitUntil(lambda: words(window) == "3 of 3 images labelled, 0 remain; 0 corrected since the last training")
    assert window.session.image_id == 2


def test_stop_ends_it_and_the_suggestions_stay(qtbot: QtBot, window: MainWindow, training: Training) -> None:
    shown(qtbot, window)
    window.session.do(edits.SetState((2,), State.DONE))
    find(window, QAction, "loop-from-fresh").trigger()
    QTest.keyClick(find(window, AnnotatePage, "page-label").canvas, Qt.Key.Key_G, Qt.KeyboardModifier.ControlModifier)
    stop = find(window, QPushButton, "loop-stop")
    qtbot.waitUntil(stop.isVisible)
    press(window)
    QTest.mouseClick(stop, Qt.MouseButton.LeftButton)
    told = "Stopped. Still suggestions of one; resume on the Train page."
    qtbot.waitUntil(lambda: words(window) == told)
    assert len(training.requests) == 1, "one at a time"
    assert training.requests[0].start is None, "fresh weights were chosen"
    assert find(window, QComboBox, "suggest-run").currentText() == "one"
    assert not window.session.jobs
    assert not training.queued
    window.session.do(edits.SetState((3,), State.DONE))
    qtbot.waitUntil(lambda: words(window).startswith("3 of 3 images labelled"))


def test_what_is_in_the_way_is_a_sentence(qtbot: QtBot, window: MainWindow, training: Training) -> None:
    shown(qtbot, window)
    press(window)
    qtbot.waitUntil(lambda: words(window).startswith("Only 1 image is done, too few to train on."))
    window.session.do(edits.SetState((2,), State.DONE))
    training.fails = "The disk is full."
    press(window)
    qtbot.waitUntil(find(window, QPushButton, "loop-stop").isVisible)
    training.let_go = True
    qtbot.waitUntil(lambda: words(window) == "The training failed. The disk is full.")
    training.let_go, training.fails = False, ""
    window.session.training_requested.emit(replace(training.requests[0], folder=training.requests[0].folder / "other"))
    press(window)
    assert words(window) == loop_bar.BUSY, "one that another page began"
    window.resize(1280, 800)
    qtbot.waitUntil(lambda: is_whole(window))
    training.let_go = True
    qtbot.waitUntil(lambda: not window.session.jobs)
    assert words(window) != loop_bar.BUSY, "it has ended"
    assert len(training.plans) == 2, "while it trained no other was prepared"
    bar = find(window, AnnotatePage, "page-label")._suggest_bar.loop
    bar.follow(None)
    bar.start()
    qtbot.waitUntil(lambda: words(window) == NO_RUN)
    assert is_whole(window)
    assert len(training.requests) == 2


# --- the order of the images ---


def listed(window: MainWindow) -> list[int]:
    model = find(window, AnnotatePage, "page-label")._images.model
    return [model.image(row).id for row in range(model.rowCount())]


def choose(window: MainWindow, order: str) -> None:
    combo = find(window, QComboBox, "image-order")
    combo.setCurrentIndex(combo.findText(order))
    combo.activated.emit(combo.currentIndex())


def test_the_next_image_is_the_next_of_the_order_that_was_chosen_until_another_project_comes(
    qtbot: QtBot, window: MainWindow, training: Training, project: Path
) -> None:
    shown(qtbot, window)
    canvas = find(window, AnnotatePage, "page-label").canvas
    assert listed(window) == [1, 2, 3]
    choose(window, "Most uncertain first")
    qtbot.waitUntil(lambda: listed(window) == [3, 2, 1])
    qtbot.waitUntil(lambda: window.session.image_id == 3)
    qtbot.waitUntil(lambda: canvas.picture is not None)
    QTest.keyClick(canvas, Qt.Key.Key_N)  # done: it keeps its place, and the next of the order is shown
    assert window.session.image_id == 2
    assert listed(window) == [3, 2, 1]
    QTest.keyClick(canvas, Qt.Key.Key_D)
    assert window.session.image_id == 1
    choose(window, "By name")
    assert listed(window) == [1, 2, 3]
    choose(window, "Most different first")
    qtbot.waitUntil(lambda: listed(window) == [2, 1, 3])  # anew, for what is labelled now
    qtbot.waitUntil(lambda: window.session.image_id == 2)
    assert len(training.queued) == 2
    QTest.keyClick(canvas, Qt.Key.Key_D)
    watch = image_queues.of(window.session)
    watch.renew()
    qtbot.waitUntil(lambda: len(training.queued) == 3 and watch.job is None)
    assert window.session.image_id == 1, "what comes unasked moves nobody"
    other = project / "runs" / "two" / "best.safetensors"
    for checkpoint in (None, other):  # a network is trained while the images are still being looked through
        watch.choose(checkpoint)
        watch.renew()
    qtbot.waitUntil(lambda: training.queued[3:] == [None, other] and watch.job is None)
    watch.choose(project / "runs" / "one" / "best.safetensors")
    training.queued[3:] = []
    choose(window, "By name")
    more = find(window, QComboBox, "image-filter-order")
    more.setCurrentIndex(more.findText("Most different first"))  # as in the gallery
    qtbot.waitUntil(lambda: len(training.queued) == 4 and listed(window) == [2, 1, 3])
    Document.create(project.parent / "second", project.parent / "photographs").close()
    assert window.open(project.parent / "second")
    assert find(window, QComboBox, "image-order").currentText() == "By name"
    assert image_queues.of(window.session).queue is None


def test_the_order_stays_when_photographs_were_found_again_and_when_an_image_is_opened_from_the_gallery(
    qtbot: QtBot, window: MainWindow, training: Training, project: Path
) -> None:
    shown(qtbot, window)
    choose(window, "Most uncertain first")
    qtbot.waitUntil(lambda: listed(window) == [3, 2, 1])
    window.session.filter_requested.emit(Filter(only=frozenset({1, 2}), why="with 2 boxes"))
    assert find(window, QComboBox, "image-order").currentText() == "Most uncertain first"
    assert listed(window) == [2, 1]
    window.session.filter_requested.emit(Filter())
    assert listed(window) == [3, 2, 1]
    new = (project.parent / "photographs").rename(project.parent / "elsewhere")
    lost = find(window, LostFoldersBar, "lost-folders")
    lost._check_again()
    qtbot.waitUntil(lost.isVisible)
    lost.relocate(new)
    assert find(window, QComboBox, "image-order").currentText() == "Most uncertain first"
    qtbot.waitUntil(lambda: len(training.queued) == 2 and listed(window) == [3, 2, 1])


def test_without_a_run_the_lines_and_the_order_say_what_is_missing(
    qtbot: QtBot, open_window: Open, project: Path
) -> None:
    window = open_window(project, "label")
    said: list[str] = []
    window.session.message.connect(lambda _, sentence: said.append(sentence))
    choose(window, "Most uncertain first")
    qtbot.waitUntil(lambda: said == [image_queues.NO_RUN])
    assert listed(window) == [1, 2, 3]
    QTest.keyClick(find(window, AnnotatePage, "page-label").canvas, Qt.Key.Key_G)
    told = find(window, ElidedLabel, "suggest-words")
    qtbot.waitUntil(lambda: told.text() == "No run yet: train one or choose a file.")
