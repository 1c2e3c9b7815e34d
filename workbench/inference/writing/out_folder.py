"""The output folder of predictions: results replace earlier results there, never anything else."""

from __future__ import annotations

import contextlib
import heapq
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import chain, groupby
from pathlib import Path

from workbench.core.decoding.video import printable
from workbench.core.files import atomic_write, check_name
from workbench.core.folders.drawn_pictures import CLAIMED, PICTURES
from workbench.errors import WorkbenchError
from workbench.inference import prediction_job
from workbench.inference.pictures import listing
from workbench.inference.pictures.sources import SourceItem
from workbench.inference.prediction_job import PredictionJob
from workbench.inference.writing import result_parts
from workbench.inference.writing.result_parts import ResultRow
from workbench.inference.writing.results_coco import IMAGES, RESULTS
from workbench.inference.writing.results_files import CLASSES, WHOSE
from workbench.inference.writing.results_video import UNFINISHED

FOLDERS = {"pictures": PICTURES, "video": "videos", "yolo": "yolo", "voc": "voc"}
"""The folders of formats that write one file per picture or video, under its name."""
ALONE = {"json": ("predictions.json",), "csv": ("predictions.csv",), "coco": (RESULTS, IMAGES)}
"""The files of formats that write one for all."""
_PERHAPS = "?"  # after what predictions may have written: before November 2026 this was not recorded


def check(output: Path, paths: Sequence[Path], formats: Sequence[str]) -> None:
    """WorkbenchError if writing could replace files that are no results of predictions: the photographs themselves, or
    labels.

    Also if a video can't be written there: cv2 ends the process for a name that is not UTF-8.
    """
    if "video" in formats:
        check_name(output.resolve())
    ours = _ours(output)
    for folder in (output / FOLDERS[name] for name in formats if name in FOLDERS):
        for path in paths:
            if _lies_in(path, folder):
                raise WorkbenchError(
                    f"Results would be written into {printable(str(folder))} and replace the pictures to predict."
                    " Choose another folder with --out."
                )
        if folder.name not in ours and folder.is_dir() and os.listdir(folder):
            raise WorkbenchError(
                f"{printable(str(folder))} exists and is not from a prediction: its files could be replaced. Choose"
                " another folder with --out."
            )
    for file in (output / file for name in formats for file in ALONE.get(name, ())):
        if file.name not in ours and file.exists():
            raise WorkbenchError(
                f"{printable(str(file))} exists and is not from a prediction: it would be replaced. Choose another"
                " folder with --out."
            )


def claim(output: Path, formats: Iterable[str]) -> None:
    """Note that the folders and files of these formats belong to predictions. Call it after
    check(), once `parts` exists.
    """
    kept = output / prediction_job.FOLDER / CLAIMED
    before = _kept(output) if kept.is_file() or prediction_job.shards(output) else None
    now = (before or frozenset()) | {name for format in formats for name in ALONE.get(format) or (FOLDERS[format],)}
    if now != before or not kept.is_file():
        atomic_write(kept, json.dumps(sorted(now)) + "\n")


def _ours(output: Path) -> frozenset[str]:
    """The folders and files that may be replaced: those that predictions have, or may have, written."""
    return frozenset(name.rstrip(_PERHAPS) for name in _kept(output))


