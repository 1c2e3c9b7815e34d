"""Split by rules: shares, what stays together, and a preview of the result before anything is changed."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from pathlib import Path

import numpy as np
from PySide6.QtCore import Qt, QTimer, Slot
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QDialog,
    QFormLayout,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QPushButton,
    QSpinBox,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from workbench.core import formatting, splits
from workbench.core.decoding import fingerprint
from workbench.core.decoding.intensity_window import IntensityWindow
from workbench.core.edits import Edit, SetSplit, walk
from workbench.core.project import Snapshot, Split
from workbench.core.splits import PARTS
from workbench.errors import WorkbenchError
from workbench.ui import theme
from workbench.ui.background import Background
from workbench.ui.data import split_plan
from workbench.ui.data.split_plan import SimilarGroups, SplitPlan, SplitRequest
from workbench.ui.job import Job
from workbench.ui.job_progress import JobProgress
from workbench.ui.session import Session
from workbench.ui.widgets.buttons import dialog_buttons, make_primary
from workbench.ui.widgets.popups import Combo
from workbench.ui.widgets.spin_boxes import spin_box
from workbench.ui.widgets.tables import align_heads, style_table
from workbench.ui.widgets.tooltips import plain

_WAYS = (
    ("each image by itself", "image"), ("the images of a folder", "folder"),
    ("names that differ in their last number: frames of a video", "name"),
    ("pictures that are nearly alike", "similar"),
)  # fmt: skip
_SOON, _LATER = 150, 1000
"""Milliseconds from a choice or an edit until the split is worked out again."""
STOPPED = "Comparing the pictures was stopped. Any other choice above, or opening this window again, goes on."
_LARGE = 1000
"""Images above which that is noticeable: for 20,000 with 300 labels it took a second after each choice."""


class SplitWindow(QDialog):
    """Not modal. The table shows what each split would contain; Apply does it as one edit."""

    def __init__(self, session: Session, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("split-window")
        self.setWindowTitle("Split by rules")
        self._session = session
        self._edit: Edit | None = None
        self._similar: SimilarGroups | None = None
        self._job: Job | None = None
        self._request: SplitRequest | None = None
        self._planner = Background("Dividing the images", split_plan.plan_on_disk, self)
        self._planner.done.connect(self._planned)
        self._shares = [_spin(f"split-{split.value}", value) for split, value in zip(PARTS, (80, 10, 10), strict=True)]
        self._sum = QLabel("%")
        self._sum.setObjectName("split-sum")
        self._sum.setProperty("role", "muted")
        self._grouping = Combo()
        self._grouping.setObjectName("split-way")
        for title, value in _WAYS:
            self._grouping.addItem(title, value)
        self._pattern = QLineEdit(placeholderText=r"up to the last number; or a regular expression: (film\d+)_")
        self._pattern.setObjectName("split-pattern")
        self._pattern.setToolTip(
            "A regular expression, searched in the path: images stay together where its first bracket finds the same.\n"
            r"(film\d+)_ keeps film12_0041.jpg and film12_0042.jpg together: “film” and a number, before a “_”."
            "\nLeft empty: the name up to its last number, without what Roboflow puts behind names."
        )
        self._stratify = QCheckBox("Keep these shares for each label, too")
        self._stratify.setObjectName("split-stratify")
        self._stratify.setChecked(True)
        self._again = QCheckBox("Divide images that already have a split, too")
        self._again.setObjectName("split-again")
        self._seed = _spin("split-seed", 0)
        self._seed.setRange(0, 999_999)
        self._seed.setToolTip("Another number gives another split")
        self._words = QLabel(wordWrap=True)
        self._words.setObjectName("split-words")
        self._table = _table()
        self._apply = QPushButton("Apply")
        self._apply.setObjectName("split-apply")
        make_primary(self._apply)
        self._soon = QTimer(self, singleShot=True, interval=_SOON)
        self._soon.timeout.connect(self.renew)
        self._lay_out()
        self._connect()
        self.resize(560, 520)

    def _lay_out(self) -> None:
        shares = QHBoxLayout()
        for split, spin in zip(PARTS, self._shares, strict=True):
            spin.setAccessibleName(f"Percent of images for {split.value}")
            shares.addWidget(QLabel(split.value.capitalize()))
            shares.addWidget(spin)
        shares.addWidget(self._sum, 1)
        form = QFormLayout()
        form.addRow("Shares", shares)
        form.addRow("Stay together", self._grouping)
        form.addRow("Names", self._pattern)
        form.addRow("", self._stratify)
        form.addRow("", self._again)
        form.addRow("Seed", self._seed)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 16, 16, 16)
        layout.setSpacing(theme.GRID)
        layout.addLayout(form)
        layout.addWidget(self._table, 1)
        layout.addLayout(dialog_buttons(self, self._apply, words=self._words))

    def _connect(self) -> None:
        for spin in (*self._shares, self._seed):
            spin.valueChanged.connect(self._chosen)
        self._grouping.currentIndexChanged.connect(self._chosen)
        self._pattern.textChanged.connect(self._chosen)
        self._stratify.toggled.connect(self._chosen)
        self._again.toggled.connect(self._chosen)
        self._apply.clicked.connect(self.apply)
        self._session.edited.connect(self._edited)
        self._session.document_changed.connect(self._forget)
        self._session.closing.connect(self._end)

    @Slot()
    def _chosen(self) -> None:
        self._renew_in(_SOON)

    @Slot()
    def _edited(self) -> None:
        self._renew_in(_LATER)

    def _renew_in(self, wait: int) -> None:
        """Until then, in ms, nothing can be applied: what is shown is for other choices, or an earlier project."""
        self._edit = self._request = None
        self._apply.setEnabled(False)
        self._soon.start(wait)

    @Slot()
    def _forget(self) -> None:
        """Another project is open: its images may have the same ids."""
        self._similar = self._job = None
        self.close()

    # --- preview ---

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.renew()

    @Slot()
    def renew(self) -> None:
        """Work out the split again; for similar pictures, once they are compared. Not while the window is hidden."""
        if not self.isVisible():
            return
        document = self._session.document
        self._edit = None
        self._apply.setEnabled(False)
        whole = sum(spin.value() for spin in self._shares)
        self._sum.setText("%" if whole == 100 else f"parts of {whole:,}")
        self._pattern.setEnabled(self._grouping.currentData() == "name")
        if document is None:
            return
        self._request = SplitRequest(
            document.folder, self._grouping.currentData(), self._pattern.text().strip(),
            tuple(spin.value() for spin in self._shares), self._seed.value(), self._stratify.isChecked(),
            self._again.isChecked(), self._similar,
        )  # fmt: skip
        if len(document.images()) >= _LARGE:
            self._words.setText("Working it out …")
            self._planner.ask([self._request])
            return
        try:
            self._planned(self._request, split_plan.plan_split(document.snapshot(), self._request))
        except WorkbenchError as error:
            self._planned(self._request, error)

    @Slot(object, object)
    def _planned(self, request: object, result: object) -> None:
        """Take the answer to the latest request; the choices behind any other have changed."""
        document = self._session.document
        if request is not self._request or document is None or not self.isVisible():
            return
        if isinstance(result, WorkbenchError):
            self._words.setText(result.sentence)
            return
        assert isinstance(result, SplitPlan)
        if result.must_compare:
            self._compare(result.snapshot)
            return
        self._edit = result.edit
        self._show(result.snapshot, result.groups)
        self._apply.setEnabled(self._edit is not None and not document.read_only)
        self._apply.setToolTip(document.why_read_only)

    @Slot()
    def _end(self) -> None:
        """The project is about to close: stop reading it."""
        self._request = None
        self._planner.settle()

    def _show(self, snapshot: Snapshot, groups: Sequence[Hashable] | None) -> None:
        """One row for the images and one for each label: the numbers in each split after the edit."""
        after = {image.id: image.split for image in snapshot.images}
        changed = 0
        for part in walk(self._edit) if self._edit is not None else ():
            assert isinstance(part, SetSplit)
            after.update(dict.fromkeys(part.ids, part.split))
            changed += len(part.ids)
        column = np.array([PARTS.index(s) if s is not Split.NONE else 3 for s in after.values()], np.int64)
        owners = np.repeat(column, np.diff(snapshot.offsets))
        per_label = np.bincount(4 * snapshot.label_index + owners, minlength=4 * len(snapshot.labels)).reshape(-1, 4)
        rows = [("Images", np.bincount(column, minlength=4))]
        rows += zip((label.name for label in snapshot.labels), per_label, strict=True)
        self._table.setRowCount(len(rows))
        for row, (name, counts) in enumerate(rows):
            total = max(int(counts.sum()), 1)
            texts = [name, *(f"{count:,}  ({formatting.percent(count / total, 0)})" for count in counts[:3].tolist())]
            for place, text in enumerate(texts):
                item = QTableWidgetItem(text)
                if place:
                    item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                else:
                    item.setToolTip(plain(name))
                self._table.setItem(row, place, item)
        for place in range(1, self._table.columnCount()):  # automatic sizing would measure all rows after each cell
            self._table.resizeColumnToContents(place)
        about = _about(groups) if groups is not None else ""
        boxes = np.bincount(owners, minlength=4)
        bare = [part.value for part, n, spin in zip(PARTS, boxes.tolist(), self._shares) if spin.value() and not n]
        lack = f" No box would be in {' and in '.join(bare)}." if bare and boxes.sum() else ""
        if not changed:
            self._words.setText(f"{about}Every image has a split already; nothing would change.{lack}")
        else:
            self._words.setText(f"{about}{formatting.count(changed, 'image')} would change.{lack}")

    # --- similar pictures ---

    def _compare(self, snapshot: Snapshot) -> None:
        if self._job is not None:
            return
        self._similar = None
        ids = tuple(image.id for image in snapshot.images)
        files, window = snapshot.files, snapshot.window
        job = Job("Comparing pictures", lambda _: _compare_pictures(ids, files, window), self._session)
        job.reported.connect(self._reported)
        job.failed.connect(self._failed)
        job.finished.connect(self._ended)
        self._job = job
        self._words.setText("Comparing the pictures …")
        self._session.start(job)

    def _tell(self, words: str) -> None:
        """Of the comparison, unless what is shown is for another choice."""
        if self._grouping.currentData() == "similar":
            self._words.setText(words)

    @Slot(object)
    def _reported(self, event: object) -> None:
        if self.sender() is not self._job:
            return
        if isinstance(event, JobProgress):
            self._tell(f"{event.done:,} of {event.total:,} pictures compared")
        elif isinstance(event, SimilarGroups):
            self._similar = event

    @Slot(object)
    def _failed(self, error: object) -> None:
        if self.sender() is self._job:
            self._tell(str(error))

    @Slot()
    def _ended(self) -> None:
        job = self._job
        if job is None or self.sender() is not job:
            return
        self._job = None
        if self._similar is not None:
            self.renew()
        elif job.error is None:
            self._tell(STOPPED)

    # --- applying ---

    @Slot()
    def apply(self) -> None:
        if self._edit is not None and self._session.do(self._edit) is not None:
            self._session.inform("The images are divided. Undo brings the splits back.")
            self.accept()


def _about(groups: Sequence[Hashable]) -> str:
    """The number of groups, with a remark if they keep nothing together."""
    number = len(set(groups))
    alone = " No two images belong together by this: each is divided by itself." if 1 < number == len(groups) else ""
    return f"{formatting.count(number, 'group')}.{alone} "


def _compare_pictures(
    ids: tuple[int, ...], files: Sequence[Path], window: IntensityWindow | None
) -> Iterator[JobProgress | SimilarGroups]:
    prints: list[int | None] = [None] * len(files)
    for done, (row, found) in enumerate(fingerprint.of_files(files, window), start=1):
        prints[row] = found
        yield JobProgress(done, len(files), "images")
    yield SimilarGroups(ids, tuple(splits.by_similarity(prints)))


def _spin(name: str, value: int) -> QSpinBox:
    spin = spin_box()
    spin.setObjectName(name)
    spin.setRange(0, 100)
    spin.setValue(value)
    spin.setMinimumHeight(24)
    return spin


def _table() -> QTableWidget:
    table = QTableWidget(0, 4)
    table.setObjectName("split-table")
    table.setAccessibleName("What would come of it")
    table.setHorizontalHeaderLabels(["", *(split.value.capitalize() for split in PARTS)])
    head = style_table(table)
    align_heads(head, range(1, 4))
    table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    table.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
    head.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
    return table
