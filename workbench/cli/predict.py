"""`workbench predict`: find objects in pictures, videos and a webcam; a million images, interrupted and continued."""

from __future__ import annotations

import contextlib
import shlex
import signal
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from workbench import console
from workbench.cli.options import (
    PUBLISHED,
    Device,
    Json,
    Run,
    Which,
    app,
    checkpoint_of,
    kind_of_nms,
    project_of,
)
from workbench.console import result, say
from workbench.core import words
from workbench.core.detections import KINDS
from workbench.core.former_names import Former, names_now
from workbench.errors import WorkbenchError
from workbench.stopping import ways_to_stop

if TYPE_CHECKING:
    from workbench.inference.events import PredictionsSaved
    from workbench.inference.listing import Shard
    from workbench.inference.operating_point import OperatingPoint
    from workbench.inference.predict import Precision, Predictor
    from workbench.inference.predict_files import Asked
    from workbench.training.runtime import Runtime

FOREIGN = (".weights", ".pth", ".pt")  # Darknet's and torchvision's files, which must be imported
OUT = Path("predictions")


@dataclass(frozen=True, slots=True)
class _Wish:
    """The options, before the run's own operating point is known."""

    sources: tuple[Path, ...]
    out: Path
    webcam: int | None
    frames: int
    confidence: float | None
    iou: float | None
    nms: str
    every: int
    tiles: int
    overlap: float
    formats: tuple[str, ...]
    ids: Path | None
    shard: str
    fresh: bool


@app.command()
def predict(
    project: Annotated[
        Path | None, typer.Argument(help="A project's folder, or a checkpoint file. Not with --merge.")
    ] = None,
    sources: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Images, folders (with subfolders; images only), videos, text files with a path on each line, or"
            " patterns such as 'photos/**/*.jpg' or 'clips/*.mp4'."
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
    checkpoint: Which = "best",
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
            f" {', '.join(KINDS)}; default: as kept with the run, else {PUBLISHED}.",
        ),
    ] = "",
    every: Annotated[int, typer.Option("--every", help="For videos and webcams: every n-th frame.", min=1)] = 1,
    tiles: Annotated[
        int,
        typer.Option(
            "--tiles", metavar="PX", help="Also predict larger images in tiles of this side; 0: only as a whole.", min=0
        ),
    ] = 0,
    overlap: Annotated[
        float,
        typer.Option("--overlap", help="Of tiles, as a share of their side; objects should fit in it.", min=0, max=0.9),
    ] = 0.2,
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
    --shard or under torchrun: torchrun --nproc-per-node 8 -m workbench predict PROJECT SOURCES
    """
    formats = _formats(format, tuple(sources or ()), webcam, pictures)
    if merge:
        from workbench.inference.predict_files import merge as merged

        return _tell(merged(out_folder, formats if format else ["json"], coco_ids), as_json=as_json)
    if project is None or not (sources or webcam is not None):
        raise WorkbenchError("Say what to predict on: workbench predict PROJECT photographs/, or PROJECT --webcam 0.")
    if sources and webcam is not None:
        raise WorkbenchError("A webcam can't be combined with other sources. Leave out these, or --webcam.")
    wish = _Wish(
        tuple(sources or ()), out_folder, webcam, frames, confidence, iou, nms, every, tiles, overlap, formats,
        coco_ids, shard, fresh,
    )  # fmt: skip
    return _predict(project, run, checkpoint, (device, "fast" if fast else "exact"), wish, as_json=as_json)


def _formats(
    told: list[str] | None, sources: tuple[Path, ...], webcam: int | None, pictures: bool
) -> tuple[str, ...]:  # fmt: skip
    from workbench.core.video import is_video
    from workbench.inference import results

    if told:
        return results.checked(told)
    moving = webcam is not None or (bool(sources) and all(is_video(path) for path in sources))
    return ("json", "video" if moving else "pictures") if pictures else ("json",)


def _predict(
    project: Path, run: str, which: str, place: tuple[str, Precision], wish: _Wish, *, as_json: bool
) -> int | None:
    """`place`: the device and its precision."""
    from workbench import plugins
    from workbench.inference.predict_files import check_sources
    from workbench.training import torchrun

    plugins.loaded()
    file, run_folder, former = _checkpoint(project, run, which)
    with torchrun.joined() as runtime:
        if wish.webcam is None:
            check_sources(wish.sources)
        shard = _shard(wish.shard, runtime)
        quiet = as_json or not runtime.main
        predictor = _open(file, *place, runtime)
        predictor.call_labels(former)
        point = _point(wish, file, run_folder, former, predictor, quiet=quiet)
        say(f"Predicting with {_name(file)}, at a confidence of at least {point.confidence:g}.", quiet=quiet)
        asked = _asked(wish, shard, predictor, point)
        if wish.webcam is not None:
            return _watch(predictor, wish, asked, as_json=as_json)
        saved = _part(predictor, wish, asked, quiet=quiet, patient=runtime.world > 1)
        if runtime.world == 1:
            return saved if isinstance(saved, int) else _say(saved, as_json=as_json)
        stopped = runtime.agree(int(isinstance(saved, int)))
        if stopped or not runtime.main:
            return console.INTERRUPTED if stopped else None
    from workbench.inference.predict_files import merge

    return _tell(merge(wish.out, wish.formats, wish.ids), as_json=as_json)


def _checkpoint(project: Path, run: str, which: str) -> tuple[Path, Path | None, Former]:
    """The file, its run's folder, and earlier names of the project's labels."""
    if project.suffix in FOREIGN:
        command = shlex.join(["workbench", "import-weights", str(project), f"{project.stem}.safetensors", "--detector"])
        raise WorkbenchError(
            f"{project} is neither a project nor a checkpoint of Workbench. Convert it first: {command} NAME"
        )
    if project.suffix == ".safetensors":
        return project, project.parent, ()
    with project_of(project) as document:
        file, folder = checkpoint_of(document.runs_folder, run, which)
        return file, folder, () if folder is None else names_now(document)


def _name(file: Path) -> str:
    """The checkpoint's name: with its run's, which may have been chosen for the user; elsewhere only the file's."""
    from workbench.training.runs import EVENTS

    return f"{file.parent.absolute().name}, {file.stem}" if (file.parent / EVENTS).is_file() else file.name


