"""Everything a plugin may import. Names here keep their meaning as long as `API = 1` is accepted.

A detector plugin also imports torch, so it is loaded with the detectors and not at startup. It calls `detector()` for
the base class and `parts("blocks")` and the like for what the built-in detectors are made of:

    import torch
    from workbench.api import detectors, detector
    @detectors.register("mine")
    class Mine(detector().Detector): ...
"""

from __future__ import annotations

import importlib
from types import ModuleType

from workbench import detectors, formats
from workbench.core import boxes, files, images
from workbench.core.project import FLAGS, XYXY, Box, Image, Label, Snapshot, Split, State
from workbench.detectors import AnchorNeed, DetectorSettings
from workbench.errors import Refused, WorkbenchError
from workbench.formats import Format, ReadBox, ReadImage, Reading, ReadSettings, Remark, Source
from workbench.formats.parts.layout import distinct_paths
from workbench.inference import exporters
from workbench.settings import setting

__all__ = [
    "FLAGS", "XYXY", "AnchorNeed", "Box", "DetectorSettings", "Format", "Image", "Label", "ReadBox", "ReadImage",
    "ReadSettings", "Reading", "Refused", "Remark", "Snapshot", "Source", "Split", "State", "WorkbenchError", "boxes",
    "detector", "detectors", "distinct_paths", "exporters", "files", "formats", "images", "parts", "setting",
]  # fmt: skip


def detector() -> ModuleType:
    """The module with Detector, Targets, Candidates and Assignment; a function, because importing it imports torch."""
    return parts("detector")


def parts(name: str) -> ModuleType:
    """One of the modules detectors are built from: "blocks", "yolo_head", "region_head", "losses", "matching" etc."""
    return importlib.import_module(f"workbench.detectors.parts.{name}")
