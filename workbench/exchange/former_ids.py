"""The ids of images and labels in imported files, for those that no present box remembers (no boxes, or only new ones).
Whatever refers to an image by its id, such as detections of another program, then still finds it.
"""

from __future__ import annotations

from pathlib import Path
from typing import cast

from workbench import formats
from workbench.core.project import Snapshot
from workbench.core.store import FILE, Store
from workbench.exchange import origins
from workbench.exchange.origins import Archives
from workbench.formats import FormerIds, Id, SupportsIds


def former_ids(snapshot: Snapshot, format: str, project: Path) -> FormerIds | None:
    """The ids from each image's newest import in this format whose file is kept; None if there is none, or no ids."""
    member = formats.load_all().get(format)
    if not hasattr(member, "ids_in"):
        return None
    with Store(project / FILE, read_only=True, check=False) as store:
        known = store.read(origins.read)
    images, labels = dict[int, Id](), dict[str, Id]()
    read = dict[tuple[str, str], tuple[dict[str, Id], dict[str, Id]]]()
    with Archives(project / origins.FOLDER) as archives:
        for index, image in enumerate(snapshot.images):
            came = (one for one in known.get(image.id, ()) if one.is_done and one.format == format and one.file)
            if (origin := next(came, None)) is None:
                continue
            file = origin.archive, origin.file
            if file not in read:
                read[file] = cast(SupportsIds, member).ids_in(archives.bytes_of(origin) or b"")
                labels |= {name: id for name, id in read[file][1].items() if name not in labels}
            if origin.name in read[file][0]:
                images[index] = read[file][0][origin.name]
    return FormerIds(images, labels) if images or labels else None
