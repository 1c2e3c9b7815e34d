"""Suggestions of a trained run on the Label page: a line above the canvas, boxes on it, one key to take one or all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QHideEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QSlider

from workbench.core.project import Box
from workbench.core.words import count, percent
from workbench.errors import WorkbenchError
from workbench.inference import suggest
from workbench.inference.suggest import Ask, Finder, Found, Suggestion
from workbench.training import runs
from workbench.training.runs import RunInfo
from workbench.ui import preferences, theme
from workbench.ui.annotate import ghosts
from workbench.ui.annotate.canvas import Canvas
from workbench.ui.background import Background
from workbench.ui.session import Session
from workbench.ui.widgets.elided import Elided, ElidedCombo

USUAL = 30  # percent
STEP = 5  # percent, of a key
_KEPT = "label/suggest-confidence"


class SuggestBar(QFrame):
    """Hidden until `switch(True)`. It asks for the image that is shown; `finder` is a Finder, or a fake."""

    def __init__(self, session: Session, canvas: Canvas, *, finder: Callable[[Ask], Found] | None = None) -> None:
        super().__init__()
        self.setObjectName("suggest-bar")
        self.setProperty("role", "bar")
        self._session, self._canvas = session, canvas
        self._finder: Callable[[Ask], Found] = finder or Finder()
        self._image = 0
        self._answer: Found | WorkbenchError | None = None
        self._back: Background | None = None
        self._list: Background | None = None
        self._run = ElidedCombo("The run whose network suggests boxes.")
        self._run.setObjectName("suggest-run")
        self._run.setAccessibleName("Run that suggests boxes")
        self._run.setFixedWidth(136)
        self._least = QSlider(Qt.Orientation.Horizontal)
        self._least.setRange(1, 99)
        self._least.setObjectName("suggest-confidence")
        self._least.setAccessibleName("Least confidence of a suggestion")
        self._least.setToolTip("Least confidence of a suggestion: Up and Down on the picture change it, too")
        self._least.setFixedWidth(80)
        self._least.setValue(int(preferences.get(_KEPT, USUAL)))
        self._words = Elided()
        self._words.setObjectName("suggest-words")
        self._number = QLabel()
        self._number.setMinimumWidth(self._number.fontMetrics().horizontalAdvance("99 % "))
        self.all = QPushButton("Take all")
        self.all.setObjectName("suggest-all")
        self.all.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.all.clicked.connect(self.take_all)
        row = QHBoxLayout(self)
        row.setContentsMargins(theme.GRID, 4, theme.GRID, 4)
        row.setSpacing(theme.GRID)
        for widget in (QLabel("Suggestions of"), self._run, QLabel("from"), self._least, self._number):
            row.addWidget(widget)
        row.addWidget(self._words, 1)
        row.addWidget(self.all)
        self._run.activated.connect(self._run_chosen)
        self._least.valueChanged.connect(self._moved)
        session.runs_changed.connect(self._list_runs)
        session.document_changed.connect(self._forget)
        self.hide()

    # --- on and off ---

    @Slot(bool)
    def switch(self, on: bool) -> None:
        self.setVisible(on)
        if on:
            self._list_runs()
        else:
            self._answer = None
            self._show()

    def hideEvent(self, event: QHideEvent) -> None:
        preferences.put(_KEPT, self._least.value())
        super().hideEvent(event)

    def close_down(self) -> None:
        """The window goes: wait for what is being looked at."""
        for background in (self._back, self._list):
            if background is not None:
                background.close()
                background.deleteLater()
        self._back = self._list = None

    @Slot()
    def _forget(self) -> None:
        self._answer = None
        self._run.clear()
        self._show()
        if not self.isHidden():
            self._list_runs()

    # --- runs ---

    @Slot()
    def _list_runs(self) -> None:
        document = self._session.document
        if self.isHidden() or document is None:
            return
        if self._list is None:
            self._list = Background("Reading the runs", runs.runs, self)
            self._list.done.connect(self._listed)
        self._list.ask([document.runs_folder])

    @Slot(object, object)
    def _listed(self, _folder: object, found: object) -> None:
        chosen = self._checkpoint
        self._run.clear()
        for run in found if isinstance(found, tuple) else ():
            if isinstance(run, RunInfo) and run.checkpoint is not None:
                self._run.addItem(run.name, run.checkpoint)
                if run.checkpoint == chosen:
                    self._run.setCurrentIndex(self._run.count() - 1)
        self._ask()

    @property
    def _checkpoint(self) -> Path | None:
        file = self._run.currentData()
        return file if isinstance(file, Path) else None

    @Slot()
    def _run_chosen(self) -> None:
        self._ask()
        self._canvas.setFocus()

    # --- looking ---

    def show_image(self, image: int) -> None:
        """This image is on the canvas, 0 for none, with its boxes as they are now: what is labelled isn't suggested."""
        if image != self._image:
            self._image, self._answer = image, None
            self._ask()
        elif not self.isHidden():
            self._show()

    def _ask(self) -> None:
        document, checkpoint = self._session.document, self._checkpoint
        if self.isHidden():
            return
        if isinstance(self._answer, WorkbenchError):
            self._answer = None
        self._show()
        if document is None or not self._image or checkpoint is None or not document.images().has(self._image):
            return
        if self._back is None:
            self._back = Background("Looking for suggestions", self._look, self)
            self._back.done.connect(self._came)
        image = document.image(self._image)
        self._back.ask([Ask(checkpoint, image.id, document.file(image), document.window())])

    def _look(self, ask: Ask) -> Found:
        """In a thread: PyTorch and the plugins are loaded there."""
        from workbench import plugins

        plugins.loaded()
        return self._finder(ask)

    @Slot(object, object)
    def _came(self, ask: object, result: object) -> None:
        if not isinstance(ask, Ask) or (ask.image, ask.checkpoint) != (self._image, self._checkpoint):
            return
        if isinstance(result, Found | WorkbenchError):
            self._answer = result
            self._show()

    # --- what is shown ---

    @property
    def _found(self) -> Found | None:
        """What the chosen run sees in the image that is shown."""
        found = self._answer if isinstance(self._answer, Found) else None
        now = self._image, self._checkpoint
        return found if found is not None and (found.ask.image, found.ask.checkpoint) == now else None

    @property
    def _suggested(self) -> tuple[Suggestion, ...]:
        document, found = self._session.document, self._found
        if self.isHidden() or document is None or found is None:
            return ()
        return suggest.suggestions(found, document.labels(), document.boxes(self._image), self._least.value() / 100)

    def _show(self) -> None:
        some = self._suggested
        self._canvas.ghosts = some
        self._canvas.update()
        self.all.setEnabled(bool(some))
        self._number.setText(percent(self._least.value() / 100, 0))
        self._words.setText(self._told(len(some)))

    def _told(self, number: int) -> str:
        document = self._session.document
        if document is None or self._checkpoint is None:
            return "No trained run yet: train one on the Train page."
        if isinstance(self._answer, WorkbenchError):
            return self._answer.sentence
        found = self._found
        if found is None:
            return "Looking …" if self._image else ""
        if number:
            return f"{count(number, 'box')}. Enter: the marked one; Shift+Enter: all."
        strange = suggest.unknown(found, document.labels())
        if len(strange) == len(found.labels):
            return f"The run's labels ({', '.join(strange[:3])}, …) are none of this project's."
        return "Nothing that is not labelled. Down lowers the confidence."

    @Slot()
    def _moved(self) -> None:
        self._show()

    def push(self, steps: int) -> bool:
        """Up (1) and Down (-1) on the picture; whether they mean anything."""
        if self.isHidden():
            return False
        self._least.setValue(self._least.value() + steps * STEP)
        return True

    # --- taking ---

    @Slot()
    def take_marked(self) -> None:
        """Enter."""
        one = ghosts.marked(self._canvas)
        if one is not None:
            self._draw((one,))

    @Slot()
    def take_all(self) -> None:
        """Shift+Enter."""
        self._draw(tuple(self._canvas.ghosts))

    def _draw(self, taken: tuple[Suggestion, ...]) -> None:
        if taken and self._image and not self._canvas.hidden:  # nobody takes what can't be seen
            self._session.draw(tuple(Box(0, self._image, one.label, one.xyxy) for one in taken))
