"""Project > Older copies: what each copy of the project's file holds beside what it holds now, and the way back to one.

What is replaced is kept as a copy, too, so that going back can itself be taken back.
"""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QHeaderView,
    QLabel,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from workbench.core.document import Document
from workbench.core.storage import backups
from workbench.core.storage.backups import Backup, CopyContents
from workbench.errors import WorkbenchError
from workbench.ui import theme
from workbench.ui.background import Background
from workbench.ui.project import training_question
from workbench.ui.project.auto_backup import run_waiting
from workbench.ui.session import Session
from workbench.ui.widgets.buttons import dialog_buttons, make_primary, push_button
from workbench.ui.widgets.tables import AT_RIGHT, align_heads, deferred_column_sizing, make_copyable, style_table

ABOUT = (
    "The project's file is copied in every hour with changes; the copies of the last ten hours and the last seven days"
    " are kept. Photographs and runs are not copied."
)
GO_BACK = "The project as it is now is kept as another copy, so you can take this back."
CHOOSE = "Choose a copy in the list first."
_HEADS = ("Copy of", "Images", "Done", "Boxes", "Labels", "Last step in it")
_NUMBERS = (1, 2, 3, 4)
_STEP = 5


class OlderCopiesWindow(QDialog):
    """Not modal; closes with the project. Copies are counted in a thread: each may have a million boxes."""

    def __init__(self, session: Session, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("copies-window")
        self.setWindowTitle("Older copies of the project")
        self._session = session
        document = session.document
        assert document is not None
        self._folder = document.folder
        self._copies: tuple[Backup, ...] = ()
        self._held: dict[Path, CopyContents | WorkbenchError] = {}  # by copy, once known
        self._now = _contents_now(document)
        self._table = _table()
        self._go = push_button("copies-go", "Go back to this copy")
        make_primary(self._go)
        self._reader = Background("Looking into the copies", _look_into, self)
        self._reader.done.connect(self._have_read)
        self._words = QLabel(ABOUT, wordWrap=True)
        self._words.setObjectName("copies-words")
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 16)
        column.setSpacing(theme.GRID)
        column.addWidget(self._words)
        column.addWidget(self._table, 1)
        column.addLayout(dialog_buttons(self, self._go))
        self.resize(760, 440)
        self._fill()
        self._table.itemSelectionChanged.connect(self._enable)
        self._go.clicked.connect(self._restore)
        session.closing.connect(self.reject)
        session.edited.connect(self._edited)
        self._enable()
        self._reader.ask([self._folder])

    # --- what there is ---

    def _fill(self) -> None:
        self._table.setRowCount(1 + len(self._copies))
        with deferred_column_sizing(self._table):
            self._show_row(0, "now", self._now)
            for row, copy in enumerate(self._copies, start=1):
                self._show_row(row, copy.words, self._held.get(copy.file))

    def _show_row(self, row: int, words: str, held: CopyContents | WorkbenchError | None) -> None:
        """`held` None: it is not known yet."""
        if isinstance(held, CopyContents):
            texts = [words, *(_beside_now(*pair) for pair in _pairs(held, self._now)), held.last_edit]
        else:
            texts = [words, *("" for _ in _NUMBERS), "…" if held is None else f"can't be read: {held.sentence}"]
        for column, text in enumerate(texts):
            item = QTableWidgetItem(text)
            item.setToolTip(text)
            if column in _NUMBERS:
                item.setTextAlignment(AT_RIGHT)
            if row == 0:
                item.setFlags(Qt.ItemFlag.ItemIsEnabled)
                item.setForeground(theme.colour("muted"))
            self._table.setItem(row, column, item)

    @Slot(object, object)
    def _have_read(self, request: Path, found: object) -> None:
        if isinstance(found, tuple):
            self._copies = found
            self._words.setText(ABOUT if found else f"{ABOUT} There is none yet.")
            self._reader.ask([copy.file for copy in found])
        elif isinstance(found, CopyContents | WorkbenchError):
            self._held[request] = found
        self._fill()

    @Slot()
    def _edited(self, _applied: object = None) -> None:
        """Compare with what the project holds now."""
        if self._session.document is not None:
            self._now = _contents_now(self._session.document)
            self._fill()

    def _chosen(self) -> Backup | None:
        rows = [index.row() for index in self._table.selectionModel().selectedRows()]
        return self._copies[rows[0] - 1] if rows and rows[0] else None

    @Slot()
    def _enable(self) -> None:
        document = self._session.document
        if document is not None and document.read_only:
            self._go.setEnabled(False)
            self._go.setToolTip(document.why_read_only)
            return
        self._go.setEnabled(self._chosen() is not None)
        self._go.setToolTip(GO_BACK if self._go.isEnabled() else CHOOSE)

    # --- the way back ---

    @Slot()
    def _restore(self) -> None:
        chosen = self._chosen()
        if chosen is not None:
            restore_copy(self._session, chosen)

    def done(self, result: int) -> None:
        """Close for good, after the read in progress."""
        self._reader.close()
        super().done(result)
        self.deleteLater()


