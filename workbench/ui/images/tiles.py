"""Tiles of huge images for painting: read in the background, visible ones first, and cached."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtGui import QImage

from workbench.core.decoding.pyramid import Pyramid, TilePosition
from workbench.ui.background import Background

MEMORY = 256 << 20
"""Bytes of cached tiles: 256 of 512 x 512, twice what an 8 megapixel screen shows. Visible ones are always kept."""


@dataclass(frozen=True, slots=True)
class _TileRequest:
    pyramid: Pyramid
    place: TilePosition


class Tiles(QObject):
    """Ask with `get` and then `want` while painting; `loaded` when another tile is ready. Call `close` at the end."""

    loaded = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._kept: OrderedDict[_TileRequest, QImage] = OrderedDict()
        self._bytes = 0
        self._in_sight = 0
        self._in_progress: set[_TileRequest] = set()  # requested but not ready
        self._background = Background("Details of a huge image", self._read, self)
        self._background.done.connect(self._done)

    def get(self, pyramid: Pyramid, place: TilePosition) -> QImage | None:
        """The upright tile, if it has been read; a null one if it can't be read."""
        request = _TileRequest(pyramid, place)
        found = self._kept.get(request)
        if found is not None:
            self._kept.move_to_end(request)
        return found

    def want(self, pyramid: Pyramid, missing: Sequence[TilePosition], in_sight: int) -> None:
        """Read these in order; earlier requests that have not been started are dropped.

        `in_sight`: how many tiles are visible, including those that have been read.
        """
        self._in_sight = in_sight
        requests = [_TileRequest(pyramid, place) for place in missing]
        self._background.ask([request for request in requests if request not in self._in_progress])

    def _read(self, request: _TileRequest) -> QImage:
        """Runs in the background's thread."""
        from workbench.ui.images.pictures import wrapped

        self._in_progress.add(request)
        return wrapped(request.pyramid.read(request.place))

    @Slot(object, object)
    def _done(self, request: object, result: object) -> None:
        assert isinstance(request, _TileRequest)
        self._in_progress.discard(request)
        if request in self._kept:
            return
        tile = result if isinstance(result, QImage) else QImage()  # the overview is shown instead
        self._kept[request] = tile
        self._bytes += tile.sizeInBytes()
        while self._bytes > MEMORY and len(self._kept) > self._in_sight:
            _, dropped = self._kept.popitem(last=False)
            self._bytes -= dropped.sizeInBytes()
        self.loaded.emit()

    @property
    def bytes(self) -> int:
        """How much is cached now."""
        return self._bytes

    def forget(self) -> None:
        """Another project: drop all."""
        self._background.ask(())
        self._kept.clear()
        self._bytes = 0

    def is_idle(self) -> bool:
        """True if all requested tiles have been read."""
        return self._background.is_idle()

    def close(self) -> None:
        self._background.close()
