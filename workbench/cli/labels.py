"""The command about a project's labels: list them, rename, merge or delete one, or add some."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any

import typer

from workbench.cli.options import Json, Project, app, project_of
from workbench.console import print_result, print_table, say
from workbench.core import edits, formatting
from workbench.core.document import Document
from workbench.core.edits import Edit
from workbench.core.label_keys import keeping_keys
from workbench.core.project import Label
from workbench.errors import Misused, WorkbenchError

Pair = tuple[str, str]


@app.command()
def labels(
    project: Project,
    rename: Annotated[
        Pair | None, typer.Option("--rename", metavar="LABEL NAME", help="Call LABEL by another NAME; its boxes stay.")
    ] = None,
    merge: Annotated[
        Pair | None, typer.Option("--merge", metavar="LABEL OTHER", help="Make all boxes of LABEL those of OTHER.")
    ] = None,
    delete: Annotated[str, typer.Option("--delete", metavar="LABEL", help="Delete LABEL and its boxes.")] = "",
    add: Annotated[
        list[str] | None, typer.Option("--add", metavar="NAME", help="Add a label; may be repeated.")
    ] = None,
    as_json: Json = False,
) -> None:
    """List the labels of a project, in their order on export, or change one. `workbench undo` takes a change back."""
    asked = [one for one in (rename, merge, delete, add) if one]
    if len(asked) > 1:
        raise Misused("Use only one of the options that change labels at a time.")
    with project_of(project, write=bool(asked)) as document:
        if asked:
            edit, done = _change(document, rename, merge, delete, add or ())
            document.do(edit)
        counts = document.label_counts()
        listed = [(label.name, counts.get(label.id, 0)) for label in document.labels()]
    if asked:
        print_result(done, as_json=as_json)
    elif as_json:
        print_result({"labels": [{"label": name, "boxes": boxes} for name, boxes in listed]}, as_json=True)
    elif listed:
        print_table(["label", "boxes"], [list(row) for row in listed])
    else:
        say("No label yet. Add one with --add, or import labels: workbench import")


def _change(
    document: Document, rename: Pair | None, merge: Pair | None, delete: str, add: Sequence[str]
) -> tuple[Edit, dict[str, Any]]:  # fmt: skip
    """The edit that one of these asks for, and what to say of it."""
    if rename:
        label = _label(document, rename[0])
        if label.name == rename[1]:
            raise WorkbenchError(f"The label is called '{label.name}' already. Choose another name.")
        return edits.ChangeLabel(replace(label, name=rename[1])), {"renamed": label.name, "to": rename[1]}
    if merge:
        label, other = (_label(document, name) for name in merge)
        moved = {"merged": label.name, "into": other.name, "boxes": _boxes(document, label)}
        return keeping_keys(edits.MergeLabels(label.id, other.id), {label.id}, document.labels()), moved
    if delete:
        label = _label(document, delete)
        gone = {"deleted": label.name, "boxes": _boxes(document, label)}
        return keeping_keys(edits.RemoveLabel(label.id), {label.id}, document.labels()), gone
    return edits.AddLabels(tuple(Label(0, name) for name in add)), {"added": len(add)}


def _boxes(document: Document, label: Label) -> int:
    return document.label_counts().get(label.id, 0)


def _label(document: Document, name: str) -> Label:
    """The label called so. WorkbenchError that names those that there are."""
    there = {label.name: label for label in document.labels()}
    if name not in there:
        known = f"There are: {formatting.named([*there], 20)}." if there else "It has none."
        raise WorkbenchError(f"There is no label called '{name}' in this project. {known}")
    return there[name]
