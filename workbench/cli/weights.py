"""Commands for weights from elsewhere: list and download published ones, and import a file to detect with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from workbench import console
from workbench.cli.checks import check_detector
from workbench.cli.options import Json, app, named_values, project_of, with_set_values
from workbench.console import print_result, print_table, say
from workbench.core import formatting
from workbench.core.files import check_writable
from workbench.errors import Misused, Refused, WorkbenchError

if TYPE_CHECKING:
    from workbench.detectors.parts.detector import Pretrained


@app.command()
def weights(
    detector: Annotated[str, typer.Argument(help="A detector; without one, all published weights are listed.")] = "",
    download: Annotated[bool, typer.Option("--download", help="Download the file, after asking.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """List the weights that torchvision publishes, or fetch those of a detector. Nothing is fetched without asking."""
    if not detector:
        if download:
            raise Misused("Name the detector whose weights to download: workbench weights ssd300 --download")
        _list(as_json)
        return
    found = published_of(detector)
    from workbench.training.checkpoints import published_weights

    file = published_weights.kept_file(found)
    say(f"{found.url}\n{formatting.size(1e6 * found.megabytes)} from {found.source}. {found.licence}.", quiet=as_json)
    if not download or file.is_file():
        _result(detector, found, file, as_json)
        if file.is_file():
            say(f"Start from them: workbench train PROJECT --detector {detector} --weights published", quiet=as_json)
        else:
            say(f"Fetch them: workbench weights {detector} --download", quiet=as_json)
        return
    if not yes and not _is_wanted(file, detector):
        say("Nothing was fetched.", quiet=as_json)
        return
    with console.progress_bar(f"Fetching {file.name}", quiet=as_json) as progress:
        for event in published_weights.download(found):
            progress.to(event.done, event.total)
    _result(detector, found, file, as_json)


def _is_wanted(file: Path, detector: str) -> bool:
    """Ask on stderr. WorkbenchError if nobody can answer."""
    try:
        return typer.confirm(f"Fetch it to {file}?", err=True)
    except (typer.Abort, RuntimeError) as error:  # the latter if stdin is closed
        if isinstance(error.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from None
        raise WorkbenchError(
            "Nobody answered the question, so nothing was fetched. Fetch it without one: workbench weights"
            f" {detector} --download --yes"
        ) from None


def _result(detector: str, found: Pretrained, file: Path, as_json: bool) -> None:
    """Where they are on this machine; the user has already seen the address."""
    address = {"url": found.url} if as_json else {}
    print_result({"detector": detector, **address, "file": str(file), "here": file.is_file()}, as_json=as_json)


def published_of(detector: str) -> Pretrained:
    """torchvision's published weights for a detector; WorkbenchError lists those it has, and how to use other files."""
    check_detector(detector)
    from workbench import detectors
    from workbench.training.checkpoints import published_weights

    there = published_weights.published()
    if detector not in there:
        detectors.load_all().get(detector)  # raises if there is no such detector
        raise WorkbenchError(
            f"torchvision publishes no weights of {detector}, and only torchvision's can be fetched: those of"
            f" {', '.join(there)}. A file from elsewhere, such as Darknet's, is used as it is: workbench train PROJECT"
            f" --detector {detector} --weights FILE"
        )
    return there[detector]


def _list(as_json: bool) -> None:
    from workbench.training.checkpoints import published_weights

    rows: dict[str, dict[str, Any]] = {
        name: {
            "url": one.url,
            "megabytes": one.megabytes,
            "here": published_weights.kept_file(one).is_file(),
            "licence": one.licence,
        }
        for name, one in published_weights.published().items()
    }
    if as_json:
        print_result(rows, as_json=True)
        return
    print_table(
        ["detector", "MB", "here", "file"],
        [
            [n, f"{o['megabytes']:.0f}", "yes" if o["here"] else "no", o["url"].rpartition("/")[2]]
            for n, o in rows.items()
        ],
    )
    for licence in dict.fromkeys(one["licence"] for one in rows.values()):
        say(f"Licence: {licence}.")


@app.command(name="import-weights")
def import_weights(
    file: Annotated[Path, typer.Argument(help="Darknet's .weights, torchvision's .pth or a checkpoint.")],
    target: Annotated[Path, typer.Argument(help="A project's folder, or the .safetensors file to write.")],
    detector: Annotated[
        str, typer.Option("--detector", help="The detector that the weights belong to; see `workbench detectors`.")
    ],
    labels: Annotated[
        Path | None, typer.Option("--labels", help="A file with one label per line, in the network's order.")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="NAME=VALUE of the detector, as --set cfg=a.cfg (see `workbench detectors NAME`); may be repeated.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Make another program's trained weights usable here: as a run of a project or as a checkpoint."""
    check_detector(detector)
    values = named_values(set_)
    for one in (file, labels):
        if one is not None and not one.is_file():
            raise Refused(one, "there is no such file.")
    runs_folder = None
    if target.suffix != ".safetensors":
        with project_of(target) as document:
            runs_folder = document.runs_folder
    check_writable(runs_folder or target.parent)
    from workbench.training import recipes
    from workbench.training.checkpoints import weights as importing

    recipe = with_set_values(recipes.default_recipe(detector), values)
    names = importing.read_names(labels) if labels else importing.published_names(file, recipe)
    if not names:
        raise WorkbenchError(
            "The labels of these weights are not known. Name a file with one label per line, in the network's order:"
            " --labels FILE"
        )
    if runs_folder is None:
        done = importing.import_weights(file, recipe, names, target)
        say(done.sentence[:1].upper() + done.sentence[1:], quiet=as_json)
        print_result({"checkpoint": str(target), "labels": len(names)}, as_json=as_json)
        return
    run = importing.import_run(file, recipe, names, runs_folder)
    print_result({"run": run.name, "folder": str(run), "labels": len(names)}, as_json=as_json)