def _kept(output: Path) -> frozenset[str]:
    """The folders and files that predictions are noted to have written; for earlier versions, which
    noted nothing, all.
    """
    if not (output / prediction_job.FOLDER).is_dir():
        return frozenset()
    try:
        return frozenset(json.loads((output / prediction_job.FOLDER / CLAIMED).read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return frozenset(name + _PERHAPS for name in (*FOLDERS.values(), *chain(*ALONE.values())))


def clear(
    output: Path,
    job: Sequence[PredictionJob],
    now: Iterable[ResultRow],
    formats: Sequence[str],
    written: Sequence[Path],
) -> None:
    """Remove what earlier jobs wrote and the job of `job`, whose rows are `now`, did not write again: nothing else,
    ever.

    A trainer would otherwise take the label file of an image that was predicted last week for one of this job. Files
    that are only perhaps of predictions stay, and so do folders that hold what is predicted now.
    """
    earlier, kept = output / prediction_job.FOLDER / prediction_job.EARLIER, output / prediction_job.FOLDER / CLAIMED
    if not earlier.is_dir() or not kept.is_file():
        return
    ours = _kept(output)
    for name in (name for format, names in ALONE.items() if format not in formats for name in names if name in ours):
        _remove(output / name, output)
    folders = ours & set(FOLDERS.values()) - _folders_among_sources(output, job)
    again = {FOLDERS[name] for name in formats if name in FOLDERS and name != "pictures"}
    again |= {FOLDERS["pictures"]} if job[0].pictures else set()
    done = set(written)
    before = heapq.merge(*(_readable(folder) for folder in earlier.iterdir()), key=_order)
    for row, is_again in _compared(before, now):
        for folder in folders:
            file = output / folder / _file_of(row, folder)
            is_its = folder != "videos" or row.frame >= 0
            if is_its and not (is_again and folder in again) and file not in done:
                _remove(file, output)
                if folder == "videos" and not is_again:
                    _remove(file.with_name(f"{row.place}{UNFINISHED}"), output)
    if "yolo" in folders - again:
        for name in (CLASSES, WHOSE):
            _remove(output / "yolo" / name, output)
    shutil.rmtree(earlier, ignore_errors=True)
    atomic_write(kept, json.dumps(sorted(name for name in ours if (output / name.rstrip(_PERHAPS)).exists())) + "\n")


def _folders_among_sources(output: Path, whole: Sequence[PredictionJob]) -> set[str]:
    """Folders of results that sources of this job lie in: pictures that were drawn may be predicted, too."""

    @lru_cache(maxsize=1024)
    def holders(folder: str) -> frozenset[str]:
        return frozenset(name for name in FOLDERS.values() if _lies_in(Path(folder), output / name))

    lists = [job.listing for job in whole if job.listing.is_file()]  # a webcam has none
    return {name for file in lists for entry in listing.entries(file) for name in holders(str(entry.item.file.parent))}


def _readable(folder: Path) -> Iterator[ResultRow]:
    """The rows of a job's parts that wrote files, up to where it was interrupted."""
    with contextlib.suppress(WorkbenchError):
        yield from (row for row in result_parts.rows(folder) if not row.skipped)


def _order(row: ResultRow) -> tuple[str, str, bool, int, int]:
    return listing.sort_key(row.place, row.frame >= 0, row.frame)


def _compared(before: Iterable[ResultRow], now: Iterable[ResultRow]) -> Iterator[tuple[ResultRow, bool]]:
    """Each earlier row, and whether there is one for the same place now. Both are in the order of a listing.

    "A" and "a" count as one place: on many disks they are.
    """
    merged = heapq.merge(
        ((_order(row), False, row) for row in before),
        ((_order(row), True, row) for row in now if not row.skipped),
        key=lambda one: one[0],
    )
    for _, same in groupby(merged, key=lambda one: (one[0][0], one[0][2:])):
        some = list(same)
        here = {row.own_place.casefold() for _, is_now, row in some if is_now}
        yield from ((row, row.own_place.casefold() in here) for _, is_now, row in some if not is_now)


def _file_of(row: ResultRow, folder: str) -> str:
    """The row's file in a folder of results, as the writers name it."""
    if folder == "videos":
        return row.place if row.place.lower().endswith(".mp4") else f"{row.place}.mp4"
    return {"yolo": f"labels/{row.own_place}.txt", "voc": f"Annotations/{row.own_place}.xml"}.get(
        folder, f"{row.own_place}.jpg"
    )


def _remove(file: Path, output: Path) -> None:
    """Remove the file, and the folders up to `output` that are then empty."""
    try:
        file.unlink()
    except OSError:  # it does not exist or belongs to someone else
        return
    with contextlib.suppress(OSError):  # until one that is not empty
        for folder in file.parents:
            if folder == output:
                return
            folder.rmdir()


def without_own(items: Iterable[SourceItem], output: Path) -> Iterator[SourceItem]:
    """The items without pictures that an earlier prediction drew into `output`, which may lie among the sources."""
    pictures = output / FOLDERS["pictures"]

    @lru_cache(maxsize=1024)
    def is_own(folder: str) -> bool:
        return _lies_in(Path(folder), pictures)

    return (item for item in items if not is_own(os.path.dirname(item.file)))


def without_drawn(files: Iterable[Path], output: Path) -> set[Path]:
    """The videos without those that predictions drew."""
    return {file for file in files if not _lies_in(file, output / FOLDERS["video"])}


def _lies_in(path: Path, folder: Path) -> bool:
    real, place = path.resolve(), folder.resolve()
    return place == real or place in real.parents
