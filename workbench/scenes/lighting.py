"""Noise, light and the camera of the generated photographs: they make flat colours look like things on a table."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

Random = np.random.Generator
Pixels = np.ndarray  # (H, W, 3) float32 RGB, 0 to 1


@dataclass(frozen=True)
class Lighting:
    """A distant lamp and the sky: `direction` points to the lamp (x right, y down, z to the camera), length 1."""

    direction: np.ndarray  # (3,) float32
    tint: np.ndarray  # (3,) float32, around 1
    ambient: float
    softness: float  # of shadows, relative to the size of what casts them


def random_lighting(random: Random) -> Lighting:
    """From any side, 33 to 62 degrees high, from candle-warm to sky-cool."""
    around, height = random.uniform(0, 2 * np.pi), np.radians(random.uniform(33, 62))
    direction = [np.cos(around) * np.cos(height), np.sin(around) * np.cos(height), np.sin(height)]
    warmth = random.uniform(-0.10, 0.13)
    return Lighting(
        np.array(direction, np.float32),
        np.array([1 + warmth, 1 + warmth / 4, 1 - warmth], np.float32),
        ambient=random.uniform(0.35, 0.55),
        softness=random.uniform(0.05, 0.16),
    )


def clouds(height: int, width: int, cell_x: float, cell_y: float, random: Random) -> np.ndarray:
    """(H, W) float32 smooth noise around 0, standard deviation about 1; blobs of cell_x times cell_y pixels."""
    grid = random.standard_normal((int(height / cell_y) + 3, int(width / cell_x) + 3), dtype=np.float32)
    # An enlarged grid starts half a cell outside, so that its border is not flat.
    large = cv2.resize(grid, (int(width + 2 * cell_x) + 1, int(height + 2 * cell_y) + 1), interpolation=cv2.INTER_CUBIC)
    top, left = int(cell_y), int(cell_x)
    return large[top : top + height, left : left + width]


def mottled(height: int, width: int, cell: float, random: Random) -> np.ndarray:
    """(H, W) float32 noise of three blob sizes, the larger the stronger, standard deviation about 1."""
    parts = [clouds(height, width, max(1.0, cell / 3**k), max(1.0, cell / 3**k), random) / 1.7**k for k in range(3)]
    return np.asarray(sum(parts) / 1.25, np.float32)


def mixed(one: np.ndarray, other: np.ndarray, share: np.ndarray) -> Pixels:
    """Colour `one` (3,) where `share` (H, W) is 0, `other` where it is 1."""
    part = np.clip(share, 0, 1)[..., None].astype(np.float32)
    return np.asarray(one * (1 - part) + other * part, np.float32)


def smooth(low: float, high: float, values: np.ndarray) -> np.ndarray:
    """0 below `low`, 1 above `high`, a smooth step between (Hermite)."""
    t = np.clip((values - low) / (high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


def shade(albedo: Pixels, normal: np.ndarray, gloss: float, light: Lighting) -> Pixels:
    """What a camera straight above sees: Lambert's law, sky light from above, and Blinn's highlight."""
    lit = np.maximum(normal @ light.direction, 0)
    sky = light.ambient * (0.55 + 0.45 * np.maximum(normal[..., 2], 0))
    colour = albedo * (sky[..., None] + (1.18 - light.ambient) * lit[..., None] * light.tint)
    if gloss > 0:
        half = light.direction + np.array([0, 0, 1], np.float32)
        shine = np.maximum(normal @ (half / np.linalg.norm(half)), 0) ** 40
        colour = colour + gloss * shine[..., None] * light.tint
    return np.asarray(colour, np.float32)


def photograph(scene: Pixels, light: Lighting, random: Random) -> np.ndarray:
    """(H, W, 3) uint8: uneven light, darker corners, a lens that is never quite sharp, and sensor noise."""
    height, width = scene.shape[:2]
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    fall = 1 + random.uniform(0.04, 0.16) * (x * light.direction[0] + y * light.direction[1])
    corners = 1 - random.uniform(0.04, 0.16) * (x * x + y * y)
    exposure = random.uniform(0.86, 1.12)
    picture = scene * (exposure * fall * corners)[..., None]
    picture = cv2.GaussianBlur(picture, (0, 0), random.uniform(0.5, 1.0))
    picture = picture + _sensor_noise(height, width, random) * random.uniform(0.006, 0.02)
    developed: np.ndarray = _FILM[(np.clip(picture, 0, 1.999) * 2048).astype(np.uint16)]
    return developed


def _film() -> np.ndarray:
    """(4096,) uint8 for brightness 0 to 2: linear up to 0.8, then a soft shoulder instead of clipped highlights."""
    x = np.arange(4096) / 2048
    curve = np.where(x > 0.8, 0.8 + 0.2 * np.tanh((x - 0.8) / 0.2), x)
    return np.asarray(np.rint(curve * 255), np.uint8)


_FILM = _film()


def _sensor_noise(height: int, width: int, random: Random) -> np.ndarray:
    """(H, W, 3) float32, standard deviation 1; more in brightness than in colour, and no finer than a lens resolves."""
    grey = random.standard_normal((height, width, 1), dtype=np.float32)
    colour = random.standard_normal((height // 2 + 1, width // 2 + 1, 3), dtype=np.float32)
    return grey * 0.8 + cv2.resize(colour, (width, height), interpolation=cv2.INTER_LINEAR) * 0.8
