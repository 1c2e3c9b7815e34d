"""Which image of the project each image of a run's record is now: ids may mean others after an older copy was restored.

An image is the same if its id and its path are, or, for one that was renamed, its id and the date in its file; else it
is the one with its path, which has another id if it was added again. No torch here: the window reads this.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from workbench.core.files import stamp
from workbench.core.parsing import npz
from workbench.core.storage.image_table import ImageTable
from workbench.training.records.record import DATA, IMAGE_ARRAYS


def present_ids(folder: Path, images: ImageTable) -> Mapping[int, int] | None:
    """The present ids by those that the images had when the run in `folder` was started, without those that are gone.

    None if that is not known, because there is no record or it is damaged. Call it in a thread.
    """
    try:
        then = _recorded(folder / DATA, stamp(folder / DATA))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    places_then = {place for _, place, _ in then}
    ids, paths = images.ids.tolist(), images.paths.decode().split("\0")[: len(images)]
    places = list(zip(images.roots.tolist(), paths, strict=True))
    now = dict(zip(ids, zip(places, images.dates.tolist(), strict=True), strict=True))
    by_place = dict(zip(places, ids, strict=True))
    found = {}
    for id, place, date in then:
        here, dated = now.get(id, ((0, ""), 0.0))
        if here == place:
            found[id] = id
        elif place in by_place:
            found[id] = by_place[place]
        elif date and date == dated and here not in places_then:
            found[id] = id
    return found


@functools.lru_cache(maxsize=1)  # it is asked for at each evaluation of one training
def _recorded(file: Path, _stamp: tuple[int, int]) -> tuple[tuple[int, tuple[int, str], float], ...]:
    """Id, root with path, and date of each image of a record, which is read again only if it has changed."""
    try:
        ids, roots, dates, paths = npz.read(file, *IMAGE_ARRAYS)
        places = zip(roots.tolist(), paths.tobytes().decode().split("\0"), strict=True)
        return tuple(zip(ids.tolist(), places, dates.tolist(), strict=True)) if len(ids) else ()
    except ValueError:  # a record of before
        (encoded,) = npz.read(file, "head")
    return tuple(
        (int(image["id"]), (int(image.get("root", 1)), str(image["path"])), float(image.get("date", 0)))
        for image in json.loads(encoded.tobytes())["images"]
    )


def renumbered(ids: NDArray[np.int64], present: Mapping[int, int] | None) -> NDArray[np.int64]:
    """(n,) the present ids, 0 for images that are gone; `present` as from present_ids()."""
    return ids if present is None else np.array([present.get(id, 0) for id in ids.tolist()], np.int64)
