"""Before labels are moved, deleted or merged: which exported folders would get other numbers, and what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QObject, Qt, Signal, Slot
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from workbench import formats
from workbench.core import formatting
from workbench.core.applied_edit import AppliedEdit
from workbench.core.document import snapshot_of
from workbench.core.edits import Batch, Edit
from workbench.core.project import Label
from workbench.errors import WorkbenchError
from workbench.exchange import ExportReport, PastExport, RenumberedExport, export_again, remember, renumbered
from workbench.ui import theme
from workbench.ui.job import Job
from workbench.ui.session import Session


class NumbersWindow(QDialog):
    """Emits `agreed` (True: rewrite the folders too). If it is closed in another way, nothing is done."""

    agreed = Signal(bool)

    def __init__(self, title: str, found: tuple[RenumberedExport, ...], runs: int, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("numbers-window")
        self.setWindowTitle(title)
        self.setModal(True)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        sentence = QLabel(wordWrap=True)
        sentence.setObjectName("numbers-sentence")
        folders = formatting.count(len(found), "exported folder")
        text = f"{folders} would number the labels differently from the project."
        if runs:
            text += f" Trained runs ({runs:,}) keep their own labels by name: nothing changes for them."
        sentence.setText(text)
        tree = QTreeWidget()
        tree.setObjectName("numbers-tree")
        tree.setAccessibleName("Numbers of labels in exported folders")
        tree.setHeaderLabels(["Label", "There", "Then"])
        tree.header().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        tree.header().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        tree.header().setStretchLastSection(False)
        for one in found:
            head = QTreeWidgetItem([f"{one.exported.folder}", "", ""])
            head.setToolTip(0, f"{formats.formats.get(one.exported.format).title}: {one.exported.folder}")
            tree.addTopLevelItem(head)
            head.setExpanded(True)
            head.setFirstColumnSpanned(True)
            for name, there, then in one.changes:
                head.addChild(QTreeWidgetItem([name, str(there), "gone" if then is None else str(then)]))
        foot = QHBoxLayout()
        foot.addStretch(1)
        for name, title_, slot in (
            ("numbers-cancel", "Cancel", self.reject),
            ("numbers-only", "Change only the project", self._only),
            ("numbers-both", "Rewrite these folders too", self._both),
        ):
            button = QPushButton(title_)
            button.setObjectName(name)
            button.setAutoDefault(False)
            button.clicked.connect(slot)
            button.setProperty("role", "primary" if name == "numbers-both" else "")
            foot.addWidget(button)
        kept = QLabel("If you rewrite them, their present files are kept in a folder beside.", wordWrap=True)
        kept.setProperty("role", "muted")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 16, 16, 16)
        layout.setSpacing(theme.GRID)
        for widget in (sentence, tree, kept):
            layout.addWidget(widget, 1 if widget is tree else 0)
        layout.addLayout(foot)
        self.resize(640, 420)

    @Slot()
    def _only(self) -> None:
        self.agreed.emit(False)
        self.accept()

    @Slot()
    def _both(self) -> None:
        self.agreed.emit(True)
        self.accept()


@dataclass(frozen=True, eq=False)
class FolderRewritten:
    """A folder was written again; its old contents are in `aside`."""

    report: ExportReport
    aside: Path
    exported: PastExport
    labels: tuple[Label, ...]


class LabelEdits(QObject):
    """Applies edits of labels; asks before those that leave other numbers in exported folders."""

    def __init__(self, session: Session, over: QWidget) -> None:
        """`over`: its window is the dialogs' parent."""
        super().__init__(over)
        self._session = session
        self._over = over
        self._rewriting: Job | None = None
        session.edited.connect(self._edited)
        session.closing.connect(self._finish_rewriting)

    @Slot(object)
    def _edited(self, applied: AppliedEdit) -> None:
        """Undo and redo don't ask: only say which folders have other numbers now."""
        document = self._session.document
        if document is None or applied.kind == "do" or not applied.labels_changed:
            return
        found = renumbered(document, Batch(()))
        if found:
            names = ", ".join(f"'{one.exported.folder.name}'" for one in found[:3])
            self._session.message.emit(
                "warning",
                f"Labels now have other numbers than in {formatting.count(len(found), 'exported folder')} ({names})."
                " Export again to mend it.",
            )

    def do(self, edit: Edit, then: Callable[[], object] = lambda: None) -> None:
        """Do `edit`, and call `then` if it was done."""
        document = self._session.document
        if document is None:
            return
        found = () if document.labels_locked else renumbered(document, edit)  # a locked order refuses the edit anyway
        if not found:
            self._do(edit, then)
            return
        runs = len({file.parent for file in document.runs_folder.glob("*/*.safetensors")})
        window = NumbersWindow(edit.title, found, runs, self._over.window())
        self._session.closing.connect(window.reject)  # its labels belong to this project
        window.agreed.connect(lambda also: self._agreed(edit, then, found if also else ()))
        window.show()

    def _do(self, edit: Edit, then: Callable[[], object]) -> bool:
        done = self._session.do(edit) is not None
        if done:
            then()
        return done

    def _agreed(self, edit: Edit, then: Callable[[], object], to_rewrite: tuple[RenumberedExport, ...]) -> None:
        document = self._session.document
        if to_rewrite and self._rewriting is not None:  # a second one would move aside what the first is writing
            self._session.inform("Exported folders are still being rewritten. Change the labels when that is done.")
            return
        if document is None or not self._do(edit, then) or not to_rewrite:
            return
        home, folders = document.folder, tuple(one.exported for one in to_rewrite)
        job = Job("Rewriting exported folders", lambda _: _rewrite(home, folders), self._session)
        job.reported.connect(self._rewritten)
        job.finished.connect(self._ended)
        self._rewriting = job
        self._session.start(job)

    @Slot()
    def _ended(self) -> None:
        if self.sender() is self._rewriting:
            self._rewriting = None

    @Slot()
    def _finish_rewriting(self) -> None:
        """The project closes: first record what was written, as after an export."""
        if self._rewriting is not None:
            self._rewriting.settle()

    @Slot(object)
    def _rewritten(self, event: object) -> None:
        assert isinstance(event, FolderRewritten)
        document = self._session.document
        if document is not None:
            self._session.inform(f"{event.report.sentence} What was there is in '{event.aside.name}'.")
            try:
                remember(document, event.report, event.labels, event.exported.copied)
            except WorkbenchError as error:
                self._session.report_error(error)


def _rewrite(project: Path, folders: tuple[PastExport, ...]) -> Iterator[FolderRewritten]:
    """Runs in the job's thread."""
    snapshot = snapshot_of(project)
    for exported in folders:
        report, aside = export_again(snapshot, exported)
        yield FolderRewritten(report, aside, exported, snapshot.labels)
