"""The Inspect page: what a trained run detects in the images, where it is wrong, and what the sliders change."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import QSplitter, QStackedLayout, QVBoxLayout, QWidget

from workbench.core.applied import Applied
from workbench.errors import WorkbenchError
from workbench.inference.operating_point import OperatingPoint
from workbench.training.runs import RunInfo
from workbench.ui import theme
from workbench.ui.counted import Counted
from workbench.ui.inspect import work
from workbench.ui.inspect.chosen import Chosen
from workbench.ui.inspect.compare.tab import CompareTab
from workbench.ui.inspect.head import Head
from workbench.ui.inspect.images_side import ImagesSide
from workbench.ui.inspect.keeping import Keeping
from workbench.ui.inspect.looking.opening import LookElsewhere
from workbench.ui.inspect.picture_side import PictureSide
from workbench.ui.inspect.review.following import Follower, told
from workbench.ui.inspect.review.tab import ReviewTab
from workbench.ui.inspect.shown import Shown
from workbench.ui.inspect.side import Side
from workbench.ui.inspect.tab import Tab
from workbench.ui.inspect.work import Found, Look, Wish
from workbench.ui.job import Job
from workbench.ui.page import Page
from workbench.ui.session import Session
from workbench.ui.trained_runs import TrainedRuns, say_none
from workbench.ui.widgets import kept_size
from workbench.ui.widgets.next_step import NextStep

LEFT, MIDDLE, RIGHT = 320, 290, 270  # px: when the sides shrink as far as they can, all three fit the smallest window
WISHED = 380  # px of the right side if there is room


class InspectPage(Page):
    """Evaluates when asked to, or at once if the run's candidates are kept already. `look` is work.look, or a fake."""

    name, title, icon = "inspect", "Inspect", "mdi6.image-search-outline"

    def __init__(self, session: Session, parent: QWidget | None = None, *, look: Look = work.look) -> None:
        super().__init__(session, parent)
        self._look = look
        self._job: Job | None = None
        self._wish: Wish | None = None  # of the evaluation shown or running
        self._found: Found | None = None
        self._is_stale = False  # the labels have changed since the evaluation
        self._looked_at = np.zeros(0, np.int64)  # ids of the images selected when the evaluation began
        self._has_others = False  # other images are selected by now
        self._runs = TrainedRuns(self)
        self._follower = Follower(self)
        self._build()
        self._keeping = Keeping(session, self, self._kept, self._head.say)
        self._compare = CompareTab(session, lambda wish: self._look(wish))
        self.add_tab(self._compare, "Compare", "Two runs side by side: what the newer finds better and worse.")
        self._review = ReviewTab(session)
        self.add_tab(self._review, "Review", "Mistakes one by one: take the prediction, or keep the label.")
        self._connect()

    # --- building ---

    def _build(self) -> None:
        self._empty = NextStep("inspect-empty")
        self._full = QWidget()
        self._stack = QStackedLayout(self)
        self._stack.addWidget(self._empty)
        self._stack.addWidget(self._full)
        self._head = Head()
        self._choice = self._head.choice
        LookElsewhere(self.session, self, self._choice)
        self._left, self._middle, self._side = ImagesSide(), PictureSide(), Side()
        self._left.setMinimumWidth(LEFT - 10)
        self._middle.setMinimumWidth(MIDDLE)
        self._side.setMinimumWidth(RIGHT)
        split = QSplitter(Qt.Orientation.Horizontal)
        split.setObjectName("inspect-panes")
        split.setChildrenCollapsible(False)
        for widget in (self._left, self._middle, self._side):
            split.addWidget(widget)
        split.setSizes([LEFT, 2 * MIDDLE, WISHED])
        split.setStretchFactor(1, 1)
        kept_size.keep_panes(split, "inspect/panes")
        column = QVBoxLayout(self._full)
        column.setContentsMargins(theme.GRID, theme.GRID, theme.GRID, theme.GRID)
        column.setSpacing(theme.GRID)
        column.addWidget(self._head)
        column.addWidget(split, 1)
        self.keyed = self._left.table

    def _connect(self) -> None:
        self._empty.asked.connect(self.session.page_asked)
        self._empty.other_asked.connect(self.session.import_asked)
        self._head.look_asked.connect(self.look)
        self._head.stop_asked.connect(self._stop_looking)
        self._choice.changed.connect(self._choice_changed)
        self._side.changed.connect(self._changed)
        self._side.ahead.connect(self._show_boxes)
        self._side.opened.connect(self._open)
        self._side.marked.connect(self._mark)
        self._side.keyed_changed.connect(self._take_keys)
        self._side.keep_asked.connect(self._keep)
        self._compare.pair_changed.connect(self._show_boxes)
        self._review.wide.connect(self._show_side_alone)
        self._follower.followed.connect(self._followed)
        self._left.all_asked.connect(self._list_all)
        self._left.table.image_chosen.connect(self._image_chosen)
        self._left.table.image_opened.connect(self._image_opened)
        self.session.image_changed.connect(self._selected_elsewhere)
        self.session.document_changed.connect(self._document_changed)
        self.session.edited.connect(self._edited)
        self._runs.read.connect(self._listed)
        self.session.run_asked.connect(self._choice.want)
        self.session.job_ended.connect(self._job_ended)

    # --- the page ---

    def shown(self) -> None:
        if self.session.document is None:
            self._say_empty("No project is open", "Open one, or make one from a folder of photographs.")
            return
        self._choice.list_splits(self.session.document.images())
        self._runs.ask()

    def closing(self) -> None:
        self._stop_looking()
        self._left.close_down()
        self._middle.close_down()
        self._side.close_down()
        self._follower.close_down()
        self._runs.close()

    def add_tab(self, tab: Tab, title: str, help: str = "") -> None:
        """Add a tab at the right, such as the review of mistakes: it gets every Shown, and what it opens is listed."""
        self._side.add_tab(tab, title, help)

    def _say_empty(self, *words: str) -> None:
        self._empty.say(*words)
        self._stack.setCurrentWidget(self._empty)

    @Slot()
    def _document_changed(self) -> None:
        self._forget()
        self._choice.clear()
        if self.isVisible():
            self.shown()

    @Slot(object)
    def _edited(self, applied: Applied) -> None:
        """The numbers follow edited boxes at once; other images or labels need a new evaluation."""
        if self._found is None:
            return
        if not self._follower.follow(self.session.document, applied, self._side.nms):
            self._is_stale = True
        if applied.images_changed:
            self._has_others = self._chooses_others()
        if self._is_stale or applied.images_changed:
            self._say_found(self._found)

    def _chooses_others(self) -> bool:
        document = self.session.document
        return document is not None and not np.array_equal(self._choice.ids(document.images()), self._looked_at)

    @Slot(object)
    def _followed(self, found: Found) -> None:
        self._found = found
        self._say_found(found)
        self._middle.follow(found)
        self._side.follow(found)

    @Slot()
    def _take_keys(self) -> None:
        """On return to the page, the tab gets the keyboard if it has keys of its own."""
        self.keyed = self._side.keyed or self._left.table

    @Slot(bool)
    def _show_side_alone(self, on: bool) -> None:
        self._left.setVisible(not on)
        self._middle.setVisible(not on)

    # --- runs and splits ---

    @Slot(object)
    def _listed(self, usable: tuple[RunInfo, ...]) -> None:
        if not usable:
            shows = "This page shows what a trained detector finds."
            before = "Train one first, or import weights that were trained elsewhere."
            say_none(self._empty, self.session, f"{shows} {before}")
            self._stack.setCurrentWidget(self._empty)
            return
        self._stack.setCurrentWidget(self._full)
        if self.hasFocus():
            self.take_keyboard()
        if self.session.document is not None:  # before a run is chosen, which evaluates the chosen split at once
            self._choice.list_splits(self.session.document.images())
        self._choice.list_runs(usable)
        self._compare.list_runs(usable)
        self._head.show_busy(self._job is not None)

    @Slot()
    def _choice_changed(self) -> None:
        """Another run, checkpoint or split: what is shown belongs to the previous one."""
        self._forget()
        run = self._choice.run
        if run is not None and work.is_kept(run.folder):
            self.look()
        elif run is not None:
            self._say_nothing_yet()

    def _say_nothing_yet(self) -> None:
        """Say what to do, in the place of the pictures."""
        self._middle.picture.say(
            "Press Look to run this detector on the images and compare what it finds with their labels.",
            "text",
        )

    # --- looking ---

    @Slot()
    def look(self) -> None:
        """Find candidates in a Job, after stopping one that runs."""
        document, run, checkpoint = self.session.document, self._choice.run, self._choice.checkpoint
        self._stop_looking()
        if document is None or run is None or checkpoint is None:
            return
        choice = self._choice.split, self._choice.held_out_of, self._choice.done_only
        asked = work.Asked(document.folder, run.folder, checkpoint, *choice)
        self._looked_at = self._choice.ids(document.images())
        job = Job(f"Looking with {run.name}", lambda _: work.looked(asked, self._look), behind=True)
        job.reported.connect(self._reported)
        job.failed.connect(self._failed)
        self._job = job
        self._head.say("Opening the checkpoint …")
        if self._found is None:
            self._middle.picture.say("Looking …", "text")
        self._head.show_busy(True)
        self.session.start(job)

    @Slot()
    def _stop_looking(self) -> None:
        if self._job is not None:
            self._job.stop.set()
            self._job = None
            self._head.show_busy(False)
            self._head.say("Stopped. What was found so far is kept.")
            if self._found is None:
                self._say_nothing_yet()

    @Slot(object)
    def _reported(self, event: object) -> None:
        if self.sender() is not self._job:
            return
        if isinstance(event, Wish):
            self._wish = event
        elif isinstance(event, Counted):
            self._head.show_progress(event)
        elif isinstance(event, Found):
            self._take(event)
            if event.remark:  # it may not fit in the line above the page
                self.session.message.emit("warning", event.remark)

    @Slot(object)
    def _failed(self, error: object) -> None:
        if self.sender() is self._job and isinstance(error, WorkbenchError):
            self._head.say(error.sentence)
            if self._found is None:
                self._middle.picture.say(error.sentence)

    @Slot(object)
    def _job_ended(self, job: object) -> None:
        if job is self._job:
            was_stopped = self._found is None and self._job is not None and self._job.error is None
            self._job = None
            self._head.show_busy(False)
            if was_stopped:  # in the status bar
                self._say_nothing_yet()

    def _forget(self) -> None:
        self._stop_looking()
        self._found = None
        self._follower.begin(None)
        self._left.clear()
        self._compare.begin(None)
        self._side.clear()
        self._middle.clear()
        self._head.say("")

    # --- what was found ---

    def _take(self, found: Found) -> None:
        self._found, self._is_stale, self._has_others = found, False, self._chooses_others()
        self.session.inspected = self._choice.run
        self._follower.begin(found)
        table = self._left.table
        self._left.show_chosen(None)
        table.images.set_images(found.truth.images)
        self._middle.clear()
        self._side.take(found)
        self._compare.begin(self._wish, found.point)
        table.images.resort()
        ids = [image.id for image in found.truth.images]
        if self.session.image_id in ids:
            self._show_image(ids.index(self.session.image_id))
        elif ids:  # a person who chose another image keeps it, and is told
            self._show_image(int(table.images.row_image[0]))
        self._say_found(found)

    @Slot(object)
    def _changed(self, state: Shown) -> None:
        """The numbers of the split now belong to `state`."""
        self._left.count(state)
        self._show_boxes()

    @Slot(object)
    def _open(self, chosen: Chosen) -> None:
        """List the images behind a bar, a cell or a point, and show the first of them."""
        self._left.show_chosen(chosen)
        self._middle.mark(chosen)
        some = self._left.table.images.row_image
        if self._middle.image in some:
            self._left.table.select_image(self._middle.image)
        elif len(some):
            self._image_chosen(int(some[0]))

    @Slot(object)
    def _mark(self, chosen: Chosen | None) -> None:
        """Frame what a tab asks for, or else what the list was opened for."""
        self._middle.mark(chosen if chosen is not None else self._left.chosen)

    @Slot()
    def _list_all(self) -> None:
        self._left.show_chosen(None)
        self._middle.mark(None)
        self._left.table.select_image(self._middle.image)

    @Slot(object)
    def _keep(self, point: OperatingPoint | None) -> None:
        """Write the operating point beside the run's evaluation, or remove it."""
        run, checkpoint = self._choice.run, self._choice.checkpoint
        if run is not None and checkpoint is not None:
            own = replace(point, checkpoint=checkpoint.name) if point is not None else None
            self._keeping.keep(run.folder, own)

    def _kept(self, run_folder: Path, point: OperatingPoint | None) -> None:
        """`point` is now kept with this run, which may not be the one shown."""
        run, checkpoint = self._choice.run, self._choice.checkpoint
        if run is not None and checkpoint is not None and run.folder == run_folder:
            own = point is not None and point.checkpoint in ("", checkpoint.name)
            self._side.kept(point if own else None)
            self._compare.keep(point if own else None)

    # --- the picture ---

    @Slot(int)
    def _image_chosen(self, index: int) -> None:
        if self._found is not None:
            self._show_image(index)
            self.session.select_image(self._found.truth.images[index].id)

    @Slot(int)
    def _image_opened(self, index: int) -> None:
        """On the Label page, where its boxes can be corrected."""
        self._image_chosen(index)
        self.session.page_asked.emit("label")

    @Slot(int)
    def _selected_elsewhere(self, id: int) -> None:
        if self._found is None:
            return
        for index, image in enumerate(self._found.truth.images):
            if image.id == id and index != self._middle.image:
                self._show_image(index)
        self._say_found(self._found)

    def _say_found(self, found: Found) -> None:
        self._head.say(told(found, self.session.image, is_stale=self._is_stale, has_others=self._has_others))

    def _show_image(self, index: int) -> None:
        assert self._found is not None
        self._left.table.select_image(index)
        self._middle.show_image(self._found, index)
        self._show_boxes()

    @Slot()
    def _show_boxes(self) -> None:
        """From the split's matching, or the image's own while the split's is out of date; of both runs if compared."""
        state, pair = self._side.state, self._compare.in_sight
        if state is None or self._middle.image < 0 or (pair is not None and self._middle.show_pair(pair)):
            return
        if state.nms == self._side.nms:
            self._middle.show_boxes(state.matching, state.wanted)
        else:
            self._middle.show_ahead(self._side.nms, state.wanted)
