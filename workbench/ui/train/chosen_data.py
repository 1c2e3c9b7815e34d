"""How many images the settings choose, and which anchors, in words, so that Start holds no surprise."""

from __future__ import annotations

import numpy as np

from workbench.core.document import Document
from workbench.core.project import Split
from workbench.core.words import count, percent
from workbench.training.settings import TrainingSettings
from workbench.ui import anchor_words
from workbench.ui.train.work import DetectorChoice


def counted(
    document: Document, training: TrainingSettings, choice: DetectorChoice | None = None, px: int = 0
) -> tuple[int, str]:  # fmt: skip
    """How many images are learnt from, and what will be used; `px`: the input side, 0 while it isn't known."""
    images = document.images()
    used = np.any([images.in_state(state) for state in training.used_states()], axis=0)
    train = int((used & (images.in_split(Split.NONE) | images.in_split(Split.TRAIN))).sum())
    validation = int((used & images.in_split(Split.VALIDATION)).sum())
    if not train:
        return 0, (
            f"No image to train on: none is {training.states}. Mark labelled images as done on the Label page,"
            " or choose other states under Data."
        )
    held = f"{validation:,} to validate" if validation else f"{percent(training.hold_out, 0)} of them held out"
    anchors = "" if choice is not None and not choice.takes_anchors else f" {_anchors(document, choice, px)}"
    return train, f"{count(train, 'image')} to train on, {held}.{anchors}"


def _anchors(document: Document, choice: DetectorChoice | None, px: int) -> str:
    kept = document.anchors()
    if kept is None:
        return "Anchors: published."
    words = f"Anchors: the project's {kept.made_for(px)}."
    number = len(kept.sizes)
    if choice is None or choice.published_anchors in (0, number):
        return words
    return f"{words} {anchor_words.other_number(choice.title, choice.published_anchors, number)}."
