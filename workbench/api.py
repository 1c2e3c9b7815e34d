"""All that a plugin may import. Names here keep their meaning as long as `API = 1` is accepted.

A detector plugin also imports torch itself, and `workbench.api.detector` for the base class:

    from workbench.api import detectors, detector
    @detectors.register("mine")
    class Mine(detector().Detector): ...
"""

from __future__ import annotations

from types import ModuleType

from workbench import detectors, formats
from workbench.core import boxes, files, images
from workbench.core.project import FLAGS, XYXY, Box, Image, Label, Snapshot, Split, State
from workbench.detectors import AnchorNeed, DetectorSettings
from workbench.errors import Refused, WorkbenchError
from workbench.formats import Format, ReadBox, ReadImage, Reading, ReadSettings, Remark
from workbench.inference import exporters
from workbench.settings import setting

__all__ = [
    "FLAGS", "XYXY", "AnchorNeed", "Box", "DetectorSettings", "Format", "Image", "Label", "ReadBox", "ReadImage",
    "ReadSettings", "Reading", "Refused", "Remark", "Snapshot", "Split", "State", "WorkbenchError", "boxes",
    "detector", "detectors", "exporters", "files", "formats", "images", "setting",
]  # fmt: skip


def detector() -> ModuleType:
    """The module with Detector, Targets, Candidates and Assignment; imports torch, so it is a call."""
    from workbench.detectors.parts import detector as module

    return module
