"""Tiles of huge images for painting: read in the background, those in sight first, the last ones kept."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtGui import QImage

from workbench.core.pyramid import Place, Pyramid
from workbench.ui.background import Background

MEMORY = 256 << 20
"""Bytes of tiles kept: 256 of 512 x 512, twice what a screen of 8 megapixels shows. Those in sight stay in any case."""


@dataclass(frozen=True, slots=True)
class _Wish:
    pyramid: Pyramid
    place: Place


class Tiles(QObject):
    """Ask with `get` and then `want` while painting; `came` tells that one more is there. Call `close` at the end."""

    came = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._kept: OrderedDict[_Wish, QImage] = OrderedDict()
        self._bytes = 0
        self._in_sight = 0
        self._begun: set[_Wish] = set()  # and not come yet
        self._background = Background("Details of a huge image", self._read, self)
        self._background.done.connect(self._done)

    def get(self, pyramid: Pyramid, place: Place) -> QImage | None:
        """The tile, upright, if it is there; a null one if it can't be read."""
        wish = _Wish(pyramid, place)
        found = self._kept.get(wish)
        if found is not None:
            self._kept.move_to_end(wish)
        return found

    def want(self, pyramid: Pyramid, missing: Sequence[Place], in_sight: int) -> None:
        """Read these, the first first; what was wanted before and is not begun is forgotten.

        `in_sight`: how many tiles are needed at once, with those that are there.
        """
        self._in_sight = in_sight
        wishes = [_Wish(pyramid, place) for place in missing]
        self._background.ask([wish for wish in wishes if wish not in self._begun])

    def _read(self, wish: _Wish) -> QImage:
        """In the background's thread."""
        from workbench.ui.pictures import wrapped

        self._begun.add(wish)
        return wrapped(wish.pyramid.read(wish.place))

    @Slot(object, object)
    def _done(self, wish: object, result: object) -> None:
        assert isinstance(wish, _Wish)
        self._begun.discard(wish)
        if wish in self._kept:
            return
        tile = result if isinstance(result, QImage) else QImage()  # the overview stays in its place
        self._kept[wish] = tile
        self._bytes += tile.sizeInBytes()
        while self._bytes > MEMORY and len(self._kept) > self._in_sight:
            _, dropped = self._kept.popitem(last=False)
            self._bytes -= dropped.sizeInBytes()
        self.came.emit()

    @property
    def bytes(self) -> int:
        """How much is kept now."""
        return self._bytes

    def forget(self) -> None:
        """Another project: drop all."""
        self._background.ask(())
        self._kept.clear()
        self._bytes = 0

    def is_idle(self) -> bool:
        """True when all that was wanted is there."""
        return self._background.is_idle()

    def close(self) -> None:
        self._background.close()
