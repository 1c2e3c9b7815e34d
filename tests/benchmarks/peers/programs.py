"""How the peers are started and what their parts are called. Runs in a peer's interpreter, never in Workbench's.

Each is started by its own main(), as its command does; `when_painted` is called once its window has been painted.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from pathlib import Path

MARGIN = 8
"""Widget pixels around the picture, as on Workbench's canvas when the picture is fitted."""


class Labelme:
    """Versions 6 (PyQt5) and 7 (PySide6)."""

    bindings = ("PySide6", "PyQt5")

    def main(self):
        sys.argv = ["labelme"]
        from labelme.__main__ import main

        main()

    def canvas(self, window):
        return window._canvas_widgets.canvas

    def open_image(self, window, image):
        window._load_from_file_or_dir(file_or_dir=image)

    def show(self, canvas, boxes):
        import inspect

        from labelme._shape import Shape

        shapes = []
        for label, (x0, y0, x1, y1) in boxes:
            if "points" in inspect.signature(Shape).parameters:
                shape = Shape(label=label, shape_type="rectangle", points=[(x0, y0), (x1, y1)], closed=True)
            else:
                shape = Shape(label=label, shape_type="rectangle")
                shape.add_point(point(x0, y0))
                shape.add_point(point(x1, y1))
                shape.close()
            shapes.append(shape)
        canvas.load_shapes(shapes=shapes)

    def files(self, window):
        return window._docks.file_list

    def open(self, window, folder):
        window._load_from_file_or_dir(file_or_dir=folder)


class XAnyLabeling:
    bindings = ("PyQt6",)

    def main(self):
        sys.argv = ["xanylabeling", "--no-auto-update-check", "--work-dir", os.path.expanduser("~")]
        from anylabeling.app import main

        main()

    def canvas(self, window):
        return window.labeling_widget.view.canvas

    def open_image(self, window, image):
        window.labeling_widget.view.load_file(image)

    def show(self, canvas, boxes):
        from anylabeling.views.labeling.shape import Shape

        canvas.load_shapes([four_corners(Shape(label=label, shape_type="rectangle"), box) for label, box in boxes])

    def files(self, window):
        return window.labeling_widget.view.file_list_widget

    def open(self, window, folder):
        window.labeling_widget.view.import_image_folder(folder)


class LabelImg:
    bindings = ("PyQt5",)

    def main(self):
        # Its own place for the list of classes is not in the package.
        classes = Path.home() / "classes.txt"
        classes.write_text("label 1\n")
        sys.argv = ["labelImg", "", str(classes)]
        from labelImg.labelImg import main

        main()

    def canvas(self, window):
        return window.canvas

    def open_image(self, window, image):
        window.load_file(image)

    def show(self, canvas, boxes):
        from libs.shape import Shape

        canvas.load_shapes([four_corners(Shape(label=label), box) for label, box in boxes])

    def files(self, window):
        return window.file_list_widget

    def open(self, window, folder):
        window.import_dir_images(folder)


PROGRAMS = {"labelme": Labelme(), "x-anylabeling-cvhub": XAnyLabeling(), "labelImg": LabelImg()}
program = PROGRAMS[sys.argv[1]]
arguments = sys.argv[2:]


def qt(module):
    """A module of the Qt binding that the peer uses."""
    for binding in program.bindings:
        try:
            return importlib.import_module(f"{binding}.{module}")
        except ImportError:
            continue
    raise ImportError(f"none of {program.bindings} is installed")


def point(x, y):
    return qt("QtCore").QPointF(x, y)


def four_corners(shape, box):
    x0, y0, x1, y1 = box
    for x, y in ((x0, y0), (x1, y0), (x1, y1), (x0, y1)):
        shape.add_point(point(x, y))
    shape.close()
    return shape


def run(when_painted):
    """Start the program; `when_painted(window)` is called in its event loop after the first painting of its window."""
    widgets, core = qt("QtWidgets"), qt("QtCore")
    application = widgets.QApplication
    loop = application.exec_ if core.__name__.startswith("PyQt5") else application.exec

    class Watch(core.QObject):
        seen = False

        def eventFilter(self, what, event):
            if not self.seen and event.type() == core.QEvent.Type.Paint and what.isWidgetType():
                window = what.window()
                if isinstance(window, widgets.QMainWindow):
                    self.seen = True
                    core.QTimer.singleShot(0, lambda: go(window))  # once all of the window has been painted
            return False

    watch = None

    def go(window):
        application.instance().removeEventFilter(watch)
        try:
            when_painted(window)
        except BaseException:
            import traceback

            traceback.print_exc(file=sys.__stderr__)
            sys.__stderr__.flush()
            os._exit(3)

    def watched_loop(*given):
        nonlocal watch
        watch = Watch()
        application.instance().installEventFilter(watch)
        return loop()

    for name in {"exec", "exec_"}:
        if hasattr(application, name):
            setattr(application, name, watched_loop)
    program.main()


def finish(**measured):
    """Print what was measured and end at once: no question whether to save, no waiting for threads."""
    print(json.dumps(measured), file=sys.__stdout__, flush=True)
    os._exit(0)


def since_start():
    """Milliseconds since the process was asked for."""
    return (time.monotonic_ns() - int(os.environ["PEER_STARTED"])) / 1e6


def resident():
    """Megabytes of memory that the process holds now (Linux), or held at most."""
    try:
        with open("/proc/self/statm", encoding="utf-8") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    except OSError:
        import resource

        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most / (1e6 if sys.platform == "darwin" else 1e3)


def when_idle(then, limit=60.0):
    """Call `then(seconds waited)` when the process has used next to no processor time for half a second."""
    core = qt("QtCore")
    timer, began, last = core.QTimer(), time.monotonic(), [time.process_time()]
    quiet = [0]

    def look():
        used, last[0] = time.process_time() - last[0], time.process_time()
        quiet[0] = quiet[0] + 1 if used < 0.02 else 0
        if quiet[0] >= 5 or time.monotonic() - began > limit:
            timer.stop()
            then(time.monotonic() - began)

    timer.timeout.connect(look)
    timer.start(100)
    when_idle.kept = timer  # or it would be collected
