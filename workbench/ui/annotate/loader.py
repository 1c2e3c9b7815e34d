"""Pictures for the canvas: read in the background, neighbours in advance, the last ones kept.

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

from workbench.core import pyramid, words
from workbench.core.files import stamp as stamp_of
from workbench.core.window import Window
from workbench.errors import WorkbenchError
from workbench.ui import pictures
from workbench.ui.background import Background
from workbench.ui.job import Job, Work
from workbench.ui.pictures import Picture, TiledPicture
from workbench.ui.tiles import Tiles

if TYPE_CHECKING:
    from workbench.core.pyramid_making import Build

MEMORY = 384 << 20
"""Bytes of pictures kept: six of 12 megapixels with their half-size copies."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """An image to read. `cache` is the project's cache folder, where huge images are kept as tiles; None: no tiles."""

    image: int
    file: Path
    window: Window | None = None
    cache: Path | None = None


@dataclass(frozen=True, slots=True)
class Preview:
    """A first look at an image before it is read in full."""

    of: Wanted


@dataclass(frozen=True, slots=True)
class Again:
    """A check whether the file of a kept picture is unchanged: another program may have rotated or cropped it."""

    of: Wanted
    stamp: tuple[int, int] | None


class PictureLoader(QObject):
    """`want` the shown image first, then its neighbours; `came` gives each one's Picture or WorkbenchError.

    If the first is a large JPEG, a preview comes before it. If it is huge, a TiledPicture comes, again
    while its tiles are made (its `note` says how far), and again when they are ready.
    """

    came = Signal(int, object)
    read = Signal(int, object)  # whole images only, no previews or notes; also kept ones whose file is still there
    changed = Signal(int)  # an image whose file has changed since it was shown

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._kept: OrderedDict[Wanted, Picture] = OrderedDict()
        self._first: Wanted | None = None
        self._wanted: frozenset[Wanted] = frozenset()
        self._just_cut: Wanted | None = None
        self._tiles = Tiles(self)
        self._cutting = Cutting(self)
        self._cutting.progressed.connect(self._progressed)
        self._cutting.ended.connect(self._cut)
        self._background = Background("Pictures", _load, self)
        self._background.done.connect(self._done)

    def want(self, wishes: Sequence[Wanted]) -> Picture | None:
        """The first one's picture if it is kept (`came` brings a new one if its file has changed); otherwise `came`
        brings it. The others are read in advance.
        """
        for wish in reversed(wishes):
            if wish in self._kept:
                self._kept.move_to_end(wish)
        missing: list[Wanted | Preview | Again] = [wish for wish in wishes if wish not in self._kept]
        if wishes:
            first = self._kept.get(wishes[0])
            missing.insert(0, Preview(wishes[0]) if first is None else Again(wishes[0], first.stamp))
        self._background.ask(missing)
        self._first, self._wanted = (wishes[0] if wishes else None), frozenset(wishes)
        self._just_cut = None
        found = self._kept.get(wishes[0]) if wishes else None
        self._cut_if_needed(found)
        return found

    @Slot(object, object)
    def _done(self, wish: object, result: object) -> None:
        if isinstance(wish, Preview):
            if isinstance(result, Picture) and wish.of not in self._kept and wish.of in self._wanted:
                self.came.emit(wish.of.image, result)
            return
        is_again = isinstance(wish, Again)
        if isinstance(wish, Again):
            if result is None:
                return
            if result == wish.of:
                if wish.of in self._kept:
                    self.read.emit(wish.of.image, self._kept[wish.of])
                return
            wish = wish.of
            self._kept.pop(wish, None)
        assert isinstance(wish, Wanted)
        if isinstance(result, Picture):
            result = self._keep(wish, result)
        if wish not in self._wanted:
            return  # too late: the number may now be another image, of another project, or at other levels
        if is_again:
            self.changed.emit(wish.image)
        self.read.emit(wish.image, result)
        self.came.emit(wish.image, result)
        if wish == self._just_cut:
            self._just_cut = None  # if the tiles aren't found, don't cut again: it would never end
        elif wish == self._first and isinstance(result, Picture):
            self._cut_if_needed(result)

    def _keep(self, wish: Wanted, picture: Picture) -> Picture:
        if isinstance(picture, TiledPicture):
            picture = dataclasses.replace(picture, tiles=self._tiles)
        self._kept[wish] = picture
        while sum(kept.bytes for kept in self._kept.values()) > MEMORY and len(self._kept) > 1:
            self._kept.popitem(last=False)
        return picture

    # --- huge images ---

    def _cut_if_needed(self, shown: Picture | None) -> None:
        """Cut the first image into tiles if it is huge and has none; stop cutting any other."""
        missing = isinstance(shown, TiledPicture) and shown.pyramid is None and pyramid.is_available()
        if missing and self._first is not None and self._first.cache is not None:
            self._cutting.begin(self._first)
        else:
            self._cutting.cancel()

    @Slot(object, float)
    def _progressed(self, wish: object, share: float) -> None:
        self._show_note(wish, f"Its details are being prepared: {words.percent(share, 0)}")

    def _show_note(self, wish: object, note: str) -> None:
        if isinstance(wish, Wanted) and wish == self._first:
            shown = self._kept.get(wish)
            if isinstance(shown, TiledPicture) and shown.pyramid is None:
                self.came.emit(wish.image, dataclasses.replace(shown, note=note))

    @Slot(object, object)
    def _cut(self, wish: object, error: object) -> None:
        """The tiles are ready: read the image again, with them. Or they can't be made."""
        assert isinstance(wish, Wanted)
        if wish != self._first:
            return
        shown = self._kept.get(wish)
        if not isinstance(error, WorkbenchError):
            self._just_cut = wish
            self._kept.pop(wish, None)  # so that it is read again, perhaps later
            self._background.ask((wish,))
        elif isinstance(shown, TiledPicture) and shown.levels:
            self._show_note(wish, error.sentence)
        else:
            self._kept.pop(wish, None)
            self.came.emit(wish.image, error)

    def forget(self) -> None:
        """Another project is open: drop all."""
        self._first, self._wanted = None, frozenset()
        self._cutting.cancel()
        self._background.ask(())
        self._tiles.forget()
        self._kept.clear()

    def is_idle(self) -> bool:
        """True when nothing is being read, cut or waited for."""
        return self._background.is_idle() and self._cutting.is_idle() and self._tiles.is_idle()

    def close(self) -> None:
        self._cutting.close()
        self._background.close()
        self._tiles.close()


