"""Import labels: choose a folder, file or zip, see what it would do and three images of it, then all of it or nothing.

Nothing changes before Import. A job reads the files; the comparison with the project doesn't read
them again, and it is repeated after every edit of the project, before Import is enabled.
"""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QTimer, Slot
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from workbench import plugins
from workbench.core.parsing import archives
from workbench.errors import WorkbenchError
from workbench.exchange import ChangedSide
from workbench.ui import theme
from workbench.ui.data.importing import remark_groups, work
from workbench.ui.data.importing.applying import ImportApplier
from workbench.ui.data.importing.choices import ImportChoices, button, dropped, existing_box
from workbench.ui.data.importing.findings import ImportFindings, action_text
from workbench.ui.data.importing.findings_view import FindingsView
from workbench.ui.data.importing.remarks_view import RemarksView
from workbench.ui.job import Job
from workbench.ui.job_progress import JobProgress
from workbench.ui.session import Session
from workbench.ui.widgets.buttons import make_primary
from workbench.ui.widgets.empty_state import EmptyState

_SETTLE = 300
"""Milliseconds from an edit of the project until the plan is made again: edits often come in series."""
_HINT = (
    "Choose a folder, a file or a zip with labels of another program, or drop it here.\n"
    "Nothing is changed before you say Import."
)


