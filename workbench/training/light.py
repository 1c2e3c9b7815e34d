"""Changes the colours of training images: hue, saturation, exposure as Darknet does, contrast, brightness as SSD."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from workbench.training.settings import TrainingSettings


@dataclass(frozen=True)
class Light:
    """What one image gets. hue: shift as a share of the circle; contrast times, then plus brightness of 255."""

    hue: float
    saturation: float
    exposure: float
    contrast: float
    brightness: float


def drawn(random: np.random.Generator, settings: TrainingSettings, count: int) -> list[Light]:
    """For `count` images. What a setting switches off draws nothing else, so that the rest stays as it was."""
    hue = random.uniform(-settings.hue, settings.hue, count)
    factors = np.array([settings.saturation, settings.exposure]) ** random.uniform(-1, 1, (count, 2))
    contrast, brightness = np.ones(count), np.zeros(count)
    if settings.contrast != 1 or settings.brightness:
        contrast = settings.contrast ** random.uniform(-1, 1, count)
        brightness = settings.brightness * random.uniform(-1, 1, count)
    return [Light(*map(float, row)) for row in np.column_stack([hue, factors, contrast, brightness])]


def recolour(image: NDArray[np.uint8], light: Light) -> None:
    """Change (H, W, 3) RGB in place."""
    levels = np.arange(256)
    if (light.hue, light.saturation, light.exposure) != (0, 1, 1):
        hue = (levels + round(light.hue * 256)) % 256
        tables = np.stack([hue, levels * light.saturation, levels * light.exposure], axis=1)
        hsv = cv2.LUT(cv2.cvtColor(image, cv2.COLOR_RGB2HSV_FULL), tables.clip(0, 255).astype(np.uint8)[:, None])
        image[:] = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB_FULL)
    if (light.contrast, light.brightness) != (1, 0):
        table = levels * light.contrast + light.brightness * 255
        image[:] = cv2.LUT(image, table.clip(0, 255).astype(np.uint8))
