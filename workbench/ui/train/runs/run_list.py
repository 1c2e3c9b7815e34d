"""The project's runs so far: a click shows a run's curves, several can be compared, and buttons act on them.

run_actions.py carries out what is asked for here.
"""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPoint, Qt, Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from workbench.core import formatting
from workbench.training.records.run_actions import KEPT_DAYS, DeletedRun
from workbench.training.records.runs import RunInfo, format_time
from workbench.ui import actions, theme
from workbench.ui.commands import BY_NAME
from workbench.ui.held_keys import HeldKeys
from workbench.ui.train import refusals
from workbench.ui.train.runs.runs_table import NAME, NOTE, RunsTable
from workbench.ui.widgets.buttons import push_button
from workbench.ui.widgets.elided import ElidedLabel
from workbench.ui.widgets.popups import Menu

MOST_LISTED = 12  # deleted runs in the menu
RESUME_HELP = "Go on from the last checkpoint, with the data and settings that the run began with."
INSPECT_HELP = "See what this run finds in the images."
EXTEND_HELP = (
    "Go on for more epochs, as a new run that begins where this finished one ended; this one stays as it is. You are "
    "asked how many, and told what it does to the learning rate."
)
WAITS = "A training is running: it waits in the queue until its turn comes.\n"
FORK_HELP = (
    "Put this run's detector, settings and anchors into the form at the left: change what you like, then start a run "
    "on the project's present data."
)
DELETE_HELP = f"Moves them to the trash, from which they can be taken back for {KEPT_DAYS} days"
COMPARE_HELP = actions.native_keys(
    "Choose two or more runs (Ctrl+click, Shift+click) to see their curves, settings and AP side by side."
)


