"""The runs of a project, read from their folders without torch: for the list on the Train page and the command line."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from workbench.core.files import natural_key, remove_unfinished, safe_name, stamp
from workbench.core.storage import lock
from workbench.errors import WorkbenchError
from workbench.training import events
from workbench.training.checkpoints import header
from workbench.training.events import Evaluated, Event, Failed, Finished, Paused, Progress, Started
from workbench.training.records import run_recipe

EVENTS, RECIPE, NOTE = "events.jsonl", "settings.toml", "note.txt"
FORMER = "former-names.txt"
TRASH = ".trash"
ABOUT = "data.json"
"""The digest of a run's data and the weights it started from: reading data.npz takes 0.1 s for 10,000 images."""
NAMELESS = 2
"""The version of ABOUT since which digests leave out the labels' names."""
_PROGRESS = json.dumps({"event": "Progress"})[:-1].encode()  # how such a line starts


@dataclass(frozen=True, slots=True)
class RunInfo:
    """One run. `state`: running, paused, finished, stopped, failed, or interrupted (ended without a last event)."""

    name: str
    folder: Path
    detector: str
    recipe: str
    state: str
    started: float  # seconds since 1970, 0 if never
    epoch: int
    epochs: int
    step: int
    best_ap: float  # NaN before the first evaluation
    best_ap50: float
    sentence: str = ""  # why it failed
    images: int = 0  # training images
    validation_images: int = 0
    digest: str = ""  # of its data, empty if not known
    note: str = ""  # what the user wrote about it
    judged_by: str = ""  # digest of the images that it is evaluated on, empty if not known
    data_time: float = 0.0  # since 1970: it has learnt nothing of what was edited later; 0 if not known
    fold: int = 0  # that judged it, from 1; 0 if it is not of a cross-validation
    folds: int = 0  # of how many

    @property
    def order(self) -> tuple[float, str]:
        """A sort key: later runs are greater."""
        return self.started, natural_key(self.name)

    @property
    def best(self) -> Path | None:
        return _existing(self.folder / "best.safetensors")

    @property
    def last(self) -> Path | None:
        return _existing(self.folder / "last.safetensors")

    @property
    def checkpoint(self) -> Path | None:
        """The checkpoint to use: the best, else the last, else None."""
        return self.best or self.last

    @property
    def is_running(self) -> bool:
        """Whether it may still be training."""
        return self.state in ("running", "paused")

    @property
    def resumable(self) -> bool:
        """Whether it can be resumed: from its last checkpoint, or from the start if it was killed before the first."""
        kept = any((self.folder / name).exists() for name in ("last.state.pt", "data.npz"))
        return kept and self.state in ("stopped", "interrupted", "failed")

    @property
    def extendable(self) -> bool:
        """Whether it finished by itself and can be trained for more epochs; imported weights can't."""
        return self.state == "finished" and all((self.folder / name).exists() for name in ("last.state.pt", "data.npz"))


def runs(folder: Path) -> tuple[RunInfo, ...]:
    """The runs in a project's folder `runs`, newest first. Hidden folders, such as TRASH, are skipped."""
    try:
        folders = [entry for entry in Path(folder).iterdir() if entry.name[0] != "." and (entry / EVENTS).is_file()]
    except OSError:
        return ()
    found = [info(entry) for entry in folders]
    return tuple(sorted(found, key=lambda run: run.order, reverse=True))


def info(folder: Path) -> RunInfo:
    """The RunInfo of the run in `folder`."""
    started, ended, progress, best_ap, best_ap50 = None, None, None, float("nan"), float("nan")
    paused = False
    for event in outline(folder):
        if isinstance(event, Started):
            started, ended, paused = started or event, None, False
            epochs = event.epochs
        elif isinstance(event, Progress):
            progress = event
        elif isinstance(event, Evaluated) and event.best:
            best_ap, best_ap50 = event.ap, event.ap50
        elif isinstance(event, Paused):
            paused = event.paused
        elif isinstance(event, Finished | Failed):
            ended = event
    recipe, about = run_recipe.tables(folder / RECIPE), _about(folder)
    fold, folds = run_recipe.fold(recipe)
    return RunInfo(
        name=folder.name, folder=folder, detector=started.detector if started else "",
        recipe=str(recipe.get("name", "")),
        state=_state(folder, ended, paused), started=started.time if started else 0.0,
        epoch=progress.epoch if progress else 0, epochs=epochs if started else 0,
        step=progress.step if progress else 0, best_ap=best_ap, best_ap50=best_ap50,
        sentence=ended.sentence if isinstance(ended, Failed) else "",
        images=started.images if started else 0, validation_images=started.validation_images if started else 0,
        digest=_digest(folder, about), note=note(folder), judged_by=_judged_by(about),
        data_time=data_time(folder) or (started.time if started else 0.0), fold=fold, folds=folds,
    )  # fmt: skip


