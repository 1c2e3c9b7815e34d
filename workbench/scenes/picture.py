"""Places things on a background, casts their shadows, and returns the exact box of each."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from workbench.core.project import XYXY
from workbench.scenes.ground import GROUNDS
from workbench.scenes.light import Light, Pixels, Random, photographed, shade, some_light
from workbench.scenes.things import THINGS, Surface

LABELS = tuple(THINGS)
FEWEST_THINGS, MOST_THINGS = 3, 7
SMALLEST_BOX = 20
"""Pixels: less than that is two cells of a network's finest grid after a photograph of 416 px is halved."""
LEAST_VISIBLE = 0.55
"""Visible share of a thing's whole outline, not hidden or outside the picture. Things with less are not placed."""


@dataclass(frozen=True)
class Placed:
    """A thing in the picture. `inside` (n, n) bool is its outline on the patch whose corner is at (left, top)."""

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


def picture(width: int, height: int, random: Random) -> tuple[np.ndarray, list[tuple[str, XYXY]]]:
    """(H, W, 3) uint8 RGB and the label and box of each thing in it, boxes clipped to the picture."""
    light = some_light(random)
    scene = GROUNDS[random.integers(len(GROUNDS))](height, width, random)
    scene *= light.ambient + (1.18 - light.ambient) * light.direction[2] * light.tint
    things = _arranged(width, height, random)
    for thing in things:
        _throw_shadow(scene, thing, light)
        _paint(scene, thing, light)
    boxes = [(thing.label, _clipped(thing.box, width, height)) for thing in things]
    return photographed(scene, light, random), boxes


def _arranged(width: int, height: int, random: Random) -> list[Placed]:
    """Up to MOST_THINGS, later ones on top, each visible enough in the end."""
    owner = np.full((height, width), -1, np.int8)
    things: list[Placed] = []
    wanted = int(random.integers(FEWEST_THINGS, MOST_THINGS + 1))
    for _ in range(3 * wanted):
        thing = _somewhere(width, height, random)
        if _fits(thing, things, owner):
            rows, columns, part = _overlap(thing, owner.shape)
            owner[rows, columns][thing.inside[part]] = len(things)
            things.append(thing)
        if len(things) == wanted:
            break
    return things


def _somewhere(width: int, height: int, random: Random) -> Placed:
    label = LABELS[random.integers(len(LABELS))]
    reach = min(width, height) * float(np.exp(random.uniform(np.log(0.075), np.log(0.215))))
    turn = random.uniform(0, 2 * np.pi)
    half = int(np.ceil(reach * 1.08)) + 1
    y, x = np.mgrid[-half : half + 1, -half : half + 1].astype(np.float32) / reach
    u, v = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    surface = THINGS[label](u.astype(np.float32), v.astype(np.float32), 1 / reach, random)
    # A photographer frames things: few are cut by the border.
    left, top = int(random.uniform(0.07, 0.93) * width) - half, int(random.uniform(0.07, 0.93) * height) - half
    return Placed(label, left, top, surface, turn, reach, surface.distance < 0)


def _fits(thing: Placed, things: list[Placed], owner: np.ndarray) -> bool:
    """Whether it is large enough, and both it and everything below it stay visible enough."""
    height, width = owner.shape
    x0, y0, x1, y1 = _clipped(thing.box, width, height)
    if min(x1 - x0, y1 - y0) < SMALLEST_BOX:
        return False
    rows, columns, part = _overlap(thing, owner.shape)
    if thing.inside[part].sum() < LEAST_VISIBLE * thing.inside.sum():
        return False
    hidden = owner[rows, columns][thing.inside[part]]
    return all(
        (owner == number).sum() - (hidden == number).sum() >= LEAST_VISIBLE * things[number].inside.sum()
        for number in np.unique(hidden[hidden >= 0])
    )


def _throw_shadow(scene: Pixels, thing: Placed, light: Light) -> None:
    """Darken the side away from the lamp, and the narrow strip all around where the sky is blocked too."""
    soft = max(0.8, light.softness * thing.reach * (0.4 + thing.surface.height))
    # The taller the thing and the lower the lamp, the longer the shadow.
    length = 0.7 * thing.surface.height * thing.reach / light.direction[2]
    shift = np.rint(-light.direction[:2] * length).astype(int)
    margin = int(3 * soft + np.abs(shift).max()) + 2
    solid = np.pad(thing.inside.astype(np.float32), margin)
    swept = np.maximum(_moved(solid, shift), _moved(solid, shift // 2))
    thrown = cv2.GaussianBlur(swept, (0, 0), soft)
    contact = cv2.GaussianBlur(solid, (0, 0), max(0.8, 0.07 * thing.reach))
    dark = (1 - (1 - light.ambient) * thrown) * (1 - 0.4 * contact)
    rows, columns, part = _window(thing.left - margin, thing.top - margin, len(solid), scene.shape[:2])
    scene[rows, columns] *= dark[part][..., None]


def _moved(image: np.ndarray, shift: np.ndarray) -> np.ndarray:
    return np.roll(image, (int(shift[1]), int(shift[0])), (0, 1))


def _paint(scene: Pixels, thing: Placed, light: Light) -> None:
    surface = thing.surface
    cos, sin = np.cos(thing.turn), np.sin(thing.turn)
    sx, sy = surface.slope[..., 0], surface.slope[..., 1]
    z = np.sqrt(np.maximum(1 - sx * sx - sy * sy, 0))
    normal = np.stack([sx * cos - sy * sin, sx * sin + sy * cos, z], -1).astype(np.float32)
    colour = shade(surface.albedo, normal, surface.gloss, light)
    cover = np.clip(0.5 - surface.distance * thing.reach, 0, 1)[..., None].astype(np.float32)
    rows, columns, part = _overlap(thing, scene.shape[:2])
    below = scene[rows, columns]
    scene[rows, columns] = below + (colour[part] - below) * cover[part]


Slices = tuple[slice, slice, tuple[slice, slice]]


def _overlap(thing: Placed, shape: tuple[int, ...]) -> Slices:
    return _window(thing.left, thing.top, len(thing.inside), shape)


def _window(left: int, top: int, side: int, shape: tuple[int, ...]) -> Slices:
    """The rows and columns of the picture that a patch covers, and the matching part of the patch."""
    y0, y1 = max(0, top), max(0, min(shape[0], top + side))
    x0, x1 = max(0, left), max(0, min(shape[1], left + side))
    return slice(y0, y1), slice(x0, x1), (slice(y0 - top, y1 - top), slice(x0 - left, x1 - left))


def _clipped(box: XYXY, width: int, height: int) -> XYXY:
    x0, y0, x1, y1 = box
    return max(0.0, x0), max(0.0, y0), min(float(width), x1), min(float(height), y1)
