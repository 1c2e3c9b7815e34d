"""The window "Other images" with a stub of a network, folders and a video that the stub understands."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from PySide6.QtWidgets import QApplication, QLabel, QWidget
from pytestqt.qtbot import QtBot

from tests.inference.stub import Stub, stub, write_pictures
from tests.ui.inspect.inspect_page_driver import make_run
from tests.ui.window_driver import find
from workbench.core.document import Document
from workbench.errors import WorkbenchError
from workbench.training.records import runs
from workbench.ui.inspect.other_images.results_job import PredictionRequest, PredictionsWritten
from workbench.ui.inspect.other_images.window import OtherImagesWindow
from workbench.ui.inspect.other_images.worker import DetectionWorker
from workbench.ui.inspect.other_images.worker import OpenRequest as OpenSource
from workbench.ui.job_progress import JobProgress
from workbench.ui.session import Session


@pytest.fixture
def network() -> Stub:
    return stub()


class Writer:
    """Writes nothing, and remembers what it was asked."""

    def __init__(self) -> None:
        self.requests: list[PredictionRequest] = []
        self.fails_with = ""

    def __call__(self, request: PredictionRequest) -> Iterator[JobProgress | PredictionsWritten]:
        self.requests.append(request)
        yield JobProgress(1, 2, "images")
        if self.fails_with:
            raise WorkbenchError(self.fails_with)
        yield PredictionsWritten(request.into / "results", "3 objects found in 2 images.")


@pytest.fixture
def session(qapp: QApplication, project: Path) -> Iterator[Session]:
    session = Session()
    session.open(Document.open(project))
    yield session
    session.close()


@pytest.fixture
def window(qtbot: QtBot, session: Session, network: Stub) -> Iterator[OtherImagesWindow]:
    run = make_run(session)
    owner = QWidget()
    made = OtherImagesWindow(session, owner, DetectionWorker(lambda *_: network), Writer())  # type: ignore[arg-type, return-value]
    (info,) = runs.runs(run.parent)
    made.set_run(info, run / "best.safetensors")
    made.show()
    yield made
    session.close()  # as the main window does before it goes
    owner.deleteLater()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Blue says how many: 1.png has one box, 2.png two, 3.png three; broken.png can't be read."""
    made = write_pictures(tmp_path / "in", ["1.png", "2.png", "3.png"], first=1)
    (made / "broken.png").write_bytes(b"no picture")
    return made


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight frames at 20 a second, of eight greys."""
    file = tmp_path_factory.mktemp("video") / "clip.avi"
    writer = cv2.VideoWriter(str(file), cv2.VideoWriter.fourcc(*"MJPG"), 20, (64, 48))
    for shade in range(8):
        writer.write(np.full((48, 64, 3), shade * 30, np.uint8))
    writer.release()
    return file


def words(window: OtherImagesWindow, name: str) -> str:
    return str(find(window, QLabel, f"looking-{name}").text())


def boxes(window: OtherImagesWindow) -> int:
    return len(window.picture.detections)


def grey(window: OtherImagesWindow) -> int:
    """Of the picture's middle, in steps of 30."""
    assert window.picture.picture is not None
    return round(window.picture.picture.levels[0].pixelColor(30, 20).red() / 30)


def opened(qtbot: QtBot, window: OtherImagesWindow, path: Path) -> None:
    window.open_source(OpenSource(path))
    qtbot.waitUntil(lambda: window.picture.picture is not None)
