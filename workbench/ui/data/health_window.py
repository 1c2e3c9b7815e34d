"""Check the data: finds what would spoil a training, and lists each finding's images and a repair with undo."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QSize, Qt, Slot
from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QProgressBar,
    QPushButton,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTabWidget,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from workbench import health, health_repairs
from workbench.core import formatting
from workbench.core.box_statistics import BoxStatistics, statistics
from workbench.core.document import Document
from workbench.core.storage.image_table import ImageTable
from workbench.health import FilesExamined, Health, HealthFinding
from workbench.health_repairs import READS_FILES, REPAIRS
from workbench.ui import long_steps, theme
from workbench.ui.data.statistics_view import StatisticsView
from workbench.ui.images import unread_images
from workbench.ui.job import Job
from workbench.ui.session import Session
from workbench.ui.widgets.announcements import announce
from workbench.ui.widgets.buttons import dialog_buttons, make_primary
from workbench.ui.widgets.tables import align_heads

CHANGED = "The project has changed since. Check again to be sure."
LISTED = 500
"""Images listed under a finding; more than anyone looks through one by one."""
MANY_FILES = 200
"""Files that a repair opens beside the window: on a share, each takes some milliseconds."""
_FINDING, _IMAGE = Qt.ItemDataRole.UserRole, Qt.ItemDataRole.UserRole + 1
_ICONS = {"problem": ("mdi6.alert-circle-outline", "error"), "hint": ("mdi6.lightbulb-on-outline", "muted")}


class HealthWindow(QDialog):
    """Not modal. The check is a job on a second, read-only opening of the project; a repair is one edit."""

    def __init__(self, session: Session, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("health-window")
        self.setWindowTitle("Check the data")
        self._session = session
        self._job: Job | None = None
        self._is_stale = False  # the project was edited since it was checked
        self._is_shown = False  # results of a check are shown
        self._files = QCheckBox("Open every image file. Takes longer, and finds damaged files and copies")
        self._files.setObjectName("health-files")
        self._files.setChecked(True)
        self._words = QLabel(wordWrap=True)
        self._words.setObjectName("health-words")
        self._bar = QProgressBar(textVisible=False)
        self._bar.setAccessibleName("Progress of the check")
        self._bar.setFixedHeight(theme.GRID)
        room = self._bar.sizePolicy()
        room.setRetainSizeWhenHidden(True)
        self._bar.setSizePolicy(room)
        self._tree = _tree()
        self._statistics = StatisticsView()
        self._again = QPushButton("Check")
        self._again.setObjectName("health-check")
        self._open = QPushButton("Show the image")
        self._open.setObjectName("health-open")
        self._repair = QPushButton("Repair")
        self._repair.setObjectName("health-repair")
        make_primary(self._repair)
        self._lay_out()
        self._again.clicked.connect(self.check)
        self._open.clicked.connect(self._show)
        self._repair.clicked.connect(self.repair)
        self._tree.itemSelectionChanged.connect(self._enable)
        self._tree.itemActivated.connect(self._show)
        session.edited.connect(self._edited)
        session.document_changed.connect(self._forget)
        self.resize(800, 520)
        self._enable()

    def _lay_out(self) -> None:
        head = QHBoxLayout()
        head.addWidget(self._files, 1)
        head.addWidget(self._again)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 16, 16, 16)
        layout.setSpacing(theme.GRID)
        layout.addLayout(head)
        layout.addWidget(self._bar)
        layout.addWidget(self._words)
        self._tabs = QTabWidget()
        self._tabs.setObjectName("health-tabs")
        self._tabs.addTab(self._tree, "Findings")
        self._tabs.addTab(self._statistics, "Boxes")
        layout.addWidget(self._tabs, 1)
        layout.addLayout(dialog_buttons(self, self._repair, self._open))
        self._again.setAutoDefault(False)

    @Slot()
    def _forget(self) -> None:
        """Another project is open: the findings don't apply to it."""
        self._end()
        self._is_shown = False
        self._tree.clear()
        self._statistics.clear()
        self._words.setText("")
        self.close()

    def _end(self) -> None:
        """End a running check without a result; the next opening of the window begins another."""
        if self._job is not None:
            self._job.stop.set()
            self._job = None
            self._words.setText("")
            self._reset_bar()

    def _reset_bar(self) -> None:
        self._bar.setRange(0, 1)
        self._bar.reset()
        self._enable()

    def done(self, result: int) -> None:
        """However the window is closed, a running check ends: nothing else would show what it finds."""
        self._end()
        super().done(result)

    @property
    def is_due(self) -> bool:
        """Whether the project's current state has not been checked and is not being checked."""
        return self._job is None and (self._is_stale or not self._words.text())

    # --- checking ---

    @Slot()
    def check(self) -> None:
        """Start a check, or stop the running one."""
        document = self._session.document
        if self._job is not None:
            self._job.stop.set()
            return
        if document is None:
            return
        self._tree.clear()
        self._is_shown = False
        folder, files = document.folder, self._files.isChecked()
        job = Job("Checking the data", lambda _: _examine(folder, files), self._session)
        job.reported.connect(self._reported)
        job.failed.connect(self._failed)
        job.finished.connect(self._ended)
        self._job, self._is_stale = job, False
        self._words.setText("Checking …")
        self._session.start(job)
        self._enable()

    @Slot(object)
    def _reported(self, event: object) -> None:
        if self.sender() is not self._job:
            return
        if isinstance(event, FilesExamined):
            self._bar.setRange(0, event.total)
            self._bar.setValue(event.done)
            self._words.setText(f"{event.done:,} of {event.total:,} images opened")
        elif isinstance(event, BoxStatistics):
            self._statistics.show_statistics(event)
        elif isinstance(event, Health):
            unread_images.of(self._session).note(event.opened)
            self.show_health(event)

    @Slot(object)
    def _failed(self, error: object) -> None:
        if self.sender() is self._job:
            self._words.setText(str(error))

    @Slot()
    def _ended(self) -> None:
        job = self._job
        if job is None or self.sender() is not job:
            return
        self._job = None
        if job.stop.is_set() and not self._is_shown:
            self._words.setText("Stopped.")
        announce(self._words, self._words.text())
        self._reset_bar()

    def show_health(self, found: Health) -> None:
        """List the findings, problems first."""
        self._tree.clear()
        document = self._session.document
        images = document.images() if document else ImageTable.of(())
        for finding in found.findings:
            count = f"{len(finding.images):,}" if finding.images else ""
            item = QTreeWidgetItem([finding.sentence, count])
            item.setData(0, _FINDING, finding)
            item.setToolTip(0, finding.sentence)
            item.setData(0, Qt.ItemDataRole.AccessibleTextRole, f"{finding.level}: {finding.sentence}")
            item.setTextAlignment(1, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            name, colour = _ICONS[finding.level]
            item.setIcon(0, theme.icon(name, getattr(theme.colours(), colour)))
            for id in finding.images[:LISTED]:
                child = QTreeWidgetItem([images[images.row_of(id)].path if images.has(id) else "?", ""])
                child.setData(0, _FINDING, finding)
                child.setData(0, _IMAGE, id)
                item.addChild(child)
            self._tree.addTopLevelItem(item)
        problems, hints = found.problems, len(found.findings) - found.problems
        about = f"{formatting.count(found.images, 'image')}, {formatting.count(found.boxes, 'box')}"
        counted = f"{formatting.count(problems, 'problem')}, {formatting.count(hints, 'hint')}"
        self._words.setText(f"{about}: {counted}." if found.findings else f"{about}. No problems found.")
        self._is_shown = True
        if self._is_stale:  # there was an edit during the check
            self._words.setText(CHANGED)

    # --- what to do about it ---

    def _why_not(self, needs_eyes: bool) -> str:
        """Why the chosen finding is not repaired; `needs_eyes` if no program could."""
        document = self._session.document
        if document is not None and document.read_only:
            return document.why_read_only
        return "Only you can judge this: look at the images." if needs_eyes else "Choose a finding first."

    def _chosen(self) -> tuple[HealthFinding, int] | None:
        """The selected finding and image (0: none in particular)."""
        items = self._tree.selectedItems()
        return (items[0].data(0, _FINDING), items[0].data(0, _IMAGE) or 0) if items else None

    @Slot()
    def _enable(self) -> None:
        chosen, document = self._chosen(), self._session.document
        self._bar.setVisible(self._job is not None)
        self._again.setText("Stop" if self._job is not None else "Check")
        self._open.setEnabled(chosen is not None and bool(chosen[1] or chosen[0].images))
        self._open.setToolTip("" if self._open.isEnabled() else "Choose a finding about images, or one of its images.")
        words = REPAIRS.get(chosen[0].kind) if chosen else None
        self._repair.setText(words or "Repair")
        self._repair.setEnabled(words is not None and document is not None and not document.read_only)
        self._repair.setToolTip("" if self._repair.isEnabled() else self._why_not(chosen is not None and words is None))

    @Slot()
    def _show(self) -> None:
        """Show the image on the Label page, with the finding's boxes selected."""
        chosen, document = self._chosen(), self._session.document
        if chosen is None or document is None:
            return
        finding, image = chosen
        if not image and not finding.images:  # activated by a double click: Show is disabled
            return
        there = (id for id in ((image,) if image else finding.images) if document.images().has(id))
        shown = next(there, 0)
        if not shown:
            self._session.inform("That was taken out of the project. Check again.")
            return
        self._session.select_image(shown)
        self._session.page_requested.emit("label")
        self._session.boxes_requested.emit(finding.boxes)

    @Slot()
    def repair(self) -> None:
        """Repair the selected finding in all its images, as one edit."""
        chosen, document = self._chosen(), self._session.document
        if chosen is None or document is None:
            return
        finding = chosen[0]
        if finding.kind in READS_FILES and len(finding.images) > MANY_FILES:
            show = partial(self._repaired_beside, finding)
            long_steps.of(self._session).run_or_say(REPAIRS[finding.kind], partial(_repair, finding), show)
            return
        edit = health_repairs.repair(document, finding)
        if edit is None or self._session.do(edit) is not None:
            self._repaired(finding, edit is not None)

    def _repaired_beside(self, finding: HealthFinding, has_changed: bool, tell: long_steps.Tell) -> None:
        tell()
        self._repaired(finding, has_changed)

    def _repaired(self, finding: HealthFinding, has_changed: bool) -> None:
        if not has_changed:
            self._session.inform("This was mended already. Check again.")
            return
        self._session.inform(f"{REPAIRS[finding.kind]}: done. Undo brings it back.")
        items = [self._tree.topLevelItem(row) for row in range(self._tree.topLevelItemCount())]
        for item in items:
            if item is not None and item.data(0, _FINDING) == finding:
                self._tree.takeTopLevelItem(self._tree.indexOfTopLevelItem(item))

    @Slot(object)
    def _edited(self, _applied: object) -> None:
        self._is_stale = True
        if self._is_shown and self._job is None:
            self._words.setText(CHANGED)


def _repair(finding: HealthFinding, document: Document) -> bool:
    """Runs in a thread, with a document of its own; whether there was something to repair."""
    edit = health_repairs.repair(document, finding)
    if edit is not None:
        document.do(edit)
    return edit is not None


def _examine(folder: Path, files: bool) -> Iterator[FilesExamined | Health | BoxStatistics]:
    with Document.open(folder, read_only=True, check=False) as document:
        snapshot = document.snapshot()
    yield statistics(snapshot)
    yield from health.examine(snapshot, open_files=files)


class _Sentences(QStyledItemDelegate):
    """Rows as high as their text: with a style sheet Qt keeps them one line high and cuts off the rest."""

    def __init__(self, tree: QTreeWidget) -> None:
        super().__init__(tree)
        self._tree = tree

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        hint = super().sizeHint(option, index)
        if index.column() == 0 and not index.parent().isValid():
            room = self._tree.columnWidth(0) - self._tree.indentation() - self._tree.iconSize().width() - 3 * theme.GRID
            text = self._tree.fontMetrics().boundingRect(
                0, 0, max(room, 1), 10_000, int(Qt.TextFlag.TextWordWrap), str(index.data())
            )
            hint.setHeight(max(hint.height(), text.height() + theme.GRID // 2))
        return hint


def _tree() -> QTreeWidget:
    tree = QTreeWidget()
    tree.setItemDelegate(_Sentences(tree))
    tree.setObjectName("health-tree")
    tree.setAccessibleName("Findings")
    tree.setHeaderLabels(["What was found", "Images"])
    align_heads(tree.header(), (1,))
    tree.header().setStretchLastSection(False)
    tree.header().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
    tree.header().setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
    tree.setTextElideMode(Qt.TextElideMode.ElideMiddle)
    tree.setWordWrap(True)
    tree.header().sectionResized.connect(tree.scheduleDelayedItemsLayout)  # row heights depend on it
    return tree
