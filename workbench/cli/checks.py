"""What commands check before they load PyTorch, which takes seconds: mistakes that would be refused only after it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from workbench.errors import Misused, WorkbenchError

DEVICES = ("auto", "cpu", "cuda", "mps", "xpu")
"""Kinds of devices; whether this machine has one is known only to PyTorch."""


def is_reporting() -> bool:
    """Whether this process reports mistakes: of several (torchrun) only the main one does, once all are connected.

    RANK alone is what Kubernetes' training operator gives a pod, for all that is started there.
    """
    return not {"RANK", "TORCHELASTIC_RUN_ID"} <= os.environ.keys()


def is_first() -> bool:
    """Whether this process says what concerns all that were started together: it is alone, or the main one."""
    return is_reporting() or os.environ["RANK"] == "0"


def check_device(device: str) -> str:
    """The device of --device. Misused for a word that is the name of none."""
    kind, _, number = device.partition(":")
    if kind not in DEVICES or (number and not number.isdecimal()):
        raise Misused(f"There is no device '{device}'. Choose auto, cpu, cuda, cuda:1 or mps.")
    return device


def check_detector(name: str) -> None:
    """WorkbenchError, with the nearest name, if neither this program nor a plugin that runs has such a detector."""
    from workbench import detectors

    names = _detector_names(name)
    if name not in names:
        raise detectors.detectors.unknown(name, names)


def check_checkpoint(file: Path) -> Path:
    """The file. WorkbenchError if it is not a checkpoint, or of a detector that is not here. Only its head is read."""
    from workbench.training.checkpoints import header

    head = header.read_header(file)
    header.check_detector(head, file, _detector_names(head.detector))
    return file


def check_run(folder: Path) -> None:
    """WorkbenchError if the detector of the run in `folder` is not here: with the plugin that it needs."""
    from workbench.training import recipes
    from workbench.training.records import record, runs

    record.check_detector(folder, _detector_names(recipes.detector_in(folder / runs.RECIPE)))


def _detector_names(asked: str) -> list[str]:
    """The names of all detectors, from sources where they are not loaded; with `asked` if these don't say all names."""
    from workbench import detectors, plugins

    plugins.loaded()
    announced, built_in = plugins.announced_names(), detectors.built_in_names()
    unsaid = [asked] if None in announced or not built_in else []
    there = [*built_in, *detectors.detectors.names(), *(name for name in announced if name is not None)]
    return list(dict.fromkeys([*there, *unsaid]))


def check_exporters(names: Iterable[str] | None) -> None:
    """The same for --format of an export; None: no format was named."""
    from workbench import plugins
    from workbench.inference import exporters

    plugins.loaded()
    family, announced = exporters.load_all(), plugins.announced_names()
    for name in names or ():
        if name not in announced and None not in announced:
            family.get(name)


def check_weights(text: str, runs_folder: Path) -> None:
    """WorkbenchError if `text`, of --weights, is neither a file nor the name of a run."""
    from workbench.training.records import runs

    names = [run.name for run in runs.runs(runs_folder)]
    if text in names or Path(text).is_file():
        return
    known = f"The runs are: {', '.join(names[:10])}." if names else "There is no run yet."
    raise WorkbenchError(f"--weights: '{text}' is neither a file nor a run of this project. {known}")
