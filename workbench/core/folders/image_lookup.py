"""Finds the image file that an annotation means: by its path inside the data set's folders, never outside them."""

from __future__ import annotations

import contextlib
import filecmp
import itertools
import os
import re
import unicodedata
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from workbench.core.files import IMAGE_SUFFIXES, resolve_inside, scan_images
from workbench.core.folders.portable_names import portable
from workbench.errors import WorkbenchError

_IMAGE_FOLDERS = frozenset(("images", "image", "jpegimages", "imgs", "img"))
_SPLIT = re.compile(r"(train|val|test)(ing|id|idation)?([-_]?[0-9]{2,4})?", re.I | re.A)
"""A folder of one split: train, valid, val2017, test_01."""
_UPLOAD = re.compile(r"(?:^|/)upload/[0-9]+/[0-9a-f]{8}-([^/]+)$")
"""How Label Studio stores an upload: upload/PROJECT/HASH-NAME."""
_HASHED = re.compile(r"(?!(?:19|20)[0-9]{6}-)[0-9a-f]{8}-(.+)")
"""The bare name, as in its exports in other formats; names that begin with a date are not uploads."""
_MANY = 32  # files with one stem that are searched for each name
_Candidates = list[tuple[tuple[str, ...], Path]]
"""Files with the parts of their paths below their folder."""


class MatchKind(Enum):
    EXACT = "exact"  # the path as given, below one of the folders
    ALIKE = "alike"  # the one file with that name whose folders agree best
    AMBIGUOUS = "ambiguous"  # several files fit equally well
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class FileMatch:
    kind: MatchKind
    file: Path | None = None
    count: int = 0  # how many files fit, when ambiguous


def to_posix(name: str) -> str:
    """A foreign path with posix separators, without drive and leading '/' or './'; '..' is kept."""
    plain = re.sub(r"^[A-Za-z]:", "", name.strip().replace("\\", "/"))
    return "/".join(part for part in plain.split("/") if part not in ("", "."))


def unpacked(file: Path) -> Path:
    """The path that a file of a zip from Windows has where unpacking makes folders of the backslashes in its name."""
    return Path(str(file).replace("\\", "/")) if "\\" in str(file) else file


def _of_link(name: str) -> str:
    """The path in a link, as in Label Studio's COCO files (/data/local-files/?d=day%201/a.jpg), without its query.

    For uploads, the name without the hash.
    """
    plain = name.partition("?d=")[2] or name
    before, query, _ = plain.partition("?")
    if query and os.path.splitext(before)[1].lower() in IMAGE_SUFFIXES:
        plain = before
    plain = unquote(plain)
    upload = _UPLOAD.search(plain.replace("\\", "/"))
    return upload[1] if upload else plain


def upload_name(name: str) -> str:
    """The name that Label Studio (like Django) gives a file on upload: "a (1).jpg" becomes a_1.jpg."""
    return re.sub(r"[^-\w.]", "", name.strip().replace(" ", "_"))


def to_nfc(name: str) -> str:
    """A name with each accented letter as one character: on Macs and in their zips it is two, everywhere else one."""
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def is_portable(name: str) -> bool:
    """Whether a foreign path is relative and stays below its folder."""
    plain = name.strip().replace("\\", "/")
    return not (plain.startswith("/") or re.match(r"[A-Za-z]:", plain) or "\0" in name or ".." in plain.split("/"))


def leads_out(path: Path, roots: Iterable[Path]) -> bool:
    """Whether a path, with all its links resolved, lies in none of the folders."""
    real = os.path.realpath(path)
    return not any(real.startswith(os.path.join(os.path.realpath(root), "")) for root in roots)


def links_leading_out(folder: Path, roots: Iterable[Path]) -> list[Path]:
    """The links to files in `folder` and below that lead outside all `roots`. Hidden ones are never read."""
    roots, found, open_folders = tuple(roots), list[Path](), [folder]
    while open_folders:
        with contextlib.suppress(OSError), os.scandir(open_folders.pop()) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if entry.is_symlink():
                    found += [Path(entry.path)] if leads_out(Path(entry.path), roots) else []
                elif entry.is_dir():
                    open_folders.append(Path(entry.path))
    return sorted(found)


