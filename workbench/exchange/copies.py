"""Finds the photograph of which a file is a copy by its content alone: other programs give files names of their own."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from workbench.core.project import Image
from workbench.exchange.ambiguous_names import same_content

_SAMPLE = 4096  # bytes at the beginning, in the middle and at the end: all bitmaps of a camera have one size


class Copies:
    """Compares the files of a reading with the project's. Nothing is opened but what has the size of another file."""

    def __init__(self, images: Mapping[Path, Image], read: Iterable[Path]) -> None:
        """`images`: the project's, by file. `read`: the files of the reading."""
        self._images = images
        self._known = dict[Path, int]()
        self._by_size = [self._sorted(images), self._sorted(read)]
        self._samples = dict[Path, bytes]()

    def _sorted(self, files: Iterable[Path]) -> dict[int, list[Path]]:
        found = defaultdict[int, list[Path]](list)
        for file in dict.fromkeys(files):
            try:
                size = self._known[file] = file.stat().st_size
            except OSError:  # as if it were not there
                continue
            found[size].append(file)
        return found

    def original(self, copy: Path) -> Image | None:
        """The only image of the project with these bytes, if no other file of the reading has them either."""
        size = self._known.get(copy, 0)
        if not size:
            return None
        here, there = ([one for one in files.get(size, ()) if self._are_same(one, copy)] for files in self._by_size)
        return self._images[here[0]] if len(here) == 1 and not there else None

    def _are_same(self, one: Path, copy: Path) -> bool:
        return one != copy and self._sample(one) == self._sample(copy) and same_content(one, copy)

    def _sample(self, file: Path) -> bytes:
        """A hash of parts of the file; its own path if it can't be read."""
        if file not in self._samples:
            digest, size = hashlib.blake2b(digest_size=16), self._known[file]
            try:
                with file.open("rb") as stream:
                    for place in (0, size // 2, max(0, size - _SAMPLE)):
                        stream.seek(place)
                        digest.update(stream.read(_SAMPLE))
                self._samples[file] = digest.digest()
            except OSError:
                self._samples[file] = str(file).encode("utf-8", "surrogateescape")
        return self._samples[file]
