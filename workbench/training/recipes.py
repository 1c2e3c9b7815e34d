"""Recipes: named settings for a detector and its training, as TOML files that people can read, change and pass on.

A file's tables [detector_settings] and [training] are for the detector that it names; [for.NAME] has what another
detector takes instead, so that one recipe suits all: a fixed side, a width that a processor can handle.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import tomli_w

from workbench import detectors, settings
from workbench.core.files import atomic_write, resource
from workbench.detectors import DetectorSettings
from workbench.errors import Refused, WorkbenchError
from workbench.training import differences
from workbench.training.settings import TrainingSettings

DEFAULT = "quick-cpu"
FEW_IMAGES, FEW = 200, "small-data"
"""With fewer training images this recipe is proposed; its own text and the help (start-here.md) say so."""
# what a published recipe does not name: no augmentation but mirroring, which all have
UNTOUCHED = {
    "scale": 0.0,
    "aspect": 0.0,
    "translate": 0.0,
    "hue": 0.0,
    "saturation": 1.0,
    "exposure": 1.0,
    "calm_share": 0.0,
    "going_on_rate": 1.0,
}
SIDES = ("input_px", "width")  # every detector has them, even if it doesn't ask for them
KEYS = ("name", "title", "about", "detector", "as_published", "detector_settings", "training", "for")


@dataclass(frozen=True)
class Recipe:
    """Everything that determines a training besides the data and its anchors.

    `as_published`: its numbers are those of the detector's authors, and another detector brings its own. `source`: the
    tables that it was read from, to know what was changed.
    """

    name: str
    title: str
    about: str
    detector: str
    detector_settings: DetectorSettings
    training: TrainingSettings
    as_published: bool = False
    source: Mapping[str, Any] | None = field(default=None, compare=False, repr=False)

    @property
    def for_all(self) -> bool:
        """Whether it was made for every detector."""
        return self.as_published or bool(self.source and self.source.get("for"))

    def untouched(self, detector: str | None = None) -> Recipe:
        """The recipe as in its file, for this detector (None: its current one), without later changes.

        Input side and width are kept; of the other detector settings only those that both detectors have and that the
        file sets to other than the defaults: one network's default is no wish for another. Then comes [for.NAME].
        """
        first = self if self.source is None else from_dict(self.source, self.name)
        name = detector or self.detector
        if name == first.detector:
            return first
        if first.as_published:
            made = replace(first, detector=name, **_published(name))
        else:
            kind, old = detectors.load_all().get(name).settings_class, first.detector_settings
            shared = {row.name for row in settings.rows(kind)}
            apart = differences.between(type(old)(), old)
            own = settings.with_values(kind(), {one.name: one.now for one in apart if one.name in shared})
            made = replace(first, detector=name, detector_settings=_with_sides(own, old, SIDES))
        values: dict[str, Any] = dict((self.source or {}).get("for", {}).get(name, {}))
        if values:  # nobody chose their length: the least number of steps stays
            values = {"least_steps": made.training.least_steps, **values}
        return made.changed(values)

    def with_detector(self, name: str) -> Recipe:
        """The same training of another detector: as the file has it for that one, with the later changes.

        Changes are kept if the other detector has the setting and the value is valid there.
        """
        if name == self.detector:
            return self
        before, made = self.untouched(), self.untouched(name)
        rows = {row.name: row for row in (*settings.rows(type(made.detector_settings)), *_TRAINING_ROWS)}
        kept = {
            one.name: one.now
            for one in differences.between_recipes(before, self)
            if _valid(rows.get(one.name), one.now)
        }
        moved = [side for side in SIDES if _apart(before.detector_settings, self.detector_settings, side)]
        made = made.changed(kept)
        return replace(
            made, detector_settings=_with_sides(made.detector_settings, self.detector_settings, moved),
            name=self.name, title=self.title, about=self.about,
        )  # fmt: skip

    def changed(self, values: Mapping[str, Any]) -> Recipe:
        """A copy with settings of the detector or the training replaced by name; each is checked.

        If epochs or batch are set, they are meant: the least number of steps then no longer changes them.
        """
        if values.keys() & LENGTH and "least_steps" not in values:
            values = {**values, "least_steps": 0}
        own = {row.name for row in settings.rows(type(self.detector_settings))}
        trainings = {row.name for row in settings.rows(TrainingSettings)}
        for name in values:
            if name not in own | trainings:
                raise settings.UnknownSetting(name, sorted(own | trainings))
        of_detector = {key: value for key, value in values.items() if key in own}
        rest = {key: value for key, value in values.items() if key not in own}
        return replace(
            self,
            detector_settings=settings.with_values(self.detector_settings, of_detector),
            training=settings.with_values(self.training, rest),
        )


LENGTH = {"epochs", "batch"}
"""The settings that determine how long a training is."""
_TRAINING_ROWS = settings.rows(TrainingSettings)


def _valid(row: settings.SettingRow | None, value: Any) -> bool:
    try:
        return row is not None and settings.check_value(row, value) == value
    except WorkbenchError:
        return False


def _apart(one: DetectorSettings, other: DetectorSettings, side: str) -> bool:
    return bool(getattr(one, side) != getattr(other, side))


def _with_sides(own: DetectorSettings, of: DetectorSettings, sides: Iterable[str]) -> DetectorSettings:
    """Also for a detector that doesn't ask for side and width, so that they are kept for the next one."""
    return replace(own, **{side: getattr(of, side) for side in sides})