class ImportWindow(QDialog):
    """Not modal. It shows a plan for the current project; after an edit of the project the plan is made again."""

    def __init__(self, session: Session, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("import-window")
        self.setWindowTitle("Import labels")
        self.setAcceptDrops(True)
        self._session = session
        plugins.loaded()
        self._found: ImportFindings | None = None
        self._job: Job | None = None
        self._is_reading = False  # the job reads files; otherwise it compares what was read
        self._applier = ImportApplier(session, self)
        self._is_new_source = True  # the next result is for other files than the shown one
        self._format = ""  # as detected or chosen
        self._opened: work.ZipUnpacked | None = None
        self._is_stale = False  # the project was edited since the plan was started
        self._images_version = 0  # document.images_version when the files were read: the plan lacks images added since
        self._settle = QTimer(self, singleShot=True, interval=_SETTLE)
        self._settle.timeout.connect(self._renew)
        self._choices = ImportChoices()
        self._sentence = QLabel(wordWrap=True)
        self._sentence.setObjectName("import-sentence")
        self._bar = QProgressBar(textVisible=False)
        self._bar.setObjectName("import-progress")
        self._bar.setAccessibleName("Progress of the reading")
        self._stop = button("import-stop", "Stop", self.stop)
        self._view = FindingsView()
        self._damage = RemarksView("import-damage", "What can't be read")
        self._leave_out = button(
            "import-leave-out", "Leave out what is damaged, and take the rest", self._choices.leave_out_damage
        )
        self._existing_word = QLabel("What was changed here:")
        self._existing = existing_box()
        self._apply = button("import-apply", "Import", self.apply)
        make_primary(self._apply)
        self._lay_out()
        self._choices.read_requested.connect(self.read)
        self._choices.others_chosen.connect(self._reset_consent)
        self._choices.splits_changed.connect(self._compare)
        self._existing.activated.connect(self._compare)
        self._view.labels.matched.connect(self._compare)
        session.edited.connect(self._edited)
        session.document_changed.connect(self.reject)  # close() does nothing if the start page has hidden it
        self.setMinimumSize(640, 440)
        self.resize(960, 680)
        self._show_hint()

    def _lay_out(self) -> None:
        self._busy = QWidget()
        busy = QHBoxLayout(self._busy)
        busy.setContentsMargins(0, 0, 0, 0)
        self._bar.setFixedHeight(theme.GRID)
        busy.addWidget(self._bar, 1)
        busy.addWidget(self._stop)
        copy = button("import-damage-copy", "Copy all", self._damage.copy_all)
        beside = QHBoxLayout()
        beside.addWidget(self._leave_out)
        beside.addStretch(1)
        beside.addWidget(copy)
        damage = QWidget()
        column = QVBoxLayout(damage)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._damage, 1)
        column.addLayout(beside)
        self._damaged = damage
        self._stack = QStackedWidget()
        self._hint = EmptyState("import-empty", "mdi6.tray-arrow-down")
        self._hint.say("", _HINT)
        for page in (self._hint, self._view, self._damaged):
            self._stack.addWidget(page)
        foot = QHBoxLayout()
        foot.addWidget(self._existing_word)
        foot.addWidget(self._existing)
        foot.addStretch(1)
        foot.addWidget(button("import-help", "Help", lambda: self._session.help_requested.emit("labels-in-and-out")))
        foot.addWidget(button("import-close", "Close", self.close))
        foot.addWidget(self._apply)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 16, 16, 16)
        layout.setSpacing(theme.GRID)
        layout.addWidget(self._choices)
        layout.addWidget(self._sentence)
        layout.addWidget(self._busy)
        layout.addWidget(self._stack, 1)
        layout.addLayout(foot)

    # --- what is shown ---

    def _show_hint(self, sentence: str = "") -> None:
        self._found = None
        self._sentence.setText(sentence)
        self._stack.setCurrentWidget(self._hint)
        self._enable()

    def _enable(self) -> None:
        found, document = self._found, self._session.document
        self._busy.setVisible(self._job is not None)
        self._sentence.setVisible(bool(self._sentence.text()))
        can_write = document is not None and not document.read_only
        is_true = found is not None and self._job is None and not self._is_stale
        self._apply.setEnabled(is_true and found is not None and not found.plan.is_empty and can_write)
        self._apply.setText(action_text(found))
        self._apply.setToolTip("" if can_write or document is None else document.why_read_only)
        differs = found is not None and any(one.changed is not ChangedSide.FILE for one in found.differences.items)
        self._existing.setVisible(differs)
        self._existing_word.setVisible(differs)

    # --- reading ---

    @Slot()
    def _reset_consent(self) -> None:
        """Other files were chosen: overwriting edits needs consent again, and nothing is known of their labels."""
        self._existing.setCurrentIndex(0)
        self._view.labels.forget()

    def propose(self, path: Path) -> None:
        """Read this file or folder, if the window is not in use yet."""
        if self._found is None and self._job is None:
            self._choices.set_path(path)

    @Slot()
    def read(self) -> None:
        """Make the plan for the chosen files in a job; drop any other reading."""
        source, document = self._choices.path, self._session.document
        if source is None or document is None:
            return
        if self._opened is not None and self._opened.file == source:
            source = self._opened.folder
        else:
            self._discard()
        request = work.ImportRequest(
            document.folder, source, self._choices.format, self._choices.images,
            self._choices.settings(str(self._existing.currentData())), self._view.labels.names,
        )  # fmt: skip
        self._found, self._format, self._images_version = None, "", document.images_version
        self._is_reading, self._is_new_source, self._is_stale = True, True, False
        self._choices.show_format("")
        self._sentence.setText(f"Reading {source.name} …")
        self._stack.setCurrentWidget(self._hint)
        self._hint.say("", "Nothing is changed before you say Import.")
        self._begin(Job(f"Reading {source.name}", lambda job: work.read(request, job), self._session, carries=True))

    @Slot()
    def _compare(self) -> None:
        """The settings or the project changed: compare again, without reading the files again."""
        document, found = self._session.document, self._found
        if document is None or (found is None and not self._is_reading):
            return
        if found is None:  # the running job started with other settings
            self.read()
            return
        self._is_reading = self._is_stale = False
        folder, settings = document.folder, self._choices.settings(str(self._existing.currentData()))
        plan, names = found.plan, self._view.labels.names
        self._begin(Job("Comparing labels", lambda _: work.compare(folder, plan, settings, names), self._session))

    def _begin(self, job: Job) -> None:
        self._abandon()
        job.reported.connect(self._reported)
        job.failed.connect(self._failed)
        job.finished.connect(self._ended)
        self._job = job
        self._bar.setRange(0, 0)
        self._session.start(job)
        self._enable()

    def _abandon(self) -> None:
        """Ignore the job from now on; it ends soon by itself."""
        if self._job is not None:
            self._job.stop.set()
            self._job = None

    @Slot()
    def stop(self) -> None:
        """Forget what was read, too: the plan of before a comparison is for other choices, or an earlier project."""
        self._abandon()
        self._discard()
        self._is_stale = False
        self._hint.say("", _HINT)
        self._show_hint("Stopped. Nothing was changed.")

    @Slot(object)
    def _reported(self, event: object) -> None:
        if self.sender() is not self._job:
            if isinstance(event, work.ZipUnpacked):
                self._throw_away(event.folder)
        elif isinstance(event, JobProgress):
            self._bar.setRange(0, 1000 if event.total else 0)
            self._bar.setValue(round(1000 * event.done / event.total) if event.total else 0)
            self._sentence.setText(f"Reading: {event.detail} …")
        elif isinstance(event, work.ZipUnpacked):
            self._opened = event
        elif isinstance(event, work.FormatRecognised):
            self._choices.show_format("" if self._choices.format else event.format)
            self._format = event.format
        elif isinstance(event, work.FormatUnclear):
            self._choices.offer(event.names)
            self._hint.say("", event.sentence)
            self._show_hint("It is not clear what this is; nothing was changed.")
        elif isinstance(event, ImportFindings):
            self._show_findings(event)
        elif isinstance(event, WorkbenchError):
            self._show_damage(event)

    def _show_findings(self, found: ImportFindings) -> None:
        document = self._session.document
        assert document is not None
        self._found = found
        self._choices.show_what_matters(self._format, sized=found.is_sized_otherwise, splits=found.has_splits)
        self._sentence.setText(found.plan.sentence)
        self._view.show_findings(document, found, is_new_source=self._is_new_source)
        self._is_new_source = False
        if found.project_images != len(document.images()) and not document.read_only:  # some are still being written
            self._is_stale, self._images_version = True, -1
            self._settle.start()
        self._stack.setCurrentWidget(self._view)

    def _show_damage(self, error: WorkbenchError) -> None:
        self._found, self._is_stale = None, False
        groups, ending = remark_groups.damage_groups(error)
        self._sentence.setText(ending or "It can't be imported as it is; nothing was changed.")
        self._damage.show_groups(groups)
        skips = self._choices.settings("update").skip_broken
        self._leave_out.setVisible(self._is_reading and not skips and bool(self._format))
        self._choices.show_what_matters(self._format, sized="lie outside" in error.sentence, splits=False)
        self._stack.setCurrentWidget(self._damaged)
        if not self._format and self._is_reading:
            self._choices.ask_for_path()

    @Slot(object)
    def _failed(self, error: object) -> None:
        """An error in the program, also shown in the corner."""
        if self.sender() is self._job and isinstance(error, WorkbenchError):
            self._show_damage(error)

    @Slot()
    def _ended(self) -> None:
        if self.sender() is not self._job:
            return
        job, self._job = self._job, None
        if job is not None and job.stop.is_set():  # stopped in the status bar
            self.stop()
        if not self._settle.isActive():
            self._renew()
        self._enable()
        if self._apply.isEnabled():
            self._apply.setFocus()

    # --- drag and drop ---

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if dropped(event) is not None:
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        path = dropped(event)
        if path is not None:
            event.acceptProposedAction()
            self._choices.set_path(path)

    # --- importing ---

    @Slot()
    def apply(self) -> None:
        """Apply the plan as one edit, one step of undo. A job keeps the files."""
        found = self._found
        if self._session.document is None or found is None or self._job is not None:
            return
        if self._applier.apply(found.plan, None if self._opened is None else self._opened.folder):
            self._opened = self._found = None  # the plan was for the project before the import
            self.close()

    @Slot(object)
    def _edited(self, _applied: object) -> None:
        """The plan is for an earlier state: it must not overwrite what the user has changed since."""
        if not self._applier.is_applying and (self._found is not None or self._job is not None):
            self._is_stale = True
            self._settle.start()
        self._enable()

    @Slot()
    def _renew(self) -> None:
        """Make the plan for the current project; if a job is running, after it."""
        document = self._session.document
        if self._is_stale and self._job is None and self._found is not None and document is not None:
            self._compare() if document.images_version == self._images_version else self.read()

    # --- closing ---

    def done(self, result: int) -> None:
        """However the window is closed, drop what was read: the project will be edited further."""
        self._abandon()
        self._discard()
        self._view.close_down()
        self._is_stale = False
        self._choices.reset_consent()
        self._reset_consent()
        path = self._choices.path
        self._hint.say("", _HINT if path is None else f"Enter reads {path.name} again. {_HINT}")
        self._choices.ask_for_path()
        self._show_hint()
        super().done(result)

    def _discard(self) -> None:
        opened, self._opened = self._opened, None
        if opened is not None:
            self._throw_away(opened.folder)

    def _throw_away(self, folder: Path) -> None:
        """Remove what was unpacked and not imported: in a job, or at once if the project is closing."""
        if self._session.document is not None:
            self._session.start(Job("Removing what was unpacked", lambda _: work.discard(folder), self._session))
        else:
            try:
                archives.discard(folder)
            except WorkbenchError as error:
                self._session.report_error(error)
