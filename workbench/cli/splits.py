"""The command that divides images into train, validation and test, and can undo that."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable
from typing import Annotated

import typer

from workbench import console
from workbench.cli.options import Json, Project, app, check_choice, project_of, typed
from workbench.console import print_result, say
from workbench.core.document import Document
from workbench.core.formatting import count
from workbench.core.project import Snapshot, Split
from workbench.errors import Misused, WorkbenchError


@app.command()
def split(
    project: Project,
    seed: Annotated[int, typer.Option("--seed", help="Same seed, same split.", min=0)] = 0,
    shares: Annotated[
        str, typer.Option("--shares", help="Ratio of train, validation and test, such as 80,10,10 or 8,1,1.")
    ] = "80,10,10",
    by: Annotated[
        str,
        typer.Option("--by", help="What stays together: image, folder, name (frames of a video), similar pictures."),
    ] = "image",
    pattern: Annotated[
        str,
        typer.Option(
            "--pattern", help=r"With --by name: a regular expression; what its group matches counts, say (film\d+)_."
        ),
    ] = "",
    stratify: Annotated[
        bool, typer.Option("--stratify/--no-stratify", help="Keep these shares for each label, too.")
    ] = True,
    again: Annotated[
        bool,
        typer.Option("--again", help="Also divide images that already have a split, from an import or by hand."),
    ] = False,
    undo: Annotated[
        bool, typer.Option("--undo", help="Undo the last split, if nothing was changed in the project since.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Divide images without a split into train, validation and test, at random or by rules; the others keep theirs."""
    from workbench.core import splits

    parts = _shares(shares)
    grouping = check_choice("by", by, ["image", "folder", "name", "similar"])
    if pattern and grouping != "name":
        raise Misused("--pattern is for --by name. Add that, or leave out --pattern.")
    with project_of(project, write=True) as document:
        before = {image.id: image.split for image in document.images()}
        if undo:
            _take_back(document)
        else:
            snapshot = document.snapshot()
            groups = _groups(snapshot, grouping, pattern, quiet=as_json)
            with typed():
                edit = splits.divide(snapshot, seed, groups, shares=parts, stratify=stratify, again=again)
            if edit is not None:
                document.do(edit)
            elif len(snapshot.images) and not again:
                say("Each image already has a split and keeps it. To divide them again: --again", quiet=as_json)
        after = {image.id: image.split for image in document.images()}
    counts = Counter(map(str, after.values()))
    print_result(
        {"train": counts["train"], "validation": counts["validation"], "test": counts["test"]}, as_json=as_json
    )
    moved = sum(old not in (Split.NONE, after[id]) for id, old in before.items())
    if moved and not undo:
        say(
            f"{count(moved, 'image')} had another split before, from an import or set by hand. Undo this:"
            f" {console.command_line('split', project, '--undo')}",
            quiet=as_json,
        )


def _take_back(document: Document) -> None:
    from workbench.core import splits

    title = document.undo_title
    if not splits.is_division(title):
        newest = f"The last change is “{title}”" if title else "Nothing was changed"
        raise WorkbenchError(
            f"{newest}, not a split, so nothing was undone. `workbench undo` takes back one change after another."
        )
    document.undo()


def _shares(text: str) -> tuple[float, ...]:
    try:
        parts = tuple(float(part) for part in text.replace("/", ",").split(","))
    except ValueError:
        parts = ()
    if len(parts) != 3 or not all(map(math.isfinite, parts)):
        raise Misused(f"--shares must be three numbers like 80,10,10, not '{text}'.")
    return parts


def _groups(snapshot: Snapshot, by: str, pattern: str, *, quiet: bool) -> list[Hashable] | None:
    """For each image its group, which stays together; None: no groups."""
    from workbench.core import splits

    if by == "folder":
        return splits.by_folder(snapshot.images)
    if by == "name":
        with typed():
            return splits.by_name(snapshot.images, pattern)
    return _alike(snapshot, quiet=quiet) if by == "similar" else None


def _alike(snapshot: Snapshot, *, quiet: bool) -> list[Hashable]:
    """For each image its group of similar pictures."""
    from workbench.core import splits
    from workbench.core.decoding import fingerprint

    files = snapshot.files
    prints: list[int | None] = [None] * len(files)
    with console.progress_bar("Reading files", len(files), quiet=quiet) as progress:
        for done, (row, print_) in enumerate(fingerprint.of_files(files, snapshot.window), start=1):
            prints[row] = print_
            progress.to(done, len(files))
    return splits.by_similarity(prints)
