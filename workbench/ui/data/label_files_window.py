"""Labels beside the images: choose the format that other programs read, and see where the files are and their state."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Slot
from PySide6.QtWidgets import (
    QButtonGroup,
    QDialog,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QRadioButton,
    QVBoxLayout,
    QWidget,
)

from workbench.core import formatting
from workbench.core.project import AUTOSYNC
from workbench.errors import WorkbenchError
from workbench.ui import theme
from workbench.ui.session import Session
from workbench.ui.widgets.elided import ElidedLabel

if TYPE_CHECKING:
    from workbench.exchange.autosync import SyncResult

_CHOICES = (
    ("", "Nothing", "Labels are in the project only, and in what you export."),
    ("yolo", "YOLO txt", "For Ultralytics, Darknet and labelImg; with classes.txt, the list of the labels."),
    ("voc", "Pascal VOC XML", "For labelImg and most converters."),
)


class LabelFilesWindow(QDialog):
    """Not modal. A choice takes effect at once; the files are written in the background."""

    def __init__(self, session: Session, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("beside-window")
        self.setWindowTitle("Label files beside the images")
        self._session = session
        about = QLabel(
            "Label files beside the images are kept up to date with every edit, for people who use other programs on"
            " them. What another program writes into them is never overwritten: you are told, and Import labels shows"
            " what is different.",
            wordWrap=True,
        )
        self._group = QButtonGroup(self)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 16, 16, 16)
        layout.setSpacing(theme.GRID)
        layout.addWidget(about)
        for number, (format, title, what) in enumerate(_CHOICES):
            button = QRadioButton(title)
            button.setObjectName(f"beside-{format or 'off'}")
            button.setAccessibleDescription(what)
            self._group.addButton(button, number)
            explanation = QLabel(what, wordWrap=True)
            explanation.setProperty("role", "muted")
            explanation.setContentsMargins(24, 0, 0, 0)
            layout.addWidget(button)
            layout.addWidget(explanation)
        self._place = ElidedLabel()
        self._place.setObjectName("beside-place")
        self._state = QLabel(wordWrap=True)
        self._state.setObjectName("beside-state")
        layout.addSpacing(theme.GRID)
        layout.addWidget(self._place)
        layout.addWidget(self._state)
        layout.addStretch(1)
        close = QPushButton("Close")
        close.setAutoDefault(False)
        close.clicked.connect(self.close)
        foot = QHBoxLayout()
        foot.addStretch(1)
        foot.addWidget(close)
        layout.addLayout(foot)
        self._group.idClicked.connect(self._chosen)
        session.document_changed.connect(self.close)
        session.autosync_finished.connect(self._synced)
        about_files = 4 * self.fontMetrics().lineSpacing()  # comes later
        self.resize(560, max(360, layout.totalHeightForWidth(560) + about_files))

    def renew(self) -> None:
        """Show the project's current state; call before showing the window."""
        document = self._session.document
        if document is None:
            return
        format = document.setting(AUTOSYNC, "") or ""
        for number, (name, _, _) in enumerate(_CHOICES):
            button = self._group.button(number)
            button.setChecked(name == format)
            button.setEnabled(not document.read_only)
        self._show_place(format)
        self._state.setText(document.why_read_only if document.read_only else "")

    def _show_place(self, format: str) -> None:
        document = self._session.document
        images = document.images() if document is not None else ()
        if document is None or not format or not images:
            self._place.setText("")
            return
        from workbench.exchange import autosync

        image = self._session.image or images[0]
        file = document.file(image)
        self._place.setText(f"{image.name}  →  {_short(autosync.label_file_of(file, format), file)}")

    @Slot(int)
    def _chosen(self, number: int) -> None:
        format = _CHOICES[number][0]
        self._state.setText("Writing …" if format else "The files that are there stay as they are.")
        self._show_place(format)
        self._session.autosync_requested.emit(format)

    @Slot(object)
    def _synced(self, result: object) -> None:
        from workbench.exchange import autosync

        if isinstance(result, WorkbenchError):
            self.renew()  # the format that was chosen may not be the one that is kept
            self._state.setText(result.sentence)
        elif isinstance(result, autosync.SyncResult):
            self._state.setText(result.sentence + _named(result))


def _short(label_file: Path, image_file: Path) -> str:
    """The label file's path relative to the image's folder."""
    if label_file.parent == image_file.parent:
        return f"{label_file.name}  in the same folder"
    return str(label_file)


def _named(result: SyncResult) -> str:
    """The first files that were left alone or could not be written, for a line of their own."""
    files = [*result.foreign, *result.failed][:3]
    rest = len(result.foreign) + len(result.failed) - len(files)
    more = f" and {formatting.count(rest, 'other')}" if rest else ""
    return f"\n{', '.join(file.name for file in files)}{more}." if files else ""
