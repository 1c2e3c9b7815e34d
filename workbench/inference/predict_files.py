"""Predicts any number of files, folders, lists and videos, and writes the results in the requested formats.

Results are kept batch by batch (result_parts.py), so that the same call continues a process that was killed. Several
processes can take a shard each; `merge` combines their results into those of a single process.
"""

from __future__ import annotations

import contextlib
import heapq
import os
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.console import command_line
from workbench.core import formatting
from workbench.core.decoding import video as videos
from workbench.core.files import remove_unfinished
from workbench.core.project import Label
from workbench.core.tiling import OVERLAP, Tiling, tiling
from workbench.errors import WorkbenchError
from workbench.inference import prediction_job
from workbench.inference.evaluating.candidate_cache import digest
from workbench.inference.evaluating.operating_point import OperatingPoint
from workbench.inference.events import ListingProgress, PredictEvent, PredictionsSaved, Resumed, WritingProgress
from workbench.inference.pictures import listing, sources, standard_input, streaming
from workbench.inference.pictures.listing import ListingSummary, Shard
from workbench.inference.pictures.read_ahead import how_far
from workbench.inference.pictures.standard_input import STANDARD_INPUT
from workbench.inference.prediction_job import JobSpec, PredictionJob
from workbench.inference.writing import out_folder, result_parts, results
from workbench.inference.writing.result_parts import ResultParts, ResultRow
from workbench.inference.writing.results import ResultsInfo, Written
from workbench.inference.writing.results_pictures import PictureWriter
from workbench.inference.writing.results_video import UNFINISHED

if TYPE_CHECKING:  # the caller has loaded torch
    from workbench.inference.predict import Predictor

# colour-blind-safe (Okabe and Ito 2008), for checkpoints that carry no colours
_COLOURS = ("#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#f0e442", "#999999")
_TOLD_EACH = 1_000  # rows between two events while results are written


@dataclass(frozen=True, slots=True)
class PredictionSettings:
    """The settings of a prediction. `point` None: confidence 0.25 and NMS as published by the detector's authors.

    `every`: take every n-th frame of videos. `tiles`: the side of tiles in pixels, 0 for none; see core/tiling.py.
    `overlap`: their share. None for either: as in the training. `ids`: see results_coco.py.
    """

    point: OperatingPoint | None = None
    every: int = 1
    tiles: int | None = None
    overlap: float | None = None
    formats: tuple[str, ...] = ("json", "pictures")
    shard: Shard = field(default_factory=Shard)
    ids: Path | None = None


def predict_files(
    predictor: Predictor,
    paths: Sequence[Path],
    output: Path,
    settings: PredictionSettings | None = None,
    *,
    fresh: bool = False,
) -> Iterator[PredictEvent]:
    """Predict all pictures of `paths` and write the results into `output`.

    Continues what an earlier call with the same arguments left undone; `fresh` starts over. A picture that can't be
    read is reported and left out. Closing it early keeps what was done. Memory does not grow with the pictures.
    WorkbenchError if there is no picture, or if `output` has results of another job, or other files that could be
    replaced. With several shards only `merge` writes formats. Pictures drawn into `output` are not used as sources.
    """
    settings, output, paths = settings or PredictionSettings(), Path(output), [Path(path) for path in paths]
    formats, spec = results.check_formats(settings.formats), spec_of(predictor, paths, settings)
    shard, pictures = settings.shard, "pictures" in formats
    check_sources(paths)
    out_folder.check(output, paths, formats)
    with prediction_job.locked(prediction_job.folder_of(output, shard)):
        out_folder.claim(output, formats)
        job = prediction_job.resume(output, shard, spec, fresh=fresh, pictures=pictures)
        if job is None:
            job = yield from _begin(output, paths, spec, shard, predictor_labels(predictor), pictures)
        else:
            prediction_job.check_videos(job)
            if job.finished:
                yield from _check_listing(job, paths, output)
        new = yield from _work(predictor, job, output)
    if shard.of == 1:
        for event in merge(output, formats, settings.ids):
            yield replace(event, new=new) if isinstance(event, PredictionsSaved) else event
    else:
        done = result_parts.progress_of(job.folder)
        command = command_line("predict", "--merge", "--out", output)
        remark = f"Shard {shard.number} of {shard.of} is done. When all are: {command}"
        yield PredictionsSaved(job.folder, done.images, done.detections, done.skipped, (job.folder,), remark, new)


def spec_of(predictor: Predictor, paths: Sequence[Path], settings: PredictionSettings) -> JobSpec:
    """All that decides about the results, see prediction_job.JobSpec. WorkbenchError if such tiles can't be made, or if
    a training has replaced the checkpoint since it was opened.
    """
    kind, iou = predictor.detector.published_nms
    point = settings.point or OperatingPoint(0.25, (), iou, kind)
    seen = chosen_tiling(predictor.tiling, settings.tiles, settings.overlap)
    checkpoint = predictor.checkpoint
    weights = digest(checkpoint) if checkpoint else ""
    if not predictor.is_current:
        raise WorkbenchError(f"{checkpoint} was replaced while it was opened, by a training that goes on. Try again.")
    return JobSpec(
        checkpoint.name if checkpoint else "", weights, predictor.labels,
        tuple(map(_source, paths)),
        point.confidence, point.own, point.iou, point.kind, point.limit,
        settings.every, seen.side if seen else 0, seen.overlap if seen else 0.0, predictor.precision,
    )  # fmt: skip


