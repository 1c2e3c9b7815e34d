"""The values shown as black and white in images of more than 8 bits: one range for the whole project."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from PySide6.QtCore import Slot
from PySide6.QtWidgets import (
    QDialog,
    QDoubleSpinBox,
    QFormLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from workbench.core import edits
from workbench.core.applied_edit import AppliedEdit
from workbench.core.decoding.intensity_window import IntensityWindow
from workbench.errors import WorkbenchError
from workbench.ui import theme
from workbench.ui.job import Job
from workbench.ui.job_progress import JobProgress
from workbench.ui.session import Session
from workbench.ui.widgets.buttons import dialog_buttons, make_primary
from workbench.ui.widgets.spin_boxes import short_spin_box

SAMPLED = 100
"""How many images are measured, spread over the project."""
WHOLE_HELP = "16 bits: 0 to 65,535; floats: each image by itself"
BACKWARDS = "Black must be below white."
_MOST = 1e9


class LevelsWindow(QDialog):
    """Not modal. Setting a range can be undone; training, thumbnails and predictions follow it."""

    def __init__(self, session: Session, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("levels-window")
        self.setWindowTitle("Images of more than 8 bits")
        self._session = session
        self._job: Job | None = None
        about = QLabel(
            "In all 16-bit and float images, values up to the first become black, and values from the second on "
            "white. Detectors are trained on what you see here. 8-bit images stay as they are.",
            wordWrap=True,
        )
        about.setProperty("role", "muted")
        self._low, self._high = _spin("levels-low"), _spin("levels-high")
        self._words = QLabel(wordWrap=True)
        self._words.setObjectName("levels-words")
        self._measure = QPushButton("Measure")
        self._measure.setObjectName("levels-measure")
        self._measure.setToolTip("Take the values between which 99.8 % of the pixels lie")
        self._none = QPushButton("Whole range")
        self._none.setObjectName("levels-none")
        self._apply = QPushButton("Apply")
        self._apply.setObjectName("levels-apply")
        make_primary(self._apply)
        form = QFormLayout()
        form.addRow("Black up to", self._low)
        form.addRow("White from", self._high)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 16, 16, 16)
        layout.setSpacing(theme.GRID)
        layout.addWidget(about)
        layout.addLayout(form)
        layout.addWidget(self._words)
        layout.addStretch(1)
        layout.addLayout(dialog_buttons(self, self._apply, self._measure, self._none))
        self._measure.clicked.connect(self.measure)
        self._none.clicked.connect(lambda: self._set(None))
        self._apply.clicked.connect(self._applied)
        for spin in (self._low, self._high):
            spin.valueChanged.connect(self._enable)
        session.edited.connect(self._edited)
        session.document_changed.connect(self._show)  # its own range, or that of none
        session.document_changed.connect(self.close)
        self.resize(440, 240)
        self._show()

    @Slot(object)
    def _edited(self, applied: AppliedEdit) -> None:
        if applied.changes("window"):  # other edits leave typed or measured values alone
            self._show()

    @Slot()
    def _show(self) -> None:
        """Show the current range."""
        document = self._session.document
        window = document.window() if document is not None else None
        for spin, value in ((self._low, window.low if window else 0), (self._high, window.high if window else 65535)):
            spin.blockSignals(True)
            spin.setValue(value)
            spin.blockSignals(False)
        self._words.setText("" if window else "The whole range is shown.")
        self._enable()

    @Slot()
    def _enable(self) -> None:
        document = self._session.document
        writable = document is not None and not document.read_only
        why_not = document.why_read_only if document is not None else ""
        self._none.setToolTip(why_not or WHOLE_HELP)
        self._apply.setToolTip(why_not or ("" if self._low.value() < self._high.value() else BACKWARDS))
        self._apply.setEnabled(writable and self._low.value() < self._high.value())
        self._none.setEnabled(writable and document is not None and document.window() is not None)
        self._measure.setEnabled(document is not None and self._job is None)

    @Slot()
    def _applied(self) -> None:
        self._set([self._low.value(), self._high.value()])

    def _set(self, value: list[float] | None) -> None:
        document = self._session.document
        if document is not None and value != document.setting("window"):
            self._session.do(edits.ChangeSetting("window", value))

    # --- measuring ---

    @Slot()
    def measure(self) -> None:
        """Find values that fit the project's images, without setting them."""
        document = self._session.document
        if document is None or self._job is not None:
            return
        files = [document.file(image) for image in document.images()]
        step = max(1, len(files) // SAMPLED)
        job = Job("Measuring images", lambda _: _measured(files[::step]), self._session)
        job.reported.connect(self._reported)
        job.failed.connect(self._failed)
        job.finished.connect(self._ended)
        self._job = job
        self._words.setText("Measuring …")
        self._session.start(job)
        self._enable()

    @Slot(object)
    def _reported(self, event: object) -> None:
        if isinstance(event, JobProgress):
            self._words.setText(f"{event.done:,} of {event.total:,} images measured")
        elif isinstance(event, IntensityWindow):
            self._low.setValue(event.low)
            self._high.setValue(event.high)
            self._words.setText("Measured. Press Apply to use these values.")
        else:
            self._words.setText("None of these images has more than 8 bits: there is nothing to set.")

    @Slot(object)
    def _failed(self, error: object) -> None:
        self._words.setText(str(error))

    @Slot()
    def _ended(self) -> None:
        self._job = None
        self._enable()


def _measured(files: Sequence[Path]) -> Iterator[JobProgress | IntensityWindow | None]:
    from workbench.core import images

    lows, highs = [], []
    for done, file in enumerate(files, start=1):
        try:
            found = images.value_range(file)
        except WorkbenchError:
            found = None  # other places show it as unreadable
        if found is not None:
            lows.append(found[0])
            highs.append(found[1])
        yield JobProgress(done, len(files), "images")
    if not lows:
        yield None
        return
    low, high = min(lows), max(highs)
    yield IntensityWindow(low, high if high > low else low + 1)


def _spin(name: str) -> QDoubleSpinBox:
    spin = short_spin_box()
    spin.setObjectName(name)
    spin.setRange(-_MOST, _MOST)
    spin.setDecimals(6)
    spin.setMinimumHeight(24)
    return spin
