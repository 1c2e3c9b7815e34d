"""The order of the rows of the Train page's form: what is changed most, the network's, the others."""

from __future__ import annotations

from dataclasses import replace

from workbench import settings
from workbench.training.recipes import Recipe
from workbench.training.settings import TrainingSettings

FIRST_GROUP = "Changed most"
FIRST = ("epochs", "batch", "input_px", "learning_rate")
"""Its rows, taken out of their own groups: a low window shows these and the other groups' titles."""


def rows_of(recipe: Recipe) -> list[settings.SettingRow]:
    """The settings of a recipe and of its detector, in this order."""
    network = [row if row.group else _in_group(row, "Network") for row in settings.rows(type(recipe.detector_settings))]
    rows = [*network, *settings.rows(TrainingSettings)]
    first = sorted((row for row in rows if row.name in FIRST), key=lambda row: FIRST.index(row.name))
    return [*(_in_group(row, FIRST_GROUP) for row in first), *(row for row in rows if row.name not in FIRST)]


def _in_group(row: settings.SettingRow, group: str) -> settings.SettingRow:
    return replace(row, group=group)
