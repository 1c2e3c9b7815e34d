"""Before a training starts: would it learn what is intended? Labels, states, splits, boxes, copies, weights, settings.

Nothing is decoded: snapshot, settings and headers are enough. Copies of an image in two splits are found here if their
files are identical; pictures that are only nearly the same are found once they are read for the training.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from workbench.core.formatting import count, named
from workbench.core.project import AnchorSet, Image, Label, Snapshot, Split, State
from workbench.errors import WorkbenchError
from workbench.training import prepare
from workbench.training.batches import image_views
from workbench.training.checks.findings import INFO, STOPS, WARNING, Finding, sort_by_level
from workbench.training.checks.preflight_boxes import MOST_IMAGES, of_boxes
from workbench.training.checks.preflight_copies import advice_for, of_files
from workbench.training.checks.preflight_start import of_judges, of_length, of_settings, of_weights
from workbench.training.hold_out import folds_of, images_per_fold, shown_labels
from workbench.training.recipes import Recipe
from workbench.training.settings import BALANCING, TrainingSettings

FEW = 10  # boxes of a label; with fewer, nothing is learnt or measured reliably; as in workbench.health
TOLD_BY_RUN = ("split", "small", "no positive", "length", "goes on", "learnt")  # kinds that the run's log also reports
WAYS = {State.UNLABELLED: "unlabelled", State.IN_WORK: "in work", State.DONE: "done", State.VERIFIED: "verified"}


def preflight(
    snapshot: Snapshot, recipe: Recipe, anchors: AnchorSet | None, start: Path | None = None, *,
    most_images: int = MOST_IMAGES, ask: bool = True,
) -> tuple[Finding, ...]:  # fmt: skip
    """Findings before `recipe` is trained on `snapshot`, those that stop it first. Raises nothing.

    `snapshot`: all images of the project. `anchors` None: the published ones. `start`: the weights to start from.
    Of more than `most_images` training images an even sample is checked for boxes that can't be learnt. Without `ask`
    the detector is not asked which boxes nothing answers for: this takes the most time, and a run reports it itself.
    """
    found = [*_of_states(snapshot, recipe.training)]
    try:
        train, validation, notes = prepare.select_images(snapshot, recipe.training)
        views = len(image_views.learnt_views(train, recipe.training))
    except WorkbenchError as error:
        return sort_by_level([Finding(STOPS, "nothing to learn", error.sentence), *found])
    found += [Finding(note.level, "split", note.sentence) for note in notes]
    found += _of_labels(snapshot, train, validation, recipe.training)
    found += _of_negatives(train)
    found += of_boxes(train, recipe, anchors, start, most_images=most_images, ask=ask)
    found += of_files(snapshot, train, validation, advice_for(recipe.training))
    found += of_weights(start, recipe, [label.name for label in snapshot.labels], snapshot.former_names)
    found += of_judges(start, train, validation)
    found += of_settings(recipe, views, start)
    found += of_length(recipe, views)
    return sort_by_level(found)


# --- states ---


def _of_states(snapshot: Snapshot, settings: TrainingSettings) -> Iterator[Finding]:
    """Images outside the test split that the chosen states leave out."""
    counts = np.diff(snapshot.offsets)
    out = [
        (image, int(boxes))
        for image, boxes in zip(snapshot.images, counts, strict=True)
        if image.split is not Split.TEST and image.state not in settings.used_states()
    ]
    boxed = [image for image, boxes in out if boxes]
    if boxed:
        boxes = sum(boxes for _, boxes in out)
        subject = f"{count(len(boxed), 'image')} with {count(boxes, 'box')}"
        yield Finding(
            WARNING, "state", f"{subject} {_are(boxed)} left out: {_by_state(boxed)}.",
            f"Mark {'it as done if it is' if len(boxed) == 1 else 'them as done if they are'}, or choose other states"
            " in the recipe.", len(boxed), _ids(boxed),
        )  # fmt: skip
    empty = [image for image, boxes in out if not boxes]
    if empty:
        yield Finding(
            INFO, "state", f"{count(len(empty), 'image')} without boxes {_are(empty)} left out: {_by_state(empty)}.",
            "If there is nothing to find in an image, mark it as done: then it teaches that.", len(empty), _ids(empty),
        )  # fmt: skip


def _are(images: Sequence[Image]) -> str:
    return "is" if len(images) == 1 else "are"


def _by_state(images: Sequence[Image]) -> str:
    numbers = {state: sum(image.state is state for image in images) for state in State}
    if len(images) in numbers.values():  # not "3 images …: 3 unlabelled"
        return f"{'all ' if len(images) > 1 else ''}{WAYS[images[0].state]}"
    return ", ".join(f"{number:,} {WAYS[state]}" for state, number in numbers.items() if number)


def _of_negatives(train: Snapshot) -> Iterator[Finding]:
    """Images that are done and have no boxes are learnt as empty."""
    empty = [image for image, boxes in zip(train.images, np.diff(train.offsets), strict=True) if not boxes]
    if len(empty) * 2 > len(train):
        sentence = f"{len(empty):,} of {len(train):,} training images have no box: they teach that nothing is there."
        advice = "If they are just not labelled yet, set their state to unlabelled."
        yield Finding(WARNING, "empty", sentence, advice, len(empty), _ids(empty))


def _ids(images: Sequence[Image]) -> tuple[int, ...]:
    return tuple(image.id for image in images)


# --- labels ---


def _of_labels(
    snapshot: Snapshot, train: Snapshot, validation: Snapshot, settings: TrainingSettings
) -> Iterator[Finding]:  # fmt: skip
    """Labels with nothing or little to learn from, or nothing to be judged by. C = labels."""
    learnt, judged = (_boxes_of(some) for some in (train, validation))  # (C,) each
    labels, own = snapshot.labels, any(image.split is Split.VALIDATION for image in validation.images)
    unused = np.bincount(snapshot.label_index, minlength=len(labels)) == 0  # ignore regions count as used
    if unused.any():
        yield _about(labels, unused, "unused label", "without a box", "Delete what is not needed, or draw boxes.")
    foreign = (learnt == 0) & (judged > 0)
    if settings.folds:
        yield from _of_folds(settings.usable(snapshot), settings)
    elif foreign.any():
        yield _about(
            labels, foreign, "only in validation", "only in the validation images", "It can't be learnt, and its AP "
                "stays 0. Are the label ids of an import shifted? If not, label some in the training images, or split "
                "again.", _images_with(validation, foreign),
        )  # fmt: skip
    absent = (learnt == 0) & (judged == 0) & ~unused
    if absent.any():
        yield _about(
            labels, absent, "not in training", "not in the training images", "It can't be learnt: its boxes are in "
                "the test split, in images that are left out, or are ignore regions.",
            _images_with(snapshot, absent),
        )  # fmt: skip
    rare = (learnt > 0) & (learnt < FEW)
    if rare.any():
        yield _about(
            labels, rare, "rare label", f"with fewer than {FEW} boxes in training", "50 are a good start: label more, "
                "or merge labels that are alike.", _images_with(train, rare), learnt,
        )  # fmt: skip
    unjudged = (learnt > 0) & (judged == 0)
    if own and not settings.folds and len(validation.boxes) and unjudged.any():
        yield _about(
            labels, unjudged, "not in validation", "not in the validation images", "You will not know how well it is "
                "detected. Move some of its images to the validation split.", _images_with(train, unjudged),
        )  # fmt: skip


def _of_folds(usable: Snapshot, settings: TrainingSettings) -> Iterator[Finding]:
    """Labels that one of the trainings of a cross-validation, this or another one, can't learn."""
    shown = shown_labels(usable)
    ids = [image.id for image in usable.images]
    folds = folds_of(ids, lambda: usable.images, settings, shown)
    held = images_per_fold(folds, shown, (settings.folds, len(usable.labels)))
    alone = (held > 0).sum(axis=0) == 1
    if alone.any():
        better = BALANCING.get(settings.fold_by, settings.fold_by)
        folds = folds_of(ids, lambda: usable.images, replace(settings, fold_by=better), shown)
        otherwise = images_per_fold(folds, shown, (settings.folds, len(usable.labels)))
        helps = bool(((otherwise > 0).sum(axis=0)[alone] > 1).any())
        more = f"Label it in more images{f' or set Fold by to {better}' if helps else ''}."
        places = zip(_boxes_of(usable).tolist(), held.argmax(axis=0).tolist(), strict=True)
        yield _about(
            usable.labels, alone, "one fold", "with boxes in one fold alone", "The run that this fold judges can't"
                f" learn it, so its AP stays 0. {more}",
            _images_with(usable, alone), [f"{boxes:,} in fold {1 + fold}" for boxes, fold in places],
        )  # fmt: skip


