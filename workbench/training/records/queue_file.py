"""The file of a project's waiting trainings, `training-queue.json`: read strictly, written as a whole. No torch here.

A recipe is kept as tables, and read when its turn comes: the plugin of its detector may have gone by then.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.core.files import atomic_write
from workbench.core.parsing import strict_json
from workbench.core.project import AnchorSet
from workbench.errors import Refused, WorkbenchError
from workbench.training.records import run_recipe, runs

FILE = "training-queue.json"
VERSION = 2
_FIELDS: dict[str, Any] = {
    "name": str, "recipe": dict, "anchors": dict | None, "start": str, "start_near": str, "problem": str,
    "resumes": bool, "shares_data": bool,
}  # fmt: skip
_ADDED = {"resumes": False, "shares_data": False}  # which files of version 1 lack
_HERE = "queue"  # as if it were a run's folder among the others: start_near leads from there
_KEPT = "It is kept, and put aside when you queue another training."


@dataclass(frozen=True, slots=True)
class QueuedTraining:
    """A training to come. `name`: the run's, "" for an automatic one. `recipe`: the tables of recipes.to_dict().

    `start`: the file of weights to start from, "" for fresh ones, and `start_near` its path from the project's runs, in
    case these are moved. If it `resumes` a run, `start` is that one's file of events, and `recipe` has only what is
    shown of it. `shares_data`: one of several folds that were queued together, which learn from the same data.
    `problem`: why it could not begin when its turn came. `key` is unique in a queue.
    """

    name: str
    recipe: Mapping[str, Any]
    anchors: AnchorSet | None = None
    start: str = ""
    start_near: str = ""
    problem: str = ""
    resumes: bool = False
    shares_data: bool = False
    key: int = 0

    @property
    def detector(self) -> str:
        return str(self.recipe.get("detector", ""))

    def called(self, runs_folder: Path) -> str:
        """The name that lists and messages use: of a run that goes on its own of now, of an automatic one how it will
        begin.
        """
        run = self.resumed_run(runs_folder)
        return run.name if run is not None else self.name or self.detector

    def start_file(self, runs_folder: Path) -> Path | None:
        """`start`, also if the project was moved or the run that it is of was renamed; None for fresh weights."""
        return runs.start_of(self.start, self.start_near, runs_folder / _HERE)

    def resumed_run(self, runs_folder: Path) -> Path | None:
        """The folder of the run that goes on; None for a new run."""
        file = self.start_file(runs_folder) if self.resumes else None
        return file.parent if file is not None else None


def near(start: Path, runs_folder: Path) -> str:
    """`start_near` for this file; "" if it is on another drive."""
    try:
        return Path(os.path.relpath(start, runs_folder / _HERE)).as_posix()
    except ValueError:
        return ""


def resumed(folder: Path) -> QueuedTraining:
    """The run in `folder`, to go on from its last checkpoint when its turn comes."""
    run, file = runs.info(folder), folder / runs.EVENTS
    title = str(run_recipe.tables(folder / runs.RECIPE).get("title", ""))
    shown = {"title": title, "detector": run.detector, "training": {"epochs": run.epochs}}
    return QueuedTraining(run.name, shown, start=str(file), start_near=near(file, folder.parent), resumes=True)


def read(file: Path) -> tuple[QueuedTraining, ...]:
    """Refused, with what to do, if the file is damaged or of a newer version; () if there is none."""
    try:
        data = file.read_bytes()
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise _unread(file, f"{error.strerror or error}", error) from error
    try:
        table = strict_json.parse(data, str(file))
        newer = table["version"] > VERSION
        known = () if newer else table["trainings"]
        trainings = [_training({**_ADDED, **values}, key) for key, values in enumerate(known, start=1)]
    except Refused as error:
        raise _unread(file, error.reason, error, error.line) from error
    except (KeyError, TypeError, ValueError) as error:
        raise _unread(file, "the file is damaged", error) from error
    if newer:
        raise Refused(file, f"the waiting trainings are from a newer version of Workbench: use that one. {_KEPT}")
    return tuple(trainings)


def _unread(file: Path, why: str, error: Exception, line: int = 0) -> Refused:
    return Refused(file, f"the waiting trainings can't be read: {why}. {_KEPT}", line, error)


def _training(values: Any, key: int) -> QueuedTraining:
    """KeyError, TypeError or ValueError if it is not one."""
    if any(not isinstance(values[name], kind) for name, kind in _FIELDS.items()):
        raise TypeError(values)
    anchors = values["anchors"]
    if anchors is not None:
        anchors = AnchorSet(**{**anchors, "sizes": tuple((float(w), float(h)) for w, h in anchors["sizes"])})
    return QueuedTraining(**{**{name: values[name] for name in _FIELDS}, "anchors": anchors}, key=key)


def write(file: Path, waiting: Sequence[QueuedTraining]) -> None:
    """Replace the file; without any waiting, delete it. WorkbenchError if that fails."""
    if waiting:
        trainings = [_values(one) for one in waiting]
        table = {"version": VERSION, "trainings": trainings}
        atomic_write(file, json.dumps(table, indent=1, ensure_ascii=False, allow_nan=False))
        return
    try:
        file.unlink(missing_ok=True)
    except OSError as error:
        raise WorkbenchError(f"{file} could not be deleted: {error.strerror or error}.", error) from error


def _values(one: QueuedTraining) -> dict[str, Any]:
    anchors = one.anchors.to_setting() if one.anchors else None
    return {name: getattr(one, name) for name in _FIELDS} | {"anchors": anchors}


def put_aside(file: Path) -> Path | None:
    """Rename a file that can't be read, so that another can be written; returns its new path, None if it has gone."""
    number = 1
    while (aside := file.with_stem(f"{file.stem}-{number}")).exists():
        number += 1
    try:
        os.rename(file, aside)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise WorkbenchError(f"{file} could not be put aside: {error.strerror or error}. Move it.", error) from error
    return aside
