"""Takes over into the project what was changed in its text alone (text_changes): one edit, which undo takes back.

Ids that the text gives to what is new there are kept if nobody here ever had them, so that the text stays as it was
pulled; else a new box, image or label gets the next free one. Labels are known by their ids and, if both sides added
some, by their names; images by their folder and path.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from workbench.core import edits
from workbench.core.document import Document
from workbench.core.edits import Edit
from workbench.core.formatting import count, visible
from workbench.core.project import FLAGS, Box, Image, Label, Split, State
from workbench.core.storage import mirror
from workbench.core.storage.rows import Connection
from workbench.core.storage.text_changes import ImageChange, TextChanges, is_blank, place_of
from workbench.errors import Refused, WorkbenchError

_Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class TextMerge:
    """What can be taken over: the edit (None: nothing), of how many images, and how many are left, as they were changed
    here, too.
    """

    edit: Edit | None
    taken: int
    left: int

    @property
    def sentence(self) -> str:
        """What was done, once the edit is."""
        what = f"Taken over from the text: {count(self.taken, 'image')}." if self.taken else ""
        what = what or ("Taken over from the text: its labels." if self.edit is not None else "Nothing was taken over.")
        if self.left:
            stay = (
                "image stays as it is here, as it was"
                if self.left == 1
                else "images stay as they are here, as they were"
            )
            what += f" {self.left:,} {stay} changed on both sides."
        return what


def merge(document: Document, found: TextChanges) -> TextMerge:
    """What of the text can be taken over into the project.

    WorkbenchError if the text can't be read, or has boxes of a label or images of a folder that nobody knows.
    """
    if found.problem:
        raise WorkbenchError(found.sentence)
    return document.store.read(lambda connection: _Merge(connection, document, found).result())


class _Merge:
    """Collects the parts of one edit."""

    def __init__(self, connection: Connection, document: Document, found: TextChanges) -> None:
        self._document, self._found = document, found
        self._new_id = {table: _ids(connection, table, found.last_ids) for table in mirror.COUNTED}
        there, here, base = found.labels
        self._here = {label["id"]: Label(**label) for label in here}
        self._base = {label["id"]: Label(**label) for label in here if base is None}
        self._base |= {label["id"]: Label(**label) for label in base or ()}
        self._there = self._of_the_text([Label(**label) for label in there])
        self._label_ids: dict[int, int] = {}
        self._new_labels: list[Label] = []
        self._changed_labels: list[Label] = []
        self._added: list[Image] = []
        self._removed = [change.id for change in found.images if change.there is None and not change.both]
        gone = {*self._removed}  # whose files may have been added anew there
        rows = map(tuple, connection.execute("SELECT id, root, path FROM image"))
        self._paths = {(root, path): id for id, root, path in rows if id not in gone}
        self._boxes: tuple[list[Box], list[Box], list[int]] = [], [], []  # new, changed, gone
        self._settings: dict[Edit, list[int]] = {}  # of one image each, with their images

    def _of_the_text(self, labels: list[Label]) -> dict[int, Label]:
        """The labels there by their ids. Both sides may have given one id, and a person kept both labels: what came has
        the other one, which is no new name of ours.
        """
        ours = {(label.id, label.name) for label in (*self._here.values(), *self._base.values())}
        there = {label.id: label for label in sorted(labels, key=lambda label: (label.id, label.name) not in ours)}
        for id, number in Counter(label.id for label in labels).items():
            if number > 1 and (id, there[id].name) not in ours:
                self._base.pop(id, None)
        return there

    def result(self) -> TextMerge:
        if self._found.labels_changed:
            for label in self._there.values():
                if label.id not in self._base or label.id in self._here:  # else it was removed or merged here
                    self._label(label.id, "")
        taken = sum(self._take(change) for change in self._found.images)
        added, replaced, gone = self._boxes
        parts: list[Edit] = [edits.ChangeLabel(label) for label in self._changed_labels]
        for items, kind in (
            (self._new_labels, edits.AddLabels), (self._removed, edits.RemoveImages), (self._added, edits.AddImages),
            (gone, edits.RemoveBoxes), (replaced, edits.ReplaceBoxes), (added, edits.AddBoxes),
        ):  # fmt: skip
            if items:
                parts.append(kind(tuple(items)))  # type: ignore[arg-type]
        parts += [replace(kind, ids=tuple(ids)) for kind, ids in self._settings.items()]  # type: ignore[call-arg,arg-type]
        what = count(taken, "image") if taken else "the labels"
        edit = edits.Batch(tuple(parts), f"Take over {what} from the text") if parts else None
        return TextMerge(edit, taken, len(self._found.images) - taken)

    def _take(self, change: ImageChange) -> bool:
        """False if the image stays as it is here."""
        there, here = change.there, change.here
        if change.both:
            return False
        if there is None:
            return True
        if here is not None:
            self._change(change.id, there, here, change.place)
            return True
        id = self._paths.get(place_of(there))
        if id is None:
            self._add(change.id, there, change.place)
            return True
        mine = self._document.image(id)  # both sides added the same photograph
        same = {
            "state": str(mine.state),
            "split": str(mine.split),
            "note": mine.note,
            "boxes": self._document.boxes(id),
        }
        if not is_blank(same):
            return False
        self._change(id, there, same, change.place)
        return True

    def _change(self, image: int, there: _Record, here: _Record, place: str) -> None:
        self._set(image, there, here)
        added, replaced, gone = self._boxes
        mine = {box["id"]: box for box in here["boxes"]}
        theirs = {box["id"]: box for box in there["boxes"]}
        gone.extend(mine.keys() - theirs.keys())
        for id, box in theirs.items():
            if id not in mine:
                added.append(self._box(box, image, place, self._new_id["box"](id)))
            elif box != mine[id]:
                replaced.append(self._box(box, image, place, id))

    def _add(self, id: int, record: _Record, place: str) -> None:
        if record["root"] not in self._document.roots():
            folder = visible(self._found.folders.get(-record["root"], f"number {-record['root']}"), 200)
            reason = f"it has an image of a folder that this project does not know ({folder}); add that folder first"
            raise Refused(place, reason)
        about = {**mirror.USUAL, **record, "id": self._new_id["image"](id)}
        about |= {"state": State(about["state"]), "split": Split(about["split"])}
        image = Image(**{name: about[name] for name in ("id", "root", "path", *mirror.USUAL)})
        self._added.append(image)
        boxes = (self._box(box, image.id, place, self._new_id["box"](box["id"])) for box in record["boxes"])
        self._boxes[0].extend(boxes)

    def _set(self, id: int, there: _Record, here: _Record) -> None:
        theirs, mine = {**mirror.USUAL, **there}, {**mirror.USUAL, **here}
        kinds: Iterable[tuple[str, Callable[[str], Edit]]] = (
            ("state", lambda value: edits.SetState((), State(value))),
            ("split", lambda value: edits.SetSplit((), Split(value))),
            ("note", lambda value: edits.SetNote((), value)),
        )
        for name, kind in kinds:
            if theirs[name] != mine[name]:
                self._settings.setdefault(kind(theirs[name]), []).append(id)

    def _box(self, box: _Record, image: int, place: str, id: int) -> Box:
        x0, y0, x1, y1 = map(float, box["xyxy"])
        flags: dict[str, Any] = {flag: bool(box.get(flag, 0)) for flag in FLAGS}
        more = {name: box.get(name, "") for name in ("note", "extra")}
        return Box(id, image, self._label(box["label"], place), (x0, y0, x1, y1), **flags, **more)

    def _label(self, id: int, place: str) -> int:
        """The id here of a label there. It is added, or changed, if it is new or was changed there."""
        if id not in self._label_ids:
            if id not in self._there:
                raise Refused(place, f"it has a box of label {id}, which {mirror.HEAD} does not list")
            self._label_ids[id] = self._matched(self._there[id])
        return self._label_ids[id]

    def _matched(self, label: Label) -> int:
        mine, base = self._here.get(label.id), self._base.get(label.id)
        if mine is not None and label.name in (mine.name, base.name if base is not None else None):
            if label.name == mine.name and base == mine != label:  # its colour, key or place
                self._changed_labels.append(label)
            return label.id
        same = next((one.id for one in self._here.values() if one.name == label.name), 0)
        if same:
            return same
        is_elsewhere = mine is not None and any(mine.name == one.name for one in self._there.values())
        if mine is not None and base is not None and base.name == mine.name and not is_elsewhere:  # renamed there
            self._changed_labels.append(label if base == mine else replace(mine, name=label.name))
            return label.id
        last = max((one.position for one in (*self._here.values(), *self._new_labels)), default=-1)
        new = replace(label, id=self._new_id["label"](label.id), position=last + 1)
        self._new_labels.append(new)
        return new.id


def _ids(connection: Connection, table: str, there: dict[str, int] | Any) -> Callable[[int], int]:
    """Gives an id to what is new: its own in the text if that was never given here, else one that neither side has."""
    found = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (table,)).fetchone()
    last = int(found[0]) if found else 0
    following, given = max(last, int(there.get(table, 0))), set[int]()

    def id_of(wanted: int) -> int:
        nonlocal following
        if wanted <= last or wanted in given:
            following += 1
            wanted = following
        following = max(following, wanted)
        given.add(wanted)
        return wanted

    return id_of
