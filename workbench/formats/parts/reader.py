"""The common part of reading a data set: its folder, its files, its images, and those of them that nobody labelled."""

from __future__ import annotations

import functools
import os
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

from workbench.core.folders.image_lookup import ImageLookup, MatchKind
from workbench.core.parsing import strict_json
from workbench.core.project import Split, State
from workbench.errors import Refused
from workbench.formats import ReadImage, ReadSettings
from workbench.formats.parts.layout import display_name, files_below, seems, split_of_folders
from workbench.formats.parts.report import SHOWN, Report, read_bytes

_LOOK_LIMIT = 64 << 20  # bytes


class Parsed(Protocol):
    """What a format's parser returns for one file: at least the damage in it that need not stop the reading."""

    @property
    def broken(self) -> Sequence[Refused]: ...


One = TypeVar("One", bound=Parsed)


class DataSetReader:
    """One reading of a file or folder, `path`; formats derive theirs. `root` is the folder of the data set."""

    suffix = ".json"  # of the format's files
    kind = ""  # what people call such a file
    apart: Sequence[str] = ()  # folders of annotation files beside those of images, in lower case: not the root
    beside_images = False  # whether its JSON files lie beside their images and are called like them

    def __init__(self, path: Path, images: Sequence[Path], settings: ReadSettings) -> None:
        """`images`: further folders that may hold the images."""
        self.path, self.settings = path, settings
        self.report = Report(settings.skip_broken)
        folder = path if os.path.isdir(path) else path.parent
        self.root = folder.parent if folder.name.lower() in self.apart else folder
        self.lookup = ImageLookup([self.root, *images])

    def own_files(self, is_own: Callable[[Path], bool]) -> list[Path]:
        """The files to read: `path` itself, or those below it that are the format's own; the others are told.

        `is_own` also takes damaged files that are called like the format's own: they must be refused, not left out.
        """
        if os.path.isfile(self.path):
            return [self.path]
        chosen = []
        for file in files_below(self.path, self.suffix):
            if seems(is_own, file, unread=True):
                chosen.append(file)
            else:
                self.tell_other(file)
        return chosen

    def tell_other(self, file: Path) -> None:
        """Report a file that was not read, or as damage one that may have been the format's own."""
        name = display_name(file, self.root)
        try:
            if self.beside_images and file.with_suffix("") in self._stems:  # what is no JSON at all is damaged, then
                strict_json.parse(read_bytes(file, name), name)
            self.report.say("read", name, f"Not a {self.kind}; it was not read.", kind="other files, not read")
        except Refused as error:
            self.report.damage(error)

    @functools.cached_property
    def _stems(self) -> frozenset[Path]:
        return frozenset(image.with_suffix("") for image in self.lookup.files)

    def parsed(self, files: Iterable[Path], parse: Callable[[bytes, str], One]) -> list[tuple[Path, One]]:
        """The result of `parse` for each of `files`; damage in them, and refused files, go to the report.

        Refused if there is neither: then nothing here is of the format.
        """
        read = []
        for file in files:
            name = display_name(file, self.root)
            try:
                one = parse(read_bytes(file, name), name)
            except Refused as error:
                self.report.damage(error)
                continue
            self.report.broken += one.broken
            read.append((file, one))
        if not read and not self.report.broken:
            raise self._none_found(parse)
        return read

    def _none_found(self, parse: Callable[[bytes, str], Parsed]) -> Refused:
        """Why nothing here is of the format: what `parse` says about the first of the files that might be.

        Large files are not examined: other programs' JSON may have gigabytes.
        """
        sentence = f"there is no {self.kind} in {self.path}"
        errors: list[Refused] = []
        for file in files_below(self.path, self.suffix)[:SHOWN]:
            name = display_name(file, self.root)
            try:
                if file.stat().st_size <= _LOOK_LIMIT:
                    errors += parse(read_bytes(file, name), name).broken
            except Refused as error:
                errors.append(error)
            except OSError:  # it is gone
                continue
        if not errors:
            return Refused(self.path, sentence)
        first = next((error for error in errors if "not valid" in error.reason), errors[0])
        return Refused(first.file, f"{first.reason}; {sentence}", first.line, cause=first.cause)

    def tell_counts(self, counts: Iterable[Counter[tuple[str, str]]]) -> None:
        """Report what happened how often, by (level, words), in all files together."""
        total = Counter[tuple[str, str]]()
        for one in counts:
            total.update(one)
        for (level, what), count in sorted(total.items()):
            self.report.say(level, self.path.name, f"{count:,} {what}.")

    def at(self, places: Iterable[str]) -> Path | None:
        """The image at the first of these places, paths below a root, at which one lies.

        For a single file no folder is scanned, as it may lie among a million others, unless no place has one.
        """
        places = tuple(places)
        if os.path.isfile(self.path) and (there := next(filter(None, map(self.lookup.beside, places)), None)):
            return there
        matches = map(self.lookup.find, places)
        return next((match.file for match in matches if match.kind is MatchKind.EXACT), None)

    def find(
        self,
        name: str,
        file: Path,
        places: Iterable[str] = (),
        near: Collection[str] = (),
        *,
        shown: str = "",
        line: int = 0,
    ) -> Path | None:
        """The image at the first of `places`, else the one that `name`, given by `file`, fits best (ImageLookup.find).

        A name that fits several is told, as `shown` if the file has it otherwise.
        """
        if (there := self.at(places)) is not None:
            return there
        match = self.lookup.find(name, near)
        if match.kind is MatchKind.AMBIGUOUS:
            self.report.tell_ambiguous(display_name(file, self.root), match.count, shown or name, line)
        return match.file

    def bare_images(
        self, read: Sequence[ReadImage], folder: str = "", split_of: Callable[[Path], Split | None] | None = None
    ) -> list[ReadImage]:
        """Images beside those that were `read`, and in folders called `folder`, that no file describes: unlabelled.

        Empty if a single file was given. `split_of` gives the split of an image; without it the folders' names do.
        """
        if not os.path.isdir(self.path):
            return []
        used = {image.file for image in read if image.file}
        folders = {file.parent for file in used}
        split_of = split_of or (lambda file: split_of_folders(file, self.root))
        return [
            ReadImage(display_name(file, self.root), file, 0, 0, (), split_of(file), State.UNLABELLED)
            for file in self.lookup.files
            if file.is_relative_to(self.root)
            and file not in used
            and (file.parent in folders or file.parent.name == folder)
        ]

    def in_listed_order(
        self, used: Mapping[str, None], lists: Iterable[Path], parse: Callable[[bytes, str], Sequence[str]]
    ) -> tuple[str, ...]:
        """The labels in the order of the first of the `lists` that names one of those `used`; the others follow.

        `parse` gives the names in a list. One that it refuses, or that is of other labels, is told and ignored.
        """
        for file in lists:
            name = display_name(file, self.root)
            try:
                labels = parse(read_bytes(file, name), name)
            except Refused as error:
                self.report.say("read", name, f"The order of the labels could not be read: {error.reason}.", error.line)
                continue
            if not used or used.keys() & set(labels):
                return tuple(dict.fromkeys([*labels, *used]))
            self.report.say("read", name, "It lists none of the boxes' labels, so it was ignored.")
        return tuple(used)