def chosen_tiling(trained: Tiling | None, side: int | None, overlap: float | None) -> Tiling | None:
    """The tiles to see large images in: of this side (0: none), or None as in the training; the overlap likewise.

    WorkbenchError if such tiles can't be made.
    """
    if overlap is None:
        overlap = trained.overlap if trained else OVERLAP
    try:
        return tiling((trained.side if trained else 0) if side is None else side, overlap)
    except ValueError as error:
        raise WorkbenchError(f"Such tiles are not possible: {error}.") from error


def _source(path: Path) -> str:
    """How a job knows a source; what came on standard input by its content."""
    if path == STANDARD_INPUT:
        return f"{path} {standard_input.digest()}"
    return videos.printable(str(path.absolute()))


def check_sources(paths: Sequence[Path]) -> None:
    """Call it before anything is written. WorkbenchError if there is nothing to predict, or a video can't be read."""
    if next(sources.find_items(paths), None) is None:
        raise _nothing(paths)
    for path in paths:
        if not path.exists():
            next(sources.find_items([path]), None)  # a pattern; else find_items() says what is wrong
        elif sources.is_video(path):
            next(videos.frames(path), None)


def _nothing(paths: Sequence[Path]) -> WorkbenchError:
    if STANDARD_INPUT in paths:
        return WorkbenchError("Standard input named no image or video. Write a path on each line.")
    for folder in (path for path in paths if path.is_dir()):
        if any(videos.is_video(file) for file in folder.rglob("*")):
            return WorkbenchError(
                f"There is no image in {folder}, and videos in folders are only used if named. Name them,"
                f" such as '{folder / '**' / '*.mp4'}'."
            )
    return WorkbenchError(f"There is no image or video in {', '.join(map(str, paths))}. Check the name.")


def _begin(
    output: Path, paths: Sequence[Path], spec: JobSpec, shard: Shard, labels: tuple[Label, ...], pictures: bool
) -> Generator[PredictEvent, None, PredictionJob]:
    """Start a job: list the pictures."""
    folder = prediction_job.folder_of(output, shard)
    remove_unfinished(folder)
    prediction_job.put_aside(folder)  # of a job whose job.json is gone
    passed_by = set[Path]()
    listed = yield from _list(
        folder / prediction_job.LISTING, paths, shard, output if pictures else None, passed_by.add
    )
    if listed.everywhere == 0:  # except pictures drawn before
        raise _nothing(paths)
    remark = _remark(out_folder.without_drawn(passed_by, output), listed)
    job = PredictionJob(
        folder, spec, shard, labels, listed, pictures, fingerprints=prediction_job.fingerprints(listed), remark=remark
    )
    job.write()
    return job


def _remark(passed_by: set[Path], listed: ListingSummary) -> str:
    """A sentence about videos in folders, which are not predicted unless they are named; "" if there are none."""
    named = {file.resolve() for _, file in listed.videos}
    left = sorted(file for file in passed_by if file.resolve() not in named)
    if not left:
        return ""
    try:
        folder = os.path.commonpath([file.parent for file in left])
    except ValueError:  # on different drives
        folder = os.fspath(left[0].parent)
    pattern = videos.printable(os.path.join(folder, "**", "*"))
    are = "is" if len(left) == 1 else "are"
    return (
        f"{formatting.count(len(left), 'video')} in the folders {are} not predicted. To include them, open or name"
        f" them, such as '{pattern}{left[0].suffix}'."
    )


def _list(
    file: Path, paths: Sequence[Path], shard: Shard, drawn_into: Path | None,
    pass_by: Callable[[Path], object] = lambda _: None,
) -> Generator[PredictEvent, None, ListingSummary]:  # fmt: skip
    """`drawn_into`: the output, if pictures are drawn there. `pass_by`: as in sources.find_items."""
    items = sources.find_items([path if path == STANDARD_INPUT else path.absolute() for path in paths], pass_by)
    if drawn_into is not None:
        items = out_folder.without_own(items, drawn_into)
    for progress in listing.write(file, items, shard):
        if isinstance(progress, ListingSummary):
            return progress
        yield ListingProgress(progress)
    raise AssertionError("a listing ends with what was listed")


