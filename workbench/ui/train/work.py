"""What the Train page's form does in threads: load PyTorch and the detectors, fetch and import weights, count them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.detectors import DetectorSettings
from workbench.training import recipes
from workbench.training.recipes import Recipe
from workbench.ui.job_progress import JobProgress

if TYPE_CHECKING:
    from workbench.detectors.parts.detector import Pretrained


@dataclass(frozen=True, slots=True)
class DetectorChoice:
    """A detector as the picker shows it."""

    name: str
    title: str
    summary: str
    paper: str
    weights: PublishedWeights | None = None
    takes_anchors: bool = True  # the project's anchors in place of the authors'
    published_anchors: int = 0  # number of its authors' anchors, 0 if it uses none
    resize: str = "stretch"  # how an image is made to fit the input, if its settings don't say


@dataclass(frozen=True, slots=True)
class PublishedWeights:
    """What a person should know before downloading a file, and where it will be stored."""

    detector: str
    url: str
    megabytes: float
    source: str
    licence: str
    file: Path


@dataclass(frozen=True, slots=True)
class WeightsImportRequest:
    """Another program's weights to import as a run in `folder`. `labels` in the network's order."""

    file: Path
    recipe: Recipe
    labels: tuple[str, ...]
    folder: Path


@dataclass(frozen=True, slots=True)
class NetworkCost:
    """The size of a network: trained parameters, and multiply-adds per image."""

    weights: int
    multiply_adds: int

    @property
    def sentence(self) -> str:
        return f"{_short(self.weights)} weights, {_short(self.multiply_adds)} multiply-adds per image."


def _short(number: float) -> str:
    for unit in ("", "thousand", "million"):
        if number < 999.5:
            return f"{number:.3g} {unit}".strip()
        number /= 1000
    return f"{number:.3g} billion"


@dataclass(frozen=True, slots=True)
class Loaded:
    """What can be chosen, once PyTorch is loaded."""

    detectors: tuple[DetectorChoice, ...]
    recipes: tuple[Recipe, ...]


def load() -> Iterator[Loaded | JobProgress]:
    """Import PyTorch, every detector and the presets: takes seconds, so not in the window's thread.

    Loaded comes last. A window closed meanwhile waits only for the import in progress.
    """
    import torch  # noqa: F401

    yield JobProgress(0, 0)
    import torchvision  # noqa: F401

    yield JobProgress(0, 0)
    from workbench import detectors, plugins

    plugins.loaded()
    members = detectors.load_all()
    choices = tuple(
        DetectorChoice(
            name,
            kind.title,
            kind.summary,
            kind.paper,
            _published(name, kind.pretrained),
            bool(kind.published_anchors),
            len(kind.published_anchors),
            kind.published_resize,
        )
        for name, kind in members
    )
    yield Loaded(choices, tuple(recipes.preset(name) for name in _default_first(recipes.names())))


def _published(name: str, weights: Pretrained | None) -> PublishedWeights | None:
    from workbench.training.checkpoints import published_weights

    if weights is None:
        return None
    file = published_weights.kept_file(weights)
    return PublishedWeights(name, weights.url, weights.megabytes, weights.source, weights.licence, file)


def fetch(weights: PublishedWeights) -> Iterator[JobProgress]:
    """Download a published file; closing early leaves nothing behind."""
    from workbench.training.checkpoints import published_weights

    for event in published_weights.download(published_weights.for_detector(weights.detector)):
        yield JobProgress(event.done, event.total, "")


def network_cost(request: tuple[str, DetectorSettings, tuple[str, ...]]) -> NetworkCost:
    """For a detector with these settings for these labels, without running it. WorkbenchError: it can't be built."""
    import torch

    from workbench import detectors
    from workbench.detectors.parts import counting

    name, own, labels = request
    with torch.device("meta"):
        detector = detectors.build(name, own.resolved(labels), max(len(labels), 1))
    return NetworkCost(counting.parameters(detector), counting.multiply_adds(detector))


def import_weights(request: WeightsImportRequest) -> Iterator[str]:
    """Yields the name of the run made from the weights."""
    from workbench.training.checkpoints import weights

    yield weights.import_run(request.file, request.recipe, request.labels, request.folder).name


def _default_first(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(names, key=lambda name: (name != recipes.DEFAULT, name)))
