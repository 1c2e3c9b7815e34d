"""Garbage in cycles goes in the window's thread only, as often as Python would see to it."""

from __future__ import annotations

import gc
import sys
import threading
import weakref
from collections.abc import Iterator
from typing import cast

import pytest
from PySide6.QtCore import QObject
from pytestqt.qtbot import QtBot

from workbench.core.document import Document
from workbench.ui import garbage_collector
from workbench.ui.garbage_collector import GarbageCollector, begin, collection_paused
from workbench.ui.session import Session


class Knot:
    """Holds itself; `ended_in` tells which thread let it go."""

    def __init__(self, ended_in: list[int]) -> None:
        self.itself = self
        weakref.finalize(self, lambda: ended_in.append(threading.get_ident()))


@pytest.fixture
def garbage(qtbot: QtBot) -> Iterator[GarbageCollector]:
    parent = QObject()
    before = gc.get_threshold()
    gc.set_threshold(700, 10, 10)  # as Python begins
    yield GarbageCollector(parent)
    gc.set_threshold(*before)
    gc.enable()


def make_much() -> list[list[int]]:
    """More objects than Python makes without looking for cycles among them."""
    return [[number] for number in range(5_000)]


def test_what_another_thread_makes_does_not_set_it_off(qtbot: QtBot, garbage: GarbageCollector) -> None:
    ended_in: list[int] = []
    kept: list[object] = []
    Knot(ended_in)
    thread = threading.Thread(target=lambda: kept.append(make_much()))
    thread.start()
    thread.join()
    assert ended_in == [], "Python would have collected in that thread"
    qtbot.waitUntil(lambda: bool(ended_in))
    assert ended_in == [threading.get_ident()]


def test_old_garbage_goes_in_the_end(garbage: GarbageCollector) -> None:
    ended_in: list[int] = []
    knot = Knot(ended_in)
    gc.collect()
    gc.collect()
    del knot
    for _ in range(150):
        kept = make_much()
        garbage.collect()
        del kept
    assert ended_in, "of the oldest generation"


@pytest.fixture
def each_is_long(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each collection counts as a long one, as they are beside other programs; what is frozen is thawed in the end."""
    monkeypatch.setattr(garbage_collector, "LONG", -1.0)
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("each_is_long")
@pytest.mark.parametrize("many", [1_000, 1_000_000])
def test_old_garbage_is_not_frozen_because_the_young_took_long(
    many: int, garbage: GarbageCollector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network in a cycle would stay in a card's memory for as long as its project is open."""
    monkeypatch.setattr(garbage_collector, "MANY", many)
    ended_in: list[int] = []
    knot = Knot(ended_in)
    gc.collect()
    del knot
    for _ in range(150):
        kept = make_much()
        garbage.collect()
        del kept
    assert ended_in


@pytest.mark.usefixtures("each_is_long")
def test_what_survives_a_long_collection_of_all_is_not_examined_again(
    garbage: GarbageCollector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(garbage_collector, "MANY", 1_000)
    gc.unfreeze()  # what came before
    kept = make_much()
    garbage.collect()
    assert gc.get_freeze_count() >= len(kept)


@pytest.mark.usefixtures("each_is_long")
def test_new_objects_do_not_pile_up_over_many_rounds_until_a_collection_takes_a_second(
    garbage: GarbageCollector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(garbage_collector, "MANY", 20_000)
    gc.unfreeze()  # what came before
    kept = []
    for _ in range(6):
        kept.append(make_much())
        garbage.collect()
    assert gc.get_freeze_count() >= 4 * 5_000


def test_nothing_is_collected_while_labels_are_read(garbage: GarbageCollector) -> None:
    ended_in: list[int] = []
    with collection_paused:
        Knot(ended_in)
        kept = make_much()
        garbage.collect()
        assert not ended_in
    assert kept
    assert not gc.isenabled(), "it is still collected by the window alone"


def test_what_was_frozen_is_looked_at_again_when_a_project_is_closed_and_not_when_one_is_opened(
    garbage: GarbageCollector,
) -> None:
    session = Session()
    begin(session)
    ended_in: list[int] = []
    knot = Knot(ended_in)
    gc.freeze()
    del knot
    session.document = cast(Document, object())
    session.document_changed.emit()
    gc.collect()
    assert not ended_in
    session.document = None
    session.document_changed.emit()
    gc.collect()
    assert ended_in


class HalfGone:
    """Raises where nobody can catch it, as a method that Qt calls while its object goes."""

    def __init__(self) -> None:
        self.itself = self

    def __del__(self) -> None:
        sys.excepthook(AttributeError, AttributeError("no size any more"), None)


def test_what_half_gone_objects_raise_is_no_error_of_the_program(
    garbage: GarbageCollector, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[object] = []
    monkeypatch.setattr(sys, "excepthook", lambda *what: heard.append(what))
    HalfGone()
    kept = make_much()
    garbage.collect()
    assert kept
    assert heard == []
    sys.excepthook(ValueError, ValueError("a fault"), None)
    assert len(heard) == 1, "of the program itself as before"
