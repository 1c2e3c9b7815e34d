"""Commands about trained detectors: evaluate, export, detectors, and the demo of all of it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from workbench import settings
from workbench.cli import cross_validation
from workbench.cli.checks import check_checkpoint, check_detector, check_exporters
from workbench.cli.options import (
    FOLDS,
    PUBLISHED,
    CheckpointName,
    Device,
    Json,
    Nms,
    OldProject,
    Run,
    SplitName,
    app,
    check_split,
    checkpoint_of,
    images_to_evaluate,
    look,
    named_values,
    parse_nms,
    project_of,
    typed,
)
from workbench.console import command_line, print_result, print_table, say
from workbench.core import formatting
from workbench.core.files import check_writable
from workbench.core.nms import TITLES
from workbench.core.project import Split
from workbench.errors import WorkbenchError

if TYPE_CHECKING:
    from workbench.detectors.parts.detector import Detector


@app.command()
def evaluate(
    project: OldProject,
    run: Run = "",
    checkpoint: CheckpointName = "best",
    split: SplitName = "validation",
    nms: Nms = PUBLISHED,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Measure AP by the COCO definition on the labelled images of a split.

    Precision, recall and F1 are at the confidence where F1 of all labels together is highest. For test images, that of
    the validation images is used, if they were evaluated before.
    """
    kind = parse_nms(nms)
    split = check_split(split)
    with project_of(project) as document:
        file, folder = checkpoint_of(document.runs_folder, run, checkpoint)
        snapshot = document.snapshot()
    check_checkpoint(file)
    images = images_to_evaluate(snapshot, split, folder or file.parent)
    from workbench.inference.evaluating import fold_remarks, operating_point, saved_evaluation
    from workbench.inference.evaluating.scoring import ScoringRules
    from workbench.report import numbers, show_evaluation
    from workbench.training.checkpoints.header import read_header
    from workbench.training.checks import data_leakage

    rules, home = None if kind is None else ScoringRules(kind=kind), folder or file.parent
    kept = operating_point.read(home, file.name, snapshot.former_names) if images[1] is Split.TEST else None
    epoch = read_header(file).epoch  # 0 for imported weights; read now, as a training may replace the file meanwhile
    done = show_evaluation(look(file, folder, images, split, device, rules), quiet=as_json)
    point = kept or saved_evaluation.validation_point(home, file.name, images[1])
    if point is not None and rules is not None:  # the NMS that was asked for
        point = replace(point, kind=rules.kind, iou=rules.iou)
    values = numbers(done, point)
    if not as_json:
        per_label = values["per_label"].items()
        head = ["label", "boxes", "AP", "AP50", "precision", "recall", "F1"]
        print_table(head, [[name, *each.values()] for name, each in per_label])
        if done.folds:
            rows = [[one.fold, one.run, one.images, *map(formatting.share, (one.ap, one.ap50))] for one in done.folds]
            print_table(["fold", "run", "images", "AP", "AP50"], rows)
            if apart := fold_remarks.spread(done.folds):
                say("The folds' own AP: {:.3f} on average, with a standard deviation of {:.3f}.".format(*apart))
    about = {"checkpoint": str(file), **({"epoch": epoch} if epoch else {}), "split": split}
    print_result({**about, **values}, as_json=as_json)
    if point is not None:
        why = "the operating point kept with the run" if kept else "where its F1 on validation images is best"
        differs = (point.kind, point.iou) != (done.rules.kind, done.rules.iou)
        nms_too = f" and NMS {TITLES[point.kind]} at {point.iou:g}" if differs else ""
        say(f"Precision, recall and F1 are at the confidence {point.words}{nms_too}: {why}.", quiet=as_json)
    if folder is not None and done.file is None and split != FOLDS:
        say(f"The project can't be written to, so these numbers are not kept with the run: {folder}", quiet=as_json)
    seen = data_leakage.run_warning(file.absolute().parent.name, done.trained_on, len(done.truth))
    if split == FOLDS:
        seen = data_leakage.folds_warning(done.trained_on, len(done.truth))
    if seen:
        say(seen)  # also beside --json


@app.command()
def detectors(
    detector: Annotated[str, typer.Argument(help="A detector; without one, all are listed.")] = "",
    as_json: Json = False,
) -> None:
    """List the detectors that can be trained, or the settings of one."""
    from workbench import detectors as family
    from workbench import plugins

    plugins.loaded()
    if detector:
        check_detector(detector)
        _show_settings(detector, family.load_all().get(detector), as_json=as_json)
        return
    members = [(name, member) for name, member in family.load_all()]
    if as_json:
        print_result({n: {"title": m.title, "paper": m.paper, "summary": m.summary} for n, m in members}, as_json=True)
        return
    print_table(["name", "detector", "what it is good for"], [[name, m.title, m.summary] for name, m in members])
    if absent := family.detectors.elsewhere(""):
        say(absent)


