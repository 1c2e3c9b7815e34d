"""Milliseconds for a full repaint of a peer's own canvas in its own window: canvas.py PEER IMAGE BOXES.json REPEATS

BOXES.json: a list of [label, [x0, y0, x1, y1]]. The canvas has 1600 x 1000 pixels, the picture is fitted into it.
Prints {"median_ms", "least_ms", "painted": pictures painted, "shapes", "size": of the canvas}.
"""

from __future__ import annotations

import json
import statistics
import time

from programs import MARGIN, arguments, finish, program, qt, run

WIDTH, HEIGHT = 1600, 1000


def measure(window):
    core, widgets = qt("QtCore"), qt("QtWidgets")
    image, boxes, repeats = arguments
    program.open_image(window, image)
    canvas = program.canvas(window)
    room = canvas.parentWidget()
    for _ in range(3):  # docks and bars take their part of what the window is given
        window.showNormal()
        window.resize(window.width() + WIDTH - room.width(), window.height() + HEIGHT - room.height())
        widgets.QApplication.processEvents()
    with open(boxes, encoding="utf-8") as file:
        program.show(canvas, json.load(file))
    picture = canvas.pixmap
    canvas.scale = min((WIDTH - 2 * MARGIN) / picture.width(), (HEIGHT - 2 * MARGIN) / picture.height())
    canvas.adjustSize()
    widgets.QApplication.processEvents()

    class Count(core.QObject):
        painted = 0

        def eventFilter(self, what, event):
            Count.painted += event.type() == core.QEvent.Type.Paint
            return False

    count = Count()
    canvas.installEventFilter(count)
    times = []
    for _ in range(int(repeats) + 1):
        before = Count.painted
        start = time.perf_counter()
        canvas.repaint()
        times.append(1000 * (time.perf_counter() - start))
        assert Count.painted == before + 1, "the canvas was not painted"
    finish(
        median_ms=statistics.median(times[1:]),
        least_ms=min(times[1:]),
        painted=Count.painted,
        shapes=len(canvas.shapes),
        size=[canvas.width(), canvas.height()],
    )


run(measure)
