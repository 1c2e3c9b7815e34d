"""Finds labels of another program among a new project's photographs, in the background."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from workbench.ui.job import Job

MOST = 20_000
"""Most files in a folder to be searched for labels: eleven formats go through all their names."""
_PICTURES_ONLY = ("images", "jpegimages", "img", "imgs", "photos")
"""Names of folders whose data set keeps its labels in a folder beside them."""


@dataclass(frozen=True, slots=True)
class FoundLabels:
    """Labels of one format, in `path`."""

    path: Path
    title: str

    @property
    def sentence(self) -> str:
        return f"There are labels with these photographs ({self.title}). Import labels on the Data page to use them."


def find_labels(photographs: Path, job: Job) -> Iterator[FoundLabels]:
    """Those in the folder, or in the data set it belongs to. Nothing if that is ambiguous."""
    from workbench import formats

    places = [photographs, photographs.parent] if photographs.name.lower() in _PICTURES_ONLY else [photographs]
    for place in places:
        if not _may_hold_labels(place):
            continue
        found = formats.recognise(place)
        if job.stop.is_set():
            return
        if found and (len(found) == 1 or found[1][1] <= found[0][1] - 0.5):
            yield FoundLabels(place, formats.formats.get(found[0][0]).title)
            return


def _may_hold_labels(folder: Path) -> bool:
    """Whether there is a file that is no photograph, and not too many files to look through."""
    from workbench.ui.project.photograph_count import photograph_flags

    others = False
    for number, is_photograph in enumerate(photograph_flags(folder)):
        if number >= MOST:
            return False
        others = others or not is_photograph
    return others
