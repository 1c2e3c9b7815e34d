"""Opening a folder of images with the peer's own code: folder.py PEER FOLDER

Prints {"returns_ms": until its function returns, "shown_ms": until its list of files has been painted with rows,
"rows", "block_ms": the longest time in which its event loop did not run, until it has nothing more to do,
"rss_growth_mb": memory in use then beyond that before, "idle_after_s": how long after returning that was found}.
"""

from __future__ import annotations

import time

from programs import arguments, finish, program, qt, resident, run, when_idle


def measure(window):
    when_idle(lambda _: measure_idle(window))


def measure_idle(window):
    core = qt("QtCore")
    files = program.files(window)
    files.window().show()
    measured = {"shown_ms": None, "block_ms": 0.0}
    memory, start = resident(), time.perf_counter()
    last = [start]

    class Watch(core.QObject):
        def eventFilter(self, what, event):
            if event.type() == core.QEvent.Type.Paint and measured["shown_ms"] is None and files.count():
                core.QTimer.singleShot(0, painted)
            return False

    def painted():
        if measured["shown_ms"] is None:
            measured["shown_ms"] = 1000 * (time.perf_counter() - start)

    def beat():
        now = time.perf_counter()
        measured["block_ms"] = max(measured["block_ms"], 1000 * (now - last[0]))
        last[0] = now

    watch = Watch()
    files.viewport().installEventFilter(watch)
    heart = core.QTimer()
    heart.timeout.connect(beat)
    heart.start(1)
    program.open(window, arguments[0])
    measured["returns_ms"] = 1000 * (time.perf_counter() - start)

    def done(waited):
        kept = watch, heart
        assert kept
        finish(**measured, rows=files.count(), rss_growth_mb=resident() - memory, idle_after_s=waited)

    when_idle(done, limit=120)


run(measure)
