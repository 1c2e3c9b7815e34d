"""How many images the settings select, and which anchors, in words, so that Start holds no surprise."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from workbench.core.document import Document
from workbench.core.formatting import count
from workbench.core.project import Split
from workbench.core.resize import base_mode
from workbench.core.storage.image_table import ImageTable
from workbench.detectors import DetectorSettings
from workbench.errors import WorkbenchError
from workbench.training import schedule
from workbench.training.hold_out import held_out, in_fold
from workbench.training.settings import BALANCED_GROUPS, TrainingSettings
from workbench.ui import anchor_words
from workbench.ui.train.work import DetectorChoice


def count_training_images(
    document: Document, training: TrainingSettings, choice: DetectorChoice | None = None,
    own: DetectorSettings | None = None,
) -> tuple[int, str]:  # fmt: skip
    """How many images are trained on, and a sentence on what will be used; `own`: the detector's settings, if known."""
    images = document.images()
    used, trained = _used(images, training)
    train = int(trained.sum())
    validation = int((used & images.in_split(Split.VALIDATION)).sum())
    if not train:
        return 0, (
            f"No image to train on: none is {training.states}. Mark images whose boxes are complete as done,"
            " or choose other states in the settings above."
        )
    anchors = "" if choice is not None and not choice.takes_anchors else f" {_anchors(document, training, choice, own)}"
    if training.folds:
        return _in_folds(images, used, training, anchors)
    out = 0 if validation else int(held_out(images.ids[trained], training).sum())
    held = f"{validation:,} to validate" if validation else _held_out(out)
    return train, f"{count(train - out, 'image')} to train on, {held}.{_length(training, train - out)}{anchors}"


def _used(images: ImageTable, training: TrainingSettings) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """(n,) which images the settings use, and (n,) to train on, or in folds to train on or be judged by."""
    used = np.any([images.in_state(state) for state in training.used_states()], axis=0)
    if training.folds:
        used &= ~images.in_split(Split.TEST)
    return used, used if training.folds else used & (images.in_split(Split.NONE) | images.in_split(Split.TRAIN))


def length_now(document: Document, training: TrainingSettings) -> TrainingSettings:
    """The settings with the epochs and the batch that a training on the project's images of now has (Least steps).

    Of folds it is their mean. With tiles they stay as they are: an epoch goes through more than the images.
    """
    if not training.least_steps:
        return training
    images = document.images()
    used, trained = _used(images, training)
    learnt = int(trained.sum())
    if training.folds:
        learnt -= learnt // training.folds
    elif not (used & images.in_split(Split.VALIDATION)).any():
        learnt -= int(held_out(images.ids[trained], training).sum())
    return _lengthen(training, learnt)


def _in_folds(
    images: ImageTable, used: NDArray[np.bool_], training: TrainingSettings, anchors: str
) -> tuple[int, str]:  # fmt: skip
    """As prepare.select_images() does in cross-validation; `used` (n,): the images that it divides."""
    try:
        judging = _judging(images, used, training)
    except WorkbenchError as error:
        return 0, error.sentence
    judges, learnt = int(judging.sum()), int((~judging).sum())
    if training.fold:
        which = f"fold {training.fold} of {training.folds}"
        about = "about " if training.fold_by in BALANCED_GROUPS else ""  # labels, unknown here, decide too
        words = f"{about}{count(learnt, 'image')} to train on, {judges:,} to validate: {which}"
    else:
        parts = f"{training.folds} folds, each of which judges a training on the others"
        words = f"{count(len(judging), 'image')} in {parts}"
    return learnt, f"{words}.{_length(training, learnt)}{anchors}"


def _judging(images: ImageTable, used: NDArray[np.bool_], training: TrainingSettings) -> NDArray[np.bool_]:
    """As in_fold(), of the `used` images. The last answer is kept, as the form asks at each keystroke."""
    asked = (training.seed, training.folds, training.fold, training.fold_by)
    key = (images.paths, images.ids.tobytes(), images.roots.tobytes(), used.tobytes(), asked)
    if key not in _known:
        found = in_fold(images.ids[used], lambda: tuple(itertools.compress(images, used.tolist())), training)
        _known.clear()
        _known[key] = found
    return _known[key]


_known: dict[tuple[object, ...], NDArray[np.bool_]] = {}


def _held_out(images: int) -> str:
    """As prepare.select_images() does if no image has the split validation."""
    return f"{images:,} held out to validate" if images else "and judged on the same ones, as they are too few"


def _length(training: TrainingSettings, images: int) -> str:
    """How the form's epochs and batch work out with so few images."""
    longer = _lengthen(training, images)
    return "" if longer == training else f" Because they are few: {lengthened(longer)}."


def _lengthen(training: TrainingSettings, images: int) -> TrainingSettings:
    return training if training.tiles else schedule.lengthen(training, max(images, 1), training.processes)


def lengthened(longer: TrainingSettings) -> str:
    """How long a training is that was made longer."""
    return f"{longer.epochs:,} epochs in batches of {longer.batch} (Least steps)"


def _anchors(
    document: Document, training: TrainingSettings, choice: DetectorChoice | None, own: DetectorSettings | None
) -> str:  # fmt: skip
    kept = document.anchors()
    if kept is None:
        return "Anchors: published."
    sentences = [f"Anchors: the project's {kept.made_for(own.input_px if own else 0)}."]
    if other := kept.other_tiles(training.tiles):
        side = f"{training.tiles:,} px" if training.tiles else "none"
        sentences.append(f"{other}: compute them again on the Anchors page with Tiles {side}.")
    if choice is None:
        return " ".join(sentences)
    number = len(kept.sizes)
    if choice.published_anchors not in (0, number):
        sentences.append(f"{anchor_words.other_number(choice.title, choice.published_anchors, number)}.")
    resize = (own.resize if own else None) or choice.resize
    other = anchor_words.other_resize(choice.title, resize, kept.resize)
    if other:
        sentences.append(f"{other}: choose {base_mode(resize)} on the Anchors page, and use what it finds.")
    return " ".join(sentences)