def restore_copy(session: Session, copy: Backup) -> None:
    """Put `copy` in the place of the open project's file, and open it at the same image and page.

    A running training is asked about first. What goes wrong is reported, and the project is then as it was. Nothing is
    done with a copy of another project: this one may be open when the offer to take a step back is taken.
    """
    document = session.document
    if document is None or copy.file.parent not in (document.folder, document.folder / backups.FOLDER):
        return
    if not training_question.may_stop(session, training_question.GOING_BACK):
        return
    folder = document.folder
    session.keep_view()
    session.close()
    try:
        old = run_waiting("Going back to the copy", lambda: _restored(folder, copy))
    except WorkbenchError as error:
        session.reopen_requested.emit(folder)
        session.report_error(error)
        return
    session.reopen_requested.emit(folder)
    session.inform(f"This is the project as it was on {backups.time_text(copy.made)}.")
    if old is not None:
        session.offered.emit("Take this back", lambda: restore_copy(session, old))


def _restored(folder: Path, copy: Backup) -> Backup | None:
    """The copy that holds what was replaced."""
    old = backups.restore(folder, copy)
    return next((one for one in backups.replaced(folder) if one.file == old), None)


def _look_into(request: Path) -> tuple[Backup, ...] | CopyContents:
    """Runs in a thread: the copies of the project in a folder, or what is in one of these."""
    if request.is_dir():
        copies = [*backups.backups(request), *backups.replaced(request)]
        return tuple(sorted(copies, key=lambda copy: copy.hour if copy.is_replaced else copy.made, reverse=True))
    return backups.contents_of(request)


def _contents_now(document: Document) -> CopyContents:
    images = document.images()
    done = int(images.finished.sum())
    return CopyContents(len(images), done, document.counts().total, len(document.labels()), document.undo_title)


def _pairs(held: CopyContents, now: CopyContents) -> tuple[tuple[int, int], ...]:
    """A copy's numbers, each with that of now."""
    return (held.images, now.images), (held.done, now.done), (held.boxes, now.boxes), (held.labels, now.labels)


def _beside_now(number: int, now: int) -> str:
    """As "1,204 (-12)": so many, and how many fewer than now."""
    return f"{number:,}" if number == now else f"{number:,} ({number - now:+,})".replace("-", "−")


def _table() -> QTableWidget:
    table = QTableWidget(0, len(_HEADS))
    table.setObjectName("copies-table")
    table.setAccessibleName("Copies of the project, newest first")
    table.setHorizontalHeaderLabels(_HEADS)
    head = style_table(table)
    align_heads(head, _NUMBERS)
    table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
    table.setShowGrid(False)
    head.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
    head.setSectionResizeMode(_STEP, QHeaderView.ResizeMode.Stretch)
    make_copyable(table)
    return table
