"""Thumbnails of a project's images, made in the background, cached on disk beside the project and in memory."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QGuiApplication, QImage

from workbench.errors import WorkbenchError
from workbench.ui.background import Background
from workbench.ui.images import thumbnail_cache, unread_images
from workbench.ui.session import Session

if TYPE_CHECKING:
    from workbench.core.applied_edit import AppliedEdit
    from workbench.core.decoding.image_header import ImageHeader
    from workbench.core.decoding.intensity_window import IntensityWindow
    from workbench.core.project import Image

SIDE = 208
"""Length of the longer side in pixels: what the gallery shows, with some to spare for dense screens."""

LEAST = 150
"""Enough if decoding gives it directly: a tile shows 164 pixels. 640 x 480 is read at a quarter, not at a half."""

MEMORY = 96 << 20
"""Bytes of cached thumbnails: some 700, several screens full."""

LATEST = 300
"""Requests that are remembered: what one large screen shows. Older ones have scrolled out of view."""


@dataclass(frozen=True, slots=True)
class _ThumbnailRequest:
    image: int
    file: Path
    cache: Path
    window: IntensityWindow | None


class Thumbnails(QObject):
    """Ask with `get` while painting; `made(image id)` tells when a thumbnail is ready."""

    made = Signal(int)

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._kept: OrderedDict[int, QImage] = OrderedDict()
        self._bytes = 0
        self._unread = unread_images.of(session)
        self._unsure: set[int] = set()  # cached since before another program had the focus
        self._refused: set[int] = set()  # not requested again, or each repaint would
        self._wanted: OrderedDict[int, _ThumbnailRequest] = OrderedDict()
        self._background = Background("Thumbnails", _make, self)
        self._background.done.connect(self._made)
        # One request list per repaint, not one per thumbnail.
        self._collect = QTimer(self, singleShot=True, interval=0)
        self._collect.timeout.connect(self._ask)
        session.document_changed.connect(self.forget)
        session.edited.connect(self._edited)
        self._unread.readable_again.connect(self._refused.discard)
        application = QGuiApplication.instance()
        assert isinstance(application, QGuiApplication)
        application.applicationStateChanged.connect(self._state_changed)

    def get(self, image: Image) -> QImage | None:
        """The thumbnail of `image`, or None: then it is being made, unless it can't be read (unread_images)."""
        found = self._kept.get(image.id)
        if found is not None:
            self._kept.move_to_end(image.id)
        is_to_make = image.id not in self._refused if found is None else image.id in self._unsure
        if is_to_make and self._session.document is not None:
            self._unsure.discard(image.id)
            document = self._session.document
            cache = document.cache_folder / thumbnail_cache.FILE
            self._wanted[image.id] = _ThumbnailRequest(image.id, document.file(image), cache, document.window())
            self._wanted.move_to_end(image.id)
            self._collect.start()
        return found

    @Slot()
    def _ask(self) -> None:
        while len(self._wanted) > LATEST:
            self._wanted.popitem(last=False)
        self._background.ask(tuple(self._wanted.values()))

    @Slot(object, object)
    def _made(self, request: object, result: object) -> None:
        assert isinstance(request, _ThumbnailRequest)
        document = self._session.document
        if document is None or document.cache_folder != request.cache.parent or document.window() != request.window:
            return  # the project is closed, or its display window has changed
        self._wanted.pop(request.image, None)
        before = self._kept.get(request.image)
        if before is not None and (before == result or isinstance(result, WorkbenchError)):
            return  # unchanged; if it can't be read now, as when its disk is away, the old one stays
        if isinstance(result, QImage):
            self._keep(request.image, result)
        elif isinstance(result, WorkbenchError):
            self._refused.add(request.image)
        self._unread.read(request.image, result)
        self.made.emit(request.image)

    def _keep(self, image: int, thumbnail: QImage) -> None:
        before = self._kept.pop(image, None)  # requested again while being made, it arrives twice
        self._kept[image] = thumbnail
        self._bytes += thumbnail.sizeInBytes() - (before.sizeInBytes() if before is not None else 0)
        while self._bytes > MEMORY:
            _, dropped = self._kept.popitem(last=False)
            self._bytes -= dropped.sizeInBytes()

    @Slot(int)
    def remake(self, image: int) -> None:
        """The image's file has changed."""
        before = self._kept.pop(image, None)
        if before is not None:
            self._bytes -= before.sizeInBytes()
            self.made.emit(image)  # whoever paints it requests it

    @Slot(object)
    def _state_changed(self, state: Qt.ApplicationState) -> None:
        """A person coming back may have edited photographs in another program: recheck those painted."""
        if state == Qt.ApplicationState.ApplicationActive:
            self._unsure = set(self._kept)
            for image in tuple(self._kept):
                self.made.emit(image)

    @Slot(object)
    def _edited(self, applied: AppliedEdit) -> None:
        if applied.changes("window"):
            ids = tuple(self._kept)
            self.forget()
            for id in ids:
                self.made.emit(id)

    @Slot()
    def forget(self) -> None:
        """Forget all: another project, or repaired files."""
        self._background.ask(())
        self._kept.clear()
        self._unsure.clear()
        self._refused.clear()
        self._wanted.clear()
        self._bytes = 0

    def close(self) -> None:
        self._background.close()


