"""Three tries to write a checkpoint or an event before a training ends: a disk may be full, a share away, briefly."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TypeVar

from workbench.errors import WorkbenchError
from workbench.training.checkpoints.checkpoint import NotFinite
from workbench.training.events import Control, Message

WAITS = (2.0, 10.0)
"""Seconds before the second and the third try: a virus scanner needs one, a share that is connected again some more."""
T = TypeVar("T")


class WriteRetries:
    """Of all files of one training. Nothing is waited for once a stop is asked for, or `waits` is False: somebody waits
    for the training's end. After a file that could not be written at all, others are tried once until one succeeds.
    """

    def __init__(self, control: Control) -> None:
        self._control, self.waits = control, True
        self._in_vain = 0  # tries of files that could not be written, since one could

    def tries(self, write: Callable[[], T]) -> Generator[Message, None, T]:
        """What `write` returns, called again after each WorkbenchError but NotFinite, up to three times in all.

        Yields a warning before each pause. Raises the last error, with a sentence that says how often it was tried.
        """
        number = 1
        while True:
            try:
                written = write()
            except NotFinite:
                raise
            except WorkbenchError as error:
                sentence = error.sentence
                if not self._waits_after(number):
                    self._in_vain += number
                    if self._in_vain == 1:
                        raise
                    told = f"{sentence} It was tried {self._in_vain} times. Earlier checkpoints are kept."
                    raise WorkbenchError(told, error.cause) from error
            else:
                self._in_vain = 0
                return written
            yield Message("warning", f"{sentence} It is tried again.")
            self._control.stop.wait(WAITS[number - 1])
            number += 1

    def _waits_after(self, number: int) -> bool:
        return number <= len(WAITS) and self.waits and not self._in_vain and not self._control.stop.is_set()