class RunList(QWidget):
    """`chosen(RunInfo)` for a click on a row, `resume_requested(RunInfo)`, `inspect_requested(RunInfo)` by buttons.

    `compare_requested`, `delete_requested` carry RunInfo tuples; `restore_requested(DeletedRun)`, `empty_requested` are
    for the trash; `undo_delete_requested` undoes what `offer_undo_delete` announced.
    """

    chosen = Signal(object)
    resume_requested = Signal(object)
    inspect_requested = Signal(object)
    compare_requested = Signal(object)
    rename_requested = Signal(object, str)
    note_requested = Signal(object, str)
    delete_requested = Signal(object)
    extend_requested = Signal(object)
    fork_requested = Signal(object)
    restore_requested = Signal(object)
    empty_requested = Signal()
    undo_delete_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._may_fork = False
        self._live = ""  # the name of the run that this window trains
        self._may_queue = False  # others can wait for its end
        self._preferred = ""
        self._deleted: tuple[tuple[DeletedRun, ...], int] | None = None  # as in the menu
        self.table = RunsTable()
        self.notice = ElidedLabel()
        self.notice.setObjectName("train-runs-told")
        self.notice.setProperty("role", "muted")
        self.undo_delete = push_button("train-runs-undo", "Undo", "Take back what was deleted.")
        self.compare = push_button("train-compare", "Compare", COMPARE_HELP)
        self.more = push_button("train-runs-more", "More", "More to do with the chosen runs.")
        self.resume = push_button("train-resume", "Resume", RESUME_HELP)
        self.inspect = push_button("train-inspect", "Inspect", INSPECT_HELP)
        self._make_actions()
        self._make_menu()
        self._lay_out()
        self._connect()
        self.offer_undo_delete("")
        self._enable()

    def _make_actions(self) -> None:
        self._do_resume = actions.make_action(self, "resume-run", self._ask_resume)
        self._do_inspect = actions.make_action(self, "inspect-run", self._ask_inspect)
        self._do_compare = actions.make_action(self, "compare-runs", self._ask_compare)
        self._do_rename = actions.make_action(self, "rename-run", self._type_name)
        self._do_note = actions.make_action(self, "note-run", self._type_note)
        self._do_extend = actions.make_action(self, "extend-run", self._ask_extend)
        self._do_fork = actions.make_action(self, "fork-run", self._ask_fork)
        self._do_delete = actions.make_action(self, "delete-runs", HeldKeys(self).once(self._ask_delete))

    def _make_menu(self) -> None:
        self.menu = Menu(self, toolTipsVisible=True)
        self.menu.setObjectName("train-runs-menu")
        self.menu.aboutToShow.connect(self._explain)
        self.menu.addActions([self._do_resume, self._do_extend, self._do_fork])
        self.menu.addSeparator()
        self.menu.addActions([self._do_inspect, self._do_compare])
        self.menu.addSeparator()
        self.menu.addActions([self._do_rename, self._do_note, self._do_delete])
        self.menu.addSeparator()
        self.trash = self.menu.below("Deleted runs")
        self.trash.setObjectName("train-runs-trash")
        self._sure = Menu("Delete for good", self.trash)
        self._sure.setObjectName("train-runs-empty")
        self.more.setMenu(self.menu)
        self.set_deleted((), 0)

    def _lay_out(self) -> None:
        foot = QHBoxLayout()
        foot.setSpacing(theme.GRID)
        foot.addWidget(self.notice, 1)
        for button in (self.undo_delete, self.compare, self.more, self.resume, self.inspect):
            foot.addWidget(button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, theme.GRID, 0, 0)
        column.addWidget(self.table, 1)
        column.addLayout(foot)

    def _connect(self) -> None:
        self.table.itemSelectionChanged.connect(self._selected)
        self.table.activated.connect(self._show)
        self.table.renamed.connect(self.rename_requested)
        self.table.noted.connect(self.note_requested)
        self.table.customContextMenuRequested.connect(self._pop_up)
        self.table.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.undo_delete.clicked.connect(self.undo_delete_requested)
        self.compare.clicked.connect(self._ask_compare)
        self.resume.clicked.connect(self._ask_resume)
        self.inspect.clicked.connect(self._ask_inspect)

    # --- what it shows ---

    def forget(self) -> None:
        """Another project was opened: its runs are not known yet, and may be called like the last one's."""
        self._preferred = ""
        self.table.set_known(False)
        self.set_runs(())

    def set_runs(self, found: Sequence[RunInfo]) -> None:
        """Show these runs; runs of the same names stay selected. Does not emit `chosen`."""
        self.table.set_runs(found, [self._preferred])
        self._enable()

    def set_deleted(self, deleted: Sequence[DeletedRun], size: int) -> None:
        """The trash's runs, and its size in bytes. The menu stays as it is if these do: it may be open."""
        if (tuple(deleted), size) == self._deleted:
            return
        self._deleted = tuple(deleted), size
        self.trash.clear()
        self.trash.setEnabled(bool(deleted))
        for one in deleted[:MOST_LISTED]:
            entry = self.trash.addAction(
                actions.escape_mnemonics(f"Take back '{one.name}', deleted {format_time(one.deleted)}")
            )
            entry.triggered.connect(lambda _=False, one=one: self.restore_requested.emit(one))
        if len(deleted) > MOST_LISTED:
            self.trash.addAction(f"… and {len(deleted) - MOST_LISTED} older ones").setEnabled(False)
        self.trash.addSeparator()
        self.trash.addMenu(self._sure)
        self._sure.clear()
        entry = self._sure.addAction(
            f"Delete {formatting.count(len(deleted), 'run')}, {formatting.size(size)}: there is no undo"
        )
        entry.triggered.connect(lambda _=False: self.empty_requested.emit())

    def offer_undo_delete(self, words: str) -> None:
        """Say what was done, with a button to undo it; "" if there is nothing to undo."""
        self.notice.setText(words)
        self.undo_delete.setVisible(bool(words))

    def prefer(self, name: str) -> None:
        """Select this run at the next listing if none is selected: Resume and Inspect act on it."""
        self._preferred = name

    def show_training(self, live: str, *, may_queue: bool = False) -> None:
        """This window trains the run called `live`, "" for none, which must not be moved; others wait if they may."""
        self._live, self._may_queue = live, may_queue
        self.table.set_beginning(live)
        waits = bool(live) and may_queue
        self.resume.setText("Resume next" if waits else "Resume")
        self._do_resume.setText("Resume next: put the run into the queue" if waits else BY_NAME["resume-run"].text)
        self._do_extend.setText(
            "Extend next: put a longer run into the queue…" if waits else BY_NAME["extend-run"].text
        )
        self._enable()

    def allow_fork(self, on: bool) -> None:
        """Whether there is a form to put a run's settings into."""
        self._may_fork = on
        self._enable()

    def clear_selection(self) -> None:
        self._preferred = ""
        self.table.blockSignals(True)
        self.table.clearSelection()
        self.table.blockSignals(False)
        self._enable()

    @property
    def selected(self) -> RunInfo | None:
        """The selected run; None unless exactly one is selected."""
        return self.table.chosen[0] if len(self.table.chosen) == 1 else None

    def _enable(self) -> None:
        run, chosen = self.selected, self.table.chosen
        at_rest = not any(one.is_running or one.name == self._live for one in chosen)
        no_resume, no_inspect = refusals.why_not_resume(run, self._is_free(run)), refusals.why_not_inspect(run)
        self.resume.setToolTip(self._explained(no_resume, RESUME_HELP))
        self.inspect.setToolTip(f"{no_inspect}\n{INSPECT_HELP}".lstrip())
        for button, action, on in (
            (self.resume, self._do_resume, not no_resume),
            (self.inspect, self._do_inspect, not no_inspect),
            (self.compare, self._do_compare, len(chosen) > 1),
        ):
            button.setEnabled(on)
            action.setEnabled(on)
        self._do_rename.setEnabled(run is not None and at_rest)
        self._do_note.setEnabled(run is not None)
        self._do_delete.setEnabled(bool(chosen) and at_rest)
        self._do_extend.setEnabled(not refusals.why_not_extend(run, self._is_free(run)))
        self._do_fork.setEnabled(self._may_fork and run is not None)

    def _is_free(self, run: RunInfo | None) -> bool:
        """Whether this run may go on: now, or when its turn comes."""
        return not self._live or (self._may_queue and run is not None and run.name != self._live)

    def _explained(self, why_not: str, help: str) -> str:
        """The tooltip of what lets a run go on."""
        return f"{why_not}\n{help}" if why_not else WAITS * bool(self._live) + help

    # --- what is asked for ---

    @Slot()
    def _explain(self) -> None:
        """Tooltips say more than the buttons' text; a change of shortcuts resets them."""
        run = self.selected
        for action, help in (
            (self._do_resume, self.resume.toolTip()),
            (self._do_extend, self._explained(refusals.why_not_extend(run, self._is_free(run)), EXTEND_HELP)),
            (self._do_fork, FORK_HELP),
            (self._do_inspect, self.inspect.toolTip()),
            (self._do_compare, COMPARE_HELP),
            (self._do_delete, DELETE_HELP),
        ):
            action.setToolTip(help)

    @Slot()
    def _selected(self) -> None:
        self._enable()
        if self.selected is not None:
            self.chosen.emit(self.selected)

    @Slot()
    def _show(self, *_: object) -> None:
        """On Enter: the curves of one run, or a comparison of several."""
        if self.selected is not None:
            self.chosen.emit(self.selected)
        else:
            self._ask_compare()

    @Slot(QPoint)
    def _pop_up(self, at: QPoint) -> None:
        self.menu.popup(self.table.viewport().mapToGlobal(at))

    @Slot()
    def _ask_resume(self) -> None:
        self.resume_requested.emit(self.selected)

    @Slot()
    def _ask_inspect(self) -> None:
        self.inspect_requested.emit(self.selected)

    @Slot()
    def _ask_compare(self) -> None:
        if len(self.table.chosen) > 1:
            self.compare_requested.emit(self.table.chosen)

    @Slot()
    def _ask_delete(self) -> None:
        self.delete_requested.emit(self.table.chosen)

    @Slot()
    def _ask_extend(self) -> None:
        self.extend_requested.emit(self.selected)

    @Slot()
    def _ask_fork(self) -> None:
        self.fork_requested.emit(self.selected)

    @Slot()
    def _type_name(self) -> None:
        if self.selected is not None:
            self.table.type_in(self.selected, NAME)

    @Slot()
    def _type_note(self) -> None:
        if self.selected is not None:
            self.table.type_in(self.selected, NOTE)
