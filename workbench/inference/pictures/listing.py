"""The list of what to predict, sorted on disk: a million names take no more memory than ten thousand.

One line per item: a JSON list of key, place, whether it is a video, name, file, and what is wrong with its name. The
order is natural (img2 before img10) and depends only on the names, not on the order in which a disk lists them. So do
shards: the checksum of an item's key decides. Items whose results would be written to the same place ("a.jpg" and
"a.png", the same name in two folders, "A" and "a" where that is one file) have the same key, are next to each other in
the same shard, and get different places.
"""

from __future__ import annotations

import contextlib
import hashlib
import heapq
import json
import os
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby, islice
from pathlib import Path

from workbench.core.files import atomic_path, natural_key, natural_keys
from workbench.errors import WorkbenchError
from workbench.inference.pictures.sources import ListingEntry, Position, SourceItem

CHUNK = 10_000  # items sorted in memory at a time: 5 MB
FAN = 64  # files merged at a time
_NUMBERED = re.compile(r"~([0-9]+)$")  # how places are distinguished
_encoded = json.JSONEncoder(ensure_ascii=False).encode  # json.dumps makes a new one for each line
Line = tuple[str, str, bool, str, str, str]  # in sort order


@dataclass(frozen=True, slots=True)
class Shard:
    """Part `number` (1, 2, ...) of `of` parts of the work."""

    number: int = 1
    of: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.of <= 100_000:
            raise ValueError(f"expected a shard such as 1/{max(self.of, 1)}, found {self.number}/{self.of}")

    @property
    def part(self) -> tuple[int, int]:
        """Counted from 0."""
        return self.number - 1, self.of

    def has(self, key: str) -> bool:
        return zlib.crc32(key.encode()) % self.of == self.number - 1


@dataclass(frozen=True, slots=True)
class ListingSummary:
    """What `write` has written. `everywhere` counts the items of all shards; `digest` distinguishes two listings."""

    pictures: int
    everywhere: int
    videos: tuple[tuple[str, Path], ...]  # place and file
    digest: str


def write(file: Path, items: Iterable[SourceItem], shard: Shard) -> Iterator[int | ListingSummary]:
    """Sort the shard's items into `file`; yields the number so far, then ListingSummary. Videos are in every shard.

    `file` exists, complete, once ListingSummary is yielded. Until then its folder has the parts to be merged.
    """
    runs: list[Path] = []
    source, everywhere = iter(items), 0
    try:
        while some := list(islice(source, CHUNK)):
            everywhere += len(some)
            keys = natural_keys([item.place for item in some])
            pairs = zip(keys, some, strict=True)
            lines = sorted(_line(key, item) for key, item in pairs if item.is_video or shard.has(key))
            runs.append(_spill(file, len(runs), lines))
            if len(runs) == FAN:
                runs = [_spill(file, len(runs), _merged(runs))]
            yield everywhere
        yield _written(file, runs, everywhere)
    finally:
        for run in file.parent.glob(f"{file.name}.*.run"):
            with contextlib.suppress(OSError):  # where the disk is full, they are open still: on Windows they stay then
                run.unlink()


def _line(key: str, item: SourceItem) -> Line:
    return key, item.place, item.is_video, item.name, os.fspath(item.file), item.problem


def _spill(file: Path, number: int, lines: Iterable[Line]) -> Path:
    run = file.with_name(f"{file.name}.{number}.run")
    with (
        atomic_path(run, sync=False) as temporary,
        open(temporary, "w", encoding="utf-8", errors="surrogateescape") as text,
    ):
        text.writelines(_encoded(line) + "\n" for line in lines)
    return run


def _merged(runs: list[Path]) -> Iterator[Line]:
    with contextlib.ExitStack() as stack:
        files = [stack.enter_context(open(run, encoding="utf-8", errors="surrogateescape")) for run in runs]
        yield from heapq.merge(*(map(_parsed, lines) for lines in files))


def _parsed(line: str | bytes) -> Line:
    return tuple(json.loads(line))  # type: ignore[return-value]


def _written(file: Path, runs: list[Path], everywhere: int) -> ListingSummary:
    digest, pictures, videos = hashlib.sha256(), 0, list[tuple[str, Path]]()
    with atomic_path(file) as temporary, open(temporary, "wb") as out:
        for _, group in groupby(_merged(runs), key=lambda line: line[0]):
            for line in _distinct_places(group):
                data = (_encoded(line) + "\n").encode("utf-8", "surrogateescape")
                out.write(data)
                digest.update(data)
                pictures += not line[2]
                if line[2]:
                    videos.append((line[1], Path(line[4])))
    return ListingSummary(pictures, everywhere, tuple(videos), digest.hexdigest())


def _distinct_places(group: Iterable[Line]) -> Iterator[Line]:
    """Each with a place of its own, by a suffix ~2, ~3 ... A name that already ends like that gets ~1.

    Videos and pictures write to different places.
    """
    counts: dict[tuple[bool, str], int] = {}
    for key, place, is_video, name, file, problem in group:
        kind = (is_video, place.casefold())
        counts[kind] = count = counts.get(kind, 0) + 1
        own = f"{place}~{count}" if count > 1 or _NUMBERED.search(place) else place
        yield key, own, is_video, name, file, problem


def entries(file: Path, start: Position = Position()) -> Iterator[ListingEntry]:  # noqa: B008 (frozen)
    """The items from `start` on."""
    with open(file, "rb") as lines:
        lines.seek(start.byte)
        byte = start.byte
        for number, data in enumerate(lines, start=start.number):
            try:
                _, place, is_video, name, path, problem = _parsed(data.decode("utf-8", "surrogateescape"))
            except ValueError as error:
                raise WorkbenchError(f"{file} is damaged. Start over with --fresh.", error) from error
            item = SourceItem(name, place, Path(path), is_video, problem)
            yield ListingEntry(item, number, byte, byte + len(data))
            byte += len(data)


def sort_key(place: str, is_video: bool, frame: int) -> tuple[str, str, bool, int, int]:
    """The sort key that brings results of several shards into the order of one listing of all."""
    found = _NUMBERED.search(place)
    plain = place[: found.start()] if found else place
    return natural_key(plain), plain, is_video, int(found.group(1)) if found else 0, frame
