"""The boxes' sizes prepared for painting: as points if they are few, as a density if they are many. No Qt.

n boxes, B bins per axis. Places are sizes in the plot's coordinates: pixels, or their decimal logarithms.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

POINTS = 20_000
"""Boxes above which a density is painted: points would overlap, and take longer to paint than a screen refresh."""
BINS = 256
_BARS = 96  # of each histogram
_ROOM = 0.06  # share of the range added beyond the outermost boxes
_LEAST_LOG = 0.15  # of a decimal logarithm: if all boxes have one size, the axis still has ticks
_FAINT = 0.25  # opacity of a bin with a single box

Doubles = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Cloud:
    """Sizes (n, 2) as they are painted. `groups` has, for each colouring, the (n,) numbers of the labels or splits.

    If `cells` is None every box is a point; else cells (m,) are the bins (row * BINS + column) that contain boxes, with
    their `counts` (m,) and `middles` (m, 2), the mean size in each.
    """

    places: Doubles  # (n, 2)
    low: Doubles  # (2,) of the painted area, in places
    high: Doubles  # (2,)
    log: bool
    cells: NDArray[np.int64] | None
    counts: Doubles
    middles: Doubles
    majorities: dict[str, NDArray[np.int64]]  # by colouring: (m,) the most frequent group in each cell
    bars: tuple[Doubles, Doubles]  # (_BARS,) boxes by width, by height

    def __len__(self) -> int:
        return len(self.places)

    @property
    def edges(self) -> tuple[Doubles, Doubles]:
        """(_BARS + 1,) the bars' edges for each axis."""
        return tuple(np.linspace(self.low[axis], self.high[axis], _BARS + 1) for axis in (0, 1))  # type: ignore[return-value]

    def picture(self, colours: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """(BINS, BINS, 4) RGBA of the cells in these colours (m, 3): the more boxes, the more opaque."""
        assert self.cells is not None
        image = np.zeros((BINS * BINS, 4), np.uint8)
        strength = np.log1p(self._smooth())
        strength /= max(float(strength.max(initial=0)), 1e-9)
        image[self.cells, :3] = colours
        image[self.cells, 3] = np.rint(255 * (_FAINT + (1 - _FAINT) * strength))
        return image.reshape(BINS, BINS, 4)

    def _smooth(self) -> Doubles:
        """(m,) counts, smoothed with their neighbours'.

        Sides are whole pixels of the original, so a bin gets now two of them and now three, which showed as stripes.
        """
        flat = np.zeros(BINS * BINS)
        flat[self.cells] = self.counts
        grid: Doubles = flat.reshape(BINS, BINS)
        for _ in range(2):  # rows, then columns
            beside = np.pad(grid, ((1, 1), (0, 0)))
            grid = ((beside[:-2] + 2 * grid + beside[2:]) / 4).T
        smooth: Doubles = grid.reshape(-1)[self.cells]
        return smooth

    def nearest(self, place: tuple[float, float], unit: tuple[float, float]) -> tuple[int, float]:
        """The box nearest to a place, and its distance in units (of a screen pixel, say); -1 without boxes."""
        if not len(self):
            return -1, np.inf
        apart = (((self.places - place) / unit) ** 2).sum(axis=1)
        row = int(apart.argmin())
        return row, float(np.sqrt(apart[row]))

    def inside(self, low: tuple[float, float], high: tuple[float, float]) -> NDArray[np.int64]:
        """(m,) rows of the boxes in a rectangle of the plot."""
        return np.flatnonzero(((self.places >= low) & (self.places <= high)).all(axis=1))


def make_cloud(sizes: Doubles, groups: dict[str, NDArray[np.int64]], log: bool) -> Cloud:
    """Takes a tenth of a second for a million boxes. On logarithmic axes, sizes must be above 0."""
    places = np.log10(sizes) if log else np.asarray(sizes, np.float64)
    low, high = _area(places, log)
    shares = (places - low) / (high - low)
    at = np.clip(shares * BINS, 0, BINS - 1).astype(np.int64)
    in_bar = np.clip(shares * _BARS, 0, _BARS - 1).astype(np.int64)
    bars = tuple(np.bincount(in_bar[:, axis], minlength=_BARS).astype(np.float64) for axis in (0, 1))
    cells, counts, middles = None, np.zeros(0), np.zeros((0, 2))
    majorities: dict[str, NDArray[np.int64]] = {}
    if len(places) > POINTS:
        flat = at[:, 1] * BINS + at[:, 0]
        all_counts = np.bincount(flat, minlength=BINS * BINS)
        cells = np.flatnonzero(all_counts)
        counts = all_counts[cells].astype(np.float64)
        sums = [np.bincount(flat, sizes[:, axis], minlength=BINS * BINS)[cells] for axis in (0, 1)]
        middles = np.column_stack(sums) / counts[:, None]
        majorities = {name: _majority(flat, group, cells) for name, group in groups.items()}
    return Cloud(places, low, high, log, cells, counts, middles, majorities, bars)  # type: ignore[arg-type]


def _area(places: Doubles, log: bool) -> tuple[Doubles, Doubles]:
    if not len(places):
        return np.zeros(2), np.ones(2)
    low, high = places.min(axis=0), places.max(axis=0)
    if not log:
        low = np.zeros(2)  # sizes start at 0
    room = np.maximum((high - low) * _ROOM, _LEAST_LOG if log else 1e-3)
    return (low - room if log else low), high + room


def _majority(flat: NDArray[np.int64], group: NDArray[np.int64], cells: NDArray[np.int64]) -> NDArray[np.int64]:
    """(m,) the most frequent group in each cell."""
    kinds = int(group.max(initial=0)) + 1
    best, most = np.zeros(len(cells), np.int64), np.zeros(len(cells))
    for kind in range(kinds):  # one at a time: 65,536 cells times 1,000 labels would be half a gigabyte
        counts = np.bincount(flat[group == kind], minlength=BINS * BINS)[cells]
        wins = counts > most
        best[wins], most[wins] = kind, counts[wins]
    return best
