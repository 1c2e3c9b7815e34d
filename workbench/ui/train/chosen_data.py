"""How many images the settings choose, in words, so that Start holds no surprise."""

from __future__ import annotations

import numpy as np

from workbench.core.document import Document
from workbench.core.project import Split
from workbench.core.words import count
from workbench.training.settings import TrainingSettings


def counted(document: Document, training: TrainingSettings, takes_anchors: bool) -> tuple[int, str]:
    """How many images are learnt from, and what will be used; `takes_anchors`: whether the detector has anchors."""
    images = document.images()
    used = np.any([images.in_state(state) for state in training.used_states()], axis=0)
    train = int((used & (images.in_split(Split.NONE) | images.in_split(Split.TRAIN))).sum())
    validation = int((used & images.in_split(Split.VALIDATION)).sum())
    if not train:
        return 0, (
            f"No image to train on: none is {training.states}. Mark labelled images as done on the Label page,"
            " or choose other states under Data."
        )
    held = f"{validation:,} to validate" if validation else f"{training.hold_out:.0%} of them held out"
    anchors = f" {_anchors(document)}" if takes_anchors else ""
    return train, f"{count(train, 'image')} to train on, {held}.{anchors}"


def _anchors(document: Document) -> str:
    kept = document.anchors()
    if kept is None:
        return "Anchors: published."
    return f"Anchors: the project's {len(kept.sizes)}, made for {kept.input_px} px."
