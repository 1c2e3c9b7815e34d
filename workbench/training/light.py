"""Changes the colours of training images: hue, saturation, exposure as Darknet does, contrast, brightness as SSD."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from workbench.training.settings import TrainingSettings

LEVELS = np.arange(256)


@dataclass(frozen=True)
class Light:
    """What one image gets. hue: shift as a share of the circle; contrast times, then plus brightness of 255."""

    hue: float
    saturation: float
    exposure: float
    contrast: float
    brightness: float

    @property
    def tints(self) -> bool:
        """Whether hue, saturation or exposure change."""
        return (self.hue, self.saturation, self.exposure) != (0, 1, 1)

    @property
    def lifts(self) -> bool:
        """Whether contrast or brightness change."""
        return (self.contrast, self.brightness) != (1, 0)


def drawn(random: np.random.Generator, settings: TrainingSettings, count: int) -> list[Light]:
    """For `count` images. What a setting switches off draws nothing else, so that the rest stays as it was."""
    hue = random.uniform(-settings.hue, settings.hue, count)
    draw = random.uniform(-1, 1, (count, 2))  # Darknet's rand_scale: evenly from 1 to the factor, as often its inverse
    factors = (1 + (np.array([settings.saturation, settings.exposure]) - 1) * abs(draw)) ** np.sign(draw)
    contrast, brightness = np.ones(count), np.zeros(count)
    if settings.contrast != 1 or settings.brightness:
        contrast = settings.contrast ** random.uniform(-1, 1, count)
        brightness = settings.brightness * random.uniform(-1, 1, count)
    return [Light(*map(float, row)) for row in np.column_stack([hue, factors, contrast, brightness])]


def tables(lights: Sequence[Light]) -> NDArray[np.uint8]:
    """(n, 4, 256): what becomes of each level of hue, saturation and value; and, after these, of red, green, blue."""
    numbers = np.array([(one.hue, one.saturation, one.exposure, one.contrast, one.brightness) for one in lights])
    hue, saturation, exposure, contrast, brightness = numbers.reshape(-1, 5, 1).transpose(1, 0, 2)
    turned = (LEVELS + np.rint(hue * 256)) % 256
    made = [turned, LEVELS * saturation, LEVELS * exposure, LEVELS * contrast + brightness * 255]
    return np.stack(made, axis=1).clip(0, 255).astype(np.uint8)


def recolour(image: NDArray[np.uint8], light: Light) -> None:
    """Change (H, W, 3) RGB in place."""
    if not (light.tints or light.lifts):
        return
    table = tables([light])[0]
    if light.tints:
        hsv = cv2.LUT(cv2.cvtColor(image, cv2.COLOR_RGB2HSV_FULL), np.ascontiguousarray(table[:3].T)[:, None])
        image[:] = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB_FULL)
    if light.lifts:
        image[:] = cv2.LUT(image, table[3])