def _check_listing(job: PredictionJob, paths: Sequence[Path], output: Path) -> Generator[PredictEvent, None, None]:
    """WorkbenchError if a finished job's sources have other pictures now."""
    again = job.folder / "again.jsonl"
    try:
        listed = yield from _list(again, paths, job.shard, output if job.pictures else None)
    finally:
        again.unlink(missing_ok=True)
    if listed.digest != job.listed.digest:
        raise WorkbenchError(
            f"The {formatting.count(job.listed.everywhere, 'picture')} that were there are predicted, but now there are"
            f" {listed.everywhere:,}. Predict them all with --fresh, or give another folder with --out."
        )


def _work(predictor: Predictor, job: PredictionJob, output: Path) -> Generator[PredictEvent, None, int]:
    """Predict what is left of the job; returns the number of pictures."""
    if job.finished:
        return 0
    spec = job.spec
    predictor.tiling = tiling(spec.tiles, spec.overlap)
    total = job.listed.pictures + sum(_frames(file, spec.every, job.shard) for _, file in job.listed.videos)
    sinks = [PictureWriter(output / "pictures", job.labels, alone=job.shard.of == 1)] if job.pictures else []
    with contextlib.closing(ResultParts(job.folder, has_sinks=bool(sinks))) as written:
        before, start = written.done, written.done.next
        if before.pictures:
            yield Resumed(before.pictures, max(total, before.pictures))
        entries = listing.entries(job.listing, start)
        ahead = how_far(predictor.batch, predictor.tiling)
        read = sources.read(entries, spec.every, predictor.window, ahead, start.frame, job.shard.part)
        with contextlib.closing(read):
            yield from streaming.stream(predictor, read, written, spec.point, sinks, total)
        new = written.done.images - before.images
    job.finish()
    return new


def _frames(video: Path, every: int, shard: Shard) -> int:
    """The number of a video's frames that belong to this shard, by the video's header."""
    try:
        return -(-videos.frame_count(video) // every) // shard.of
    except WorkbenchError:  # reported when its turn comes
        return 0


def merge(
    output: Path, formats: Sequence[str], ids: Path | None = None, recorded: Path | None = None
) -> Iterator[PredictEvent]:  # fmt: skip
    """Write the results of all shards (or the only one) in these formats, as a single process would have.

    Removes what an earlier job wrote there and this one does not. `recorded`: a video written meanwhile.
    WorkbenchError if a shard is missing or not finished, or if they belong to different jobs.
    """
    whole, formats = prediction_job.complete(output), results.check_formats(formats)
    one = whole[0]
    if "pictures" in formats and not one.pictures:
        raise WorkbenchError(
            "No pictures were written while predicting. Predict again with --format pictures and --fresh."
        )
    out_folder.check(output, [Path(source) for source in one.spec.sources], formats)
    out_folder.claim(output, formats)
    if "video" in formats:
        prediction_job.check_videos(one)
    info = ResultsInfo(one.labels, one.listed.videos, one.spec.every, ids)
    done = [result_parts.progress_of(job.folder) for job in whole]
    images, skipped = sum(each.images for each in done), sum(each.skipped for each in done)
    if skipped and len(whole) > 1:
        skipped = sum(bool(row.skipped) for row in merged_rows(whole))
    files, remarks = list[Path](), list[str]()
    for name in formats:
        if name == "pictures":
            files.append(output / "pictures")
            continue
        for progress in results.writers()[name](merged_rows(whole), info, output):
            if isinstance(progress, Written):
                files, remarks = [*files, *progress.files], [*remarks, progress.remark]
            elif progress % _TOLD_EACH == 0:
                yield WritingProgress(name, progress, images + skipped)
    files += [recorded] if recorded and recorded.is_file() else []
    out_folder.clear(output, whole, merged_rows(whole), formats, files)
    if skipped:
        files.append(results.write_left_out(merged_rows(whole), output))
        remarks.append(f"{formatting.count(skipped, 'picture')} could not be read: {files[-1]} says why.")
    else:
        (output / results.LEFT_OUT).unlink(missing_ok=True)
    remarks += [f"{file} has the recording." for file in sorted((output / "videos").glob(f"*{UNFINISHED}"))]
    remark = " ".join(filter(None, [*remarks, one.remark]))
    file = files[0] if files else output
    yield PredictionsSaved(file, images, sum(each.detections for each in done), skipped, tuple(files), remark)


def merged_rows(whole: Sequence[PredictionJob]) -> Iterator[ResultRow]:
    """The rows of all shards, in the order of a single listing."""
    if len(whole) == 1:
        return result_parts.rows(whole[0].folder)
    merged = heapq.merge(
        *(result_parts.rows(job.folder) for job in whole),
        key=lambda row: listing.sort_key(row.place, row.frame >= 0, row.frame),
    )
    return (row for row, _ in groupby(merged))  # a video that can't be opened is told by each of them


def predictor_labels(predictor: Predictor) -> tuple[Label, ...]:
    """The checkpoint's labels with their colours, or only the names with default colours."""
    if predictor.header is not None:
        return tuple(predictor.header.labels)
    return tuple(Label(i + 1, name, _COLOURS[i % len(_COLOURS)], position=i) for i, name in enumerate(predictor.labels))
