"""The sample project of drawn photographs, made in a job: whole, or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

from workbench.errors import WorkbenchError
from workbench.ui.job_progress import JobProgress

IMAGES, UNLABELLED, SEED = 120, 24, 7


@dataclass(frozen=True, slots=True)
class SampleMade:
    """The last event: the project is in `folder`."""

    folder: Path


def make_sample(folder: Path) -> Generator[JobProgress | SampleMade, None, None]:
    """Make the project in `folder`. Ended early, it leaves nothing that would be in the way of the next time.

    WorkbenchError if photographs are there without a project, or nothing can be written.
    """
    from workbench import scenes

    photographs = folder / scenes.PHOTOGRAPHS
    try:
        if photographs.exists():
            raise WorkbenchError(
                f"There are other photographs where those of the sample belong: {photographs}. Rename that folder, then"
                " try again."
            )
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".sample ", dir=folder) as unfinished:
            made = []
            for scene in scenes.write_scenes(Path(unfinished) / scenes.PHOTOGRAPHS, IMAGES, SEED):
                made.append(scene)
                yield JobProgress(len(made), IMAGES)
            os.rename(Path(unfinished) / scenes.PHOTOGRAPHS, photographs)
    except OSError as error:
        raise WorkbenchError(f"The sample could not be made in {folder}: {error.strerror or error}.", error) from error
    with contextlib.ExitStack() as undo:
        undo.callback(shutil.rmtree, photographs, ignore_errors=True)
        scenes.project_of(folder, made, UNLABELLED, SEED).close()
        undo.pop_all()
    yield SampleMade(folder)
