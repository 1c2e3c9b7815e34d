"""The folder that results are written into: they take the place of earlier results there, never of anything else."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path

from workbench.core.files import atomic_write, check_name
from workbench.core.video import printable
from workbench.errors import WorkbenchError
from workbench.inference import jobs
from workbench.inference.sources import Item

FOLDERS = {"pictures": "pictures", "video": "videos", "yolo": "yolo", "voc": "voc"}
"""Of the formats that write a file for each picture or video, under its name."""
_CLAIMED = "folders.json"


def check(output: Path, paths: Sequence[Path], formats: Sequence[str]) -> None:
    """WorkbenchError if files could be replaced that are no results: the photographs themselves, or labels.

    Also if a video can't be written there: cv2 ends the process for a name that is not UTF-8.
    """
    if "video" in formats:
        check_name(output.resolve())
    ours = _ours(output)
    for folder in (output / FOLDERS[name] for name in formats if name in FOLDERS):
        for path in paths:
            if _lies_in(path, folder):
                raise WorkbenchError(
                    f"Results would be written into {printable(str(folder))} and replace what is to be predicted."
                    " Choose another folder with --out."
                )
        if folder.name not in ours and folder.is_dir() and os.listdir(folder):
            raise WorkbenchError(
                f"{printable(str(folder))} is there already and of no prediction: its files could be replaced. Choose"
                " another folder with --out."
            )


def claim(output: Path, formats: Iterable[str]) -> None:
    """Keep that the folders of these formats are of predictions, once they were checked and `parts` is there."""
    kept = output / jobs.FOLDER / _CLAIMED
    before = _ours(output) if kept.is_file() or jobs.shards(output) else None
    now = (before or frozenset()) | {FOLDERS[name] for name in formats if name in FOLDERS}
    if now != before or not kept.is_file():
        atomic_write(kept, json.dumps(sorted(now)) + "\n")


def _ours(output: Path) -> frozenset[str]:
    """The folders that predictions have written into; all, of predictions that did not keep it yet."""
    if not (output / jobs.FOLDER).is_dir():
        return frozenset()
    try:
        return frozenset(json.loads((output / jobs.FOLDER / _CLAIMED).read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return frozenset(FOLDERS.values())


def without_own(items: Iterable[Item], output: Path) -> Iterator[Item]:
    """The items but for pictures that an earlier prediction has drawn: its folder may lie among the sources."""
    pictures = output / FOLDERS["pictures"]

    @lru_cache(maxsize=1024)
    def is_own(folder: str) -> bool:
        return _lies_in(Path(folder), pictures)

    return (item for item in items if not is_own(os.path.dirname(item.file)))


def _lies_in(path: Path, folder: Path) -> bool:
    real, place = path.resolve(), folder.resolve()
    return place == real or place in real.parents
