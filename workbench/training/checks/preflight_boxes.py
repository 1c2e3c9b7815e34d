"""Would a detector learn the boxes? Too small, matched by nothing, or unlike all anchors, or below its own.

Uses only the boxes and the loss's assignment; box_coverage.py does this for every detector at once.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from workbench import detectors
from workbench.anchors.overlap import best_centres
from workbench.anchors.sizes import LEAST_SIDE
from workbench.core.formatting import count, named, percent
from workbench.core.project import AnchorSet, Snapshot
from workbench.detectors.parts.detector import Detector
from workbench.errors import WorkbenchError
from workbench.training import prepare
from workbench.training.batches import image_views
from workbench.training.batches.data import Dataset
from workbench.training.batches.pixelless_data import load_without_pixels
from workbench.training.checkpoints import weights
from workbench.training.checks.findings import INFO, STOPS, WARNING, Finding
from workbench.training.recipes import Recipe
from workbench.training.stop_mode import StopMode
from workbench.training.trainer_view.box_coverage import NARROWEST, find_learnt_boxes

MOST_IMAGES = 4_000  # images checked: takes a second or two
FAR = 0.25  # IoU below which a box is unlike an anchor: that of a box with twice its width and height
MANY = 0.05  # share of the boxes from which this is a warning
FEW = 0.01
MOST_OF_A_LABEL = 0.5
LARGER = 2.0  # times the input side: what is advised
STEP = 32  # px of an input side
FAINT = 12.0  # px, side of a square of a box's area, of the network's input: below, detectors lose most
SHRUNK = 2.0  # times smaller than in the photograph: from there on tiles help
MANY_FAINT = 0.25  # share of the boxes from which this is said


def of_boxes(
    train: Snapshot, recipe: Recipe, anchors: AnchorSet | None, start: Path | None, *,
    most_images: int = MOST_IMAGES, ask: bool = True,
) -> Iterator[Finding]:  # fmt: skip
    """Findings on the boxes of the training images, without augmentation, at the recipe's input side.

    Without `ask` boxes that no part of the detector answers for are not looked for, which takes the most time.
    """
    kind = detectors.load_all().get(recipe.detector)
    try:
        own = recipe.detector_settings.resolved(tuple(label.name for label in train.labels))
        part = _sample(train, most_images)
        data = load_without_pixels(
            image_views.examined_views(part, recipe.training), own.input_px, kind.chosen_resize(own), recipe.training
        )
        narrow = replace(recipe, detector_settings=replace(own, width=NARROWEST))
        begun = anchors
        with contextlib.suppress(WorkbenchError):  # faults of a file are reported by the check of the weights
            begun = weights.initial_anchors(recipe, anchors, start)
        with StopMode(
            weights=False
        ):  # they are not asked for, and a training beside this draws from the same generator
            detector = prepare.build(narrow, len(train.labels), begun)
    except WorkbenchError as error:
        yield Finding(STOPS, "detector", error.sentence)
        return
    where = "" if part is train else f" Of {len(part):,} images looked at."
    sides = data.boxes[:, 2:] - data.boxes[:, :2]
    wanted = ~data.ignore
    small = wanted & (sides < LEAST_SIDE).any(axis=1)
    if small.any():
        yield _small(data, small, own.input_px, where)
    if not recipe.training.tiles:
        yield from _tiles(data, part, wanted, own.input_px, where)
    if not (wanted & ~small).any():
        yield Finding(STOPS, "small", "No box is large enough to be learnt.", "Choose a larger input side.")
        return
    if ask:
        yield from _missed(detector, data, wanted & ~small, where)
    if kind.published_anchors:
        yield from _far(detector, data, wanted & ~small, sides, anchors is not None, where)
    yield from _beyond(detector, data, wanted & ~small, sides, where)


def _sample(train: Snapshot, most: int) -> Snapshot:
    """All, or evenly spread ones."""
    if len(train) <= most:
        return train
    return train.take(np.unique(np.linspace(0, len(train) - 1, most).astype(int)).tolist())


def _small(data: Dataset, small: NDArray[np.bool_], px: int, where: str) -> Finding:
    number = int(small.sum())
    sentence = f"{_subject(number)} smaller than {LEAST_SIDE:g} pixels at {px} px and not learnt.{where}"
    shorter = (data.boxes[small, 2:] - data.boxes[small, :2]).min(axis=1)
    enough = np.ceil(px * LEAST_SIDE / np.maximum(shorter, 1e-6) / STEP) * STEP  # input side in px that each needs
    within = enough <= px * LARGER
    advice = []
    if within.any():
        whom = "it" if number == 1 else "them" if within.all() else f"{int(within.sum()):,} of them"
        advice.append(f"An input side of {int(enough[within].max()):,} px is enough for {whom}.")
    if not within.all():
        advice.append("Such a small box is usually drawn by mistake: look at it and delete it.")
    return Finding(WARNING, "small", sentence, " ".join(advice), number, *_where(data, small))


def _tiles(
    data: Dataset, originals: Snapshot, wanted: NDArray[np.bool_], px: int, where: str
) -> Iterator[Finding]:  # fmt: skip
    """Objects that get lost in large photographs, and would not in tiles."""
    here, there = (np.sqrt((box[:, 2:] - box[:, :2]).clip(0).prod(axis=1)) for box in (data.boxes, originals.boxes))
    if len(here) != len(there):  # some images can't be read
        return
    lost = wanted & (here < FAINT) & (there >= SHRUNK * here) & (there >= FAINT)
    number, all_ = int(lost.sum()), int(wanted.sum())
    if number < MANY_FAINT * all_ or not number:
        return
    share = f"{number:,} of {all_:,} boxes ({percent(number / all_)})"
    typical = (
        f"{float(np.median(there[lost])):.0f} px in the photograph, {float(np.median(here[lost])):.0f} px of {px:,}"
    )
    sentence = f"{share} are small in large photographs: typically {typical} for the network.{where}"
    advice = f"Train in tiles, in which they stay larger (Tiles, --tiles {px}), or at a larger input side."
    yield Finding(WARNING, "tiles", sentence, advice, number, *_where(data, lost))


def _missed(detector: Detector, data: Dataset, wanted: NDArray[np.bool_], where: str) -> Iterator[Finding]:
    missed = wanted & ~find_learnt_boxes(detector, data)
    number, all_ = int(missed.sum()), int(wanted.sum())
    if not number:
        return
    if number == all_:
        anew = "Compute the anchors again, choose" if detector.published_anchors else "Choose"
        yield Finding(
            STOPS, "no positive", f"No box matches any anchor, cell or point of {detector.title}.{where}",
            f"{anew} a larger input side or another detector.", number, *_where(data, missed),
        )  # fmt: skip
        return
    why = "lie in a cell with another one" if detector.one_per_cell else "have no anchor, cell or point of their own"
    helps = "Anchors of these boxes or a larger input side help;" if detector.published_anchors else ""
    helps = "Another detector has room for more:" if detector.one_per_cell else helps or "A larger input side helps;"
    advice = f"{helps} What the trainer sees > Whole set compares detectors."
    sentence = f"{number:,} of {all_:,} boxes ({percent(number / all_)}) {why} and are not learnt.{where}"
    level = WARNING if number >= FEW * all_ else INFO
    yield Finding(level, "no positive", sentence, advice, number, *_where(data, missed))


def _far(
    detector: Detector, data: Dataset, wanted: NDArray[np.bool_], sides: NDArray[np.float32], own: bool, where: str
) -> Iterator[Finding]:  # fmt: skip
    """Boxes of another shape or size than every anchor are learnt, but slowly and badly."""
    rows = np.flatnonzero(wanted & (sides > 0).all(axis=1))
    if not len(rows):
        return
    nearest = best_centres(sides[rows], detector.anchors)[1]
    far = np.zeros(len(wanted), bool)
    far[rows[nearest < FAR]] = True
    number = int(far.sum())
    if number >= MANY * len(rows):
        of = "the project's anchors" if own else "the published anchors"
        share = f"{number:,} of {len(rows):,} boxes ({percent(number / len(rows))})"
        sentence = f"{share} are unlike all of {of}: the best overlaps by less than {FAR:g}.{where}"
        advice = "Compute the anchors again: on the Anchors page, or with workbench anchors --use."
        yield Finding(WARNING, "anchors", sentence, advice, number, *_where(data, far))


def _beyond(
    detector: Detector, data: Dataset, wanted: NDArray[np.bool_], sides: NDArray[np.float32], where: str
) -> Iterator[Finding]:  # fmt: skip
    """Boxes below or above a detector's own anchors: the best one learns each, and those around it learn background
    there.
    """
    size = np.sqrt(np.maximum(sides, 0).prod(axis=1))
    for beyond, limit, (too, than), change in (
        (size < detector.smallest_px, detector.smallest_px, ("small", "smaller"), detector.smaller_by),
        (size > detector.largest_px, detector.largest_px, ("large", "larger"), detector.larger_by),
    ):
        these = wanted & beyond
        number, all_, labels = int(these.sum()), int(wanted.sum()), data.snapshot.labels
        of_each, so_sized = (np.bincount(data.labels[some], minlength=len(labels)) for some in (wanted, these))
        mostly = [labels[i].name for i in np.flatnonzero((so_sized > 0) & (so_sized >= MOST_OF_A_LABEL * of_each))]
        if number < MANY * all_ and not mostly:
            continue
        most = f", most of {named(mostly)} among them," if mostly else ""
        px = detector.settings.input_px
        share = f"{number:,} of {all_:,} boxes ({percent(number / all_)}){most}"
        sentence = f"{share} are {than} than {limit:.0f} × {limit:.0f} pixels at {px} px, too {too} for"
        advice = f"They are learnt badly. Choose {change}, or FCOS or a YOLO, which learn {than} ones."
        words = f"{sentence} {detector.title}'s own anchors.{where}"
        yield Finding(WARNING, "own anchors", words, advice, number, *_where(data, these))


def _subject(number: int) -> str:
    return f"{count(number, 'box')} {'is' if number == 1 else 'are'}"


def _where(data: Dataset, boxes: NDArray[np.bool_]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Ids of the images with these boxes, those with the most first; and of the boxes."""
    owners = np.repeat(np.arange(len(data)), np.diff(data.offsets))
    counts = np.bincount(owners[boxes], minlength=len(data))
    order = np.argsort(-counts, kind="stable")[: int((counts > 0).sum())]
    ids = data.snapshot.box_ids[boxes].tolist()
    return tuple(dict.fromkeys(data.snapshot.images[index].id for index in order.tolist())), tuple(ids)
