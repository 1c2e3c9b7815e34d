"""What is read of a run's recipe as it is in its file, whatever somebody has written there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from workbench.training.records import run_recipe


@pytest.mark.parametrize(
    ("training", "said"),
    [
        ({"folds": 3, "fold": 2}, (2, 3)),
        ({"folds": 3, "fold": 0}, (1, 3)),
        ({"folds": 3}, (1, 3)),
        ({"folds": 2, "fold": 1}, (1, 2)),
        ({"folds": 1, "fold": 1}, (0, 0)),
        ({"folds": 0, "fold": 2}, (0, 0)),
        ({}, (0, 0)),
        ({"folds": "many"}, (0, 0)),
        ({"folds": [3]}, (0, 0)),
        ("folds", (0, 0)),
    ],
)
def test_a_run_without_a_fold_is_judged_by_the_first_and_what_is_no_number_has_none(
    training: Any, said: tuple[int, int]
) -> None:
    assert run_recipe.fold({"training": training}) == said
    assert run_recipe.fold({}) == (0, 0)


def test_a_file_that_cannot_be_read_has_no_tables(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    assert run_recipe.tables(file) == {}
    file.write_text('name = "ä"\n[training]\nfolds = 3\n', encoding="utf-8")
    assert run_recipe.tables(file) == {"name": "ä", "training": {"folds": 3}}
    for broken in (b"folds =", b'name = "\xff"'):
        file.write_bytes(broken)
        assert run_recipe.tables(file) == {}
