"""The trainings that wait for their turn in a project, and whether they go on by themselves. Neither Qt nor torch here.

A training leaves the queue once its run has started: one that is refused stays with the reason, and whatever ends the
program before that loses none. The data is not kept: a new run learns from the project as it is when it begins, and
folds that were queued together from the record of the first that began. Refused: a snapshot when they are queued, as
people go on labelling while they wait, and the run's record tells what it learnt from.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from workbench.core.files import safe_name
from workbench.core.formatting import count
from workbench.errors import Refused, WorkbenchError
from workbench.training.records import queue_file
from workbench.training.records.queue_file import QueuedTraining


class Hold(enum.Enum):
    """Whether and why no waiting training begins by itself, in words that follow "the queue is"."""

    NONE = "not held"
    UNBEGUN = "not begun yet"
    REOPENED = "held because the project was closed"
    STOPPED = "held because a training was stopped"
    ASKED = "held"


class TrainingQueue:
    """The queue of the project in `folder`, which this process may write. What is read from its file is held.

    `waiting` in their order; `current` is the key of the one that is being started; `begun` counts the trainings in a
    row, with the one that runs. `unread`: why the file could not be read; the next change then puts it aside as
    `put_aside`. Methods that change the file raise WorkbenchError if it can't be written, and nothing has changed then.
    """

    def __init__(self, folder: Path) -> None:
        self.file, self._runs_folder = folder / queue_file.FILE, folder / "runs"
        self.waiting: tuple[QueuedTraining, ...] = ()
        self.hold = Hold.NONE
        self.is_training = False
        self.current: int | None = None
        self.begun = 0
        self.unread = ""
        self.put_aside: Path | None = None
        try:
            self.waiting = queue_file.read(self.file)
        except Refused as error:
            self.unread = error.sentence
        self._next_key = len(self.waiting) + 1
        if self.ready:
            self.hold = Hold.REOPENED

    # --- what waits ---

    @property
    def ready(self) -> tuple[QueuedTraining, ...]:
        """Those that can begin, without the one that is being started."""
        return tuple(one for one in self.waiting if not one.problem and one.key != self.current)

    @property
    def refused(self) -> tuple[QueuedTraining, ...]:
        """Those that could not begin."""
        return tuple(one for one in self.waiting if one.problem)

    def called(self, training: QueuedTraining) -> str:
        """The name that lists and messages use."""
        return training.called(self._runs_folder)

    def place_of(self, key: int) -> int:
        """The place in `waiting`; WorkbenchError if it has left the queue."""
        for place, one in enumerate(self.waiting):
            if one.key == key:
                return place
        raise WorkbenchError("This training does not wait any more.")

    def is_taken(self, name: str) -> bool:
        """Whether a waiting training has this name, as a folder's name."""
        return safe_name(name).casefold() in {safe_name(one.name).casefold() for one in self.waiting if one.name}

    def add(self, trainings: Sequence[QueuedTraining], *, first: bool = False) -> tuple[QueuedTraining, ...]:
        """Put them at the end, or before all others; returns them with their keys.

        If nothing is being trained, the queue waits to be begun.
        """
        added = tuple(replace(one, key=key) for key, one in enumerate(trainings, self._next_key))
        begins = not self.is_training and self.due is None
        self._write((*added, *self.waiting) if first else (*self.waiting, *added))
        self._next_key += len(added)
        if begins and self.hold is Hold.NONE:
            self.hold = Hold.UNBEGUN
        return added

    def put_back(self, training: QueuedTraining, place: int) -> None:
        """Undo `remove`; of a queue that is empty by now, as `add` would."""
        begins = not self.is_training and self.due is None
        self._write((*self.waiting[:place], training, *self.waiting[place:]))
        if begins and self.hold is Hold.NONE:
            self.hold = Hold.UNBEGUN

    def remove(self, key: int) -> None:
        """WorkbenchError if it is being started or has left the queue."""
        self._check_free(key)
        place = self.place_of(key)
        self._write((*self.waiting[:place], *self.waiting[place + 1 :]))

    def move(self, key: int, by: int) -> None:
        """Move it by `by` places, -1 is earlier; not beyond the ends. WorkbenchError if it is being started or left."""
        self._check_free(key)
        place = self.place_of(key)
        others = [one for one in self.waiting if one.key != key]
        others.insert(min(max(place + by, 0), len(others)), self.waiting[place])
        if tuple(others) != self.waiting:
            self._write(tuple(others))

    def _check_free(self, key: int) -> None:
        if key == self.current:
            raise WorkbenchError("This training is being started: stop it first.")

    # --- who is next ---

    @property
    def due(self) -> QueuedTraining | None:
        """The training that is to begin now; None while another runs or the queue is held."""
        if self.is_training or self.hold is not Hold.NONE:
            return None
        return next(iter(self.ready), None)

    def go_on(self) -> None:
        """Let the queue go on; those that could not begin are tried again, in their places."""
        self._write(tuple(replace(one, problem="") for one in self.waiting))
        self.hold = Hold.NONE

    def hold_back(self) -> None:
        """Let no waiting training begin; the one that runs goes on."""
        if self.ready:
            self.hold = Hold.ASKED

    def begin(self, key: int | None) -> None:
        """A training begins: the one of this key, or None for one that a person started beside the queue.

        After the latter, a queue goes on that was not begun yet; one that is held for another reason stays so.
        """
        self.is_training, self.current = True, key
        self.begun += 1
        if self.hold is Hold.UNBEGUN:
            self.hold = Hold.NONE

    def started(self) -> None:
        """The run of the current training exists: it leaves the queue, even if the file can't be written."""
        if self.current is None:
            return
        rest = tuple(one for one in self.waiting if one.key != self.current)
        self.current = None
        self._write(rest, anyway=True)

    def refuse(self, key: int, problem: str) -> None:
        """The training of this key could not begin: it stays, with the reason, and the next one is due.

        Even if the file can't be written: else it would be due again at once.
        """
        told = tuple(replace(one, problem=problem) if one.key == key else one for one in self.waiting)
        self._write(told, anyway=True)

    def end(self, *, stopped: bool, refused: str = "") -> None:
        """The training has ended. `stopped`: by a person, so the queue is held. `refused`: why it did not begin.

        If that one was not of the queue, nothing has begun yet.
        """
        key, self.current, self.is_training = self.current, None, False
        if stopped and self.ready:
            self.hold = Hold.STOPPED
        elif refused and key is None and self.ready and self.hold is Hold.NONE:
            self.hold = Hold.UNBEGUN
        try:
            if key is not None and refused:
                self.refuse(key, refused)
        finally:
            if self.due is None:  # nothing follows: the next one is the first again
                self.begun = 0

    # --- what is shown of it ---

    @property
    def place(self) -> tuple[int, int]:
        """The running training's number in a row, and how many there are: 2 of 4. 1 of 1 while the queue is held."""
        if not self.is_training or self.hold is not Hold.NONE:
            return 1, 1
        return self.begun, self.begun + len(self.ready)

    @property
    def sentence(self) -> str:
        """What waits, and what happens next; "" if there is nothing to say."""
        if self.unread:
            return self.unread
        number, odd = len(self.ready), len(self.refused)
        words = []
        if number:
            wait = f"{count(number, 'training')} {'waits' if number == 1 else 'wait'}"
            if self.hold is Hold.UNBEGUN:
                words.append(f"{wait}. Start the queue, or a training, which it then follows.")
            elif self.hold is not Hold.NONE:
                words.append(f"The queue is {self.hold.value}: {wait}.")
            else:
                words.append(f"{wait}. Next: {self.called(self.ready[0])}.")
        if odd:
            words.append(f"{count(odd, 'training')} could not begin: the reason is in the list.")
        return " ".join(words)

    # --- the file ---

    def _write(self, waiting: tuple[QueuedTraining, ...], anyway: bool = False) -> None:
        """`anyway`: these wait now even if that can't be written."""
        try:
            if self.unread:
                self.put_aside = queue_file.put_aside(self.file)
                self.unread = ""
            queue_file.write(self.file, waiting)
        except WorkbenchError:
            if anyway:
                self._set(waiting)
            raise
        self._set(waiting)

    def _set(self, waiting: tuple[QueuedTraining, ...]) -> None:
        self.waiting = waiting
        if not self.ready:
            self.hold = Hold.NONE
