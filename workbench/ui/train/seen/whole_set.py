"""The tab "Whole set": for each detector, how many boxes nothing would learn, by size and by label."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QColor
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

from workbench.training.recipes import Recipe
from workbench.ui import theme
from workbench.ui.job import Job
from workbench.ui.session import Session
from workbench.ui.train.seen import work

if TYPE_CHECKING:
    from workbench.training.seen_coverage import Coverage

COLUMNS = ("detector", "not learnt", "small", "medium", "large")
_FOUND = Qt.ItemDataRole.UserRole
_ABOUT = (
    "Boxes of the training images, as they are, that no cell, anchor or point would learn: small ones cover less than"
    " 32 × 32 pixels of the input, large ones at least 96 × 96. A double click shows the image with the most of them."
)


class WholeSet(QWidget):
    """`chosen(detector, image id)` for a double click or Enter. The counting runs in a job of the session."""

    chosen = Signal(str, int)

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._job: Job | None = None
        self._names: tuple[str, ...] = ()
        self._labels: tuple[str, ...] = ()
        self._recipe: Recipe | None = None
        self.words = QLabel(_ABOUT, wordWrap=True)
        self.words.setObjectName("seen-whole-words")
        self.words.setProperty("role", "muted")
        self.button = QPushButton("Count", autoDefault=False)
        self.button.setObjectName("seen-count")
        self.tree = QTreeWidget()
        self.tree.setObjectName("seen-whole")
        self.tree.setAccessibleName("Boxes that are not learnt, by detector, label and size")
        self.tree.setProperty("role", "flat")
        self.tree.setHeaderLabels(list(COLUMNS))
        self.tree.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.tree.setUniformRowHeights(True)
        header = self.tree.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for column in range(1, len(COLUMNS)):
            right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
            self.tree.headerItem().setTextAlignment(column, right)
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(self.button)
        column_ = QVBoxLayout(self)
        column_.setContentsMargins(theme.GRID, theme.GRID, 0, 0)
        column_.setSpacing(theme.GRID)
        column_.addWidget(self.words)
        column_.addWidget(self.tree, 1)
        column_.addLayout(row)
        self.button.clicked.connect(self.count)
        self.tree.itemActivated.connect(self._activated)
        self._enable()

    def offer(self, names: Sequence[str], recipe: Recipe | None) -> None:
        """What would be counted. What was counted by another recipe says nothing any more."""
        if (tuple(names), recipe) != (self._names, self._recipe):
            self._names, self._recipe = tuple(names), recipe
            self.forget()
        self._enable()

    def forget(self) -> None:
        """The project or the recipe has changed."""
        self.stop()
        self.tree.clear()
        self.words.setText(_ABOUT)

    def stop(self) -> None:
        if self._job is not None:
            self._job.stop.set()
            self._job = None
        self._enable()

    @property
    def is_blank(self) -> bool:
        return self._job is None and not self.tree.topLevelItemCount()

    @Slot()
    def count(self) -> None:
        """Start, or stop what runs."""
        document = self._session.document
        if self._job is not None:
            self.stop()
            return
        if document is None or not self._names:
            return
        self.tree.clear()
        self._labels = tuple(label.name for label in document.labels())
        folder: Path = document.folder
        recipe, names = self._recipe, self._names
        job = Job("Counting what is learnt", lambda _: work.count(folder, recipe, names), self._session)
        job.reported.connect(self._reported)
        job.failed.connect(self._failed)
        job.finished.connect(self._ended)
        self._job = job
        self.words.setText("Counting …")
        self._session.start(job)
        self._enable()

    @Slot(object)
    def _reported(self, found: object) -> None:
        if self.sender() is self._job:
            self._add(found)  # type: ignore[arg-type]
            self.words.setText(f"Counting: {self.tree.topLevelItemCount()} of {len(self._names)} detectors.")

    @Slot(object)
    def _failed(self, error: object) -> None:
        if self.sender() is self._job:
            self.words.setText(getattr(error, "sentence", str(error)))

    @Slot()
    def _ended(self) -> None:
        if self.sender() is not self._job:
            return
        failed = self._job.error is not None if self._job else False
        self._job = None
        if not failed:
            self.words.setText(_ABOUT)
        self._enable()

    def _enable(self) -> None:
        self.button.setText("Stop" if self._job is not None else "Count")
        self.button.setEnabled(self._job is not None or bool(self._names))

    def _add(self, found: Coverage) -> None:
        if found.problem:
            item = QTreeWidgetItem([found.title, "–", "", "", ""])
            for column in range(len(COLUMNS)):
                item.setToolTip(column, f"{found.title}: {found.problem}")
                item.setForeground(column, QColor(theme.colours().muted))
        else:
            item = _row(found.title, found.missed.sum(axis=0).tolist(), found.total.sum(axis=0).tolist())
            for label, missed, total in zip(self._labels, found.missed.tolist(), found.total.tolist(), strict=False):
                item.addChild(_row(label, missed, total))
        for part in [item, *filter(None, (item.child(k) for k in range(item.childCount())))]:
            part.setData(0, _FOUND, (found.detector, found.images[0] if found.images else 0))
            part.setTextAlignment(0, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
            for column in range(1, len(COLUMNS)):
                part.setTextAlignment(column, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.tree.addTopLevelItem(item)

    @Slot(QTreeWidgetItem, int)
    def _activated(self, item: QTreeWidgetItem, _column: int) -> None:
        detector, image = item.data(0, _FOUND)
        self.chosen.emit(detector, image)


def _row(name: str, missed: Sequence[int], total: Sequence[int]) -> QTreeWidgetItem:
    """By size; the tooltips say of how many."""
    pairs = [(sum(missed), sum(total)), *zip(missed, total, strict=True)]
    item = QTreeWidgetItem([name, *(f"{some:,}" if all_ else "" for some, all_ in pairs)])
    item.setToolTip(0, name)
    for column, (some, all_) in enumerate(pairs, start=1):
        if all_:
            item.setToolTip(column, f"{name}: {some:,} of {all_:,} boxes are not learnt ({some / all_:.1%})")
        if some:
            item.setForeground(column, QColor(theme.colours().error))
    return item
