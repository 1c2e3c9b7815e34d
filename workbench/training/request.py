"""What a training is asked to do, frozen: the data as it was, the recipe, the anchors and the folder. No torch here."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from pathlib import Path

from workbench import detectors
from workbench.core.document import snapshot_of
from workbench.core.project import AnchorSet, Snapshot
from workbench.training.recipes import Recipe


@dataclass(frozen=True)
class RunRequest:
    """`snapshot`: all images of the project (the settings choose the states, the splits are its own).

    `anchors` None: the published ones, see weights.own_anchors. `folder` is the run's own (see runs.new_folder). With
    `resume` the run continues from the folder's last checkpoint; `snapshot` and `recipe` must then be those that it was
    started with, which `run.resume(folder, control)` reads from the folder. `start`: a file of weights to start from,
    see weights.start; `goes_on` once they are known to be of a run with the same labels, see fine_tuning.py.
    `data_time`: seconds since 1970, before which every edit is in `snapshot`; 0: not known.
    """

    folder: Path
    snapshot: Snapshot
    recipe: Recipe
    anchors: AnchorSet | None = None
    resume: bool = False
    start: Path | None = None
    goes_on: bool = False
    data_time: float = field(default_factory=time.time, compare=False)

    @property
    def cache(self) -> Path:
        """The folder for what can be computed again: the project's cache, if this is a project's run."""
        return (self.folder.parent.parent if self.folder.parent.name == "runs" else self.folder) / "cache"

    def as_its_authors(self) -> RunRequest:
        """For a run as published that starts from weights: with the settings of Detector.published_start."""
        if self.resume or self.start is None or not self.recipe.as_published:
            return self
        own = detectors.load_all().get(self.recipe.detector).published_start
        return replace(self, recipe=self.recipe.changed(own)) if own else self

    @property
    def name(self) -> str:
        return self.folder.name


@dataclass(frozen=True)
class DeferredRunRequest:
    """A training of the project in `project` as it is when its job starts: reading it takes a second with 100,000
    boxes. `data_of`: the folder of a run, from whose data it learns instead. The other fields are as in RunRequest.
    """

    project: Path
    folder: Path
    recipe: Recipe
    anchors: AnchorSet | None = None
    start: Path | None = None
    data_of: Path | None = None

    @property
    def name(self) -> str:
        return self.folder.name

    def request(self) -> RunRequest:
        """Call it in the job. WorkbenchError if the project, or the other run's record, can't be read."""
        from workbench.training.records import record  # which imports this module

        if self.data_of is None:
            begun, snapshot = time.time(), snapshot_of(self.project)
        else:
            other = record.read_request(self.data_of)
            begun, snapshot = other.data_time, other.snapshot
        return RunRequest(self.folder, snapshot, self.recipe, self.anchors, start=self.start, data_time=begun)
