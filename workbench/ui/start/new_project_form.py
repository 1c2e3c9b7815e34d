"""The form for a new project: which photographs, how many there are, and where the project goes."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QFormLayout, QFrame, QHBoxLayout, QLabel, QLineEdit, QPushButton, QWidget

from workbench.core.files import safe_name
from workbench.core.folders.project_folder import project_at
from workbench.errors import WorkbenchError
from workbench.ui import theme
from workbench.ui.background import Background
from workbench.ui.project import photograph_count
from workbench.ui.widgets.file_dialogs import free_folder, typed_path


class NewProjectForm(QFrame):
    """Hidden until `offer`. Call `close_down` before its owner is deleted."""

    create_requested = Signal(object, object)  # project folder, folder of photographs
    left = Signal()  # by Create or Cancel
    cancelled = Signal()  # Cancel only, after `left`

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("new-project-form")
        self.setProperty("role", "card")
        self._photographs = Path()
        self._request: photograph_count.CountRequest | None = None
        self._counting = Background("Counting photographs", photograph_count.count_photographs, self)
        self._counting.done.connect(self._counted)
        self._from = QLabel(textFormat=Qt.TextFormat.PlainText, wordWrap=True)
        self._count = QLabel(textFormat=Qt.TextFormat.PlainText, wordWrap=True)
        self._count.setObjectName("new-project-count")
        self._there = QLabel(textFormat=Qt.TextFormat.PlainText, wordWrap=True)
        self._there.setObjectName("new-project-there")
        self._folder = QLineEdit()
        self._folder.setObjectName("new-project-folder")
        self._folder.returnPressed.connect(self._create)
        QShortcut(QKeySequence(Qt.Key.Key_Escape), self, self._cancel).setContext(
            Qt.ShortcutContext.WidgetWithChildrenShortcut
        )
        self._lay_out()
        self.hide()

    def _lay_out(self) -> None:
        create = QPushButton("Create project")
        create.setObjectName("new-project-create")
        create.setProperty("role", "primary")
        create.clicked.connect(self._create)
        cancel = QPushButton("Cancel")
        cancel.setObjectName("new-project-cancel")
        cancel.clicked.connect(self._cancel)
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        buttons.addWidget(cancel)
        buttons.addWidget(create)
        note = QLabel("The photographs stay where they are and are never changed.")
        note.setProperty("role", "muted")
        layout = self._rows = QFormLayout(self)
        layout.setContentsMargins(*(2 * theme.GRID,) * 4)
        layout.addRow("Photographs", self._from)
        layout.addRow("", self._count)
        layout.addRow("", self._there)
        layout.addRow("Project folder", self._folder)
        layout.addRow("", note)
        layout.addRow("", buttons)

    def offer(self, photographs: Path) -> None:
        """Show it for a new project of this folder, and suggest a project folder."""
        self._photographs = photographs
        self._from.setText(str(photographs))
        usual = photographs.parent / f"{safe_name(photographs.name)} project"
        self._folder.setText(str(free_folder(usual)))
        self._say(_of_project(photographs, usual))
        self.show()
        self._folder.setFocus()  # Return creates here; a push button on a page ignores it
        self._stop_counting()
        self._count.setText("Counting the photographs …")
        self._request = photograph_count.CountRequest(photographs)
        self._counting.ask([self._request])

    def _say(self, words: str) -> None:
        self._there.setText(words)
        self._rows.setRowVisible(self._there, bool(words))

    @Slot(object, object)
    def _counted(self, request: object, found: object) -> None:
        if request is self._request:
            self._count.setText(
                found.sentence if isinstance(found, photograph_count.PhotographCount | WorkbenchError) else ""
            )

    def _stop_counting(self) -> None:
        if self._request is not None:
            self._request.stop.set()
        self._request = None

    @Slot()
    def _create(self) -> None:
        folder = typed_path(self._folder.text())
        if folder is None:
            self._say("The project needs a folder of its own: type one below.")
            self._folder.setFocus()
            return
        self._leave()
        self.create_requested.emit(folder, self._photographs)

    @Slot()
    def _cancel(self) -> None:
        self._leave()
        self.cancelled.emit()

    def _leave(self) -> None:
        self.put_away()
        self.left.emit()

    def put_away(self) -> None:
        """Drop the focus first: it would move to the next button, and the same Enter would press that."""
        self._stop_counting()
        focused = self.focusWidget()
        if focused is not None:
            focused.clearFocus()
        self.hide()

    def close_down(self) -> None:
        self._stop_counting()
        self._counting.close()


def _of_project(photographs: Path, usual: Path) -> str:
    """That this folder is a project, or that there is one where its project would be made; "" if neither."""
    if project_at(photographs) is not None:
        return "This folder is a project already; Open… opens it. Here you make another one, of its photographs."
    if project_at(usual) is not None:
        return f"Beside it is a project already, '{usual.name}'; Open… opens it. Here you make another one."
    return ""
