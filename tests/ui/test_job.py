"""A job has a name before its thread starts, and goes when the window has heard that it ended, not before."""

from __future__ import annotations

import os
import sys
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest
import shiboken6
import torch
from pytestqt.qtbot import QtBot

import workbench.ui
from workbench.errors import WorkbenchError
from workbench.training.hardware import gpu
from workbench.ui.job import Job
from workbench.ui.session import Session


@pytest.fixture
def session(qtbot: QtBot) -> Iterator[Session]:
    session = Session()
    yield session
    assert session.end_jobs()


def three(_job: Job) -> Iterator[int]:
    yield from range(3)


def refused(_job: Job) -> Iterator[int]:
    yield from ()
    raise WorkbenchError("It can't be read.")


def test_a_thread_has_a_name_before_it_starts(qtbot: QtBot) -> None:
    """Else Qt asks for the name of its class, in the thread and without Python's lock."""
    job = Job("Reading files", three)
    assert job.objectName() == "Reading files"


def test_jobs_are_the_only_threads_of_qt() -> None:
    """What is true of them is true of all."""
    folder = Path(workbench.ui.__path__[0])
    made = [file.name for file in sorted(folder.rglob("*.py")) if "(QThread)" in file.read_text("utf-8")]
    assert made == ["job.py"]


def test_a_job_goes_after_the_window_has_heard_its_end(qtbot: QtBot, session: Session) -> None:
    ended: list[tuple[str, bool]] = []
    session.job_ended.connect(lambda job: ended.append((job.title, shiboken6.isValid(job))))
    jobs = [session.start(Job(f"Job {at}", refused if at % 2 else three, session)) for at in range(40)]
    qtbot.waitUntil(lambda: len(ended) == 40)
    assert sorted(ended) == sorted((f"Job {at}", True) for at in range(40))
    assert not session.jobs
    qtbot.waitUntil(lambda: not any(shiboken6.isValid(job) for job in jobs))
    assert jobs[1].error is not None, "what Python knows of it stays"


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux")
def test_a_job_that_steps_back_lets_the_window_go_before(
    qtbot: QtBot, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workbench.ui.job, "NICER", 7)
    found: list[int] = []

    def look(_job: Job) -> Iterator[int]:
        child = threading.Thread(
            target=lambda: found.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
        )
        child.start()
        child.join()
        yield 0

    here = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    for low_priority in (True, False):
        session.start(Job("Looking", look, session, low_priority=low_priority))
        qtbot.waitUntil(lambda: not session.jobs)
    assert found == [here + 7, here], "threads that it starts, too"


def test_a_job_that_is_ended_goes_too(qtbot: QtBot, session: Session) -> None:
    job = session.start(Job("Waiting", lambda job: iter([job.stop.wait(20)]), session))
    assert session.end_jobs()
    assert not session.jobs
    qtbot.waitUntil(lambda: not shiboken6.isValid(job))


@pytest.mark.skipif(sys.platform != "linux", reason="of glibc")
def test_what_a_job_that_steps_back_has_freed_is_the_systems_again(qtbot: QtBot, session: Session) -> None:
    """A small piece at the end of what it had, that stays, keeps glibc from giving the rest back by itself."""
    stays: list[bytes] = []

    def fill(_job: Job) -> Iterator[int]:
        pieces = [b"x" * 60_000 for _ in range(2_000)]
        stays.append(pieces[-1])
        yield len(pieces)

    grown = []
    for low_priority in (True, False):
        before = own_memory()
        session.start(Job("Looking", fill, session, low_priority=low_priority))
        qtbot.waitUntil(lambda: not session.jobs)
        grown.append(own_memory() - before)
    assert grown[0] < 40 < grown[1], "MB, of 120"


@pytest.mark.parametrize(("low_priority", "expected"), [(True, 1), (False, 0)])
def test_and_so_is_what_torch_kept_of_a_graphics_card(
    low_priority: bool, expected: int, qtbot: QtBot, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    emptied: list[str] = []
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: emptied.append(threading.current_thread().name))
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    session.start(Job("Training", three, session, low_priority=low_priority))
    qtbot.waitUntil(lambda: not session.jobs)
    assert len(emptied) == expected


class Network:
    """Something large."""


def test_a_job_that_failed_keeps_nothing_of_what_it_worked_with(qtbot: QtBot, session: Session) -> None:
    """It would stay in a card's memory, where the next training, with a smaller network, needs the room."""
    seen: list[weakref.ref[Network]] = []

    def train(_job: Job) -> Iterator[int]:
        network = Network()
        seen.append(weakref.ref(network))
        yield 0
        try:
            raise RuntimeError("CUDA out of memory.")
        except RuntimeError as error:
            refusal = WorkbenchError("The memory of cuda is too small.", error)
            raise refusal from error

    job = session.start(Job("Training", train, session))
    qtbot.waitUntil(lambda: not session.jobs)
    assert job.error is not None
    assert job.error.sentence == "The memory of cuda is too small."
    assert seen[0]() is None


def test_a_card_that_failed_has_nothing_to_give_back(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing() -> None:
        raise torch.AcceleratorError("CUDA error: device-side assert triggered")

    monkeypatch.setattr(torch.cuda, "empty_cache", failing)
    gpu.give_back_memory()


def own_memory() -> float:
    """MB that are resident and no file's."""
    line = next(
        line
        for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
        if line.startswith("RssAnon")
    )
    return int(line.split()[1]) / 1000
