"""Carries out what the list of runs asks for: list, rename, note, delete, undo that, extend, fork, compare."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot

from workbench.core import edits
from workbench.core.words import count
from workbench.errors import WorkbenchError
from workbench.training import kept_runs
from workbench.training.extending import Basis
from workbench.training.kept_runs import KEPT_DAYS, Deleted, Fork
from workbench.training.runs import EVENTS, RunInfo
from workbench.ui.actions import native
from workbench.ui.background import Background
from workbench.ui.session import Session
from workbench.ui.train import run_work, work
from workbench.ui.train.compare.window import CompareWindow
from workbench.ui.train.extend_window import ExtendWindow
from workbench.ui.train.run_list import RunList
from workbench.ui.train.run_work import Empty, Extend, List, Listing, TakeUp, Today, Weigh
from workbench.ui.train.setup import Setup
from workbench.ui.train.start_from import FRESH
from workbench.ui.train.story import Story


class RunDeeds(QObject):
    """`listed(tuple of RunInfo)`; `was_read(folder, Story)`; `go_on_asked(folder)` of a run to resume;
    `renamed(old, new)` folders; `deleted(folder)`, the run's former folder.
    """

    listed = Signal(object)
    was_read = Signal(object, object)
    go_on_asked = Signal(object)
    renamed = Signal(object, object)
    deleted = Signal(object)

    def __init__(self, session: Session, runs: RunList, setup: Setup) -> None:
        super().__init__(runs)
        self._session, self._runs, self._setup = session, runs, setup
        self._list = Background("Reading the runs", run_work.listed, self)
        self._story = Background("Reading a run", work.read_story, self)
        self._data = Background("Comparing the data", run_work.digest_of, self)
        self._deeds = Background("Changing the runs", run_work.done, self)
        self._asked: Path | None = None  # the run whose curves are being read
        self._wishes = 0  # numbers the requests to list the runs
        self._version, self._known = 0, -1  # of the project's data; the version whose digest is known
        self._last: tuple[Deleted, ...] = ()  # what Undo takes back
        self._list.done.connect(self._have_listed)
        self._story.done.connect(self._have_read)
        self._data.done.connect(self._have_digest)
        self._deeds.done.connect(self._have_done)
        runs.rename_asked.connect(self.rename)
        runs.note_asked.connect(self.note)
        runs.delete_asked.connect(self.delete)
        runs.take_back_asked.connect(self.take_back)
        runs.restore_asked.connect(self.restore)
        runs.empty_asked.connect(self._empty)
        runs.extend_asked.connect(self._weigh)
        runs.fork_asked.connect(self._take_up)
        runs.compare_asked.connect(self.compare)
        runs.inspect_asked.connect(self.inspect)
        setup.changed.connect(self._setup_changed)
        session.document_changed.connect(self._document_changed)
        session.edited.connect(self._edited)
        session.images_found.connect(self._edited)

    def close(self) -> None:
        """Wait for the work in progress."""
        for background in (self._list, self._story, self._data, self._deeds):
            background.close()

    # --- listing ---

    def list_runs(self) -> None:
        """Read the project's runs again; `listed` follows."""
        document = self._session.document
        if document is not None:
            self._wishes += 1
            self._list.ask([List(document.runs_folder, not document.read_only, self._wishes)])

    def read(self, folder: Path | None) -> None:
        """Read the curves of the run in `folder`; `was_read` follows. The results of earlier requests are dropped."""
        self._asked = folder
        self._story.ask([] if folder is None else [folder])

    @Slot(object, object)
    def _have_read(self, folder: Path, story: object) -> None:
        if folder == self._asked and self._is_here(folder) and (folder / EVENTS).is_file():  # not renamed or deleted
            self.was_read.emit(folder, story)
            if isinstance(story, Story) and story.elsewhere:
                self.list_runs()  # others' changes send no signal, and the run's row is older than what is shown now

    def _is_here(self, folder: Path) -> bool:
        """Whether the run belongs to the project that is open now."""
        document = self._session.document
        return document is not None and folder.parent == document.runs_folder

    @Slot(object, object)
    def _have_listed(self, wish: object, found: object) -> None:
        document = self._session.document
        if document is None or not isinstance(found, Listing) or not isinstance(wish, List):
            return
        if (wish.folder, wish.number) != (document.runs_folder, self._wishes):
            return  # the project was closed meanwhile, or another listing is on its way
        self._runs.table.set_known(True)
        self._runs.set_runs(found.runs)
        self._runs.set_deleted(found.deleted, found.trash_bytes)
        if self._known != self._version and self._runs.isVisible() and any(run.digest for run in found.runs):
            self._data.ask([Today(document.folder, self._version)])
        self.listed.emit(found.runs)

    @Slot(object, object)
    def _have_digest(self, wish: object, digest: object) -> None:
        document = self._session.document
        if document is None or not isinstance(wish, Today) or not isinstance(digest, str):
            return
        if (wish.project, wish.version) == (document.folder, self._version):
            self._known = self._version
            self._runs.table.set_today(digest)

    @Slot()
    def _document_changed(self) -> None:
        self._forget()
        self._edited()

    @Slot()
    def _edited(self, _what: object = None) -> None:
        self._version += 1
        self._runs.table.set_today("")

    @Slot()
    def _setup_changed(self) -> None:
        self._runs.allow_fork(self._setup.loaded)

    def _changed(self) -> None:
        self._session.runs_changed.emit()
        self.list_runs()

    # --- names and notes ---

    @Slot(object, str)
    def rename(self, run: RunInfo, wanted: str) -> None:
        try:
            moved = kept_runs.rename(run.folder, wanted)
        except WorkbenchError as error:
            self._session.tell(error)
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
            kept_runs.write_note(run.folder, text)
        except WorkbenchError as error:
            self._session.tell(error)
        self._changed()

    # --- deleting and taking back ---

    @Slot(object)
    def delete(self, chosen: Sequence[RunInfo]) -> None:
        done = []
        for run in chosen:
            try:
                done.append(kept_runs.delete(run.folder))
                self.deleted.emit(run.folder)
            except WorkbenchError as error:
                self._session.tell(error)
        if done:
            self._last = tuple(done)
            what = f"run '{done[0].name}'" if len(done) == 1 else count(len(done), "run")
            self._runs.offer_to_take_back(f"Deleted {what}. In the trash for {KEPT_DAYS} days.")
        self._changed()

    @Slot()
    def take_back(self) -> None:
        """Undo the last deletion."""
        for deleted in self._last:
            self.restore(deleted)

    @Slot(object)
    def restore(self, deleted: Deleted) -> None:
        try:
            back = kept_runs.restore(deleted)
        except WorkbenchError as error:
            self._session.tell(error)
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
        self._runs.offer_to_take_back("")

    @Slot()
    def _empty(self) -> None:
        document = self._session.document
        if document is not None:
            self._forget()
            self._deeds.add(Empty(document.runs_folder))

    # --- using again ---

    @Slot(object)
    def _weigh(self, run: RunInfo) -> None:
        self._deeds.add(Weigh(run.folder))

    @Slot(object, int)
    def _extend(self, basis: Basis, more: int) -> None:
        self._deeds.add(Extend(basis.folder, more))

    @Slot(object)
    def _take_up(self, run: RunInfo) -> None:
        self._deeds.add(TakeUp(run.folder))

    @Slot(object, object)
    def _have_done(self, deed: object, outcome: object) -> None:
        if isinstance(outcome, WorkbenchError):
            self._session.tell(outcome)
        elif isinstance(deed, Empty):
            self.list_runs()
        elif not isinstance(deed, Weigh | Extend | TakeUp) or not self._is_here(deed.folder):
            return  # the project was closed meanwhile
        elif isinstance(outcome, Basis):
            window = ExtendWindow(outcome, self._runs.window())
            self._session.closing.connect(window.reject)
            window.agreed.connect(self._extend)
            window.show()
        elif isinstance(outcome, Fork):
            self.fill_in(outcome)
        elif isinstance(outcome, Path):
            self._runs.prefer(outcome.name)
            self.go_on_asked.emit(outcome)
            self._changed()

    def fill_in(self, fork: Fork) -> None:
        """Put a run's settings into the form; its anchors go into the project, as an edit that can be undone."""
        document = self._session.document
        if document is None or not self._setup.loaded:
            return
        words = [f"The settings of '{fork.name}' are now in the form: change what you like and start."]
        self._setup.show_recipe(fork.recipe)
        start = self._setup.start_from
        if fork.start is not None and fork.start.is_file():
            start.begin_from(fork.start)
        else:
            start.setCurrentIndex(start.findData(FRESH))
            if fork.start is not None:
                words.append(f"It began with {fork.start}, which no longer exists: fresh weights are chosen.")
        if fork.recorded and self._setup.takes_anchors and document.anchors() != fork.anchors:
            setting = fork.anchors.to_setting() if fork.anchors else None
            if self._session.do(edits.ChangeSetting("anchors", setting)) is not None:
                words.append(native("The project's anchors are those of that run now; Undo (Ctrl+Z) takes this back."))
        self._session.inform(" ".join(words))

    @Slot(object)
    def inspect(self, run: RunInfo) -> None:
        self._session.run_asked.emit(run.name)
        self._session.page_asked.emit("inspect")

    @Slot(object)
    def compare(self, chosen: Sequence[RunInfo]) -> None:
        """Show them side by side, in a separate window."""
        window = CompareWindow(self._session, [run.folder for run in chosen], self._runs.window())
        self.renamed.connect(window.renamed)
        window.show()
