"""`workbench predict`: find objects in pictures, videos and a webcam; a million images, interrupted and continued."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from workbench import console
from workbench.cli.checks import is_reporting
from workbench.cli.options import (
    PUBLISHED,
    CheckpointName,
    Device,
    Json,
    Run,
    app,
    check_choice,
    checkpoint_of,
    parse_nms,
    project_of,
)
from workbench.cli.prediction_options import Options, check, read_shard
from workbench.console import command_line, print_result, say, write_lines
from workbench.core import formatting
from workbench.core.detections import KINDS
from workbench.core.former_names import FormerNames, current_names
from workbench.core.tiling import OVERLAP
from workbench.errors import Misused, WorkbenchError

if TYPE_CHECKING:
    from workbench.inference.evaluating.operating_point import OperatingPoint
    from workbench.inference.events import PredictionsSaved
    from workbench.inference.pictures.listing import Shard
    from workbench.inference.predict import Precision, Predictor
    from workbench.inference.predict_files import PredictionSettings
    from workbench.training.hardware.runtime import Runtime

FOREIGN = (".weights", ".pth", ".pt")  # Darknet's and torchvision's files, which must be imported
OUT = Path("predictions")
STOPPING = "Stopping after this batch, which is kept."


@app.command()
def predict(
    project: Annotated[
        Path | None, typer.Argument(help="A project's folder, or a checkpoint file. Not with --merge.")
    ] = None,
    sources: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Images, folders (with subfolders; images only), videos, text files with a path on each line,"
            " patterns such as 'photos/**/*.jpg' or 'clips/*.mp4', or - for a list of paths on standard input."
        ),
    ] = None,
    out_folder: Annotated[Path, typer.Option("--out", "-o", help="Where to write.")] = OUT,
    format: Annotated[
        list[str] | None,
        typer.Option(
            "--format",
            help="json, coco (results for pycocotools), yolo (txt with a column of scores), voc, csv,"
            " pictures (with boxes), video (with boxes, MP4); may be repeated; default: json and pictures, for videos"
            " and webcams json and video.",
        ),
    ] = None,
    run: Run = "",
    checkpoint: CheckpointName = "best",
    confidence: Annotated[
        float | None,
        typer.Option(
            "--confidence",
            help="Least score; default: as kept with the run, else at the best F1 on its validation images, else 0.25.",
            min=0,
            max=1,
        ),
    ] = None,
    iou: Annotated[
        float | None,
        typer.Option(
            "--iou",
            help="Overlap above which the weaker box goes; default: as kept with the run, else as evaluated, else as"
            " published.",
            min=0,
            max=1,
        ),
    ] = None,
    nms: Annotated[
        str,
        typer.Option(
            "--nms",
            help=f"How NMS removes overlapping boxes: {PUBLISHED}, as the detector's authors do, or"
            f" {', '.join(KINDS)}; default: as kept with the run, else as evaluated, else {PUBLISHED}.",
        ),
    ] = "",
    every: Annotated[int, typer.Option("--every", help="For videos and webcams: every n-th frame.", min=1)] = 1,
    tiles: Annotated[
        int | None,
        typer.Option(
            "--tiles",
            metavar="PX",
            help="Also predict larger images in tiles of this side; 0: only as a whole; default: as it was trained.",
            min=0,
        ),
    ] = None,
    overlap: Annotated[
        float | None,
        typer.Option(
            "--tile-overlap",
            "--overlap",
            help=f"Of tiles, as a share of their side; objects should fit; default: as trained, else {OVERLAP:g}.",
            min=0,
            max=0.9,
        ),
    ] = None,
    webcam: Annotated[
        int | None,
        typer.Option("--webcam", metavar="N", help="Watch this camera (0 is the first) until Ctrl-C.", min=0),
    ] = None,
    frames: Annotated[int, typer.Option("--frames", help="For a webcam: stop after this many; 0: never.", min=0)] = 0,
    shard: Annotated[
        str, typer.Option("--shard", metavar="I/N", help="Take the I-th of N parts of the work; --merge joins them.")
    ] = "",
    merge: Annotated[
        bool, typer.Option("--merge", help="Join the shards in --out, or write it in other formats.")
    ] = False,
    coco_ids: Annotated[
        Path | None,
        typer.Option("--coco-ids", help="A COCO file whose ids of images and labels --format coco should use."),
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Start again, replacing earlier results.")] = False,
    fast: Annotated[
        bool,
        typer.Option("--fast", help="Use bfloat16 if the hardware is faster with it; scores change slightly."),
    ] = False,
    pictures: Annotated[
        bool, typer.Option("--pictures/--no-pictures", help="Don't write the pictures that are written by default.")
    ] = True,
    device: Device = "auto",
    as_json: Json = False,
) -> int | None:
    """Find objects in images, folders, videos and webcams.

    If it is interrupted, even by a kill, the same command goes on from there. Several processes share the work with
    --shard or under torchrun (which takes --run for its own without the --):
    torchrun --nproc-per-node 8 -m -- workbench predict PROJECT SOURCES
    """
    formats = _formats(format, tuple(sources or ()), webcam, pictures)
    if merge:
        from workbench.inference.predict_files import merge as merged

        return _tell(merged(out_folder, formats if format else ["json"], coco_ids), as_json=as_json)
    if project is None or not (sources or webcam is not None):
        raise Misused("Say what to predict on: workbench predict PROJECT photographs/, or PROJECT --webcam 0.")
    if sources and webcam is not None:
        raise Misused("A webcam can't be combined with other sources. Leave out these, or --webcam.")
    options = Options(
        tuple(sources or ()), out_folder, webcam, frames, confidence, iou, nms, every, tiles, overlap, formats,
        coco_ids, shard, fresh,
    )  # fmt: skip
    return _predict(project, run, checkpoint, (device, "fast" if fast else "exact"), options, as_json=as_json)


def _formats(
    names: list[str] | None, sources: tuple[Path, ...], webcam: int | None, pictures: bool
) -> tuple[str, ...]:  # fmt: skip
    from workbench.core.decoding.video import is_video
    from workbench.inference.writing import results

    if names:
        return tuple(check_choice("format", name, list(results.FORMATS)) for name in names)
    moving = webcam is not None or (bool(sources) and all(is_video(path) for path in sources))
    return ("json", "video" if moving else "pictures") if pictures else ("json",)


def _predict(
    project: Path, run: str, which: str, place: tuple[str, Precision], options: Options, *, as_json: bool
) -> int | None:
    """`place`: the device and its precision."""
    from workbench import plugins
    from workbench.inference.predict_files import PredictionSettings, check_sources, merge

    plugins.loaded()
    file, run_folder, former = _checkpoint(project, run, which)
    if is_reporting():
        check(options, file)
    from workbench.training.hardware import torchrun

    with torchrun.join_processes() as runtime:
        if runtime.world > 1 and options.webcam is None:
            _check_shared(options.sources)
            check_sources(options.sources)
        shard = _shard(options.shard, runtime)
        quiet = as_json or not runtime.is_main
        predictor = _open(file, *place, runtime)
        predictor.rename_labels(former)
        point = _point(options, file, run_folder, former, predictor, quiet=quiet)
        say(f"Predicting with {_name(file)}, at a confidence of at least {point.words}.", quiet=quiet)
        settings = PredictionSettings(
            point, options.every, options.tiles, options.overlap, options.formats, shard, options.ids
        )  # fmt: skip
        if options.webcam is not None:
            return _watch(predictor, options, settings, as_json=as_json)
        told = STOPPING if runtime.is_main else ""
        saved = _part(predictor, options, settings, told, quiet=quiet, patient=runtime.world > 1)
        if runtime.world == 1:
            return saved if isinstance(saved, int) else _say(saved, as_json=as_json)
        stopped = runtime.agree(int(isinstance(saved, int)))
        if stopped or not runtime.is_main:
            return console.INTERRUPTED if stopped else None
    return _tell(merge(options.out, options.formats, options.ids), as_json=as_json)


def _checkpoint(project: Path, run: str, which: str) -> tuple[Path, Path | None, FormerNames]:
    """The file, its run's folder, and earlier names of the project's labels."""
    if project.suffix in FOREIGN:
        command = command_line("import-weights", project, Path(f"{project.stem}.safetensors"), "--detector")
        raise WorkbenchError(
            f"{project} is neither a project nor a checkpoint of Workbench. Convert it first: {command} NAME"
        )
    if project.suffix == ".safetensors":
        return project, project.parent, ()
    with project_of(project) as document:
        file, folder = checkpoint_of(document.runs_folder, run, which)
        return file, folder, () if folder is None else current_names(document)


def _check_shared(sources: tuple[Path, ...]) -> None:
    """Misused for what only one of torchrun's processes could read."""
    from workbench.inference.pictures.standard_input import STANDARD_INPUT

    if STANDARD_INPUT in sources:
        raise Misused("torchrun's processes can't all read standard input. Write the paths into a list.txt.")


