"""The tab "Whole set": for each detector, how many boxes nothing would be trained on, by size and by label."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import (
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from workbench.core.formatting import percent
from workbench.training.batches.file_index import FileIndex
from workbench.training.events import Control
from workbench.training.recipes import Recipe
from workbench.ui import theme
from workbench.ui.job import Job
from workbench.ui.session import Session
from workbench.ui.train.trainer_view import worker
from workbench.ui.train.trainer_view.coverage_rows import COLUMNS, CoverageRow, coverage_row
from workbench.ui.widgets.sort_header import SortHeader

if TYPE_CHECKING:
    from workbench.training.trainer_view.box_coverage import Coverage

_ABOUT = (
    "Boxes of the training images, without augmentation, that no cell, anchor or point is assigned to, so that they"
    " are not learnt. Small: less than 32 × 32 pixels of the input; large: at least 96 × 96. Double-click a number to"
    " go through its images."
)
_PADDING = "QTreeWidget::item { padding: 3px 8px 3px 0; } QHeaderView::section { padding-right: 11px; }"
"""Column headers are right-aligned with their numbers."""
_WITHOUT_FILE = (
    "A file describes the network of {title}. To include it, choose it and its file on the"
    ' <a href="train" style="color: {ink}">Train page</a>, then count again.'
)


class WholeSet(QWidget):
    """`chosen(detector, image ids, what they are)` on double click or Enter, `gallery_requested(ids, what)` by button.

    Counting runs in a job of the session. `files`: what is known about the image files.
    """

    chosen = Signal(str, object, str)
    gallery_requested = Signal(object, str)

    def __init__(self, session: Session, files: FileIndex, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._files = files
        self._job: Job | None = None
        self._names: tuple[str, ...] = ()
        self._labels: tuple[str, ...] = ()
        self._recipe: Recipe | None = None
        self.words = QLabel(_ABOUT, wordWrap=True)
        self.words.setObjectName("seen-whole-words")
        self.words.setProperty("role", "muted")
        self.left_out = QLabel(wordWrap=True, textFormat=Qt.TextFormat.RichText)
        self.left_out.setObjectName("seen-left-out")
        self.left_out.setProperty("role", "muted")
        flag = Qt.TextInteractionFlag
        self.left_out.setTextInteractionFlags(flag.LinksAccessibleByMouse | flag.LinksAccessibleByKeyboard)
        self.left_out.hide()
        self._without_file = ""  # the title of a detector that lacks its file
        self.button = QPushButton("Count", autoDefault=False)
        self.button.setObjectName("seen-count")
        self.gallery = QPushButton("Show these images in the gallery", autoDefault=False)
        self.gallery.setObjectName("seen-gallery")
        self.tree = QTreeWidget()
        SortHeader(self.tree)
        self.tree.setObjectName("seen-whole")
        self.tree.setAccessibleName("Boxes that are not learnt, by detector, label and size")
        self.tree.setProperty("role", "flat")
        self.tree.setHeaderLabels(list(COLUMNS))
        self.tree.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.tree.setUniformRowHeights(True)
        self.tree.setStyleSheet(_PADDING)
        self._lay_out()
        self.button.clicked.connect(self.count)
        self.gallery.clicked.connect(self._ask_gallery)
        self.tree.itemActivated.connect(self._activated)
        self.tree.currentItemChanged.connect(self._enable)
        self.left_out.linkActivated.connect(session.page_requested)
        theme.theme().changed.connect(self._take_colours)
        self._enable()

    def _lay_out(self) -> None:
        header = self.tree.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        header.setMinimumSectionSize(48)
        header.setSectionsClickable(True)
        for column in range(1, len(COLUMNS)):
            right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
            self.tree.headerItem().setTextAlignment(column, right)
        self.tree.setSortingEnabled(True)
        self._unsort()
        row = QHBoxLayout()
        row.addWidget(self.gallery)
        row.addStretch(1)
        row.addWidget(self.button)
        column_ = QVBoxLayout(self)
        column_.setContentsMargins(0, theme.GRID, 0, 0)
        column_.setSpacing(theme.GRID)
        column_.addWidget(self.words)
        column_.addWidget(self.tree, 1)
        column_.addWidget(self.left_out)
        column_.addLayout(row)

    def _unsort(self) -> None:
        """In counting order."""
        self.tree.sortByColumn(-1, Qt.SortOrder.AscendingOrder)

    def offer(self, names: Sequence[str], recipe: Recipe | None) -> None:
        """Set what would be counted. Counts by another recipe are dropped."""
        if (tuple(names), recipe) != (self._names, self._recipe):
            self._names, self._recipe = tuple(names), recipe
            self.forget()
        self._enable()

    def forget(self) -> None:
        """The project or the recipe has changed."""
        self.stop()
        self._empty()
        self.words.setText(_ABOUT)

    def _empty(self) -> None:
        self.tree.clear()
        self._say_left_out("")

    def stop(self) -> None:
        """Ask the counting to stop: it has ended when its job has."""
        if self._job is not None and not self._job.stop.is_set():
            self._job.stop.set()
            self.words.setText("Stopping …")
        self._enable()

    @property
    def is_blank(self) -> bool:
        return self._job is None and not self.tree.topLevelItemCount()

    @Slot()
    def count(self) -> None:
        """Start counting, or stop it."""
        document = self._session.document
        if self._job is not None:
            self.stop()
            return
        if document is None or not self._names:
            return
        self._empty()
        self._unsort()
        self._labels = tuple(label.name for label in document.labels())
        folder: Path = document.folder
        recipe, names, files = self._recipe, self._names, self._files
        job = Job(
            "Counting boxes that are not learnt",
            lambda job: worker.count_coverage(folder, recipe, names, files, Control(job.stop, job.pause)),
            self._session,
            low_priority=True,
        )
        job.reported.connect(self._reported)
        job.finished.connect(self._ended)
        self._job = job
        self.words.setText("Counting …")
        self._session.start(job)
        self._enable()

    @Slot(object)
    def _reported(self, event: object) -> None:
        if self._job is None or self._job.stop.is_set():
            return
        if hasattr(event, "missed"):
            self._add(event)  # type: ignore[arg-type]
        done, share = self.tree.topLevelItemCount(), getattr(event, "share", 0.0)
        now = f", {event.title} {percent(share, 0)}" if hasattr(event, "title") and not hasattr(event, "missed") else ""
        self.words.setText(f"Counting: {done:,} of {len(self._names):,} detectors{now}.")

    @Slot()
    def _ended(self) -> None:
        job, self._job = self._job, None
        done = self.tree.topLevelItemCount()
        if job is not None and job.error is not None:
            self.words.setText(job.error.sentence)
        elif job is not None and job.stop.is_set():
            counted = f" after {done:,} of {len(self._names):,} detectors" if done else ""
            self.words.setText(f"Stopped{counted}. Press Count to start again.")
        else:
            self.words.setText(_ABOUT)
        self._enable()

    @Slot()
    def _enable(self) -> None:
        stopping = self._job is not None and self._job.stop.is_set()
        self.button.setText("Stopping …" if stopping else "Stop" if self._job is not None else "Count")
        self.button.setEnabled(not stopping and (self._job is not None or bool(self._names)))
        self.gallery.setEnabled(bool(self._chosen()[0]))

    def _add(self, found: Coverage) -> None:
        row = coverage_row(found, self._labels)
        self.tree.addTopLevelItem(row)
        row.setFirstColumnSpanned(row.found is None)
        if row.wants_file:
            self._say_left_out(found.title)

    def _say_left_out(self, title: str) -> None:
        """Why this detector can't be counted, and where to fix that; "" for none."""
        self._without_file = title
        sentence = _WITHOUT_FILE.format(title=html.escape(title), ink=theme.colours().accent)
        self.left_out.setText(sentence if title else "")
        self.left_out.setVisible(bool(title))

    @Slot()
    def _take_colours(self) -> None:
        self._say_left_out(self._without_file)
        for place in range(self.tree.topLevelItemCount()):
            row = self.tree.topLevelItem(place)
            if isinstance(row, CoverageRow):
                row.recolour()

    def _chosen(self) -> tuple[tuple[int, ...], str]:
        row = self.tree.currentItem()
        return row.images(self.tree.currentColumn()) if isinstance(row, CoverageRow) else ((), "")

    @Slot()
    def _ask_gallery(self) -> None:
        ids, words = self._chosen()
        if ids:
            self.gallery_requested.emit(ids, words)

    @Slot(QTreeWidgetItem, int)
    def _activated(self, row: QTreeWidgetItem, column: int) -> None:
        if isinstance(row, CoverageRow) and row.found is not None:
            ids, words = row.images(column)
            self.chosen.emit(row.found.detector, ids, words)
        elif isinstance(row, CoverageRow) and row.wants_file:
            self._session.page_requested.emit("train")
