"""The command that trains: one flag per setting, made from the settings themselves."""

from __future__ import annotations

import functools
import inspect
import math
import shlex
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
import typer.core

from workbench import console, settings
from workbench.cli import cross_validation, event_streams
from workbench.cli.checks import check_detector, check_device, check_run, check_weights, is_reporting
from workbench.cli.options import (
    app,
    check_choice,
    check_project_folder,
    checkpoint_of,
    named_values,
    newest_run,
    project_of,
    run_of,
    typed,
    with_set_values,
)
from workbench.console import command_line, print_result, say
from workbench.core import formatting
from workbench.core.files import check_writable
from workbench.errors import Misused, WorkbenchError

if TYPE_CHECKING:
    from workbench.cli.cross_validation import ProjectData
    from workbench.core.project import AnchorSet, Snapshot
    from workbench.training.checks.findings import Finding
    from workbench.training.hardware.runtime import Runtime
    from workbench.training.recipes import Recipe
    from workbench.training.records.runs import RunInfo
    from workbench.training.request import RunRequest


def train(**given: Any) -> int | None:
    """Train a detector. Ctrl-C stops at the next step and leaves a checkpoint that --resume continues.

    A SIGTERM, or closing the terminal or SSH session, does the same; under nohup the training goes on.

    On several graphics cards or machines: torchrun --nproc-per-node 8 -m workbench train PROJECT
    """
    _refuse_early(given)
    from workbench import plugins
    from workbench.training.hardware import torchrun
    from workbench.training.monitoring import tensorboard_log

    if given["tensorboard"]:
        tensorboard_log.require()
    plugins.loaded()
    quiet = given["as_json"] or given["json_events"]
    with torchrun.join_processes() as runtime:
        try:
            runtime.check_program()
            read = functools.cache(lambda: cross_validation.read_project(given["project"]))
            wanted = runtime.broadcast(lambda: cross_validation.of_each(given, _recipe, read, quiet=quiet))
            say_nothing = quiet or not runtime.is_main
            return cross_validation.run_each(wanted, lambda one: _train(one, runtime, read), quiet=say_nothing)
        except torchrun.AlreadyReported:
            return console.FAILED


def _refuse_early(given: dict[str, Any]) -> None:
    """Check before PyTorch is loaded, which takes seconds. With many processes the first reports it later, for all."""
    if not is_reporting():
        return
    from workbench.training import recipes
    from workbench.training.records import runs
    from workbench.training.settings import TrainingSettings

    with project_of(given["project"]) as document:
        folder, boxes = document.runs_folder, document.counts().total
    if given.get("resume") is not None:
        run_folder = run_of(folder, given["resume"] or newest_run(folder))
        _refuse_changes(given)
        _refuse_finished(runs.info(run_folder))
        check_run(run_folder)
        check_writable(run_folder)
        return
    if not boxes:
        raise WorkbenchError("The project has no boxes yet. Draw some, or import labels: workbench import")
    check_choice("anchors", given["anchors"], ["project", "published"])
    recipes.check_exists(given["preset"])
    if given["detector"]:
        check_detector(given["detector"])
    named_values(given["set"])
    with typed():
        settings.with_values(TrainingSettings(), _flags(given))
    check_device(given["device"] or "auto")
    if given["weights"] and given["weights"] != "published":
        check_weights(given["weights"], folder)
    if "name" in given:  # a training, which writes
        if given["name"] and not given["folds"]:  # the runs of folds have names of their own
            runs.folder_for(folder, given["name"], "")
        check_writable(folder)


def _train(given: dict[str, Any], runtime: Runtime, read: Callable[[], ProjectData]) -> int | None:
    from workbench.report import show_training
    from workbench.training import events
    from workbench.training import run as training
    from workbench.training.monitoring import tensorboard_log
    from workbench.training.records import runs

    control, as_json = events.Control(), given["as_json"]
    request = runtime.broadcast(lambda: _request(given, read()))
    stream = training.train(request, control, runtime)
    if given["tensorboard"] and runtime.is_main:
        stream = tensorboard_log.log_events(stream, request.folder)
    try:
        told = console.STOPPING if runtime.is_main else ""
        with console.stop_on_signal(control.stop, told, patient=runtime.world > 1):
            if not runtime.is_main:
                return event_streams.follow(stream)
            if given["json_events"]:
                return event_streams.print_lines(stream, resumes=request.resume)
            finished = show_training(stream, quiet=as_json)
    finally:
        if runtime.is_main:
            runs.remove_unstarted(request.folder)
    best = None if math.isnan(finished.best_ap50) else finished.best_ap50
    values = {"run": Path(finished.folder).name, "epochs": finished.epoch, "best_ap50": best,
            "stopped": finished.stopped, "seconds": round(finished.seconds, 1), "folder": finished.folder}  # fmt: skip
    print_result(values, as_json=as_json)
    if not finished.stopped:
        return None
    if request.folder.exists():
        command = command_line("train", given["project"], "--resume", str(values["run"]))
        say(f"Go on with: {command}", quiet=as_json)
    else:  # removed above
        say("It had not taken a step yet, so no run was kept: the same command begins it again.", quiet=as_json)
    return console.INTERRUPTED


