"""Recipes: what ships can be read, what is written can be read back, and mistakes are named."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from workbench import detectors, settings
from workbench.errors import WorkbenchError
from workbench.training import recipes


def test_these_presets_ship() -> None:
    assert set(recipes.names()) >= {"quick-cpu", "published", "small-data", "demo"}
    assert recipes.DEFAULT in recipes.names()


@pytest.mark.parametrize("name", recipes.names())
def test_every_preset_reads_and_says_what_it_is_for(name: str) -> None:
    recipe = recipes.preset(name)
    assert recipe.name == name
    assert recipe.about.endswith(".")
    assert recipes.titles()[name] == (recipe.title, recipe.about)


def test_the_published_recipe_has_darknets_numbers() -> None:
    training = recipes.preset("published").training
    numbers = (training.learning_rate, training.momentum, training.weight_decay, training.batch, training.warm_up)
    assert numbers == (0.00261, 0.9, 0.0005, 64, 1000)
    assert (training.warm_up_power, training.optimizer, training.schedule) == (4.0, "sgd", "step")


@pytest.mark.parametrize("name", [name for name in detectors.load_all().names() if name != "darknet-cfg"])
def test_as_published_each_detector_has_its_own_numbers_and_is_written_with_them(name: str, tmp_path: Path) -> None:
    recipe = recipes.preset("published").with_detector(name)
    published = detectors.load_all().get(name).published
    assert published["epochs"] == recipe.training.epochs
    for key, value in published.items():
        holder = recipe.training if hasattr(recipe.training, key) else recipe.detector_settings
        assert getattr(holder, key) == value
    recipes.write(recipe, tmp_path / "mine.toml")
    assert recipes.read(tmp_path / "mine.toml") == recipe
    changed = recipe.changed({"batch": 3})
    recipes.write(changed, tmp_path / "mine.toml")
    assert recipes.read(tmp_path / "mine.toml") == changed


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("yolov4", {"mosaic": 0.5, "momentum": 0.949, "learning_rate": 0.0013, "cross_norm": False, "cutmix": 0.0}),
        ("yolov2", {"sizes": 0.4, "jitter": 0.3, "mosaic": 0.0}),
        ("ssd300", {"zoom_out": 0.5, "scale": 0.0, "contrast": 1.5}),
        ("retinanet", {"epochs": 26, "learning_rate": 0.01, "hue": 0.0}),
    ],
)
def test_the_released_configuration_is_the_published_one(name: str, expected: dict[str, object]) -> None:
    training = recipes.preset("published").with_detector(name).training
    assert {key: getattr(training, key) for key in expected} == expected


def test_what_yolov4s_paper_lists_beyond_its_release_is_a_preset() -> None:
    paper = recipes.preset("yolov4-paper")
    own = settings.to_dict(paper.detector_settings)
    assert (own["attention"], own["weighted_residuals"], own["dropblock"]) == (True, "per feature", 0.1)
    assert (paper.training.cross_norm, paper.training.self_adversarial) == (True, 0.5)
    assert paper.training.schedule == "cosine"


def test_a_written_recipe_is_read_back_equal(tmp_path: Path) -> None:
    recipe = recipes.preset("quick-cpu").changed({"epochs": "7", "input_px": 128, "step_at": (0.5, 0.75)})
    recipes.write(recipe, tmp_path / "mine.toml")
    assert recipes.read(tmp_path / "mine.toml") == recipe
    assert recipes.find(str(tmp_path / "mine.toml")) == recipe


def test_settings_that_an_earlier_workbench_wrote_are_read() -> None:
    own = recipes.from_dict({"detector": "yolov4-tiny", "detector_settings": {"box_loss": "darknet ciou"}})
    assert settings.to_dict(own.detector_settings)["box_loss"] == "ciou"
    assert settings.to_dict(own.detector_settings)["box_gradient"] == "darknet"


def test_changes_go_to_the_detector_or_the_training_by_name() -> None:
    recipe = recipes.preset("quick-cpu").changed({"width": 0.25, "batch": 3})
    assert (recipe.detector_settings.width, recipe.training.batch) == (0.25, 3)
    with pytest.raises(WorkbenchError, match="Did you mean 'epochs'"):
        recipe.changed({"epoch": 3})


def test_another_detector_keeps_what_both_have() -> None:
    recipe = recipes.preset("quick-cpu")
    other = recipe.with_detector("yolov3-tiny")
    assert other.detector == "yolov3-tiny"
    assert other.detector_settings.input_px == recipe.detector_settings.input_px
    assert other.training == recipe.training


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("epochs = 3", "no key 'epochs'"),
        ("[training]\nepochs = 0", "'epochs' must be a whole number of at least 1|from 1"),
        ("[training]\nbatsch = 3", "Did you mean 'batch'"),
        ("detector = 'yolo9'", "no detector called 'yolo9'"),
        ("[training", "could not be read"),
    ],
)
def test_a_mistake_in_a_recipe_is_named_with_its_file(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "mine.toml").write_text(text)
    with pytest.raises(WorkbenchError, match=sentence) as caught:
        recipes.read(tmp_path / "mine.toml")
    assert "mine.toml" in caught.value.sentence


def test_an_unknown_preset_lists_the_known_ones() -> None:
    with pytest.raises(WorkbenchError, match="quick-cpu"):
        recipes.preset("fast")


def test_the_list_of_presets_and_of_runs_and_heads_of_checkpoints_need_no_torch() -> None:
    code = (
        "import sys; from workbench.training import checkpoint, events, recipes, request, runs, settings;"
        "assert recipes.titles(); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_a_recipe_is_a_value() -> None:
    recipe = recipes.preset("demo")
    assert replace(recipe) == recipe


def test_another_detector_keeps_the_size_but_not_the_defaults_of_the_first() -> None:
    first = recipes.preset("quick-cpu")
    other = first.with_detector("yolov2-tiny")
    own = detectors.load_all().get("yolov2-tiny").settings_class()
    assert (other.detector_settings.input_px, other.detector_settings.width) == (320, 0.5)
    assert getattr(other.detector_settings, "ignore_iou") == getattr(own, "ignore_iou")  # noqa: B009
    assert other.training == first.training
