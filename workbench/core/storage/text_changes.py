"""What git or another program changed in the text of a project (mirror) since Workbench wrote it.

Three states are compared, image by image: the text as it was written last (written_text), as it is now, and the
project. An image that was changed in the text alone can be taken over (text_merge); one that was changed on both sides
stays as the project has it. What only looks different, such as a size that was read on another machine, does not count.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workbench.core.formatting import count
from workbench.core.storage import git_marks, journal_index, mirror, mirror_reader, written_text
from workbench.core.store import FILE, IN_FORCE, Store
from workbench.errors import Refused, WorkbenchError

_LABEL = {"id": int, "name": str, "colour": str, "key": str, "position": int}
_COUNTS = ("state", "split", "note")
"""What counts of an image besides its path and boxes."""
_CHANGED = "The project's text in labels/ was changed by git or another program"
_Line = tuple[int, bytes, dict[str, Any]]
"""Number, bytes and content of a line that has an image."""


@dataclass(frozen=True, slots=True)
class ImageChange:
    """An image of which the text has something else: `there` is its record in the text, `here` that of the project.
    None: it has no such image. `both`: it was changed on both sides since the text was written.
    """

    id: int
    there: dict[str, Any] | None
    here: dict[str, Any] | None
    both: bool = False
    place: str = ""  # file:line


@dataclass(frozen=True, slots=True)
class TextChanges:
    """What is different in the text. `problem`: why it can't be taken over, "" if it can.

    `labels`: the lists of labels there, here and as last written (None: not known). `folders`: where images are, by the
    ids of the text. `files`: hashes of its files.
    """

    images: tuple[ImageChange, ...] = ()
    labels: tuple[list[dict[str, Any]], list[dict[str, Any]], list[dict[str, Any]] | None] = ([], [], None)
    labels_changed: bool = False
    last_ids: Mapping[str, int] = field(default_factory=dict)
    folders: Mapping[int, str] = field(default_factory=dict)
    problem: str = ""
    files: Mapping[str, str] = field(default_factory=dict)

    @property
    def ids(self) -> frozenset[int]:
        """Ids of the project's images that are different there."""
        return frozenset(one.id for one in self.images if one.here is not None)

    @property
    def both(self) -> int:
        """How many images were changed here, too."""
        return sum(one.both for one in self.images)

    @property
    def sentence(self) -> str:
        if self.problem:
            return f"{_CHANGED}, and can't be read: {self.problem}."
        what = f"{count(len(self.images), 'image')} {'is' if len(self.images) == 1 else 'are'} different there"
        if not self.images:
            what = "its list of labels is different"
        more = f", {self.both:,} of which {'was' if self.both == 1 else 'were'} changed here, too" if self.both else ""
        return f"{_CHANGED}: {what}{more}."


class TextChanged(WorkbenchError):
    """The text was not written, because it would replace what another program has changed there."""


def write(folder: Path, blocks: Collection[int] | None = None, edits: Sequence[int] = ()) -> int:
    """As mirror.write. TextChanged, and nothing is written, if another program has changed the text, or if that can't
    be seen, as while it has a file of it.
    """
    found = _look(folder)
    if found is not None:
        raise TextChanged(f"{found.sentence} It was left as it is.")
    return mirror.write(folder, blocks, edits)


def find(folder: Path) -> TextChanges | None:
    """What another program changed in the text of the project in `folder`; None if nothing that counts, or if it can't
    be read just now: write() asks again.
    """
    try:
        return _look(folder)
    except TextChanged:
        return None


def _look(folder: Path) -> TextChanges | None:
    """find(), but TextChanged if it can't be read."""
    text = folder / mirror.FOLDER
    if not os.path.exists(text / mirror.HEAD):
        return None  # it was deleted, as it may be
    with Store(folder / FILE, read_only=True, check=False) as store:
        return store.read(lambda connection: _find(connection, text))


