"""Divides images into training, validation and test; images that have a split keep it.

At random, or by rules: what belongs together (a folder, a video's frames, similar pictures) goes into one split, so
that nothing is measured on what was learnt; and each label is distributed in the wanted shares.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Sequence

import numpy as np

from workbench.core import formatting
from workbench.core.decoding.fingerprint import near_groups
from workbench.core.edits import Batch, Edit, SetSplit
from workbench.core.project import FINISHED, Image, Snapshot, Split
from workbench.errors import WorkbenchError

PARTS = (Split.TRAIN, Split.VALIDATION, Split.TEST)

SHARES = (0.8, 0.1, 0.1)
"""Training, validation, test."""


def random_split(images: Iterable[Image], seed: int) -> Edit | None:
    """The edit that gives each image without a split one, drawn by `seed`; None if all have one.

    SHARES refer to all images, including those that have a split, and likewise to those that are done or verified:
    chance often gives validation none of a few labelled images among many, and then nothing can be evaluated. With few
    images, validation gets one before test: without it no training can tell how good it is.
    """
    images = tuple(images)
    free = [image for image in images if image.split is Split.NONE]
    if not free:
        return None
    order = [free[i] for i in np.random.default_rng(seed).permutation(len(free))]
    validation, test = _for_later(images, len(order))
    done = [image.id for image in order if image.state in FINISHED]
    rest = [image.id for image in order if image.state not in FINISHED]
    done_validation, done_test = _for_later([image for image in images if image.state in FINISHED], len(done))
    done_validation = min(max(done_validation, validation - len(rest)), validation)
    validation -= done_validation
    done_test = min(max(done_test, test + validation - len(rest)), test)
    test -= done_test
    parts = {
        Split.VALIDATION: done[:done_validation] + rest[:validation],
        Split.TEST: done[done_validation:][:done_test] + rest[validation:][:test],
        Split.TRAIN: done[done_validation + done_test :] + rest[validation + test :],
    }
    return _edit(parts, f"Split {formatting.count(len(free), 'image')} at random")


def _for_later(images: Sequence[Image], free: int) -> tuple[int, int]:
    """How many of the `free` ones of these images go to validation and to test."""
    there = Counter(image.split for image in images)
    validation, test = (
        max(round(len(images) * share) - there[split], 0) for split, share in zip(PARTS[1:], SHARES[1:], strict=True)
    )
    if validation + test > free:  # not enough for both
        validation = round(free * validation / (validation + test))
    if not there[Split.VALIDATION]:
        validation = max(validation, min(1, free - (not there[Split.TRAIN])))
    return validation, min(test, free - validation)


def _edit(parts: dict[Split, list[int]], title: str) -> Edit:
    return Batch(tuple(SetSplit(tuple(sorted(ids)), split) for split, ids in parts.items() if ids), title)


def is_division(title: str) -> bool:
    """Whether a journal entry of this title divided images. (Splitting off a label begins with "Split", too.)"""
    return re.fullmatch(r"Split [0-9,]+ images? (at random|by rules)", title) is not None


_ROBOFLOW = re.compile(r"(_(jpe?g|png|bmp|webp|tiff?))?\.rf\.[0-9a-z]{16,}$", re.IGNORECASE)
"""What Roboflow's exports append to a file's name: the old suffix, and letters that distinguish copies."""


def by_folder(images: Iterable[Image]) -> list[Hashable]:
    """For each image, the folder it lies in."""
    return [(image.root, image.path.rpartition("/")[0]) for image in images]


def by_name(images: Iterable[Image], pattern: str = "") -> list[Hashable]:
    """For each image the part of its name that it shares with others: frames of a video, photographs of one patient.

    Without a pattern that is the name up to its last number ("ride 2_0017.jpg": "ride 2_"), without what Roboflow
    appends ("ride 2_0017_jpg.rf.<random letters>.jpg"). `pattern` is a regular expression that is searched in the path:
    its first group that matches something counts, or the whole match. An image where it finds nothing stands alone.
    WorkbenchError if it is not valid.
    """
    try:
        known = re.compile(pattern)
    except re.error as error:
        raise WorkbenchError(f"'{pattern}' is not a regular expression: {error}. Correct it.", error) from error
    keys: list[Hashable] = []
    for image in images:
        if pattern:
            found = known.search(image.path)
            keys.append(_matched(found) if found else ("alone", image.id))
        else:
            folder, _, name = image.path.rpartition("/")
            stem = _ROBOFLOW.sub("", name.rpartition(".")[0] or name)
            keys.append((image.root, folder, re.sub(r"\d+\D*$", "", stem)))
    return keys


def _matched(found: re.Match[str]) -> str:
    return next((group for group in found.groups() if group is not None), found.group())


def by_similarity(prints: Sequence[int | None]) -> list[Hashable]:
    """For each image the first of the images that look nearly like it, by fingerprint; itself if there is none."""
    keys: list[Hashable] = list(range(len(prints)))
    for rows in near_groups(prints):
        for row in rows:
            keys[row] = rows[0]
    return keys


def divide(
    snapshot: Snapshot,
    seed: int,
    groups: Sequence[Hashable] | None = None,
    *,
    shares: Sequence[float] = SHARES,
    stratify: bool = True,
    again: bool = False,
) -> Edit | None:
    """The edit that divides the images without a split (all, if `again`); None if there is nothing to do.

    Images with the same entry in `groups` (one for each image) go together, and join those of their group that already
    have a split. `stratify`: apply the shares to each label, not only to images: greedily, groups with rare labels
    first, each to the split that most lacks what the group holds (after Sechidis et al. 2011, On the stratification of
    multi-label data). `shares` need not add up to 1.
    """
    if min(shares) < 0 or sum(shares) <= 0:
        raise WorkbenchError("The shares of the splits must not be negative, and one must be more than 0.")
    amounts = _amounts(snapshot, stratify)  # (n, k)
    members: dict[Hashable, list[int]] = defaultdict(list)
    for row in range(len(snapshot)):
        members[groups[row] if groups is not None else row].append(row)
    wanted = np.outer(np.array(shares) / sum(shares), amounts.sum(axis=0))  # (3, k)
    there = np.zeros_like(wanted)
    parts: dict[Split, list[int]] = {split: [] for split in PARTS}
    open_: list[list[int]] = []
    for rows in members.values():
        settled = Counter(snapshot.images[row].split for row in rows) if not again else Counter[Split]()
        del settled[Split.NONE]
        for row in rows:
            if not again and snapshot.images[row].split is not Split.NONE:
                there[PARTS.index(snapshot.images[row].split)] += amounts[row]
        free = [row for row in rows if again or snapshot.images[row].split is Split.NONE]
        if free and settled:
            _give(PARTS.index(settled.most_common(1)[0][0]), free, snapshot, amounts, there, parts)
        elif free:
            open_.append(free)
    totals = np.maximum(amounts.sum(axis=0), 1e-9)
    chance = np.random.default_rng(seed).permutation(len(open_)).tolist()
    weight = [float((amounts[rows].sum(axis=0) / totals).sum()) for rows in open_]
    order = sorted(range(len(open_)), key=lambda i: (-weight[i], chance[i]))
    given: list[tuple[int, list[int]]] = []
    for i in order:
        given.append((emptiest(amounts[open_[i]].sum(axis=0), wanted, there, totals), open_[i]))
        _give(*given[-1], snapshot, amounts, there, parts)
    _one_for_validation(parts, given, snapshot, shares, there)
    before = {image.id: image.split for image in snapshot.images}
    parts = {split: [id for id in ids if before[id] is not split] for split, ids in parts.items()}
    count = sum(map(len, parts.values()))
    return _edit(parts, f"Split {formatting.count(count, 'image')} by rules") if count else None


def _amounts(snapshot: Snapshot, stratify: bool) -> np.ndarray:
    """(n, k) what each image adds to its split: one image, and its number of boxes of each label."""
    ones = np.ones((len(snapshot), 1))
    if not stratify:
        return ones
    counts = np.zeros((len(snapshot), len(snapshot.labels)))
    np.add.at(counts, (np.repeat(np.arange(len(snapshot)), np.diff(snapshot.offsets)), snapshot.label_index), 1)
    return np.concatenate([ones, counts], axis=1)


def emptiest(amount: np.ndarray, wanted: np.ndarray, there: np.ndarray, totals: np.ndarray) -> int:
    """The split (or fold) that lacks most of what a group adds (k,), measured as if half of the group were in it
    already. wanted, there: (splits, k); totals: (k,) of all groups, above 0.
    """
    lack = (wanted - there - amount / 2) / np.maximum(wanted, 1e-9)  # far below all others without a share
    return int((lack * (amount / totals)).sum(axis=1).argmax())


def _give(
    part: int, rows: list[int], snapshot: Snapshot, amounts: np.ndarray, there: np.ndarray,
    parts: dict[Split, list[int]],
) -> None:  # fmt: skip
    there[part] += amounts[rows].sum(axis=0)
    parts[PARTS[part]] += [snapshot.images[row].id for row in rows]


def _one_for_validation(
    parts: dict[Split, list[int]], given: list[tuple[int, list[int]]], snapshot: Snapshot, shares: Sequence[float],
    there: np.ndarray,
) -> None:  # fmt: skip
    """With few images, make sure validation gets a group: without it no training can tell how good it is.

    The smallest group of a split that has another; if there is none, the test split's.
    """
    if shares[1] <= 0 or there[1, 0] > 0:
        return
    groups = Counter(part for part, _ in given)
    spare = [rows for part, rows in given if groups[part] > 1] or [rows for part, rows in given if part == 2]
    if not spare:
        return
    ids = [snapshot.images[row].id for row in min(spare, key=len)]
    moved = set(ids)
    for kept in parts.values():
        kept[:] = [id for id in kept if id not in moved]
    parts[Split.VALIDATION] += ids
