"""Shared by several commands: the app, common options, and how projects and checkpoints are named."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer
import typer.core

from workbench import settings
from workbench.cli.checks import check_device, is_reporting
from workbench.console import command_line, say
from workbench.core.detections import KINDS, NmsKind
from workbench.core.document import Document
from workbench.core.project import FINISHED, Snapshot, Split
from workbench.core.storage import backups, mirror, text_changes
from workbench.core.store import FILE
from workbench.errors import Misused, WorkbenchError

if TYPE_CHECKING:
    from workbench.inference.evaluating.scoring import ScoringRules
    from workbench.inference.events import EvaluateEvent
    from workbench.training.recipes import Recipe

EXAMPLES = {
    "demo": "workbench demo my-demo --no-window",
    "new": "workbench new cells --images photographs",
    "add-images": "workbench add-images cells more-photographs",
    "add-video": "workbench add-video cells ride.mp4 --every 25",
    "import": "workbench import cells annotations --dry-run",
    "check": "workbench check cells",
    "labels": "workbench labels cells --rename rbc 'red cell'",
    "images": "workbench images cells --state 'in work' --mark done",
    "undo": "workbench undo cells",
    "text": "workbench text cells --take-over",
    "split": "workbench split cells --by similar --shares 80,10,10",
    "anchors": "workbench anchors cells --k 6 --size 320 --use",
    "seen": "workbench seen cells --image 1.jpg --out seen.png",
    "estimate": "workbench estimate cells --preset quick-cpu",
    "train": "workbench train cells --preset quick-cpu --epochs 40",
    "runs": "workbench runs cells --note yolov4-tiny-1 'the first one'",
    "evaluate": "workbench evaluate cells --split test",
    "point": "workbench point cells --confidence 0.4",
    "compare": "workbench compare cells yolov4-tiny-1 yolov4-tiny-2",
    "predict": "workbench predict cells photographs --out found --format coco",
    "benchmark": "workbench benchmark cells --format onnx --batch 1",
    "export": "workbench export cells weights --format onnx",
    "export-labels": "workbench export-labels cells out --format yolo",
    "autosync": "workbench autosync cells --format yolo",
    "restore": "workbench restore cells --list",
    "find-images": "workbench find-images cells /mnt/photographs",
    "detectors": "workbench detectors yolov4-tiny",
    "plugins": "workbench plugins --allow mine.py",
    "weights": "workbench weights ssd300 --download",
    "import-weights": "workbench import-weights yolov4.weights cells --detector yolov4 --labels coco.names",
}
"""One of each command, in the order of the help: as in the work, with what is rarely needed last."""


class _Commands(typer.core.TyperGroup):
    def list_commands(self, ctx: Any) -> list[str]:
        return [*EXAMPLES]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        command = super().get_command(ctx, cmd_name)
        if command is not None:
            command.epilog = f"Example: {EXAMPLES[cmd_name]}"
        return command

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """In place of a command there may be a folder, as that alone opens the window: say what is wrong with it."""
        path = Path(args[0])
        if args[0] not in self.commands and (os.path.isdir(path) or path.name != args[0]):
            check_project_folder(path)
            raise Misused(
                f"{path} is a project: alone it opens the window. Put a command before it:"
                f" {command_line('check', path)}"
            )
        return super().resolve_command(ctx, args)


app = typer.Typer(
    name="workbench",
    cls=_Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="From a folder of photographs to a trained object detector, on your own machine."
    " Without a command (or with a project's folder) the window opens.",
    epilog="Results go to standard output, all else to standard error. With --json the result is one JSON object, and"
    " an error is still a sentence on standard error. Exit codes: 0 done, 1 failed, 2 the command was not understood,"
    " 3 check found problems, 130 stopped by Ctrl-C or another signal.",
)


def check_project_folder(folder: Path) -> Path:
    """A folder with a project: a wrong one is refused before PyTorch is loaded, which takes seconds.

    Not in one of several processes (torchrun): only the main one reports what is wrong.
    """
    if is_reporting() and not os.path.isfile(folder / FILE):
        Document.open(folder, read_only=True).close()  # raises, except for the path of the file itself
    return folder


Project = Annotated[Path, typer.Argument(help="The project's folder.")]
OldProject = Annotated[Path, typer.Argument(help="The project's folder.", callback=check_project_folder)]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON and nothing else.")]
Run = Annotated[str, typer.Option("--run", help="A run's name, or the path of a checkpoint; default: the newest run.")]
HELD_OUT, FOLDS = "held-out", "folds"
SplitName = Annotated[
    str,
    typer.Option(
        "--split",
        help=f"train, validation (or val), test, none, all, {HELD_OUT}: those that the run (of two, the first) kept"
        f" aside to be evaluated on, by its own record, or {FOLDS}: every image, by the run of a cross-validation that"
        " has not learnt from it.",
    ),
]
CheckpointName = Annotated[str, typer.Option("--checkpoint", help="'best' or 'last'.")]
PUBLISHED = "published"
Nms = Annotated[
    str,
    typer.Option(
        "--nms",
        help=f"How NMS removes overlapping boxes: {PUBLISHED}, as the detector's authors do, or {', '.join(KINDS)}"
        " (diou: arXiv 1911.08287, soft: 1704.04503).",
    ),
]
Device = Annotated[
    str, typer.Option("--device", help="The device to compute on: auto, cpu, cuda, mps.", callback=check_device)
]


@contextlib.contextmanager
def project_of(folder: Path, *, write: bool = False, beside: bool = True) -> Iterator[Document]:
    """The open project. After writing, its text is updated, and with `beside` the label files beside its images."""
    with Document.open(folder, read_only=not write) as document:
        if write and document.read_only:
            raise WorkbenchError(document.why_read_only)
        if write and backups.is_due(document.folder):
            backups.back_up(document.folder)
        if write:
            text_changes.find(document.folder)  # before the edit: of a text not known yet it keeps what it says
        yield document
        if write:
            update_text(document)
            if beside:
                update_label_files(document)


def update_text(document: Document) -> None:
    """Update the project's text if it lacks an edit; if another program has changed it, say so instead."""
    if not document.store.read(lambda connection: mirror.is_current(document.folder, connection)):
        try:
            text_changes.write(document.folder)
        except text_changes.TextChanged as error:
            say(f"{error.sentence} To decide about it: {command_line('text', document.folder)}")


