"""What the program sets for its process before the window is made."""

from __future__ import annotations

import errno
import linecache
import logging
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from workbench.ui.app import PACKAGES, _LogFile, keep_no_sources

ROOT = Path(__file__).resolve().parents[2]
CHILD = """
import ctypes, sys, threading
from workbench.ui.app import few_arenas
if sys.argv[2] == "few":
    few_arenas()
together = threading.Barrier(6)
def take():
    together.wait()
    pieces = [b"x" * 50_000 for _ in range(20)]
    together.wait()
threads = [threading.Thread(target=take) for _ in range(6)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
libc = ctypes.CDLL(None)
libc.fopen.restype = ctypes.c_void_p
file = ctypes.c_void_p(libc.fopen(sys.argv[1].encode(), b"w"))
libc.malloc_info(0, file)
libc.fclose(file)
"""

CLOSED = """
import gc
from workbench.ui import app
app._painted = lambda window: window.close()
code = app.run(None)
print(code, len(gc.get_objects()), gc.get_freeze_count())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="of glibc")
def test_all_threads_take_memory_from_two_places(tmp_path: Path) -> None:
    arenas = {}
    for how in ("few", "as it is"):
        subprocess.run([sys.executable, "-c", CHILD, str(tmp_path / how), how], check=True)
        arenas[how] = (tmp_path / how).read_text().count("<heap nr=")
    assert arenas["few"] == 2
    assert arenas["as it is"] > 4


def test_python_does_not_look_through_all_objects_once_more_when_the_window_is_closed(tmp_path: Path) -> None:
    """With PyTorch loaded the process lived for seconds longer than its window."""
    homes = {f"XDG_{name}_HOME": str(tmp_path) for name in ("CONFIG", "DATA", "STATE", "CACHE")}
    own = {**os.environ, "HOME": str(tmp_path), "QT_QPA_PLATFORM": "offscreen", **homes}
    run = subprocess.run([sys.executable, "-c", CLOSED], check=True, env=own, cwd=ROOT, stdout=subprocess.PIPE)
    code, examined, left_alone = map(int, run.stdout.split())
    assert code == 0
    assert examined < left_alone / 100


def test_the_lines_of_modules_are_not_kept_after_a_look_for_pyside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    feature = pytest.importorskip("shibokensupport.feature")
    monkeypatch.syspath_prepend(tmp_path)
    keep_no_sources()
    for name, source in {"with_qt": "import PySide6.QtCore", "without": "import json"}.items():
        (tmp_path / f"{name}.py").write_text(source)
        __import__(name)  # which PySide looks at
    assert feature.pyside_feature_dict["with_qt"] == 0
    assert feature.pyside_feature_dict["without"] == -1  # no names are changed there
    assert not any(str(tmp_path) in file for file in linecache.cache)


@pytest.mark.parametrize("refuses", [True, False])
def test_a_full_log_goes_on_where_windows_does_not_let_it_be_put_away(
    refuses: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A second window has it open: all that either of them said from then on was lost."""

    def rename(*_: object) -> None:
        raise PermissionError(errno.EACCES, "The process cannot access the file")

    if refuses:
        monkeypatch.setattr(os, "rename", rename)
    handler = _LogFile(tmp_path / "workbench.log")
    for words in ("a" * 700_000, "b" * 700_000, "the last words"):
        handler.emit(logging.LogRecord("test", logging.INFO, __file__, 1, words, None, None))
    assert handler._opened is not None
    handler._opened.close()
    kept = (tmp_path / "workbench.log").read_text(encoding="utf-8")
    assert kept.endswith("the last words\n")
    assert ("aaa" in kept) is refuses
    assert capsys.readouterr().err == ""


def test_readme_names_the_packages_that_the_program_asks_for_and_that_of_venv() -> None:
    """Debian's python3 makes no environment without it, and then nothing can say so but its own error."""
    (line,) = re.findall(r"^sudo apt install .*", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE)
    assert set(line.split()) == {*PACKAGES.split(), "python3-venv"}
