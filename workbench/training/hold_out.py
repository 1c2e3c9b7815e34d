"""Which training images are held out to evaluate on: where no image is in the validation split, or in cross-validation.

An image's own id decides what is held out, not its place among the others: however many images are labelled later, what
one training learnt from is not what the next one, which begins with its weights, is judged by. In cross-validation few
change places, for the sake of labels that a fold would lack.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from workbench.core.project import Image, Snapshot, Split
from workbench.core.splits import by_folder, by_name, emptiest
from workbench.errors import WorkbenchError
from workbench.training.settings import BALANCED, BALANCED_GROUPS, BALANCING, MOST_FOLDS, SINGLY, TrainingSettings

Shown = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Which labels are in which images: rows (m,) of images, ascending, and labels (m,), each pair once."""
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


def in_fold(
    ids: ArrayLike, images: Callable[[], Sequence[Image]], settings: TrainingSettings, shown: Shown | None = None
) -> NDArray[np.bool_]:
    """(n,) which images judge the training of fold `settings.fold`, from 1 to `settings.folds`; 0, each in turn, begins
    with the first. `images` and `shown` as in folds_of(). WorkbenchError if there is no such fold.
    """
    folds, fold = settings.folds, settings.fold or 1
    if not 1 <= fold <= folds or folds < 2:
        raise WorkbenchError(f"There is no fold {fold} of {folds}. Folds are 2 to {MOST_FOLDS}, counted from 1.")
    return np.asarray(folds_of(ids, images, settings, shown) == fold)


def folds_of(
    ids: ArrayLike, images: Callable[[], Sequence[Image]], settings: TrainingSettings, shown: Shown | None = None
) -> NDArray[np.int64]:
    """(n,) the fold of each image, from 1 to `settings.folds` (Stone 1974, J. R. Stat. Soc. B 36).

    `images()` are those with these ids (n,); they are asked for only where `settings.fold_by` groups them. Folds of
    single images are equally large, give or take one, and when some images come most keep theirs; groups need not.
    `shown`: the labels in these images, which BALANCING distributes; without it folds of single images have the same
    sizes, those of groups nearly.
    """
    if settings.fold_by in SINGLY:
        mixed = _mixed(np.asarray(ids, np.uint64), settings.seed)
        places = np.argsort(np.argsort(mixed, kind="stable"), kind="stable")
        folds = 1 + places * settings.folds // max(len(places), 1)
        return folds if shown is None or settings.fold_by != BALANCED else _balanced(folds, shown, settings.folds)
    keys = (by_folder if settings.fold_by in ("folder", BALANCING["folder"]) else by_name)(images())
    groups = Counter(keys)
    if shown is None or settings.fold_by not in BALANCED_GROUPS:
        dealt = _deal(groups, settings.folds, settings.seed)
    else:
        dealt = _deal_labels(groups, keys, shown, settings.folds, settings.seed)
    return np.array([1 + dealt[key] for key in keys], np.int64)


def shown_labels(snapshot: Snapshot) -> Shown:
    """The labels in each image of `snapshot`, without crowds."""
    owners = np.repeat(np.arange(len(snapshot)), np.diff(snapshot.offsets))
    inside, count = ~np.asarray(snapshot.crowd, bool), max(len(snapshot.labels), 1)
    pairs = np.unique(owners[inside] * count + snapshot.label_index[inside]).astype(np.int64)
    return pairs // count, pairs % count


def images_per_fold(folds: NDArray[np.int64], shown: Shown, shape: tuple[int, int]) -> NDArray[np.int64]:
    """`shape`, (folds, labels): how many images of each fold have each label. `folds` (n,) of the images, from 1."""
    rows, labels = shown
    cells = (folds[rows] - 1) * shape[1] + labels
    return np.bincount(cells, minlength=shape[0] * shape[1]).reshape(shape).astype(np.int64)


def _balanced(folds: NDArray[np.int64], shown: Shown, number: int) -> NDArray[np.int64]:
    """`folds` (n,), from 1, but for few images: so that each label is in as many of them as it can be.

    For a fold without a label, an image of one with several changes places with one of that fold, unless some label
    would be in fewer folds then. Rare labels come first, as in iterative stratification (Sechidis 2011, ECML PKDD);
    that one was refused, as with one box drawn anew it deals most images otherwise.
    """
    rows, labels = shown
    held = images_per_fold(folds, shown, (number, int(labels.max(initial=-1)) + 1))
    folds = folds.copy()
    begin = np.searchsorted(rows, np.arange(len(folds) + 1))

    def own(row: int) -> NDArray[np.int64]:
        return labels[begin[row] : begin[row + 1]]

    def may_go(row: int, fold: int) -> bool:
        here, there = held[folds[row] - 1, own(row)], held[fold - 1, own(row)]
        return bool(((here > 1) | (there == 0)).all())

    images = held.sum(axis=0)
    lacking = np.flatnonzero((held > 0).sum(axis=0) < np.minimum(images, number))
    for label in lacking[np.argsort(images[lacking], kind="stable")].tolist():
        having = rows[labels == label]
        for fold in (1 + np.flatnonzero(held[:, label] == 0)).tolist():
            several = held[folds[having] - 1, label]
            givers = having[np.argsort(-several, kind="stable")][: (several > 1).sum()].tolist()
            takers = np.flatnonzero(folds == fold).tolist()
            pairs = (
                (giver, taker) for giver in givers if may_go(giver, fold)
                for taker in takers if may_go(taker, folds[giver])
            )  # fmt: skip
            for giver, taker in itertools.islice(pairs, 1):
                for row, now in ((giver, fold), (taker, int(folds[giver]))):
                    held[folds[row] - 1, own(row)] -= 1
                    held[now - 1, own(row)] += 1
                    folds[row] = now
    return folds


def _shuffled(groups: Mapping[Hashable, int], seed: int) -> list[Hashable]:
    names = sorted(groups, key=str)
    return [names[i] for i in np.random.default_rng((seed, 3)).permutation(len(names))]


def _deal_labels(
    groups: Mapping[Hashable, int], keys: Sequence[Hashable], shown: Shown, folds: int, seed: int
) -> dict[Hashable, int]:  # fmt: skip
    """The fold of each group, from 0, so that images, and images of each label, are distributed evenly: groups with
    most of anything first, each to the fold that lacks most of it, as splits.divide() does. keys: (n,) of the images.
    """
    order = _shuffled(groups, seed)
    place = {name: row for row, name in enumerate(order)}
    rows, labels = shown
    amounts = np.zeros((len(order), 1 + int(labels.max(initial=-1)) + 1))  # images, and images of each label
    amounts[:, 0] = [groups[name] for name in order]
    owners = np.array([place[keys[row]] for row in rows.tolist()], np.int64)
    np.add.at(amounts, (owners, 1 + labels), 1)
    totals = np.maximum(amounts.sum(axis=0), 1e-9)
    wanted, there = np.tile(totals / folds, (folds, 1)), np.zeros((folds, amounts.shape[1]))
    dealt = {}
    for row in np.argsort(-(amounts / totals).sum(axis=1), kind="stable").tolist():
        fold = dealt[order[row]] = emptiest(amounts[row], wanted, there, totals)
        there[fold] += amounts[row]
    return dealt


def _deal(groups: Mapping[Hashable, int], folds: int, seed: int) -> dict[Hashable, int]:
    """The fold of each group, from 0: the largest first, each to the fold with the fewest images."""
    order = _shuffled(groups, seed)
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