def update_label_files(document: Document) -> None:
    """Update the label files beside the images, if autosync is on (exchange/autosync.py)."""
    from workbench.exchange import autosync

    format = autosync.chosen_format(document)
    if format:
        synced = autosync.update_files(document.folder, format, document.snapshot())
        autosync.remember(document, synced)
        if synced.foreign or synced.failed:
            say(f"Beside the images: {synced.sentence}")


def checkpoint_of(runs_folder: Path, run: str, which: str) -> tuple[Path, Path | None]:
    """The checkpoint file named by --run and --checkpoint, and its run's folder."""
    if run.endswith(".safetensors"):
        return Path(run), None
    which = check_choice("checkpoint", which, ["best", "last"])
    folder = run_of(runs_folder, run or newest_run(runs_folder))
    for kind in (which, "last", "best"):
        file = folder / f"{kind}.safetensors"
        if file.is_file():
            return file, folder
    raise WorkbenchError(f"The run '{folder.name}' has no checkpoint yet. Train it, or choose another run with --run.")


def run_of(runs_folder: Path, name: str) -> Path:
    """The folder of the run called `name`; if there is none, WorkbenchError lists the existing names."""
    from workbench.training.records import runs

    known = [run.name for run in runs.runs(runs_folder)]
    if name not in known:
        advice = f"There are: {', '.join(known[:10])}." if known else "Train one: workbench train PROJECT"
        raise WorkbenchError(f"There is no run called '{name}' in {runs_folder.parent}. {advice}")
    return runs_folder / name


def labelled_images(snapshot: Snapshot, split: Split | None) -> Snapshot:
    """The images in which a missing box means that there is nothing: done, verified, or with boxes.

    WorkbenchError if there are none at all, or in that split.
    """

    def is_labelled(index: int) -> bool:
        rows = snapshot.rows(index)
        return rows.stop > rows.start or snapshot.images[index].state in FINISHED

    some = snapshot.take([index for index in range(len(snapshot)) if is_labelled(index)])
    if not len(some):
        raise WorkbenchError("No image is labelled yet. Draw boxes, or import labels: workbench import")
    if split is not None and not any(image.split is split for image in some.images):
        advice = f"Use those that the run held out with --split {HELD_OUT}, " if split is Split.VALIDATION else "Use "
        if any(image.split is Split.NONE for image in some.images):
            advice += "all images with --split all, or split them first: workbench split PROJECT"
        else:  # that command would leave them where they are
            advice += "all images with --split all, label some of it, or split again: workbench split PROJECT --again"
        raise WorkbenchError(f"There is no labelled image in the split '{split}'. {advice}")
    return some


