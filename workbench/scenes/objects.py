"""The five kinds of objects in the generated photographs: ball, crate, gear, leaf and star, as lit surfaces.

Each is a function of (u, v), coordinates in the object's own frame where its reach is 1, and of `fine` = units per
pixel. It returns the signed distance to its outline (negative inside), its colour, its slope and its gloss.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from workbench.scenes.lighting import Pixels, Random, clouds, mixed, smooth


@dataclass(frozen=True)
class Surface:
    """An object seen from above on an (n, n) patch. `slope` is the (x, y) part of the unit normal; z is the rest."""

    distance: np.ndarray  # (n, n) float32, in units of the object's reach
    albedo: Pixels
    slope: np.ndarray  # (n, n, 2) float32
    gloss: float
    height: float  # how far it rises above the ground, in its own units: for the length of its shadow


ObjectShape = Callable[[np.ndarray, np.ndarray, float, Random], Surface]


def _pick(random: Random, *colours: tuple[int, int, int]) -> np.ndarray:
    """One of the colours, randomly a little lighter or darker."""
    chosen = np.array(colours[random.integers(len(colours))], np.float32) / 255
    return np.asarray(np.clip(chosen * random.uniform(0.85, 1.12), 0, 1), np.float32)


def ball(u: np.ndarray, v: np.ndarray, fine: float, random: Random) -> Surface:
    """A beach ball: coloured segments between two poles, or a plain ball with a band."""
    radius = np.sqrt(u * u + v * v)
    z = np.sqrt(np.maximum(1 - radius * radius, 0))
    a, b, pole = _axes(random)
    point = np.stack([u, v, z], -1)
    along, turn = point @ pole, np.arctan2(point @ a, point @ b)
    one = _pick(random, (214, 48, 44), (40, 92, 190), (238, 190, 36), (30, 150, 96), (226, 110, 30))
    other = _pick(random, (240, 238, 230), (244, 214, 70), (236, 236, 240))
    if random.random() < 0.65:
        segments = smooth(-0.06, 0.06, np.sin(turn * 3) * np.sqrt(np.maximum(1 - along**2, 0)))
        albedo = mixed(one, other, np.maximum(segments, smooth(0.955, 0.97, np.abs(along))))
    else:
        albedo = mixed(one, other, 1 - smooth(0.20, 0.20 + 2 * fine, np.abs(along)))
    slope = np.stack([u, v], -1) * np.minimum(1, 1 / np.maximum(radius, 1e-6))[..., None]
    return Surface(radius - 1, albedo, slope.astype(np.float32), gloss=0.65, height=1.0)


def _axes(random: Random) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Three orthogonal directions, randomly rotated."""
    axes, _ = np.linalg.qr(random.standard_normal((3, 3)))
    a, b, c = axes.T.astype(np.float32)
    return a, b, c


