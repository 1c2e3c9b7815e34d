"""Before a training starts: which images it learns from, which it is judged by, and whether it can work."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from workbench import detectors
from workbench.anchors.sizes import LEAST_SIDE
from workbench.core.formatting import count as counted
from workbench.core.formatting import named
from workbench.core.project import AnchorSet, Snapshot, Split
from workbench.core.resize import base_mode
from workbench.detectors.parts.detector import Detector, Targets
from workbench.errors import WorkbenchError
from workbench.training import schedule
from workbench.training.batches import augment
from workbench.training.batches.data import Dataset
from workbench.training.events import Message
from workbench.training.hold_out import held_out, in_fold, shown_labels
from workbench.training.recipes import Recipe
from workbench.training.settings import FEW_JUDGES, SINGLY, TrainingSettings

HEAVIEST = 10.0  # the most that a label may weigh
NAMED = 8  # images named of a step that went wrong
AT_ONCE = 8  # images whose boxes are matched with anchors at a time: all are padded to the one with the most boxes
LOOKED_AT = 128  # images whose boxes are matched before the first step: RetinaNet at 800 px takes .1 s for each


def select_images(snapshot: Snapshot, settings: TrainingSettings) -> tuple[Snapshot, Snapshot, list[Message]]:
    """Training images, validation images, and what a person should know about the choice.

    Without a validation split some training images are held out (hold_out.py). If there are too few for that, the
    training images are evaluated. In cross-validation a fold judges. WorkbenchError if there is nothing to learn from.
    """
    if not snapshot.labels:
        raise WorkbenchError("The project has no labels. Add a label and draw some boxes first.")
    usable = settings.usable(snapshot)
    if not len(usable):
        raise WorkbenchError(_nothing(snapshot, settings))
    if settings.folds:
        train, validation, notes = _fold(usable, settings)
        return train, validation, notes + _boxless(validation)
    train = usable.only(splits=(Split.NONE, Split.TRAIN))
    validation = usable.only(splits=(Split.VALIDATION,))
    notes = []
    if not len(train):
        raise WorkbenchError("No image is in the training split. Give some images the split train.")
    if not len(train.boxes):
        raise WorkbenchError("There is not a single box in the training images. Draw some boxes first.")
    if not len(validation):
        train, validation, note = _held_out(train, settings)
        notes.append(note)
    return train, validation, notes + _boxless(validation)


def _boxless(validation: Snapshot) -> list[Message]:
    if len(validation.boxes):
        return []
    return [Message("warning", "The validation images have no boxes, so AP can't be computed.")]


def _nothing(snapshot: Snapshot, settings: TrainingSettings) -> str:
    words = {"done": "done or verified", "verified": "verified", "in work": "in work, done or verified"}
    if not len(snapshot):
        return "The project has no images. Add a folder of photographs first."
    if all(image.split is Split.TEST for image in snapshot.images):
        all_ = "The only image is" if len(snapshot) == 1 else f"All {len(snapshot):,} images are"
        return f"{all_} in the test split. Training needs images in the split train."
    outside = sum(image.split is not Split.TEST for image in snapshot.images)
    none = "The only image" if outside == 1 else f"None of the {outside:,} images"
    where = " outside the test split" if outside < len(snapshot) else ""
    is_not = "is not" if outside == 1 else "is"
    return (
        f"{none}{where} {is_not} {words[settings.states]}."
        " Mark labelled images as done, or choose other states in the recipe."
    )


def _held_out(train: Snapshot, settings: TrainingSettings) -> tuple[Snapshot, Snapshot, Message]:
    judges = held_out([image.id for image in train.images], settings)
    rest = train.take(np.flatnonzero(~judges).tolist())
    if not judges.any() or not len(rest.boxes):
        note = "No image is in the validation split: AP is computed on the training images, so it says little."
        return train, train, Message("warning", note)
    note = (
        f"No image is in the validation split: {judges.sum():,} of the {len(train):,} training images, chosen by the"
        " seed, are held out to evaluate on."
    )
    return rest, train.take(np.flatnonzero(judges).tolist()), Message("info", note)


def _fold(usable: Snapshot, settings: TrainingSettings) -> tuple[Snapshot, Snapshot, list[Message]]:
    judges = in_fold([image.id for image in usable.images], lambda: usable.images, settings, shown_labels(usable))
    train, validation = (usable.take(np.flatnonzero(some).tolist()) for some in (~judges, judges))
    what = f"fold {settings.fold or 1} of {settings.folds}"
    if not len(validation):
        few = f"only {len(usable):,}" if settings.fold_by in SINGLY else "fewer groups"
        raise WorkbenchError(f"There is no image in {what}, as there are {few}. Choose fewer folds.")
    if not len(train):
        raise WorkbenchError(f"All images are in {what}, as they are one group. Choose another Fold by (--fold-by).")
    if not len(train.boxes):
        raise WorkbenchError(f"There is not a single box outside {what}. Draw some boxes first, or choose fewer folds.")
    note = f"Cross-validation: {what}, {counted(len(validation), 'image')} of any split but test, judges this training."
    return train, validation, [Message("info", note)]


def build(recipe: Recipe, labels: int, anchors: AnchorSet | None) -> Detector:
    """The recipe's detector with fresh weights; anchors are scaled from their input side to the recipe's."""
    sizes = None
    if anchors is not None and anchors.sizes:
        factor = recipe.detector_settings.input_px / anchors.input_px
        sizes = tuple((w * factor, h * factor) for w, h in anchors.sizes)
    kind = detectors.load_all().get(recipe.detector)
    sizes = sizes if kind.published_anchors else None  # detectors without anchors get none
    return detectors.build(recipe.detector, recipe.detector_settings, labels, sizes)


def label_weights(data: Dataset, power: float) -> torch.Tensor:
    """(C,) the weight of each label's boxes: (boxes of the commonest label / its own) to this power, at most 10."""
    counts = np.bincount(data.labels[~data.ignore], minlength=len(data.snapshot.labels))
    weights = (max(counts.max(initial=0), 1) / np.maximum(counts, 1)) ** power
    return torch.from_numpy(weights.clip(max=HEAVIEST).astype(np.float32))


