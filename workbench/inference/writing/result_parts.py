"""Results as they are written while pictures are predicted: parts that are only ever appended to.

Each line is a whole batch: a checksum, the detections of each picture, the count so far, and where to continue. So an
existing line is a completed step, and there is no second record that could contradict it. Whatever a kill or a power
cut left after the last complete line is cut off when the work continues. A part has about ten thousand pictures; each
is synced to disk before the next is started.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workbench.core.detections import Detections
from workbench.core.files import sync_all
from workbench.core.windows_files import retry_while_in_use
from workbench.errors import WorkbenchError
from workbench.inference.pictures.sources import Frame, Position

PER_PART = 10_000  # pictures
SYNCED = 5.0  # the most seconds of work that a power cut can cost; a kill costs a batch
Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class ResultRow:
    """The detections in one picture; `skipped` says why it could not be read.

    `frame` is -1 if it is not a frame of a video. `found`: label (its index), score, and box (xyxy, pixels).
    """

    name: str
    place: str
    width: int = 0
    height: int = 0
    found: tuple[tuple[int, float, Box], ...] = ()
    frame: int = -1
    skipped: str = ""

    @staticmethod
    def of(frame: Frame, kept: Detections) -> ResultRow:
        """Scores to five digits and boxes to a hundredth of a pixel."""
        rows = zip(kept.labels.tolist(), kept.scores.tolist(), kept.boxes.tolist(), strict=True)
        found = tuple((label, round(score, 5), _rounded(box)) for label, score, box in rows)
        height, width = frame.image.shape[:2]
        return ResultRow(frame.name, frame.place, width, height, found, frame.index if frame.is_video else -1)

    @property
    def own_place(self) -> str:
        """The place of a file for this picture alone; frames of a video get a folder with its name."""
        return self.place if self.frame < 0 else f"{self.place}/{self.frame:06d}"


def _rounded(box: list[float]) -> Box:
    x0, y0, x1, y1 = (round(side, 2) for side in box)
    return x0, y0, x1, y1


@dataclass(frozen=True, slots=True)
class WorkProgress:
    """How far the work is."""

    next: Position = field(default_factory=Position)
    images: int = 0
    detections: int = 0
    skipped: int = 0

    @property
    def pictures(self) -> int:
        return self.images + self.skipped

    def plus(self, rows: list[ResultRow], next: Position) -> WorkProgress:
        skipped = sum(bool(row.skipped) for row in rows)
        detections = sum(len(row.found) for row in rows)
        return WorkProgress(
            next, self.images + len(rows) - skipped, self.detections + detections, self.skipped + skipped
        )  # fmt: skip


class ResultParts:
    """The parts in `folder`, to continue: an incomplete end is cut off. Close it.

    `has_sinks`: other files are written that must be on disk before the line that mentions them.
    """

    def __init__(self, folder: Path, has_sinks: bool = False) -> None:
        self.folder, self.done, self._has_sinks = folder, WorkProgress(), has_sinks
        self._in_part, self._synced = 0, time.monotonic()
        parts = files(folder)
        self._number = max(len(parts) - 1, 0)
        self._stream = open(parts[-1] if parts else self._name(), "ab", buffering=0)  # noqa: SIM115 - until close
        if len(parts) > 1:
            self.done = _progress_in(parts[-2])
        if parts:
            self._cut_off(parts[-1])

    def _name(self) -> Path:
        return self.folder / f"part-{self._number:06d}.jsonl"

    def _cut_off(self, last: Path) -> None:
        whole = 0
        for line, end in _lines(last):
            rows, self.done = _parsed(line, last)
            self._in_part += len(rows)
            whole = end
        if whole < last.stat().st_size:
            os.truncate(last, whole)

    def append(self, rows: list[ResultRow], next: Position) -> None:
        """Append one batch. WorkbenchError if it can't be written; the file is then unchanged."""
        if self._in_part >= PER_PART:
            self.sync()
            self._stream.close()
            self._number, self._in_part = self._number + 1, 0
            self._stream = open(self._name(), "ab", buffering=0)  # noqa: SIM115 - until close
        done = self.done.plus(rows, next)
        line = _line(rows, done)
        before = os.fstat(self._stream.fileno()).st_size
        try:
            written = self._stream.write(line)
            if written != len(line):
                raise OSError(28, "No space left on device")
        except OSError as error:
            with contextlib.suppress(OSError):  # half a line; it would also be cut off on continuing
                self._stream.truncate(before)
            sentence = f"{self._name()} could not be written: {error.strerror}. Make room; earlier results are kept."
            raise WorkbenchError(sentence, error) from error
        self.done = done
        self._in_part += len(rows)
        if time.monotonic() - self._synced > SYNCED:
            self.sync()

    def sync(self) -> None:
        """Wait until it is on disk, and what was written beside it before."""
        if self._has_sinks:
            sync_all()
        os.fsync(self._stream.fileno())
        self._synced = time.monotonic()

    def close(self) -> None:
        self.sync()
        self._stream.close()


