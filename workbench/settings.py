"""Settings as frozen dataclasses: one field = one form row = one flag = one TOML key = one line of documentation.

A settings class declares its fields with `setting(default, help, ...)`. Everything that shows or reads
settings (the form on the train page, the command line, a run's settings.toml) walks `rows(cls)`.

Rejected: pydantic. Its models are not frozen dataclasses and are awkward to walk for a form, and the
checks needed here (range, choice, type, nearest name) are the thirty lines below.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import types
import typing
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from workbench.errors import WorkbenchError

Settings = TypeVar("Settings")
FOLDER = "/"
SPELLINGS = {
    "iou": "IoU", "nms": "NMS", "ema": "EMA", "ciou": "CIoU", "diou": "DIoU", "giou": "GIoU", "mse": "MSE",
    "sgd": "SGD", "adamw": "AdamW", "ap": "AP", "ap50": "AP50", "coco": "COCO", "voc": "VOC", "ssd": "SSD",
    "darknet": "Darknet", "alexeyab": "AlexeyAB",
}  # fmt: skip
"""The usual spelling of words in titles and of choices as shown; files and flags use the raw ones."""


@dataclass(frozen=True, slots=True)
class SettingRow:
    """One field, as shown by a form, a flag or a TOML key.

    `kind` is one of bool, int, float, str, or tuple (of floats). `optional` fields may be None ("auto"). `files` is
    the pattern of the files that a text may name ("*.cfg"), FOLDER for a folder, or empty.
    """

    name: str
    kind: type
    default: Any
    help: str
    unit: str
    low: float | None
    high: float | None
    choices: tuple[str, ...]
    group: str
    files: str
    optional: bool
    called: str = ""
    titles: tuple[str, ...] = ()

    @property
    def flag(self) -> str:
        return "--" + self.name.replace("_", "-")

    @property
    def title(self) -> str:
        return self.called or title_of(self.name)


def title_of(name: str) -> str:
    """The title of a setting by its name alone: "ignore_iou" is "Ignore IoU"."""
    return " ".join(SPELLINGS.get(word.lower(), word) for word in name.capitalize().split("_"))


def setting(
    default: Any,
    help: str,
    *,
    unit: str = "",
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
    group: str = "",
    files: str = "",
    called: str = "",
    titles: tuple[str, ...] = (),
) -> Any:
    """A dataclass field with what a form needs to know. `low` and `high` are inclusive; `called` replaces its title.

    `titles` are what a form shows instead of the `choices`, one for each; without them those of SPELLINGS.
    """
    about = {
        "help": help, "unit": unit, "low": low, "high": high, "choices": choices, "group": group, "files": files,
        "called": called, "titles": titles,
    }  # fmt: skip
    return dataclasses.field(default=default, metadata=about)


def rows(settings: type[Any]) -> tuple[SettingRow, ...]:
    """The rows of a settings class in the order of its fields."""
    return _rows(typing.cast(Hashable, settings))


@functools.cache  # reading the types takes a millisecond, and one choice of a detector asks twenty times
def _rows(settings: Any) -> tuple[SettingRow, ...]:
    hints = typing.get_type_hints(settings)
    return tuple(_row(field, hints[field.name]) for field in dataclasses.fields(settings) if field.metadata)


def _row(field: dataclasses.Field[Any], hint: Any) -> SettingRow:
    optional = False
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        members = [member for member in typing.get_args(hint) if member is not type(None)]
        optional, hint = len(members) < len(typing.get_args(hint)), members[0]
    kind = typing.get_origin(hint) or hint
    return SettingRow(name=field.name, kind=kind, default=field.default, optional=optional, **field.metadata)


ELSEWHERE = {
    **dict.fromkeys(("size", "imgsz", "img_size", "image_size", "resolution"), "input_px"),
    **dict.fromkeys(("lr", "lr0", "base_lr"), "learning_rate"), "batch_size": "batch", "max_epochs": "epochs",
}  # fmt: skip
"""What other programs, and commands that know nothing of detectors, call a setting."""


FEW = 12
"""So many names are listed where none is near: all settings of an export."""


class UnknownSetting(WorkbenchError):
    """No setting has this name; the nearest one that exists is suggested, or all if they are few."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        names = list(known)
        listed = f" There are: {', '.join(names)}." if len(names) <= FEW else ""
        super().__init__(f"There is no setting called '{name}'.{_nearest(name, names) or listed}")


