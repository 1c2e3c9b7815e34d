"""The Anchors page: the sizes of the project's boxes, and k-means finding anchors for them before one's eyes.

A job computes (work.py), a film of its steps is played, and from its end on the anchors follow every edit (follow.py).
What is shown is either a step of the film or a set that a person dragged, typed or chose.
"""

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
from workbench.core.project import AnchorSet
from workbench.errors import WorkbenchError
from workbench.ui import theme
from workbench.ui.anchors.controls import ChoicesForm, PlaybackBar
from workbench.ui.anchors.follow import Following, merged
from workbench.ui.anchors.panel import Panel
from workbench.ui.anchors.playback import Playback
from workbench.ui.anchors.plots import Plots
from workbench.ui.anchors.sets import KEPT, SHOWN, Entry, all_sets, kept, to_setting
from workbench.ui.anchors.work import Boxes, ByCount, Choices, Fitted, Taken, Told, compute, taken
from workbench.ui.job import Job
from workbench.ui.page import Page
from workbench.ui.session import Session
from workbench.ui.widgets.next_step import NextStep

WAIT = 200  # ms after the last change of a choice before computing, so that a spin box can be held down
RENEW = 300  # ms after an edit until the picture follows
PANEL = 344  # px


class AnchorsPage(Page):
    """Computes when first shown and after every change of a choice, in a Job; plays the steps as they come."""

    name, title, icon = "anchors", "Anchors", "mdi6.vector-square"

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(session, parent)
        self._boxes: Boxes | None = None
        self._count = 0  # boxes, each once
        self._job: Job | None = None
        self._choices: Choices | None = None  # what is shown was computed by
        self._step: Step | None = None  # being shown, of the film or by hand
        self._hand = ""  # where that comes from, if not from the film
        self._following = Following(session, self)
        self._playback = Playback(self)
        self._later = QTimer(self, singleShot=True, interval=WAIT)
        self._later.timeout.connect(self.compute)
        self._renew = QTimer(self, singleShot=True, interval=RENEW)
        self._renew.timeout.connect(self._redraw)
        self._build()
        self._playback.shown.connect(self._show_step)
        self._following.moved.connect(self._follow)
        self._following.lost.connect(self._later.start)
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
        self._plots = Plots()
        self._plots.box_clicked.connect(self._show_box)
        self._plots.images_chosen.connect(self._show_images)
        self._plots.dragged.connect(self._dragged)
        self._plots.dropped.connect(self._show_details)
        row = QHBoxLayout(self._full)
        row.setContentsMargins(theme.GRID, theme.GRID, theme.GRID, theme.GRID)
        row.setSpacing(theme.GRID)
        row.addWidget(self._plots, 1)
        row.addWidget(self._side())

    def _side(self) -> QWidget:
        self._form = ChoicesForm()
        self._form.changed.connect(self._later.start)
        self._progress = QLabel(wordWrap=True)
        self._progress.setObjectName("anchors-progress")
        self._progress.setProperty("role", "muted")
        self._again = QPushButton("Compute again")
        self._again.setObjectName("anchors-run")
        theme.set_icon(self._again, "mdi6.refresh")
        self._again.clicked.connect(self.refresh)
        self._panel = Panel(self.session)
        self._panel.typed.connect(self._dragged)
        self._panel.typed.connect(self._show_details)
        self._panel.set_chosen.connect(self._look_at)
        self._panel.kept.connect(self._keep)
        self._panel.dropped.connect(self._forget)
        self._panel.use_asked.connect(self._use)
        self._panel.published_asked.connect(self._use_published)
        self._panel.box_asked.connect(self._show_box)
        self._panel.details_asked.connect(self._show_details)
        side = QWidget()
        side.setFixedWidth(PANEL)
        column = QVBoxLayout(side)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.GRID)
        for widget in (self._form, self._again, PlaybackBar(self._playback), self._progress):
            column.addWidget(widget)
        column.addWidget(self._panel, 1)
        return side

    # --- the page ---

    def shown(self) -> None:
        if self._choices is None and self._job is None:
            self.refresh()
        elif self._step is not None:
            self._plots.show_centres(self._step.centres)
        self._show_sets()

    def closing(self) -> None:
        self._later.stop()
        self._renew.stop()
        self._playback.clear()
        self._drop_job()
        self._following.stop()
        self._panel.close_down()

    @Slot()
    def _document_changed(self) -> None:
        self.closing()
        self._boxes = self._choices = self._step = None
        if self.isVisible():
            self.shown()

    @Slot(object)
    def _edited(self, applied: Applied) -> None:
        if applied.settings_changed:
            self._show_sets()
        if (applied.images or applied.images_changed) and self._job is None and not self._following.is_following:
            self._choices = None  # an empty page has nothing that could follow
            if self.isVisible():
                self.refresh()

    @Slot()
    def refresh(self) -> None:
        """Take the boxes as they are now, and compute."""
        document = self.session.document
        if document is None or not document.counts().total:
            self._show_empty()
            return
        self._stack.setCurrentWidget(self._full)
        self.compute()

    def _show_empty(self) -> None:
        self._boxes = None
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
        """Start with the choices as they are; what runs is dropped."""
        self._drop_job()
        self._playback.clear()
        document = self.session.document
        if document is None or self._stack.currentWidget() is not self._full:
            return
        choices = self._form.choices()
        self._following.begin(choices)
        self._plots.begin(choices.k)
        if self._hand:  # moving one by hand had paused the film
            self._playback.play(True)
        self._hand, self._step = "", None
        self._panel.show_step(None, choices.px, 1)
        self._progress.setText("Computing …")
        folder = document.folder
        job = Job("Computing anchors", lambda job: compute(folder, choices, job.stop.is_set))
        job.reported.connect(self._reported)
        job.failed.connect(self._failed)
        job.finished.connect(self._ended)
        self._job, self._choices = job, choices
        self.session.start(job)

    def _drop_job(self) -> None:
        if self._job is not None:
            self._job.stop.set()
            self._job = None

    @Slot(object)
    def _reported(self, event: object) -> None:
        if self.sender() is not self._job:
            return
        if isinstance(event, Taken):
            self._take(event)
        elif isinstance(event, Told):
            self._playback.add(event.step)
        elif isinstance(event, ByCount):
            self._plots.add_count(event.step)
        elif isinstance(event, Fitted):
            self._following.follow(event, self._boxes)

    def _take(self, taken: Taken) -> None:
        self._boxes, self._count = taken.boxes, taken.count
        self._plots.show_boxes(taken, fit=not self._following.is_following)
        self._show_sets()

    @Slot(object)
    def _failed(self, error: object) -> None:
        if self.sender() is self._job and isinstance(error, WorkbenchError):
            self._progress.setText(error.sentence)
            self._show_sets()

    @Slot()
    def _ended(self) -> None:
        if self.sender() is self._job:
            self._job = None
            if self._following.is_following and self.isVisible():
                self._show_details()
                self._show_sets()  # which can be judged only now

    @property
    def _each(self) -> int:
        """Rows of the sizes that are one box."""
        return len(anchors.QUANTILES) if self._choices is not None and self._choices.scale else 1

    # --- showing ---

    @Slot(object)
    def _show_step(self, step: Step) -> None:
        """A step of the film."""
        self._hand = ""
        self._show(step)
        self._plots.show_steps(self._playback.steps[: self._playback.position + 1])
        word = "nothing moves any more" if step.done else f"moved by up to {step.moved:.1f} px"
        self._progress.setText(f"Step {self._playback.position}: {word}.")
        if step.done:
            self._show_details()
            self._show_sets()

    def _show(self, step: Step) -> None:
        assert self._choices is not None
        self._step = step
        if self.isVisible():
            self._plots.show_centres(step.centres)
        self._panel.show_step(step, self._choices.px, self._each)

    @Slot()
    def _show_details(self) -> None:
        """The tables of what is shown; worked out behind the window."""
        if self._boxes is not None and self._step is not None and self._choices is not None:
            self._panel.show_details(self._boxes, self._step.centres, self._choices.px, self._each)

    def _show_sets(self) -> None:
        document = self.session.document
        if document is None or self._choices is None:
            return
        shown, used = self._as_set(), document.anchors()
        entries = all_sets(self._choices.px, shown, used, kept(document.setting(KEPT)))
        self._panel.show_sets(entries, self._following.pool, shown)
        self._panel.show_used(used)

    # --- by hand ---

    @Slot(int, float, float)
    def _dragged(self, number: int, width: float, height: float) -> None:
        """An anchor was moved: everything that depends on it is said anew, at each move."""
        if self._step is None or self._following.pool is None or number >= len(self._step.centres):
            return
        centres = self._step.centres.copy()
        centres[number] = width, height
        self._by_hand(centres, "moved by hand")

    def _by_hand(self, centres: NDArray[np.float64], source: str) -> None:
        if self._following.pool is None:
            return
        self._playback.play(False)
        self._hand = source
        self._show(anchors.judge(self._following.pool, centres))
        self._progress.setText(f"{source[0].upper()}{source[1:]}. Play, or Compute again, goes back to the fit.")

    @Slot(object)
    def _look_at(self, entry: Entry) -> None:
        if entry.name != SHOWN:
            self._by_hand(np.array(entry.sizes), entry.name)
            self._show_details()
            self._show_sets()

    @Slot(object)
    def _follow(self, step: Step) -> None:
        """The project was edited, and the fit has moved along: the numbers at once, the picture a little later."""
        if self._hand:
            assert self._step is not None
            assert self._following.pool is not None
            self._show(anchors.judge(self._following.pool, self._step.centres))
        else:
            self._playback.end_with(step)
            self._show(step)
            self._progress.setText("The anchors follow your edits.")
        self._renew.start()

    @Slot()
    def _redraw(self) -> None:
        """All boxes as they are now; in a job, as a million of them take a while."""
        step = self._following.settle()
        if step is not None and not self._hand and self._step is not None and step.mean_iou > self._step.mean_iou:
            self._playback.end_with(step)
            self._show(step)
        boxes, since = self._following.parts
        if boxes is None:
            return
        if self._job is not None:  # it does not know of the last edits
            self._renew.start()
            return
        job = Job("Drawing the boxes", lambda _: iter((taken(merged(boxes, since)),)))
        job.reported.connect(self._reported)
        job.finished.connect(self._ended)
        self._job = job
        self.session.start(job)

    # --- looking at boxes ---

    @Slot(int)
    def _show_box(self, row: int) -> None:
        assert self._boxes is not None
        self.session.select_image(int(self._boxes.images[row]))
        self.session.page_asked.emit("label")
        self.session.boxes_asked.emit((int(self._boxes.ids[row]),))

    @Slot(object)
    def _show_images(self, images: frozenset[int]) -> None:
        self.session.page_asked.emit("data")
        self.session.images_asked.emit(images, "with boxes in a region of the Anchors page")

    # --- using and keeping ---

    def _source(self) -> str:
        if self._hand:
            return self._hand
        assert self._choices is not None
        choices, count = self._choices, self._count
        more = f", scaled by {choices.scale:g}" if choices.scale else ""
        chance = ", then by chance" if choices.refines else ""
        return (
            f"IoU k-means, {choices.update}{chance}, seed {choices.seed}, {count} boxes of {choices.part} images{more}"
        )

    def _as_set(self) -> AnchorSet | None:
        if self._step is None or self._choices is None:
            return None
        order = np.lexsort((self._step.centres[:, 0], self._step.centres.prod(axis=1)))
        return AnchorSet(
            sizes=tuple((round(w, 3), round(h, 3)) for w, h in self._step.centres[order].tolist()),
            input_px=self._choices.px,
            resize=self._choices.resize,
            mean_iou=round(self._step.mean_iou, 6),
            recall=round(self._step.recall, 6),
            source=self._source(),
        )

    @Slot()
    def _use(self) -> None:
        chosen = self._as_set()
        if chosen is not None:
            self.session.do(edits.ChangeSetting("anchors", dataclasses.asdict(chosen)))

    @Slot()
    def _use_published(self) -> None:
        self.session.do(edits.ChangeSetting("anchors", None))

    @Slot(str)
    def _keep(self, name: str) -> None:
        document, chosen = self.session.document, self._as_set()
        if document is not None and chosen is not None:
            others = [one for one in kept(document.setting(KEPT)) if one[0] != name]
            self.session.do(edits.ChangeSetting(KEPT, to_setting([*others, (name, chosen)])))

    @Slot(str)
    def _forget(self, name: str) -> None:
        document = self.session.document
        if document is not None:
            others = [one for one in kept(document.setting(KEPT)) if one[0] != name]
            self.session.do(edits.ChangeSetting(KEPT, to_setting(others) or None))
