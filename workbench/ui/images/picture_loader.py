"""Pictures for the Label and the Inspect page: read in the background, neighbours in advance, the last ones kept.

Of a huge image the overview comes first; meanwhile a separate process cuts its tiles, once.
"""

from __future__ import annotations

import dataclasses
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal, Slot

from workbench.core import formatting
from workbench.core.decoding import pyramid
from workbench.core.decoding.intensity_window import IntensityWindow
from workbench.core.files import stamp as stamp_of
from workbench.errors import WorkbenchError
from workbench.ui.background import Background
from workbench.ui.images import pictures
from workbench.ui.images.pictures import Picture, TiledPicture
from workbench.ui.images.tiles import Tiles
from workbench.ui.job import Job, Work

if TYPE_CHECKING:
    from workbench.core.decoding.pyramid_builder import PyramidBuilder

MEMORY = 384 << 20
"""Bytes of pictures that each loader keeps: six of 12 megapixels with their half-size copies."""
AHEAD = (1, -1, 2)
"""Which neighbours in a list are read in advance, the likeliest first."""


@dataclass(frozen=True, slots=True)
class PictureRequest:
    """An image to read. `cache` is the project's cache folder, where huge images are kept as tiles; None: no tiles."""

    image: int
    file: Path
    window: IntensityWindow | None = None
    cache: Path | None = None


@dataclass(frozen=True, slots=True)
class PreviewRequest:
    """A first look at an image before it is read in full."""

    picture: PictureRequest


@dataclass(frozen=True, slots=True)
class RecheckRequest:
    """A check whether the file of a kept picture is unchanged: another program may have rotated or cropped it."""

    picture: PictureRequest
    stamp: tuple[int, int] | None


class PictureLoader(QObject):
    """`want` the shown image first, then its neighbours; `loaded` gives each one's Picture or WorkbenchError.

    If the first is a large JPEG, a preview comes before it. If it is huge, a TiledPicture comes, again
    while its tiles are made (its `note` says how far), and again when they are ready.
    """

    loaded = Signal(int, object)
    read = Signal(int, object)  # whole images only, no previews or notes; also kept ones whose file is still there
    changed = Signal(int)  # an image whose file has changed since it was shown

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._kept: OrderedDict[PictureRequest, Picture] = OrderedDict()
        self._first: PictureRequest | None = None
        self._wanted: frozenset[PictureRequest] = frozenset()
        self._just_cut: PictureRequest | None = None
        self._tiles = Tiles(self)
        self._cutter = TileCutter(self)
        self._cutter.progressed.connect(self._progressed)
        self._cutter.ended.connect(self._cut)
        self._background = Background("Pictures", _load, self)
        self._background.done.connect(self._done)

    def want(self, requests: Sequence[PictureRequest]) -> Picture | None:
        """The first one's picture if it is kept (`loaded` brings a new one if its file has changed); otherwise `loaded`
        brings it. The others are read in advance.
        """
        for request in reversed(requests):
            if request in self._kept:
                self._kept.move_to_end(request)
        missing: list[PictureRequest | PreviewRequest | RecheckRequest] = [
            request for request in requests if request not in self._kept
        ]
        if requests:
            first = self._kept.get(requests[0])
            missing.insert(
                0, PreviewRequest(requests[0]) if first is None else RecheckRequest(requests[0], first.stamp)
            )
        self._background.ask(missing)
        self._first, self._wanted = (requests[0] if requests else None), frozenset(requests)
        self._just_cut = None
        found = self._kept.get(requests[0]) if requests else None
        self._cut_if_needed(found)
        return found

    @Slot(object, object)
    def _done(self, request: object, result: object) -> None:
        if isinstance(request, PreviewRequest):
            if isinstance(result, Picture) and request.picture not in self._kept and request.picture in self._wanted:
                self.loaded.emit(request.picture.image, result)
            return
        is_again = isinstance(request, RecheckRequest)
        if isinstance(request, RecheckRequest):
            if result is None:
                return
            if result == request.picture:
                if request.picture in self._kept:
                    self.read.emit(request.picture.image, self._kept[request.picture])
                return
            request = request.picture
            self._kept.pop(request, None)
        assert isinstance(request, PictureRequest)
        if isinstance(result, Picture):
            result = self._keep(request, result)
        if request not in self._wanted:
            return  # too late: the number may now be another image, of another project, or at other levels
        if is_again:
            self.changed.emit(request.image)
        self.read.emit(request.image, result)
        self.loaded.emit(request.image, result)
        if request == self._just_cut:
            self._just_cut = None  # if the tiles aren't found, don't cut again: it would never end
        elif request == self._first and isinstance(result, Picture):
            self._cut_if_needed(result)

    def _keep(self, request: PictureRequest, picture: Picture) -> Picture:
        if isinstance(picture, TiledPicture):
            picture = dataclasses.replace(picture, tiles=self._tiles)
        self._kept[request] = picture
        while sum(kept.bytes for kept in self._kept.values()) > MEMORY and len(self._kept) > 1:
            self._kept.popitem(last=False)
        return picture

    # --- huge images ---

    def _cut_if_needed(self, shown: Picture | None) -> None:
        """Cut the first image into tiles if it is huge and has none; stop cutting any other."""
        missing = isinstance(shown, TiledPicture) and shown.pyramid is None and pyramid.is_available()
        if missing and self._first is not None and self._first.cache is not None:
            self._cutter.begin(self._first)
        else:
            self._cutter.cancel()

    @Slot(object, float)
    def _progressed(self, request: object, share: float) -> None:
        self._show_note(request, f"Its details are being prepared: {formatting.percent(share, 0)}")

    def _show_note(self, request: object, note: str) -> None:
        if isinstance(request, PictureRequest) and request == self._first:
            shown = self._kept.get(request)
            if isinstance(shown, TiledPicture) and shown.pyramid is None:
                self.loaded.emit(request.image, dataclasses.replace(shown, note=note))

    @Slot(object, object)
    def _cut(self, request: object, error: object) -> None:
        """The tiles are ready: read the image again, with them. Or they can't be made."""
        assert isinstance(request, PictureRequest)
        if request != self._first:
            return
        shown = self._kept.get(request)
        if not isinstance(error, WorkbenchError):
            self._just_cut = request
            self._kept.pop(request, None)  # so that it is read again, perhaps later
            self._background.ask((request,))
        elif isinstance(shown, TiledPicture) and shown.levels:
            self._show_note(request, error.sentence)
        else:
            self._kept.pop(request, None)
            self.loaded.emit(request.image, error)

    def forget(self) -> None:
        """Another project is open: drop all."""
        self._first, self._wanted = None, frozenset()
        self._cutter.cancel()
        self._background.ask(())
        self._tiles.forget()
        self._kept.clear()

    def is_idle(self) -> bool:
        """True when nothing is being read, cut or waited for."""
        return self._background.is_idle() and self._cutter.is_idle() and self._tiles.is_idle()

    def close(self) -> None:
        self._cutter.close()
        self._background.close()
        self._tiles.close()


