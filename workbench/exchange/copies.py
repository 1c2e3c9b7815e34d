"""Finds the photograph of which a file is a copy by its content alone: other programs give files names of their own."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from workbench.core.project import Image
from workbench.exchange.ambiguous_names import same_content

_SAMPLE = 4096  # bytes at the beginning, in the middle and at the end: all bitmaps of a camera have one size


_MANY = 8  # files with the same samples: they are surely all the same, so none is the one

_BySize = dict[int, list[Path]]


class Copies:
    """Compares the files of a reading with the project's. Nothing is opened but what has the size of one of those."""

    def __init__(self, images: Mapping[Path, Image], read: Iterable[Path]) -> None:
        """`images`: the project's, by file. `read`: the files of the reading."""
        self._images = images
        self._sizes = dict[Path, int]()
        self._here = self._sorted(images)
        self._there = self._sorted(read if images else ())
        self._samples = dict[Path, bytes]()
        self._sampled = dict[int, tuple[dict[bytes, list[Path]], dict[bytes, list[Path]]]]()  # by size

    def _sorted(self, files: Iterable[Path]) -> _BySize:
        found: _BySize = defaultdict(list)
        for file in dict.fromkeys(files):
            try:
                size = self._sizes[file] = file.stat().st_size
            except OSError:  # as if it were not there
                continue
            found[size].append(file)
        return found

    def original(self, copy: Path) -> Image | None:
        """The only image of the project with these bytes, if no other file of the reading has them either."""
        size = self._sizes.get(copy, 0)
        if not size or size not in self._here:
            return None
        if size not in self._sampled:
            self._sampled[size] = self._by_sample(self._here[size]), self._by_sample(self._there[size])
        here, there = (some.get(self._sample(copy), []) for some in self._sampled[size])
        if not here or max(len(here), len(there)) > _MANY:
            return None
        same = [one for one in here if same_content(one, copy)]
        if len(same) != 1 or any(one != copy and same_content(one, copy) for one in there):
            return None
        return self._images[same[0]]

    def _by_sample(self, files: Iterable[Path]) -> dict[bytes, list[Path]]:
        found: dict[bytes, list[Path]] = defaultdict(list)
        for file in files:
            found[self._sample(file)].append(file)
        return found

    def _sample(self, file: Path) -> bytes:
        """A hash of parts of the file; its own path if it can't be read."""
        if file not in self._samples:
            digest, size = hashlib.blake2b(digest_size=16), self._sizes[file]
            try:
                with file.open("rb") as stream:
                    for place in (0, size // 2, max(0, size - _SAMPLE)):
                        stream.seek(place)
                        digest.update(stream.read(_SAMPLE))
                self._samples[file] = digest.digest()
            except OSError:
                self._samples[file] = str(file).encode("utf-8", "surrogateescape")
        return self._samples[file]