def _shard(told: str, runtime: Runtime) -> Shard:
    from workbench.inference.listing import Shard

    if told and runtime.world > 1:
        raise WorkbenchError("torchrun already divides the work. Leave out --shard.")
    if runtime.world > 1:
        return Shard(runtime.rank + 1, runtime.world)
    if not told:
        return Shard()
    try:
        number, of = map(int, told.split("/"))
        return Shard(number, of)
    except ValueError as error:
        raise WorkbenchError(f"--shard takes I/N, such as 1/8 for the first of eight, not '{told}'.", error) from error


def _open(file: Path, device: str, precision: Precision, runtime: Runtime) -> Predictor:
    """Open it; each process of torchrun uses its own graphics card."""
    import torch

    from workbench.inference.predict import Predictor
    from workbench.training import torchrun

    if runtime.world > 1 and device in ("auto", "cuda") and torch.cuda.is_available():
        device = f"cuda:{torchrun.here() % torch.cuda.device_count()}"
    return Predictor.open(file, device, precision)


def _point(
    wish: _Wish, file: Path, run_folder: Path | None, former: Former, predictor: Predictor, *, quiet: bool
) -> OperatingPoint:  # fmt: skip
    """What was asked for, else the run's kept point or the best one in its evaluation, else 0.25 and as published."""
    from workbench.inference import evaluated, operating_point
    from workbench.inference.operating_point import OperatingPoint
    from workbench.training.runs import EVENTS

    kept = operating_point.read(run_folder, file.name, former) if run_folder is not None else None
    best = evaluated.best_point(run_folder, file.name) if run_folder is not None else None
    kind, iou = predictor.detector.published_nms
    point = kept or best or OperatingPoint(0.25, (), iou, kind)
    if (kept or best) and wish.confidence is None:
        why = "the operating point kept with the run" if kept else "where its F1 on validation images is best"
        say(f"Confidence {point.confidence:g}: {why}.", quiet=quiet)
    elif wish.confidence is None and run_folder is not None and (run_folder / EVENTS).is_file():
        say(f"Confidence {point.confidence:g}: this run was not evaluated on its validation images yet.", quiet=quiet)
    own = point.own if wish.confidence is None else ()
    if wish.nms:
        asked = kind_of_nms(wish.nms)
        point = replace(point, kind=asked or kind, iou=point.iou if asked else iou)
    return OperatingPoint(
        point.confidence if wish.confidence is None else wish.confidence,
        own,
        point.iou if wish.iou is None else wish.iou,
        point.kind,
        point.limit,
    )


