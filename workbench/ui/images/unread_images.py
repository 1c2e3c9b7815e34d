"""Which images can't be read, as found when opening them, so that every list and the count on the Data page agree.

A damaged file is recorded in the project (Image.problem) until it can be read. A missing one is remembered only until
the project is closed: its disk may be back by then.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal, Slot

from workbench.core import edits, formatting
from workbench.core.decoding.refusals import not_readable
from workbench.core.project import FINISHED, State
from workbench.errors import Refused, WorkbenchError
from workbench.ui.session import Session

if TYPE_CHECKING:
    from workbench.core.project import Image


_MISSING = not_readable(FileNotFoundError(errno.ENOENT, ""))
"""Never recorded, even if the file is back by the time that is noticed: its disk was gone for a moment."""


class UnreadImages(QObject):
    """Told by whoever opens files. Changes are reported by `Session.images_found`."""

    readable_again = Signal(int)  # an image that could not be read now can
    went_missing = Signal()  # a file is not there any more, and was not known to be missing

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        self._missing: dict[int, str] = {}
        session.document_changed.connect(self._forget)

    @Slot()
    def _forget(self) -> None:
        """Ids mean nothing in another project."""
        self._missing.clear()

    def problem(self, image: Image) -> str:
        """Why the image can't be read, "" if no problem is known."""
        return image.problem or self._missing.get(image.id, "")

    def has(self, id: int) -> bool:
        """Whether this image is one of them; faster than `ids`, which takes a while for a million."""
        document = self._session.document
        return document is not None and (id in document.images().problems or id in self._missing)

    def ids(self) -> frozenset[int]:
        document = self._session.document
        images = document.images() if document else None
        if not images or not (images.problems or self._missing):
            return frozenset()
        import numpy as np  # not before a project is opened: painting the window comes first

        unreadable = np.fromiter((*images.problems, *self._missing), np.int64)
        return frozenset(unreadable[np.isin(unreadable, images.ids)].tolist())

    @Slot(int, object)
    def read(self, id: int, result: object) -> None:
        """An image was opened, with this result: a WorkbenchError, or anything else if all is well."""
        if isinstance(result, Refused):
            self.note({id: result.reason})
        elif not isinstance(result, WorkbenchError):  # other errors are about something else, such as too little memory
            self.note({id: ""})

    def files_gone(self, gone: Collection[int]) -> None:
        """All files were checked: those of these images are missing, all others exist."""
        here = frozenset(self._missing).difference(gone)
        changed = here.symmetric_difference(gone)
        self._missing = {id: self._missing.get(id, _MISSING) for id in gone}
        for id in here:
            self.readable_again.emit(id)
        if changed:
            self._session.images_found.emit(changed)

    def folders_back(self, roots: Collection[int]) -> None:
        """These folders were missing and are there again: images in them are given another try."""
        document = self._session.document
        if document is None:
            return
        images = document.images()
        here = [id for id in self._missing if images.has(id) and document.image(id).root in roots]
        for id in here:
            del self._missing[id]
            self.readable_again.emit(id)
        if here:
            self._session.images_found.emit(frozenset(here))

    def note(self, found: Mapping[int, str]) -> None:
        """These images were opened; by id, why they can't be read, "" if they can."""
        document = self._session.document
        if document is None:
            return
        changed, kept = set[int](), []
        for id in [id for id, problem in found.items() if problem or self.has(id)]:
            if not document.images().has(id):
                continue
            image, problem = document.image(id), found[id]
            before = self.problem(image)
            self._missing.pop(id, None)
            if problem == _MISSING or (problem and not os.path.exists(document.file(image))):
                self._missing[id] = problem
                if not before:
                    self.went_missing.emit()
            elif problem != image.problem:
                image = replace(image, problem=problem)
                kept.append(image)
            if self.problem(image) != before:
                changed.add(id)
        if kept:
            try:
                document.update_headers(kept)
            except WorkbenchError as error:  # it will be found again next time
                self._session.report_error(error)
                return
        if changed:
            for id in changed:
                if not self.has(id):
                    self.readable_again.emit(id)
            self._session.images_found.emit(frozenset(changed))


def set_state(session: Session, ids: Sequence[int], state: State) -> bool:
    """Give these images a state; unreadable ones are never marked done: nobody has seen what is in them.

    Those that have it already are left out: N walks through done images, too, and each step would be one to undo.
    """
    document = session.document
    if document is None:
        return False
    import numpy as np

    images = document.images()
    rows = images.rows_of(np.array(ids, np.int64))
    there = frozenset(images.ids[rows][images.in_state(state)[rows]].tolist())
    unread = frozenset(filter(of(session).has, ids if state in FINISHED else ()))
    new = tuple(id for id in ids if id not in unread and id not in there)
    if new and session.do(edits.SetState(new, state)) is None:
        return False
    if unread:
        one = document.image(min(unread)).name if len(unread) == 1 else formatting.count(len(unread), "image")
        it = "it was" if len(unread) == 1 else "they were"
        text = f"{one} can't be read, so {it} not marked {state}. Mend the file, or take the image out (Data page)."
        session.message.emit("warning", text)
    return True


def of(session: Session) -> UnreadImages:
    """The session's UnreadImages, shared by all pages; created on first use."""
    found = session.findChild(UnreadImages)
    return found if isinstance(found, UnreadImages) else UnreadImages(session)
