"""What the notes before a training say of the weights that it starts from; test_preflight.py has the rest."""

from __future__ import annotations

from pathlib import Path

from tests.training.test_preflight import checkpoint, recipe
from workbench.training.preflight_start import of_weights


def test_a_checkpoint_of_a_run_is_called_by_the_run(tmp_path: Path) -> None:
    file = checkpoint(tmp_path / "first" / "best.safetensors", ["top"])
    (tmp_path / "first" / "events.jsonl").touch()
    (found,) = of_weights(file, recipe(going_on_rate=1.0), ["top", "bottom"])
    assert found.sentence == "first/best.safetensors does not know bottom: it starts fresh."