class TileCutter(QObject):
    """Cuts one image at a time into tiles, in a thread that waits for the process that does it."""

    progressed = Signal(object, float)  # PictureRequest, share done
    ended = Signal(object, object)  # PictureRequest, None or a WorkbenchError; not emitted after a cancel

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._job: Job | None = None
        self._build: PyramidBuilder | None = None
        self._request: PictureRequest | None = None  # in progress
        self._next: PictureRequest | None = None  # to be done next
        self._closed = False

    def begin(self, request: PictureRequest) -> None:
        """Cut this image only, and drop any other."""
        if request == self._request and self._build is not None:
            return
        self.cancel()
        self._next = request
        self._start()

    def cancel(self) -> None:
        """Stop the current one at once."""
        self._next = None
        self._request = None
        if self._build is not None:
            self._build.cancel()
            self._build = None

    def _start(self) -> None:
        if self._job is not None or self._next is None or self._closed:
            return
        from workbench.core.decoding.pyramid_builder import PyramidBuilder

        self._request, self._next = self._next, None
        assert self._request.cache is not None
        self._build = PyramidBuilder(self._request.file, self._request.window, self._request.cache)
        self._job = Job("Details of a huge image", _steps(self._build), self)
        self._job.reported.connect(self._reported)
        self._job.finished.connect(self._finished)
        self._job.start()

    @Slot(object)
    def _reported(self, share: object) -> None:
        if self._request is not None and isinstance(share, float):
            self.progressed.emit(self._request, share)

    @Slot()
    def _finished(self) -> None:
        job, self._job = self._job, None
        request, self._request, self._build = self._request, None, None
        if job is not None:
            job.wait()
            job.deleteLater()
            if request is not None:
                self.ended.emit(request, job.error)
        self._start()  # one that was asked for while the last was ending

    def is_idle(self) -> bool:
        return self._job is None and self._next is None

    def close(self) -> None:
        self._closed = True
        self.cancel()
        if self._job is not None:
            self._job.end(60.0)


def _steps(build: PyramidBuilder) -> Work:
    def work(_job: Job) -> Iterator[float]:
        return build.steps()

    return work


def _load(request: object) -> Picture | PictureRequest | None:
    """Of a kept picture: the one of its file that has changed; what was wanted if it has not, None if it is gone."""
    if isinstance(request, PreviewRequest):
        return pictures.preview(request.picture.file, request.picture.window)
    if isinstance(request, RecheckRequest):
        now = _stamp(request.picture.file)
        if now is None:  # its disk is gone: the kept picture is still of use
            return None
        if now == request.stamp:
            return request.picture
        request = request.picture
    assert isinstance(request, PictureRequest)
    stamp = _stamp(request.file)  # before reading: a write during it is noticed next time
    return dataclasses.replace(pictures.load(request.file, request.window, request.cache), stamp=stamp)


def _stamp(file: Path) -> tuple[int, int] | None:
    try:
        return stamp_of(file)
    except OSError:
        return None