def read_events(folder: Path) -> Iterator[Event]:
    """The events of a run; incomplete and foreign lines are left out."""
    try:
        with open(folder / EVENTS, "rb") as file:
            for line in file:
                yield from _parsed(line)
    except OSError:
        return


def tail(folder: Path, start: int = 0) -> tuple[tuple[Event, ...], int]:
    """The events of a run from byte `start` of its file, and where the next will start: a line may be incomplete."""
    try:
        with open(folder / EVENTS, "rb") as file:
            file.seek(start)
            lines = file.read().split(b"\n")[:-1]
    except OSError:
        return (), start
    return tuple(event for line in lines for event in _parsed(line + b"\n")), start + sum(len(x) + 1 for x in lines)


def stamps(folder: Path) -> dict[str, tuple[int, int]]:
    """For the runs in a project's folder `runs`, by name, a value that changes with every event."""
    found = {}
    with contextlib.suppress(OSError):
        for entry in Path(folder).iterdir():
            with contextlib.suppress(OSError):  # not a run, or one that is being deleted
                found[entry.name] = stamp(entry / EVENTS)
    return found


def outline(folder: Path) -> tuple[Event, ...]:
    """The events of a run, but of all Progress only the newest, at the end: long runs have a hundred thousand.

    The file is read again only if it has changed: 50 runs of 20,000 steps take 1.5 s, and are listed whenever one
    saves.
    """
    file = folder / EVENTS
    try:
        now = stamp(file)
        known = _outlines.get(file)
        if known is None or known[0] != now:
            known = _outlines[file] = now, tuple(_outline(file))
    except OSError:
        return ()
    return known[1]


_outlines: dict[Path, tuple[tuple[int, int], tuple[Event, ...]]] = {}


def _outline(file: Path) -> Iterator[Event]:
    newest = b""
    with open(file, "rb") as lines:
        for line in lines:
            if line.startswith(_PROGRESS):
                newest = line if line.endswith(b"}\n") else newest
            else:
                yield from _parsed(line)
    yield from _parsed(newest)


def _parsed(line: bytes) -> Iterator[Event]:
    """None for an incomplete or foreign line."""
    if line.endswith(b"\n") and line.strip():
        with contextlib.suppress(WorkbenchError):
            yield events.from_json(line.decode("utf-8", "replace"))


def new_folder(folder: Path, detector: str) -> Path:
    """Make a folder with a free name, such as `yolov4-tiny-3`, for a run in a project's folder `runs`."""
    there = [*_entries(folder), *(folder / TRASH).glob("*/*")]  # a deleted one may be restored, and notes may name it
    taken = {entry.name.casefold() for entry in there} | known_by(folder)
    base = safe_name(detector, "run")
    number = 1
    while f"{base}-{number}".casefold() in taken:
        number += 1
    fresh = folder / f"{base}-{number}"
    try:
        fresh.mkdir(parents=True)
    except FileExistsError:  # another process made it meanwhile
        return new_folder(folder, detector)
    except OSError as error:
        raise WorkbenchError(f"The folder {fresh} could not be made: {error.strerror or error}.", error) from error
    return fresh


