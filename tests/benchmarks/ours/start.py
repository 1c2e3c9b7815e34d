"""start.py: prints {"paint_ms", "rss_mb"} as peers/start.py does, and the heavy libraries loaded at the painting."""

from __future__ import annotations

import sys

from program import finish, resident, run, since_start, when_calm


def measure() -> None:
    painted = since_start()
    heavy = sorted({"torch", "torchvision", "cv2", "pyqtgraph", "numpy", "qtawesome"} & set(sys.modules))
    when_calm(lambda: finish(paint_ms=painted, rss_mb=resident(), heavy=heavy))


if __name__ == "__main__":
    run(measure)
