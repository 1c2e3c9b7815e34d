"""Other images: what a run's detector finds in a folder, a video or a webcam, outside the project.

The network runs in one thread (worker.py), for one picture at a time: while a person drags the slider, requests that
have not been started are dropped. Confidence and NMS work on its candidates and never run it.
"""

from __future__ import annotations

import os
from pathlib import Path

from PySide6.QtCore import QSizeF, Qt, Slot
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QHideEvent
from PySide6.QtWidgets import QDialog, QHBoxLayout, QSplitter, QToolButton, QVBoxLayout, QWidget

from workbench.core import formatting
from workbench.core.decoding.video import VIDEO_SUFFIXES
from workbench.core.former_names import FormerNames, current_names
from workbench.core.project import Label
from workbench.errors import WorkbenchError
from workbench.inference.evaluating import operating_point, saved_evaluation
from workbench.inference.evaluating.operating_point import OperatingPoint
from workbench.training.records.runs import RunInfo
from workbench.ui import preferences, theme
from workbench.ui.actions import make_action, tell_key
from workbench.ui.background import Background
from workbench.ui.inspect.other_images import results_job
from workbench.ui.inspect.other_images.picture import DetectionPicture
from workbench.ui.inspect.other_images.player import Player
from workbench.ui.inspect.other_images.results_job import PredictionsWritten, ResultsWriter
from workbench.ui.inspect.other_images.side_pane import SidePane
from workbench.ui.inspect.other_images.transport_bar import TransportBar
from workbench.ui.inspect.other_images.worker import (
    DetectionRequest,
    DetectionResult,
    DetectionWorker,
    OpenRequest,
    PictureSource,
    ReleaseRequest,
)
from workbench.ui.job import Job
from workbench.ui.session import Session
from workbench.ui.widgets import window_geometry
from workbench.ui.widgets.buttons import word_button
from workbench.ui.widgets.dropped_files import local_paths
from workbench.ui.widgets.elided import ElidedLabel
from workbench.ui.widgets.file_dialogs import ask_for_file, ask_for_folder
from workbench.ui.widgets.open_folder import open_folder
from workbench.ui.widgets.popups import Menu

SIZE, SMALLEST = (1100, 720), (760, 520)
SIDE = 344  # px: "published: Darknet DIoU" must not be cut beside "NMS" and "max 300"
CAMERAS = 4  # number offered
FIRST = "Choose a folder of images, a video or a webcam, or drop one here."
_GEOMETRY, _FOLDER = "looking/window", "looking/folder"


