"""Which training images are held out to evaluate on: where no image is in the validation split, or in cross-validation.

An image's own id decides what is held out, not its place among the others: however many images are labelled later, what
one training learnt from is not what the next one, which begins with its weights, is judged by.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from workbench.core.project import Image, Snapshot, Split
from workbench.core.splits import by_folder, by_name
from workbench.errors import WorkbenchError
from workbench.training.settings import MOST_FOLDS, TrainingSettings

STEP = 2_654_435_769
"""2**32 / the golden ratio: its multiples modulo 2**32 lie evenly, whichever ids follow each other (Knuth, The Art of
Computer Programming 3, section 6.4), so the share of those held out comes near the wanted one.
"""


def held_out(ids: ArrayLike, settings: TrainingSettings) -> NDArray[np.bool_]:
    """(n,) which of the images with these ids (n,) are held out; none if the wanted share of them is less than one."""
    numbers = np.asarray(ids, np.uint64)
    if round(len(numbers) * settings.hold_out) < 1:
        return np.zeros(len(numbers), bool)
    places = _places(numbers, settings.seed)
    chosen: NDArray[np.bool_] = places < settings.hold_out * 2**32
    chosen[places.argmin()] = True  # if none is below
    return chosen


def in_fold(ids: ArrayLike, images: Callable[[], Sequence[Image]], settings: TrainingSettings) -> NDArray[np.bool_]:
    """(n,) which images judge the training of fold `settings.fold`, from 1 to `settings.folds`; 0, each in turn, begins
    with the first. `images` as in folds_of(). WorkbenchError if there is no such fold.
    """
    folds, fold = settings.folds, settings.fold or 1
    if not 1 <= fold <= folds or folds < 2:
        raise WorkbenchError(f"There is no fold {fold} of {folds}. Folds are 2 to {MOST_FOLDS}, counted from 1.")
    return np.asarray(folds_of(ids, images, settings) == fold)


def folds_of(ids: ArrayLike, images: Callable[[], Sequence[Image]], settings: TrainingSettings) -> NDArray[np.int64]:
    """(n,) the fold of each image, from 1 to `settings.folds` (Stone 1974, J. R. Stat. Soc. B 36).

    `images()` are those with these ids (n,); they are asked for only where `settings.fold_by` groups them. Folds of
    single images are equally large, give or take one, and when some images come most keep theirs; groups need not.
    """
    if settings.fold_by == "image":
        mixed = _mixed(np.asarray(ids, np.uint64), settings.seed)
        places = np.argsort(np.argsort(mixed, kind="stable"), kind="stable")
        return 1 + places * settings.folds // max(len(places), 1)
    keys = by_folder(images()) if settings.fold_by == "folder" else by_name(images())
    dealt = _deal(Counter(keys), settings.folds, settings.seed)
    return np.array([1 + dealt[key] for key in keys], np.int64)


def _deal(groups: Mapping[Hashable, int], folds: int, seed: int) -> dict[Hashable, int]:
    """The fold of each group, from 0: the largest first, each to the fold with the fewest images."""
    names = sorted(groups, key=str)
    order = [names[i] for i in np.random.default_rng((seed, 3)).permutation(len(names))]
    sizes, dealt = [0] * folds, {}
    for name in sorted(order, key=lambda one: -groups[one]):
        dealt[name] = sizes.index(min(sizes))
        sizes[dealt[name]] += groups[name]
    return dealt


def _mixed(numbers: NDArray[np.uint64], seed: int) -> NDArray[np.uint64]:
    """(n,) these numbers hashed (SplitMix64: Steele 2014, OOPSLA): multiples of one that people label, such as every
    21st frame, lie close together in _places().
    """
    mixed = numbers + np.random.default_rng((seed, 3)).integers(2**64 - 1, dtype=np.uint64)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return np.asarray(mixed ^ (mixed >> np.uint64(31)))


def _places(numbers: NDArray[np.uint64], seed: int) -> NDArray[np.uint64]:
    """(n,) from 0 to 2**32"""
    start = np.random.default_rng((seed, 3)).integers(2**32, dtype=np.uint64)
    return (numbers * np.uint64(STEP) + start) % np.uint64(2**32)


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
