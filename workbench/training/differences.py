"""How a recipe that started as a preset differs from it, setting by setting, in words."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workbench import settings
from workbench.core.formatting import count, named

if TYPE_CHECKING:
    from workbench.training.recipes import Recipe

NAMED = 6  # in a sentence; the others are counted


@dataclass(frozen=True, slots=True)
class Difference:
    """A setting, its value in the preset, and its value now."""

    name: str
    title: str
    before: Any
    now: Any

    @property
    def words(self) -> str:
        return f"{self.title}: {form_text(self.before)} → {form_text(self.now)}"


def form_text(value: Any) -> str:
    """A setting's value as the form shows it."""
    if value is None:
        return "auto"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple | list):
        return ", ".join(map(form_text, value))
    return f"{value:.10g}" if isinstance(value, float) else settings.SPELLINGS.get(str(value), str(value))


def between(before: Any, now: Any) -> Iterator[Difference]:
    """Between two values of the same settings class, in the order of its fields."""
    for row in settings.rows(type(now)):
        pair = getattr(before, row.name), getattr(now, row.name)
        if pair[0] != pair[1]:
            yield Difference(row.name, row.title, *pair)


def differences(recipe: Recipe) -> tuple[Difference, ...]:
    """What differs from the preset of the recipe's name (made for its detector), or from its own
    file if none has that name.
    """
    return between_recipes(_preset(recipe.name, recipe.detector) or recipe.untouched(), recipe)


@functools.lru_cache(maxsize=64)  # a form asks at every keystroke
def _preset(name: str, detector: str) -> Recipe | None:
    from workbench.training import recipes  # recipes imports this module

    return recipes.preset(name).untouched(detector) if name in recipes.names() else None


def between_recipes(before: Recipe, now: Recipe) -> tuple[Difference, ...]:
    """What differs between two recipes for one detector, the network's settings first."""
    own = between(before.detector_settings, now.detector_settings)
    return (*own, *between(before.training, now.training))


def sentence(recipe: Recipe, found: tuple[Difference, ...]) -> str:
    """ "2 settings differ from “Few images”: ..."; empty if none does."""
    if not found:
        return ""
    return f"{heading(recipe, len(found))}: {named([one.words for one in found], NAMED)}."


def heading(recipe: Recipe, number: int) -> str:
    return f"{count(number, 'setting')} {'differs' if number == 1 else 'differ'} from “{recipe.title}”"
