"""What the program sets for its process before the window is made."""

from __future__ import annotations

import linecache
import subprocess
import sys
from pathlib import Path

import pytest

from workbench.ui.app import keep_no_sources

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


@pytest.mark.skipif(sys.platform != "linux", reason="of glibc")
def test_all_threads_take_memory_from_two_places(tmp_path: Path) -> None:
    arenas = {}
    for how in ("few", "as it is"):
        subprocess.run([sys.executable, "-c", CHILD, str(tmp_path / how), how], check=True)
        arenas[how] = (tmp_path / how).read_text().count("<heap nr=")
    assert arenas["few"] == 2
    assert arenas["as it is"] > 4


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
