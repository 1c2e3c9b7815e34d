"""Workbench's own window for the measuring scripts beside this one, which measure as peers/*.py do other programs."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QEvent, QObject, QTimer
from PySide6.QtWidgets import QApplication, QWidget

PROCESS_CALM = 0.05
"""Share of one processor below which the process has nothing more to do."""


def since_start() -> float:
    """Milliseconds since the parent started this process."""
    return (time.monotonic_ns() - int(os.environ["STARTED"])) / 1e6


def resident() -> float:
    """Megabytes of memory in use."""
    import psutil

    return psutil.Process().memory_info().rss / 1e6


class FirstPaint(QObject):
    """Calls `then` once the widget has been painted."""

    def __init__(self, widget: QWidget, then: Callable[[], object]) -> None:
        super().__init__(widget)
        self._then: Callable[[], object] | None = then
        widget.installEventFilter(self)

    def eventFilter(self, _watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Paint and self._then is not None:
            then, self._then = self._then, None
            QTimer.singleShot(0, then)
        return False


def when_calm(then: Callable[[], object], limit: float = 120.0) -> None:
    """Call `then` when the process has hardly computed for half a second."""
    state = [time.monotonic(), time.process_time(), time.monotonic()]

    def look() -> None:
        now, spent = time.monotonic(), time.process_time()
        if spent - state[1] < PROCESS_CALM * (now - state[0]) or now - state[2] > limit:
            then()
            return
        state[:2] = [now, spent]
        QTimer.singleShot(500, look)

    QTimer.singleShot(500, look)


def finish(**measured: object) -> None:
    print(json.dumps(measured))
    QApplication.closeAllWindows()


def run(then: Callable[[], object], project: Path | None = None) -> None:
    """Start the program as its command does, and call `then` after the first painting of its window."""
    from workbench.__main__ import main

    real = QApplication.exec

    def watched(*_: object) -> int:
        FirstPaint(next(w for w in QApplication.topLevelWidgets() if w.objectName() == "main-window"), then)
        return real()

    QApplication.exec = watched  # type: ignore[method-assign]
    sys.argv[1:] = [str(project)] if project is not None else []
    sys.exit(main())
