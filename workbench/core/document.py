"""An open project: what it holds, edits with undo and redo that survive a restart, and listeners that get each edit.

There is no save: when `do` returns, the edit is on disk together with its journal row. Not to be shared between
threads; long jobs use `snapshot()`.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from workbench.core import edits
from workbench.core.applied_edit import AppliedEdit
from workbench.core.edits import Edit
from workbench.core.files import absolute, check_name
from workbench.core.folders import roots
from workbench.core.formatting import count
from workbench.core.former_names import current_names, with_former_names
from workbench.core.project import Box, Image, Label, Snapshot, State, colour_for
from workbench.core.storage import backups, edit_rules, file_checksum, journal_index, undo_steps
from workbench.core.storage.contents import MADE_IN, Contents
from workbench.core.storage.image_table import ImageTable
from workbench.core.storage.lock import FILE as LOCK
from workbench.core.storage.lock import Lock
from workbench.core.storage.rows import next_ids
from workbench.core.storage.snapshots import take
from workbench.core.storage.tables import PendingWrite
from workbench.core.store import FILE, IN_FORCE, Store, is_there
from workbench.errors import Damaged, WorkbenchError

Listener = Callable[[AppliedEdit], None]


def remove_files(folder: Path) -> None:
    """Remove the files of an unfinished project; the folder itself may be the user's own."""
    for name in (FILE, f"{FILE}-journal", LOCK):
        with contextlib.suppress(OSError):
            (folder / name).unlink(missing_ok=True)
    file_checksum.remove_record(folder / FILE)


