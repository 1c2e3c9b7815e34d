"""Which recipe the form shows before a person has chosen one: it depends on the images there are to train on.

The sample project names its own. Once a run exists, the newest run's recipe is put in, with all its settings, but only
once: nothing may change under the hands of a person who trains. It starts from what that run started from, unless this
is another run of the project: then it goes on from the newest, and moves on when "Train and suggest" has trained.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from PySide6.QtCore import QObject, Slot

from workbench.core.document import Document
from workbench.core.project import FIRST_RECIPE
from workbench.errors import WorkbenchError
from workbench.training import folds, recipes
from workbench.training.recipes import DEFAULT, FEW, FEW_IMAGES, Recipe
from workbench.training.records.runs import RECIPE, RunInfo, began_from
from workbench.training.request import DeferredRunRequest, RunRequest
from workbench.training.settings import TrainingSettings
from workbench.ui.job import Job
from workbench.ui.session import Session
from workbench.ui.train.form.setup_panel import SetupPanel
from workbench.ui.train.form.training_data import count_training_images
from workbench.ui.train.runs.run_actions import RunActions


def suggested_recipe(images: int, past: Sequence[RunInfo], names: Collection[str]) -> str:
    """The newest run's recipe if its name is one of `names`, else the recipe that suits this many training images."""
    used = (run.recipe for run in past if run.recipe in names)
    return next(used, FEW if images < FEW_IMAGES else DEFAULT)


def suggested_recipe_of(
    document: Document, past: Sequence[RunInfo], names: Collection[str], training: TrainingSettings
) -> str:  # fmt: skip
    """The same for a project; `training` tells which of its images are trained on."""
    own = document.setting(FIRST_RECIPE)
    if own in names and not past:
        return str(own)
    return suggested_recipe(count_training_images(document, training)[0], past, names)


def last_settings(past: Sequence[RunInfo], names: Collection[str]) -> tuple[Recipe, Path | None] | None:
    """All settings of the newest run whose recipe is one of `names`, and the weights file to start from.

    This is the one that the run started from, so that it can be trained again; of a run that went on from another one
    of the project its own best, so that the next training goes on from all that was learnt. Without its fold, if it is
    of a cross-validation: one more training of that would leave out a part of the images.
    """
    for run in past:
        if run.recipe in names:
            try:
                recipe, start = folds.without(recipes.read(run.folder / RECIPE)), began_from(run.folder)
            except WorkbenchError:  # for example a detector whose plugin is gone: the recipe's name must do
                return None
            return recipe, run.best if _goes_on(run, start) and run.best is not None else start
    return None


def _goes_on(run: RunInfo, start: Path | None) -> bool:
    """Whether it went on from another run of the project; one of a cross-validation only measures."""
    return start is not None and run.folder.parent in start.parents and not run.folds


class FirstRecipe(QObject):
    """Chooses in `setup`, again for each project, until a person settles it."""

    def __init__(self, session: Session, setup: SetupPanel, run_actions: RunActions) -> None:
        super().__init__(setup)
        self._session, self._setup = session, setup
        self._past: tuple[RunInfo, ...] = ()  # the project's runs, as far as known
        self._project: Path | None = None
        self._chooses = False
        self._further: tuple[Path, Path] | None = None  # a run that the form did not begin, and what it started from
        setup.first_recipe = self._suggested
        run_actions.listed.connect(self._listed)
        setup.changed.connect(self._choose)
        session.edited.connect(self._choose)
        session.document_changed.connect(self._document_changed)
        session.job_started.connect(self._job_started)
        session.training_requested.connect(self._requested)
        self._document_changed()

    @Slot()
    def _document_changed(self) -> None:
        """Nothing to do when the same project is only reopened."""
        document = self._session.document
        if document is not None and document.folder != self._project:
            self._project, self._past, self._further = document.folder, (), None
            self._setup.start_over()

    @Slot(object)
    def _listed(self, found: tuple[RunInfo, ...]) -> None:
        self._past = found
        self._choose()
        self._go_further()

    @Slot(object)
    def _requested(self, request: object) -> None:
        """Train and suggest begins a run."""
        if isinstance(request, RunRequest | DeferredRunRequest) and request.start is not None:
            self._further = request.folder, request.start

    def _go_further(self) -> None:
        """Start from the run of Train and suggest if the form would start from what that run started from."""
        if self._further is None:
            return
        folder, start = self._further
        best = next((run.best for run in self._past if run.folder == folder), None)
        if best is not None:
            self._further = None
            if self._setup.start_from.currentData() == start:
                self._setup.start_from.begin_from(best)
                self._setup.changed.emit()

    @Slot(object)
    def _job_started(self, job: object) -> None:
        is_training = isinstance(job, Job) and job.is_training
        if is_training and self._setup.loaded:  # else nothing was chosen: one resumed while PyTorch is loaded
            self._setup.settled = True

    @Slot()
    def _choose(self, _edit: object = None) -> None:
        setup = self._setup
        if self._chooses or not setup.loaded or not setup.isVisible() or setup.settled:
            return
        self._chooses = True  # the form signals this change too
        try:
            setup.suggest(self._suggested())
            if (last := last_settings(self._past, setup.recipe_names)) is not None:
                setup.suggest_settings(*last)
                self._await_best(last[1])
            setup.settled = setup.settled or bool(self._past)
        finally:
            self._chooses = False

    def _await_best(self, start: Path | None) -> None:
        """The newest run began before the form was there, and has not been evaluated yet."""
        newest = self._past[0]
        if start is not None and newest.best is None and newest.recipe in self._setup.recipe_names:
            self._further = (newest.folder, start) if _goes_on(newest, start) else None

    def _suggested(self) -> str:
        document, setup = self._session.document, self._setup
        return (
            suggested_recipe_of(document, self._past, setup.recipe_names, setup.training_settings())
            if document
            else DEFAULT
        )
