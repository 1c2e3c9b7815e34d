"""Windows replaces no file that somebody has open: a scanner's moment is waited for, and who keeps it is told of."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from workbench.core import files, windows_files
from workbench.core.decoding import refusals
from workbench.core.windows_files import retry_while_in_use
from workbench.errors import WorkbenchError

DENIED, SHARING, MAPPED = 5, 32, 1224  # Windows' numbers


@pytest.fixture
def waited(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """On Windows, where waiting takes no time: for how long one would have."""
    seconds: list[float] = []
    monkeypatch.setattr(windows_files, "REFUSES", True)
    monkeypatch.setattr(time, "sleep", seconds.append)
    return seconds


def refused(number: int, *names: object) -> OSError:
    """As Python makes it of Windows' `number`."""
    kind, code = (OSError, errno.EINVAL) if number == MAPPED else (PermissionError, errno.EACCES)
    error = kind(code, "Access is denied", *names)
    error.winerror = number  # type: ignore[attr-defined]
    return error


def open_elsewhere(times: int, number: int = DENIED) -> Callable[[Path, Path], None]:
    """os.replace while somebody has the file open, so many times."""
    really, left = os.replace, [times]

    def replace(source: Path, target: Path) -> None:
        left[0] -= 1
        if left[0] >= 0:
            raise refused(number, str(source), None, str(target))
        really(source, target)

    return replace


@pytest.mark.parametrize("number", [DENIED, SHARING, MAPPED])
def test_a_file_that_is_open_for_a_moment_is_replaced_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, waited: list[float], number: int
) -> None:
    (tmp_path / "last.pt").write_text("old", encoding="utf-8")
    monkeypatch.setattr(os, "replace", open_elsewhere(3, number))
    files.atomic_write(tmp_path / "last.pt", "new")
    assert (tmp_path / "last.pt").read_text(encoding="utf-8") == "new"
    assert len(waited) == 3


def test_who_keeps_it_open_is_told_of_and_the_old_content_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, waited: list[float]
) -> None:
    (tmp_path / "found.csv").write_text("old", encoding="utf-8")
    monkeypatch.setattr(os, "replace", open_elsewhere(1000))
    with pytest.raises(WorkbenchError, match="another program has it open"):
        files.atomic_write(tmp_path / "found.csv", "new")
    assert os.listdir(tmp_path) == ["found.csv"]
    assert (tmp_path / "found.csv").read_text(encoding="utf-8") == "old"
    assert 0.5 < sum(waited) < 2


def test_what_waiting_does_not_help_is_told_at_once(waited: list[float]) -> None:
    def gone() -> None:
        raise FileNotFoundError(errno.ENOENT, "not there")

    with pytest.raises(FileNotFoundError):
        retry_while_in_use(gone)
    assert not waited


def test_elsewhere_nobody_waits_because_permission_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows_files, "REFUSES", False)
    tries = []

    def deny() -> None:
        tries.append(1)
        raise PermissionError(errno.EACCES, "Permission denied")

    with pytest.raises(PermissionError):
        retry_while_in_use(deny)
    assert len(tries) == 1


def test_an_image_that_windows_does_not_hand_out_is_told_with_the_reason(tmp_path: Path, waited: list[float]) -> None:
    assert "another program has it open" in refusals.not_readable(refused(SHARING, "a.jpg"))
    assert "no permission to read it" in refusals.not_readable(refused(DENIED, "a.jpg"))
    far = FileNotFoundError(errno.ENOENT, "The system cannot find the path", str(tmp_path / ("x" * 120) / ("y" * 120)))
    assert "longer than Windows allows" in refusals.not_readable(far)
    near = FileNotFoundError(errno.ENOENT, "The system cannot find the file", str(tmp_path / "a.jpg"))
    assert "is not there" in refusals.not_readable(near)


def test_a_path_that_is_too_long_for_windows_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, waited: list[float]
) -> None:
    """It says that there is no such folder."""

    def mkdir(folder: Path, *_: object, **__: object) -> None:
        raise FileNotFoundError(errno.ENOENT, "The system cannot find the path specified", str(folder))

    monkeypatch.setattr(Path, "mkdir", mkdir)
    with pytest.raises(WorkbenchError, match="longer than Windows allows"):
        files.atomic_write(tmp_path / ("x" * 120) / ("y" * 120) / "labels.txt", "new")
    with pytest.raises(WorkbenchError, match="cannot find the path"):
        files.atomic_write(tmp_path / "labels.txt", "new")
