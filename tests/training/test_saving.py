"""What a checkpoint says of where its training began."""

from __future__ import annotations

from pathlib import Path

from workbench.training.saving import begun_from


def test_a_run_s_checkpoint_is_named_with_its_run(tmp_path: Path) -> None:
    (tmp_path / "tiny-1").mkdir()
    (tmp_path / "tiny-1" / "events.jsonl").touch()
    assert begun_from(tmp_path / "tiny-1" / "best.safetensors") == "tiny-1/best.safetensors"
    assert begun_from(tmp_path / "yolov4-tiny.weights") == "yolov4-tiny.weights"
    assert begun_from(None) == ""