class OtherImagesWindow(QDialog):
    """Not modal. `set_run` sets whose detector is used. `worker` and `write` work in threads; fakes in tests."""

    def __init__(
        self,
        session: Session,
        parent: QWidget,
        worker: DetectionWorker | None = None,
        write: ResultsWriter = results_job.write_results,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("looking-window")
        self.setWindowTitle("Other images")
        self.setWindowFlag(Qt.WindowType.WindowMaximizeButtonHint)
        self.setAcceptDrops(True)
        self.ended = False
        self._session, self._write = session, write
        self._checkpoint: Path | None = None
        self._point: OperatingPoint | None = None  # the operating point used
        self._source: PictureSource | None = None
        self._result: DetectionResult | None = None
        self._pending: DetectionRequest | OpenRequest | None = None
        self._job: Job | None = None
        self._results_folder: Path | None = None
        self._worker = worker or DetectionWorker()
        self._background = Background("Looking elsewhere", self._worker.do, self)
        self.picture, self.transport, self.side = DetectionPicture(), TransportBar(), SidePane()
        self.player = Player(self.transport, self)
        self._lay_out()
        self._connect()
        self._make_actions()
        window_geometry.restore(self, _GEOMETRY, SIZE, SMALLEST)
        self.picture.say(FIRST, "text")
        self._offer_writing()

    # --- building ---

    def _lay_out(self) -> None:
        self._run = ElidedLabel()
        self._run.setObjectName("looking-run")
        self._run.setAlignment(Qt.AlignmentFlag.AlignRight)  # above the right edge of what belongs to it
        self._title = ElidedLabel()
        self._title.setObjectName("looking-title")
        self._title.setProperty("role", "muted")
        self._folder = word_button("looking-folder", "Folder…", "mdi6.folder-image")
        self._video = word_button("looking-video", "Video…", "mdi6.movie-open-outline")
        self._webcam = word_button("looking-webcam", "Webcam", "mdi6.webcam")
        self._webcam.setToolTip("Look at what the first webcam shows; the arrow has the others.")
        self._webcam.setPopupMode(QToolButton.ToolButtonPopupMode.MenuButtonPopup)
        menu = Menu(self)
        for number in range(CAMERAS):
            menu.addAction(f"Webcam {number}").setData(number)
        self._webcam.setMenu(menu)
        head = QHBoxLayout()
        head.setSpacing(theme.GRID)
        for widget in (self._folder, self._video, self._webcam):
            head.addWidget(widget)
        head.addWidget(self._title, 2)
        head.addWidget(self._run, 1)
        left = QWidget()
        column = QVBoxLayout(left)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.GRID)
        self._caption = ElidedLabel()
        self._caption.setObjectName("looking-caption")
        for one in (self._caption, self.picture, self.transport):
            column.addWidget(one, int(one is self.picture))
        split = QSplitter(childrenCollapsible=False)
        split.addWidget(left)
        split.addWidget(self.side)
        split.setStretchFactor(0, 1)
        split.setSizes([SIZE[0] - SIDE, SIDE])
        self.side.setMinimumWidth(SIDE - 40)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(*(2 * theme.GRID,) * 4)
        layout.setSpacing(theme.GRID)
        layout.addLayout(head)
        layout.addWidget(split, 1)

    def _connect(self) -> None:
        self._folder.clicked.connect(self._choose_folder)
        self._video.clicked.connect(self._choose_video)
        self._webcam.clicked.connect(lambda: self.open_source(OpenRequest(None, 0)))
        self._webcam.menu().triggered.connect(lambda action: self.open_source(OpenRequest(None, int(action.data()))))
        self._background.done.connect(self._done)
        self.transport.moved.connect(self._moved)
        self.transport.play_requested.connect(self.player.toggle)
        self.player.picture_wanted.connect(self._request_picture)
        self.player.camera_released.connect(lambda: self._background.add(ReleaseRequest()))
        self.side.changed.connect(self._show_boxes)
        self.side.run_requested.connect(self._request_picture)
        self.side.write_requested.connect(self._choose_where)
        self.side.open.clicked.connect(self._open_results)
        self._session.job_ended.connect(self._job_ended)
        self._session.closing.connect(self._end)

    def _make_actions(self) -> None:
        for name, slot, button in (
            ("looking-play", self.player.toggle, self.transport.play),
            ("looking-on", lambda: self.transport.step(1), self.transport.on),
            ("looking-back", lambda: self.transport.step(-1), self.transport.back),
        ):
            make_action(self, name, slot, context=Qt.ShortcutContext.WindowShortcut)
            tell_key(button, name)

    # --- whose detector ---

    def set_run(self, run: RunInfo, checkpoint: Path) -> None:
        """Use this checkpoint from now on, for what is open."""
        words = f"Run {run.name}, {checkpoint.stem}"
        self._run.setText(words)
        self._run.setToolTip(words)
        try:
            kept = operating_point.read(run.folder, checkpoint.name, self._former)
        except WorkbenchError as error:
            kept = None
            self._session.report_error(error)
        point = kept or saved_evaluation.best_point(run.folder, checkpoint.name)
        if (checkpoint, point) == (self._checkpoint, self._point) and self._result is not None:
            return
        self._checkpoint, self._point = checkpoint, point
        self.side.set_point(point, is_kept=kept is not None)
        self.side.set_tiles_of(checkpoint)
        self._result = None
        self.picture.clear()
        self._request_picture()

    @property
    def _former(self) -> FormerNames:
        document = self._session.document
        return () if document is None else current_names(document)

    # --- what is looked at ---

    @Slot()
    def _choose_folder(self) -> None:
        if chosen := ask_for_folder(self, "A folder of images", _FOLDER):
            self._open_path(chosen)

    @Slot()
    def _choose_video(self) -> None:
        patterns = " ".join(f"*{suffix}" for suffix in sorted(VIDEO_SUFFIXES))
        filters = f"Videos ({patterns});;All files (*)"
        if chosen := ask_for_file(self, "A video", filters, _FOLDER):
            self._open_path(chosen)

    def _open_path(self, path: Path) -> None:
        preferences.put(_FOLDER, str(path.parent))
        self.open_source(OpenRequest(path))

    def open_source(self, request: OpenRequest) -> None:
        """Close what was open, and show this from its beginning."""
        self.player.set_source(None)
        self._source = self._result = None
        self.picture.clear()
        self.picture.say("Opening …", "text")
        self._caption.setText("")
        self.transport.show_source(None)
        title = os.fspath(request.path) if request.path else f"Webcam {request.camera}"
        self._title.setText(title)
        self._title.setToolTip(title)
        self._offer_writing()
        self._ask(request)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if local_paths(event):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        self._open_path(local_paths(event)[0])

    # --- asking and answers ---

    def _ask(self, request: OpenRequest | DetectionRequest) -> None:
        self._pending = request
        self._background.ask([request])

    @Slot(int)
    def _moved(self, _index: int) -> None:
        self.player.begin_here()
        self._request_picture()

    @Slot()
    def _request_picture(self) -> None:
        """Request the picture at the slider's position; a closed window reads none, and turns no webcam on."""
        if self._source is None or self._checkpoint is None or not self.isVisible():
            return
        if self._result is None:
            self.picture.say("Looking …", "text")
        tiles, former = self.side.tiles.value(), self._former
        self._ask(DetectionRequest(self._source, self.transport.index, self._checkpoint, tiles, former=former))

    @Slot(object, object)
    def _done(self, request: object, result: object) -> None:
        if isinstance(result, PictureSource) and request is self._pending:
            self._show_source(result)
        elif isinstance(result, DetectionResult) and self._source is result.request.source:
            self._show_result(result)
        elif isinstance(result, WorkbenchError) and request is self._pending:
            self._refuse(result.sentence)

    def _refuse(self, sentence: str) -> None:
        """Shown in the picture's place. Playing a folder goes on: the next image may be readable."""
        self._result = None
        self.picture.clear()
        self.picture.say(sentence)
        self._caption.setText("")
        self.side.labels.forget_counts()
        source, index = self._source, self.transport.index
        if source is not None:
            self.transport.show_place(source, index, source.names[index] if source.names else "")
        if source is None or not source.names:
            self.player.pause()
        self.player.picture_shown()

    def _show_source(self, source: PictureSource) -> None:
        self._source = source
        self.transport.show_source(source)
        self.player.set_source(source)
        self.side.offer_formats(source.is_video)
        if source.is_live and self.isVisible():
            self.player.play()
        self._request_picture()

    def _show_result(self, result: DetectionResult) -> None:
        """While a person drags, a slightly old result is better than none."""
        if result.request.checkpoint != self._checkpoint:
            return
        first = self._result is None
        self._result = result
        self.side.set_published_nms(result.kind, result.iou)
        size = QSizeF(result.picture.width, result.picture.height)
        self.picture.show_picture(result.picture, size, keep_view=not first)
        self.side.labels.show_labels(self._coloured(result.labels))
        self.transport.show_place(result.request.source, result.request.index, result.name, result.seconds)
        self._show_boxes()
        if first:
            self._offer_writing()
        if result.request is self._pending:
            self.player.picture_shown()

    def _offer_writing(self) -> None:
        """Once the sliders' meaning is known; if writing is not possible here, say how to do it elsewhere."""
        source = self._source
        if source is None or self._result is None:
            self.side.offer_writing("Open something first.")
        elif self._job is not None:
            self.side.offer_writing("Results are being written. To stop, use the status bar of the main window.")
        elif source.is_live:
            command = f"workbench predict PROJECT --webcam {source.opened.camera}"
            self.side.offer_writing(f"What a webcam shows is written while it is watched: {command}")
        else:
            self.side.offer_writing("")

    def _coloured(self, labels: tuple[Label, ...]) -> tuple[Label, ...]:
        """In the colours of the project's labels of the same names."""
        document = self._session.document
        known = {label.name: label for label in document.labels()} if document is not None else {}
        return tuple(known.get(label.name, label) for label in labels)

    @Slot()
    def _show_boxes(self) -> None:
        """At the controls' values, from the candidates: the network does not run."""
        result = self._result
        if result is None:
            return
        names = [label.name for label in result.labels]
        found = self.side.point.detections(result.found, names)
        self.side.labels.show_counts(found)
        self.picture.set_detections(self.side.labels.shown_of(found), self._coloured(result.labels))
        self._caption.setText(
            f"{formatting.count(len(found), 'object')} in {result.name}, in {1000 * result.took:,.0f} ms"
        )

    # --- writing ---

    @Slot()
    def _choose_where(self) -> None:
        if chosen := ask_for_folder(self, "Where the results go", _FOLDER):
            self.write_into(chosen)

    def write_into(self, folder: Path) -> None:
        """Predict everything that is open into a new folder of `folder`, at the current settings, in a job."""
        source, checkpoint = self._source, self._checkpoint
        if source is None or source.opened.path is None or checkpoint is None or self._job is not None:
            return
        request = results_job.PredictionRequest(
            checkpoint, source.opened.path, folder, self.side.point, self.side.formats, self.side.tiles.value(),
            self._former,
        )  # fmt: skip
        job = Job(f"Predicting {source.title}", lambda _: self._write(request), low_priority=True)
        job.reported.connect(self._reported)
        job.failed.connect(self._failed)
        self._job, self._results_folder = job, None
        self.side.say_written("Writing …", None)
        self._offer_writing()
        self._session.start(job)

    @Slot(object)
    def _reported(self, event: object) -> None:
        if self.sender() is self._job and isinstance(event, PredictionsWritten):
            self._results_folder = event.folder
            self.side.say_written(event.sentence, event.folder)
        elif self.sender() is self._job and self._results_folder is None:
            self.side.say_progress(event)

    @Slot(object)
    def _failed(self, error: object) -> None:
        if self.sender() is self._job and isinstance(error, WorkbenchError):
            self.side.say_written(error.sentence, None)

    @Slot(object)
    def _job_ended(self, job: object) -> None:
        if job is self._job and self._job is not None:
            if self._results_folder is None and self._job.error is None:
                self.side.say_written("Stopped. Do the same again to go on from there.", None)
            self._job = None
            self._offer_writing()

    @Slot()
    def _open_results(self) -> None:
        if self._results_folder is not None and not open_folder(self._results_folder):
            self._session.inform(f"The results are in {self._results_folder}.")

    # --- the end ---

    def hideEvent(self, event: QHideEvent) -> None:
        """A closed window evaluates nothing, and leaves the memory to a training."""
        self.player.pause()
        if not event.spontaneous():
            self._background.add(ReleaseRequest(network=True))
        window_geometry.save(self, _GEOMETRY)
        super().hideEvent(event)

    @Slot()
    def _end(self) -> None:
        """The project is closed, and its runs with it: wait for the thread."""
        self.ended = True
        self.player.pause()
        self._background.close()
        self._worker.close()
        self.close()
        self.deleteLater()
