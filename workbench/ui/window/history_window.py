"""Edit > History: the changes to this image or the project, and the way back to any of them."""

from __future__ import annotations

import time

from PySide6.QtCore import Qt, QTimer, Slot
from PySide6.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QButtonGroup,
    QDialog,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QRadioButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from workbench.core.document import Document
from workbench.core.project import Image, State
from workbench.core.storage import history
from workbench.core.storage.history import HistoryEntry
from workbench.errors import WorkbenchError
from workbench.ui import long_steps, theme
from workbench.ui.session import Session
from workbench.ui.widgets.buttons import dialog_buttons, make_primary
from workbench.ui.widgets.elided import ElidedLabel
from workbench.ui.widgets.tables import align_heads, deferred_column_sizing, style_table

_SOON = 100
"""Milliseconds after the last edit until the list is read again."""
_HEADS = ("When", "What", "Boxes after it")


class HistoryWindow(QDialog):
    """Follows the session's image and its edits. For an image, one step is reverted by a new edit; for the project,
    all later steps are undone, and can be redone until another edit is made."""

    def __init__(self, session: Session, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("history-window")
        self.setWindowTitle("History")
        self._session = session
        self._entries: list[HistoryEntry] = []
        self._of_image = QRadioButton("This image")
        self._of_image.setObjectName("history-image")
        self._of_project = QRadioButton("The whole project")
        self._of_project.setObjectName("history-project")
        self._kinds = QButtonGroup(self)
        for button in (self._of_image, self._of_project):
            self._kinds.addButton(button)
        self._of_image.setChecked(True)
        self._name = ElidedLabel()
        self._name.setProperty("role", "muted")
        self._table = _table()
        self._words = QLabel(wordWrap=True)
        self._words.setObjectName("history-words")
        self._words.setProperty("role", "muted")
        self._go = QPushButton()
        self._go.setObjectName("history-go")
        make_primary(self._go)
        self._soon = QTimer(self, singleShot=True, interval=_SOON)
        self._soon.timeout.connect(self.renew)
        self._lay_out()
        self._kinds.buttonToggled.connect(self.renew)
        self._table.itemSelectionChanged.connect(self._enable)
        self._table.cellDoubleClicked.connect(self._act)
        self._go.clicked.connect(self._act)
        session.edited.connect(self._renew_soon)
        session.image_changed.connect(self._renew_soon)
        session.document_changed.connect(self._renew_soon)
        self.renew()

    def _lay_out(self) -> None:
        head = QHBoxLayout()
        head.addWidget(self._of_image)
        head.addWidget(self._of_project)
        head.addSpacing(theme.GRID)
        head.addWidget(self._name, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(*(2 * theme.GRID,) * 4)
        column.setSpacing(theme.GRID)
        column.addLayout(head)
        column.addWidget(self._table, 1)
        column.addLayout(dialog_buttons(self, self._go, words=self._words))
        self.resize(520, 440)

    @Slot()
    def _renew_soon(self) -> None:
        """Until then nothing can be brought back: it would be the last image's boxes."""
        self._table.clearSelection()
        self._soon.start()  # not connected itself: it would take an image's id for its time

    @Slot()
    def renew(self) -> None:
        """Read the list again; this clears the selection."""
        document, image = self._session.document, self._session.image
        alone = self._of_image.isChecked()
        self._name.setText(image.path if image and alone else "")
        if document is None or (alone and image is None):
            self._entries = []
        elif alone and image is not None:
            self._entries = history.of_image(document, image.id)
        else:
            self._entries = history.of_project(document)
        self._table.setColumnHidden(2, not alone)
        with deferred_column_sizing(self._table):
            self._fill()
        self._table.clearSelection()
        self._go.setText("Bring this back" if alone else "Go to this step")
        if not self._entries and not alone:
            self._words.setText("The history has no steps. What is done from now on is listed here.")
        elif not self._entries and document is not None and document.redo_title:
            self._words.setText(
                "Nothing is done on this image now. Steps that were undone are listed with the whole project."
            )
        elif not self._entries and image is not None and document is not None and _is_labelled(document, image):
            self._words.setText(
                "The history has no step of this image. A copy that was gone back to has only the newest steps."
            )
        elif not self._entries:
            self._words.setText("Nothing has been done on this image yet.")
        elif alone:
            self._words.setText(
                "Brings back the image's boxes and state of that time, as a new step that can be undone."
            )
        else:
            self._words.setText(
                "Undoes later steps, or redoes grey ones. You can go both ways until you make another edit."
            )
        self._enable()

    def _fill(self) -> None:
        self._table.setRowCount(len(self._entries))
        present = next((row for row, entry in enumerate(self._entries) if not entry.undone), -1)
        for row, entry in enumerate(self._entries):
            title = f"{entry.title}  (now)" if row == present else entry.title
            boxes = f"{len(entry.past.boxes):,}" if entry.past else ""
            for column, text in enumerate((_when(entry.time), title, boxes)):
                item = QTableWidgetItem(text)
                item.setToolTip(text)
                if entry.undone:
                    item.setForeground(theme.colour("muted"))
                if column == 2:
                    item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                self._table.setItem(row, column, item)

    @Slot()
    def _enable(self) -> None:
        entry, document = self._chosen(), self._session.document
        writable = document is not None and not document.read_only
        self._go.setEnabled(entry is not None and writable)
        why = "Choose a step in the list first." if writable or document is None else document.why_read_only
        self._go.setToolTip("" if self._go.isEnabled() else why)

    def _chosen(self) -> HistoryEntry | None:
        rows = self._table.selectionModel().selectedRows()
        return self._entries[rows[0].row()] if rows else None

    @Slot()
    def _act(self) -> None:
        entry, document, image = self._chosen(), self._session.document, self._session.image
        if entry is None or document is None or not self._go.isEnabled():
            return
        if entry.past is None:
            self._go_to(entry)
        elif image is not None:
            when = _when(entry.time) or "the beginning"
            edit = history.restore_edit(document, image.id, entry.past, f"Restore {image.name} of {when}")
            if edit is None:
                self._session.inform("The image is as it was then.")
            else:
                self._session.do(edit)

    def _go_to(self, entry: HistoryEntry) -> None:
        document = self._session.document
        assert document is not None
        QApplication.setOverrideCursor(Qt.CursorShape.WaitCursor)
        try:
            if not long_steps.of(self._session).go_to(entry.seq):
                document.go_to(entry.seq)
        except WorkbenchError as error:
            self._session.report_error(error)
        finally:
            QApplication.restoreOverrideCursor()


def _is_labelled(document: Document, image: Image) -> bool:
    return image.state is not State.UNLABELLED or document.counts().of_image(image.id) > 0


def _table() -> QTableWidget:
    table = QTableWidget(0, len(_HEADS))
    table.setObjectName("history-table")
    table.setAccessibleName("Steps, newest first")
    table.setHorizontalHeaderLabels(_HEADS)
    head = style_table(table)
    align_heads(head, (2,))
    table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
    table.setShowGrid(False)
    head.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
    head.setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
    return table


def _when(seconds: float) -> str:
    """The time if it is today, else date and time; "" for none."""
    if not seconds:
        return ""
    then, now = time.localtime(seconds), time.localtime()
    same_day = (then.tm_year, then.tm_yday) == (now.tm_year, now.tm_yday)
    return time.strftime("%H:%M:%S" if same_day else "%Y-%m-%d %H:%M", then)