def _find(connection: sqlite3.Connection, text: Path) -> TextChanges | None:
    present, kept = _files(text)
    files = _unrecorded(present, kept)
    gone = [name for name in written_text.recorded_names(text) if name not in present]
    if not files and not gone:
        return None
    hashes = {name: written_text.sha256_of(data) for name, data in files.items()}
    unmerged = git_marks.first(files.get(mirror.HEAD, b""))
    try:
        head = _head(text)
        of_head = kept[mirror.HEAD]
        newer, roots = _changed_since(connection, head, of_head), _roots(connection, head, of_head)
        images = [
            change
            for name, data in files.items()
            if name != mirror.HEAD
            for change in _block_changes(
                connection, name, data.splitlines(), kept[name] or _empty(name, of_head), newer, roots
            )
        ]
        for name in gone if gone and _is_complete(text, head, present) else ():
            images += _block_changes(connection, name, None, written_text.read_record(text / name), newer, roots)
        base = list(of_head.head["labels"]) if of_head is not None else None
        here = [dict(row) for row in connection.execute("SELECT id, name, colour, key, position FROM label")]
        if base is not None:
            labels_changed = _is_other(head["labels"], base) and _is_other(head["labels"], here)
        else:
            given = connection.execute("SELECT max(seq) FROM sqlite_sequence WHERE name = 'label'").fetchone()[0] or 0
            labels_changed = any(label["id"] > given for label in head["labels"])
    except Refused as refused:
        if all(name == mirror.HEAD for name in files) and not unmerged:
            return None  # without changes of images it would be written as the project has it
        return TextChanges(problem=refused.sentence, files=hashes)
    if images or labels_changed:
        last = {name: id for name, id in head.get("last ids", {}).items() if mirror_reader.is_id(id)}
        folders = {root["id"]: root["path"] for root in head["roots"]}
        return TextChanges(tuple(images), (head["labels"], here, base), labels_changed, last, folders, files=hashes)
    for name, data in files.items():
        written_text.record(text / name, data)
    return None


def _files(text: Path) -> tuple[dict[str, Path], dict[str, written_text.WrittenFile | None]]:
    """The files of the text, and what was recorded of each, by name."""
    present = {mirror.HEAD: text / mirror.HEAD, **{file.name: file for _, file in mirror.block_files(text)}}
    return present, {name: written_text.read_record(file) for name, file in present.items()}


def _unrecorded(present: Mapping[str, Path], kept: Mapping[str, written_text.WrittenFile | None]) -> dict[str, bytes]:
    """The content of those of these files that are not as they were recorded. TextChanged if one can't be read."""
    try:
        changed = (name for name, file in present.items() if not written_text.is_as_recorded(file, kept[name]))
        return {name: present[name].read_bytes() for name in changed}
    except OSError as error:
        sentence = "The project's text in labels/ can't be read just now, so it was left as it is. It is written later."
        raise TextChanged(sentence, error) from error


def _is_other(one: list[dict[str, Any]], other: list[dict[str, Any]]) -> bool:
    return sorted(map(_plain, one)) != sorted(map(_plain, other))


def _plain(value: object) -> str:
    return json.dumps(value, sort_keys=True)


def _head(text: Path) -> dict[str, Any]:
    """Of two sides that git could not merge either, if they have the same labels: then only numbers are different."""
    shown = f"{mirror.FOLDER}/{mirror.HEAD}"
    try:
        lines = (text / mirror.HEAD).read_bytes().splitlines(keepends=True)
    except OSError as error:
        raise Refused(shown, f"it can't be read ({error.strerror or error})") from error
    sides = [b"".join(side) for side in git_marks.sides(lines)]
    heads = [mirror.parse_head(side) for side in dict.fromkeys(sides)]
    for head in heads:
        lists = isinstance(head["labels"], list) and isinstance(head["roots"], list)
        if not (lists and isinstance(head.get("last ids", {}), dict) and all(map(_is_root, head["roots"]))):
            raise Refused(shown, "this is not the head of a project as Workbench writes it")
        for label in head["labels"]:
            if not isinstance(label, dict) or {name: type(value) for name, value in label.items()} != _LABEL:
                raise Refused(shown, "it has a label that is not as Workbench writes it")
    if any(head["labels"] != heads[0]["labels"] for head in heads):
        reason = "git could not merge its labels. Keep those of both sides, one of each other line, and no marks"
        raise Refused(shown, reason, git_marks.first(b"".join(lines)))
    return heads[-1]


def _is_root(value: object) -> bool:
    return isinstance(value, dict) and mirror_reader.is_id(value.get("id")) and isinstance(value.get("path"), str)


