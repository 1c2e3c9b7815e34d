"""The Anchors page: the sizes of the project's boxes, and k-means finding anchors for them, step by step.

A job computes (computation.py), its steps are played, and then the anchors follow every edit (incremental_fit.py).
The page shows either a step of the film or a set that the user dragged, typed or chose (anchor_editor.py).
"""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import QTimer, Slot
from PySide6.QtWidgets import QHBoxLayout, QStackedLayout, QWidget

from workbench import anchors
from workbench.anchors import SizePool, Step
from workbench.core.applied_edit import AppliedEdit
from workbench.errors import WorkbenchError
from workbench.ui import theme
from workbench.ui.actions import make_action
from workbench.ui.anchors import computation
from workbench.ui.anchors.anchor_editor import AnchorEditor
from workbench.ui.anchors.box_navigation import BoxNavigation
from workbench.ui.anchors.empty_state import show_empty_state
from workbench.ui.anchors.incremental_fit import IncrementalFit, merge_boxes
from workbench.ui.anchors.playback import Playback
from workbench.ui.anchors.plots import Plots
from workbench.ui.anchors.provenance import ShownAnchors, action_name, as_set, count_in, of_fit
from workbench.ui.anchors.side_panel import SidePanel, step_sentence
from workbench.ui.job import Job
from workbench.ui.page import Page
from workbench.ui.session import Session
from workbench.ui.widgets.empty_state import EmptyState

WAIT = 200  # ms from the last change of a choice until computing starts, so that a spin box can be held down
RENEW = 300  # ms from an edit until the picture follows