def _name(file: Path) -> str:
    """The checkpoint's name: with its run's, which may have been chosen for the user; elsewhere only the file's."""
    from workbench.training.records.runs import EVENTS

    return f"{file.parent.absolute().name}, {file.stem}" if (file.parent / EVENTS).is_file() else file.name


def _shard(text: str, runtime: Runtime) -> Shard:
    from workbench.inference.pictures.listing import Shard

    if text and runtime.world > 1:
        raise Misused("torchrun already divides the work. Leave out --shard.")
    if runtime.world > 1:
        return Shard(runtime.rank + 1, runtime.world)
    return read_shard(text)


def _open(file: Path, device: str, precision: Precision, runtime: Runtime) -> Predictor:
    """Open it; each process of torchrun uses its own graphics card."""
    import torch

    from workbench.inference.predict import Predictor
    from workbench.training.hardware import torchrun

    if runtime.world > 1 and device in ("auto", "cuda") and torch.cuda.is_available():
        device = f"cuda:{torchrun.local_rank() % torch.cuda.device_count()}"
    return Predictor.open(file, device, precision)


def _point(
    options: Options, file: Path, run_folder: Path | None, former: FormerNames, predictor: Predictor, *, quiet: bool
) -> OperatingPoint:  # fmt: skip
    """What was asked for, else the run's kept point or the best one in its evaluation, else 0.25 and as published."""
    from workbench.inference.evaluating import operating_point, saved_evaluation
    from workbench.inference.evaluating.operating_point import OperatingPoint
    from workbench.training.records.runs import EVENTS

    kept = operating_point.read(run_folder, file.name, former) if run_folder is not None else None
    best = saved_evaluation.best_point(run_folder, file.name) if run_folder is not None else None
    kind, iou = predictor.detector.published_nms
    point = kept or best or OperatingPoint(0.25, (), iou, kind)
    if (kept or best) and options.confidence is None:
        images = saved_evaluation.deciding_images(run_folder, file.name) if run_folder is not None else ""
        why = "the operating point kept with the run" if kept else f"where its F1 on {images} is best"
        say(f"Confidence {point.words}: {why}.", quiet=quiet)
    elif options.confidence is None and run_folder is not None and (run_folder / EVENTS).is_file():
        say(f"Confidence {point.confidence:g}: these weights were not evaluated on validation images yet.", quiet=quiet)
    own = point.own if options.confidence is None else ()
    if options.nms:
        chosen = parse_nms(options.nms)
        point = replace(point, kind=chosen or kind, iou=point.iou if chosen else iou)
    return OperatingPoint(
        point.confidence if options.confidence is None else options.confidence,
        own,
        point.iou if options.iou is None else options.iou,
        point.kind,
        point.limit,
    )