def _nearest(word: str, known: Iterable[str]) -> str:
    names = list(known)
    meant = ELSEWHERE.get(word.lower().replace("-", "_"), "")
    near = [meant] if meant in names else difflib.get_close_matches(word.lower(), names, n=1)
    return f" Did you mean '{near[0]}'?" if near else ""


def check_value(row: SettingRow, value: Any, called: str = "") -> Any:
    """`value` converted to the row's kind (text is parsed), or a WorkbenchError that names the row and its limits.

    The message uses `called`, or else the row's name, which is the TOML key and, but for dashes, the flag.
    """
    if row.optional and (value is None or (isinstance(value, str) and value.strip().lower() in ("", "auto"))):
        return None
    called = called or f"'{row.name}'"
    try:
        value = _parsed(row.kind, value)
    except (TypeError, ValueError) as error:
        shown = str(value).lower() if isinstance(value, bool) else value  # as TOML writes it
        raise WorkbenchError(f"{called} must be {_wanted(row)}, not '{shown}'.", error) from error
    if row.choices and value not in row.choices:
        hint = _nearest(str(value), row.choices)
        raise WorkbenchError(f"{called} must be one of {', '.join(row.choices)}, not '{value}'.{hint}")
    if row.kind in (int, float):
        inside = (row.low is None or value >= row.low) and (row.high is None or value <= row.high)
        if not inside:  # also refuses NaN, which compares as False
            raise WorkbenchError(f"{called} must be {_wanted(row)}, not {value}.")
    return value


_YES, _NO = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


def _parsed(kind: type, value: Any) -> Any:
    if kind is bool:
        if isinstance(value, bool):
            return value
        word = str(value).strip().lower()
        if word not in _YES + _NO:
            raise ValueError(value)
        return word in _YES
    if isinstance(value, bool) and kind is not str:  # to Python it is 1 or 0
        raise TypeError(value)
    if kind is int:
        if isinstance(value, float) and not value.is_integer():
            raise ValueError(value)
        return int(value)
    if kind is tuple:
        parts = value.replace(",", " ").split() if isinstance(value, str) else value
        return tuple(_parsed(float, part) for part in parts)
    return kind(value)


def _wanted(row: SettingRow) -> str:
    words = {bool: "yes or no", int: "a whole number", float: "a number", tuple: "a list of numbers"}.get(
        row.kind, "text"
    )
    if row.low is not None and row.high is not None:
        words += f" from {row.low:g} to {row.high:g}"
    elif row.low is not None:
        words += f" of at least {row.low:g}"
    elif row.high is not None:
        words += f" of at most {row.high:g}"
    return words


def with_values(settings: Settings, values: dict[str, Any]) -> Settings:
    """A copy of `settings` with `values` put in, each checked; for an unknown name the nearest one is suggested."""
    known = {row.name: row for row in rows(type(settings))}
    clean = {}
    for name, value in values.items():
        if name not in known:
            raise UnknownSetting(name, known)
        clean[name] = check_value(known[name], value)
    return dataclasses.replace(settings, **clean)  # type: ignore[type-var]


def to_dict(settings: Any) -> dict[str, Any]:
    """Field values by name, as TOML and JSON can hold them: None ("auto") is left out, tuples become lists."""
    values = {row.name: getattr(settings, row.name) for row in rows(type(settings))}
    return {name: list(v) if isinstance(v, tuple) else v for name, v in values.items() if v is not None}
