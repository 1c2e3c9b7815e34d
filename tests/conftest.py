"""What all tests share: the test data beside the repository, an offscreen window, a clean home folder."""

from __future__ import annotations

import faulthandler
import gc
import itertools
import os
import shutil
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from workbench.ui.app import keep_no_sources

if TYPE_CHECKING:
    from workbench.inference.exporting.runtimes import RuntimeProcess

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
if "PYTEST_XDIST_WORKER" in os.environ:  # one thread for each of the processes that share the cores
    os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.pop("COLUMNS", None)  # xdist gives its workers one, which the program's consoles would keep for good
# keep compiled bytecode, as for a user: workbench's six hundred files cost each process half a second at its start
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
MEMORY = Path("/dev/shm")  # a disk that syncs each of 10,000 files and changes takes minutes
if os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > 6e9:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))


def pytest_sessionstart() -> None:
    """After pytest-qt imported PySide6, and before the tests import PyTorch: saves a second and 100 MB a process."""
    keep_no_sources()


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """No cyclic garbage is collected while tests are imported, nor are their 600,000 objects ever examined later.

    Full collections of what the tests create are rarer: they took a tenth of the tests' time.
    """
    if "PYTEST_XDIST_WORKER" not in os.environ:  # benchmarks collect as the program does
        return (yield)
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        young, older, _ = gc.get_threshold()
        gc.set_threshold(young, older, 30)  # instead of 10; networks in cycles are large
        gc.enable()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With several processes, none should start a test of a minute when the others have run out of work."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(key=lambda item: item.get_closest_marker("slow") is None)


ENDLESS = 60.0
"""Seconds that a test may go on after pytest-timeout has interrupted it."""
_stderr = pytest.StashKey[int]()


def pytest_configure(config: pytest.Config) -> None:
    with config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        config.stash[_stderr] = os.dup(2)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """End the process with the stacks of its threads if a test never ends.

    pytest-timeout interrupts Python: neither a lock that is held in C++, nor a dialog whose slots get the exception.
    """
    own = item.get_closest_marker("timeout")
    seconds = float(own.args[0] if own else item.config.getini("timeout"))
    faulthandler.dump_traceback_later(seconds + ENDLESS, exit=True, file=item.config.stash[_stderr])
    try:
        return (yield)
    finally:
        faulthandler.cancel_dump_traceback_later()


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder with real photographs, golden arrays and foreign annotation files; skips if it is absent."""
    beside = Path(__file__).resolve().parents[2] / "shared"
    folder = Path(os.environ.get("WORKBENCH_TEST_DATA", beside))
    if not (folder / "data").is_dir():
        pytest.skip(f"no test data in {folder}: set WORKBENCH_TEST_DATA")
    return folder


@pytest.fixture(scope="session")
def _homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One for each test. In their own folder: mktemp scans all siblings, which are thousands in the end."""
    within = tmp_path_factory.mktemp("homes")
    return (within / str(number) for number in itertools.count())


@pytest.fixture(scope="session")
def process() -> Iterator[RuntimeProcess]:
    """Runs exported files one after another: importing PyTorch takes longer than most files."""
    from workbench.inference.exporting.runtimes import RuntimeProcess

    with RuntimeProcess() as process:
        yield process


@pytest.fixture(autouse=True)
def _own_home(_homes: Iterator[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings, logs and caches of the program go to a temporary folder, never to the developer's own."""
    home = next(_homes)
    home.mkdir()
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(home / name.lower()))
