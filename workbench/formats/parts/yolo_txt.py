"""Parses one YOLO label file: lines of `index cx cy w h`, in fractions of the image's width and height."""

from __future__ import annotations

from dataclasses import dataclass, field

from workbench.core.parsing import strict_text
from workbench.core.project import XYXY
from workbench.errors import Refused
from workbench.formats.parts.layout import parse_number

SIZE_LIMIT = 8 << 20  # bytes
_ROUNDING = 1e-6  # writers give six decimals, so 1.0000005 is a rounded 1
_BEYOND = 0.01  # of the image's side, by which edges and outlines may stick out, as in Ultralytics' check


@dataclass(frozen=True, slots=True)
class YoloRow:
    """One line. `sixth` is a number that may be a confidence or a track id; the format does not say which."""

    index: int
    cx: float
    cy: float
    w: float
    h: float
    line: int
    sixth: str = ""

    def pixels(self, width: int, height: int) -> XYXY:
        """The box in pixels; edges that stick out by no more than the writer's rounding are moved to the border."""
        x0, x1 = _edges(self.cx, self.w, width)
        y0, y1 = _edges(self.cy, self.h, height)
        return round(x0, 6), round(y0, 6), round(x1, 6), round(y1, 6)  # 506.00000002 would only look like precision


@dataclass(slots=True)
class YoloFile:
    """The rows of one file, the lines that were outlines (now their bounding boxes), and damage."""

    rows: list[YoloRow] = field(default_factory=list)
    outlines: list[int] = field(default_factory=list)
    broken: list[Refused] = field(default_factory=list)


def parse_yolo(data: bytes, file: str, labels: int | None = None, keypoints: int = 0) -> YoloFile:
    """Read one label file. `labels`: how many names there are (None: unknown); `keypoints`: numbers after the box.

    Raises Refused if the file is not text; damaged lines go to `broken`.
    """
    strict_text.check_size(data, file, SIZE_LIMIT, "label files")
    text = strict_text.decode(data, file)
    read = YoloFile()
    for line, words in enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), start=1):
        parts = words.split()
        if not parts:
            continue
        try:
            row = _row(parts, labels, keypoints, line)
        except ValueError as error:
            read.broken.append(Refused(file, str(error), line))
            continue
        read.rows.append(row)
        if len(parts) > 6 and not keypoints:
            read.outlines.append(line)
    return read


def _row(parts: list[str], labels: int | None, keypoints: int, line: int) -> YoloRow:
    """The row of a line; a ValueError says what is wrong with it."""
    count = len(parts)
    if keypoints and count == 5 + keypoints:
        count = 5
    elif count < 5 or (count > 6 and count % 2 == 0):
        raise ValueError(
            f"{count} values; expected 5 (index cx cy w h), 6 (with a confidence or track id), or an index and the"
            " points of an outline"
        )
    index = _index(parts[0], labels)
    if count == 6 and parse_number(parts[5]) is None:
        raise ValueError(f"'{parts[5][:40]}' is not a plain number")
    if count <= 6:
        cx, cy, w, h = _fractions(parts[1:5])
        if w < 0 or h < 0:
            raise ValueError(f"width and height must not be negative, found {w:g} x {h:g}")
        return YoloRow(index, cx, cy, w, h, line, parts[5] if count == 6 else "")
    points = _fractions(parts[1:])
    xs, ys = points[0::2], points[1::2]
    x0, x1, y0, y1 = min(xs), max(xs), min(ys), max(ys)
    return YoloRow(index, (x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0, line)


def _index(text: str, labels: int | None) -> int:
    value = parse_number(text)
    if value is None or value < 0 or not value.is_integer():
        raise ValueError(f"the label's index must be 0, 1, 2 ..., not '{text[:40]}'")
    if labels is not None and value >= labels:
        raise ValueError(f"the index {int(value)} has no name: there are {labels} names, 0 to {labels - 1}")
    if value > 100_000:
        raise ValueError(f"the index {text[:40]} is too large for a label")
    return int(value)


def _fractions(texts: list[str]) -> list[float]:
    values = []
    for text in texts:
        value = parse_number(text)
        if value is None:
            raise ValueError(f"'{text[:40]}' is not a plain number")
        if not -_BEYOND <= value <= 1 + _BEYOND:
            raise ValueError(
                f"{text[:40]} is outside 0 to 1; YOLO's numbers are fractions of the image's size, not pixels"
            )
        is_rounded = -_ROUNDING <= value <= 1 + _ROUNDING
        values.append(min(max(value, 0.0), 1.0) if is_rounded else value)
    return values


def _edges(centre: float, size: float, side: int) -> tuple[float, float]:
    low, high = centre - size / 2, centre + size / 2
    if -_ROUNDING <= low < 0:
        low = 0.0
    if 1 < high <= 1 + _ROUNDING:
        high = 1.0
    return low * side, high * side


def to_line(index: int, xyxy: XYXY, width: int, height: int) -> str:
    """One line; the box is cut at the image's border, because the format has no numbers outside it.

    Ten decimals: six would move an edge of a 10,000 px image by 0.0075 px.
    """
    x0, x1 = (min(max(v, 0.0), width) for v in (xyxy[0], xyxy[2]))
    y0, y1 = (min(max(v, 0.0), height) for v in (xyxy[1], xyxy[3]))
    values = ((x0 + x1) / 2 / width, (y0 + y1) / 2 / height, (x1 - x0) / width, (y1 - y0) / height)
    return " ".join([str(index), *(f"{value:.10f}".rstrip("0").rstrip(".") for value in values)]) + "\n"
