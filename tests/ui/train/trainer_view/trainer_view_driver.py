"""The window "What the trainer sees" with a worker that answers as a test tells it, and a small labelled project."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPointF
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from tests.ui.window_driver import find
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import Box, Label, State
from workbench.training import recipes
from workbench.training.recipes import Recipe
from workbench.training.records.runs import RunInfo
from workbench.ui import theme
from workbench.ui.images.pictures import picture
from workbench.ui.session import Session
from workbench.ui.train.trainer_view.boxes_table import BoxesTable
from workbench.ui.train.trainer_view.picture import AssignmentPicture
from workbench.ui.train.trainer_view.requests import (
    AssignmentRequest,
    AssignmentResult,
    DroppedBox,
    FileCheckRequest,
    FileCheckResult,
    LoadRequest,
    LoadResult,
    TrainingPlan,
    Weights,
)
from workbench.ui.train.trainer_view.window import TrainerViewWindow
from workbench.ui.train.trainer_view.worker import TrainerViewWorker
from workbench.ui.train.work import DetectorChoice, Loaded

SIDE = 96
LONG = "a label with a very long name, as some have"


@pytest.fixture
def labelled(project: Path) -> Path:
    """Two boxes on a.png whose centres share a cell of YOLOv1, one beside; c.png has none. All are done."""
    with Document.open(project) as document:
        document.do(edits.AddLabels((Label(0, "cell"), Label(0, LONG))))
        ids, (first, second) = [image.id for image in document.images()], document.labels()
        boxes = ((20, 20, 60, 60, first), (24, 22, 64, 62, second), (120, 30, 180, 90, first))
        document.draw(tuple(Box(0, ids[0], label.id, (x, y, u, v)) for x, y, u, v, label in boxes))
        document.draw((Box(0, ids[1], first.id, (10, 10, 60, 60)),))
        document.do(edits.SetState(tuple(ids), State.DONE))
    return project


def recipe() -> Recipe:
    return recipes.preset("quick-cpu").with_detector("yolov1")


def made_assignment(request: AssignmentRequest) -> AssignmentResult:
    """Three boxes and a grid of 3 x 3 cells: one is learnt by two cells, one by none, one is ignored.

    The cell at the upper left learns and is ignored, too, as of several anchors in a cell one may be.
    """
    low = np.array([(32.0 * (cell % 3), 32.0 * (cell // 3)) for cell in range(9)])
    cells = np.concatenate([low, low + 32], axis=1)
    ignored = np.zeros(9, bool)
    ignored[8] = True
    negative = ~ignored
    negative[:2] = False
    return AssignmentResult(
        detector=request.detector,
        title=request.detector.upper(),
        picture=picture(np.full((SIDE, SIDE, 3), 90, np.uint8)),
        side=SIDE,
        labels=("cell", "cell", "other"),
        boxes=np.array([(4.0, 4, 40, 40), (50, 10, 80, 30), (60, 60, 90, 90)]),
        ids=np.array([4, 2, 7]),
        ignore=np.array([False, False, True]),
        reasons=("", "another box has its cell", "only 10 % of it is in sight"),
        dropped=(DroppedBox("cell", (100.0, 0.0, 120.0, 20.0), "it lies outside"),),
        kind="cell",
        priors=cells,
        cells=cells,
        level=np.zeros(9, np.int64),
        grids=((3, 3),),
        prior=np.array([0, 1]),
        box=np.array([0, 0]),
        ignored=ignored,
        negative=negative,
        about=f"step {request.epoch + 1}",
    )


def weights_of(worker: FakeWorker) -> Weights:
    return worker.requests[-1].weights


class FakeWorker(TrainerViewWorker):
    """Keeps requests; answers them with `answer`, and questions on the files with `files_are`, one after another."""

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[AssignmentRequest] = []
        self.answer: Callable[[AssignmentRequest], object] = made_assignment
        self.recipes: tuple[Recipe, ...] = (recipe(),)
        self.runs: tuple[RunInfo, ...] = ()
        self.files_are: list[FileCheckResult] = []
        self.checks = 0

    def _handle(self, request: object) -> object:  # type: ignore[override]
        if isinstance(request, LoadRequest):
            choices = tuple(
                DetectorChoice(n, n.upper(), "It finds things.", "2016") for n in ("yolov1", "yolov3", "ssd300")
            )
            return LoadResult(Loaded(choices, self.recipes), self.runs)
        if isinstance(request, AssignmentRequest):
            self.requests.append(request)
            return self.answer(request)
        if isinstance(request, FileCheckRequest):
            self.checks += 1
            return self.files_are.pop(0) if self.files_are else FileCheckResult(3, 3)
        return None


Opened = Callable[..., tuple[Session, TrainerViewWindow, FakeWorker]]


@pytest.fixture
def open_view(qtbot: QtBot, labelled: Path) -> Iterator[Opened]:
    """Opened on a.png; `plan` as the Train page would have it, `wait`: for the first assignment."""
    theme.apply("light")
    session, top = Session(), QWidget()
    qtbot.addWidget(top)
    session.open(Document.open(labelled))

    def opened(
        answer: Callable[[AssignmentRequest], object] = made_assignment,
        plan: Callable[[], TrainingPlan | None] = lambda: None,
        *,
        wait: bool = True,
        files: tuple[FileCheckResult, ...] = (),
        recipes: tuple[Recipe, ...] = (),
    ) -> tuple[Session, TrainerViewWindow, FakeWorker]:
        worker = FakeWorker()
        worker.answer, worker.files_are, worker.recipes = answer, list(files), recipes or worker.recipes
        window = TrainerViewWindow(session, top, plan, worker)
        window.show()
        window.activateWindow()
        if wait:
            settle(qtbot, window, worker, 1)
        return session, window, worker

    yield opened
    session.close()
    QApplication.sendPostedEvents()


def settle(qtbot: QtBot, window: TrainerViewWindow, worker: FakeWorker, count: int) -> None:
    """Until so many assignments were requested in all, and the last was shown."""
    qtbot.waitUntil(
        lambda: len(worker.requests) >= count and window.scheduler.is_idle, timeout=60_000
    )  # PyTorch is imported


def boxes(window: TrainerViewWindow, name: str = "seen-boxes") -> list[tuple[str, str]]:
    table = find(window, BoxesTable, name)
    return [(table.item(row, 0).text(), table.item(row, 2).text()) for row in range(table.rowCount())]


def ink(shown: AssignmentPicture, x: float, y: float) -> str:
    """The colour on the screen at a pixel of the input."""
    at = shown.view.to_widget(QPointF(x, y)).toPoint()
    return str(shown.grab().toImage().pixelColor(at).name())