def anchors_from(detector: Detector, chosen: AnchorSet | None, tiles: int = 0) -> list[Message]:
    """Which anchors are used, and where they came from; `tiles`: the training's setting."""
    if not detector.anchors:
        return []
    if chosen is None:
        return [Message("info", f"Anchors: the {len(detector.anchors):,} published ones.")]
    source = f": {chosen.source}" if chosen.source else ""
    notes = [Message("info", f"Anchors: {chosen.made_for()}{source}.")]
    if base_mode(detector.resize) != base_mode(chosen.resize):
        notes.append(
            Message(
                "warning",
                f"{detector.title} resizes images to its input by {base_mode(detector.resize)}, but"
                f" these anchors were made for {base_mode(chosen.resize)}. Compute them again for that on the Anchors"
                f" page, or with workbench anchors --resize {base_mode(detector.resize)} --use.",
            )
        )
    if other := chosen.other_tiles(tiles):
        advice = f"Compute them again for that on the Anchors page, or with workbench anchors --tiles {tiles} --use."
        notes.append(Message("warning", f"Anchors: {other[0].lower()}{other[1:]}. {advice}"))
    return notes


def check(detector: Detector, data: Dataset, stop: Callable[[], bool] = lambda: False) -> list[Message]:
    """WorkbenchError if the detector has positives for no box of the training images; else what the user should know.

    Of many images LOOKED_AT evenly spread ones, unless all their boxes are without. `stop()` ends it early.
    """
    side = detector.settings.input_px
    data = replace(data, boxes=data.boxes * np.float32(side / data.side))  # at the anchors' side
    some = np.unique(np.linspace(0, len(data) - 1, min(LOOKED_AT, len(data))).round().astype(np.int64))
    learnt = sum(_learnt(detector, data, some, side, stop))
    if not learnt and not any(_learnt(detector, data, np.setdiff1d(np.arange(len(data)), some), side, stop)):
        if stop():
            return []
        raise WorkbenchError(
            "No box matches any anchor, so nothing could be learnt. Compute the anchors again, or check that the boxes"
            f" are larger than {LEAST_SIDE:g} pixels at the input side of {side} px."
        )
    sides = data.boxes[:, 2:] - data.boxes[:, :2]
    small = (sides < LEAST_SIDE).any(axis=1) & ~data.ignore
    notes = [Message("warning", remark) for remark in detector.remarks]
    if small.any():
        count, sizes = int(small.sum()), f"smaller than {LEAST_SIDE:g} pixels at {side} px"
        sentence = f"{count:,} boxes are {sizes} and not learnt." if count > 1 else f"1 box is {sizes} and not learnt."
        notes.append(Message("warning", sentence))
    ours = np.concatenate([np.arange(data.offsets[one], data.offsets[one + 1]) for one in some])
    wanted = int((~small & ~data.ignore)[ours].sum())
    if learnt < wanted and not stop():
        why = (
            "lie in a cell with another one" if detector.one_per_cell else "have no cell, anchor or point of their own"
        )
        noun = "images and tiles" if data.snapshot.places else "images"
        where = f" of {len(some):,} {noun} that were looked at" if len(some) < len(data) else ""
        notes.append(Message("warning", f"Not learnt: {wanted - learnt:,} of {wanted:,} boxes{where}, which {why}."))
    return notes


def _learnt(
    detector: Detector, data: Dataset, images: NDArray[np.int64], side: int, stop: Callable[[], bool]
) -> Iterator[int]:
    """How many boxes have a positive, a few images at a time."""
    for first in range(0, len(images), AT_ONCE):
        if stop():
            return
        batch = augment.unaugmented(data, images[first : first + AT_ONCE])
        arrays = (torch.from_numpy(array) for array in (batch.boxes, batch.labels, batch.ignore))
        found = detector.assignment(Targets(*arrays), (side, side))
        yield len(torch.unique(torch.stack([found.image, found.target]), dim=1).T)


def adapt_settings(
    settings: TrainingSettings, detector: Detector, images: int, judges: int, processes: int = 1
) -> tuple[TrainingSettings, list[Message]]:
    """The settings adapted to the number of images to learn from (`images`) and to be judged by,
    and messages about that.
    """
    notes = []
    if detector.fixed_size and settings.sizes:
        settings = replace(settings, sizes=0.0)
        notes.append(f"{detector.title} accepts images of one size only, so the input side does not vary.")
    longer = schedule.lengthen(settings, images, processes)
    if longer != settings:
        notes.append(schedule.lengthening_note(settings, longer, images))
        settings = longer
    if judges < FEW_JUDGES:
        early = ", and the training does not end early" if settings.patience else ""
        settings = replace(settings, patience=0)
        few = f"AP is measured on {counted(judges, 'image')} only, so it jumps"
        notes.append(f"{few}: the newest weights count as the best{early}.")
    return settings, [Message("info", note) for note in notes]


def describe_step(data: Dataset, plan: schedule.Plan, step: int, rate: float) -> str:
    """A sentence about a step (from 0), for a person who looks for what spoilt it: its learning rate and images."""
    names = [data.snapshot.images[int(i)].name for i in plan.indices(step)]
    return f"It was at step {step + 1:,}, learning rate {rate:.3g}, on {named(names, NAMED)}."