def _request(given: dict[str, Any], data: ProjectData) -> RunRequest:
    """The request from the command line."""
    from workbench.training.records import record, runs
    from workbench.training.request import RunRequest

    folder, snapshot = data.runs_folder, data.snapshot
    if given["resume"] is not None:
        run_folder = run_of(folder, given["resume"] or newest_run(folder))
        _refuse_changes(given)
        _refuse_finished(runs.info(run_folder))
        return record.read_request(run_folder)
    recipe, start = _recipe(given)
    anchors = data.anchors if given["anchors"] == "project" else None
    _check_before(snapshot, recipe, anchors, start, quiet=given["as_json"] or given["json_events"])
    run_folder = runs.folder_for(folder, given["name"] or "", recipe.detector)
    if given["name"] and run_folder.name != given["name"]:
        sentence = f"The run is called '{run_folder.name}', as '{given['name']}' can't be a folder's name."
        say(sentence, quiet=given["as_json"] or given["json_events"])
    return RunRequest(run_folder, snapshot, recipe, anchors, start=start, data_time=data.time)


def _recipe(given: dict[str, Any]) -> tuple[Recipe, Path | None]:
    """The recipe from the flags, and the file of weights to start from."""
    from workbench.training import recipes

    check_choice("anchors", given["anchors"], ["project", "published"])
    recipe = recipes.find(given["preset"])
    if given["detector"]:
        recipe = recipe.with_detector(given["detector"])
    recipe = with_set_values(recipe, _changes(given))
    return recipe, _start(given["weights"], recipe.detector, given["project"])


def _check_before(
    snapshot: Snapshot, recipe: Recipe, anchors: AnchorSet | None, start: Path | None, *, quiet: bool
) -> None:  # fmt: skip
    """Print what was changed of the recipe, and findings that the run won't report. WorkbenchError if hopeless."""
    from workbench.training import differences, prepare, recipes
    from workbench.training.checks import findings
    from workbench.training.checks.preflight import TOLD_BY_RUN, preflight

    found = preflight(snapshot, recipe, anchors, start, ask=False)
    for one in found:
        if one.level == findings.STOPS:
            raise WorkbenchError(one.text)
    sentence = differences.sentence(recipe, differences.differences(recipe))
    if sentence:
        say(sentence, quiet=quiet)
    for one in found:
        if one.kind not in TOLD_BY_RUN:
            say(_line(one), quiet=quiet)
    images = len(prepare.select_images(snapshot, recipe.training)[0])
    if start is None and recipe.name == recipes.DEFAULT and images < recipes.FEW_IMAGES:
        few = recipes.find(recipes.FEW)  # which the window chooses by itself
        say(
            f"  From only {formatting.count(images, 'image')}, “{few.title}” learns more: --preset {few.name}",
            quiet=quiet,
        )


def _line(found: Finding) -> str:
    return f"  {found.text}" if found.level == "info" else f"  {found.level}: {found.text}"


def estimate(**given: Any) -> None:
    """Estimate the time, memory and disk that a training takes. Measures a few steps here, and trains nothing."""
    _refuse_early(given)
    from workbench import plugins
    from workbench.training import differences
    from workbench.training.checks import cost_measurement
    from workbench.training.checks.preflight import preflight

    plugins.loaded()
    with project_of(given["project"]) as document:
        snapshot, kept = document.snapshot(), document.anchors()
    recipe, start = _recipe(given)
    anchors = kept if given["anchors"] == "project" else None
    found = preflight(snapshot, recipe, anchors, start)
    apart = differences.differences(recipe)
    made = cost_measurement.estimate(snapshot, recipe, anchors)
    if given["as_json"]:
        odd = [{name: getattr(one, name) for name in ("level", "kind", "sentence", "advice", "count")} for one in found]
        changes = [{"name": one.name, "preset": one.before, "now": one.now} for one in apart]
        about = {"folds": recipe.training.folds, "differences": changes, "findings": odd}
        print_result({**made.values(), **about}, as_json=True)
        return
    one_of = cross_validation.one_of(recipe)
    for sentence in (differences.sentence(recipe, apart), *map(_line, found), made.how, one_of):
        if sentence:
            say(sentence)
    print_result(made.rows(), as_json=False)


def _start(text: str | None, detector: str, project: Path) -> Path | None:
    """The file of weights to start from: a path, a run's, or the published one, which must have been downloaded."""
    if not text:
        return None
    if text != "published":
        from workbench.training.records import runs

        with project_of(project) as document:
            named = {run.name for run in runs.runs(document.runs_folder)}
            is_run = text in named and not Path(text).is_file()
            return checkpoint_of(document.runs_folder, text, "best")[0] if is_run else Path(text)
    from workbench.cli.weights import published_of
    from workbench.training.checkpoints import published_weights

    weights = published_of(detector)
    file = published_weights.kept_file(weights)
    if not file.is_file():
        raise WorkbenchError(
            f"The published weights are not on this machine"
            f" ({formatting.size(1e6 * weights.megabytes)}, {weights.licence})."
            f" Fetch them: workbench weights {detector} --download"
        )
    return file


