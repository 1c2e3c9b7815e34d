"""The tab "Pictures": what a run detected in the same few validation images after each epoch, also while it trains.

It shows the Train page's current run. Labelled boxes are those of the project as it is now.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PySide6.QtCore import QSize, Qt, Slot
from PySide6.QtGui import QKeyEvent, QShowEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from workbench.core.applied_edit import AppliedEdit
from workbench.core.formatting import share
from workbench.core.former_names import by_name, current_names
from workbench.errors import WorkbenchError
from workbench.training.checkpoints.header import former_in
from workbench.training.events import Evaluated
from workbench.training.monitoring.watched_images import WatchedDetections
from workbench.training.monitoring.watched_images import WatchedImage as Found
from workbench.ui import preferences, theme
from workbench.ui.background import Background
from workbench.ui.images.pictures import Picture
from workbench.ui.session import Session
from workbench.ui.train.live import work
from workbench.ui.train.live.batch_window import BatchWindow
from workbench.ui.train.live.epoch_slider import EpochSlider
from workbench.ui.train.live.grid import PictureGrid
from workbench.ui.train.live.picture import LivePicture, PictureContent
from workbench.ui.train.live.work import DetectionsRequest, PictureRequest
from workbench.ui.train.runs.history import RunHistory
from workbench.ui.widgets.elided import ElidedLabel
from workbench.ui.widgets.spin_boxes import double_spin_box

_SCORE, _TRUTH = "train/pictures-score", "train/pictures-labels"
SCORE = 0.25
"""Of what is shown at first: less is mostly noise, and an early network has little more."""
MOST_KEPT = 64  # pictures of runs that were shown before, of up to 2 MB each
_BATCH = "The images of the step that is being computed, as the network sees them"


class PicturesTab(QWidget):
    """`show_run` sets the run; call `close_down` before the window closes."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("live-pictures")
        self._session = session
        self._folder: Path | None = None
        self._history = RunHistory()
        self._detections: tuple[WatchedDetections, ...] = ()
        self._request_count = 0
        self._stale = False  # there may be more to read
        self._pictures: dict[int, Picture | WorkbenchError] = {}  # by image
        self._truth: dict[int, tuple[np.ndarray, tuple[str, ...]]] = {}  # by image
        self._colours: dict[str, str] = {}
        self._now: dict[str, str] = {}  # current names of labels by those from when the run was trained
        self._reading = Background("Reading the pictures of a run", work.read_detections, self)
        self._images = Background("Reading images", work.load_picture, self)
        self._build()
        self._reading.done.connect(self._read)
        self._images.done.connect(self._image_read)
        self.epochs.moved.connect(self._draw)
        self._score.valueChanged.connect(self._style_changed)
        self._with_truth.toggled.connect(self._style_changed)
        self.batch.clicked.connect(self.show_batch)
        self.grid.opened.connect(self._open)
        session.job_event.connect(self._job_event)
        session.job_ended.connect(self.reload)
        session.edited.connect(self._edited)
        session.document_changed.connect(self._forget)
        self._draw()

    def _build(self) -> None:
        self.epochs, self.grid = EpochSlider(), PictureGrid()
        self._score = double_spin_box(decimals=2, singleStep=0.05, minimum=0.05, maximum=0.95)
        self._score.setObjectName("live-score")
        self._score.setAccessibleName("Least score of what is shown")
        self._score.setToolTip("Only what was found with at least this score is shown.")
        self._score.setValue(_number(preferences.get(_SCORE), SCORE))
        self._with_truth = QCheckBox("labelled (thin)")
        self._with_truth.setObjectName("live-labelled")
        self._with_truth.setToolTip("The boxes of the project as they are now, in thin lines.")
        self._with_truth.setChecked(preferences.flag(_TRUTH, True))
        self.batch = QPushButton("Current batch…")
        self.batch.setObjectName("live-batch")
        self.batch.setToolTip(_BATCH)
        row = QHBoxLayout()
        row.setSpacing(2 * theme.GRID)
        row.addWidget(self.epochs, 1)
        found = QHBoxLayout()
        found.setSpacing(theme.GRID)
        found.addWidget(ElidedLabel("found (dashed) from"))
        found.addWidget(self._score)
        row.addLayout(found)
        row.addWidget(self._with_truth)
        row.addWidget(self.batch)
        self._sentence = QLabel(wordWrap=True, alignment=Qt.AlignmentFlag.AlignCenter)
        self._sentence.setObjectName("live-sentence")
        self._sentence.setProperty("role", "muted")
        self._sentence.setTextFormat(Qt.TextFormat.PlainText)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, theme.GRID, 0, 0)
        column.setSpacing(theme.GRID // 2)
        column.addLayout(row)
        self._stack = QStackedLayout()
        column.addLayout(self._stack, 1)
        self._stack.addWidget(self.grid)  # only once it has a parent: the first would appear as a window of its own
        self._stack.addWidget(self._sentence)

    def minimumSizeHint(self) -> QSize:
        """As small as the other tabs': it is enlarged if there is room."""
        return QSize(super().minimumSizeHint().width(), 120)

    def close_down(self) -> None:
        """Wait for the read in progress."""
        self._reading.close()
        self._images.close()
        for window in self.findChildren(BatchWindow):
            window.end()

    # --- which run ---

    def show_run(self, name: str, history: RunHistory) -> None:
        """Show the pictures of this run, "" for none; `history` grows while it trains."""
        document = self._session.document
        folder = document.runs_folder / name if document is not None and name else None
        self._history = history
        if folder != self._folder:
            self._folder, self._detections = folder, ()
            if len(self._pictures) > MOST_KEPT:
                self._pictures.clear()
            self.epochs.begin()
            self._draw()
        self.reload()

    @Slot()
    def reload(self, _what: object = None) -> None:
        """Read what the run has kept, now or once visible."""
        self._stale = self._folder is not None
        document = self._session.document
        if self._folder is not None and document is not None and self.isVisible():
            self._stale = False
            self._forget_unread()
            self._request_count += 1
            self._reading.ask([DetectionsRequest(self._folder, self._request_count, document.images())])

    def _forget_unread(self) -> None:
        """Images that could not be read are tried again: their files may have come back."""
        self._pictures = {image: one for image, one in self._pictures.items() if isinstance(one, Picture)}

    @Slot(object, object)
    def _job_event(self, _job: object, event: object) -> None:
        if isinstance(event, Evaluated):
            self.reload()

    @Slot(object, object)
    def _read(self, request: DetectionsRequest, detections: object) -> None:
        if request.folder == self._folder and isinstance(detections, tuple):
            self._detections = detections
            self.epochs.set_count(len(detections))

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if self._stale:
            self.reload()
        self._draw()

    # --- the project ---

    @Slot()
    def _forget(self) -> None:
        self._pictures.clear()
        self._truth.clear()
        self._images.ask(())
        self.show_run("", RunHistory())

    @Slot(object)
    def _edited(self, applied: AppliedEdit) -> None:
        if applied.changes("window"):
            self._pictures.clear()
        self._forget_unread()
        self._truth.clear()
        self._draw()

    @Slot(int)
    def _open(self, image: int) -> None:
        document = self._session.document
        if document is not None and document.images().has(image):
            self._session.select_image(image)
            self._session.page_requested.emit("label")

    # --- drawing ---

    @Slot()
    def _style_changed(self) -> None:
        preferences.put(_SCORE, self._score.value())
        preferences.put(_TRUTH, self._with_truth.isChecked())
        self._draw()

    @Slot()
    def _draw(self, *, ask: bool = True) -> None:
        """Show the chosen epoch, if visible; `ask` for the images that are missing."""
        document = self._session.document
        self.batch.setEnabled(self._folder is not None)
        if not self.isVisible():
            return
        if not self._detections or document is None:
            self._sentence.setText(self._missing())
            self.epochs.words.setText("")
            self._stack.setCurrentWidget(self._sentence)
            return
        watched = self._detections[min(self.epochs.place, len(self._detections) - 1)]
        self.epochs.words.setText(self._epoch_text(watched))
        self._colours = {label.name: label.colour for label in document.labels()}
        last = self._folder / "last.safetensors" if self._folder is not None else None
        self._now = by_name(former_in(last, current_names(document)))
        self.grid.set_count(len(watched.pictures))
        self._stack.setCurrentWidget(self.grid)
        wanted = [request for request in map(self._show, self.grid.pictures, watched.pictures) if request is not None]
        if wanted and ask:
            self._images.ask(wanted)

    def _missing(self) -> str:
        """Why there are no pictures."""
        if self._folder is None:
            return "Start a training or choose a run: after each evaluation it shows what it finds in a few images."
        name = self._folder.name
        if self._history.ended is None and not self._history.evaluations:
            return f"{name} has not been evaluated yet. What it finds in a few images is shown here afterwards."
        return f"{name} kept no pictures: it was not evaluated, or was trained by an older version of this program."

    def _epoch_text(self, watched: WatchedDetections) -> str:
        started = self._history.started
        of = f" of {started.epochs:,}" if started else ""
        ap = next((event.ap50 for event in reversed(self._history.evaluations) if event.epoch == watched.epoch), None)
        return f"epoch {watched.epoch:,}{of}" + (f", AP50 {share(ap)}" if ap is not None else "")

    def _show(self, widget: LivePicture, found: Found) -> PictureRequest | None:
        """Show one picture; returns what must be read for it, if anything."""
        document = self._session.document
        assert document is not None
        if not document.images().has(found.image):
            widget.say(f"{found.name} is not in the project any more.", "muted")
            return None
        same = widget.shown is not None and widget.shown.image == found.image
        boxes, labels = self._labelled(found.image)
        called = tuple(self._now.get(label, label) for label in found.labels)
        shown = PictureContent(found.image, found.name, found.boxes, found.scores, called, boxes, labels)
        widget.show_found(shown, self._colours, self._score.value(), self._with_truth.isChecked())
        picture = self._pictures.get(found.image)
        if isinstance(picture, WorkbenchError):
            widget.say(picture.sentence)
        elif picture is not None and widget.picture is not picture:
            widget.put(picture)
        elif picture is None and not same:
            widget.say("Reading …", "muted")
        if picture is not None:
            return None
        image = document.image(found.image)
        return PictureRequest(found.image, document.file(image), document.window(), document.cache_folder)

    def _labelled(self, image: int) -> tuple[np.ndarray, tuple[str, ...]]:
        document = self._session.document
        assert document is not None
        if image not in self._truth:
            names, boxes = {label.id: label.name for label in document.labels()}, document.boxes(image)
            xyxy = np.array([box.xyxy for box in boxes], np.float64).reshape(-1, 4)
            self._truth[image] = xyxy, tuple(names.get(box.label, "") for box in boxes)
        return self._truth[image]

    @Slot(object, object)
    def _image_read(self, request: PictureRequest, result: object) -> None:
        document = self._session.document
        if document is None or document.cache_folder != request.cache or document.window() != request.window:
            return  # the project was closed
        if isinstance(result, Picture | WorkbenchError):
            self._pictures[request.image] = result
            if isinstance(result, Picture):
                self.grid.set_shape(result.width / result.height)
        self._draw(ask=False)  # the others are on their way

    # --- the batch, keys ---

    @Slot()
    def show_batch(self) -> None:
        """Only one window; an open one shows the current batch."""
        if self._folder is None:
            return
        window = next((one for one in self.findChildren(BatchWindow) if not one.ended), None)
        if window is None:
            window = BatchWindow(self._session, self)
        window.show_run(self._folder, self._history)
        window.show()
        window.raise_()
        window.activateWindow()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if not self.epochs.step(event):
            super().keyPressEvent(event)


def _number(kept: object, default: float) -> float:
    try:
        return float(str(kept))
    except ValueError:
        return default
