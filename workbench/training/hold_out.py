"""Which training images are held out to evaluate on where no image is in the validation split.

An image's own id decides, not its place among the others: however many images are labelled later, what one training
learnt from is not what the next one, which begins with its weights, is judged by.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from workbench.core.project import Snapshot, Split
from workbench.training.settings import TrainingSettings

STEP = 2_654_435_769
"""2**32 / the golden ratio: its multiples modulo 2**32 lie evenly, whichever ids follow each other (Knuth, The Art of
Computer Programming 3, section 6.4), so the share of those held out comes near the wanted one.
"""


def held_out(ids: ArrayLike, settings: TrainingSettings) -> NDArray[np.bool_]:
    """(n,) which of the images with these ids (n,) are held out; none if the wanted share of them is less than one."""
    numbers = np.asarray(ids, np.uint64)
    if round(len(numbers) * settings.hold_out) < 1:
        return np.zeros(len(numbers), bool)
    start = np.random.default_rng((settings.seed, 3)).integers(2**32, dtype=np.uint64)
    places = (numbers * np.uint64(STEP) + start) % np.uint64(2**32)
    chosen: NDArray[np.bool_] = places < settings.hold_out * 2**32
    chosen[places.argmin()] = True  # if none is below
    return chosen


def as_before(snapshot: Snapshot, settings: TrainingSettings) -> Snapshot:
    """`snapshot` with the images that earlier versions held out in the validation split, for runs that they trained."""
    usable = settings.usable(snapshot)
    train = usable.only(splits=(Split.NONE, Split.TRAIN))
    count = round(len(train) * settings.hold_out)
    if usable.only(splits=(Split.VALIDATION,)).images or not count:
        return snapshot
    order = np.random.default_rng((settings.seed, 3)).permutation(len(train))
    judges = {train.images[i].id for i in order[:count].tolist()}
    images = tuple(replace(one, split=Split.VALIDATION) if one.id in judges else one for one in snapshot.images)
    return replace(snapshot, images=images)
