"""A picture of anchors without a window: boxes by size in the colour of their anchor, the anchors, the curve over k.

Pillow only; imported only where a picture is drawn, so that computing anchors does not need it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw, ImageFont

from workbench.anchors.colours import anchor_colour
from workbench.anchors.overlap import Doubles, assign, rows_of
from workbench.anchors.steps import Step
from workbench.core.files import atomic_path
from workbench.core.formatting import percent
from workbench.core.project import rgb

WIDTH, HEIGHT = 1500, 820  # px
DENSE = 20_000  # boxes: more are drawn as a density, fewer as dots
_PAPER, _INK, _MUTED, _GRID = "#ffffff", "#1f2328", "#59636e", "#e4e7eb"
FEW = 0.002  # share of the boxes at either end that may lie beyond the frame
_MOST_RECTANGLES = 50


class _Axes:
    """A frame in the picture and the mapping from values to pixels."""

    def __init__(
        self, box: tuple[int, int, int, int], x: tuple[float, float], y: tuple[float, float], log: bool
    ) -> None:
        self.left, self.top, self.right, self.bottom = box
        self.log = log
        self.x, self.y = (tuple(np.log(span)) if log else span for span in (x, y))

    def at(self, x: ArrayLike, y: ArrayLike) -> tuple[Doubles, Doubles]:
        a, b = (np.log(v) if self.log else np.asarray(v, np.float64) for v in (x, y))
        across = self.left + (a - self.x[0]) / (self.x[1] - self.x[0]) * (self.right - self.left)
        down = self.bottom - (b - self.y[0]) / (self.y[1] - self.y[0]) * (self.bottom - self.top)
        return np.asarray(across), np.asarray(down)

    def frame(
        self,
        image: Image.Image,
        draw: ImageDraw.ImageDraw,
        x_ticks: Sequence[float],
        y_ticks: Sequence[float],
        titles: tuple[str, str, str],
    ) -> None:
        for tick in x_ticks:
            across = float(self.at(tick, np.exp(self.y[0]) if self.log else self.y[0])[0])
            draw.line((across, self.top, across, self.bottom), fill=_GRID)
            draw.text((across, self.bottom + 6), f"{tick:g}", _MUTED, _font(14), "mt")
        for tick in y_ticks:
            down = float(self.at(np.exp(self.x[0]) if self.log else self.x[0], tick)[1])
            draw.line((self.left, down, self.right, down), fill=_GRID)
            draw.text((self.left - 7, down), f"{tick:g}", _MUTED, _font(14), "rm")
        draw.rectangle((self.left, self.top, self.right, self.bottom), outline=_MUTED)
        draw.text((self.left, self.top - 10), titles[0], _INK, _font(17), "ls")
        draw.text(((self.left + self.right) / 2, self.bottom + 28), titles[1], _INK, _font(15), "mt")
        if titles[2]:
            words = Image.new("RGBA", (self.bottom - self.top, 22), (0, 0, 0, 0))
            ImageDraw.Draw(words).text((words.width / 2, 11), titles[2], _INK, _font(15), "mm")
            turned = words.rotate(90, expand=True)
            image.paste(turned, (self.left - 62, self.top), turned)


def draw_plot(
    file: Path,
    title: str,
    sizes: ArrayLike,
    step: Step,
    curve: Sequence[Step],
    others: Mapping[str, ArrayLike] | None = None,
    what: str = "boxes",
) -> None:
    """Write a PNG into an existing folder.

    sizes (n, 2) in network pixels; `curve` is clustering's; `others` are further sets by name.
    """
    image = Image.new("RGB", (WIDTH, HEIGHT), _PAPER)
    draw = ImageDraw.Draw(image)
    numbers = (
        f"mean IoU {percent(step.mean_iou)}, recall {percent(step.recall)} (IoU above 0.5),"
        f" {percent(step.ratio_recall)} (sides within 4 x)"
    )
    draw.text((24, 18), title, _INK, _font(24), "lt")
    draw.text((24, 52), numbers, _MUTED, _font(18), "lt")
    rows = rows_of(sizes)
    _scatter(image, draw, rows, step.centres, {name: rows_of(one) for name, one in (others or {}).items()}, what)
    _elbow(image, draw, curve, len(step.centres))
    _rectangles(draw, step.centres)
    with atomic_path(file) as part:
        image.save(part, "PNG")


def _scatter(
    image: Image.Image,
    draw: ImageDraw.ImageDraw,
    sizes: Doubles,
    centres: Doubles,
    others: Mapping[str, Doubles],
    what: str,
) -> None:
    edges = np.quantile(sizes, (FEW, 1 - FEW), axis=0) if len(sizes) else centres
    everything = np.concatenate([edges, centres, *others.values()])
    low, high = everything.min(axis=0) / 1.3, everything.max(axis=0) * 1.3
    inside = ((sizes > low) & (sizes < high)).all(axis=1)
    axes = _Axes((88, 124, 860, HEIGHT - 70), (low[0], high[0]), (low[1], high[1]), log=True)
    several = f"{len(sizes):,} {what} in the colour of their anchor{_beyond(sizes[~inside])}"
    ticks = (_log_ticks(low[0], high[0]), _log_ticks(low[1], high[1]))
    axes.frame(image, draw, *ticks, (several, "width (px)", "height (px)"))
    sizes = sizes[inside]
    across, down = axes.at(sizes[:, 0], sizes[:, 1])
    _paint(image, across, down, assign(sizes, centres), dots=len(sizes) <= DENSE)
    draw.rectangle((axes.left, axes.top, axes.right, axes.bottom), outline=_MUTED)
    for number, one in enumerate(others.values()):
        for x, y in zip(*axes.at(one[:, 0], one[:, 1]), strict=True):
            _mark(draw, float(x), float(y), number)
    _crosses(draw, *axes.at(centres[:, 0], centres[:, 1]))
    top = axes.bottom - 22 * len(others) - 10
    for number, name in enumerate(others):
        y = top + 22 * number + 8
        width = draw.textlength(name, _font(14))
        draw.rectangle((axes.right - width - 46, y - 11, axes.right - 6, y + 11), fill=_PAPER)
        _mark(draw, axes.right - width - 32, y, number)
        draw.text((axes.right - width - 16, y), name, _INK, _font(14), "lm")


def _beyond(sizes: Doubles) -> str:
    """A remark on the boxes outside the frame, with the farthest of them."""
    if not len(sizes):
        return ""
    area = sizes.prod(axis=1)
    ends = (sizes[area.argmin()], sizes[area.argmax()])[: len(sizes)]
    sides = " and ".join(f"{w:.3g} x {h:.3g}" for w, h in ends)
    return f", {len(sizes):,} beyond the frame ({sides} px)"


def _crosses(draw: ImageDraw.ImageDraw, across: Doubles, down: Doubles) -> None:
    """The anchors, each with its number where there is room for it."""
    taken = [(x - 9, y - 9, x + 9, y + 9) for x, y in zip(across, down, strict=True)]
    for width, colour in ((7, _PAPER), (3, _INK)):
        for x, y in zip(across.tolist(), down.tolist(), strict=True):
            draw.line((x - 9, y, x + 9, y), colour, width)
            draw.line((x, y - 9, x, y + 9), colour, width)
    for number, (x, y) in enumerate(zip(across.tolist(), down.tolist(), strict=True), 1):
        wide = draw.textlength(str(number), _font(16))
        for left, top in ((x + 11, y - 24), (x - 11 - wide, y - 24), (x + 11, y + 11), (x - 11 - wide, y + 11)):
            spot = (left, top, left + wide, top + 14)
            if all(spot[0] > t[2] or spot[2] < t[0] or spot[1] > t[3] or spot[3] < t[1] for t in taken):
                draw.text((left, top), str(number), _INK, _font(16), "lt", stroke_width=3, stroke_fill=_PAPER)
                taken.append(spot)
                break


def _paint(image: Image.Image, across: Doubles, down: Doubles, nearest: NDArray[np.int64], *, dots: bool) -> None:
    """Translucent dots or, for very many boxes, pixels shaded by the number of boxes."""
    pixels = np.asarray(image, np.float32).copy()
    columns, rows = np.rint(across).astype(int), np.rint(down).astype(int)
    reach = range(-2, 3) if dots else range(2)
    cover = np.zeros((HEIGHT, WIDTH), np.float32)
    mixed = np.zeros((HEIGHT, WIDTH, 3), np.float32)
    table = np.array([rgb(anchor_colour(i)) for i in range(int(nearest.max(initial=0)) + 1)], np.float32)
    for dy in reach:
        for dx in reach:
            if dots and dx * dx + dy * dy > 5:
                continue
            place = (rows + dy).clip(0, HEIGHT - 1) * WIDTH + (columns + dx).clip(0, WIDTH - 1)
            cover += np.bincount(place, minlength=HEIGHT * WIDTH).reshape(HEIGHT, WIDTH)
            for channel in range(3):
                weights = table[nearest, channel]
                mixed[..., channel] += np.bincount(place, weights, HEIGHT * WIDTH).reshape(HEIGHT, WIDTH)
    there = cover > 0
    most = float(np.log1p(cover[there]).max(initial=1.0))
    if dots:
        opaque = 1 - (1 - 0.55) ** cover[there]
    else:
        opaque = 0.25 + 0.75 * np.log1p(cover[there]) / most
    colour = mixed[there] / cover[there][:, None]
    pixels[there] += (colour - pixels[there]) * opaque[:, None]
    image.paste(Image.fromarray(np.rint(pixels).clip(0, 255).astype(np.uint8)))


def _elbow(image: Image.Image, draw: ImageDraw.ImageDraw, curve: Sequence[Step], k: int) -> None:
    """Mean IoU and both recalls against the number of anchors."""
    lines = (
        ("mean IoU", "#0072b2", [step.mean_iou for step in curve]),
        ("IoU above 0.5", "#d55e00", [step.recall for step in curve]),
        ("sides within 4 x", "#009e73", [step.ratio_recall for step in curve]),
    )
    last = max(len(curve), 2)
    floor = np.floor(10 * min(min(values) for _, _, values in lines)) / 10 if curve else 0.0
    axes = _Axes((970, 124, WIDTH - 40, 400), (0.5, last + 0.5), (100 * floor, 101), log=False)
    ticks = [tick for tick in range(0, 101, 10 if floor >= 0.4 else 20) if tick >= 100 * floor]
    counts = range(1, last + 1) if last <= 20 else range(5, last + 1, 5)
    axes.frame(image, draw, list(counts), ticks, ("Each number of anchors", "anchors", "%"))
    if k <= last:
        across = float(axes.at(k, 0)[0])
        draw.line((across, axes.top, across, axes.bottom), _MUTED, 1)
    spot = float(axes.left + 8)
    for name, colour, values in lines:
        xs, ys = axes.at(np.arange(1, len(values) + 1), 100 * np.array(values))
        points = list(zip(xs.tolist(), ys.tolist(), strict=True))
        draw.line(points, colour, 3, "curve")
        for x, y in points:
            draw.ellipse((x - 4, y - 4, x + 4, y + 4), fill=colour)
        draw.line((spot, axes.bottom + 62, spot + 22, axes.bottom + 62), colour, 3)
        draw.text((spot + 28, axes.bottom + 62), name, _INK, _font(14), "lm")
        spot += 44 + draw.textlength(name, _font(14))


def _rectangles(draw: ImageDraw.ImageDraw, centres: Doubles) -> None:
    """The anchors to scale, with a common corner."""
    left, top, right, bottom = 970, 536, WIDTH - 40, HEIGHT - 30
    draw.text((left, top - 10), "The anchors, to scale, and how large they are (px)", _INK, _font(17), "ls")
    room = bottom - top
    scale = min(room / centres[:, 1].max(), 0.5 * (right - left) / centres[:, 0].max())
    for number, (w, h) in list(enumerate(centres.tolist()))[:_MOST_RECTANGLES]:
        colour = anchor_colour(number)
        draw.rectangle((left, bottom - h * scale, left + w * scale, bottom), outline=colour, width=2)
    line = max(10, min(20, room // max(len(centres), 1)))
    fits = room // line
    x = left + 0.56 * (right - left)
    for number, (w, h) in list(enumerate(centres.tolist()))[: 2 * fits]:
        column, row = divmod(number, fits)
        text = f"{number + 1}: {w:.0f} x {h:.0f}"
        place = x + column * 118, top + row * line + line / 2
        draw.rectangle((place[0], place[1] - 4, place[0] + 9, place[1] + 5), fill=anchor_colour(number))
        draw.text((place[0] + 16, place[1]), text, _INK, _font(min(14, line - 1)), "lm")


def _mark(draw: ImageDraw.ImageDraw, x: float, y: float, kind: int) -> None:
    """The mark of another set: an outlined diamond, square, circle or triangle."""
    reach = 7
    shapes = (
        [(x, y - reach), (x + reach, y), (x, y + reach), (x - reach, y)],
        [(x - 6, y - 6), (x + 6, y - 6), (x + 6, y + 6), (x - 6, y + 6)],
        [(x, y - reach), (x + reach, y + 6), (x - reach, y + 6)],
        [(x, y + reach), (x + reach, y - 6), (x - reach, y - 6)],
    )
    draw.polygon(shapes[kind % len(shapes)], outline=_PAPER, width=4)
    draw.polygon(shapes[kind % len(shapes)], outline=_INK, width=2)


def _log_ticks(low: float, high: float) -> list[float]:
    """1, 2 and 5 times the powers of ten between two sizes; all whole numbers where the range is short."""
    ticks = [m * 10.0**p for p in range(-3, 6) for m in (1, 2, 5) if low <= m * 10.0**p <= high]
    if len(ticks) >= 3:
        return ticks
    return [float(f"{tick:.2g}") for tick in np.geomspace(low, high, 6)[1:-1]]


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
