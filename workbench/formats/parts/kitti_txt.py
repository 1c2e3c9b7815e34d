"""Parses one KITTI label file (bytes to boxes), and makes a line from a box.

A line is: type truncated occluded alpha x1 y1 x2 y2, the 3D object's height, width, length, x, y, z and rotation
(metres, radians) and, in result files, a score.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from workbench.core.parsing import strict_text
from workbench.core.project import XYXY
from workbench.errors import Refused
from workbench.formats import ReadBox
from workbench.formats.parts.corners import SANE, order_corners, remarks
from workbench.formats.parts.layout import from_extra, parse_number, to_extra

IGNORED = "DontCare"
SIZE_LIMIT = 8 << 20  # bytes
_SPACE = ("-10", "-1", "-1", "-1", "-1000", "-1000", "-1000", "-10")  # the devkit's numbers for "not known"
_UNKNOWN = {-10.0, -1.0, -1000.0, 0.0}  # Datumaro writes -1 for all of these, NVIDIA TAO 0
_PLAIN = ("0.00", "0", *_SPACE)  # truncated, occluded and the rest, for a box drawn in two dimensions
_REGION = ("-1", "-1", *_SPACE)  # the same of a DontCare region


@dataclass(slots=True)
class KittiFile:
    """The boxes of one file, in order. `spoken` counts what is to be reported, by its keyword."""

    boxes: list[ReadBox] = field(default_factory=list)
    remarks: list[tuple[str, str, int, str]] = field(default_factory=list)  # (level, sentence, line, kind)
    spoken: Counter[str] = field(default_factory=Counter)
    broken: list[Refused] = field(default_factory=list)


def parse_kitti(data: bytes, file: str) -> KittiFile:
    """Read one label file. Raises Refused if it is not text; damaged lines go to `broken`."""
    strict_text.check_size(data, file, SIZE_LIMIT, "label files")
    text = strict_text.decode(data, file)
    read = KittiFile()
    for line, words in enumerate(re.split(r"\r\n|\r|\n", text), start=1):
        values = words.split()
        if values:
            try:
                read.boxes.append(_box(values, line, read))
            except ValueError as error:
                read.broken.append(Refused(file, str(error), line))
    return read


def looks_like_kitti(head: bytes, whole: bool, named: bool) -> bool:
    """Whether the first lines are KITTI's: a word and 14 or 15 numbers. `whole`: the head is the whole file.

    `named`: it lies in a folder label_2, where the word may be a number; elsewhere that would be a YOLO outline.
    """
    lines = head.decode("utf-8-sig", "replace").split("\n")
    rows = [line.split() for line in (lines if whole else lines[:-1])[:8] if line.strip()]
    return bool(rows) and all(
        len(values) in (15, 16)
        and (named or parse_number(values[0]) is None)
        and all(parse_number(value) is not None for value in values[1:])
        for values in rows
    )


def _box(values: Sequence[str], line: int, read: KittiFile) -> ReadBox:
    """The box of a line; a ValueError says what is wrong with it."""
    label = values[0]
    if len(values) not in (15, 16):
        more = "; files of KITTI's tracking are not read" if len(values) in (17, 18) else ""
        raise ValueError(f"{len(values)} values; expected 15 (type, 14 numbers) or 16 (with a score){more}")
    if "\0" in label:
        raise ValueError("the type holds a NUL character")
    for value in values[1:]:
        if parse_number(value) is None:
            raise ValueError(f"'{value[:40]}' is not a plain number")
    xyxy = _ordered([float(value) for value in values[4:8]], label, line, read)
    region = label.casefold() == IGNORED.casefold()
    truncated, occluded = float(values[1]), float(values[2])
    rest = [*values[1:4], *values[8:]]
    if region:
        read.spoken["regions"] += 1
    elif occluded == 3:
        read.spoken["unknown"] += 1
    if not {float(value) for value in rest[2:10]} <= _UNKNOWN:
        read.spoken["space"] += 1
    if len(values) == 16:
        read.spoken["scores"] += 1
    return ReadBox(
        label=label,
        xyxy=xyxy,
        truncated=truncated > 0,
        occluded=occluded > 0 and occluded != 3,
        crowd=region,
        extra=to_extra("kitti", rest if tuple(rest) not in (_PLAIN, _REGION) else None),
        line=line,
    )


def _ordered(corners: Sequence[float], label: str, line: int, read: KittiFile) -> XYXY:
    if max(map(abs, corners)) > SANE:
        raise ValueError(f"{max(corners, key=abs):g} is no number of pixels")
    read.remarks += remarks(corners, f"The box of '{label[:60]}' has zero size; it was kept.", line)
    return order_corners(corners)


def to_line(label: str, xyxy: XYXY, truncated: bool, occluded: bool, region: bool, extra: str) -> str:
    """One line. The file's original values are written again as far as they still agree with the marks."""
    default = _REGION if region else _PLAIN
    rest = from_extra(extra, "kitti")
    if not isinstance(rest, list) or len(rest) not in (10, 11):
        rest = list(default)
    rest = [value if isinstance(value, str) and parse_number(value) is not None else "-1" for value in rest]
    if truncated != (float(rest[0]) > 0):
        rest[0] = "1.00" if truncated else default[0]
    if occluded != (float(rest[1]) > 0 and float(rest[1]) != 3):
        rest[1] = "1" if occluded else default[1]
    values = [label, *rest[:3], *map(_decimal, xyxy), *rest[3:]]
    return " ".join(values) + "\n"


def _decimal(value: float) -> str:
    """Two decimals as in KITTI, or up to nine if needed."""
    whole, decimals = f"{round(value, 9) + 0.0:.9f}".split(".")
    return f"{whole}.{decimals[:2]}{decimals[2:].rstrip('0')}"
