"""The command about a project's images: list them, mark them, put them into a split, or take them out."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Annotated, Any

import numpy as np
import typer

from workbench.cli.options import Json, Project, app, check_choice, project_of
from workbench.console import print_result, say, write_lines
from workbench.core import edits
from workbench.core.edits import Edit
from workbench.core.formatting import count
from workbench.core.project import Snapshot, Split, State
from workbench.errors import Misused, WorkbenchError

STATES, SPLITS = [str(state) for state in State], [str(split) for split in Split]


@app.command()
def images(
    project: Project,
    names: Annotated[
        list[str] | None,
        typer.Argument(
            help="Which: names, ends of paths, patterns such as 'plate1/*', files, or - for a list of these on"
            " standard input; default: all."
        ),
    ] = None,
    state: Annotated[str, typer.Option("--state", help=f"Only those that are {', '.join(STATES)}.")] = "",
    split: Annotated[str, typer.Option("--split", help=f"Only those in this split: {', '.join(SPLITS)}.")] = "",
    label: Annotated[str, typer.Option("--label", help="Only those with a box of this label.")] = "",
    mark: Annotated[str, typer.Option("--mark", metavar="STATE", help=f"Mark them {', '.join(STATES)}.")] = "",
    put: Annotated[str, typer.Option("--put", metavar="SPLIT", help="Put them into this split.")] = "",
    remove: Annotated[
        bool, typer.Option("--remove", help="Take them and their boxes out of the project; the files stay.")
    ] = False,
    as_json: Json = False,
) -> None:
    """List the files of a project's images, a line each, or change these images. `workbench undo` takes it back."""
    wanted, marked = (_state(option, text) for option, text in (("state", state), ("mark", mark)))
    inside, to = (_split(option, text) for option, text in (("split", split), ("put", put)))
    changes = bool(mark or put or remove)
    if remove and (mark or put):
        raise Misused("Images that are removed have no state and no split. Leave out --remove, or the others.")
    if changes and not (names or state or split or label):
        raise Misused("Say which images: by name, or by --state, --split or --label; '*' is all.")
    with project_of(project, write=changes) as document:
        snapshot = document.snapshot()
        rows = _named_rows(snapshot, names)
        rows = [row for row in rows if wanted in (None, snapshot.images[row].state)]
        rows = [row for row in rows if inside in (None, snapshot.images[row].split)]
        if label:
            there = _rows_with(snapshot, label)
            rows = [row for row in rows if row in there]
        chosen = [snapshot.images[row] for row in rows]
        other = tuple(one.id for one in chosen if marked not in (None, one.state))
        elsewhere = tuple(one.id for one in chosen if to not in (None, one.split))
        parts: list[Edit] = [edits.SetState(other, marked)] if marked and other else []
        parts += [edits.SetSplit(elsewhere, to)] if to and elsewhere else []
        parts += [edits.RemoveImages(tuple(one.id for one in chosen))] if remove and chosen else []
        changed = len({id for part in parts for id in part.touches()})
        if len(parts) == 1:
            document.do(parts[0])
        elif parts:
            document.do(edits.Batch(tuple(parts), f"Change {count(changed, 'image')}"))
    if changes:
        done = {"marked": mark, "put_into": put, "removed": "yes" if remove else ""}
        said = {name: word for name, word in done.items() if word}
        print_result({"chosen": len(rows), "changed": changed, **said}, as_json=as_json)
    elif as_json:
        print_result({"images": [_values(snapshot, row) for row in rows]}, as_json=True)
    else:
        write_lines(os.fspath(snapshot.files[row]) for row in rows)
        say(f"{count(len(rows), 'image')}.")


def _state(option: str, text: str) -> State | None:
    return State(check_choice(option, text.replace("-", " "), STATES)) if text else None


def _split(option: str, text: str) -> Split | None:
    return Split(check_choice(option, {"val": "validation"}.get(text, text), SPLITS)) if text else None


