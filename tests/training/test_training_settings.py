"""Every setting of a training can be explained, and decides which images are used."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.training.toys import make_snapshot
from workbench import settings
from workbench.core.project import State
from workbench.training.settings import TrainingSettings


@pytest.mark.parametrize("row", settings.rows(TrainingSettings), ids=lambda row: row.name)
def test_every_setting_has_a_sentence_and_a_group(row: settings.SettingRow) -> None:
    assert row.help.endswith(".")
    assert row.group
    assert settings.check_value(row, row.default) == row.default


def test_every_field_is_a_setting() -> None:
    assert {row.name for row in settings.rows(TrainingSettings)} == set(TrainingSettings.__dataclass_fields__)


@pytest.mark.parametrize(
    ("state", "choice", "used"),
    [
        (State.DONE, "done", 3),
        (State.VERIFIED, "done", 3),
        (State.IN_WORK, "done", 0),
        (State.UNLABELLED, "in work", 0),
        (State.IN_WORK, "in work", 3),
        (State.DONE, "verified", 0),
        (State.VERIFIED, "verified", 3),
    ],
)
def test_only_images_of_the_chosen_states_are_used(tmp_path: Path, state: State, choice: str, used: int) -> None:
    snapshot = make_snapshot(tmp_path, 2, 1, state=state)
    assert len(TrainingSettings(states=choice).usable(snapshot)) == used
