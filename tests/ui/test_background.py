"""Work in the background: in order, one at a time, each request answered once, and nothing said after the end."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from pytestqt.qtbot import QtBot

from workbench.errors import WorkbenchError
from workbench.ui.background import Background


class Worker:
    """Its work waits at the first request until `go`; `began` is set by then."""

    def __init__(self) -> None:
        self.began, self.go = threading.Event(), threading.Event()
        self.done: list[object] = []
        self.threads: set[int] = set()

    def __call__(self, request: object) -> object:
        self.threads.add(threading.get_ident())
        self.began.set()
        assert self.go.wait(30)
        self.done.append(request)
        if request == "refused":
            raise WorkbenchError("It can't be read.")
        if request == "broken":
            raise ValueError("no number")
        return f"{request}, done"


@pytest.fixture
def worker() -> Worker:
    return Worker()


@pytest.fixture
def answers() -> list[tuple[object, object, int]]:
    """Request, result and the thread in which they were told."""
    return []


@pytest.fixture
def background(qtbot: QtBot, worker: Worker, answers: list[tuple[object, object, int]]) -> Iterator[Background]:
    made = Background("Counting stars", worker)
    made.done.connect(lambda request, result: answers.append((request, result, threading.get_ident())))
    yield made
    worker.go.set()
    made.close()


def test_requests_are_answered_in_order_in_the_window_s_thread_and_done_in_another(
    qtbot: QtBot, background: Background, worker: Worker, answers: list[tuple[object, object, int]]
) -> None:
    worker.go.set()
    background.ask(["a", "b", "a", "c"])
    qtbot.waitUntil(background.is_idle)
    here = threading.get_ident()
    assert answers == [(name, f"{name}, done", here) for name in "abc"]
    assert here not in worker.threads
    background.ask(["d"])  # after the thread has ended
    qtbot.waitUntil(lambda: [request for request, _, _ in answers] == ["a", "b", "c", "d"])


def test_what_is_asked_replaces_what_has_not_been_started_and_what_is_added_waits(
    qtbot: QtBot, background: Background, worker: Worker, answers: list[tuple[object, object, int]]
) -> None:
    background.ask(["a", "b"])
    assert worker.began.wait(30)
    background.ask(["c", "d"])  # b is out of view by now
    background.add("e")
    background.add("d")
    assert not background.is_idle()
    worker.go.set()
    qtbot.waitUntil(background.is_idle)
    assert [request for request, _, _ in answers] == worker.done == ["a", "c", "d", "e"]


def test_a_failure_is_an_answer_and_the_next_is_done(
    qtbot: QtBot, background: Background, worker: Worker, answers: list[tuple[object, object, int]]
) -> None:
    worker.go.set()
    background.ask(["refused", "broken", "a"])
    qtbot.waitUntil(background.is_idle)
    refused, broken, whole = (result for _, result, _ in answers)
    assert isinstance(refused, WorkbenchError)
    assert refused.sentence == "It can't be read."
    assert isinstance(broken, WorkbenchError)
    assert broken.sentence == "Counting stars failed. See Help > Log."
    assert whole == "a, done"


def test_settling_tells_the_one_in_progress_and_drops_the_others(
    qtbot: QtBot, background: Background, worker: Worker, answers: list[tuple[object, object, int]]
) -> None:
    background.ask(["a", "b"])
    assert worker.began.wait(30)
    threading.Timer(0.05, worker.go.set).start()
    background.settle()
    assert [request for request, _, _ in answers] == ["a"]
    assert worker.done == ["a"]


def test_after_the_end_nothing_is_done_nor_told_though_it_was_in_progress(
    qtbot: QtBot, background: Background, worker: Worker, answers: list[tuple[object, object, int]]
) -> None:
    """Its owner has forgotten the project that the answer is about."""
    background.ask(["a", "b"])
    assert worker.began.wait(30)
    threading.Timer(0.05, worker.go.set).start()
    background.close()
    background.ask(["c"])
    qtbot.waitUntil(background.is_idle)
    assert worker.done == ["a"]
    assert answers == []
