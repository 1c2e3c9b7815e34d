"""Reads damaged files and asks of each reading: refused with its place, or told, or nothing lost; and soon."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.promises import damaged_sets
from tests.promises.mutating import Mutant, Template
from workbench.errors import Refused
from workbench.formats import Reading

SOON = 1.0  # seconds of computing; other programs' time does not count
_PLACE = re.compile(
    r"(?P<file>[^\n:]+):(?:[1-9]\d*: |"  # file:line:
    r" (?:\w*\[\d+\]|\w+\.)[^\s:]*: |"  # images[3].file_name:, [3].label:, assets.x.regions[0]:
    r" (?:images|annotations|categories|tags|flags|image\w+): )"  # a key of the whole document
)


def has_place(sentence: str, file: str = "") -> bool:
    """Whether a refusal begins with this file (any) and a line, or the path of a value inside a document."""
    found = _PLACE.match(sentence)
    return found is not None and file in ("", found["file"])


@dataclass
class Tally:
    """What came of damaged files. The last four must be empty; they hold the first few examples of each."""

    files: int = 0
    refused: int = 0
    told: int = 0  # read, with a remark about something that is not as before
    unharmed: int = 0  # read, and all is there
    slowest: float = 0.0  # seconds
    crashed: list[str] = field(default_factory=list)
    late: list[str] = field(default_factory=list)
    nowhere: list[str] = field(default_factory=list)  # refusals without file and line or path
    silent: list[str] = field(default_factory=list)  # boxes lost or changed without a word

    @property
    def failures(self) -> int:
        return sum(map(len, (self.crashed, self.late, self.nowhere, self.silent)))

    def run(self, read: Callable[[], object], file: str = "") -> object:
        """What `read` returns, None if it refused or crashed. `file`: the one that refusals must name."""
        self.files += 1
        begin = time.process_time()
        result: object = None
        try:
            result = read()
        except Refused as error:
            self.refused += 1
            if not has_place(error.sentence, file):
                self.nowhere.append(error.sentence)
        except Exception as error:  # whatever it is: the promise is that there is none
            self.crashed.append(repr(error))
        taken = time.process_time() - begin
        self.slowest = max(self.slowest, taken)
        if taken >= SOON:
            self.late.append(f"{file}: {taken:.2f} s")
        return result

    def __str__(self) -> str:
        return (
            f"{self.files:,} files: {self.refused:,} refused, {self.told:,} told, {self.unharmed:,} unharmed,"
            f" {len(self.crashed):,} crashed, {len(self.silent):,} silent, {len(self.nowhere):,} refusals without a"
            f" place, {len(self.late):,} late, slowest {self.slowest:.3f} s"
        )


def kinds(reading: Reading) -> set[tuple[str, str]]:
    """What a reading remarks, without the numbers in it."""
    return {(remark.level, re.sub(r"[\d,]+", "#", remark.sentence)) for remark in reading.remarks}


def judge(
    tally: Tally,
    reading: Reading,
    before: set[tuple[str, str]],
    files: Mapping[str, Template],
    damaged: str,
    mutant: Mutant,
    images: tuple[Path, ...],
) -> None:
    """Count a reading of a set of `damaged_sets` of which one file was `damaged`.

    Boxes whose own bytes are whole must be there with the same numbers; with the same label in the same image if what
    names those is whole too. Where a box was damaged and not cut out there must be a box. Else the reading must say
    something that it did not say before.
    """
    lost = _lost(reading, files[damaged], mutant, images, are_lines=damaged.endswith((".txt", ".csv")))
    if kinds(reading) - before:
        tally.told += 1
    elif lost:
        tally.silent.append(f"{damaged}: {lost[:3]}: {mutant.data!r}")
    else:
        tally.unharmed += 1


def _lost(reading: Reading, file: Template, mutant: Mutant, images: tuple[Path, ...], *, are_lines: bool) -> list[str]:
    def whole(part: str) -> bool:
        return part not in file.parts or mutant.has_whole(*file.parts[part])

    found = [
        (box.label, tuple(round(v, 4) for v in box.xyxy), image.file) for image in reading.images for box in image.boxes
    ]
    exact, numbers = Counter(found), Counter(xyxy for _, xyxy, _ in found)
    lost, gone, cut = [], 0, False
    for k, xyxy in enumerate(damaged_sets.BOXES):
        image, label = damaged_sets.image_of(k), damaged_sets.label_of(k)
        if not whole(f"b{k}"):
            begin, end = file.parts[f"b{k}"]
            merged = are_lines and cut and begin not in mutant.origin  # "a,1,|2\nb,3,|4" is "a,1,4": nothing tells it
            gone += merged or mutant.share(begin, end) < 0.5
            cut = end - 1 not in mutant.origin
        elif not numbers[xyxy]:
            lost.append(f"box {k} is not there")
        elif all(map(whole, (f"i{image}", f"l{k % 2}", "all"))) and not exact[label, xyxy, images[image]]:
            lost.append(f"box {k} has another label or image")
    if len(found) < len(damaged_sets.BOXES) - gone:
        lost.append(f"{len(found)} boxes, where {gone} were cut out")
    return lost
