"""The backgrounds of the generated photographs: boards, grass, concrete, tiles and cloth."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from workbench.scenes.lighting import Pixels, Random, clouds, mixed, mottled, smooth

Background = Callable[[int, int, Random], Pixels]


def _colour(*rgb: int) -> np.ndarray:
    return np.array(rgb, np.float32) / 255


def boards(height: int, width: int, random: Random) -> Pixels:
    """A table of wooden boards: grain along them, each in its own tone, dark gaps between."""
    pale, dark = [
        (_colour(205, 170, 125), _colour(140, 98, 58)),
        (_colour(150, 108, 72), _colour(84, 54, 34)),
        (_colour(200, 192, 180), _colour(140, 130, 118)),
    ][random.integers(3)]
    board = height / random.uniform(3.2, 6.5)
    y = np.arange(height, dtype=np.float32) + random.uniform(0, board)
    number = (y // board).astype(int)
    tone = random.uniform(-0.35, 0.35, number.max() + 1).astype(np.float32)[number][:, None]
    grain = clouds(height, width, 90, 3.5, random) * 0.22 + clouds(height, width, 34, 1.4, random) * 0.12
    gap = np.minimum(y % board, board - y % board)[:, None]
    wood = mixed(pale, dark, 0.42 + tone + grain + 0.1 * clouds(height, width, 150, 60, random))
    return np.asarray(wood * (0.35 + 0.65 * smooth(0.3, 2.2, gap))[..., None], np.float32)


def grass(height: int, width: int, random: Random) -> Pixels:
    """Short grass from above: blades as stretched noise in two directions, patches of lighter and drier green."""
    blades = np.maximum(clouds(height, width, 1.6, 7, random), clouds(height, width, 2.2, 5, random))
    blades = blades * 0.30 + clouds(height, width, 6, 2, random) * 0.12
    patches = mottled(height, width, 90, random)
    green = mixed(_colour(44, 72, 24), _colour(134, 160, 68), 0.32 + blades + 0.07 * patches)
    dry = smooth(0.6, 2.4, mottled(height, width, 60, random)) * 0.5
    return np.asarray(green * (1 - dry[..., None]) + _colour(168, 156, 92) * dry[..., None] * (0.8 + green), np.float32)


def concrete(height: int, width: int, random: Random) -> Pixels:
    """Concrete or sand: stains, grains and a few pits."""
    tone = [_colour(156, 152, 146), _colour(196, 176, 142), _colour(120, 122, 128)][random.integers(3)]
    stains = mottled(height, width, 110, random) * 0.07 + clouds(height, width, 2, 2, random) * 0.035
    pits = smooth(2.1, 2.9, clouds(height, width, 4, 4, random)) * 0.3
    return np.asarray(tone * (1 + stains - pits)[..., None], np.float32)


def tiles(height: int, width: int, random: Random) -> Pixels:
    """Glazed floor tiles, rotated slightly, each in its own tone, light joints between."""
    tone = [_colour(176, 92, 66), _colour(96, 128, 144), _colour(206, 202, 190), _colour(92, 104, 96)][
        random.integers(4)
    ]
    side, turn = random.uniform(46, 84), random.uniform(-0.5, 0.5)
    y, x = np.arange(height, dtype=np.float32)[:, None] / side, np.arange(width, dtype=np.float32) / side
    u, v = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    row, column = np.rint(u), np.rint(v)  # tile centres are at whole numbers
    each = random.uniform(-0.11, 0.11, (64, 64)).astype(np.float32)
    own = each[row.astype(np.int8) % 64, column.astype(np.int8) % 64]
    joint = (0.5 - np.maximum(np.abs(u - row), np.abs(v - column))) * side
    glaze = tone * (1 + own + 0.05 * mottled(height, width, 36, random))[..., None]
    inside = smooth(1.2, 2.6, joint)[..., None]
    rounded = (0.86 + 0.14 * smooth(2.5, 6.0, joint))[..., None]
    return np.asarray(glaze * (inside * rounded) + _colour(188, 182, 172) * (1 - inside), np.float32)


def cloth(height: int, width: int, random: Random) -> Pixels:
    """Woven cloth with folds; plain or with wide stripes."""
    tone = [_colour(74, 96, 136), _colour(188, 176, 156), _colour(128, 62, 66), _colour(88, 108, 84)][
        random.integers(4)
    ]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    threads = 0.05 * (np.sin(x * 2.1) * np.sin(y * 2.1) + 0.7 * clouds(height, width, 14, 1.2, random))
    folds = 0.09 * clouds(height, width, 120, 50, random)
    stripes = smooth(-0.15, 0.15, np.sin(y * 2 * np.pi / random.uniform(38, 70))) * random.choice([0.0, 0.28])
    return np.asarray(tone * (1 + threads + folds + stripes)[..., None], np.float32)


BACKGROUNDS: tuple[Background, ...] = (boards, grass, concrete, tiles, cloth)
