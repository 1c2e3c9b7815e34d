"""Settings: one field is a form row, a flag, a TOML key and a line of documentation."""

from __future__ import annotations

import dataclasses
import tomllib
from dataclasses import dataclass

import pytest
import tomli_w

from workbench import settings
from workbench.errors import WorkbenchError
from workbench.settings import UnknownSetting, setting


@dataclass(frozen=True)
class Example:
    epochs: int = setting(10, "How often every image is seen.", low=1, high=1000)
    rate: float = setting(0.1, "Learning rate.", low=0.0)
    mirror: bool = setting(True, "Flip images.")
    device: str = setting("auto", "Where to compute.", choices=("auto", "cpu", "cuda"))
    batch: int | None = setting(None, "Images a step; auto if empty.", low=1)
    steps: tuple[float, ...] = setting((0.5, 0.9), "When the rate falls.")


def test_rows_are_read_once_for_a_class() -> None:
    assert settings.rows(Example) is settings.rows(Example)


def test_rows_carry_what_a_form_needs() -> None:
    rows = {row.name: row for row in settings.rows(Example)}
    assert list(rows) == ["epochs", "rate", "mirror", "device", "batch", "steps"]
    assert (rows["epochs"].kind, rows["epochs"].low, rows["epochs"].flag) == (int, 1, "--epochs")
    assert (rows["batch"].kind, rows["batch"].optional) == (int, True)
    assert rows["steps"].kind is tuple
    named = dataclasses.replace(rows["rate"], name="ignore_iou")
    assert (rows["rate"].title, named.title) == ("Rate", "Ignore IoU")


@pytest.mark.parametrize(
    ("name", "given", "kept"),
    [
        ("epochs", "12", 12), ("epochs", 3.0, 3), ("rate", "1e-3", 0.001), ("rate", 1, 1.0), ("mirror", "no", False),
        ("mirror", True, True), ("device", "cpu", "cpu"), ("batch", "auto", None), ("batch", "8", 8),
        ("steps", "0.1, 0.2", (0.1, 0.2)), ("steps", [1], (1.0,)),
    ],
)  # fmt: skip
def test_values_are_parsed_by_kind(name: str, given: object, kept: object) -> None:
    assert getattr(settings.with_values(Example(), {name: given}), name) == kept


@pytest.mark.parametrize(
    ("name", "given", "sentence"),
    [
        ("epochs", "many", "'epochs' must be a whole number from 1 to 1000, not 'many'."),
        ("epochs", 0, "'epochs' must be a whole number from 1 to 1000, not 0."),
        ("epochs", 2.5, "'epochs' must be a whole number from 1 to 1000, not '2.5'."),
        ("epochs", True, "'epochs' must be a whole number from 1 to 1000, not 'true'."),
        ("batch", False, "'batch' must be a whole number of at least 1, not 'false'."),
        ("rate", True, "'rate' must be a number of at least 0, not 'true'."),
        ("steps", [0.5, True], "'steps' must be a list of numbers, not '[0.5, True]'."),
        ("device", True, "'device' must be one of auto, cpu, cuda, not 'True'."),
        ("rate", float("nan"), "'rate' must be a number of at least 0, not nan."),
        ("mirror", "maybe", "'mirror' must be yes or no, not 'maybe'."),
        ("device", "cudda", "'device' must be one of auto, cpu, cuda, not 'cudda'. Did you mean 'cuda'?"),
        ("epoch", 3, "There is no setting called 'epoch'. Did you mean 'epochs'?"),
        ("banana", 3, "There is no setting called 'banana'. There are: epochs, rate, mirror, device, batch, steps."),
    ],
)
def test_a_wrong_value_gets_a_sentence(name: str, given: object, sentence: str) -> None:
    with pytest.raises(WorkbenchError) as refused:
        settings.with_values(Example(), {name: given})
    assert refused.value.sentence == sentence


def test_toml_brings_back_the_same_settings() -> None:
    for example in (Example(), Example(epochs=5, batch=4, steps=(0.25,), mirror=False)):
        assert settings.with_values(Example(), tomllib.loads(tomli_w.dumps(settings.to_dict(example)))) == example


@pytest.mark.parametrize(
    ("asked", "meant"), [("size", "input_px"), ("imgsz", "input_px"), ("batch-size", "batch"), ("lr", "learning_rate"),
                         ("epoch", "epochs")],
)  # fmt: skip
def test_names_that_other_programs_give_a_setting_are_understood(asked: str, meant: str) -> None:
    known = ("input_px", "sizes", "batch", "learning_rate", "epochs")
    assert f"Did you mean '{meant}'?" in UnknownSetting(asked, known).sentence
    assert "Did you mean 'sizes'?" in UnknownSetting("size", ("sizes", "epochs")).sentence
