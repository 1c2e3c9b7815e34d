"""The lock of a project holds and lets go on a full disk too, where its text can't be written."""

from __future__ import annotations

from pathlib import Path

import pytest

from workbench.core.lock import FILE, Lock


def test_a_second_opener_is_told_who_holds_it(tmp_path: Path) -> None:
    first, second = Lock(tmp_path), Lock(tmp_path)
    assert (first.held, second.held) == (True, False)
    assert "process" in second.holder
    first.release()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_no_reason_not_to_open(tmp_path: Path) -> None:
    (tmp_path / FILE).symlink_to("/dev/full")
    lock = Lock(tmp_path)
    assert lock.held
    lock.release()
