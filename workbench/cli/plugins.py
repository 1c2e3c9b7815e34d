"""The plugins command: lists them, and takes the user's permission for one when no window can ask."""

from __future__ import annotations

from typing import Annotated

import typer

from workbench import plugins as loader
from workbench.cli.options import Json, app
from workbench.console import print_result, print_table, say
from workbench.errors import WorkbenchError

ONE = "A file's name in the plugin folder, or an installed package's; may be repeated."


@app.command()
def plugins(
    allow: Annotated[
        list[str] | None,
        typer.Option("--allow", metavar="FILE", help=f"Let it run, as it is now; any change asks again. {ONE}"),
    ] = None,
    forget: Annotated[
        list[str] | None, typer.Option("--forget", metavar="FILE", help=f"Stop it from running. {ONE}")
    ] = None,
    as_json: Json = False,
) -> None:
    """List the plugins and their states, or allow one to run. A plugin is a program: it can do whatever you can."""
    from workbench import detectors

    allowed, forgotten = [[loader.find(name) for name in names or ()] for names in (allow, forget)]
    for plugin in allowed:  # before any is loaded, so that the list below shows the result
        loader.allow(plugin)
        say(f"Allowed, as it is now: {plugin.file}", quiet=as_json)
    for plugin in forgotten:
        loader.forget(plugin)
        say(f"Not allowed any longer: {plugin.file}", quiet=as_json)
    if any(plugin.state == "later" for plugin in loader.loaded()):
        detectors.load_all()  # also loads plugins that import PyTorch
    found = loader.loaded()
    keys = ("name", "state", "adds", "about", "problem", "file")
    rows = [(p.owner, loader.state_text(p), list(p.members), p.about, p.problem, str(p.file)) for p in found]
    listing = {"folder": str(loader.user_folder()), "plugins": [dict(zip(keys, row, strict=True)) for row in rows]}
    if as_json:
        print_result(listing, as_json=True)
    else:
        print_table(
            ["plugin", "state", "adds", "about"],
            [[p.owner, loader.state_text(p), ", ".join(p.members), p.about] for p in found],
        )
        for plugin in found:
            if plugin.problem and plugin.state != "off":
                say(f"{plugin.owner}: {plugin.problem}")
        say(f"Your own belong in {loader.user_folder()}")
        if any(plugin.state == "asks" for plugin in found):
            say("Allow one whose author you trust: workbench plugins --allow FILE")
    owners = {plugin.owner for plugin in allowed}
    if failed := [plugin for plugin in found if plugin.owner in owners and plugin.state == "failed"]:
        raise WorkbenchError(f"{failed[0].owner} is allowed, but does not run: {failed[0].problem}")