def _make(request: object) -> QImage:
    """The thumbnail from the disk cache, or made and stored there. Runs in the background's thread."""
    assert isinstance(request, _ThumbnailRequest)
    from workbench.core import images
    from workbench.ui.images.pictures import to_qimage

    key = _key(request.file, request.window)
    kept = _load(request.cache, key) if key else None
    if kept is not None:
        return kept
    try:
        made = to_qimage(images.thumbnail(request.file, SIDE, request.window, LEAST))
    except WorkbenchError:
        about = images.info(request.file)
        if about.is_huge and about.format != "JPEG":
            return _of_huge(request, about)
        raise
    if key:
        thumbnail_cache.store(request.cache, request.file, key, _jpeg(made))
    return made


def _of_huge(request: _ThumbnailRequest, about: ImageHeader) -> QImage:
    """From its tiles, if there are any; else an empty area of its shape: the image is only too large for this."""
    from workbench.core.decoding import pyramid
    from workbench.ui.images.pictures import wrapped

    found = pyramid.find(request.file, about, request.window, request.cache.parent)
    if found is not None:
        smooth = Qt.TransformationMode.SmoothTransformation
        return wrapped(found.overview(SIDE)).scaled(SIDE, SIDE, Qt.AspectRatioMode.KeepAspectRatio, smooth)
    scale = SIDE / max(about.width, about.height)
    plain = QImage(max(1, round(about.width * scale)), max(1, round(about.height * scale)), QImage.Format.Format_RGB32)
    plain.fill(0xFF808080)
    return plain


def _key(file: Path, window: IntensityWindow | None) -> str:
    """The file's name, time and size, and how it is shown; "" if it can't be accessed (images.thumbnail has the words
    for that).
    """
    try:
        about = file.stat()
    except (OSError, ValueError):
        return ""
    shown = f"|{window.low:g} to {window.high:g}" if window else ""
    return f"{file}|{about.st_mtime_ns}|{about.st_size}|{SIDE}{shown}"


def _load(cache: Path, key: str) -> QImage | None:
    data = thumbnail_cache.load(cache, key)
    image = QImage.fromData(data) if data is not None else QImage()
    return None if image.isNull() else image.convertToFormat(QImage.Format.Format_RGB32)


def _jpeg(thumbnail: QImage) -> bytes:
    from PySide6.QtCore import QBuffer, QByteArray, QIODevice

    data = QByteArray()
    buffer = QBuffer(data)
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    thumbnail.save(buffer, "JPEG", 88)  # type: ignore[call-overload]
    return bytes(data.data())


def of(session: Session) -> Thumbnails:
    """The session's thumbnails, shared by all pages; created on first use."""
    found = session.findChild(Thumbnails)
    return found if isinstance(found, Thumbnails) else Thumbnails(session, session)