class Cutting(QObject):
    """Cuts one image at a time into tiles, in a thread that waits for the process that does it."""

    progressed = Signal(object, float)  # Wanted, share done
    ended = Signal(object, object)  # Wanted, None or a WorkbenchError; not emitted after a cancel

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._job: Job | None = None
        self._build: Build | None = None
        self._wish: Wanted | None = None  # in progress
        self._next: Wanted | None = None  # to be done next
        self._closed = False

    def begin(self, wish: Wanted) -> None:
        """Cut this image only, and drop any other."""
        if wish == self._wish and self._build is not None:
            return
        self.cancel()
        self._next = wish
        self._start()

    def cancel(self) -> None:
        """Stop the current one at once."""
        self._next = None
        self._wish = None
        if self._build is not None:
            self._build.cancel()
            self._build = None

    def _start(self) -> None:
        if self._job is not None or self._next is None or self._closed:
            return
        from workbench.core.pyramid_making import Build

        self._wish, self._next = self._next, None
        assert self._wish.cache is not None
        self._build = Build(self._wish.file, self._wish.window, self._wish.cache)
        self._job = Job("Details of a huge image", _steps(self._build), self)
        self._job.reported.connect(self._reported)
        self._job.finished.connect(self._finished)
        self._job.start()

    @Slot(object)
    def _reported(self, share: object) -> None:
        if self._wish is not None and isinstance(share, float):
            self.progressed.emit(self._wish, share)

    @Slot()
    def _finished(self) -> None:
        job, self._job = self._job, None
        wish, self._wish, self._build = self._wish, None, None
        if job is not None:
            job.wait()
            job.deleteLater()
            if wish is not None:
                self.ended.emit(wish, job.error)
        self._start()  # one that was asked for while the last was ending

    def is_idle(self) -> bool:
        return self._job is None and self._next is None

    def close(self) -> None:
        self._closed = True
        self.cancel()
        if self._job is not None:
            self._job.end(60.0)


def _steps(build: Build) -> Work:
    def work(_job: Job) -> Iterator[float]:
        return build.steps()

    return work


def _load(wish: object) -> Picture | Wanted | None:
    """Of a kept picture: the one of its file that has changed; what was wanted if it has not, None if it is gone."""
    if isinstance(wish, Preview):
        return pictures.preview(wish.of.file, wish.of.window)
    if isinstance(wish, Again):
        now = _stamp(wish.of.file)
        if now is None:  # its disk is gone: the kept picture is still of use
            return None
        if now == wish.stamp:
            return wish.of
        wish = wish.of
    assert isinstance(wish, Wanted)
    stamp = _stamp(wish.file)  # before reading: a write during it is noticed next time
    return dataclasses.replace(pictures.load(wish.file, wish.window, wish.cache), stamp=stamp)


def _stamp(file: Path) -> tuple[int, int] | None:
    try:
        return stamp_of(file)
    except OSError:
        return None
