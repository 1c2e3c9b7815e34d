"""Detectors, one architecture per file: the list of them, and how one is built.

To add a detector: one module here (or a plugin file) with a frozen settings dataclass and a `Detector`
(see parts/detector.py), registered with `@detectors.register("name")`. It then appears in the picker, the command line,
the form, and `tests/contract/test_every_detector.py`.

Importing this package does not import torch (the window opens before it is loaded); `load_all()` does.
"""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from workbench.core.resize import FIT_MODES
from workbench.errors import WorkbenchError
from workbench.registry import OWN, Registry, class_text, missing_attributes, registered_in
from workbench.settings import setting

if TYPE_CHECKING:
    from workbench.detectors.parts.detector import Detector


@dataclass(frozen=True, slots=True)
class AnchorNeed:
    """How many anchors a detector wants and which output level uses which.

    `strides` are pixels of the network input per cell, one per output level in the order of forward()'s outputs.
    `masks[i]` are the anchors (indices into the set sorted by area, ascending) that level i uses.
    """

    count: int
    strides: tuple[int, ...]
    masks: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class DetectorSettings:
    """The settings that every detector has. Architectures subclass this with fields of their own."""

    input_px: int = setting(416, "Side of the square network input; a multiple of 32.", unit="px", low=32, high=2048)
    width: float = setting(
        1.0, "Factor on the channels of every layer; 1 is the published network.", low=0.05, high=4.0
    )
    resize: str | None = setting(
        None,
        "How an image becomes the square input; auto: as published. stretch changes its proportions, letterbox pads"
        " it with grey; those with darknet interpolate pixels as a Darknet built without OpenCV does.",
        choices=FIT_MODES,
    )

    @classmethod
    def renewed(cls, table: Mapping[str, Any]) -> dict[str, Any]:
        """A table of settings written by an earlier Workbench, with the names and values of this one."""
        return dict(table)

    def resolved(self, labels: tuple[str, ...]) -> Self:
        """The settings with the content of the files they name, as a run keeps them. Called before a training or import
        for `labels`.

        Raises WorkbenchError, which says what is missing.
        """
        return self

    def pictures(self) -> tuple[tuple[Path, int], ...]:
        """Further pictures without boxes to learn from, each with the number of what it shows."""
        return ()


def _settle(name: str, kind: type[Detector]) -> str:
    """Set its `name`; return its first fault, which might otherwise show only after hours of training, or ''."""
    base = f"{__name__}.parts.detector.Detector"  # by name, as importing it would import torch
    lineage = [f"{one.__module__}.{one.__qualname__}" for one in getattr(kind, "__mro__", ())]
    if base not in lineage:
        return f"{class_text(kind)} is not derived from Detector"
    if vars(kind).get("name", name) != name:
        return f"{class_text(kind)} says name = '{vars(kind)['name']}'; leave that out, registering sets it"
    kind.name = name
    if fault := missing_attributes(kind, ("title", "paper", "summary"), ("outs",)):
        return fault
    own = getattr(kind, "settings_class", None)
    if not isinstance(own, type) or not issubclass(own, DetectorSettings):
        return f"{class_text(kind)} has no `settings_class`, derived from DetectorSettings"
    if any(isinstance(value, dataclasses.Field) for value in vars(own).values()):
        return f"its settings, {own.__name__}, lack @dataclass(frozen=True)"
    own_parts = kind.__mro__[: lineage.index(base)]
    return "" if any("forward" in vars(one) for one in own_parts) else f"{class_text(kind)} has no `forward()`"


detectors: Registry[type[Detector]] = Registry("detector", _settle)
register = detectors.register


_loaded = False
_waiting: list[Callable[[], None]] = []


def load_all() -> Registry[type[Detector]]:
    """Import every module of this package (and with it torch) and return the registry."""
    global _loaded
    if not _loaded:  # listing the folder takes half a millisecond, and this is called dozens of times
        with detectors.owned_by(OWN):  # also if it is a plugin that asks for them first
            for module in pkgutil.iter_modules(__path__):
                if module.name != "parts":
                    importlib.import_module(f"{__name__}.{module.name}")
    if not _loaded:  # another thread may have done it meanwhile
        _loaded = True
        for action in _waiting:
            action()
    return detectors


def built_in_names() -> list[str]:
    """The names of the detectors of this package, from its sources: torch is not imported. [] if there are none."""
    found = [registered_in(file.read_bytes()) for file in sorted(Path(__file__).parent.glob("[!_]*.py"))]
    return [name for names in found for name in names if name is not None]


def are_loaded() -> bool:
    return _loaded


def when_loaded(action: Callable[[], None]) -> None:
    """Call `action` once the built-in detectors, and with them torch, are loaded for the first time."""
    _waiting.append(action)


def build(
    name: str,
    settings: DetectorSettings,
    labels: int,
    anchors: tuple[tuple[float, float], ...] | None = None,
) -> Detector:
    """A detector with fresh weights for `labels` labels. `anchors`: (w, h) in network pixels; None = published."""
    if labels < 1:
        raise WorkbenchError("A detector needs at least one label. Add a label and draw some boxes first.")
    made = load_all().get(name)(settings, labels, anchors)
    if lacking := _lacking(made):
        raise WorkbenchError(
            f"The detector '{name}' ({detectors.owner(name)}) can't be used: {class_text(made)} sets no `head`, and has"
            f" no {', '.join(lacking)} of its own. CONTRIBUTING.md says what it must have."
        )
    return made


def _lacking(made: Detector) -> list[str]:
    """What it neither defines nor leaves to a head; `explained()` it may lack."""
    from workbench.detectors.parts.detector import Detector

    if hasattr(made, "head"):
        return []
    methods = ("loss", "candidates", "assignment", "label_rows")
    return [f"`{name}()`" for name in methods if getattr(type(made), name) is getattr(Detector, name)]