def parse_nms(nms: str) -> NmsKind | None:
    """The NMS of --nms; None for that of the detector's authors."""
    chosen = check_choice("nms", nms, [PUBLISHED, *KINDS])
    return None if chosen == PUBLISHED else cast(NmsKind, chosen)


def check_split(part: str) -> str:
    """--split, also by other programs' folder names."""
    part = {"val": "validation", "valid": "validation", "held out": HELD_OUT}.get(part, part)
    return check_choice("split", part, [*map(str, Split), "all", HELD_OUT, FOLDS])


def images_to_evaluate(snapshot: Snapshot, part: str, run_folder: Path) -> tuple[Snapshot, Split | None]:
    """The labelled images that are to be evaluated as this split (None: all), `part` being checked by check_split().

    Those held out by the run in `run_folder` are its validation images. WorkbenchError if there are none.
    """
    if part == HELD_OUT:
        labelled = labelled_images(snapshot, None)
        from workbench.training.checks import data_leakage

        return data_leakage.held_out(run_folder, labelled), Split.VALIDATION
    split = None if part in ("all", FOLDS) else Split(part)
    return labelled_images(snapshot, split), split


def look(
    checkpoint: Path, folder: Path | None, images: tuple[Snapshot, Split | None], part: str, device: str,
    rules: ScoringRules | None = None,
) -> Iterator[EvaluateEvent]:  # fmt: skip
    """Evaluate on `images`, those of images_to_evaluate(`part`); of FOLDS with all runs of the cross-validation.

    `folder`: the run's; None if `checkpoint` is another file.
    """
    from workbench.inference.evaluating.evaluate import evaluate_run
    from workbench.inference.evaluating.evaluate_folds import evaluate_folds
    from workbench.inference.predict import Predictor

    if part == FOLDS:
        return evaluate_folds(folder or checkpoint.parent, images[0], rules, device, checkpoint.name)
    return evaluate_run(Predictor.open(checkpoint, device), *images, folder, rules)


def check_choice(what: str, value: str, choices: list[str]) -> str:
    if value not in choices:
        raise Misused(f"--{what} must be one of {', '.join(filter(None, choices))}, not '{value}'.")
    return value


def newest_run(runs_folder: Path) -> str:
    """The name of the run that was started last."""
    from workbench.training.records import runs

    found = runs.runs(runs_folder)
    if not found:
        raise WorkbenchError(f"There is no run in {runs_folder.parent} yet. Train one: workbench train PROJECT")
    return found[0].name


def check_png(option: str, file: Path | None) -> None:
    """Call before minutes are spent. WorkbenchError for what can't become a PNG."""
    if file is None:
        return
    if file.suffix.lower() != ".png":
        example = file.with_suffix(".png").name if file.name else "picture.png"
        raise Misused(f"--{option} draws a PNG, and {file.name or file} is not named so. Call it {example}.")
    if not file.parent.is_dir():
        raise WorkbenchError(f"There is no folder {file.parent} for {file.name}. Make it, or choose another.")


def named_values(texts: list[str] | None) -> dict[str, str]:
    """The values of repeated --set NAME=VALUE."""
    values = {}
    for text in texts or ():
        name, equals, value = text.partition("=")
        if not equals:
            raise Misused(f"--set takes NAME=VALUE, such as --set input_px=320, not '{text}'.")
        values[name.strip().replace("-", "_")] = value.strip()
    return values


@contextlib.contextmanager
def typed() -> Iterator[None]:
    """What is refused within is what was typed, whatever the project holds: Misused."""
    try:
        yield
    except WorkbenchError as error:
        raise Misused(error.sentence, error.cause) from error


def with_set_values(recipe: Recipe, values: dict[str, Any]) -> Recipe:
    """The recipe with settings from the command line; for an unknown name, the error says where all are listed."""
    with typed():
        try:
            return recipe.changed(values)
        except settings.UnknownSetting as error:
            listed = f"All of {recipe.detector}'s: workbench detectors {recipe.detector}"
            raise WorkbenchError(f"{error.sentence} {listed}", error.cause) from error