def _entries(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []


def _called(folder: Path, name: str) -> list[Path]:
    """Ignoring case: on Windows and macOS such names are one folder's."""
    return [entry for entry in _entries(folder) if entry.name.casefold() == name.casefold()]


def known_by(folder: Path) -> set[str]:
    """Names by which runs know those that they began from, though these may be renamed or deleted: another run of that
    name would be taken for them.
    """
    all_ = [entry for entry in _entries(folder) if entry.is_dir()]
    starts = [Path(_about(run).get("start", "")).parent for run in all_]
    names = [start.name for start in starts] + [name for run in all_ for name in former_names(run)]
    return {name.casefold() for name in names}


def folder_for(folder: Path, wanted: str, detector: str) -> Path:
    """The folder of a run with a name that the user typed, or new_folder() if none; WorkbenchError if it is taken.

    What a run of that name left that was killed before it began is removed: it holds nothing to resume.
    """
    if not wanted.strip():
        return new_folder(folder, detector)
    named = folder / safe_name(wanted.strip())
    for entry in _called(folder, named.name):
        if (entry / lock.FILE).exists():  # a training makes that first; another folder is somebody's own
            remove_unstarted(entry)
    if taken := _called(folder, named.name):
        instead = "Resume it, or choose" if any(info(entry).resumable for entry in taken) else "Choose"
        raise WorkbenchError(f"There is a run called '{named.name}' already. {instead} another name.")
    return named


def has_started(folder: Path) -> bool:
    """Whether a training has begun in this folder, so that there is a run."""
    return any(isinstance(event, Started) for event in outline(folder))


def remove_unstarted(folder: Path) -> None:
    """Remove the folder of a run that was refused or killed before it started: it contains at most the refusal."""
    if not folder.is_dir() or lock.is_held(folder) or has_started(folder):
        return
    remove_unfinished(folder)
    try:
        if {entry.name for entry in folder.iterdir()} <= {EVENTS, lock.FILE, RECIPE}:
            shutil.rmtree(folder)
    except OSError:  # it stays, and is listed as failed
        return


def _state(folder: Path, ended: Event | None, paused: bool) -> str:
    if isinstance(ended, Failed):
        return "failed"
    if isinstance(ended, Finished):
        return "stopped" if ended.stopped else "finished"
    if not is_running(folder):
        return "interrupted"
    return "paused" if paused else "running"


def is_running(folder: Path) -> bool:
    """Whether some process is training this run now."""
    return lock.is_held(folder) and os.access(folder, os.W_OK)


def _existing(file: Path) -> Path | None:
    return file if file.exists() else None


def note(folder: Path) -> str:
    """The user's note on the run in `folder`."""
    try:
        return (folder / NOTE).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def began_from(folder: Path) -> Path | None:
    """The file of weights that the run in `folder` started from; None for fresh ones or if it is not known."""
    about = _about(folder)
    return start_of(about.get("start", ""), about.get("start_near", ""), folder)


def weights_name(file: Path) -> str:
    """The name of a file of weights; for a checkpoint of a run with the run's name, as all are called alike."""
    return f"{file.parent.name}/{file.name}" if (file.parent / EVENTS).is_file() else file.name


def start_of(start: str, near: str, folder: Path) -> Path | None:
    """The file that the run in `folder` started from: `start`, or `near`, its path from there, after a move.

    A run of the same project is that of this project, wherever it was moved or copied to, and whatever its name is now.
    None if there was no file.
    """
    if not start:
        return None
    beside = Path(os.path.normpath(folder / near)) if near else Path(start)
    if beside.parent.parent == folder.parent:
        return beside if beside.exists() else _renamed(beside) or Path(start)
    return beside if beside.exists() and not Path(start).exists() else Path(start)


def _renamed(file: Path) -> Path | None:
    """The same file of the run that had the name of this one's folder before."""
    with contextlib.suppress(OSError):
        for run in sorted(file.parent.parent.iterdir()):
            if file.parent.name in former_names(run) and (run / file.name).exists():
                return run / file.name
    return None


def former_names(folder: Path) -> list[str]:
    """The names that the run in `folder` had before, the oldest first: other runs began from it by these."""
    try:
        return (folder / FORMER).read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return []


def goes_on(folder: Path) -> bool:
    """Whether the run in `folder` started from weights of a run with the same labels; see fine_tuning.py."""
    return _about(folder).get("goes_on") == str(True)


def owner(folder: Path) -> str:
    """The plugin whose detector the run in `folder` trains; "" if it is a built-in one, or not known."""
    return _about(folder).get(header.PLUGIN, "")


def _about(folder: Path) -> dict[str, str]:
    """What is noted of the run's data and start; empty if nothing is, or it is damaged."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        return {name: str(value) for name, value in json.loads((folder / ABOUT).read_bytes()).items()}
    return {}


def data_time(folder: Path) -> float:
    """When the run's data was taken, in seconds since 1970; 0 if that is not known."""
    try:
        return float(_about(folder).get("time") or 0)
    except ValueError:
        return 0.0


def _digest(folder: Path, about: Mapping[str, str]) -> str:
    """The digest of the run's data; an older run has it only in the head of its checkpoints."""
    if about.get("version") == "1" and (digest := _nameless(folder)):
        return digest
    if digest := about.get("digest", ""):
        return digest
    for name in ("best.safetensors", "last.safetensors"):
        with contextlib.suppress(WorkbenchError):
            return header.read_header(folder / name).data_digest
    return ""


def _judged_by(about: Mapping[str, str]) -> str:
    return "" if about.get("version") == "1" else about.get("judged_by", "")  # that had the labels' names in it


def _nameless(folder: Path) -> str:
    """Computed from the run's record, once: those of that time changed with every label that was renamed."""
    from workbench.training.records import record

    file = folder / record.DATA
    with contextlib.suppress(OSError):
        now = stamp(file)
        if _digests.get(file, (None, ""))[0] != now:
            _digests[file] = now, record.digest(folder)
        return _digests[file][1]
    return ""


_digests: dict[Path, tuple[tuple[int, int], str]] = {}


def format_time(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds)) if seconds else ""
