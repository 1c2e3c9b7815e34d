"""Changes the colours of training images: hue, saturation and exposure like Darknet, contrast and brightness like SSD.

SSD's own rule is that of its authors' Caffe (apply_distort in im_transforms.cpp): brightness first, then contrast,
saturation and hue, or contrast last; each in half of the images.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from workbench.training.settings import TrainingSettings

LEVELS = np.arange(256)
Order = Literal["last", "first", "around"]
"""Contrast multiplies, brightness is added: both after the tint, both before it, or brightness before and contrast
after it."""
CHANCE = 0.5  # brightness_prob, contrast_prob, saturation_prob and hue_prob of SSD's ssd_coco.py


@dataclass(frozen=True)
class ColourJitter:
    """The changes of one image. hue: shift as a share of the circle; brightness: a share of 255."""

    hue: float
    saturation: float
    exposure: float
    contrast: float
    brightness: float
    order: Order = "last"

    @property
    def lifts_first(self) -> bool:
        """Whether contrast or brightness change before the tint."""
        return self.order != "last" and (self.brightness != 0 or (self.order == "first" and self.contrast != 1))

    @property
    def lifts_last(self) -> bool:
        """Whether contrast or brightness change after it."""
        return self.order != "first" and (self.contrast != 1 or (self.order == "last" and self.brightness != 0))

    @property
    def tints(self) -> bool:
        """Whether hue, saturation or exposure change."""
        return (self.hue, self.saturation, self.exposure) != (0, 1, 1)


def draw_jitters(random: np.random.Generator, settings: TrainingSettings, count: int) -> list[ColourJitter]:
    """Changes of colour for `count` images. A setting that is off takes no random numbers, so that
    all others stay as they were.
    """
    if settings.colour_rule == "ssd":
        return _draw_as_ssd(random, settings, count)
    hue = random.uniform(-settings.hue, settings.hue, count)
    draw = random.uniform(-1, 1, (count, 2))  # Darknet's rand_scale: evenly from 1 to the factor, half of them inverted
    factors = (1 + (np.array([settings.saturation, settings.exposure]) - 1) * abs(draw)) ** np.sign(draw)
    contrast, brightness = np.ones(count), np.zeros(count)
    if settings.contrast != 1 or settings.brightness:
        contrast = settings.contrast ** random.uniform(-1, 1, count)
        brightness = settings.brightness * random.uniform(-1, 1, count)
    return _jitters(hue, factors[:, 0], factors[:, 1], contrast, brightness)


def _draw_as_ssd(random: np.random.Generator, settings: TrainingSettings, count: int) -> list[ColourJitter]:
    changes = random.random((4, count)) < CHANCE
    hue = np.where(changes[0], random.uniform(-settings.hue, settings.hue, count), 0.0)
    saturation, contrast = (
        np.where(change, random.uniform(max(2 - most, 0.0), most, count), 1.0)
        for change, most in zip(changes[1:3], (settings.saturation, settings.contrast), strict=True)
    )
    brightness = np.where(changes[3], random.uniform(-settings.brightness, settings.brightness, count), 0.0)
    exposure = settings.exposure ** random.uniform(-1, 1, count)  # not part of SSD's rule, so it applies if asked for
    orders: list[Order] = ["first" if early else "around" for early in random.random(count) < CHANCE]
    made = _jitters(hue, saturation, exposure, contrast, brightness)
    return [replace(one, order=order) for one, order in zip(made, orders, strict=True)]


def _jitters(*columns: NDArray[np.float64]) -> list[ColourJitter]:
    """From (n,) hue, saturation, exposure, contrast, brightness."""
    rows: list[list[float]] = np.column_stack(columns).tolist()
    return [ColourJitter(one, two, three, four, five) for one, two, three, four, five in rows]


def tables(jitters: Sequence[ColourJitter]) -> NDArray[np.uint8]:
    """(n, 5, 256): for each image tables of what becomes of each level, in the order of their use.

    The first is for red, green and blue, the next three for hue, saturation and value, the last for red, green and
    blue.
    """
    numbers = np.array([(one.hue, one.saturation, one.exposure, one.contrast, one.brightness) for one in jitters])
    hue, saturation, exposure, contrast, brightness = numbers.reshape(-1, 5, 1).transpose(1, 0, 2)
    turned = (LEVELS + np.rint(hue * 256)) % 256
    kinds = np.array([one.order for one in jitters]).reshape(-1, 1)
    lifted = (LEVELS + brightness * 255).clip(0, 255)
    early = np.select([kinds == "first", kinds == "around"], [lifted * contrast, lifted], LEVELS)
    late = np.select(
        [kinds == "first", kinds == "around"], [LEVELS, LEVELS * contrast], LEVELS * contrast + brightness * 255
    )
    made = [early, turned, LEVELS * saturation, LEVELS * exposure, late]
    return np.stack(made, axis=1).clip(0, 255).astype(np.uint8)


def recolour(image: NDArray[np.uint8], jitter: ColourJitter) -> None:
    """Change (H, W, 3) RGB in place."""
    if not (jitter.tints or jitter.lifts_first or jitter.lifts_last):
        return
    table = tables([jitter])[0]
    if jitter.lifts_first:
        image[:] = cv2.LUT(image, table[0])
    if jitter.tints:
        hsv = cv2.LUT(cv2.cvtColor(image, cv2.COLOR_RGB2HSV_FULL), np.ascontiguousarray(table[1:4].T)[:, None])
        image[:] = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB_FULL)
    if jitter.lifts_last:
        image[:] = cv2.LUT(image, table[4])
