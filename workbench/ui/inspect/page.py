"""The Inspect page: what a trained run finds in the images, where it is wrong, and what the two sliders change."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QSizeF, Qt, QTimer, Slot
from PySide6.QtWidgets import (
    QHBoxLayout,
    QProgressBar,
    QPushButton,
    QSplitter,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from workbench.core.applied import Applied
from workbench.core.project import State
from workbench.core.window import Window
from workbench.errors import WorkbenchError
from workbench.training import runs
from workbench.ui import pictures, theme
from workbench.ui.background import Background
from workbench.ui.counted import Counted
from workbench.ui.inspect import work
from workbench.ui.inspect.choice import Choice
from workbench.ui.inspect.images_table import ImagesTable
from workbench.ui.inspect.numbers import Numbers
from workbench.ui.inspect.picture import Group, InspectPicture, Legend
from workbench.ui.inspect.work import Found, Look, Wish
from workbench.ui.job import Job
from workbench.ui.page import Page
from workbench.ui.pictures import Picture
from workbench.ui.session import Session
from workbench.ui.widgets.elided import Elided
from workbench.ui.widgets.next_step import NextStep

SOON = 40  # ms: moves of the NMS slider within this are scored once
LEFT, MIDDLE, RIGHT = 320, 290, 300  # px: with what the sides can give, all three fit the smallest window


class InspectPage(Page):
    """Looks when asked to, or at once if what the run finds is kept already. `look` is work.look, or a fake."""

    name, title, icon = "inspect", "Inspect", "mdi6.image-search-outline"

    def __init__(self, session: Session, parent: QWidget | None = None, *, look: Look = work.look) -> None:
        super().__init__(session, parent)
        self._look = look
        self._job: Job | None = None
        self._found: Found | None = None
        self._image = -1  # index in found.truth
        self._reading: tuple[Path, Window | None] | None = None
        self._list: Background | None = None
        self._reader: Background | None = None
        self._soon = QTimer(self, singleShot=True, interval=SOON)
        self._soon.timeout.connect(self._rescore)
        self._build()
        self._connect()

    # --- building ---

    def _build(self) -> None:
        self._empty = NextStep("inspect-empty")
        self._full = QWidget()
        self._stack = QStackedLayout(self)
        self._stack.addWidget(self._empty)
        self._stack.addWidget(self._full)
        self._table = ImagesTable()
        self._table.setMinimumWidth(LEFT - 10)
        self._picture = InspectPicture()
        self._numbers = Numbers()
        self._numbers.setMinimumWidth(RIGHT - 40)
        split = QSplitter(Qt.Orientation.Horizontal)
        split.setChildrenCollapsible(False)
        for widget in (self._left(), self._middle(), self._numbers):
            split.addWidget(widget)
        split.setSizes([LEFT, 2 * RIGHT, RIGHT])
        split.setStretchFactor(1, 1)
        column = QVBoxLayout(self._full)
        column.setContentsMargins(theme.GRID, theme.GRID, theme.GRID, theme.GRID)
        column.setSpacing(theme.GRID)
        column.addLayout(self._choices())
        column.addWidget(split, 1)

    def _choices(self) -> QHBoxLayout:
        self._choice = Choice()
        self._go = QPushButton("Look")
        self._go.setObjectName("inspect-look")
        self._go.setProperty("role", "primary")
        self._go.setToolTip("Run the detector over these images. What it finds is kept beside the run.")
        self._stop = QPushButton("Stop")
        self._stop.setObjectName("inspect-stop")
        self._bar = QProgressBar(textVisible=False)
        self._bar.setMaximumWidth(160)
        self._bar.setObjectName("inspect-progress")
        self._bar.setFixedHeight(theme.GRID)
        self._words = Elided()
        self._words.setObjectName("inspect-words")
        self._words.setProperty("role", "muted")
        row = QHBoxLayout()
        for widget in (self._choice, self._go, self._stop, self._bar):
            row.addWidget(widget)
        row.addWidget(self._words, 1)
        return row

    def _left(self) -> QWidget:
        side = QWidget()
        column = QVBoxLayout(side)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._table, 1)
        return side

    def _middle(self) -> QWidget:
        middle = QWidget()
        middle.setMinimumWidth(MIDDLE)
        self._caption = Elided()
        self._caption.setObjectName("inspect-caption")
        column = QVBoxLayout(middle)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._caption)
        column.addWidget(self._picture, 1)
        column.addWidget(Legend(self._picture))
        return middle

    def _connect(self) -> None:
        self._empty.asked.connect(self.session.page_asked)
        self._empty.other_asked.connect(self.session.import_asked)
        self._go.clicked.connect(self.look)
        self._stop.clicked.connect(self._stop_looking)
        self._choice.changed.connect(self._choice_changed)
        self._numbers.confidence.changed.connect(self._confidence_changed)
        self._numbers.iou.changed.connect(self._soon.start)
        self._numbers.kind_changed.connect(self._rescore)
        self._table.image_chosen.connect(self._image_chosen)
        self.session.image_changed.connect(self._selected_elsewhere)
        self.session.document_changed.connect(self._document_changed)
        self.session.edited.connect(self._edited)
        self.session.runs_changed.connect(self._list_runs)
        self.session.run_asked.connect(self._choice.want)
        self.session.job_ended.connect(self._job_ended)
        self._show_busy(False)

    # --- the page ---

    def shown(self) -> None:
        if self.session.document is None:
            self._say_empty("No project is open", "Open one, or make one from a folder of photographs.")
            return
        self._choice.list_splits(self.session.document.images())
        self._list_runs()

    def closing(self) -> None:
        self._soon.stop()
        self._stop_looking()
        for background in (self._list, self._reader):
            if background is not None:
                background.close()
                background.deleteLater()
        self._list = self._reader = None

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
        if self._found is not None and (applied.images or applied.labels_changed or applied.images_changed):
            self._words.setText("Labels have changed since. Look again to compare with them.")

    # --- runs and splits ---

    @Slot()
    def _list_runs(self) -> None:
        if self.session.document is None or not (self.isVisible() or self._list is not None):
            return
        if self._list is None:
            self._list = Background("Reading the runs", runs.runs, self)
            self._list.done.connect(self._listed)
        self._list.ask([self.session.document.runs_folder])

    @Slot(object, object)
    def _listed(self, _folder: object, found: object) -> None:
        usable = [run for run in found if run.checkpoint is not None] if isinstance(found, tuple) else []
        if not usable:
            self._say_empty(
                "No trained run yet",
                "This page shows what a trained detector finds. Train one first, or import weights that were trained"
                " elsewhere.",
                "Train a detector", "train",
            )  # fmt: skip
            self._empty.offer_other("Import weights…")
            return
        self._stack.setCurrentWidget(self._full)
        self._choice.list_runs(usable)
        self._show_busy(self._job is not None)

    @Slot()
    def _choice_changed(self) -> None:
        """Another run, checkpoint or split: what is shown belongs to the one before."""
        self._forget()
        run = self._choice.run
        if run is not None and work.is_kept(run.folder):
            self.look()
        elif run is not None:
            self._say_nothing_yet()

    def _say_nothing_yet(self) -> None:
        """What to do, where the pictures will be."""
        self._picture.say(
            "Press Look: this detector then searches the images, and what it finds is compared with their labels here.",
            "text",
        )

    # --- looking ---

    @Slot()
    def look(self) -> None:
        """Find candidates in a Job; one that runs is stopped."""
        document, run, checkpoint = self.session.document, self._choice.run, self._choice.checkpoint
        self._stop_looking()
        if document is None or run is None or checkpoint is None:
            return
        snapshot = document.snapshot()
        if self._choice.done_only:
            snapshot = snapshot.only(states=(State.DONE, State.VERIFIED))
        wish = Wish(run.folder, checkpoint, snapshot, self._choice.split)
        job = Job(f"Looking with {run.name}", lambda _: self._look(wish), behind=True)
        job.reported.connect(self._reported)
        job.failed.connect(self._failed)
        self._job = job
        self._words.setText("Opening the checkpoint …")
        if self._found is None:
            self._picture.say("Looking …", "text")
        self._show_busy(True)
        self.session.start(job)

    @Slot()
    def _stop_looking(self) -> None:
        if self._job is not None:
            self._job.stop.set()
            self._job = None
            self._show_busy(False)
            self._words.setText("Stopped. What was found so far is kept.")
            if self._found is None:
                self._say_nothing_yet()

    def _show_busy(self, on: bool) -> None:
        self._bar.setVisible(on)
        self._bar.setRange(0, 0)
        self._stop.setVisible(on)
        self._go.setEnabled(not on and self._choice.run is not None)  # the list of runs comes a moment later

    @Slot(object)
    def _reported(self, event: object) -> None:
        if self.sender() is not self._job:
            return
        if isinstance(event, Counted) and event.total:
            self._bar.setRange(0, event.total)
            self._bar.setValue(event.done)
            self._words.setText(f"{event.done:,} of {event.total:,} images")
        elif isinstance(event, Counted):
            self._words.setText(event.detail)
        elif isinstance(event, Found):
            self._take(event)

    @Slot(object)
    def _failed(self, error: object) -> None:
        if self.sender() is self._job and isinstance(error, WorkbenchError):
            self._words.setText(error.sentence)
            if self._found is None:
                self._picture.say(error.sentence)

    @Slot(object)
    def _job_ended(self, job: object) -> None:
        if job is self._job:
            was_stopped = self._found is None and self._job is not None and self._job.error is None
            self._job = None
            self._show_busy(False)
            if was_stopped:  # in the status bar
                self._say_nothing_yet()

    def _forget(self) -> None:
        self._stop_looking()
        self._found, self._image = None, -1
        self._table.images.set_images(())
        self._numbers.clear()
        self._picture.set_groups(())
        self._picture.show_picture(None, QSizeF())
        self._caption.setText("")
        self._words.setText("")

    # --- what was found ---

    def _take(self, found: Found) -> None:
        self._found = found
        self._numbers.confidence.set_value(found.confidence)
        self._numbers.iou.set_value(found.rules.iou)
        self._table.images.set_images(found.truth.images)
        skipped = f" {found.skipped:,} could not be read." if found.skipped else ""
        images = f"{len(found.truth):,} image{'' if len(found.truth) == 1 else 's'}"
        self._words.setText(f"{images}, {len(found.truth.boxes):,} labelled boxes.{skipped}")
        self._numbers.show_published(found.published)
        if (self._numbers.kind or found.published) != found.rules.kind:
            self._found = found = found.rescored(found.rules.iou, self._numbers.kind)
        self._numbers.show_curves(found)
        self._confidence_changed()
        self._table.images.resort()
        ids = [image.id for image in found.truth.images]
        wanted = ids.index(self.session.image_id) if self.session.image_id in ids else None
        self._show_image(int(self._table.images.row_image[0]) if wanted is None and ids else wanted or 0)

    @Slot()
    def _confidence_changed(self, _value: float = 0.0) -> None:
        if self._found is None:
            return
        confidence = self._numbers.confidence.value
        self._numbers.show_found(self._found, confidence)
        per_image = self._found.evaluation.matching.counts(confidence).per_image  # (I, 3) right, wrong, missed
        per_image = per_image[:, [0, 2, 1]]
        per_image[:, 0] += per_image[:, 1]
        self._table.images.set_counts(per_image)
        self._show_boxes()

    @Slot()
    def _rescore(self) -> None:
        if self._found is not None:
            self._found = self._found.rescored(self._numbers.iou.value, self._numbers.kind)
            self._numbers.show_curves(self._found)
            self._confidence_changed()

    # --- the picture ---

    @Slot(int)
    def _image_chosen(self, index: int) -> None:
        if self._found is not None:
            self._show_image(index)
            self.session.select_image(self._found.truth.images[index].id)

    @Slot(int)
    def _selected_elsewhere(self, id: int) -> None:
        if self._found is None:
            return
        for index, image in enumerate(self._found.truth.images):
            if image.id == id and index != self._image:
                self._show_image(index)

    def _show_image(self, index: int) -> None:
        assert self._found is not None
        self._image = index
        image = self._found.truth.images[index]
        self._table.select_image(index)
        self._picture.show_picture(None, QSizeF(image.width, image.height))
        self._reading = self._found.truth.files[index], self._found.truth.window
        if self._reader is None:
            self._reader = Background("Pictures", lambda wish: pictures.load(*wish), self)
            self._reader.done.connect(self._read)
        self._reader.ask([self._reading])
        self._show_boxes()

    @Slot(object, object)
    def _read(self, wish: object, result: object) -> None:
        if wish != self._reading:
            return
        if isinstance(result, Picture):
            self._picture.show_picture(result, QSizeF(result.width, result.height), keep_view=True)
        elif isinstance(result, WorkbenchError):
            self._picture.say(result.sentence)

    def _show_boxes(self) -> None:
        found = self._found
        if found is None or self._image < 0:
            return
        match = found.evaluation.matching.of_image(self._image, self._numbers.confidence.value)
        kept = found.detections(self._image)
        truth = found.truth.boxes[found.truth.rows(self._image)]
        truth_labels = found.truth.label_index[found.truth.rows(self._image)]
        names = found.evaluation.labels
        groups = [Group("label", truth[match.partner], ())]
        for kind, rows in (("hit", match.right), ("false_alarm", match.wrong)):
            words = tuple(
                f"{names[label]} {score:.2f}" for label, score in zip(kept.labels[rows], kept.scores[rows], strict=True)
            )
            groups.append(Group(kind, kept.boxes[rows], words))
        missed = tuple(names[label] for label in truth_labels[match.missed])
        groups.append(Group("miss", truth[match.missed], missed))
        self._picture.set_groups(tuple(groups))
        self._caption.setText(
            f"{found.truth.images[self._image].path}: {len(match.right):,} right,"
            f" {len(match.wrong):,} false alarms, {len(match.missed):,} misses"
        )