def _roots(
    connection: sqlite3.Connection, head: dict[str, Any], of_head: written_text.WrittenFile | None
) -> dict[int, int]:
    """The id here of each folder of images that the text has, below zero if the project has no such folder. Its path
    may be another there, on another machine; one that was added since the text was written has the same on both sides.
    """
    here = {int(row["id"]): str(row["path"]) for row in connection.execute("SELECT id, path FROM root")}
    before = here.keys() if of_head is None else {root["id"] for root in of_head.head["roots"]}
    by_path = {path: id for id, path in here.items()}
    known = {id: id for id in before & here.keys()}
    return {root["id"]: by_path.get(root["path"], -root["id"]) for root in head["roots"]} | known


def _is_complete(text: Path, head: dict[str, Any], present: Mapping[str, Path]) -> bool:
    """Whether the images of a file that is gone are so on purpose: the head has no more than the other files."""
    number = 0
    for name, file in present.items():
        if name != mirror.HEAD:
            number += len(_records(enumerate(file.read_bytes().splitlines(), 1), name))
    return bool(number == head["images"])


def _empty(name: str, of_head: written_text.WrittenFile | None) -> written_text.WrittenFile | None:
    """The record of a file that was not there, as no image of it was, when the text was written last. None: it was."""
    if of_head is None or not mirror_reader.is_id(last := of_head.head.get("last ids", {}).get("image")):
        return None
    return written_text.WrittenFile(0, 0, "", {}, {}) if int(Path(name).stem) > mirror.block_of(last) else None


def _changed_since(
    connection: sqlite3.Connection, head: Mapping[str, Any], of_head: written_text.WrittenFile | None
) -> Collection[int] | None:
    """Ids of the images that were changed here by edits that the text with this head does not count; None: perhaps all,
    as it counts none (mirror.outdate), or as it is not known which images an edit touched.

    `of_head`: the head as it was written here, if that is known: another clone of the project counts its own edits.
    """
    if head.get("edits", ()) is None:
        return None
    if of_head is not None:
        head = of_head.head
    if head["roots"] != mirror.roots_in(connection):
        return ()  # the photographs are elsewhere where it was written
    try:
        last, undone = map(int, head["edits"])
        then = "SELECT seq FROM journal WHERE seq <= ? ORDER BY seq DESC LIMIT 1 OFFSET ?"
        found = connection.execute(
            f"SELECT DISTINCT image FROM touched WHERE seq > min(ifnull(({then}), 0), {IN_FORCE})", (last, undone)
        )
        images = {int(row[0]) for row in found}
    except (KeyError, TypeError, ValueError, OverflowError):
        return ()
    return None if images & {journal_index.ANY_IMAGE, journal_index.TOO_LONG} else images


def _block_changes(
    connection: sqlite3.Connection,
    name: str,
    lines: Sequence[bytes] | None,
    kept: written_text.WrittenFile | None,
    newer: Collection[int] | None,
    roots: Mapping[int, int],
) -> Iterator[ImageChange]:
    """The changes in one file, of which lines that are equal on both sides are not read, as a million boxes take a
    minute, except between marks of git: the other side may have removed them. `lines`: None if the file is gone.
    `kept`: as it was written, None if that is not known: then the text is taken to be just older than the images in
    `newer` (_changed_since), which count as changed here alone.
    """
    ours, theirs = mirror.read_block(connection, int(Path(name).stem)).encode().splitlines(), lines or ()
    equal = {*ours[:-1]}.intersection(theirs)  # not the last, which says that a file is whole
    for id in (id for id, here_id in roots.items() if id != here_id):  # its lines are of other photographs
        equal = {line for line in equal if b'"root":%d,' % id not in line}
    mine_alone = _records(git_marks.numbered(ours, equal), name)
    here = {record["id"]: (written_text.hash_of_line(line), record) for _, line, record in mine_alone}
    shown, known = f"{mirror.FOLDER}/{name}", {written_text.id_of_line(line): line for line in equal}
    there = dict[int, tuple[str, str, dict[str, Any]]]()
    for number, line, record in _records(git_marks.numbered(theirs, equal), name) if lines is not None else ():
        id, now = record["id"], (f"{shown}:{number}", written_text.hash_of_line(line), record)
        record["root"] = roots.get(record["root"], -record["root"])
        if id in there or id in known:
            before = there[id][2] if id in there else mirror_reader.decode(known[id].decode())
            if id in there and id in here and place_of(here[id][1]) == place_of(record):
                now, there[id] = there[id], now
            if place_of(before) == place_of(record) or _has_image(connection, now[2]):
                raise Refused(shown, f"it has the image {id} twice; remove one of the lines", number)
            yield ImageChange(id, now[2], None, place=now[0])  # both sides gave this id to an image
            continue
        there[id] = now
    base = kept.lines if kept is not None else {}
    for id, (place, hashed, record) in there.items():
        mine_hashed, mine = here.get(id, (None, None))
        is_same = mine is None or place_of(mine) == place_of(record)
        if kept is None and is_same and (newer is None or id in newer):
            continue
        is_equal = hashed in (base.get(id), mine_hashed if is_same else None)
        if is_equal or (mine is not None and _substance(mine) == _substance(record)):
            continue
        if not is_same:
            yield ImageChange(id, record, None, place=place)  # both sides gave this id to an image
        elif mine is None:
            yield ImageChange(id, record, None, id in base, place)
        else:
            yield ImageChange(
                id, record, mine, kept is not None and _is_changed(mine, mine_hashed, base.get(id)), place
            )
    for id in base.keys() & here.keys() - there.keys():
        yield ImageChange(id, None, here[id][1], base[id] != here[id][0])


