"""The command about what git or another program changed in a project's text."""

from __future__ import annotations

from typing import Annotated

import typer

from workbench.cli.options import Json, OldProject, app, project_of
from workbench.console import command_line, print_result, say
from workbench.core.document import Document
from workbench.core.storage import text_changes, text_merge
from workbench.core.storage.text_changes import TextChanges
from workbench.errors import Misused

NAMED = 20  # images


@app.command()
def text(
    project: OldProject,
    take_over: Annotated[
        bool, typer.Option("--take-over", help="Take over the labels that were changed there alone; undo reverts it.")
    ] = False,
    keep_own: Annotated[
        bool, typer.Option("--keep-own", help="Write the text as the project is; a copy of it as it was is kept.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show what git or another program changed in the project's text, the folder labels/, and decide about it.

    Until that is decided, the text is not written. Images that were changed on both sides stay as the project has them.
    """
    if take_over and keep_own:
        raise Misused("--take-over and --keep-own exclude each other. Leave out one of them.")
    with project_of(project, write=take_over or keep_own) as document:
        found = text_changes.find(document.folder)
        if found is None:
            say("The text in labels/ has nothing that the project does not have.", quiet=as_json)
            print_result({"changed": 0}, as_json=as_json)
        elif take_over:
            _take_over(document, found, as_json=as_json)
        elif keep_own:
            aside = text_changes.settle(document.folder, found, aside=True)
            print_result({"written": True, "copy": str(aside)}, as_json=as_json)
        else:
            _show(document, found, as_json=as_json)


def _take_over(document: Document, found: TextChanges, *, as_json: bool) -> None:
    merge = text_merge.merge(document, found)
    if merge.edit is not None:
        document.do(merge.edit)
    aside = text_changes.settle(document.folder, found, aside=merge.left > 0)
    say(merge.sentence, quiet=as_json)
    print_result({"taken": merge.taken, "left": merge.left, "copy": str(aside or "")}, as_json=as_json)


def _show(document: Document, found: TextChanges, *, as_json: bool) -> None:
    images = [
        {"path": str((one.there or one.here or {}).get("path", "")), "both": one.both, "place": one.place}
        for one in found.images
    ]
    if as_json:
        about = {"changed": len(images), "labels": found.labels_changed, "problem": found.problem}
        print_result({**about, "images": images}, as_json=True)
        return
    say(found.sentence)
    for image in images[:NAMED]:
        say(f"  {image['path']}{'  (changed here, too)' if image['both'] else ''}")
    if len(images) > NAMED:
        say(f"  ... and {len(images) - NAMED:,} more (--json lists all)")
    command = command_line("text", document.folder)
    take = "Mend that, or" if found.problem else f"To take it over: {command} --take-over. To"
    say(f"{take} keep the project as it is: {command} --keep-own.")
