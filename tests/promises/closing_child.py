"""Opens the program on a project, starts a job of one kind, and closes the window after a while, as a person would.

    python -m tests.promises.closing_child PROJECT KIND MILLISECONDS [careless]

The program is the real one, `workbench.__main__`; its exit code is this process's. "closing" and the time are printed
when the window is closed. *careless*: its jobs are not waited for before the window goes, which must not end well.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QAction, QShowEvent
from PySide6.QtWidgets import QAbstractButton, QComboBox, QLineEdit

import workbench.ui.window.main_window as main_window
from workbench.__main__ import main
from workbench.ui.job import Job
from workbench.ui.project import training_question
from workbench.ui.session import Session

LOOK = 10
"""Milliseconds between two looks whether a job has begun."""
SMALL = {"epochs": "500", "input_px": "64", "batch": "4", "width": "0.25", "threads": "1"}


class Acting(main_window.MainWindow):
    """Begins when it is seen; closes itself `after` milliseconds from the beginning of its job."""

    kind, after, photographs, labels = "", 0, Path(), Path()
    careless = False

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, self.careless)
        steps = KINDS[self.kind](self)
        self._clock = QTimer(self, interval=LOOK)
        self._clock.timeout.connect(lambda: self._look(steps))
        self._clock.start()

    def _look(self, steps: list[Callable[[], bool]]) -> None:
        """One step after the other; each says whether it could be done."""
        while steps and steps[0]():
            steps.pop(0)
        if not steps:
            self._clock.stop()
            QTimer.singleShot(self.after, self._leave)

    def _leave(self) -> None:
        training_question.ask = lambda *_: True  # tests/ui/window/test_window_closing.py has the question
        print("closing", time.time(), flush=True)
        self.close()

    # --- steps ---

    def is_open(self) -> bool:
        return self.session.document is not None

    def works(self) -> bool:
        return bool(self.session.jobs)

    def trains(self) -> bool:
        return any(job.is_training for job in self.session.jobs)

    def page(self, name: str) -> Callable[[], bool]:
        def show() -> bool:
            self.show_page(name)
            return True

        return show

    def press(self, kind: type, name: str) -> Callable[[], bool]:
        def do() -> bool:
            found: Any = self.findChild(kind, name)
            if found is None or not found.isEnabled():
                return False
            (found.trigger if kind is QAction else found.click)()
            return True

        return do

    def type(self, texts: dict[str, str]) -> Callable[[], bool]:
        def do() -> bool:
            fields = {name: self.findChild(QLineEdit, name) for name in texts}
            if any(field is None for field in fields.values()):
                return False
            for name, text in texts.items():
                fields[name].setText(text)
            return True

        return do

    def may_choose_a_detector(self) -> bool:
        """PyTorch is loaded."""
        picker = self.findChild(QComboBox, "train-detector")
        return isinstance(picker, QComboBox) and picker.isEnabled()

    def creates(self) -> bool:
        self.offer(self.photographs)
        return self.press(QAbstractButton, "new-project-create")()

    def imports(self) -> bool:
        field = self.findChild(QLineEdit, "import-path")
        if field is None:
            return False
        field.setText(str(self.labels))
        field.returnPressed.emit()
        return True


def _training(window: Acting) -> list[Callable[[], bool]]:
    settings = window.type({f"train-form-{name}": value for name, value in SMALL.items()})
    start = window.press(QAbstractButton, "train-start")
    return [window.is_open, window.page("train"), window.may_choose_a_detector, settings, start, window.trains]


KINDS: dict[str, Callable[[Acting], list[Callable[[], bool]]]] = {
    "reading a folder": lambda w: [w.is_open, w.creates, w.works],
    "thumbnails": lambda w: [w.is_open, w.page("data")],
    "a picture": lambda w: [w.is_open, w.page("label")],
    "an import's dry run": lambda w: [
        w.is_open,
        w.page("data"),
        w.press(QAction, "action-import-labels"),
        w.imports,
        w.works,
    ],
    "a check of the data": lambda w: [w.is_open, w.page("data"), w.press(QAction, "action-check-data"), w.works],
    "anchors": lambda w: [w.is_open, w.page("anchors")],
    "loading PyTorch": lambda w: [w.is_open, w.page("train"), w.works],
    "a training": _training,
}


def run() -> int:
    project, Acting.kind, after = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    Acting.after = int(after)
    Acting.photographs, Acting.labels = project.parent / "photographs", project.parent / "labels"
    Acting.careless = sys.argv[4:] == ["careless"]
    if Acting.careless:
        Job.end = lambda *_, **__: True  # type: ignore[method-assign]
        Session.end_jobs = lambda *_, **__: True  # type: ignore[method-assign]
    main_window.MainWindow = Acting  # type: ignore[misc]
    sys.argv[1:] = [str(project)]
    return main()


if __name__ == "__main__":
    raise SystemExit(run())