class Document(Contents):
    """One project folder, open. Use `create` or `open`, and `close` at the end."""

    def __init__(self, folder: Path, store: Store, lock: Lock | None, cached: bool = True) -> None:
        super().__init__(folder, store, cached)
        self._lock = lock
        self._listeners: list[Listener] = []

    # --- opening and closing ---

    @classmethod
    def create(cls, folder: Path, images: Path | None = None, name: str = "") -> Document:
        """A new project in `folder` (made if missing), with the images of the folder `images` if given."""
        folder = absolute(folder)
        if is_there(folder / FILE):
            raise WorkbenchError(f"There is already a project in {folder}. Open it, or choose another folder.")
        backups.check_new(folder)
        if images is not None and not os.path.isdir(images):
            raise WorkbenchError(f"There is no folder {images}. Choose the folder that holds your photographs.")
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise WorkbenchError(f"The folder {folder} could not be made: {error.strerror or error}.", error) from error
        with contextlib.ExitStack() as undo:  # an unfinished project must not block the next attempt
            store = Store.create(folder / FILE)
            undo.callback(remove_files, folder)
            document = cls(folder, store, Lock(folder))
            undo.callback(document.close)
            with store.transaction() as connection:
                made = datetime.now().isoformat(timespec="microseconds")  # two may be made in one second
                for key, value in (("name", name or folder.name), (MADE_IN, folder.name), ("created", made)):
                    edits.ChangeSetting(key, value).apply(connection)
            if images is not None:
                document.add_folder(Path(images))
                document.clear_history()
            undo.pop_all()
        return document

    @classmethod
    def open(cls, folder: Path, read_only: bool = False, check: bool = True) -> Document:
        """Open the project in `folder` (or in the folder of a given project.sqlite).

        Read-only if requested, if another process is editing it, if the folder can't be written, or if a newer
        Workbench made it: `why_read_only` says which. `check` as in Store; a job that only reads, beside the one
        that edits, leaves the cache of the images alone, too.
        """
        cached = check or not read_only
        folder = absolute(folder)
        if folder.name == FILE:
            folder = folder.parent
        if not is_there(folder / FILE):
            raise backups.missing(folder)
        lock, why = None, "It was opened for reading only."
        if not read_only:
            lock = Lock(folder)
            if not lock.held:
                read_only, why = True, f"This project is being edited by {lock.holder}, so it is open for reading only."
                why += " To change it here, close it there, then open it again."
                if lock.problem:
                    why = (
                        f"The disk of this project has no locks ({lock.problem}), so it is open for reading only. Copy"
                        " it to another disk to change it."
                    )
                if not lock.writable:
                    why = f"The folder {folder} can't be written, so this project is open for reading only."
        try:
            store = Store(folder / FILE, read_only=read_only, why=why, check=check)
            if not store.read_only:
                store.compact()
        except BaseException as error:
            if lock is not None:
                lock.release()
            if isinstance(error, Damaged):
                raise backups.with_advice(folder, error) from error
            raise
        return cls(folder, store, lock, cached)

    def close(self) -> None:
        """Close the file and release the lock; safe to call twice."""
        self._tables.keep()
        self.store.close()
        if not self.read_only:
            file_checksum.record(self.store.file)
        if self._lock is not None:
            self._lock.release()

    def __enter__(self) -> Document:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def snapshot(self, ids: Collection[int] | None = None) -> Snapshot:
        """A frozen copy of everything, images in natural order; or of the images `ids`, in their order.

        If it is open for reading only, another process may be editing it: then it is read anew, at one moment.
        """
        if not self.read_only:
            return self._taken(ids)
        with self.store.copied() as store:
            document = Document(self.folder, store, None)
            document.adopt(store.read(ImageTable.read), document.images_version)  # not one cached for the file
            return document._taken(ids)

    def _taken(self, ids: Collection[int] | None) -> Snapshot:
        self._measure_labelled()
        labels, images, former = self.labels(), self.images(), current_names(self)
        if ids is None:
            return self.store.read(lambda c: take(c, labels, images, self.file, self.window(), former))
        chosen = ImageTable.of([self.image(id) for id in sorted(ids) if images.has(id)])
        return self.store.read(lambda c: take(c, labels, chosen, self.file, self.window(), former, some=True))

    def others_edits(self) -> int:
        """A number that changes with each edit that another process has made."""
        return self.store.data_version()

    def is_free(self) -> bool:
        """Whether this project, which is open for reading only, could now be opened for editing."""
        lock = Lock(self.folder)
        is_free = lock.held
        lock.release()
        return is_free

    # --- editing ---

    def do(self, edit: Edit) -> AppliedEdit:
        """Apply `edit`; when this returns it is on disk and can be undone. On an error nothing has changed.

        WorkbenchError if it would renumber labels on export while their order is locked.
        """
        if self.labels_locked and edit_rules.renumbers(edit, self.labels()):
            raise WorkbenchError(
                "The order of the labels is locked so that their numbers in exported files don't change. Unlock it"
                " first (the lock above the labels on the Data page)."
            )
        edit_rules.check_names(edit, {label.name for label in self.labels()})
        edit = with_former_names(edit, self)
        with self.store.transaction(edits=True) as connection:
            done, inverse = edit.apply(connection)
            connection.execute(f"DELETE FROM journal WHERE seq > {IN_FORCE}")
            journal_index.write(connection, edit.title, done, inverse)
        return self.tell("do", done, inverse, edit.title)

    @property
    def labels_locked(self) -> bool:
        """Whether labels keep their place on export; kept by edits.ChangeSetting("labels locked", True)."""
        return self.setting("labels locked") is True

    def undo(self) -> AppliedEdit | None:
        """Undo the newest edit; None if there is none."""
        return self._step("undo", undo_steps.undoable(self.store))

    def redo(self) -> AppliedEdit | None:
        """Redo the edit that was undone last; None if there is none."""
        return self._step("redo", undo_steps.redoable(self.store))

    def go_to(self, seq: int) -> AppliedEdit | None:
        """Undo or redo until edit `seq` is the newest in force (0: none is): all of it or, on an error, nothing.

        Listeners get it as one. None if it is that already; WorkbenchError if there is no such edit.
        """
        return self._step(*undo_steps.between(self.store, seq))

    def _step(self, kind: str, numbers: list[int]) -> AppliedEdit | None:
        if not numbers:
            return None
        with self.store.transaction(edits=True) as connection:
            done, inverse, title = undo_steps.apply_steps(connection, self, kind, numbers)
        return self.tell(kind, done, inverse, title, len(numbers))

    @property
    def undo_title(self) -> str:
        """The title of the edit that undo would revert, "" if there is none."""
        return self._title("SELECT title FROM journal WHERE undone = 0 ORDER BY seq DESC LIMIT 1")

    @property
    def redo_title(self) -> str:
        return self._title(f"SELECT title FROM journal WHERE seq > {IN_FORCE} ORDER BY seq LIMIT 1")

    def _title(self, choose: str) -> str:
        found = self.store.rows(choose)
        return str(found[0][0]) if found and not self.read_only else ""

    def clear_history(self) -> None:
        """Make the present state the beginning: undo goes no further back. For a project that was just created."""
        with self.store.transaction() as connection:
            connection.execute("DELETE FROM journal")
            connection.execute("DELETE FROM touched")

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` after every edit, undo and redo; call the returned function to stop that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener) if listener in self._listeners else None

    def tell(self, kind: str, edit: Edit, inverse: Edit, title: str, steps: int = 1) -> AppliedEdit:
        """Take over what is on disk, also if another connection of this process wrote it, and tell the listeners."""
        parts = [*edits.walk(edit), *edits.walk(inverse)]
        rows_kinds = (edits.SetState, edits.SetSplit, edits.AddImages, edits.RemoveImages)
        labels_kinds = (edits.AddLabels, edits.ChangeLabel, edits.RemoveLabel, edits.MergeLabels)
        applied = AppliedEdit(
            kind=kind,
            edit=edit,
            inverse=inverse,
            title=title,
            images=frozenset(edit.touches() | inverse.touches()),
            labels_changed=any(isinstance(part, labels_kinds) for part in parts),
            images_changed=any(isinstance(part, rows_kinds) for part in parts),
            settings_changed=any(isinstance(part, edits.ChangeSetting) for part in parts),
            steps=steps,
        )
        if applied.labels_changed:
            self._labels = None
        self._tables.follow(edit, inverse)
        if applied.settings_changed:
            self._knows_window = False
        for listener in tuple(self._listeners):
            listener(applied)
        return applied

    # --- edits that depend on the project's state ---

    def draw(self, boxes: tuple[Box, ...]) -> AppliedEdit:
        """Add boxes as a person draws them: an unlabelled image becomes one in work, in the same step."""
        add = edits.AddBoxes(boxes)
        fresh = tuple(sorted(i for i in add.touches() if self.image(i).state is State.UNLABELLED))
        if not fresh:
            return self.do(add)
        return self.do(edits.Batch((add, edits.SetState(fresh, State.IN_WORK)), add.title))

    def split_off(self, boxes: Sequence[Box], name: str) -> AppliedEdit:
        """Give these boxes a new label with this name, in one undo step. WorkbenchError if the name is taken."""
        (id,) = next_ids(self.store.connection, "label", [0])
        last = max((label.position for label in self.labels()), default=-1)
        label = Label(id, name, colour_for(id), position=last + 1)
        changed = tuple(replace(box, label=id) for box in boxes)
        title = f"Split '{name}' off, {count(len(boxes), 'box')}"
        return self.do(edits.Batch((edits.AddLabels((label,)), edits.ReplaceBoxes(changed)), title))

    # --- headers: facts, not decisions of a person, so they are not edits ---

    def measure(self, ids: Sequence[int]) -> None:
        """Read the headers of those of these images whose size is not known: damaged files may have been mended."""
        unknown = [image for image in map(self.image, ids) if not image.width]
        if unknown:
            from workbench.core.folders import image_records

            there = [image for image in unknown if os.path.exists(self.file(image))]
            found = [image_records.with_header(one, self.file(one), prove=bool(one.problem)) for one in there]
            if changed := [new for new, old in zip(found, there, strict=True) if new != old]:
                self.update_headers(changed)

    def adopt(self, images: ImageTable, images_version: int, writing: PendingWrite | None = None) -> None:
        """Take over a table that another connection read at this `images_version`; keep states set since then.

        For a project that is still being filled (new_project), so that nobody has to wait while it is read.
        `writing`: the table is ahead of the file, and edits wait until the file has all of it.
        """
        self._tables.adopt(images, images_version, writing)

    def forget_unwritten(self) -> bool:
        """Drop images that were shown but never written because reading their folder ended; whether there were any."""
        return self._tables.forget_unwritten()

    @property
    def images_version(self) -> int:
        """How often images were added or removed since the project was opened."""
        return self._tables.images_version

    def measured(self, image: Image) -> Image:
        """The image with its size, for which its header may be read."""
        self.measure([image.id])
        return self.image(image.id)

    @property
    def unlisted(self) -> int | None:
        """The root whose reading was interrupted before all its names were in the project."""
        from workbench.core.folders import image_records

        return self.store.read(image_records.unlisted_root)

    def update_headers(self, images: Sequence[Image], *, kept: bool = False) -> None:
        """Take over width, height, orientation and problem of these images; `kept`: they are on disk already."""
        if not (kept or self.read_only or self._tables.is_ahead or self.store.held):  # others write or read them then
            from workbench.core.folders import image_records

            with self.store.transaction() as connection:
                image_records.save_headers(connection, images)
        self._tables.set_headers(images)

    def _measure_labelled(self) -> None:
        """Read the sizes of images that were worked on before their header was read."""
        images = self.images()
        ids = images.ids[images.unsized]
        worked_on = (images.states[images.unsized] > 0) | (self.counts().of(ids) > 0)
        self.measure(ids[worked_on].tolist())

    # --- where images are ---

    def add_root(self, folder: Path) -> int:
        """The id of the root `folder`, added if new. Stored as relative if it lies inside the project's folder."""
        text = self._as_root(folder)
        for row in self.store.rows("SELECT id FROM root WHERE path = ?", text):
            return int(row["id"])
        with self.store.transaction() as connection:
            made = connection.execute("INSERT INTO root (path) VALUES (?)", (text,)).lastrowid
        return int(made or 0)

    def _as_root(self, folder: Path) -> str:
        folder = absolute(folder)
        check_name(folder)
        inside = folder == self.folder or self.folder in folder.parents
        return folder.relative_to(self.folder).as_posix() if inside else str(folder)

    def move_root(self, id: int, folder: Path) -> None:
        """Set where the images of a root are now (the folder was moved or the disk renamed).

        WorkbenchError if that folder is already another root of the project.
        """
        text = self._as_root(folder)
        if self.store.rows("SELECT id FROM root WHERE path = ? AND id != ?", text, id):
            raise WorkbenchError(f"{folder} is already a folder of this project. Choose another one.")
        with self.store.transaction() as connection:
            connection.execute("UPDATE root SET path = ? WHERE id = ?", (text, id))
        self._roots.clear()

    def add_described(self, folder: Path, images: Sequence[Image]) -> tuple[Image, ...]:
        """Add these images of `folder`, with paths relative to it, in one edit; returns those that were new."""
        at = self._place(folder)
        fresh = tuple({image.path: image for image in images if image.path not in at.known}.values())
        if fresh:
            root = self.add_root(at.root)
            self.do(edits.AddImages(tuple(replace(one, root=root, path=at.before + one.path) for one in fresh)))
        return fresh

    def add_folder(self, folder: Path) -> AppliedEdit | None:
        """Add the images of `folder` that the project does not have yet; None if there are none."""
        from workbench.core.folders import image_records

        at = self._place(folder)
        found = tuple(image_records.describe(Path(folder), 0, at.known))
        if not found:
            return None
        root = self.add_root(at.root)
        return self.do(edits.AddImages(tuple(replace(one, root=root, path=at.before + one.path) for one in found)))

    def _place(self, folder: Path) -> roots.ImageLocation:
        check_name(Path(folder))
        return roots.locate(Path(folder), self.folder, self.roots(), self.images())


def snapshot_of(folder: Path) -> Snapshot:
    """A snapshot of the project in `folder` as it is on disk: for a job, because it takes .7 s with 120,000 boxes."""
    with Document.open(folder, read_only=True, check=False) as document:
        return document.snapshot()
