"""Labels that nobody edited are exported byte for byte as the file they were imported from, in the same format.

The format writes all files; then those are replaced whose images are exactly those of an imported file, with the same
boxes, marks and states as far as the format holds them (content_hash.py), the same splits if files state them, and the
same label numbers.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path, PurePosixPath
from typing import cast

from workbench import formats
from workbench.core.files import atomic_write
from workbench.core.folders.image_lookup import to_posix
from workbench.core.project import Snapshot
from workbench.core.store import FILE, Store
from workbench.errors import WorkbenchError
from workbench.exchange import content_hash, origins
from workbench.exchange.origins import Archives, Origin
from workbench.formats import Format, Source, SupportsSources


def restore(snapshot: Snapshot, format: str, folder: Path, project: Path, copied: bool) -> int:
    """Replace files that `format` has just written below `folder` by the imported ones, if unedited; returns how many.

    `copied`: the images lie there, too, so the names in a file must lead to them; else the last part is enough.
    """
    member = formats.load_all().get(format)
    if not hasattr(member, "sources"):  # optional in a plugin
        return 0
    member = cast(SupportsSources, member)
    with Store(project / FILE, read_only=True, check=False) as store:
        known = store.read(origins.read)
    if not known:
        return 0
    by_file: dict[Path, dict[int, tuple[int, Source]]] = defaultdict(dict)  # by image id: its index and source
    for index, source in enumerate(member.sources(snapshot)):
        if source is not None:
            by_file[source.file][snapshot.images[index].id] = index, source
    came: dict[tuple[int, str], dict[int, Origin]] = defaultdict(dict)  # all images of each file, also those gone
    for id, several in known.items():
        for origin in several:
            if origin.format == format and origin.file:
                came[origin.id, origin.file][id] = origin
    restored, late = 0, dict[Path, bytes]()  # `late`: count pixels from another number than the files written here
    bases = set[int | None]()
    with Archives(project / origins.FOLDER) as archives:
        for file, rows in by_file.items():
            first = next(iter(rows))
            for one in known.get(first, ()):
                of_file = came.get((one.id, one.file), {})
                is_whole = of_file.keys() == rows.keys() and all(
                    is_as_it_came(of_file[id], snapshot, index, source, copied) for id, (index, source) in rows.items()
                )
                data = archives.bytes_of(one) if is_whole else None
                if data is None:
                    continue
                if one.base in (None, 1):
                    atomic_write(folder / file, data, sync=False)
                    restored += 1
                else:
                    late[file] = data
                    bases.add(one.base)
                break
    if late and len(late) == len(by_file) and len(bases) == 1:  # all files of a folder must count the same way
        for file, data in late.items():
            atomic_write(folder / file, data, sync=False)
        if _base_of(member, folder) in bases:
            return len(late)
        member.write(snapshot, folder)
    return restored


def _base_of(member: SupportsSources, folder: Path) -> int | None:
    """The first pixel's number that a reader of `folder` would assume."""
    try:
        return cast(Format, member).read(folder).base
    except WorkbenchError:
        return None


def is_as_it_came(origin: Origin, snapshot: Snapshot, index: int, source: Source, copied: bool) -> bool:
    """Whether the file of `origin` can replace what its format would write of image `index` as `source`."""
    if not _is_name_right(origin.name, source.name, copied):
        return False
    member = formats.load_all().get(origin.format)
    if getattr(member, "tells_splits", False) and origin.split not in (None, snapshot.images[index].split):
        return False
    if source.lists_labels and tuple(label.name for label in snapshot.labels) != origin.labels:
        return False
    if getattr(member, "first_number", None) is not None:
        used, came = set(snapshot.label_index[snapshot.rows(index)].tolist()), origin.labels
        if any(number >= len(came) or came[number] != snapshot.labels[number].name for number in used):
            return False
    return origin.is_of(content_hash.of_image(snapshot, index, member.cannot_store))


def _is_name_right(came: str, written: str, copied: bool) -> bool:
    if not came or not written:  # the file's own name says which image it is
        return True
    if copied:
        return to_posix(came) == to_posix(written)
    return PurePosixPath(to_posix(came)).name == PurePosixPath(to_posix(written)).name
