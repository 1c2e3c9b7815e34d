"""folder.py PHOTOGRAPHS PROJECT: a new project of a folder in the real window, its gallery in sight.

Prints, from the command on: {"shown_ms": until the gallery has been painted with rows, "listed_ms": until all images
are listed, "rows", "block_ms": the longest time in which the event loop did not run until all were listed,
"blocks" of more than 16 ms and "p99_ms" of all, "header_..." the same while headers are read, for five seconds,
"rss_growth_mb": memory in use then beyond that before}.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from pathlib import Path

from program import FirstPaint, finish, resident, run, when_calm
from PySide6.QtCore import QObject, QTimer, Slot
from PySide6.QtWidgets import QApplication

from workbench.core.document import Document
from workbench.ui.widgets.tile_view import TileView
from workbench.ui.window.main_window import MainWindow

PHOTOGRAPHS, PROJECT = map(Path, sys.argv[1:3])
BLOCK = 0.016
"""Seconds after which a frame is lost at 60 Hz."""
HEADERS = 5.0
"""Seconds for which the reading of headers is watched: 100,000 take longer."""


class Measured(QObject):
    """Opens a small project first, so that what is measured is the folder and not the making of pages."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self.window = window
        small = PROJECT.with_name("small")
        photographs = PROJECT.with_name("one photograph")
        photographs.mkdir(parents=True)
        first = next(entry for entry in os.scandir(PHOTOGRAPHS) if entry.name.endswith(".jpg"))
        shutil.copy(first.path, photographs / "1.jpg")
        Document.create(small, photographs).close()
        window.open(small)
        window.show_page("data")
        when_calm(self.begin)

    def begin(self) -> None:
        self.window.close_project()
        self.total = sum(1 for _ in os.scandir(PHOTOGRAPHS))
        when_calm(self.measure)

    def measure(self) -> None:
        self.gaps: list[tuple[float, float]] = []  # seconds since the command, seconds that the loop did not run
        self.memory, self.begun = resident(), time.perf_counter()
        self.last = self.begun
        self.shown = self.listed = 0.0
        self.heart = QTimer(self, interval=1)
        self.heart.timeout.connect(self.beat)
        self.heart.start()
        gallery = self.window.findChild(TileView, "gallery")
        assert gallery is not None
        self.gallery = gallery
        gallery.model().modelReset.connect(self.came)
        self.window._projects.create(PROJECT, PHOTOGRAPHS)

    @Slot()
    def came(self) -> None:
        if self.gallery.model().rowCount() and not self.shown:
            self.window.show_page("data")
            FirstPaint(self.gallery.viewport(), self.painted)
            self.gallery.viewport().update()
        if self.gallery.model().rowCount() == self.total:
            self.listed = time.perf_counter() - self.begun
            QTimer.singleShot(int(1000 * HEADERS), self.done)

    def painted(self) -> None:
        self.shown = time.perf_counter() - self.begun

    @Slot()
    def beat(self) -> None:
        now = time.perf_counter()
        self.gaps.append((now - self.begun, now - self.last))
        self.last = now

    def done(self) -> None:
        self.heart.stop()
        before = [gap for at, gap in self.gaps if at <= self.listed + 0.2]
        after = [gap for at, gap in self.gaps if at > self.listed + 0.2]
        finish(
            shown_ms=1000 * self.shown, listed_ms=1000 * self.listed, rows=self.gallery.model().rowCount(),
            rss_growth_mb=resident() - self.memory, **told(before, ""), **told(after, "header_"),
        )  # fmt: skip


def told(gaps: list[float], of: str) -> dict[str, float]:
    """Of the gaps between two turns of the event loop, in seconds."""
    longest = sorted(gaps)
    return {
        f"{of}block_ms": 1000 * longest[-1],
        f"{of}p99_ms": 1000 * longest[int(0.99 * len(longest))],
        f"{of}blocks": sum(gap > BLOCK for gap in gaps),
    }


def begin() -> None:
    (window,) = (w for w in QApplication.topLevelWidgets() if isinstance(w, MainWindow))
    Measured(window)


if __name__ == "__main__":
    run(begin)