def _refuse_finished(run: RunInfo) -> None:
    if run.state != "finished":
        return
    weights = shlex.join(["--weights", str(run.checkpoint)])
    more = f" A new run can start from its weights: {weights}" if run.checkpoint else ""
    raise WorkbenchError(f"The run '{run.name}' is finished: there is nothing to resume.{more}")


def _refuse_changes(given: dict[str, Any]) -> None:
    """A resumed run keeps its recipe; a flag that asks for another one must not be silently ignored."""
    rows = [row.flag for row in _training_rows() if given.get(row.name) is not None]
    named = rows + [f"--{name}" for name in ("detector", "name", "set", "weights") if given[name]]
    if named:
        raise Misused(f"A resumed run keeps its recipe. Leave out {', '.join(named)}, or start a new run.")


def _changes(given: dict[str, Any]) -> dict[str, Any]:
    """Settings from the command line: flags of the training, and NAME=VALUE of the detector."""
    return {**_flags(given), **named_values(given["set"])}


def _flags(given: dict[str, Any]) -> dict[str, Any]:
    """Of them, those that have flags of their own."""
    return {row.name: given[row.name] for row in _training_rows() if given.get(row.name) is not None}


def _training_rows() -> tuple[settings.SettingRow, ...]:
    from workbench.training.settings import TrainingSettings

    return settings.rows(TrainingSettings)


_OWN: tuple[tuple[str, Any, Any, Any], ...] = (  # options beside the settings: name, kind, default, what typer is told
    (
        "project",
        Path,
        inspect.Parameter.empty,
        typer.Argument(help="The project's folder.", callback=check_project_folder),
    ),
    (
        "preset",
        str,
        "quick-cpu",
        typer.Option("--preset", "-p", help="A recipe that ships, or the path of a .toml file."),
    ),
    ("detector", str | None, None, typer.Option("--detector", help="See `workbench detectors`.")),
    ("name", str | None, None, typer.Option("--name", help="The run's name; default: the detector's and a number.")),
    (
        "anchors",
        str,
        "project",
        typer.Option("--anchors", help="'project' (see `workbench anchors --use`) or 'published'."),
    ),
    (
        "set",
        list[str] | None,
        None,
        typer.Option("--set", help="NAME=VALUE of the detector (see `workbench detectors NAME`); may be repeated."),
    ),
    (
        "weights",
        str | None,
        None,
        typer.Option(
            "--weights",
            help="Weights to begin with: a run's name, a checkpoint (.safetensors), Darknet's"
            " (.weights, .conv.74), torchvision's"
            " (.pth), or 'published' (see `workbench weights`). What fits is taken, and what does not is listed.",
        ),
    ),
    (
        "resume",
        str | None,
        None,
        typer.Option("--resume", help="Go on with this run; at the end, without a name: the newest."),
    ),
    (
        "tensorboard",
        bool,
        False,
        typer.Option("--tensorboard", help="Write the curves for TensorBoard too (extra 'tb')."),
    ),
    ("as_json", bool, False, typer.Option("--json", help="Print the result as JSON.")),
    ("json_events", bool, False, typer.Option("--json-events", help="Print every event as a line of JSON.")),
)


def _with_settings(command: Callable[..., Any], without: Collection[str] = ()) -> Callable[..., Any]:
    """Give a command one flag per field of TrainingSettings, by making the signature that typer reads.

    `without`: names of options of `train` that it lacks.
    """
    optional = inspect.Parameter.KEYWORD_ONLY
    parameters = [
        inspect.Parameter(
            name,
            inspect.Parameter.POSITIONAL_OR_KEYWORD if default is inspect.Parameter.empty else optional,
            default=default,
            annotation=Annotated[kind, about],
        )
        for name, kind, default, about in _OWN
        if name not in without
    ]
    for row in _training_rows():
        kind = row.kind if row.kind in (int, float, bool) else str
        flag = f"{row.flag}/--no-{row.flag[2:]}" if row.kind is bool else row.flag
        unit = f" [{row.unit}]" if row.unit else ""
        choices = f" One of: {', '.join(row.choices)}." if row.choices else ""
        about = typer.Option(flag, help=row.help + unit + choices, rich_help_panel=f"Recipe: {row.group or 'more'}")
        parameters.append(inspect.Parameter(row.name, optional, default=None, annotation=Annotated[kind | None, about]))
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return command


class _Train(typer.core.TyperCommand):
    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """typer has no options with an optional value: --resume alone becomes --resume ''."""
        bare = [i for i, one in enumerate(args) if one == "--resume" and "".join(args[i + 1 : i + 2])[:1] in ("", "-")]
        for i in reversed(bare):
            args[i : i + 2] = ["--resume=", *(one for one in args[i + 1 : i + 2] if one)]
        return super().parse_args(ctx, args)


app.command(name="train", cls=_Train)(_with_settings(train))
app.command(name="estimate")(_with_settings(estimate, ("name", "resume", "tensorboard", "json_events")))