def files(folder: Path) -> list[Path]:
    """The parts in `folder`, in order."""
    return sorted(folder.glob("part-*.jsonl"))


def put_aside(folder: Path, aside: Path) -> None:
    """Move the parts of a job that is started over into a separate folder in `aside`: they tell what it wrote.

    WorkbenchError if they can't be moved.
    """
    try:
        if left := files(folder):
            aside.mkdir(parents=True, exist_ok=True)
            place = Path(tempfile.mkdtemp(dir=aside))
        for file in left:
            with contextlib.suppress(FileNotFoundError):  # another shard may do the same
                retry_while_in_use(os.replace, file, place / file.name)
    except OSError as error:
        sentence = f"{folder} can't be started over: {error.strerror or error}. Make room, or choose another --out."
        raise WorkbenchError(sentence, error) from error


def rows(folder: Path) -> Iterator[ResultRow]:
    """Everything that was found, in the order of the listing. WorkbenchError if a part is damaged."""
    for file in files(folder):
        end = 0
        for line, end in _lines(file):  # noqa: B007 - the last one counts
            yield from _parsed(line, file)[0]
        if end < file.stat().st_size:
            raise WorkbenchError(f"{file} is damaged after byte {end:,}. Run the same command again, or with --fresh.")


def _line(rows: list[ResultRow], done: WorkProgress) -> bytes:
    entries = [_plain(row) for row in rows]
    sums = [done.images, done.detections, done.skipped]
    at = [done.next.byte, done.next.number, done.next.frame]
    text = json.dumps([at, sums, entries], ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def _plain(row: ResultRow) -> list[Any]:
    if row.skipped:
        return [row.name, row.place, row.frame, row.skipped]
    return [row.name, row.place, row.frame, row.width, row.height, row.found]


def _row(entries: list[Any]) -> ResultRow:
    if len(entries) == 4:
        return ResultRow(entries[0], entries[1], frame=entries[2], skipped=entries[3])
    found = tuple((label, score, tuple(box)) for label, score, box in entries[5])
    return ResultRow(entries[0], entries[1], entries[3], entries[4], found, entries[2])


def _lines(file: Path) -> Iterator[tuple[bytes, int]]:
    """The complete lines of a part and where each ends, up to the first incomplete one."""
    end = 0
    with open(file, "rb") as lines:
        for line in lines:
            sum, _, text = line.rstrip(b"\n").partition(b" ")
            if not line.endswith(b"\n") or sum != b"%08x" % zlib.crc32(text):
                return
            end += len(line)
            yield text, end


def _parsed(text: bytes, file: Path) -> tuple[list[ResultRow], WorkProgress]:
    try:
        at, sums, entries = json.loads(text)
        return [_row(one) for one in entries], WorkProgress(Position(*at), *sums)
    except (ValueError, TypeError, IndexError) as error:
        raise WorkbenchError(f"{file} was written by another version of Workbench. Use --fresh.", error) from error


def progress_of(folder: Path) -> WorkProgress:
    """How far the work in `folder` is."""
    some = files(folder)
    return _progress_in(some[-1]) if some else WorkProgress()


def _progress_in(file: Path) -> WorkProgress:
    """The state in the last complete line of a part."""
    done = WorkProgress()
    for text, _ in _lines(file):
        done = _parsed(text, file)[1]
    return done