def _published(detector: str) -> dict[str, Any]:
    """The settings of the detector and the training with which its authors trained this detector."""
    kind = detectors.load_all().get(detector)
    own = {row.name for row in settings.rows(kind.settings_class)}
    rest = {key: value for key, value in kind.published.items() if key not in own}
    return {
        "detector_settings": settings.with_values(
            kind.settings_class(), {key: value for key, value in kind.published.items() if key in own}
        ),
        "training": settings.with_values(TrainingSettings(), {**UNTOUCHED, **rest}),
    }


def names() -> tuple[str, ...]:
    """The names of the presets that come with the program. Does not load torch."""
    files = (file.name for file in resource("presets").iterdir())
    return tuple(sorted(name.removesuffix(".toml") for name in files if name.endswith(".toml")))


def preset(name: str) -> Recipe:
    """A preset by name; WorkbenchError lists them if there is none. Loads the detectors, and with them torch."""
    if name not in names():
        raise _no_preset(name)
    return _recipe(_preset_file(name), name)


def read(file: Path) -> Recipe:
    """A recipe from a user's or a run's TOML file; missing keys keep their defaults."""
    return _recipe(Path(file), Path(file).stem)


def detector_in(file: Path) -> str:
    """The name of the detector in a run's recipe, which need not be registered; "" if it names none, or is damaged."""
    try:
        return str(_table(file).get("detector", ""))
    except WorkbenchError:
        return ""


def default_recipe(detector: str) -> Recipe:
    """A recipe of the detector's defaults and no particular training, for imported weights."""
    kind = detectors.load_all().get(detector).settings_class
    return Recipe(detector, detector, "", detector, kind(), TrainingSettings())


def find(text: str) -> Recipe:
    """The preset of this name, or the recipe in the file of this path, as the command line takes either."""
    return read(Path(text)) if text.endswith(".toml") else preset(text)


def check_exists(text: str) -> None:
    """WorkbenchError if there is no preset of this name, or no TOML file in this path. Does not load torch."""
    if text.endswith(".toml"):
        _table(Path(text))
    elif text not in names():
        raise _no_preset(text)


def _no_preset(name: str) -> WorkbenchError:
    return WorkbenchError(f"There is no preset called '{name}'. Choose one of: {', '.join(names())}.")


def write(recipe: Recipe, file: Path) -> None:
    atomic_write(file, to_toml(recipe))


def to_toml(recipe: Recipe) -> str:
    return tomli_w.dumps(to_dict(recipe))


def to_dict(recipe: Recipe) -> dict[str, Any]:
    """The TOML file's tables: title, about, detector, [detector_settings], [training]; for this one detector only."""
    return {
        "name": recipe.name,
        "title": recipe.title,
        "about": recipe.about,
        "detector": recipe.detector,
        "as_published": recipe.as_published,
        "detector_settings": settings.to_dict(recipe.detector_settings),
        "training": settings.to_dict(recipe.training),
    }


def from_dict(table: Mapping[str, Any], name: str = "") -> Recipe:
    """The inverse of to_dict(). WorkbenchError names the key that is unknown or out of range."""
    unknown = [key for key in table if key not in KEYS]
    if unknown:
        raise WorkbenchError(f"A recipe has no key '{unknown[0]}'. It has: {', '.join(KEYS)}.")
    changes = table.get("for", {})
    tables = {key: table.get(key, {}) for key in ("detector_settings", "training", "for")}
    tables |= {f"for.{name}": values for name, values in changes.items()} if isinstance(changes, dict) else {}
    for key, values in tables.items():
        if not isinstance(values, dict):
            raise WorkbenchError(f"'{key}' must be a table: a line [{key}], and its settings below it, one per line.")
    detector = str(table.get("detector", "yolov4-tiny"))
    published = bool(table.get("as_published", False))
    base: dict[str, Any] = {
        "detector_settings": detectors.load_all().get(detector).settings_class(),
        "training": TrainingSettings(),
    }
    base = _published(detector) if published else base
    own: DetectorSettings = base["detector_settings"]
    return Recipe(
        name=str(table.get("name", name)),
        title=str(table.get("title", table.get("name", name))),
        about=str(table.get("about", "")),
        detector=detector,
        detector_settings=settings.with_values(own, own.renewed(table.get("detector_settings", {}))),
        training=settings.with_values(base["training"], dict(table.get("training", {}))),
        as_published=published,
        source=table,
    )


def _recipe(file: Path, name: str) -> Recipe:
    try:
        return from_dict(_table(file), name)
    except WorkbenchError as error:
        if str(file) in error.sentence:
            raise
        raise WorkbenchError(f"{file}: {error.sentence}", error.cause) from error


def _table(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8-sig"))  # editors on Windows put a BOM before the text
    except FileNotFoundError as error:
        raise Refused(file, "there is no such file.", cause=error) from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise WorkbenchError(
            f"{file} could not be read as a recipe: {getattr(error, 'strerror', None) or error}.", error
        ) from error


def _preset_file(name: str) -> Path:
    return resource("presets", f"{name}.toml")
