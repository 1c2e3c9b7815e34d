"""Asks before published weights are downloaded: from where, how large, under which licence; and shows the progress."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QDialog, QFormLayout, QHBoxLayout, QLabel, QProgressBar, QPushButton, QVBoxLayout, QWidget

from workbench.core.formatting import size
from workbench.errors import WorkbenchError
from workbench.ui import theme
from workbench.ui.job import Job
from workbench.ui.job_progress import JobProgress
from workbench.ui.session import Session
from workbench.ui.train import work
from workbench.ui.train.work import PublishedWeights
from workbench.ui.widgets.buttons import make_primary

log = logging.getLogger(__name__)

Fetch = Callable[[PublishedWeights], Iterator[JobProgress]]


class FetchWindow(QDialog):
    """Not modal. Emits `finished` when it closes, with or without the file. Nothing is downloaded before the button."""

    def __init__(
        self, session: Session, weights: PublishedWeights, parent: QWidget, *, fetch: Fetch = work.fetch
    ) -> None:  # fmt: skip
        super().__init__(parent)
        self.setObjectName("fetch-window")
        self.setWindowTitle("Published weights")
        self._session, self._weights, self._fetch = session, weights, fetch
        self._job: Job | None = None
        self._cancelled = False
        form = QFormLayout()
        rows = (
            ("File", weights.url), ("Size", size(1e6 * weights.megabytes)), ("From", weights.source),
            ("Licence", weights.licence), ("Kept in", str(weights.file.parent)),
        )  # fmt: skip
        for title, text in rows:
            value = QLabel(text, wordWrap=True)
            value.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            form.addRow(title, value)
        self._words = QLabel("Only this file is fetched; nothing of yours is sent.", wordWrap=True)
        self._words.setObjectName("fetch-words")
        self._words.setProperty("role", "muted")
        self._bar = QProgressBar(textVisible=False)
        self._bar.setAccessibleName("Progress of the download")
        self._bar.setFixedHeight(theme.GRID)
        self._bar.hide()
        self._go = QPushButton("Fetch")
        self._go.setObjectName("fetch-go")
        make_primary(self._go)
        self._go.clicked.connect(self.fetch)
        cancel = QPushButton("Cancel")
        cancel.setObjectName("fetch-cancel")
        cancel.clicked.connect(self.reject)
        self.finished.connect(self.deleteLater)
        foot = QHBoxLayout()
        foot.addStretch(1)
        foot.addWidget(cancel)
        foot.addWidget(self._go)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 16)
        column.setSpacing(theme.GRID)
        column.addLayout(form)
        column.addWidget(self._words)
        column.addWidget(self._bar)
        column.addStretch(1)
        column.addLayout(foot)
        self.resize(560, 240)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Never lower than its text: Qt's windows do not grow when wrapped text takes another line."""
        self._fit()

    def _fit(self) -> None:
        layout = self.layout()
        assert layout is not None
        self.setMinimumHeight(layout.totalHeightForWidth(self.width()))

    def _say(self, sentence: str, role: str = "muted") -> None:
        self._words.setText(sentence)
        if self._words.property("role") != role:
            self._words.setProperty("role", role)
            self._words.style().polish(self._words)
        self._fit()

    @Slot()
    def fetch(self) -> None:
        self._go.setEnabled(False)
        self._bar.setRange(0, 0)
        self._bar.show()
        self._say("Connecting …")
        job = Job(
            f"Fetching {self._weights.file.name}", lambda _: _with_failure(self._fetch, self._weights), self._session
        )
        job.reported.connect(self._event_arrived)
        job.finished.connect(self._ended)
        self._job = job
        self._session.start(job)

    @Slot(object)
    def _event_arrived(self, event: object) -> None:
        if isinstance(event, JobProgress):
            self._bar.setRange(0, 1000)
            self._bar.setValue(round(1000 * event.done / max(event.total, 1)))
            self._say(f"{size(event.done)} of {size(event.total)}")
        elif isinstance(event, WorkbenchError):
            self._say(event.sentence, "error")

    @Slot()
    def _ended(self) -> None:
        job, self._job = self._job, None
        self._bar.hide()
        self._go.setEnabled(True)
        if self._cancelled or (job is not None and job.error is None and self._weights.file.is_file()):
            self.done(0)

    def done(self, result: int) -> None:
        """Close. Stops a running download first: this window must exist until the download's last signal."""
        if self._job is not None:
            self._cancelled = True
            self._job.stop.set()
            self.hide()
        else:
            super().done(result)


def _with_failure(fetch: Fetch, weights: PublishedWeights) -> Iterator[JobProgress | WorkbenchError]:
    """Yield a failure as the last event: this window shows it in place, so that the corner need not."""
    try:
        yield from fetch(weights)
    except WorkbenchError as error:
        log.warning("%s (%s)", error.sentence, error.cause)
        yield error
