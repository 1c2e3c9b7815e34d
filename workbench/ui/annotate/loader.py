"""Pictures for the canvas: read in the background, the neighbours beforehand, the last ones kept."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot

from workbench.core.window import Window
from workbench.ui import pictures
from workbench.ui.background import Background
from workbench.ui.pictures import Picture

MEMORY = 384 << 20
"""Bytes of pictures kept: six of 12 megapixels with their halved copies."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """An image to read."""

    image: int
    file: Path
    window: Window | None = None


@dataclass(frozen=True, slots=True)
class Preview:
    """A first look at an image, before it is read in full."""

    of: Wanted


class PictureLoader(QObject):
    """`want` the shown image first, then its neighbours; `came` tells of each, with a Picture or a WorkbenchError.

    Of the first one, where it is a large JPEG, a preview comes before.
    """

    came = Signal(int, object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._kept: OrderedDict[Wanted, Picture] = OrderedDict()
        self._background = Background("Pictures", _load, self)
        self._background.done.connect(self._done)

    def want(self, wishes: Sequence[Wanted]) -> Picture | None:
        """The first one's picture if it is kept; else it comes by `came`. The others are read beforehand."""
        for wish in reversed(wishes):
            if wish in self._kept:
                self._kept.move_to_end(wish)
        missing: list[Wanted | Preview] = [wish for wish in wishes if wish not in self._kept]
        if wishes and wishes[0] in missing:
            missing.insert(0, Preview(wishes[0]))
        self._background.ask(missing)
        return self._kept.get(wishes[0]) if wishes else None

    @Slot(object, object)
    def _done(self, wish: object, result: object) -> None:
        if isinstance(wish, Preview):
            if isinstance(result, Picture) and wish.of not in self._kept:
                self.came.emit(wish.of.image, result)
            return
        assert isinstance(wish, Wanted)
        if isinstance(result, Picture):
            self._kept[wish] = result
            while sum(kept.bytes for kept in self._kept.values()) > MEMORY and len(self._kept) > 1:
                self._kept.popitem(last=False)
        self.came.emit(wish.image, result)

    def forget(self) -> None:
        """Another project: drop all."""
        self._background.ask(())
        self._kept.clear()

    def close(self) -> None:
        self._background.close()


def _load(wish: object) -> Picture | None:
    if isinstance(wish, Preview):
        return pictures.preview(wish.of.file, wish.of.window)
    assert isinstance(wish, Wanted)
    return pictures.load(wish.file, wish.window)
