"""What the train page does in threads: loading PyTorch and the detectors, reading runs, and the training itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from workbench.training import recipes, runs
from workbench.training.events import Control, Event
from workbench.training.recipes import Recipe
from workbench.training.request import RunRequest
from workbench.training.runs import RunInfo
from workbench.ui.train.story import Story, told

Train = Callable[[RunRequest | Path, Control], Iterator[Event]]


@dataclass(frozen=True, slots=True)
class DetectorChoice:
    """A detector as the picker shows it."""

    name: str
    title: str
    summary: str
    paper: str


@dataclass(frozen=True, slots=True)
class Loaded:
    """What can be chosen, once PyTorch is there."""

    detectors: tuple[DetectorChoice, ...]
    recipes: tuple[Recipe, ...]


def load() -> Iterator[Loaded]:
    """Import PyTorch, every detector and the presets: seconds, so not in the window's thread."""
    from workbench import detectors, plugins

    plugins.loaded()
    members = detectors.load_all()
    choices = tuple(DetectorChoice(name, kind.title, kind.summary, kind.paper) for name, kind in members)
    yield Loaded(choices, tuple(recipes.preset(name) for name in _default_first(recipes.names())))


def _default_first(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(names, key=lambda name: (name != recipes.DEFAULT, name)))


def train(request: RunRequest | Path, control: Control) -> Iterator[Event]:
    """Train as requested; a path is a run to go on with."""
    from workbench.training import run

    yield from run.resume(request, control) if isinstance(request, Path) else run.train(request, control)


def events(train: Train, request: RunRequest | Path, control: Control) -> Iterator[Event | Story]:
    """The events of a training; of a resumed one, first the story so far."""
    if isinstance(request, Path):
        yield read_story(request)
    yield from train(request, control)


def list_runs(folder: Path) -> tuple[RunInfo, ...]:
    return runs.runs(folder)


def read_story(folder: Path) -> Story:
    return told(runs.read_events(folder))
