"""Carries out what the list of runs asks for: list, rename, note, delete, undo that, extend, fork, compare."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot

from workbench.core import edits
from workbench.core.formatting import count
from workbench.errors import WorkbenchError
from workbench.training.records import extension, run_actions
from workbench.training.records.extension import FinishedRun
from workbench.training.records.run_actions import KEPT_DAYS, DeletedRun, Fork
from workbench.training.records.runs import EVENTS, RunInfo
from workbench.ui.actions import with_keys
from workbench.ui.background import Background
from workbench.ui.page_undo import WidgetUndoStack
from workbench.ui.session import Session
from workbench.ui.train.compare.window import CompareWindow
from workbench.ui.train.form.setup_panel import SetupPanel
from workbench.ui.train.runs import run_work
from workbench.ui.train.runs.extend_window import ExtendWindow
from workbench.ui.train.runs.history import RunHistory, read_history
from workbench.ui.train.runs.run_list import RunList
from workbench.ui.train.runs.run_work import DataDigestRequest, RunAction, RunListRequest, RunListResult


class RunActions(QObject):
    """`listed(tuple of RunInfo)`; `history_read(folder, RunHistory)`; `continue_requested(folder)` of a run to resume;
    `renamed(old, new)` folders.

    In a window that may only read the project, runs are not changed either: the other window, which may, is not told of
    it, and could not take it back.
    """

    listed = Signal(object)
    history_read = Signal(object, object)
    continue_requested = Signal(object)
    renamed = Signal(object, object)

    def __init__(self, session: Session, runs: RunList, setup: SetupPanel) -> None:
        super().__init__(runs)
        self._session, self._runs, self._setup = session, runs, setup
        self._list = Background("Reading the runs", run_work.list_runs, self)
        self._history = Background("Reading a run", read_history, self)
        self._data = Background("Comparing the data", run_work.data_digest, self)
        self._changes = Background("Changing the runs", run_work.perform, self)
        self._awaited_run: Path | None = None  # the run whose curves are being read
        self._changes_made = 0  # of runs: what was read before one is not shown after it
        self._version, self._known = 0, -1  # of the project's data; the version whose digest is known
        self._last: tuple[DeletedRun, ...] = ()  # what Undo takes back
        self._undo = WidgetUndoStack(session, runs)  # Ctrl+Z, wherever the focus is while the list is visible
        self._list.done.connect(self._have_listed)
        self._history.done.connect(self._have_read)
        self._data.done.connect(self._have_digest)
        self._changes.done.connect(self._have_done)
        runs.table.may_type = session.may_change
        runs.rename_requested.connect(self.rename)
        runs.note_requested.connect(self.note)
        runs.delete_requested.connect(self.delete)
        runs.undo_delete_requested.connect(self.undo_delete)
        runs.restore_requested.connect(self.restore)
        runs.empty_requested.connect(self._empty)
        runs.extend_requested.connect(self._prepare_extension)
        runs.fork_requested.connect(self._prepare_fork)
        runs.compare_requested.connect(self.compare)
        runs.inspect_requested.connect(self.inspect)
        setup.changed.connect(self._setup_changed)
        session.document_changed.connect(self._document_changed)
        session.edited.connect(self._edited)
        session.images_found.connect(self._edited)

    def close(self) -> None:
        """Wait for the work in progress."""
        for background in (self._list, self._history, self._data, self._changes):
            background.close()

    # --- listing ---

    def list_runs(self, *, outdated: bool = False) -> None:
        """Read the project's runs again; `listed` follows. `outdated`: what is being read now is not shown any more."""
        document = self._session.document
        self._changes_made += outdated
        if document is not None:
            self._list.ask([RunListRequest(document.runs_folder, not document.read_only, self._changes_made)])

    def read(self, folder: Path | None) -> None:
        """Read the curves of the run in `folder`; `history_read` follows. Results of earlier requests are dropped."""
        self._awaited_run = folder
        self._history.ask([] if folder is None else [folder])

    @Slot(object, object)
    def _have_read(self, folder: Path, history: object) -> None:
        is_awaited = folder == self._awaited_run and self._is_here(folder)
        if is_awaited and isinstance(history, RunHistory) and (folder / EVENTS).is_file():  # not renamed or deleted
            self.history_read.emit(folder, history)
            if history.trained_elsewhere:
                self.list_runs()  # others' changes send no signal, and the run's row is older than what is shown now

    def _is_here(self, folder: Path) -> bool:
        """Whether the run, or the folder of runs, belongs to the project that is open now."""
        document = self._session.document
        return document is not None and document.runs_folder in (folder, folder.parent)

    @Slot(object, object)
    def _have_listed(self, request: object, found: object) -> None:
        document = self._session.document
        if document is None or not isinstance(found, RunListResult) or not isinstance(request, RunListRequest):
            return
        if (request.folder, request.changes_made) != (document.runs_folder, self._changes_made):
            return  # the project was closed meanwhile, or another listing is on its way
        self._runs.table.set_known(True)
        self._runs.set_runs(found.runs)
        self._runs.set_deleted(found.deleted, found.trash_bytes)
        if self._known != self._version and self._runs.isVisible() and any(run.digest for run in found.runs):
            self._data.ask([DataDigestRequest(document.folder, self._version)])
        self.listed.emit(found.runs)

    @Slot(object, object)
    def _have_digest(self, request: object, digest: object) -> None:
        document = self._session.document
        if document is None or not isinstance(request, DataDigestRequest) or not isinstance(digest, str):
            return
        if (request.project, request.version) == (document.folder, self._version):
            self._known = self._version
            self._runs.table.set_data_digest(digest)

    @Slot()
    def _document_changed(self) -> None:
        self._forget()
        self._edited()

    @Slot()
    def _edited(self, _what: object = None) -> None:
        self._version += 1
        self._runs.table.set_data_digest("")

    @Slot()
    def _setup_changed(self) -> None:
        self._runs.allow_fork(self._setup.loaded)

    def _changed(self) -> None:
        self._session.runs_changed.emit()
        self.list_runs(outdated=True)

    # --- names and notes ---

    @Slot(object, str)
    def rename(self, run: RunInfo, wanted: str) -> None:
        try:
            moved = run_actions.rename(run.folder, wanted)
        except WorkbenchError as error:
            self._session.report_error(error)
            return
        self._runs.prefer(moved.name)
        start = self._setup.start_from.currentData()
        if isinstance(start, Path) and run.folder in start.parents:
            self._setup.start_from.begin_from(moved / start.relative_to(run.folder))
        self.renamed.emit(run.folder, moved)
        self._changed()

    @Slot(object, str)
    def note(self, run: RunInfo, text: str) -> None:
        try:
            run_actions.write_note(run.folder, text)
        except WorkbenchError as error:
            self._session.report_error(error)
        self._changed()

    # --- deleting and taking back ---

    @Slot(object)
    def delete(self, chosen: Sequence[RunInfo]) -> None:
        if not self._session.may_change():
            return
        done = []
        for run in chosen:
            try:
                done.append(run_actions.delete(run.folder))
            except WorkbenchError as error:
                self._session.report_error(error)
        if done:
            self._last = tuple(done)
            what = f"run '{done[0].name}'" if len(done) == 1 else count(len(done), "run")
            self._runs.offer_undo_delete(f"Deleted {what}. In the trash for {KEPT_DAYS} days.")
            self._undo.forget()
            self._undo.add(f"Delete {what}", self.undo_delete, self._forget)  # forgotten once undone: never redone
        self._changed()

    @Slot()
    def undo_delete(self) -> None:
        """Undo the last deletion."""
        for deleted in self._last:
            self.restore(deleted)

    @Slot(object)
    def restore(self, deleted: DeletedRun) -> None:
        if not self._session.may_change():
            return
        try:
            back = run_actions.restore(deleted)
        except WorkbenchError as error:
            self._session.report_error(error)
        else:
            self._runs.clear_selection()  # so that the selected row belongs to the curves shown
            self._runs.prefer(back.name)
            self.read(back)
            if back.name != deleted.name:
                self._session.inform(f"There is another run '{deleted.name}' now: this one came back as '{back.name}'.")
        if deleted in self._last:
            self._forget()
        self._changed()

    def _forget(self) -> None:
        self._last = ()
        self._undo.forget()
        self._runs.offer_undo_delete("")

    @Slot()
    def _empty(self) -> None:
        document = self._session.document
        if document is not None and self._session.may_change():
            self._forget()
            self._changes.add(RunAction(document.runs_folder, partial(run_actions.empty_trash, days=0)))

    # --- using again ---

    @Slot(object)
    def _prepare_extension(self, run: RunInfo) -> None:
        self._changes.add(RunAction(run.folder, extension.read_finished_run))

    @Slot(object, int)
    def _extend(self, basis: FinishedRun, more: int) -> None:
        self._changes.add(RunAction(basis.folder, partial(extension.extend, more=more)))

    @Slot(object)
    def _prepare_fork(self, run: RunInfo) -> None:
        self._changes.add(RunAction(run.folder, run_actions.fork))

    @Slot(object, object)
    def _have_done(self, action: RunAction, outcome: object) -> None:
        if isinstance(outcome, WorkbenchError):
            self._session.report_error(outcome)
        elif not self._is_here(action.folder):
            return  # the project was closed meanwhile
        elif isinstance(outcome, FinishedRun):
            window = ExtendWindow(outcome, self._runs.window())
            self._session.closing.connect(window.reject)
            window.agreed.connect(self._extend)
            window.show()
        elif isinstance(outcome, Fork):
            self.fill_in(outcome)
        elif isinstance(outcome, Path):
            self._runs.prefer(outcome.name)
            self.continue_requested.emit(outcome)
            self._changed()
        else:
            self.list_runs()  # without those that were in the trash

    def fill_in(self, fork: Fork, told: str = "") -> None:
        """Put a run's settings into the form; its anchors go into the project, as an edit that can be undone.

        `told`: what is said instead of where they are from.
        """
        document = self._session.document
        if document is None or not self._setup.loaded:
            return
        words = [told or f"The settings of '{fork.name}' are now in the form: change what you like and start."]
        self._setup.show_recipe(fork.recipe)
        is_there = fork.start is not None and fork.start.is_file()
        self._setup.start_from.begin_from(fork.start if is_there else None)
        self._setup.changed.emit()
        if fork.start is not None and not is_there:
            words.append(f"It began with {fork.start}, which no longer exists: fresh weights are chosen.")
        if fork.recorded and self._setup.takes_anchors and document.anchors() != fork.anchors:
            setting = fork.anchors.to_setting() if fork.anchors else None
            if self._session.do(edits.ChangeSetting("anchors", setting)) is not None:
                words.append(
                    with_keys("The project's anchors are those of that run now; Undo ({undo}) takes this back.")
                )
        self._session.inform(" ".join(words))

    @Slot(object)
    def inspect(self, run: RunInfo) -> None:
        self._session.page_requested.emit("inspect")  # which makes the page when it is first needed
        self._session.run_requested.emit(run.name)

    @Slot(object)
    def compare(self, chosen: Sequence[RunInfo]) -> None:
        """Show them side by side, in a separate window."""
        window = CompareWindow(self._session, [run.folder for run in chosen], self._runs.window())
        self.renamed.connect(window.renamed)
        window.show()
