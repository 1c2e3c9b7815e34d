"""The batch of a step as the network sees it: the step being computed now, or any other of the run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QModelIndex, QSignalBlocker, Qt, QTimer, Slot
from PySide6.QtGui import QHideEvent
from PySide6.QtWidgets import QDialog, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from workbench.core.formatting import count
from workbench.errors import WorkbenchError
from workbench.ui import theme
from workbench.ui.background import Background
from workbench.ui.session import Session
from workbench.ui.train.live.batch_tiles import SIZE, TILE, BatchModel, BatchTileDelegate
from workbench.ui.train.live.batch_work import BatchPlan, BatchPlanRequest, BatchWorker, Tile, TileRequest
from workbench.ui.train.runs.history import RunHistory
from workbench.ui.widgets.elided import ElidedLabel
from workbench.ui.widgets.spin_boxes import spin_box
from workbench.ui.widgets.tile_view import TileView

_AFTER = 150
"""Milliseconds after the last change of the step until its batch is made: a spin box held down asks only once."""
_HELP = "Boxes are in their labels' colours; dashed: neither object nor background, so nothing is learnt from them."


class BatchWindow(QDialog):
    """Not modal. It makes a batch on request and does not follow the training: that would slow it down.

    `handle` does the work for a request in a thread, or is a fake in tests.
    """

    def __init__(self, session: Session, parent: QWidget, handle: Callable[[object], object] | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("batch-window")
        self.setWindowTitle("The batch as the network sees it")
        self.setWindowFlag(Qt.WindowType.WindowMaximizeButtonHint)
        self.ended = False
        self._session = session
        self._folder: Path | None = None
        self._history = RunHistory()
        self._plan: BatchPlan | None = None
        self._request_count = 0
        self._worker = BatchWorker()
        self._work = Background("Making the batch", handle or self._worker.handle, self)  # type: ignore[arg-type]
        self._later = QTimer(self, singleShot=True, interval=_AFTER)
        self.model = BatchModel()
        self._lay_out()
        self._later.timeout.connect(self._ask)
        self._work.done.connect(self._done)
        self.step.valueChanged.connect(self._step_chosen)
        self.now.clicked.connect(self.show_now)
        self.view.activated.connect(self._open)
        session.closing.connect(self.end)
        self.resize(4 * SIZE.width() + 64, 2 * SIZE.height() + 88)  # a small batch

    def _lay_out(self) -> None:
        self.step = spin_box(minimum=1, maximum=1)
        self.step.setObjectName("batch-step")
        self.step.setAccessibleName("Step")
        self.step.setGroupSeparatorShown(True)
        self.step.setKeyboardTracking(False)
        self.of = QLabel()
        self.of.setObjectName("batch-of")
        self.now = QPushButton("Now")
        self.now.setObjectName("batch-now")
        self.now.setAutoDefault(False)
        self.now.setToolTip("The step that is being computed; of a run that has ended, its last one")
        self.about = ElidedLabel()
        self.about.setObjectName("batch-about")
        self.about.setProperty("role", "muted")
        self.about.setToolTip(_HELP)
        self.view = TileView("batch-tiles", "Images of the batch", SIZE)
        self.view.setModel(self.model)
        self.view.setItemDelegate(BatchTileDelegate(self.view))
        row = QHBoxLayout()
        row.setSpacing(theme.GRID)
        row.addWidget(QLabel("Step"))
        for widget in (self.step, self.of, self.now):
            row.addWidget(widget)
        row.addSpacing(theme.GRID)
        row.addWidget(self.about, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(*(2 * theme.GRID,) * 4)
        column.setSpacing(theme.GRID)
        column.addLayout(row)
        column.addWidget(self.view, 1)

    # --- what is shown ---

    def show_run(self, folder: Path, history: RunHistory) -> None:
        """Show the current batch of the run in `folder`; `history` grows while it trains."""
        self._folder, self._history, self._plan = folder, history, None
        self.setWindowTitle(f"The batch as the network sees it: {folder.name}")
        self.model.begin(0)
        self._say("Reading what the run was asked to do …")
        self._request_count += 1
        self._work.ask(
            [BatchPlanRequest(folder, history.started.an_epoch if history.started else 0, self._request_count)]
        )

    @Slot()
    def show_now(self) -> None:
        """Show the step that is being computed."""
        if self._folder is None or self._plan is None:
            return
        progress = self._history.progress
        done = progress.step if progress else 0
        with QSignalBlocker(self.step):
            self.step.setValue(min(done + 1, self._plan.steps))
        self._ask()

    @Slot()
    def _step_chosen(self) -> None:
        self._later.start()

    @Slot()
    def _ask(self) -> None:
        self._later.stop()
        if self._folder is None or self._plan is None:
            return
        self.model.begin(self._plan.batch)
        self._tell()
        step = self.step.value() - 1
        self._work.ask([TileRequest(self._folder, step, place) for place in range(self._plan.batch)])

    @Slot(object, object)
    def _done(self, request: object, result: object) -> None:
        if isinstance(request, BatchPlanRequest):
            if request.number == self._request_count:
                self._take(result)
        elif isinstance(request, TileRequest) and isinstance(result, Tile | WorkbenchError) and self._is_shown(request):
            self.model.put(request.place, result)
            self._tell()

    def _is_shown(self, request: TileRequest) -> bool:
        return (request.folder, request.step) == (self._folder, self.step.value() - 1) and self.model.rowCount() > 0

    def _take(self, result: object) -> None:
        if isinstance(result, WorkbenchError):
            self._say(result.sentence, "error")
        elif isinstance(result, BatchPlan):
            self._plan = result
            with QSignalBlocker(self.step):
                self.step.setRange(1, result.steps)
            self.of.setText(f"of {result.steps:,}")
            self.show_now()

    def _tell(self) -> None:
        """Say what is shown."""
        plan, tiles = self._plan, self.model.tiles
        if plan is None:
            return
        if self.model.done < plan.batch:
            self._say(f"{self.model.done:,} of {_counted(plan)} …")
            return
        sides = f" of {tiles[0].side} × {tiles[0].side} px" if tiles else ""
        made = sum(bool(tile.others) for tile in tiles)
        parts = [_counted(plan) + sides, f"{made:,} put together of several" if made else "", plan.note]
        if any(tile.attacked for tile in tiles):
            parts.append("In this step they are also turned against the network, which is not shown.")
        self._say(". ".join(part.rstrip(".") for part in parts if part) + ".")

    def _say(self, sentence: str, role: str = "muted") -> None:
        if self.about.property("role") != role:
            self.about.setProperty("role", role)
            self.about.style().polish(self.about)
        self.about.setText(sentence)
        empty = not self.model.rowCount()
        self.view.hint = sentence if empty else ""
        self.about.setVisible(not empty)
        self.view.viewport().update()
        for widget in (self.step, self.now):
            widget.setEnabled(self._plan is not None)

    @Slot(QModelIndex)
    def _open(self, index: QModelIndex) -> None:
        tile, document = index.data(TILE), self._session.document
        if isinstance(tile, Tile) and document is not None and document.images().has(tile.image):
            self._session.select_image(tile.image)
            self._session.page_requested.emit("label")

    # --- ending ---

    def hideEvent(self, event: QHideEvent) -> None:
        """Closed: it may be shown again, but does nothing until then."""
        self._later.stop()
        self._work.ask(())
        super().hideEvent(event)

    @Slot()
    def end(self) -> None:
        """The project is closed: destroy this window, once its thread has ended."""
        if self.ended:
            return
        self.ended = True
        self.hide()
        self._worker.cancel()
        self._work.close()
        self.deleteLater()


def _counted(plan: BatchPlan) -> str:
    """How many a batch has."""
    return f"{plan.batch:,} images and tiles" if plan.tiled else count(plan.batch, "image")
