"""Whether what a checkpoint finds in the images is kept from an earlier look, so that the page may look unasked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot

from workbench.inference.evaluating import candidate_cache
from workbench.ui.background import Background

LOOKING = "Looking …"
"""Shown until it is known, and while it is read."""
ABOUT = 0.9  # of some images: those that can't be read, and all but one of equal ones, have no candidates


@dataclass(frozen=True, slots=True)
class _Question:
    run_folder: Path
    checkpoint: Path
    images: int
    turn: int


class KeptCandidates(QObject):
    """`told(is_kept)` answers the last `ask`, unless that was dropped. Close it at the end.

    A thread looks: what is kept of a checkpoint is known by its bytes, and a large one takes half a second to read.
    """

    told = Signal(bool)

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._last: _Question | None = None
        self._turn = 0
        self._background = Background("Looking for what is kept", is_kept, self)
        self._background.done.connect(self._done)

    def ask(self, run_folder: Path, checkpoint: Path, images: int) -> None:
        self._turn += 1
        self._last = _Question(run_folder, checkpoint, images, self._turn)
        self._background.ask([self._last])

    def drop(self) -> None:
        """Answer nothing any more."""
        self._last = None
        self._background.ask([])

    @Slot(object, object)
    def _done(self, question: object, answer: object) -> None:
        if question == self._last:
            self._last = None
            self.told.emit(answer is True)

    def close(self) -> None:
        """Wait for the thread."""
        self._background.close()


def is_kept(question: _Question) -> bool:
    """Whether the candidates of about as many images are kept of these weights. After a look at other images or with
    other weights of the run, or one that was stopped, looking may take hours, and nobody has asked for it.
    """
    if not any((question.run_folder / candidate_cache.FOLDER).glob("*.npz")):
        return False  # without reading the weights
    try:
        file = candidate_cache.cache_file(question.run_folder, question.checkpoint)
    except OSError:
        return False
    return candidate_cache.count(file) >= max(ABOUT * question.images, 1)
