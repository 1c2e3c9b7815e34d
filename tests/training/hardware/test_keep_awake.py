"""While a training runs, a machine that would fall asleep by itself is kept awake: asked of fakes of two systems."""

from __future__ import annotations

import contextlib
import ctypes
import sys
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from tests.raising import interrupt
from tests.training.run_results import MakeRequest
from workbench.training import loop
from workbench.training.events import Control
from workbench.training.hardware.keep_awake import kept_awake
from workbench.training.run import train


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """A Mac: the messages that its objects are sent, each with the types of its arguments after the first two."""
    sent: list[tuple[Any, ...]] = []
    results = {b"stringWithUTF8String:": "reason", b"processInfo": "info", b"beginActivityWithOptions:reason:": "work"}

    def message(kinds: tuple[Any, ...], to: Any, name: bytes, *given: Any) -> Any:
        assert kinds[:2] == (ctypes.c_void_p, ctypes.c_void_p)
        sent.append((to, name, *zip(kinds[2:], given, strict=True)))
        return results.get(name, to)

    def prototype(_result: Any, *kinds: Any) -> Callable[[tuple[str, Any]], Callable[..., Any]]:
        def function(named: tuple[str, Any]) -> Callable[..., Any]:
            return (lambda *given: message(kinds, *given)) if named[0] == "objc_msgSend" else (lambda name: name)

        return function

    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(ctypes, "CDLL", lambda file: file)
    monkeypatch.setattr(ctypes, "CFUNCTYPE", prototype)
    return sent


def test_windows_is_told_at_the_beginning_and_at_the_end_also_of_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[int] = []
    kernel = SimpleNamespace(SetThreadExecutionState=told.append)
    monkeypatch.setattr(ctypes, "windll", SimpleNamespace(kernel32=kernel), raising=False)
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(ZeroDivisionError), kept_awake():
        assert told == [0x80000001]
        interrupt()
    assert told == [0x80000001, 0x80000000]


def test_macos_is_told_at_the_beginning_and_at_the_end_also_of_a_failure(told: list[tuple[Any, ...]]) -> None:
    pointer = ctypes.c_void_p
    begins = [
        (b"NSString", b"stringWithUTF8String:", (ctypes.c_char_p, b"A training runs")),
        (b"NSProcessInfo", b"processInfo"),
        ("info", b"beginActivityWithOptions:reason:", (ctypes.c_uint64, 0xFFFFFF), (pointer, "reason")),
        ("work", b"retain"),
    ]
    with pytest.raises(ZeroDivisionError), kept_awake():
        assert told == begins
        interrupt()
    assert told[len(begins) :] == [("info", b"endActivity:", (pointer, "work")), ("work", b"release")]


def test_where_macos_can_not_be_told_it_is_trained_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")  # without its libraries
    with kept_awake():
        done = True
    assert done


def test_a_training_keeps_the_machine_awake_but_not_while_it_is_paused(
    request_of: MakeRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    control, awake, paused = Control(), [0], list[int]()

    @contextlib.contextmanager
    def recorded() -> Iterator[None]:
        awake[0] += 1
        yield
        awake[0] -= 1

    def wait(_: float) -> bool:
        paused.extend(awake)
        control.pause.clear()
        return False

    control.pause.set()
    monkeypatch.setattr(loop, "kept_awake", recorded)
    monkeypatch.setattr(control.stop, "wait", wait)
    assert {awake[0] for _ in train(request_of(), control)} == {1}
    assert paused == [0]
    assert awake == [0]
