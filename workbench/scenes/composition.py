"""Places objects on a background, casts their shadows, and returns the exact box of each."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from workbench.core.project import XYXY
from workbench.scenes.backgrounds import BACKGROUNDS
from workbench.scenes.lighting import Lighting, Pixels, Random, photograph, random_lighting, shade
from workbench.scenes.objects import OBJECTS, Surface

LABELS = tuple(OBJECTS)
FEWEST_OBJECTS, MOST_OBJECTS = 3, 7
SMALLEST_BOX = 20
"""Pixels: less than that is two cells of a network's finest grid after a photograph of 416 px is halved."""
LEAST_VISIBLE = 0.55
"""Visible share of an object's whole outline, not hidden or outside the picture. Objects with less are not placed."""


@dataclass(frozen=True)
class PlacedObject:
    """An object in the picture. `inside` (n, n) bool is its outline on the patch whose corner is at (left, top)."""

    label: str
    left: int
    top: int
    surface: Surface
    turn: float
    reach: float  # pixels per unit
    inside: np.ndarray

    @property
    def box(self) -> XYXY:
        """Of the full outline, including hidden parts, not clipped; half-open."""
        rows, columns = np.flatnonzero(self.inside.any(1)), np.flatnonzero(self.inside.any(0))
        return (
            float(self.left + columns[0]),
            float(self.top + rows[0]),
            float(self.left + columns[-1] + 1),
            float(self.top + rows[-1] + 1),
        )


def compose(width: int, height: int, random: Random) -> tuple[np.ndarray, list[tuple[str, XYXY]]]:
    """(H, W, 3) uint8 RGB and the label and box of each object in it, boxes clipped to the picture."""
    light = random_lighting(random)
    scene = BACKGROUNDS[random.integers(len(BACKGROUNDS))](height, width, random)
    scene *= light.ambient + (1.18 - light.ambient) * light.direction[2] * light.tint
    objects = _arranged(width, height, random)
    for placed in objects:
        _throw_shadow(scene, placed, light)
        _paint(scene, placed, light)
    boxes = [(placed.label, _clipped(placed.box, width, height)) for placed in objects]
    return photograph(scene, light, random), boxes


def _arranged(width: int, height: int, random: Random) -> list[PlacedObject]:
    """Up to MOST_OBJECTS, later ones on top, each visible enough in the end."""
    owner = np.full((height, width), -1, np.int8)
    objects: list[PlacedObject] = []
    wanted = int(random.integers(FEWEST_OBJECTS, MOST_OBJECTS + 1))
    for _ in range(3 * wanted):
        placed = _somewhere(width, height, random)
        if _fits(placed, objects, owner):
            rows, columns, part = _overlap(placed, owner.shape)
            owner[rows, columns][placed.inside[part]] = len(objects)
            objects.append(placed)
        if len(objects) == wanted:
            break
    return objects


def _somewhere(width: int, height: int, random: Random) -> PlacedObject:
    label = LABELS[random.integers(len(LABELS))]
    reach = min(width, height) * float(np.exp(random.uniform(np.log(0.075), np.log(0.215))))
    turn = random.uniform(0, 2 * np.pi)
    half = int(np.ceil(reach * 1.08)) + 1
    y, x = np.mgrid[-half : half + 1, -half : half + 1].astype(np.float32) / reach
    u, v = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    surface = OBJECTS[label](u.astype(np.float32), v.astype(np.float32), 1 / reach, random)
    # A photographer frames objects: few are cut by the border.
    left, top = int(random.uniform(0.07, 0.93) * width) - half, int(random.uniform(0.07, 0.93) * height) - half
    return PlacedObject(label, left, top, surface, turn, reach, surface.distance < 0)


def _fits(placed: PlacedObject, objects: list[PlacedObject], owner: np.ndarray) -> bool:
    """Whether it is large enough, and both it and everything below it stay visible enough."""
    height, width = owner.shape
    x0, y0, x1, y1 = _clipped(placed.box, width, height)
    if min(x1 - x0, y1 - y0) < SMALLEST_BOX:
        return False
    rows, columns, part = _overlap(placed, owner.shape)
    if placed.inside[part].sum() < LEAST_VISIBLE * placed.inside.sum():
        return False
    hidden = owner[rows, columns][placed.inside[part]]
    return all(
        (owner == number).sum() - (hidden == number).sum() >= LEAST_VISIBLE * objects[number].inside.sum()
        for number in np.unique(hidden[hidden >= 0])
    )


def _throw_shadow(scene: Pixels, placed: PlacedObject, light: Lighting) -> None:
    """Darken the side away from the lamp, and the narrow strip all around where the sky is blocked too."""
    soft = max(0.8, light.softness * placed.reach * (0.4 + placed.surface.height))
    # The taller the object and the lower the lamp, the longer the shadow.
    length = 0.7 * placed.surface.height * placed.reach / light.direction[2]
    shift = np.rint(-light.direction[:2] * length).astype(int)
    margin = int(3 * soft + np.abs(shift).max()) + 2
    solid = np.pad(placed.inside.astype(np.float32), margin)
    swept = np.maximum(_moved(solid, shift), _moved(solid, shift // 2))
    thrown = cv2.GaussianBlur(swept, (0, 0), soft)
    contact = cv2.GaussianBlur(solid, (0, 0), max(0.8, 0.07 * placed.reach))
    dark = (1 - (1 - light.ambient) * thrown) * (1 - 0.4 * contact)
    rows, columns, part = _window(placed.left - margin, placed.top - margin, len(solid), scene.shape[:2])
    scene[rows, columns] *= dark[part][..., None]


def _moved(image: np.ndarray, shift: np.ndarray) -> np.ndarray:
    return np.roll(image, (int(shift[1]), int(shift[0])), (0, 1))


def _paint(scene: Pixels, placed: PlacedObject, light: Lighting) -> None:
    surface = placed.surface
    cos, sin = np.cos(placed.turn), np.sin(placed.turn)
    sx, sy = surface.slope[..., 0], surface.slope[..., 1]
    z = np.sqrt(np.maximum(1 - sx * sx - sy * sy, 0))
    normal = np.stack([sx * cos - sy * sin, sx * sin + sy * cos, z], -1).astype(np.float32)
    colour = shade(surface.albedo, normal, surface.gloss, light)
    cover = np.clip(0.5 - surface.distance * placed.reach, 0, 1)[..., None].astype(np.float32)
    rows, columns, part = _overlap(placed, scene.shape[:2])
    below = scene[rows, columns]
    scene[rows, columns] = below + (colour[part] - below) * cover[part]


Slices = tuple[slice, slice, tuple[slice, slice]]


def _overlap(placed: PlacedObject, shape: tuple[int, ...]) -> Slices:
    return _window(placed.left, placed.top, len(placed.inside), shape)


def _window(left: int, top: int, side: int, shape: tuple[int, ...]) -> Slices:
    """The rows and columns of the picture that a patch covers, and the matching part of the patch."""
    y0, y1 = max(0, top), max(0, min(shape[0], top + side))
    x0, x1 = max(0, left), max(0, min(shape[1], left + side))
    return slice(y0, y1), slice(x0, x1), (slice(y0 - top, y1 - top), slice(x0 - left, x1 - left))


def _clipped(box: XYXY, width: int, height: int) -> XYXY:
    x0, y0, x1, y1 = box
    return max(0.0, x0), max(0.0, y0), min(float(width), x1), min(float(height), y1)
