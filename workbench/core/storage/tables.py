"""The images of an open project and its box counts, read once and updated with every edit."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from pathlib import Path

from workbench.core import edits
from workbench.core.edits import Edit
from workbench.core.project import Image
from workbench.core.storage import table_cache
from workbench.core.storage.box_counts import BoxCounts
from workbench.core.storage.image_table import ImageTable
from workbench.core.store import Store
from workbench.errors import WorkbenchError

log = logging.getLogger(__name__)
_LONG = 10.0
"""Longest time in seconds that an edit waits for images to be written."""


class PendingWrite:
    """Whether images that are shown already are on disk, too. Written by the job's thread; edits wait for it."""

    def __init__(self) -> None:
        self._ended, self._well = threading.Event(), False

    def end(self, well: bool = False) -> None:
        """The writing is over. `well`: the images are on disk, with the ids that they are shown with."""
        if not self._ended.is_set():
            self._well = well
            self._ended.set()

    @property
    def is_pending(self) -> bool:
        return not self._ended.is_set()

    @property
    def has_succeeded(self) -> bool:
        return self._ended.is_set() and self._well

    def wait(self) -> None:
        """Wait for the end, some tenths of a second with 100,000 images. WorkbenchError if it takes long or failed."""
        if not (self._ended.wait(_LONG) and self._well):
            raise WorkbenchError(
                "That was not done: the folder's images are still being written into the project."
                " Try again in a moment; if that does not help, close the project and open it again."
            )


class Tables:
    """The images and counts of one store, kept in memory. `images_version` grows as images come and go.

    `cache_folder`: None if the cache is left alone. To know whether it is current, the project's file is read past
    SQLite, so not by a thread beside one that writes it (store_check says why).
    """

    def __init__(self, store: Store, cache_folder: Path | None) -> None:
        self._store = store
        self._cache_folder = cache_folder
        self._images: ImageTable | None = None
        self._counts: BoxCounts | None = None
        self._asked_cache = False
        self._read_at: set[int] = set()  # SQLite's counts of other connections' writes at the time of reading
        self._writing: PendingWrite | None = None  # for images that are shown but not on disk yet
        self.images_version = 0

    @property
    def is_ahead(self) -> bool:
        """Whether the table has images that are not, or not yet, on disk."""
        return self._writing is not None and not self._writing.has_succeeded

    def forget_unwritten(self) -> bool:
        """Read the images anew if some that were shown could not be written; returns whether there were any."""
        if self._writing is None or self._writing.is_pending or self._writing.has_succeeded:
            return False
        self._writing = self._store.before_writing = self._images = None
        self.images_version += 1
        return True

    def images(self) -> ImageTable:
        if self._images is None:
            self._take_kept()
        if self._images is None:
            self._read_at.add(self._store.data_version())
            self._images = self._store.read(ImageTable.read)
        return self._images

    def counts(self) -> BoxCounts:
        if self._counts is None:
            self._read_at.add(self._store.data_version())
            self._counts = self._store.read(BoxCounts.read)
        return self._counts

    def follow(self, edit: Edit, inverse: Edit) -> None:
        """Take over an edit: states, splits and notes change in the table; it is read anew if images come or go."""
        for part in edits.walk(edit):
            if isinstance(part, edits.AddImages | edits.RemoveImages):
                self._images = None
                self.images_version += 1
            elif self._images is not None and isinstance(part, edits.SetState):
                self._images.set_states(part.ids, part.state)
            elif self._images is not None and isinstance(part, edits.SetSplit):
                self._images.set_splits(part.ids, part.split)
            elif self._images is not None and isinstance(part, edits.SetNote):
                self._images.set_notes(part.ids, part.note)
        if self._counts is not None and not self._counts.follow(edit, inverse):
            self._counts = None

    def adopt(self, images: ImageTable, images_version: int, writing: PendingWrite | None = None) -> None:
        """Take over a table that was read when `images_version` had this value; states set since then are kept.

        `writing`: the table is ahead of the file, and edits wait until the file has all of it.
        """
        self._writing = writing
        self._store.before_writing = writing.wait if writing is not None else None
        if images_version != self.images_version:
            self._images = None  # images were added or removed since; it is reread when needed
            return
        if self._images is not None:
            images.take_over(self._images)
        self._images = images

    def set_headers(self, images: Sequence[Image]) -> None:
        self.images().set_headers(images)

    def _take_kept(self) -> None:
        """Take over what was cached at the last closing, if nothing has changed since."""
        self._read_at.add(self._store.data_version())
        kept = None
        if self._cache_folder is not None and not self._asked_cache:
            kept = table_cache.load(self._store.file, self._cache_folder)
        self._asked_cache = True
        if kept is not None:
            self._images, self._counts = kept

    def catch_up(self, before: int) -> None:
        """Another connection of this process has written what is followed here. `before`: data_version() before it."""
        if self._read_at == {before}:
            self._read_at = {self._store.data_version()}

    def keep(self) -> None:
        """Cache them for the next opening, if reading them takes long; not if another process has written meanwhile.

        A failure is only logged: the disk may be full, or gone, but the project must be closed all the same.
        """
        try:
            self._keep()
        except (OSError, WorkbenchError) as error:
            log.info("The cache of %s could not be kept: %r", self._store.file, error)

    def _keep(self) -> None:
        images, counts, file, folder = self._images, self._counts, self._store.file, self._cache_folder
        if folder is None or images is None or counts is None or len(images) < table_cache.FROM:
            return
        if self._store.read_only:
            return
        if self._read_at != {self._store.data_version()}:
            return  # what is held here may be older than the file
        if not table_cache.is_kept(file, folder):
            table_cache.save(file, folder, images, counts)
