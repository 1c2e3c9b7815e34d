"""What an import reports about each file: remarks, and all damage collected so that it can be shown at once."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from workbench.core.folders.image_lookup import ImageLookup, links_leading_out
from workbench.errors import Refused
from workbench.formats import ReadImage, Reading, Remark
from workbench.formats.parts import reading_progress
from workbench.formats.parts.layout import display_name

_AMBIGUOUS = "names that fit several images"
_NONE_TAKEN = "equally well, so none was taken."
SHOWN = 20  # remarks of one kind, and pieces of damage in one error


class Report:
    """Collects remarks and damage while a format reads.

    After `SHOWN` remarks of a kind, further ones are only counted: a data set of 100,000 files must not make 100,000
    remarks. `skip_broken` turns damage into "refused" remarks.
    """

    def __init__(self, skip_broken: bool = False) -> None:
        self.skip_broken = skip_broken
        self.broken: list[Refused] = []
        self.skipped: set[str] = set()  # files of which a damaged part was left out
        self._remarks: list[Remark] = []
        self._kinds: Counter[tuple[str, str]] = Counter()

    def say(self, level: str, file: object, sentence: str, line: int = 0, kind: str = "") -> None:
        """Add a remark. Of each `kind` (by default the sentence) the first `SHOWN` are kept, the rest counted."""
        key = (level, kind or sentence)
        self._kinds[key] += 1
        if self._kinds[key] <= SHOWN:
            self._remarks.append(Remark(level, str(file), line, sentence))

    def tell_uploaded(self, file: str, image: Path) -> None:
        """Report that `file` means `image`, by the name Label Studio gave it."""
        sentence = f"Its image is '{image.name[:80]}': Label Studio puts a hash before the names of uploads."
        self.say("repaired", file, sentence, kind="names with a hash from Label Studio, found without it")

    def tell_outside(self, file: str, image: str, line: int = 0) -> None:
        """Report that `file` names an image by a path out of the data set's folder."""
        sentence = f"'{image[:80]}' leads outside the folder; it was looked for by name inside."
        self.say("repaired", file, sentence, line, "image names that lead outside the folder")

    def tell_ambiguous(self, file: str, count: int, image: str = "", line: int = 0) -> None:
        """Report that `count` images fit a name in `file`; "": the file's own name."""
        name = f"the name '{image[:80]}'" if image else "its name"
        self.say("refused", file, f"{count} images fit {name} {_NONE_TAKEN}", line, _AMBIGUOUS)

    def damage(self, error: Refused) -> None:
        """Record something that can't be read without losing labels."""
        self.broken.append(error)

    def settle(self) -> None:
        """Raise one error with all damage, or turn it into remarks if damage is to be skipped."""
        if self.broken and not self.skip_broken:
            raise combine_errors(self.broken)
        for error in self.broken:
            self.say("refused", error.file, error.reason, error.line, kind="damaged")
            self.skipped.add(error.file)
        self.broken = []

    @property
    def remarks(self) -> tuple[Remark, ...]:
        more = [
            Remark(level, "", 0, f"{count - SHOWN:,} more like this: {kind}")
            for (level, kind), count in self._kinds.items()
            if count > SHOWN
        ]
        return (*self._remarks, *more)

    def reading(
        self, format: str, source: Path, labels: Sequence[str], images: Sequence[ReadImage], lookup: ImageLookup
    ) -> Reading:
        """The finished reading. Raises Refused if there was damage that is not to be skipped."""
        links = links_leading_out(lookup.roots[0], lookup.roots) if os.path.isdir(source) else lookup.leading_out
        for link in links:
            sentence = (
                f"It is a link to {os.path.realpath(link)}, outside the data set's folder, so it was not followed. If"
                " it is yours, copy the file here, or choose the folder it lies in as the folder of the images."
            )
            self.say(
                "refused", display_name(link, lookup.roots[0]), sentence, kind="links that lead outside, not followed"
            )
        self.settle()
        return Reading(format, source, tuple(labels), tuple(images), self.remarks, damaged=frozenset(self.skipped))


def without_ambiguous(reading: Reading) -> Reading:
    """The reading without what `tell_ambiguous` told: it is known by now which images were meant."""
    kept = [one for one in reading.remarks if not one.sentence.endswith((_NONE_TAKEN, f": {_AMBIGUOUS}"))]
    return replace(reading, remarks=tuple(kept))


def combine_errors(errors: Sequence[Refused]) -> Refused:
    """One error with all of them: the first one comes first, the others below it, one per line."""
    first = errors[0]
    if len(errors) == 1:
        return first
    lines = [first.reason, *(error.sentence for error in errors[1:SHOWN])]
    if len(errors) > SHOWN:
        lines.append(f"... and {len(errors) - SHOWN:,} more")
    lines.append(f"{len(errors):,} things can't be read, so nothing was imported. Fix them, or skip what is broken.")
    return Refused(first.file, "\n".join(lines), first.line, cause=first.cause)


def read_bytes(file: Path, display_name: str) -> bytes:
    """The bytes of an annotation file; Refused, with the reason, if it can't be read."""
    reading_progress.step("annotation files read")
    try:
        return file.read_bytes()
    except OSError as error:
        raise unreadable(file, display_name, error) from error


def unreadable(file: Path, display_name: str, error: OSError) -> Refused:
    """Why a file could not be opened, and what to do; git-annex and DVC leave links to files not fetched yet."""
    if os.path.islink(file) and not os.path.exists(file):
        return Refused(display_name, "it is a link to a file that is not there; bring that back, or remove the link")
    return Refused(display_name, f"the file can't be read ({error.strerror or error}); check its permissions")
