"""Commands about weights from elsewhere: which are published, fetching them, and importing a file to detect with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from workbench import console
from workbench.cli.options import Json, app, named_values, project_of
from workbench.console import result, say, table
from workbench.errors import WorkbenchError


@app.command()
def weights(
    detector: Annotated[str, typer.Argument(help="A detector; without one, all published weights are listed.")] = "",
    download: Annotated[bool, typer.Option("--download", help="Fetch the file, after a yes.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """List the weights that torchvision publishes, or fetch those of a detector. Nothing is fetched unasked."""
    from workbench.training import published

    if not detector:
        if download:
            raise WorkbenchError("Name the detector whose weights to fetch: workbench weights ssd300 --download")
        _list(as_json)
        return
    found = published.of(detector)
    file = published.kept_file(found)
    about = f"{found.url}\n{found.megabytes:.0f} MB from {found.source}. {found.licence}."
    if not download or file.is_file():
        say(about, quiet=as_json)
        result({"detector": detector, "url": found.url, "file": str(file), "here": file.is_file()}, as_json=as_json)
        return
    say(about, quiet=as_json)
    if not yes and not typer.confirm(f"Fetch it to {file}?"):
        say("Nothing was fetched.", quiet=as_json)
        return
    with console.bar(f"Fetching {file.name}", quiet=as_json) as progress:
        for event in published.download(found):
            progress.to(event.done, event.total)
    result({"detector": detector, "url": found.url, "file": str(file), "here": True}, as_json=as_json)


def _list(as_json: bool) -> None:
    from workbench.training import published

    rows = {
        name: {
            "url": one.url,
            "megabytes": one.megabytes,
            "here": published.kept_file(one).is_file(),
            "licence": one.licence,
        }
        for name, one in published.published().items()
    }
    if as_json:
        result(rows, as_json=True)
        return
    table(
        ["detector", "MB", "here", "file"],
        [
            [name, f"{one.megabytes:.0f}", "yes" if published.kept_file(one).is_file() else "no", _name(one.url)]
            for name, one in published.published().items()
        ],
    )
    for licence in dict.fromkeys(one.licence for one in published.published().values()):
        say(f"Licence: {licence}.")


def _name(url: str) -> str:
    return url.rpartition("/")[2]


@app.command(name="import-weights")
def import_weights(
    file: Annotated[Path, typer.Argument(help="Darknet's .weights, torchvision's .pth or a checkpoint.")],
    target: Annotated[Path, typer.Argument(help="A project's folder, or the .safetensors file to write.")],
    detector: Annotated[str, typer.Option("--detector", help="What the weights are of; see `workbench detectors`.")],
    labels: Annotated[
        Path | None, typer.Option("--labels", help="A file with one label per line, in the network's order.")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="NAME=VALUE of the detector, say --set cfg=yolo.cfg; may be repeated."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Make trained weights of another program usable here: as a run of a project, or as a checkpoint."""
    from workbench import plugins
    from workbench.training import recipes
    from workbench.training import weights as importing

    plugins.loaded()
    recipe = recipes.plain(detector).changed(named_values(set_))
    names = importing.read_names(labels) if labels else importing.published_names(file, recipe)
    if target.suffix == ".safetensors":
        done = importing.import_weights(file, recipe, names, target)
        say(done.sentence[:1].upper() + done.sentence[1:], quiet=as_json)
        result({"checkpoint": str(target), "labels": len(names)}, as_json=as_json)
        return
    with project_of(target) as document:
        folder = document.runs_folder
    run = importing.import_run(file, recipe, names, folder)
    result({"run": run.name, "folder": str(run), "labels": len(names)}, as_json=as_json)