def _named_rows(snapshot: Snapshot, names: Sequence[str] | None) -> list[int]:
    """The rows of the images that are meant, each once; None: of all. WorkbenchError for a name that is none."""
    if names is None:
        return list(range(len(snapshot)))
    known, found = ImageNames(snapshot), dict[int, None]()
    for name in _typed(names):
        found |= dict.fromkeys(known.rows(name))
    return list(found)


def _typed(names: Sequence[str]) -> Iterator[str]:
    from workbench.inference.pictures import standard_input

    for name in names:
        yield from standard_input.names() if name == "-" else [name]


def _rows_with(snapshot: Snapshot, label: str) -> set[int]:
    """The rows of the images with a box of this label. WorkbenchError if there is no such label."""
    known = [one.name for one in snapshot.labels]
    if label not in known:
        raise WorkbenchError(f"There is no label called '{label}' in this project. See: workbench labels PROJECT")
    boxes = np.flatnonzero(snapshot.label_index == known.index(label))
    return set((np.searchsorted(snapshot.offsets, boxes, side="right") - 1).tolist())


def _values(snapshot: Snapshot, row: int) -> dict[str, Any]:
    image, rows = snapshot.images[row], snapshot.rows(row)
    return {
        "image": image.path, "file": os.fspath(snapshot.files[row]), "state": str(image.state),
        "split": str(image.split), "boxes": rows.stop - rows.start, "width": image.width, "height": image.height,
        "note": image.note, "problem": image.problem,
    }  # fmt: skip


class ImageNames:
    """Finds a project's images, as rows of `snapshot`, by what somebody types."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._named: dict[str, list[int]] = defaultdict(list)  # rows by the name of the file
        self._bare: dict[str, list[int]] = defaultdict(list)  # and by that without its suffix
        for row, image in enumerate(snapshot.images):
            name = _last(image.path)
            self._named[name].append(row)
            self._bare[os.path.splitext(name)[0]].append(row)
        self._ids = {str(image.id): row for row, image in enumerate(snapshot.images)}
        self._exact = {os.fspath(file): [row] for row, file in enumerate(snapshot.files)}
        for row, image in enumerate(snapshot.images):  # several folders may have the same path
            self._exact.setdefault(image.path, []).append(row)

    def rows(self, text: str) -> list[int]:
        """All that a pattern fits, or the one that is named. WorkbenchError if there is none."""
        fits: list[int] = []
        if any(sign in text for sign in "*?[") and not self._called(text):
            fits = [row for row, image in enumerate(self._snapshot.images) if fnmatchcase(image.path, text)]
        return fits or [self.row(text)]

    def row(self, text: str) -> int:
        """The one image that this names. WorkbenchError if there is none, or several."""
        images, found = self._snapshot.images, self._called(text)
        if not found:
            such = f" It has {images[0].path} and others." if images else ""
            raise WorkbenchError(f"There is no image called '{text}' in this project.{such}")
        if len(found) > 1:
            some = ", ".join(images[row].path for row in found[:5])
            raise WorkbenchError(
                f"'{text}' is the end of {len(found):,} paths: {some}. Enter more of the path, or the file."
            )
        return found[0]

    def _called(self, text: str) -> list[int]:
        """The rows of the images of this path or file, else with a path that ends so, with or without the suffix, else
        of this id, else of the file that is called so from here.
        """
        if text in self._exact:
            return self._exact[text]
        images, name, end = self._snapshot.images, _last(text), f"/{text}"
        whole = [row for row in self._named.get(name, ()) if f"/{images[row].path}".endswith(end)]
        found = whole or [
            row for row in self._bare.get(name, ()) if f"/{os.path.splitext(images[row].path)[0]}".endswith(end)
        ]
        if not found and text in self._ids:
            return [self._ids[text]]
        return found or self._exact.get(os.path.abspath(text), [])


def _last(path: str) -> str:
    return path.rpartition("/")[2]