def _part(
    predictor: Predictor, options: Options, settings: PredictionSettings, told: str, *, quiet: bool, patient: bool
) -> PredictionsSaved | int:  # fmt: skip
    """This process's part; an exit code if it was stopped. `told`: what it says then."""
    from workbench.inference.predict_files import predict_files
    from workbench.report import show_predictions

    stop = threading.Event()
    with console.stop_on_signal(stop, told, patient=patient):
        stream = predict_files(predictor, options.sources, options.out, settings, fresh=options.fresh)
        try:
            return show_predictions(_until(stop, stream), quiet=quiet)
        except _StoppedError:
            same = "the same command without --fresh" if options.fresh else "the same command"
            say(f"The work so far is kept: {same} continues it.", quiet=quiet)  # "Stopped." follows
            return console.INTERRUPTED


def _watch(predictor: Predictor, options: Options, settings: PredictionSettings, *, as_json: bool) -> int | None:
    from workbench.inference.pictures.webcam import predict_webcam

    assert options.webcam is not None
    stop = threading.Event()
    with console.stop_on_signal(stop, STOPPING):
        say("Watching. Ctrl-C stops and writes the results.", quiet=as_json)
        stream = predict_webcam(
            predictor, options.webcam, options.out, settings, stop, frames=options.frames, fresh=options.fresh
        )  # fmt: skip
        return _tell(stream, as_json=as_json)


class _StoppedError(Exception):
    pass


def _until(stop: threading.Event, events: Iterator[Any]) -> Iterator[Any]:
    """The events until `stop` is set; then the current batch is written."""
    try:
        for event in events:
            yield event
            if stop.is_set():
                raise _StoppedError
    finally:
        events.close()  # type: ignore[attr-defined]


def _tell(events: Iterator[Any], *, as_json: bool) -> int | None:
    from workbench.report import show_predictions

    return _say(show_predictions(events, quiet=as_json), as_json=as_json)


def _say(saved: PredictionsSaved, *, as_json: bool) -> int | None:
    if saved.new == 0 and saved.images:
        say(f"Nothing new among {formatting.count(saved.images, 'picture')}; --fresh predicts again.", quiet=as_json)
    if saved.remark:
        say(saved.remark, quiet=as_json)
    values = {"file": str(saved.file), "images": saved.images, "detections": saved.detections,
            "left_out": saved.skipped, "files": [str(file) for file in saved.files]}  # fmt: skip
    print_result(values, as_json=as_json)
    if not as_json:
        write_lines(f"{'also':<10}  {file}" for file in saved.files[1:])  # aligned with the numbers above
    return None
