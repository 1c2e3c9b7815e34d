"""PySide6 6.12.0 on Python 3.11 loses a reference to None or True at each void call and aborts after some 5,000."""

from __future__ import annotations

import subprocess
import sys

_CALLS = """
from PySide6.QtCore import QObject, QPointF, QRectF
from PySide6.QtGui import QImage, QPainter
thing, picture = QObject(), QImage(8, 8, QImage.Format.Format_RGB32)
painter = QPainter(picture)
for number in range(50_000):
    thing.setObjectName("x")
    painter.drawRect(QRectF(0, 0, 1, 1))
    thing.blockSignals(True)
painter.end()
print("alive")
"""


def test_a_hundred_thousand_void_calls_do_not_end_the_process() -> None:
    done = subprocess.run([sys.executable, "-c", _CALLS], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "alive"), done.stderr[-500:]
