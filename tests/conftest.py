"""What all tests share: the test data beside the repository, a window without a screen, a clean home."""

from __future__ import annotations

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
    from workbench.inference.runtimes import Process

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
if "PYTEST_XDIST_WORKER" in os.environ:  # one thread for each of the processes that share the processors
    os.environ.setdefault("OMP_NUM_THREADS", "1")
# what workbench's six hundred files compile to is kept, as a user's: half a second for each of the processes that begin
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
MEMORY = Path("/dev/shm")  # a disk of which each of 10,000 files and changes is waited for takes minutes
if os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > 6e9:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))


def pytest_sessionstart() -> None:
    """After pytest-qt has imported PySide6, and before the tests import PyTorch: a second and 100 MB a process."""
    keep_no_sources()


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Of garbage in cycles is not looked for while tests are imported, nor among their 600,000 objects ever after.

    Among what tests then make all of it is looked through less often: a tenth of their time went into that.
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
    """Of several processes, none is to begin a test of a minute when the others have run out of work."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder with real photographs, golden arrays and foreign annotation files; skips where it is absent."""
    beside = Path(__file__).resolve().parents[2] / "shared"
    folder = Path(os.environ.get("WORKBENCH_TEST_DATA", beside))
    if not (folder / "data").is_dir():
        pytest.skip(f"no test data in {folder}: set WORKBENCH_TEST_DATA")
    return folder


@pytest.fixture(scope="session")
def _homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One for each test. In a folder of their own: mktemp looks through all that is there, thousands in the end."""
    within = tmp_path_factory.mktemp("homes")
    return (within / str(number) for number in itertools.count())


@pytest.fixture(scope="session")
def process() -> Iterator[Process]:
    """Runs exported files one after another: it imports PyTorch, which takes longer than most files."""
    from workbench.inference.runtimes import Process

    with Process() as process:
        yield process


@pytest.fixture(autouse=True)
def _own_home(_homes: Iterator[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings, logs and caches of the program go to a temporary folder, never to the developer's own."""
    home = next(_homes)
    home.mkdir()
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(home / name.lower()))
