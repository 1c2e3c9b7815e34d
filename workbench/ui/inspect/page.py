"""The Inspect page: what a trained run detects in the images, where it is wrong, and what the sliders change."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Slot
from PySide6.QtWidgets import QStackedLayout, QVBoxLayout, QWidget

from workbench.core.applied_edit import AppliedEdit
from workbench.inference.evaluating.operating_point import OperatingPoint
from workbench.training.records.runs import RunInfo
from workbench.ui import theme
from workbench.ui.images import thumbnails, unread_images
from workbench.ui.images.picture_loader import AHEAD
from workbench.ui.inspect import evaluation_job
from workbench.ui.inspect.box_selection import BoxSelection
from workbench.ui.inspect.compare.tab import CompareTab
from workbench.ui.inspect.evaluation_job import EvaluationResult, Evaluator, Stamp, evaluate_pending, stamp_of
from workbench.ui.inspect.evaluation_runner import EvaluationRunner
from workbench.ui.inspect.header import InspectHeader
from workbench.ui.inspect.kept_candidates import LOOKING, KeptCandidates
from workbench.ui.inspect.other_images.button import OtherImagesButton
from workbench.ui.inspect.panes import InspectPanes
from workbench.ui.inspect.point_keeper import PointKeeper
from workbench.ui.inspect.rematcher import Rematcher, status_text
from workbench.ui.inspect.review.tab import ReviewTab
from workbench.ui.inspect.state import InspectState
from workbench.ui.page import Page
from workbench.ui.session import Session
from workbench.ui.trained_runs import TrainedRuns, show_no_runs
from workbench.ui.widgets.empty_state import EmptyState


class InspectPage(Page):
    """Evaluates when asked to, or at once if the run's candidates are kept. `evaluate` may be a fake."""

    name = "inspect"

    def __init__(self, session: Session, parent: QWidget | None = None, *, evaluate: Evaluator | None = None) -> None:
        super().__init__(session, parent)
        self._evaluate = evaluate or evaluation_job.evaluate_split
        self._evaluation: EvaluationResult | None = None
        self._places: dict[int, int] = {}  # of its images, by id
        self._evaluated_ids = np.zeros(0, np.int64)  # ids of the images selected when the shown evaluation began
        self._has_others = False  # other images are selected by now
        self._weights: Stamp = None  # of the checkpoint that was evaluated
        self._begun: tuple[NDArray[np.int64], Stamp] = self._evaluated_ids, None  # of the evaluation that runs
        self._runs = TrainedRuns(self)
        self._kept_candidates = KeptCandidates(self)
        self._rematcher = Rematcher(self)
        self._runner = EvaluationRunner(session, self)
        self._build()
        self._point_keeper = PointKeeper(session, self, self._kept, self._header.say)
        self._compare = CompareTab(session, lambda request: self._evaluate(request))
        self._right.add_tab(self._compare, "Compare", "Two runs side by side: what the newer finds better and worse.")
        self._review = ReviewTab(session)
        self._right.add_tab(self._review, "Review", "Mistakes one by one: take the prediction, or keep the label.")
        self._connect()

    # --- building ---

    def _build(self) -> None:
        self._empty = EmptyState("inspect-empty", "mdi6.image-search-outline")
        self._full = QWidget()
        self._stack = QStackedLayout(self)
        self._stack.addWidget(self._empty)
        self._stack.addWidget(self._full)
        self._header = InspectHeader()
        self._picker = self._header.picker
        self._header.add_button(OtherImagesButton(self.session, self, self._picker))
        column = QVBoxLayout(self._full)
        column.setContentsMargins(theme.GRID, theme.GRID, theme.GRID, theme.GRID)
        column.setSpacing(theme.GRID)
        column.addWidget(self._header)
        self._panes = InspectPanes(self._full)
        self._left, self._middle, self._right = self._panes.images, self._panes.picture, self._panes.results
        column.addWidget(self._panes, 1)
        self.main_widget = self._left.table

    def _connect(self) -> None:
        self._empty.page_requested.connect(self.session.page_requested)
        self._empty.other_requested.connect(self.session.weights_import_requested)
        self._header.run_requested.connect(self.evaluate)
        self._header.refused.connect(self.session.inform)
        self._header.stop_requested.connect(self._stop_evaluation)
        self._picker.changed.connect(self._choice_changed)
        self._right.changed.connect(self._changed)
        self._right.nms_previewed.connect(self._show_boxes)
        self._right.opened.connect(self._open)
        self._right.marked.connect(self._mark)
        self._right.tab_changed.connect(self._focus_tab)
        self._right.keep_requested.connect(self._keep)
        self._compare.pair_changed.connect(self._show_boxes)
        self._review.wide_requested.connect(self._panes.show_results_alone)
        self._rematcher.rematched.connect(self._rematched)
        self._runner.progressed.connect(self._header.show_progress)
        self._runner.evaluated.connect(self._evaluated)
        self._runner.failed.connect(self._failed)
        self._runner.ended.connect(self._ended)
        self._left.show_all_requested.connect(self._list_all)
        self._left.table.image_chosen.connect(self._image_chosen)
        self._left.table.image_opened.connect(self._image_opened)
        self._middle.loader.read.connect(unread_images.of(self.session).read)
        self._middle.loader.changed.connect(thumbnails.of(self.session).remake)
        self.session.image_changed.connect(self._selected_elsewhere)
        self.session.document_changed.connect(self._document_changed)
        self.session.edited.connect(self._edited)
        self._runs.read.connect(self._listed)
        self._kept_candidates.told.connect(self._kept_told)
        self.session.run_requested.connect(self._picker.choose_run)

    # --- the page ---

    def shown(self) -> None:
        if self.session.document is None:
            self._say_empty("No project is open", "Open one, or make one from a folder of photographs.")
            return
        self._picker.list_splits(self.session.document.images())
        self._runs.ask()
        self._follow(images_changed=True)
        self._selected_elsewhere()

    def closing(self) -> None:
        self._stop_evaluation()
        self._panes.close_down()
        self._rematcher.close_down()
        self._runs.close()
        self._kept_candidates.close()

    def _say_empty(self, *words: str) -> None:
        self._empty.say(*words)
        self._stack.setCurrentWidget(self._empty)

    @Slot()
    def _document_changed(self) -> None:
        self._forget()
        self._middle.loader.forget()
        self._picker.clear()
        if self.isVisible():
            self.shown()

    @Slot(object)
    def _edited(self, applied: AppliedEdit) -> None:
        self._rematcher.note(applied)
        self._follow(images_changed=applied.images_changed)

    def _follow(self, *, images_changed: bool) -> None:
        """The numbers follow edited boxes at once; other images or labels need a new evaluation. Out of sight, all that
        waits: whoever labels on another page would pay for it with each box.
        """
        if self._evaluation is None or not self.isVisible():
            return
        self._rematcher.match(self.session.document, self._right.nms)
        if images_changed:
            self._has_others = self._chooses_others()
        if self._rematcher.is_stale or images_changed:
            self._say_evaluation(self._evaluation)

    def _chooses_others(self) -> bool:
        document = self.session.document
        return document is not None and not np.array_equal(self._picker.ids(document.images()), self._evaluated_ids)

    @Slot(object)
    def _rematched(self, evaluation: EvaluationResult) -> None:
        self._evaluation = evaluation
        self._say_evaluation(evaluation)
        self._middle.update_labels(evaluation)
        self._right.update_labels(evaluation)

    @Slot()
    def _focus_tab(self) -> None:
        """On return to the page, the tab gets the keyboard if it has keys of its own."""
        self.main_widget = self._right.main_widget or self._left.table

    # --- runs and splits ---

    @Slot(object)
    def _listed(self, usable: tuple[RunInfo, ...]) -> None:
        if not usable:
            shows = "This page shows what a trained detector finds."
            before = "Train one first, or import weights that were trained elsewhere."
            show_no_runs(self._empty, self.session, f"{shows} {before}")
            self._stack.setCurrentWidget(self._empty)
            return
        self._stack.setCurrentWidget(self._full)
        if self.hasFocus():
            self.take_keyboard()
        if self.session.document is not None:  # before a run is chosen, which evaluates the chosen split at once
            self._picker.list_splits(self.session.document.images())
        self._picker.list_runs(usable)
        self._compare.list_runs(usable)
        if self._evaluation is not None and self._has_new_weights and not self._runner.is_running:
            self._say_evaluation(self._evaluation)
        self._header.show_busy(self._runner.is_running)

    @Slot()
    def _choice_changed(self) -> None:
        """Another run, checkpoint or split: what is shown belongs to the previous one."""
        self._forget()
        run, checkpoint, document = self._picker.run, self._picker.checkpoint, self.session.document
        if self._picker.folds:  # all their runs would look, and what is kept of this one says nothing of the others
            self._say_nothing_yet()
        elif run is not None and checkpoint is not None and document is not None:
            self._middle.picture.say(LOOKING, "text")
            self._kept_candidates.ask(run.folder, checkpoint, len(self._picker.ids(document.images())))

    @Slot(bool)
    def _kept_told(self, is_kept: bool) -> None:
        (self.evaluate if is_kept else self._say_nothing_yet)()

    def _say_nothing_yet(self) -> None:
        """Say what to do, in the place of the pictures."""
        words = "Press Look to run this detector on the images and compare what it finds with their labels."
        self._middle.picture.say(words, "text")

    # --- evaluating ---

    @Slot()
    def evaluate(self) -> None:
        """Find candidates in a job, after stopping one that runs."""
        document = self.session.document
        self._stop_evaluation()
        if document is None or (pending := self._picker.request(document.folder)) is None:
            return
        self._rematcher.watch()
        self._begun = self._picker.ids(document.images()), stamp_of(pending.checkpoint)
        self._header.say("Opening the checkpoint …")
        if self._evaluation is None:
            self._middle.picture.say(LOOKING, "text")
        self._header.show_busy(True)
        title = f"Looking with {pending.run_folder.name}"
        self._runner.start(title, lambda: evaluate_pending(pending, self._evaluate))

    @Slot()
    def _stop_evaluation(self) -> None:
        self._kept_candidates.drop()
        if self._runner.stop():
            self._ended(True)

    @Slot(object)
    def _evaluated(self, evaluation: EvaluationResult) -> None:
        self._show_evaluation(evaluation)
        if evaluation.remark:  # it may not fit in the line above the page
            self.session.message.emit("warning", evaluation.remark)

    @Slot(str)
    def _failed(self, sentence: str) -> None:
        self._header.say(sentence)
        if self._evaluation is None:
            self._middle.picture.say(sentence)

    @Slot(bool)
    def _ended(self, was_stopped: bool) -> None:
        self._header.show_busy(False)
        if was_stopped:
            self._header.say("Stopped. What was found so far is kept.")
            if self._evaluation is None:
                self._say_nothing_yet()

    def _forget(self) -> None:
        self._stop_evaluation()
        self._evaluation, self._places = None, {}
        self._rematcher.begin(None)
        self._left.clear()
        self._compare.begin(None)
        self._right.clear()
        self._middle.clear()
        self._header.say("")

    # --- what was found ---

    def _show_evaluation(self, evaluation: EvaluationResult) -> None:
        self._evaluated_ids, self._weights = self._begun
        self._evaluation, self._has_others = evaluation, self._chooses_others()
        self._places = {image.id: place for place, image in enumerate(evaluation.truth.images)}
        self.session.inspected = self._picker.run
        self._rematcher.begin(evaluation)
        table = self._left.table
        self._left.show_selection(None)
        table.images.set_images(evaluation.truth.images)
        self._middle.clear()
        self._right.set_evaluation(evaluation)
        self._rematcher.catch_up()
        self._rematcher.match(self.session.document, self._right.nms)
        self._compare.begin(self._runner.request, evaluation.point)
        table.images.resort()
        if (place := self._places.get(self.session.image_id)) is not None:
            self._show_image(place)
        elif self._places:  # a person who chose another image keeps it, and is told
            self._show_image(int(table.images.row_image[0]))
        self._say_evaluation(evaluation)

    @Slot(object)
    def _changed(self, state: InspectState) -> None:
        """The numbers of the split now belong to `state`."""
        self._left.count(state)
        self._show_boxes()

    @Slot(object)
    def _open(self, selection: BoxSelection) -> None:
        """List the images behind a bar, a cell or a point, and show the first of them."""
        self._left.show_selection(selection)
        self._middle.mark(selection)
        some = self._left.table.images.row_image
        if self._middle.image in some:
            self._left.table.select_image(self._middle.image)
        elif len(some):
            self._image_chosen(int(some[0]))

    @Slot(object)
    def _mark(self, selection: BoxSelection | None) -> None:
        """Frame what a tab asks for, or else what the list was opened for."""
        self._middle.mark(selection if selection is not None else self._left.selection)

    @Slot()
    def _list_all(self) -> None:
        self._left.show_selection(None)
        self._middle.mark(None)
        self._left.table.select_image(self._middle.image)

    @Slot(object)
    def _keep(self, point: OperatingPoint | None) -> None:
        """Write the operating point beside the run's evaluation, or remove it."""
        run, checkpoint = self._picker.run, self._picker.checkpoint
        if point is not None and self._evaluation is not None and self._has_new_weights:
            self._say_evaluation(self._evaluation)
        elif run is not None and checkpoint is not None:
            own = replace(point, checkpoint=checkpoint.name) if point is not None else None
            self._point_keeper.keep(run.folder, own, self._evaluation.step if self._evaluation else None)

    def _kept(self, run_folder: Path, point: OperatingPoint | None) -> None:
        """`point` is now kept with this run, which may not be the one shown."""
        run, checkpoint = self._picker.run, self._picker.checkpoint
        if run is not None and checkpoint is not None and run.folder == run_folder:
            own = point is not None and point.checkpoint in ("", checkpoint.name)
            self._right.kept(point if own else None)
            self._compare.keep(point if own else None)

    # --- the picture ---

    @Slot(int)
    def _image_chosen(self, index: int) -> None:
        if self._evaluation is not None:
            self._show_image(index)
            self.session.select_image(self._evaluation.truth.images[index].id)

    @Slot(int)
    def _image_opened(self, index: int) -> None:
        """On the Label page, where its boxes can be corrected."""
        self._image_chosen(index)
        self.session.page_requested.emit("label")

    @Slot()
    def _selected_elsewhere(self) -> None:
        """Show the session's image, if the page is visible."""
        if self._evaluation is None or not self.isVisible():
            return
        place = self._places.get(self.session.image_id)
        if place is not None and place != self._middle.image:
            self._show_image(place)
        self._say_evaluation(self._evaluation)

    @property
    def _has_new_weights(self) -> bool:
        """Whether the training has written others into the checkpoint since it was evaluated."""
        return stamp_of(self._picker.checkpoint) not in (None, self._weights)

    def _say_evaluation(self, evaluation: EvaluationResult) -> None:
        is_stale, new = self._rematcher.is_stale, self._has_new_weights
        other = self.session.image if self.session.image_id not in self._places else None
        self._header.say(
            status_text(evaluation, other, is_stale=is_stale, has_others=self._has_others, has_new_weights=new)
        )

    def _show_image(self, index: int) -> None:
        document = self.session.document
        assert self._evaluation is not None
        self._left.table.select_image(index)
        around = self._left.table.images.neighbours(index, AHEAD)
        self._middle.show_image(self._evaluation, index, around, document.cache_folder if document else None)
        self._show_boxes()

    @Slot()
    def _show_boxes(self) -> None:
        """From the split's matching, or the image's own while the split's is out of date; of both runs if compared."""
        state, pair = self._right.state, self._compare.visible_comparison
        if state is None or self._middle.image < 0 or (pair is not None and self._middle.show_pair(pair)):
            return
        if state.nms == self._right.nms:
            self._middle.show_boxes(state.matching, state.confidences)
        else:
            self._middle.preview_nms(self._right.nms, state.confidences)