def crate(u: np.ndarray, v: np.ndarray, fine: float, random: Random) -> Surface:
    """A wooden crate from above: boards across, a frame around, a brace over the corner, nails."""
    half_x, half_y = 0.82, 0.82 * random.uniform(0.68, 1.0)
    frame = 0.17
    distance = np.maximum(np.abs(u) - half_x, np.abs(v) - half_y)
    pale, dark = _pick(random, (222, 182, 122), (206, 160, 104), (184, 150, 112)), _pick(random, (128, 84, 44))
    n = len(u)
    grain = clouds(n, n, 40, 2, random) * 0.09
    board = half_x * 2 / 5
    step = (u + half_x) % board
    tone = random.uniform(-0.1, 0.2, 7)[np.clip((u + half_x) // board, 0, 6).astype(int)]
    albedo = mixed(pale, dark, 0.24 + tone + grain)
    gaps = smooth(0.3 * fine, 0.02 + 1.6 * fine, np.minimum(step, board - step))
    albedo *= (0.4 + 0.6 * gaps)[..., None]
    on_frame = distance > -frame
    brace = np.abs(u * half_y - v * half_x) / np.hypot(half_x, half_y) < frame * 0.55
    raised = on_frame | brace
    albedo[raised] = mixed(pale * 1.06, dark, 0.12 + grain)[raised]
    under = np.minimum(np.abs(distance + frame), 1.0)
    albedo *= (0.55 + 0.45 * smooth(0.0, 0.015 + 1.5 * fine, under))[..., None]
    corner = np.hypot(np.abs(u) - half_x + frame / 2, np.abs(v) - half_y + frame / 2)
    albedo *= (0.4 + 0.6 * smooth(0.02, 0.03 + fine, corner))[..., None]
    bevel = smooth(-0.05 - 1.5 * fine, 0.0, distance)[..., None]
    sideways = np.abs(u) - half_x > np.abs(v) - half_y
    slope = 0.55 * bevel * np.stack([np.sign(u) * sideways, np.sign(v) * ~sideways], -1)
    return Surface(distance, albedo, slope.astype(np.float32), gloss=0.03, height=1.1)


def star(u: np.ndarray, v: np.ndarray, fine: float, random: Random) -> Surface:
    """A five-pointed star with ten facets, like the ones on Christmas trees: metal foil or paint."""
    fifth = 2 * np.pi / 5
    turn = np.arctan2(v, u)
    sector = np.round(turn / fifth) * fifth
    within = turn - sector
    radius = np.hypot(u, v)
    x, y = radius * np.cos(within), radius * np.abs(np.sin(within))
    inner = random.uniform(0.42, 0.5)
    ix, iy = inner * np.cos(fifth / 2), inner * np.sin(fifth / 2)
    edge = np.hypot(ix - 1, iy)
    distance = (iy * (x - 1) + (1 - ix) * y) / edge
    # The facet through the tip (1, 0, 0), the inner corner (ix, iy, 0) and the raised middle (0, 0, h).
    h = 0.30
    facet = np.array([iy * h, (1 - ix) * h, iy], np.float32)
    facet /= np.linalg.norm(facet)
    side = np.where(within < 0, -facet[1], facet[1])
    cos, sin = np.cos(sector), np.sin(sector)
    slope = np.stack([cos * facet[0] - sin * side, sin * facet[0] + cos * side], -1)
    colour = _pick(random, (238, 186, 44), (206, 40, 48), (196, 200, 208), (58, 110, 200), (222, 120, 40))
    albedo = colour * (1 + 0.03 * clouds(len(u), len(u), 3, 3, random))[..., None]
    return Surface(distance, albedo.astype(np.float32), slope.astype(np.float32), gloss=0.45, height=0.35)


def gear(u: np.ndarray, v: np.ndarray, fine: float, random: Random) -> Surface:
    """A toothed wheel of steel, brass or rust, turned on a lathe: highlights run around it in wedges."""
    teeth = int(random.integers(9, 15))
    radius, turn = np.hypot(u, v), np.arctan2(v, u)
    wave = np.cos(turn * teeth)
    rim = 0.82 + 0.17 * smooth(-0.35, 0.35, wave)
    bore = random.uniform(0.2, 0.3)
    distance = np.maximum((radius - rim) * 0.85, bore - radius)
    spokes = int(random.integers(4, 7))
    if random.random() < 0.6:
        centre = (np.round(turn / (2 * np.pi / spokes))) * (2 * np.pi / spokes)
        hole = np.hypot(u - 0.53 * np.cos(centre), v - 0.53 * np.sin(centre)) - 0.13
        distance = np.maximum(distance, -hole)
    metal = _pick(random, (176, 182, 190), (200, 166, 88), (150, 96, 66), (128, 134, 142))
    rings = np.sin(radius * 70) * 0.03 * min(1.0, 0.03 / max(fine, 1e-6))
    wedges = 0.16 * np.cos(2 * (turn - random.uniform(0, 2 * np.pi)))
    groove = smooth(0.012, 0.03 + fine, np.abs(radius - 0.74)) * smooth(
        0.012, 0.03 + fine, np.abs(radius - bore - 0.08)
    )
    worn = 0.05 * clouds(len(u), len(u), 9, 9, random)
    albedo = metal * ((1 + rings + wedges + worn) * (0.72 + 0.28 * groove))[..., None]
    edge = smooth(-0.07 - fine, 0.0, distance)
    outward = np.where(radius > (bore + 0.82) / 2, 1.0, -1.0) * edge * 0.6
    slope = np.stack([np.cos(turn) * outward, np.sin(turn) * outward], -1)
    return Surface(distance, albedo.astype(np.float32), slope.astype(np.float32), gloss=0.30, height=0.28)


def leaf(u: np.ndarray, v: np.ndarray, fine: float, random: Random) -> Surface:
    """A leaf with a stalk: a folded blade with a toothed edge, a light midrib and side veins."""
    bend = random.uniform(-0.18, 0.18)
    w = v - bend * (u * u - 0.4)
    along = np.clip((u + 0.72) / 1.68, 0, 1)  # from the stalk (0) to the tip (1)
    width = random.uniform(0.40, 0.54) * np.maximum(np.sin(np.pi * along**0.78), 0) ** 0.85
    width = width * (1 + 0.05 * np.sin(along * np.pi * 26))
    blade = np.maximum((np.abs(w) - width) * 0.75, np.maximum(-0.72 - u, u - 0.96))
    stalk = np.maximum(np.abs(w) - 0.022 - 0.4 * fine, np.maximum(-0.98 - u, u + 0.6))
    distance = np.minimum(blade, stalk)
    green = random.random() < 0.5
    one = _pick(random, (70, 122, 42), (98, 146, 52)) if green else _pick(random, (206, 120, 32), (180, 60, 34))
    other = _pick(random, (132, 168, 62)) if green else _pick(random, (228, 178, 60))
    spots = clouds(len(u), len(u), 14, 14, random)
    vein = (u - np.abs(w) * 0.9) * 5.2
    veins = 1 - smooth(0.05, 0.05 + 6 * fine, np.abs(vein - np.round(vein)))
    rib = 1 - smooth(0.012, 0.02 + 1.2 * fine, np.abs(w))
    albedo = mixed(one, other, 0.25 + 0.22 * spots + 0.35 * np.abs(w) / 0.5)
    light = np.clip(other * 1.15 + 0.08, 0, 1)
    share = np.clip(np.maximum(veins * 0.35, rib * 0.75), 0, 1)[..., None]
    albedo = albedo * (1 - share) + light * share
    fold = np.sign(w) * 0.26 + 0.25 * (vein - np.round(vein)) * (blade < 0)
    slope = np.stack([0.16 * np.sin(u * 3), fold], -1)
    return Surface(distance, albedo.astype(np.float32), slope.astype(np.float32), gloss=0.10, height=0.14)


OBJECTS: dict[str, ObjectShape] = {"ball": ball, "crate": crate, "gear": gear, "leaf": leaf, "star": star}