class ImageLookup:
    """All image files below some folders (first folder first), found again by path or name.

    Only files seen by a scan of these folders can be found, so no foreign name leads outside them; links that do are
    left out (`leading_out`). The scan is made when first needed: a single annotation file may lie in a folder with a
    million other files.
    """

    def __init__(self, roots: Iterable[Path]) -> None:
        self.roots = tuple(dict.fromkeys(Path(os.path.abspath(root)) for root in roots))
        self._scanned = False
        self._uploads: dict[str, list[Path]] | None = None
        self._below: dict[Path, list[Path]] | None = None
        self.leading_out: list[Path] = []  # links to images outside the folders, found by the scan

    def _scan(self) -> None:
        if self._scanned:
            return
        self._scanned = True
        self._files: list[Path] = []
        self._relative: dict[str, list[Path]] = {}
        self._composed: dict[str, dict[Path, list[Path]]] = {}  # by folder, those whose composed name differs
        self._by_stem: dict[str, _Candidates] = {}
        self._by_folder: dict[str, dict[str, _Candidates]] = {}  # for stems shared by many files
        seen: set[Path] = set()
        for root in self.roots:
            for name in scan_images(root):
                file = root / name
                if os.path.islink(file) and leads_out(file, self.roots):
                    self.leading_out.append(file)
                    continue
                self._relative.setdefault(name, []).append(file)
                usual = to_nfc(name).replace("\\", "/")  # of a zip from Windows, unpacked without making folders
                exported = portable(usual)
                for other in {usual, exported} - {name}:
                    self._composed.setdefault(other, {}).setdefault(root, []).append(file)
                if file not in seen:
                    seen.add(file)
                    self._files.append(file)
                    for parts in {PurePosixPath(usual).parts, PurePosixPath(exported).parts}:
                        self._by_stem.setdefault(_stem(parts[-1]).casefold(), []).append((parts, file))

    @property
    def files(self) -> list[Path]:
        """All image files, folder by folder in natural order."""
        self._scan()
        return self._files

    def below(self, folder: Path) -> list[Path]:
        """The image files below this folder, `unpacked`, in the order of `files`; quick after the first call."""
        if self._below is None:
            self._below = {}
            for file in self.files:
                for above in unpacked(file).parents:
                    self._below.setdefault(above, []).append(file)
        return self._below.get(folder, [])

    def beside(self, name: str) -> Path | None:
        """The image file at this foreign path below one of the folders, found without a scan.

        None also if the first folder has none and others have different ones.
        """
        found = list[Path]()
        for root in self.roots:
            try:
                file = resolve_inside(root, name)
            except (WorkbenchError, ValueError, OSError):  # leads outside, or is not a valid name
                continue
            if file.suffix.lower() in IMAGE_SUFFIXES and os.path.isfile(file):
                found.append(file)
                if root == self.roots[0]:
                    break
        return found[0] if found and _all_same(found) else None

    def find(self, name: str, near: Collection[str] = ()) -> FileMatch:
        """The file that `name` (any separators, any suffix or none) means; if there is none, as a link.

        The path as given comes first, then with a folder "images" added or removed in front: data sets, and our
        exports, keep images there and name them with or without it. Between files whose paths agree equally well with
        `name`, the first folder (the data set's own) decides, then `near`: folder names that the right file is likely
        to have among its parents (such as its split's). A file in another split's folder than `name` says is never
        accepted by its base name alone.
        """
        match = self._find(name, near)
        link = _of_link(name) if match.kind is MatchKind.MISSING else name
        return self._find(link, near) if link != name else match

    def _find(self, name: str, near: Collection[str]) -> FileMatch:
        self._scan()
        name = to_posix(name)
        parts = PurePosixPath(name).parts
        if not parts:
            return FileMatch(MatchKind.MISSING)
        if name in self._relative:
            return self._exact(self._relative[name])
        name = to_nfc(name)
        parts, near = PurePosixPath(name).parts, {to_nfc(folder) for folder in near}
        if name in self._relative:
            return self._exact(self._relative[name])
        if by_folder := self._composed.get(name):
            own = by_folder.get(self.roots[0])
            return self._only(own or list(itertools.chain.from_iterable(by_folder.values())))
        candidates = _narrow(self._of_stem(parts), lambda p: p[-1] == parts[-1])
        candidates = _best(candidates, lambda p: _agreement(p[:-1], parts[:-1]))
        candidates = [c for c in candidates if not _contradicts(*c, parts)]
        candidates = _narrow(candidates, lambda p: p[:-1] == parts[:-1])
        candidates = _narrow(candidates, lambda p: p[0].lower() in _IMAGE_FOLDERS and p[1:-1] == parts[:-1])
        candidates = _narrow(candidates, lambda p: parts[0].lower() in _IMAGE_FOLDERS and p[:-1] == parts[1:-1])
        if len(candidates) > 1:
            candidates = [c for c in candidates if c[1].is_relative_to(self.roots[0])] or candidates
        candidates = _best(candidates, lambda p: len(set(p[:-1]) & set(near)))
        candidates = list({file: (p, file) for p, file in candidates}.values())  # one under both of its names
        if not candidates:
            return FileMatch(MatchKind.MISSING)
        if len(candidates) > 1:
            return FileMatch(MatchKind.AMBIGUOUS, count=len(candidates))
        return FileMatch(MatchKind.ALIKE, candidates[0][1])

    def uploaded(self, name: str) -> FileMatch:
        """The image that Label Studio calls HASH-NAME after an upload: its exports lack the images.

        For names that match no file as they are.
        """
        hashed = _HASHED.fullmatch(to_posix(name).rpartition("/")[2])
        if hashed is None:
            return FileMatch(MatchKind.MISSING)
        match = self._find(hashed[1], ())
        if match.kind is not MatchKind.MISSING:
            return match
        if self._uploads is None:
            self._uploads = {}
            for file in self.files:
                self._uploads.setdefault(upload_name(_stem(to_nfc(file.name))), []).append(file)
        alike = self._uploads.get(_stem(hashed[1]), [])
        if len(alike) > 1:
            return FileMatch(MatchKind.AMBIGUOUS, count=len(alike))
        return FileMatch(MatchKind.ALIKE, alike[0]) if alike else match

    def _of_stem(self, parts: tuple[str, ...]) -> _Candidates:
        """The files with this stem; if there are many, like frames of videos, those in a folder of the same name.

        Only if these would be preferred anyway: an exactly matching name comes before everything else.
        """
        stem = _stem(parts[-1]).casefold()
        candidates = self._by_stem.get(stem, [])
        if len(candidates) <= _MANY or len(parts) == 1:
            return candidates
        if stem not in self._by_folder:
            folders = self._by_folder[stem] = {}
            for one in candidates:
                folders.setdefault("/".join(one[0][-2:-1]), []).append(one)
        there = self._by_folder[stem].get(parts[-2], [])
        if stem == parts[-1].casefold():  # without a suffix
            return there or candidates
        return [c for c in there if c[0][-1] == parts[-1]] or candidates

    def _exact(self, files: list[Path]) -> FileMatch:
        """The file in the first folder, the data set's own; the other folders have no order of preference."""
        return self._only(files[:1] if files[0].is_relative_to(self.roots[0]) else files)

    def _only(self, files: list[Path]) -> FileMatch:
        """The file that these are, if they have the same content."""
        if len(files) == 1 or _all_same(files):
            return FileMatch(MatchKind.EXACT, files[0])
        return FileMatch(MatchKind.AMBIGUOUS, count=len(files))


