"""How files must be read so that boxes imported from them before stay where they are, without guessing again.

Pascal VOC files do not say from which number they count pixels, and moving one box can remove the proof; boxes made at
another size than the image's may have been scaled on import. The boxes in the project are the better evidence.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from workbench.core.document import Document
from workbench.core.formatting import count
from workbench.exchange import pairing
from workbench.exchange.import_plan import ImportSettings
from workbench.exchange.matching import MatchedImage
from workbench.formats import Reading
from workbench.formats.parts.report import Report

_ENOUGH = 500  # images with boxes on both sides; more would not change the answer


def settings_of(
    document: Document, reading: Reading, matched: Sequence[MatchedImage], settings: ImportSettings, report: Report
) -> ImportSettings:
    """The settings under which most boxes lie where the project has them; a change from `settings` is reported.

    What a person chose stays. `matched`: the reading under `settings`.
    """
    base = reading.base
    if base is not None and settings.voc_base == "auto":
        shift = np.array([1, 1, 0, 0]) * (2 * base - 1)  # from 1 to 0 or back
        if found := _more(document, matched, lambda one, boxes: boxes + shift):
            sentence = (
                f"Pixels are counted from {1 - base}, because then {count(found, 'box')} of images in the project"
                f" {'lies' if found == 1 else 'lie'} where it has them. If that is wrong, choose the number yourself."
            )
            report.say("repaired", reading.source.name, sentence)
            settings = dataclasses.replace(settings, voc_base=str(1 - base))
    if settings.on_size == "keep" and (found := _more(document, matched, _scaled)):
        sentence = (
            f"Boxes made at another size than their image's were scaled, because then {count(found, 'box')} of images"
            f" in the project {'lies' if found == 1 else 'lie'} where it has them."
        )
        report.say("repaired", reading.source.name, sentence)
        settings = dataclasses.replace(settings, on_size="scale")
    return settings


def _scaled(one: MatchedImage, boxes: np.ndarray) -> np.ndarray:
    stated, real = (one.read.width, one.read.height), (one.image.width, one.image.height)
    is_turned = one.image.orientation >= 5 and stated == real[::-1]
    if not all(stated) or not all(real) or stated == real or is_turned:
        return boxes
    scaled: np.ndarray = boxes * np.tile(np.array(real) / np.array(stated), 2)
    return scaled


def _more(
    document: Document, matched: Sequence[MatchedImage], other: Callable[[MatchedImage, np.ndarray], np.ndarray]
) -> int:
    """How many more boxes lie where the project has them when read the other way; 0 if not more."""
    more = seen = 0
    for one in matched:
        if not one.image.id or not one.boxes:
            continue
        there = np.array([box.xyxy for _, box in one.boxes], float)
        otherwise = other(one, there)
        if otherwise is there:
            continue
        here = np.array([box.xyxy for box in document.boxes(one.image.id)], float)
        if len(here):
            more += pairing.alike(here, otherwise) - pairing.alike(here, there)
            seen += 1
            if seen == _ENOUGH:
                break
    return max(more, 0)
