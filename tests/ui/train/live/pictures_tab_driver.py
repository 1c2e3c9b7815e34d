"""The tab "Pictures" of the Train page, and runs that keep what they find in the images of a project."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication, QLabel, QMainWindow
from pytestqt.qtbot import QtBot

from tests.ui.window_driver import find, write_photographs
from workbench.core import edits
from workbench.core.detections import Detections
from workbench.core.document import Document
from workbench.core.project import Box, Label, Split, State
from workbench.errors import WorkbenchError
from workbench.training.events import Evaluated, Started
from workbench.training.monitoring import watched_images
from workbench.ui import theme
from workbench.ui.session import Session
from workbench.ui.train.live.batch_window import BatchWindow
from workbench.ui.train.live.batch_work import BatchPlan, BatchPlanRequest, Tile, TileRequest
from workbench.ui.train.live.picture import LivePicture
from workbench.ui.train.live.pictures_tab import PicturesTab

CELL, PLATE, OTHER = "#00ff7f", "#ff00c8", "#fffb00"


@pytest.fixture
def session(qapp: QApplication, tmp_path: Path) -> Iterator[Session]:
    """Six photographs, done, with a cell each; the last three are to validate."""
    theme.apply("light")
    write_photographs(tmp_path / "photographs", [f"{name}.png" for name in "abcdef"])
    session = Session()
    session.open(Document.create(tmp_path / "project", tmp_path / "photographs"))
    session.do(edits.AddLabels((Label(0, "cell", CELL), Label(0, "plate", PLATE))))
    assert session.document is not None
    cell = session.document.labels()[0].id
    ids = tuple(image.id for image in session.document.images())
    session.do(edits.AddBoxes(tuple(Box(0, image, cell, (20, 20, 120, 80)) for image in ids)))
    session.do(edits.SetState(ids, State.DONE))
    session.do(edits.SetSplit(ids[:3], Split.TRAIN))
    session.do(edits.SetSplit(ids[3:], Split.VALIDATION))
    yield session
    session.close()


def folder_of(session: Session, run: str) -> Path:
    assert session.document is not None
    folder = session.document.runs_folder / run
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def keep(session: Session, run: str, epoch: int, *scores: float) -> Evaluated:
    """What a run keeps after an epoch: in each validation image a cell and a plate ... with these scores."""
    assert session.document is not None
    part = session.document.snapshot().only(splits=[Split.VALIDATION])
    boxes = np.array([[24, 22, 118, 84], [130, 10, 190, 60]][: len(scores)], np.float32).reshape(-1, 4)
    found = Detections(boxes, np.array(scores, np.float32), np.arange(len(scores), dtype=np.int32))
    watched_images.append_detections(folder_of(session, run), epoch, 10 * epoch, part, [found] * len(part))
    return Evaluated(epoch, 10 * epoch, 0.3, 0.5 + epoch / 100, 0.2, {}, 3, 0.1, True)


def started(run: str, images: int = 3, epochs: int = 30) -> Started:
    return Started(run, "", "yolov4-tiny", "cpu", "fp32", images, 3, epochs, 300, 1234)


@pytest.fixture
def pane(qtbot: QtBot, session: Session) -> Iterator[PicturesTab]:
    pane = PicturesTab(session)
    window = QMainWindow()
    window.setCentralWidget(pane)
    qtbot.addWidget(window)
    window.resize(860, 400)
    window.show()
    with qtbot.waitActive(window):
        window.activateWindow()
    yield pane
    pane.close_down()


def words(pane: PicturesTab) -> str:
    text: str = find(pane, QLabel, "live-epoch").text()
    return text


def pictures(pane: PicturesTab) -> list[LivePicture]:
    return [one for one in pane.grid.pictures if one.isVisible()]


def counts(pane: PicturesTab) -> list[int]:
    return [picture.count for picture in pictures(pane)]


def pixels(widget: LivePicture) -> np.ndarray:
    image = widget.grab().toImage().convertToFormat(QImage.Format.Format_RGB32)
    return np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.width(), 4)[..., 2::-1].copy()


def has(widget: LivePicture, colour: str) -> int:
    ink = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)])
    return int((pixels(widget) == ink).all(axis=2).sum())


class FakeBatchWorker:
    """Answers the requests of a batch window."""

    def __init__(self) -> None:
        self.requests: list[BatchPlanRequest | TileRequest] = []

    def __call__(self, request: object) -> object:
        assert isinstance(request, BatchPlanRequest | TileRequest)
        self.requests.append(request)
        if isinstance(request, BatchPlanRequest):
            return BatchPlan(4, 30, "")
        if request.place == 3:
            raise WorkbenchError("d.png can't be read.")
        picture = QImage(64, 64, QImage.Format.Format_RGB32)
        picture.fill(0xFF808080)
        others = ("z.png",) if request.place == 0 else ()
        return Tile(
            request.place, request.place + 1, f"{request.step}-{request.place}.png", others, picture, 416,
            np.array([[10, 10, 60, 60]], np.float64), ("cell",), ("#0072b2",), np.array([False]), False,
        )  # fmt: skip


@pytest.fixture
def batch_worker() -> FakeBatchWorker:
    return FakeBatchWorker()


@pytest.fixture
def window(qtbot: QtBot, session: Session, pane: PicturesTab, batch_worker: FakeBatchWorker) -> Iterator[BatchWindow]:
    window = BatchWindow(session, pane, batch_worker)
    window.show()
    yield window
    window.end()
