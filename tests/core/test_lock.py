"""The lock of a project holds and lets go on a full disk too, where its text can't be written."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from workbench.core.lock import FILE, Lock


def test_a_second_opener_is_told_who_holds_it(tmp_path: Path) -> None:
    first, second = Lock(tmp_path), Lock(tmp_path)
    assert (first.held, second.held) == (True, False)
    assert "process" in second.holder
    first.release()


def test_an_owner_that_has_not_said_who_it_is_yet_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Lock(tmp_path)
    said = (tmp_path / FILE).read_bytes()
    (tmp_path / FILE).write_bytes(b"")  # it has the lock, and is about to write
    waited: list[float] = []

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 2:
            (tmp_path / FILE).write_bytes(said)

    monkeypatch.setattr(time, "sleep", sleep)
    assert "process" in Lock(tmp_path).holder
    assert len(waited) == 2
    (tmp_path / FILE).write_bytes(b"")
    waited[:] = [0] * 3
    assert Lock(tmp_path).holder == "another process"
    first.release()


def test_a_lock_that_is_let_go_while_one_looks_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = Lock(tmp_path)
    (tmp_path / FILE).write_bytes(b"")
    monkeypatch.setattr(time, "sleep", lambda _: first.release())
    second = Lock(tmp_path)
    assert second.held
    second.release()


def test_a_folder_that_can_not_be_written_has_no_lock(tmp_path: Path) -> None:
    none = Lock(tmp_path / "not there")
    assert (none.held, none.writable) == (False, False)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_no_reason_not_to_open(tmp_path: Path) -> None:
    (tmp_path / FILE).symlink_to("/dev/full")
    taken = Lock(tmp_path)
    assert taken.held
    taken.release()
