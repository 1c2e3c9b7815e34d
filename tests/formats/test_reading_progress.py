"""Who waits for a reading hears of its steps, may end it, and hears of no other's."""

from __future__ import annotations

import threading

import pytest

from workbench.formats.parts.reading_progress import ReadingStopped, report_steps, step


def test_steps_are_told_to_the_one_that_watches_and_to_nobody_after_it() -> None:
    told: list[str] = []
    step("before")
    with report_steps(told.append):
        step("within")
    step("after")
    assert told == ["within"]


def test_a_watcher_ends_what_it_watches() -> None:
    def refuse(_what: str) -> None:
        raise ReadingStopped

    with pytest.raises(ReadingStopped), report_steps(refuse):
        step("file")
    step("nobody watches any more")


def test_another_thread_is_not_watched() -> None:
    told: list[str] = []
    with report_steps(told.append):
        other = threading.Thread(target=step, args=("elsewhere",))
        other.start()
        other.join()
    assert told == []
