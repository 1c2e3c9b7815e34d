"""The Anchors page: the sizes of the project's boxes, and k-means finding anchors for them before one's eyes."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QTimer, Slot
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QStackedLayout, QVBoxLayout, QWidget

from workbench import anchors
from workbench.anchors import Step
from workbench.core import edits
from workbench.core.applied import Applied
from workbench.core.project import AnchorSet, Snapshot, Split
from workbench.errors import WorkbenchError
from workbench.ui import theme
from workbench.ui.anchors.controls import Choices, ChoicesForm, PlaybackBar, log_switch
from workbench.ui.anchors.playback import Playback
from workbench.ui.anchors.result import Result
from workbench.ui.anchors.sizes_plot import SizesPlot
from workbench.ui.anchors.work import ByCount, Wish, compute
from workbench.ui.job import Job
from workbench.ui.page import Page
from workbench.ui.session import Session
from workbench.ui.widgets.next_step import NextStep
from workbench.ui.widgets.plot import BOTTOM_RIGHT, Plot

WAIT = 200  # ms after the last change of a choice before computing, so that a spin box can be held down
PANEL = 320  # px
MEAN_IOU, RECALL = "mean IoU", "best possible recall"


class AnchorsPage(Page):
    """Computes when first shown and after every change of a choice, in a Job; plays the steps as they come."""

    name, title, icon = "anchors", "Anchors", "mdi6.vector-square"

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(session, parent)
        self._snapshot: Snapshot | None = None
        self._sizes: NDArray[np.float64] = np.zeros((0, 2))
        self._images: NDArray[np.int64] = np.zeros(0, np.int64)  # (n,) image id of each size
        self._job: Job | None = None
        self._stale = True  # boxes have changed since the snapshot
        self._playback = Playback(self)
        self._later = QTimer(self, singleShot=True, interval=WAIT)
        self._later.timeout.connect(self.compute)
        self._build()
        self._playback.shown.connect(self._show_step)
        session.document_changed.connect(self._document_changed)
        session.edited.connect(self._edited)

    # --- building ---

    def _build(self) -> None:
        self._empty = NextStep("anchors-empty")
        self._empty.asked.connect(self.session.page_asked)
        self._full = QWidget()
        self._stack = QStackedLayout(self)
        self._stack.addWidget(self._empty)
        self._stack.addWidget(self._full)
        self._plot = SizesPlot()
        self._plot.setObjectName("anchors-plot")
        self._plot.clicked.connect(self._point_clicked)
        self._curves = Plot("step", "share of 1", corner=BOTTOM_RIGHT, whole_x=True)
        self._curves.setObjectName("anchors-curves")
        self._by_count = Plot("number of anchors", "share of 1", corner=BOTTOM_RIGHT, whole_x=True)
        self._by_count.setObjectName("anchors-by-count")
        row = QHBoxLayout(self._full)
        row.setContentsMargins(theme.GRID, theme.GRID, theme.GRID, theme.GRID)
        row.setSpacing(theme.GRID)
        row.addLayout(self._plots(), 1)
        row.addWidget(self._panel())

    def _plots(self) -> QVBoxLayout:
        below = QHBoxLayout()
        below.addWidget(self._curves)
        below.addWidget(self._by_count)
        log = log_switch()
        log.toggled.connect(self._plot.set_log)
        self._about = QLabel()
        self._about.setObjectName("anchors-about")
        self._about.setProperty("role", "muted")
        head = QHBoxLayout()
        head.addWidget(self._about, 1)
        head.addWidget(log)
        column = QVBoxLayout()
        column.addLayout(head)
        column.addWidget(self._plot, 3)
        column.addLayout(below, 2)
        return column

    def _panel(self) -> QWidget:
        self._form = ChoicesForm()
        self._form.changed.connect(self._later.start)
        self._result = Result()
        self._result.use_asked.connect(self._use)
        self._result.published_asked.connect(self._use_published)
        self._again = QPushButton("Compute again")
        self._again.setObjectName("anchors-run")
        theme.set_icon(self._again, "mdi6.refresh")
        self._again.clicked.connect(self.refresh)
        panel = QWidget()
        panel.setFixedWidth(PANEL)
        column = QVBoxLayout(panel)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.GRID)
        for widget in (self._form, self._again, PlaybackBar(self._playback)):
            column.addWidget(widget)
        column.addWidget(self._result, 1)
        return panel

    # --- the page ---

    def shown(self) -> None:
        if self._snapshot is None:
            self.refresh()
        self._show_in_use()

    def closing(self) -> None:
        self._later.stop()
        self._playback.clear()
        self._drop_job()

    @Slot()
    def _document_changed(self) -> None:
        self.closing()
        self._snapshot = None
        if self.isVisible():
            self.shown()

    @Slot(object)
    def _edited(self, applied: Applied) -> None:
        if applied.settings_changed:
            self._show_in_use()
        if applied.images or applied.images_changed:
            if not len(self._sizes):
                self._snapshot = None  # an empty page has nothing that could be stale
                if self.isVisible():
                    self.refresh()
            else:
                self._result.stale.show()

    @Slot()
    def refresh(self) -> None:
        """Take the boxes as they are now, and compute."""
        document = self.session.document
        self._snapshot = document.snapshot() if document is not None else None
        self._result.stale.hide()
        if self._snapshot is None or not len(self._snapshot.boxes):
            self._show_empty()
            return
        self._stack.setCurrentWidget(self._full)
        self.compute()

    def _show_empty(self) -> None:
        self._sizes = np.zeros((0, 2))
        if self.session.document is None:
            self._empty.say("No project is open", "Open one, or make one from a folder of photographs.")
        else:
            self._empty.say(
                "No boxes yet",
                "Anchors are typical box sizes, so they need boxes. Draw some, or import labels that you have.",
                "Draw boxes",
                "label",
            )
        self._stack.setCurrentWidget(self._empty)

    # --- computing ---

    @Slot()
    def compute(self) -> None:
        """Start k-means with the choices as they are; one that runs is dropped."""
        self._drop_job()
        self._playback.clear()
        if self._snapshot is None:
            return
        choices = self._form.choices()
        self._take_sizes(self._snapshot, choices)
        self._curves.forget()
        self._by_count.forget()
        self._result.show_step(None, choices.px)
        self._result.progress.setText("Computing …")
        wish = Wish(self._sizes, choices.k, choices.seed, choices.update)
        job = Job("Computing anchors", lambda _: compute(wish))
        job.reported.connect(self._reported)
        job.failed.connect(self._failed)
        self._job = job
        self.session.start(job)

    def _take_sizes(self, snapshot: Snapshot, choices: Choices) -> None:
        if choices.part == "train":
            snapshot = snapshot.only(splits=(Split.TRAIN, Split.NONE))
        self._sizes, rows = anchors.sizes_and_rows(snapshot, choices.px, choices.resize)
        owners = np.repeat([image.id for image in snapshot.images], np.diff(snapshot.offsets))
        self._images = owners[rows].astype(np.int64)
        self._plot.set_sizes(self._sizes)
        self._about.setText(f"{len(self._sizes):,} boxes of {len(snapshot):,} images. Click a point to see its image.")

    def _drop_job(self) -> None:
        if self._job is not None:
            self._job.stop.set()
            self._job = None

    @Slot(object)
    def _reported(self, event: object) -> None:
        if self.sender() is not self._job:
            return
        if isinstance(event, Step):
            self._playback.add(event)
        elif isinstance(event, ByCount):
            for name, value in ((MEAN_IOU, event.mean_iou), (RECALL, event.recall)):
                known = self._by_count.data(name) if name in self._by_count.names() else ((), ())
                self._by_count.curve(name, [*known[0], event.k], [*known[1], value])

    @Slot(object)
    def _failed(self, error: object) -> None:
        if self.sender() is self._job and isinstance(error, WorkbenchError):
            self._result.progress.setText(error.sentence)

    @Slot(object)
    def _show_step(self, step: Step) -> None:
        choices = self._form.choices()
        self._plot.set_centres(step.centres)
        self._result.show_step(step, choices.px)
        so_far = self._playback.steps[: step.iteration + 1]
        at = [one.iteration for one in so_far]
        self._curves.curve(MEAN_IOU, at, [one.mean_iou for one in so_far])
        self._curves.curve(RECALL, at, [one.recall for one in so_far])
        words = "nothing moves any more" if step.done else f"moved by up to {step.moved:.1f} px"
        self._result.progress.setText(f"Step {step.iteration}: {words}.")

    @Slot(int)
    def _point_clicked(self, row: int) -> None:
        image = int(self._images[row])
        self.session.select_image(image)
        if self.session.image is not None:
            self.session.inform(f"Selected {self.session.image.name}. The Label page shows it.")

    # --- using ---

    @Slot()
    def _use(self) -> None:
        step = self._playback.step
        if step is None:
            return
        choices = self._form.choices()
        chosen = AnchorSet(
            sizes=tuple((round(w, 3), round(h, 3)) for w, h in step.centres.tolist()),
            input_px=choices.px,
            resize=choices.resize,
            mean_iou=round(step.mean_iou, 6),
            recall=round(step.recall, 6),
            source=f"IoU k-means, {choices.update}, seed {choices.seed}, step {step.iteration},"
            f" {len(self._sizes)} boxes of {choices.part} images",
        )
        self.session.do(edits.ChangeSetting("anchors", dataclasses.asdict(chosen)))

    @Slot()
    def _use_published(self) -> None:
        self.session.do(edits.ChangeSetting("anchors", None))

    def _show_in_use(self) -> None:
        document = self.session.document
        used = document.anchors() if document is not None else None
        self._result.published.setVisible(used is not None)
        if used is None:
            self._result.in_use.setText("In use: those published with the detector.")
            return
        self._result.in_use.setText(
            f"In use: {len(used.sizes)} for {used.input_px} px, mean IoU {100 * used.mean_iou:.1f} %."
        )
        self._result.in_use.setToolTip(f"{used.source}\n" + ", ".join(f"{w:g}×{h:g}" for w, h in used.sizes))