def _boxes_of(snapshot: Snapshot) -> NDArray[np.int64]:
    """(C,) the number of boxes to be found, without crowds."""
    inside = snapshot.label_index[~np.asarray(snapshot.crowd, bool)]
    return np.bincount(inside, minlength=len(snapshot.labels)).astype(np.int64)


def _about(
    labels: Sequence[Label], which: NDArray[np.bool_], kind: str, what: str, advice: str,
    images: tuple[int, ...] = (), counts: Sequence[object] | NDArray[np.int64] | None = None,
) -> Finding:  # fmt: skip
    names = [
        f"'{label.name}'" + (f" ({counts[index]})" if counts is not None else "")
        for index, label in enumerate(labels)
        if which[index]
    ]
    return Finding(WARNING, kind, f"{count(len(names), 'label')} {what}: {named(names)}.", advice, len(names), images)


def _images_with(snapshot: Snapshot, labels: NDArray[np.bool_]) -> tuple[int, ...]:
    owners = np.repeat(np.arange(len(snapshot)), np.diff(snapshot.offsets))
    counts = np.bincount(owners[labels[snapshot.label_index]], minlength=len(snapshot))
    order = np.argsort(-counts, kind="stable")[: int((counts > 0).sum())]
    return tuple(snapshot.images[index].id for index in order.tolist())