def _asked(wish: _Wish, shard: Shard, predictor: Predictor, point: OperatingPoint) -> Asked:
    from workbench.inference.predict_files import Asked

    return Asked(point, wish.every, wish.tiles, wish.overlap, wish.formats, shard, wish.ids)


def _part(
    predictor: Predictor, wish: _Wish, asked: Asked, *, quiet: bool, patient: bool
) -> PredictionsSaved | int:  # fmt: skip
    """This process's part; an exit code if it was stopped."""
    from workbench.inference.predict_files import predict_files
    from workbench.report import show_predictions

    with _stopping(patient=patient) as stop:
        happening = predict_files(predictor, wish.sources, wish.out, asked, fresh=wish.fresh)
        try:
            return show_predictions(_until(stop, happening), quiet=quiet)
        except _StoppedError:
            say("The work so far is kept: the same command continues it.", quiet=quiet)  # "Stopped." follows
            return console.INTERRUPTED


def _watch(predictor: Predictor, wish: _Wish, asked: Asked, *, as_json: bool) -> int | None:
    from workbench.inference.webcam import predict_webcam

    assert wish.webcam is not None
    with _stopping() as stop:
        say("Watching. Ctrl-C stops and writes the results.", quiet=as_json)
        happening = predict_webcam(
            predictor, wish.webcam, wish.out, asked, stop, frames=wish.frames, fresh=wish.fresh
        )  # fmt: skip
        return _tell(happening, as_json=as_json)


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


@contextlib.contextmanager
def _stopping(patient: bool = False) -> Iterator[threading.Event]:
    """`ways_to_stop` set the event: the current batch is written. A second Ctrl-C stops at once.

    `patient`: it does not, as torchrun passes each signal on, so that its processes get one Ctrl-C twice.
    """
    stop = threading.Event()

    def ask(number: int, _: object) -> None:
        if stop.is_set() and number == signal.SIGINT and not patient:
            raise KeyboardInterrupt
        stop.set()

    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {number: signal.signal(number, ask) for number in ways_to_stop()}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _tell(events: Iterator[Any], *, as_json: bool) -> int | None:
    from workbench.report import show_predictions

    return _say(show_predictions(events, quiet=as_json), as_json=as_json)


def _say(saved: PredictionsSaved, *, as_json: bool) -> int | None:
    if saved.new == 0 and saved.images:
        say(f"Nothing new among {words.count(saved.images, 'picture')}; --fresh predicts again.", quiet=as_json)
    if saved.remark:
        say(saved.remark, quiet=as_json)
    told = {"file": str(saved.file), "images": saved.images, "detections": saved.detections,
            "left_out": saved.skipped, "files": [str(file) for file in saved.files]}  # fmt: skip
    result(told, as_json=as_json)
    if not as_json:
        for file in saved.files[1:]:
            sys.stdout.write(console.printable(f"{'also':<10}  {file}\n"))  # aligned with the numbers above
    return None