def _has_image(connection: sqlite3.Connection, record: dict[str, Any]) -> bool:
    return bool(connection.execute("SELECT 1 FROM image WHERE root = ? AND path = ?", place_of(record)).fetchone())


def place_of(record: dict[str, Any]) -> tuple[int, str]:
    """Where the file of an image is: the id of its root, and its path from there."""
    return record["root"], record["path"]


def _is_changed(mine: dict[str, Any], hashed: str | None, base: str | None) -> bool:
    """Whether a person changed this image of the project since the text was written, or labelled it if it is new."""
    return hashed != base if base is not None else not is_blank(mine)


def is_blank(record: dict[str, Any]) -> bool:
    """Whether nobody has said anything of this image yet."""
    return not record["boxes"] and all(record.get(name, mirror.USUAL[name]) == mirror.USUAL[name] for name in _COUNTS)


def _substance(record: dict[str, Any]) -> object:
    about = {**mirror.USUAL, **record}
    boxes = sorted(map(_plain, record["boxes"]))
    return (place_of(record), *(about[name] for name in _COUNTS), boxes)


def _records(lines: Iterable[tuple[int, bytes]], name: str) -> list[_Line]:
    """Those of these numbered lines of the file `name` that have an image. Refused, with file and line, for any other
    but the seal, and if there is no seal: the file was cut off, or is just being written, and the images that it lacks
    were not removed.

    After a merge the seal does not match, or git has left both sides': marks around such lines alone are passed over.
    """
    shown, found, is_sealed, mark = f"{mirror.FOLDER}/{name}", list[_Line](), False, 0
    for number, line in lines:
        if git_marks.is_mark(line):
            mark = 0 if git_marks.is_last(line) else mark or number
            continue
        try:
            record = mirror_reader.decode(line.decode())
            if isinstance(record, dict) and "sha256" in record and "id" not in record:
                is_sealed = True
                continue
            if mark:
                reason = "git could not merge these lines. Choose one line for each image, and remove git's marks"
                raise Refused(shown, reason, mark)
            mirror_reader.check(record)
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
            raise Refused(shown, "this is not an image as Workbench writes it", number, cause=error) from error
        found.append((number, line, record))
    if not is_sealed:
        raise Refused(shown, "it was cut off: the last line, which counts the others, is missing")
    return found


def settle(folder: Path, found: TextChanges, *, aside: bool) -> Path | None:
    """Write the text anew: what was found in it is in the project now, or is not wanted.

    `aside`: a copy of the text is kept, whose folder is returned. Nothing is written and WorkbenchError is raised if
    there is no room for it, TextChanged if the text was changed again since `found`.
    """
    text = folder / mirror.FOLDER
    present, kept = _files(text)
    files = _unrecorded(present, kept)
    if {name: written_text.sha256_of(data) for name, data in files.items()} != found.files:
        raise TextChanged("The project's text in labels/ has just been changed again. Look at it once more.")
    copy = mirror.copy_aside(text) if aside else None
    mirror.write(folder)
    return copy
