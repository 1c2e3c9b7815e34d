"""The Inspect page as a person uses it, on two labelled images, with candidates made by hand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox, QLabel, QPushButton, QSlider, QTableView, QWidget
from pytestqt.qtbot import QtBot

from tests.ui.window_driver import shown_page
from workbench.core import edits
from workbench.core.detections import Candidates, NmsKind
from workbench.core.document import Document
from workbench.core.project import Box, Label, Split, State
from workbench.errors import WorkbenchError
from workbench.inference.evaluating import candidate_cache
from workbench.inference.evaluating.scoring import ScoringRules
from workbench.training import events
from workbench.training.events import Finished, Started
from workbench.ui.inspect import evaluation_job
from workbench.ui.inspect.evaluation_job import EvaluationRequest, EvaluationResult
from workbench.ui.inspect.page import InspectPage
from workbench.ui.inspect.picture import InspectPicture
from workbench.ui.job_progress import JobProgress
from workbench.ui.session import Session

# image 0: its box is found at 0.9, with a false alarm at 0.4; image 1: its box is missed above 0.3
# the second candidate of image 0 overlaps the first by 0.8 (of 20 x 20, shifted by 2.2)
Seen = tuple[Sequence[tuple[float, ...]], Sequence[float], Sequence[int]]
"""What a network sees in an image: boxes, scores, labels."""
SEEN: tuple[Seen, ...] = (
    ([(10, 10, 30, 30), (12.2, 10, 32.2, 30), (40, 40, 60, 60)], [0.9, 0.6, 0.4], [0, 0, 0]),
    ([(10, 10, 30, 30)], [0.3], [0]),
)


def keep_candidates(folder: Path, images: int, checkpoint: str = "best.safetensors") -> None:
    """As if so many images had been looked at with this checkpoint of the run in `folder`."""
    file = candidate_cache.cache_file(folder, folder / checkpoint)
    candidate_cache.save(file, {str(number): (Candidates.none(), (0, 0)) for number in range(images)})


class FakeEvaluator:
    def __init__(self) -> None:
        self.requests: list[EvaluationRequest] = []
        self.fails_with = ""
        self.published: NmsKind = "per label"
        self.seen = SEEN
        self.trained_on: int | None = None
        self.step: int | None = None

    def __call__(self, request: EvaluationRequest) -> Iterator[JobProgress | EvaluationResult]:
        self.requests.append(request)
        if self.fails_with:
            raise WorkbenchError(self.fails_with)
        truth = (
            request.snapshot
            if request.split is None or request.held_out_of
            else request.snapshot.only(splits={request.split})
        )
        yield JobProgress(1, len(truth), "images")
        seen = [Candidates.of_arrays(*(np.array(part) for part in self.seen[i])) for i in range(len(truth))]
        rules = ScoringRules(iou=0.6, kind=self.published)
        point, remark = evaluation_job.kept_point(request)
        yield EvaluationResult.of(
            truth, tuple(seen), rules, 0.5, 0, point, remark, trained_on=self.trained_on, step=self.step
        )


@pytest.fixture(name="session")
def session_fixture(tmp_path: Path) -> Iterator[Session]:
    photographs = tmp_path / "photographs"
    photographs.mkdir()
    for name in ("a", "b"):
        PIL.Image.new("RGB", (64, 64), (90, 120, 60)).save(photographs / f"{name}.png")
    session = Session()
    session.open(Document.create(tmp_path / "project", photographs))
    assert session.document is not None
    session.do(edits.AddLabels((Label(0, "cell"),)))
    ids = tuple(image.id for image in session.document.images())
    label = session.document.labels()[0].id
    session.do(edits.AddBoxes(tuple(Box(0, image, label, (10, 10, 30, 30)) for image in ids)))
    session.do(edits.SetState(ids, State.DONE))
    session.do(edits.SetSplit(ids, Split.VALIDATION))
    yield session
    session.close()


@pytest.fixture(name="evaluate")
def evaluate_fixture() -> FakeEvaluator:
    return FakeEvaluator()


@pytest.fixture(name="page")
def page_fixture(qtbot: QtBot, session: Session, evaluate: FakeEvaluator) -> Iterator[InspectPage]:
    yield from shown_page(qtbot, InspectPage(session, evaluate=evaluate), session)


def make_run(session: Session, name: str = "first", started: float = 1.0) -> Path:
    assert session.document is not None
    folder = session.document.runs_folder / name
    folder.mkdir(parents=True)
    story = (
        Started(name, str(folder), "yolov4-tiny", "cpu", "fp32", 2, 2, 4, 40, 1234, time=started),
        Finished(40, 4, False, 0.5, 9.0, str(folder)),
    )
    (folder / "events.jsonl").write_text("".join(events.to_json(event) + "\n" for event in story), "utf-8")
    for checkpoint in ("best", "last"):
        (folder / f"{checkpoint}.safetensors").write_bytes(f"{checkpoint} weights".encode())
    return folder


def run_evaluation(qtbot: QtBot, page: InspectPage, session: Session) -> None:
    make_run(session)
    page.shown()
    press(qtbot, page, "inspect-look")
    qtbot.waitUntil(lambda: text(page, "inspect-ap50") != "–")
    qtbot.waitUntil(lambda: not session.jobs)


def press(qtbot: QtBot, page: QWidget, name: str) -> None:
    button = page.findChild(QPushButton, name)
    assert isinstance(button, QPushButton)
    qtbot.waitUntil(button.isVisible)
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def text(page: QWidget, name: str) -> str:
    found = page.findChild(QLabel, name)
    assert isinstance(found, QLabel), name
    return found.text()


def numbers(page: QWidget) -> tuple[str, ...]:
    return tuple(text(page, f"inspect-{name}") for name in ("ap50", "precision", "recall", "f1"))


def rows(page: QWidget) -> list[tuple[str, ...]]:
    table = page.findChild(QTableView, "inspect-images")
    assert isinstance(table, QTableView)
    model = table.model()
    return [
        tuple(model.index(row, column).data() for column in range(model.columnCount()))
        for row in range(model.rowCount())
    ]


def drawn(page: QWidget) -> dict[str, list[list[float]]]:
    picture = page.findChild(InspectPicture, "inspect-picture")
    assert isinstance(picture, InspectPicture)
    return {group.kind: group.boxes.round(1).tolist() for group in picture.groups}


def slide(page: QWidget, name: str, value: int) -> None:
    slider = page.findChild(QSlider, f"inspect-{name}-slider")
    assert isinstance(slider, QSlider)
    slider.setValue(value)


def choose(kind: QComboBox, data: str | None) -> None:
    kind.setCurrentIndex(kind.findData(data) if data else 0)
    kind.activated.emit(kind.currentIndex())