def _show_settings(name: str, member: type[Detector], *, as_json: bool) -> None:
    """Print what --set can change of a detector: names, defaults and meanings."""
    rows = settings.rows(member.settings_class)
    if as_json:
        about = {"name": name, "title": member.title, "paper": member.paper, "summary": member.summary}
        print_result({**about, "settings": {row.name: _about(row) for row in rows}}, as_json=True)
        return
    say(f"{member.title}: {member.summary} ({member.paper})")
    print_table(["setting", "default", "what it does"], [[row.name, _default(row), _help(row)] for row in rows])
    say(f"Change one: workbench train PROJECT --detector {name} --set NAME=VALUE")


def _about(row: settings.SettingRow) -> dict[str, Any]:
    """A setting as JSON. `default` null: "auto" of an optional setting; `choices` is empty if any value is valid."""
    return {
        "kind": row.kind.__name__, "default": row.default, "optional": row.optional, "help": row.help,
        "unit": row.unit, "low": row.low, "high": row.high, "choices": list(row.choices),
    }  # fmt: skip


def _default(row: settings.SettingRow) -> str:
    if row.default is None:
        return "auto"
    if isinstance(row.default, tuple):
        return " ".join(f"{number:g}" for number in row.default) or "-"
    if isinstance(row.default, bool):
        return "yes" if row.default else "no"
    return str(row.default) or "-"


def _help(row: settings.SettingRow) -> str:
    choices = f" One of: {', '.join(row.choices)}." if row.choices else ""
    return row.help + (f" [{row.unit}]" if row.unit else "") + choices


@app.command()
def export(
    project: OldProject,
    folder: Annotated[
        Path, typer.Argument(help="A folder for the files; those of an earlier export there are replaced.")
    ],
    run: Run = "",
    checkpoint: CheckpointName = "best",
    format: Annotated[
        list[str] | None,
        typer.Option(
            "--format",
            help="safetensors, state-dict, torchscript, pt2, onnx, darknet, a plugin's; may be repeated; default: all.",
        ),
    ] = None,
    change: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="NAME=VALUE, may be repeated: score, nms_kind, iou, output (detections, decoded, raw), limit,"
            " batch (0: any), size (fixed, dynamic), licence.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Export trained weights with labels, anchors and preprocessing inside; each file is verified before it is kept."""
    from workbench.inference.exporters import ExportSettings
    from workbench.inference.exporting.model_card import suggested_settings

    check_exporters(format)
    values = named_values(change)
    with project_of(project) as document:
        file, run_folder = checkpoint_of(document.runs_folder, run, checkpoint)
        snapshot = document.snapshot()
    suggested = suggested_settings(run_folder, file.name) if run_folder else {}
    with typed():
        wanted = settings.with_values(settings.with_values(ExportSettings(), suggested), values)
    check_checkpoint(file)
    check_writable(folder)
    if run_folder is not None and (note := cross_validation.export_note(run_folder)):
        say(note)  # also beside --json
    from workbench.inference.exporting import export as exporting
    from workbench.inference.exporting.verification_images import choose_images
    from workbench.report import show_export

    images = choose_images(snapshot.files, [image.split is Split.VALIDATION for image in snapshot.images])
    before = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    done = show_export(exporting.export(file, folder, format or None, images, wanted, snapshot), quiet=as_json)
    written = [{"format": one.format, "file": str(one.file), "bytes": one.bytes} for one in done.results]
    failed, left = (
        [{"format": one.format, "sentence": one.sentence} for one in some] for some in (done.failed, done.left_out)
    )
    print_result({"folder": str(done.folder), "files": written, "failed": failed, "left_out": left}, as_json=as_json)
    if replaced := [one.format for one in done.results if one.format in before]:
        say(f"The files of an earlier export there were replaced: {', '.join(replaced)}.", quiet=as_json)
    if done.failed:
        raise WorkbenchError(" ".join(f"{one.format} was not exported: {one.sentence}" for one in done.failed))


@app.command()
def demo(
    folder: Annotated[Path, typer.Argument(help="A new folder for the sample project.")] = Path("workbench-demo"),
    window: Annotated[bool, typer.Option("--window/--no-window", help="Open the window at the end.")] = True,
    epochs: Annotated[
        int, typer.Option("--epochs", help="Fewer are faster but worse; 0: as many as needed for good results.", min=0)
    ] = 0,
) -> None:
    """The whole loop on generated photographs: cluster, train, evaluate, predict, export, and open the window."""
    from workbench.demo import show

    begun = time.monotonic()
    show(folder, epochs)
    say(f"\nThis took {formatting.rough_duration(time.monotonic() - begun)} in all. The project is in {folder}.")
    if window:
        _open_window(folder)
    else:
        say(f"Look at it in the window: {command_line(folder)}")


def _open_window(folder: Path) -> None:
    """Open the window in a separate process: torch is loaded here, and the window opens without it.

    If no window can open, that process says why; the demo is done all the same. A signal to stop ends the window in
    order, with a checkpoint of what it trains: this waits for it, as subprocess.run() would kill it.
    """
    with subprocess.Popen([sys.executable, "-P", "-m", "workbench", str(folder)]) as window:
        while window.poll() is None:
            try:
                window.wait()
            except KeyboardInterrupt:
                if os.name != "nt":  # there Ctrl-C has reached it, too, and this would end it at once
                    window.terminate()
