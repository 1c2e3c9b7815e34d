"""What a job is to work on is read in the job: of 120,000 boxes the window would stand still for .7 s at the press."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from tests.ui.inspect.inspect_page_driver import FakeEvaluator, run_evaluation, session_fixture
from tests.ui.train.train_page_driver import FakeTraining
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import Snapshot, Split
from workbench.training.request import RunRequest
from workbench.ui.images import image_queues
from workbench.ui.images.image_queues import QueueJobRequest, QueueWatch
from workbench.ui.inspect.page import InspectPage
from workbench.ui.session import Session
from workbench.ui.train.page import TrainPage

__all__ = ["session_fixture"]


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Of each reading of a whole project, whether it was in the window's thread."""
    found: list[bool] = []
    take = Document.snapshot

    def snapshot(self: Document, ids: Collection[int] | None = None) -> Snapshot:
        if ids is None:
            found.append(threading.current_thread() is threading.main_thread())
        return take(self, ids)

    monkeypatch.setattr(Document, "snapshot", snapshot)
    return found


def test_for_a_look(qtbot: QtBot, session: Session, read: list[bool]) -> None:
    evaluate = FakeEvaluator()
    page = InspectPage(session, evaluate=evaluate)
    qtbot.addWidget(page)
    page.show()
    run_evaluation(qtbot, page, session)
    assert read == [False]
    assert [len(request.snapshot) for request in evaluate.requests] == [2]
    page.closing()
    assert session.end_jobs()


def test_for_a_training(qtbot: QtBot, session: Session, read: list[bool]) -> None:
    assert session.document is not None
    training = FakeTraining()
    page = TrainPage(session, train=training)
    qtbot.addWidget(page)
    page.show()
    page.shown()
    session.do(edits.SetSplit(tuple(session.document.images().ids.tolist()), Split.NONE))
    qtbot.waitUntil(page._setup.buttons.start.isEnabled, timeout=60_000)
    read.clear()  # the checks before it read, too
    page.start()
    qtbot.waitUntil(lambda: len(training.requests) == 1)
    (request,) = training.requests
    assert isinstance(request, RunRequest)
    assert len(request.snapshot) == 2
    assert read
    assert not any(read)
    page.closing()
    assert session.end_jobs()


def test_for_an_order_of_images(
    qtbot: QtBot, session: Session, read: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    monkeypatch.setattr(QueueWatch, "work", staticmethod(lambda asked: iter([seen.append(len(asked.snapshot()))])))
    image_queues.of(session).renew()
    qtbot.waitUntil(lambda: not session.jobs)
    assert (seen, read) == ([2], [False])


def test_no_order_is_begun_while_the_project_closes(
    qtbot: QtBot, session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that had been asked for meanwhile began as the first was ended, and went on behind the next project."""
    begun: list[Path | None] = []

    def endless(asked: QueueJobRequest) -> Iterator[None]:
        begun.append(asked.checkpoint)
        while True:
            time.sleep(0.001)
            yield None

    monkeypatch.setattr(QueueWatch, "work", staticmethod(endless))
    watch = image_queues.of(session)
    watch.renew()
    qtbot.waitUntil(lambda: begun == [None])
    watch.choose(tmp_path / "best.safetensors")
    watch.renew()
    session.close()
    assert (session.jobs, begun) == ([], [None])
