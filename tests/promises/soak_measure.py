"""What a soak measures in the window's process after each cycle, and what of it has grown.

Nothing here keeps more with time: lateness is counted in a table of milliseconds.
"""

from __future__ import annotations

import ctypes
import gc
import os
import statistics
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from PySide6.QtCore import QObject, Qt, QTimer
from PySide6.QtWidgets import QApplication

TICK = 5
"""Milliseconds between two looks at the clock by the window's loop."""
LATE, P99 = 50, 0.99
"""Milliseconds; at most so late in so many of the ticks."""
GROWTH = 0.05
"""Share by which memory may grow after warming up."""
FEW = 5
"""QObjects that come and go: timers that wait, animations."""
_LONGEST = 10_000  # ms; what is later counts as this


Stage = tuple[int, int, float, int, float]
"""Ticks, those later than LATE, the worst, those busy for longer, the busiest."""


@dataclass(frozen=True)
class Measure:
    """After one cycle. Memory in MiB: all that is resident, and what of it is no file's. Lateness in milliseconds."""

    cycle: int
    seconds: float  # since the window was shown
    resident: float
    own: float
    allocated: float  # what was asked of malloc and not freed
    python_threads: int
    threads: int
    handles: int
    children: int
    temporary: int  # files in the folder for temporary ones
    widgets: int
    top_levels: int
    objects: int  # QObjects below the window
    uncollected: int  # Python's objects that no collection looks at any more
    deeds: int
    ticks: int
    late99: float
    worst: float
    busy99: float  # the same counted in the thread's own time on a processor: what others on the machine took is not in
    busiest: float
    stages: dict[str, Stage] = field(default_factory=dict)
    open_files: tuple[str, ...] = ()


def measured(cycle: int, seconds: float, deeds: int, window: QObject, temporary: Path, clock: LoopClock) -> Measure:
    """Garbage that can be collected is, as the program would; what it no longer looks at is left alone."""
    gc.collect()
    process, memory = psutil.Process(), _memory()
    files = sorted(_target(f"/proc/self/fd/{number}") for number in os.listdir("/proc/self/fd"))
    return Measure(
        cycle, round(seconds, 1), memory["VmRSS"], memory["RssAnon"], _allocated(),
        len(_pythons_threads()), len(os.listdir("/proc/self/task")), len(files),
        len(process.children(recursive=True)), len(files_in(temporary)),
        len(QApplication.allWidgets()), len(QApplication.topLevelWidgets()), len(window.findChildren(QObject)),
        gc.get_freeze_count(), deeds, clock.late.ticks, clock.late.percentile(P99), clock.late.worst,
        clock.busy.percentile(P99), clock.busy.worst, clock.stages(), tuple(files),
    )  # fmt: skip


def files_in(temporary: Path) -> list[str]:
    """Not its folders: torch makes an empty one for what its compiler may keep."""
    return [str(file) for file in temporary.rglob("*") if file.is_file()]


def kinds_of_objects() -> Counter[str]:
    """How many Python objects there are of each kind, with those that no collection looks at any more.

    Afterwards none is passed over, so this changes what comes: for the end of a session.
    """
    gc.unfreeze()
    gc.collect()
    return Counter(f"{type(one).__module__}.{type(one).__qualname__}" for one in gc.get_objects())


def _pythons_threads() -> list[threading.Thread]:
    """Without those that Python made up for threads of Qt: it keeps them until a new thread has their number."""
    return [one for one in threading.enumerate() if not isinstance(one, threading._DummyThread)]


def _memory() -> dict[str, float]:
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    fields = (line.split() for line in lines if line.startswith(("VmRSS", "RssAnon")))
    return {name.rstrip(":"): round(int(kib) / 1024, 1) for name, kib, _ in fields}


class _MallInfo(ctypes.Structure):
    """glibc's struct mallinfo2: ten numbers."""

    _fields_ = [(f"number {place}", ctypes.c_size_t) for place in range(10)]


def _allocated() -> float:
    """0 where the C library can't say."""
    try:
        ask = ctypes.CDLL(None).mallinfo2
    except AttributeError:
        return 0.0
    ask.restype = _MallInfo
    told = ask()
    return round((getattr(told, "number 4") + getattr(told, "number 7")) / 2**20, 1)  # hblkhd and uordblks


def _target(link: str) -> str:
    try:
        return os.readlink(link)
    except OSError:  # the handle that listed the folder
        return ""


class Lateness:
    """Milliseconds, counted in a table."""

    def __init__(self) -> None:
        self._counts = [0] * (_LONGEST + 1)
        self.worst = 0.0

    def add(self, late: float) -> None:
        self._counts[min(round(late), _LONGEST)] += 1
        self.worst = max(self.worst, round(late, 1))

    @property
    def ticks(self) -> int:
        return sum(self._counts)

    def percentile(self, share: float) -> float:
        """Milliseconds that this share of the ticks is not later than."""
        left = share * self.ticks
        for late, count in enumerate(self._counts):
            left -= count
            if left <= 0:
                return float(late)
        return float(_LONGEST)


class LoopClock(QObject):
    """How late the window's loop comes to a timer, in all and by the stage that the session is in."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.stage = ""
        self.reset()
        self._timer = QTimer(self, interval=TICK, timerType=Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._tick)
        self._timer.start()

    def reset(self) -> None:
        """Begin to count anew, from now."""
        self.late, self.busy = Lateness(), Lateness()
        self._stages: dict[str, list[float]] = {}
        self._last, self._worked = time.perf_counter(), time.thread_time()

    def _tick(self) -> None:
        now, worked = time.perf_counter(), time.thread_time()
        late, busy = (max(0.0, 1000 * passed - TICK) for passed in (now - self._last, worked - self._worked))
        self._last, self._worked = now, worked
        self.late.add(late)
        self.busy.add(busy)
        stage = self._stages.setdefault(self.stage, [0, 0, 0.0, 0, 0.0])
        stage[0] += 1
        stage[1] += late > LATE
        stage[2] = max(stage[2], round(late, 1))
        stage[3] += busy > LATE
        stage[4] = max(stage[4], round(busy, 1))

    def stages(self) -> dict[str, Stage]:
        return {
            name: (int(ticks), int(late), worst, int(busy), busiest)
            for name, (ticks, late, worst, busy, busiest) in self._stages.items()
        }


def grown(warm: Sequence[Measure], last: Sequence[Measure], growth: float = GROWTH) -> list[str]:
    """What is more in the middle of the `last` measures than at the most of the `warm` ones, in sentences."""
    found = []
    for name in ("resident", "own"):
        before, after = (statistics.median(getattr(one, name) for one in some) for some in (warm, last))
        if after > before * (1 + growth):
            found.append(f"memory ({name}) grew from {before:.0f} to {after:.0f} MiB, by {after / before - 1:.1%}")
    for name in ("python_threads", "threads", "handles", "children", "temporary", "widgets", "top_levels", "objects"):
        most = max(getattr(one, name) for one in warm) + (FEW if name == "objects" else 0)
        after = statistics.median_low(getattr(one, name) for one in last)
        if after > most:
            found.append(f"{name.replace('_', ' ')} grew from {most} to {after}")
    new = Counter(last[-1].open_files) - Counter(warm[0].open_files)
    if any(sentence.startswith("handles") for sentence in found):
        found.append(f"open and were not before: {sorted(new.elements())}")
    return found
