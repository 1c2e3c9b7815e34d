"""What a running training reports, as frozen values: the window, the command line and events.jsonl read the same.

No torch here, plain numbers only, so that the window can read a run without it. One line of events.jsonl is
`to_json(event)`; `from_json` reads it back.
"""

from __future__ import annotations

import dataclasses
import json
import threading
from dataclasses import dataclass, field
from typing import Any

from workbench.errors import WorkbenchError
from workbench.training.settings import FEW_JUDGES

NAN = float("nan")  # one object, so that events that lack the same numbers are equal


@dataclass(frozen=True, slots=True)
class Started:
    """The first event. `parameters`: the number of trainable values; `resumed_step`: 0 for a fresh run.

    `views`: what an epoch goes through, if images are seen in tiles; 0: the images.
    """

    run: str
    folder: str
    detector: str
    device: str
    precision: str
    images: int
    validation_images: int
    epochs: int
    steps: int
    parameters: int
    resumed_step: int = 0
    time: float = 0.0
    views: int = 0

    @property
    def an_epoch(self) -> int:
        """Images, or views of them, that an epoch goes through."""
        return self.views or self.images


@dataclass(frozen=True, slots=True)
class Progress:
    """At most 20 a second. `terms` are the loss terms by name, averaged since the last Progress.

    `gradient_norm` is the largest since then, before clipping; `device_use` the share of the device's time in use
    (all cores of the processor, or the graphics card), 0 to 1; both NaN if not known. Images per second are whole ones
    also where they are seen in tiles.
    """

    step: int
    steps: int
    epoch: int
    epochs: int
    terms: dict[str, float]
    loss: float
    learning_rate: float
    images_per_second: float
    seconds_left: float
    memory_bytes: int = 0
    gradient_norm: float = NAN
    device_use: float = NAN
    time: float = 0.0


@dataclass(frozen=True, slots=True)
class Evaluated:
    """Validation after an epoch. AP by the COCO definition; `per_label` AP50 by name, `per_label_ap` AP; absent = no
    boxes. `best`: its weights were kept as the best ones.
    """

    epoch: int
    step: int
    ap: float
    ap50: float
    ap75: float
    per_label: dict[str, float]
    images: int
    seconds: float
    best: bool
    per_label_ap: dict[str, float] = field(default_factory=dict)
    time: float = 0.0

    @property
    def is_record(self) -> bool:
        """Whether its AP is the highest so far, on enough images to tell."""
        return self.best and self.images >= FEW_JUDGES


@dataclass(frozen=True, slots=True)
class Saved:
    """A checkpoint is on disk. `kind`: "last" or "best"."""

    kind: str
    file: str
    step: int
    time: float = 0.0


@dataclass(frozen=True, slots=True)
class Message:
    """A line for the log. `level`: "info", "warning". `done` of `total` images are read, if it tells of that."""

    level: str
    sentence: str
    time: float = 0.0
    done: int = 0
    total: int = 0


@dataclass(frozen=True, slots=True)
class Paused:
    """The loop waits (True) or continues (False)."""

    paused: bool
    step: int
    time: float = 0.0


@dataclass(frozen=True, slots=True)
class Finished:
    """The last event of a run that ended by itself (`stopped` False) or was asked to stop (True).

    `best_ap50` NaN: there was no evaluation.
    """

    step: int
    epoch: int
    stopped: bool
    best_ap50: float
    seconds: float
    folder: str
    time: float = 0.0


@dataclass(frozen=True, slots=True)
class Failed:
    """The last event of a run that could not continue, with a sentence for the user."""

    sentence: str
    cause: str = ""
    time: float = 0.0


Event = Started | Progress | Evaluated | Saved | Message | Paused | Finished | Failed
_KINDS = {k.__name__: k for k in (Started, Progress, Evaluated, Saved, Message, Paused, Finished, Failed)}


def to_json(event: Event) -> str:
    """One line: {"event": "Progress", ...}. Non-finite numbers become null."""
    values = {name: _finite(value) for name, value in dataclasses.asdict(event).items()}
    return json.dumps({"event": type(event).__name__, **values}, ensure_ascii=False, allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return value


def from_json(line: str) -> Event:
    """The event of one line; nulls become NaN. WorkbenchError if the line is not one."""
    try:
        values = json.loads(line)
        kind = _KINDS[values.pop("event")]
        known = {f.name for f in dataclasses.fields(kind)}
        return kind(**{name: _number(value) for name, value in values.items() if name in known})
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise WorkbenchError("A line of events.jsonl could not be read.", error) from error


def _number(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _number(item) for key, item in value.items()}
    return NAN if value is None else value


@dataclass(slots=True)
class Control:
    """What the owner of a training may ask of it, from any thread: stop, pause or continue."""

    stop: Any = field(default_factory=threading.Event)
    pause: Any = field(default_factory=threading.Event)