class AnchorsPage(Page):
    """Computes when first shown and after every change of a choice, in a Job; plays the steps as they arrive."""

    name = "anchors"

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(session, parent)
        self._prepared: computation.PreparedBoxes | None = None
        self._job: Job | None = None
        self._dropped: set[Job] = set()  # kept until they end: sender() doesn't return a deleted job
        self._choices: computation.AnchorChoices | None = None  # those of the shown result
        self._shown: ShownAnchors | None = None  # a step of the film, or a set by hand
        self._early: SizePool | None = None  # used until the fit is there
        self._refined_from: int | None = None  # the film's step at which the second stage begins
        self._stale = False  # there were edits while the page was hidden
        self._lost = False  # and they could not be followed
        self._incremental_fit = IncrementalFit(session, self)
        self._box_navigation = BoxNavigation(session, self)
        self._playback = Playback(self)
        self._later = QTimer(self, singleShot=True, interval=WAIT)
        self._later.timeout.connect(self.compute)
        self._renew = QTimer(self, singleShot=True, interval=RENEW)
        self._renew.timeout.connect(self._redraw)
        self._build()
        self._editor = AnchorEditor(self.session, self._panel, self._plots.sizes, self._playback, self)
        self._editor.show_requested.connect(self._show_by_hand)
        self._editor.reported.connect(self._progress.setText)
        self._editor.settled.connect(self._show_details)
        self._make_actions()
        self._playback.shown.connect(self._show_step)
        self._incremental_fit.updated.connect(self._follow)
        self._incremental_fit.refit_requested.connect(self._lost_track)
        session.document_changed.connect(self._document_changed)
        session.edited.connect(self._edited)
        session.image_changed.connect(self._plots.show_image)
        self._plots.show_image(session.image_id)
        self._form.begin_with(session.document.anchors() if session.document else None)

    # --- building ---

    def _build(self) -> None:
        self._empty = EmptyState("anchors-empty", "mdi6.chart-scatter-plot")
        self._empty.page_requested.connect(self.session.page_requested)
        self._empty.other_requested.connect(lambda: self.session.command_requested.emit("data", "import-labels"))
        self._full = QWidget()
        self._stack = QStackedLayout(self)
        self._stack.addWidget(self._empty)
        self._stack.addWidget(self._full)
        self._plots = Plots()
        self._side = SidePanel(self._playback, self._full)
        self._form, self._panel, self._progress = self._side.form, self._side.panel, self._side.progress
        self._plots.boxes_requested.connect(self._box_navigation.show_boxes)
        self._plots.region_requested.connect(self._box_navigation.show_images)
        row = QHBoxLayout(self._full)
        row.setContentsMargins(theme.GRID, theme.GRID, theme.GRID, theme.GRID)
        row.setSpacing(theme.GRID)
        row.addWidget(self._plots, 1)
        row.addWidget(self._side)
        self._plots.sizes.anchor_clicked.connect(self._panel.select_anchor)
        self._plots.curves.count_chosen.connect(self._form.k.setValue)
        self._form.changed.connect(self._compute_later)
        self._side.again.clicked.connect(self.compute)
        self._side.help_requested.connect(self.session.help_requested)
        self._panel.table.served_boxes_requested.connect(self._show_served)
        for tab in (self._panel.scales, self._panel.labels):
            tab.boxes_requested.connect(self._box_navigation.show_boxes)
        self._panel.scales.resize_requested.connect(self._form.choose_resize)
        self._panel.details_requested.connect(self._show_details)

    def _make_actions(self) -> None:
        make_action(self, "anchors-play", self._side.bar.toggle)
        make_action(self, "anchors-step", self._playback.one_step)
        make_action(self, "anchors-compute", self.compute)
        make_action(self, "anchors-show-all", self._plots.sizes.fit)
        make_action(self, "anchors-log", self._plots.bar.log.toggle)
        make_action(self, "anchors-region", self._plots.bar.choose.toggle)
        make_action(self, "anchors-use", self._editor.use)

    # --- the page ---

    def shown(self) -> None:
        if self._lost or (self._choices is None and self._job is None):
            self.compute()
            return
        if self._shown is not None:
            self._draw(self._shown)
            self._show_details()
        if self._stale:
            self._redraw()

    @Slot()
    def _compute_later(self) -> None:
        self._later.start()

    @Slot()
    def _lost_track(self) -> None:
        """Compute again, but not while the page is hidden: that would also drop moves by hand."""
        if self.isVisible():
            self._later.start()
        else:
            self._lost = True

    def closing(self) -> None:
        self._stop()
        self._panel.close_down()

    def _stop(self) -> None:
        self._later.stop()
        self._renew.stop()
        self._playback.clear()
        self._drop_job()
        self._incremental_fit.stop()
        self._editor.forget()

    @Slot()
    def _document_changed(self) -> None:
        self._stop()
        self._form.begin_with(self.session.document.anchors() if self.session.document else None)
        self._choices = None
        self._forget()
        if self.isVisible():
            self.shown()

    def _forget(self) -> None:
        """Show nothing, so that nothing from other boxes stays."""
        self._prepared = self._shown = self._early = None
        self._stale = self._lost = False
        self._plots.forget()
        self._panel.forget()

    @Slot(object)
    def _edited(self, applied: AppliedEdit) -> None:
        if applied.settings_changed:
            self._show_sets()
        if (applied.images or applied.images_changed) and self._job is None and not self._incremental_fit.is_following:
            self._choices = None  # an empty page has nothing to follow edits with
            if self.isVisible():
                self.compute()

    def _show_empty(self) -> None:
        self._incremental_fit.stop()
        self._editor.forget()
        self._forget()
        self._progress.setText("")
        show_empty_state(self._empty, self.session.document)
        self._stack.setCurrentWidget(self._empty)

    # --- computing ---

    @Slot()
    def compute(self) -> None:
        """Start with the current boxes and choices; drop a running job."""
        self._later.stop()
        self._lost = False
        self._drop_job()
        self._playback.clear()
        document = self.session.document
        if document is None or not document.counts().total:
            self._choices = None
            self._show_empty()
            return
        self._stack.setCurrentWidget(self._full)
        choices = self._form.choices()
        self._incremental_fit.begin(choices)
        self._plots.begin(choices.k, choices.px)
        self._playback.play(True)  # even if the film was paused before: computing must show a response
        self._editor.forget_shown()
        self._shown = self._early = self._refined_from = None
        self._panel.begin(choices.px)
        self._progress.setText("Computing …")
        folder = document.folder
        self._choices = choices
        self._start(Job("Computing anchors", lambda job: computation.compute(folder, choices, job.stop.is_set)))

    def _start(self, job: Job) -> None:
        job.reported.connect(self._reported)
        job.failed.connect(self._failed)
        job.finished.connect(self._ended)
        self._job = job
        self.session.start(job)

    def _drop_job(self) -> None:
        """Ignore all its reports from now on."""
        if self._job is not None:
            self._job.stop.set()
            self._dropped.add(self._job)
            self._job = None

    @Slot(object)
    def _reported(self, event: object) -> None:
        if self._job is None or self.sender() is not self._job:
            return
        if isinstance(event, computation.PreparedBoxes):
            self._take(event)
        elif isinstance(event, computation.Pooled):
            self._early = event.pool
        elif isinstance(event, computation.StepComputed):
            if event.stage and self._refined_from is None:
                self._refined_from = len(self._playback.steps)
            self._playback.add(event.step)
        elif isinstance(event, computation.ByCount):
            self._plots.curves.add_count(event.step)
        elif isinstance(event, computation.AllCounts):
            self._plots.curves.show_counts(event.steps)
        elif isinstance(event, computation.Fitted):
            self._incremental_fit.follow(event, self._boxes)
        elif isinstance(event, computation.Failed):
            self._say_failed(event.sentence)

    def _take(self, prepared: computation.PreparedBoxes) -> None:
        self._prepared = prepared
        self._plots.show_boxes(prepared, fit=not self._incremental_fit.is_following)
        if self._shown is not None and self._choices is not None:  # the count has changed
            self._panel.show_step(self._shown.step, self._choices.px, count_in(self._shown.step, prepared))
        self._show_sets()

    @Slot(object)
    def _failed(self, error: object) -> None:
        if self._job is not None and self.sender() is self._job and isinstance(error, WorkbenchError):
            self._say_failed(error.sentence)

    def _say_failed(self, sentence: str) -> None:
        has_missed = self._incremental_fit.has_missed
        self._incremental_fit.stop()
        self._forget()
        self._progress.setText(sentence)
        self._show_sets()
        if has_missed:
            self._later.start()

    @Slot()
    def _ended(self) -> None:
        job = self.sender()
        if isinstance(job, Job):
            job.wait()
            self._dropped.discard(job)
        if self._job is not None and job is self._job:
            self._job = None
            if self._incremental_fit.is_following and self.isVisible():
                self._show_details()

    @property
    def _boxes(self) -> computation.Boxes | None:
        return None if self._prepared is None else self._prepared.boxes

    @property
    def _pool(self) -> SizePool | None:
        """What anchors are judged by."""
        return self._incremental_fit.pool or self._early

    @property
    def _step(self) -> Step | None:
        return None if self._shown is None else self._shown.step

    def _source(self) -> str:
        """The provenance of the shown anchors."""
        assert self._choices is not None
        by_hand = self._shown is not None and self._shown.hand
        return self._shown.source if self._shown and by_hand else of_fit(self._choices, self._prepared)

    # --- showing ---

    @Slot(object)
    def _show_step(self, step: Step) -> None:
        """Show a step of the film."""
        self._editor.forget_moves()
        self._show(ShownAnchors(step, ""))
        self._plots.curves.show_steps(self._playback.steps[: self._playback.position + 1])
        position, first = self._playback.position, self._refined_from
        is_refined = first is not None and position >= first
        if first is not None and is_refined:
            self._plots.curves.begin_stage(first)
        assert self._choices is not None
        self._progress.setText(step_sentence(step, position, self._choices.starts, is_refined=is_refined))
        if step.done:
            self._show_details()

    def _show(self, shown: ShownAnchors, *, fit: bool = False) -> None:
        assert self._choices is not None
        self._shown = shown
        if self.isVisible():
            self._draw(shown, fit=fit)
        self._panel.show_step(shown.step, self._choices.px, count_in(shown.step, self._prepared))
        self._editor.set_shown(shown, self._choices, self._source(), self._pool)

    def _draw(self, shown: ShownAnchors, *, fit: bool = False) -> None:
        self._plots.show_centres(shown.step.centres, fit=fit)
        self._plots.curves.show_other(action_name(shown.hand), shown.step.mean_iou)

    @Slot(object, bool)
    def _show_by_hand(self, shown: ShownAnchors, fit: bool) -> None:
        self._playback.play(False)
        self._show(shown, fit=fit)
        back = f"{self._side.bar.word}, or Compute again, goes back to the fit."
        self._progress.setText(f"{shown.hand}. {back}" if shown.hand else "Undone: this is the fit again.")

    @Slot()
    def _show_details(self) -> None:
        """Show the tables for the shown anchors; they are computed in the background."""
        document, step = self.session.document, self._step
        if self._boxes is not None and step is not None and self._choices is not None and document is not None:
            self._panel.show_details(self._boxes, step.centres, self._choices, document.folder)
        self._show_sets()

    def _show_sets(self) -> None:
        if self._choices is not None:
            steps = self._playback.steps
            source = of_fit(self._choices, self._prepared)
            fit = as_set(steps[-1], self._choices, source) if steps and steps[-1].done else None
            self._editor.show_sets(fit, self._choices, self._pool)

    @Slot(int)
    def _show_served(self, number: int) -> None:
        if self._boxes is not None and self._step is not None:
            self._box_navigation.show_served(self._boxes, self._step.centres, number)

    # --- following edits ---

    @Slot(object)
    def _follow(self, step: Step) -> None:
        """The project was edited, and the fit has followed: update the numbers at once, the picture a little later."""
        self._playback.end_with(step)
        if self._shown is not None and self._shown.hand:
            assert self._incremental_fit.pool is not None
            again = anchors.rate_anchors(self._incremental_fit.pool, self._shown.step.centres)
            self._show(replace(self._shown, step=again))
        else:
            self._show(ShownAnchors(step, ""))
            self._progress.setText("The anchors follow your edits.")
        self._renew.start()

    @Slot()
    def _redraw(self) -> None:
        """Draw all current boxes and the curve; in a job, as a million boxes take a while."""
        self._stale = not self.isVisible()
        if self._stale:
            return
        step, shown = self._incremental_fit.settle(), self._shown
        if step is not None and self._playback.steps and step.mean_iou > self._playback.steps[-1].mean_iou:
            self._playback.end_with(step)
            if shown is not None and not shown.hand:
                self._show(ShownAnchors(step, ""))
        self._plots.curves.show_steps(self._playback.steps)
        (boxes, since), pool, choices = self._incremental_fit.parts, self._incremental_fit.pool, self._choices
        if boxes is None or pool is None or choices is None:
            return
        if self._job is not None:  # it has missed the last edits
            self._renew.start()
            return
        self._start(
            Job("Drawing the boxes", lambda _: computation.recompute(lambda: merge_boxes(boxes, since), pool, choices))
        )