def _stem(name: str) -> str:
    stem, suffix = os.path.splitext(name)
    return stem if suffix.lower() in IMAGE_SUFFIXES else name


def _narrow(candidates: _Candidates, test: Callable[[tuple[str, ...]], bool]) -> _Candidates:
    """Those that pass the test, or all if none does."""
    return [c for c in candidates if test(c[0])] or candidates


def _best(candidates: _Candidates, score: Callable[[tuple[str, ...]], int]) -> _Candidates:
    top = max((score(parts) for parts, _ in candidates), default=0)
    return [c for c in candidates if score(c[0]) == top]


def _agreement(mine: tuple[str, ...], theirs: tuple[str, ...]) -> int:
    """How many folder names agree, counted from the file upwards."""
    count = 0
    for a, b in zip(reversed(mine), reversed(theirs), strict=False):
        if a != b:
            break
        count += 1
    return count


def _contradicts(mine: tuple[str, ...], file: Path, theirs: tuple[str, ...]) -> bool:
    """Whether only the base names agree and the folders (including the one searched) are of different splits."""
    if _agreement(mine[:-1], theirs[:-1]):
        return False
    ours, named = _splits(file.parts[-len(mine) - 1 : -1]), _splits(theirs[:-1])
    return bool(ours and named) and not ours & named


def _splits(folders: tuple[str, ...]) -> set[str]:
    return {found[1].lower() for folder in folders if (found := _SPLIT.fullmatch(folder))}


def _all_same(files: list[Path]) -> bool:
    try:
        return all(filecmp.cmp(files[0], other, shallow=False) for other in files[1:])
    except OSError:
        return False
