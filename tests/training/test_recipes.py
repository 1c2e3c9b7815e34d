"""Recipes: what ships can be read, what is written can be read back, and mistakes are named."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from workbench import detectors, plugins, settings
from workbench.errors import WorkbenchError
from workbench.training import differences, recipes
from workbench.training.recipes import Recipe

FOR_ALL = ("published", "quick-cpu", "small-data", "fine-tune")
NAMES = [name for name in detectors.load_all().names() if name != "darknet-cfg"]  # which is its cfg's
COUNTED = json.loads((Path(__file__).parents[1] / "benchmarks" / "choosing.json").read_text("utf-8"))
preset = functools.cache(recipes.preset)


def test_these_presets_ship() -> None:
    assert set(recipes.names()) >= {*FOR_ALL, "demo"}
    assert [name for name in recipes.names() if preset(name).for_all] == sorted(FOR_ALL)
    assert recipes.DEFAULT in recipes.names()


@pytest.mark.parametrize("name", recipes.names())
def test_every_preset_reads_and_says_what_it_is_for(name: str) -> None:
    recipe = recipes.preset(name)
    assert recipe.name == name
    assert recipe.about.endswith(".")
    assert recipe.title


def test_the_published_recipe_has_darknets_numbers() -> None:
    training = recipes.preset("published").training
    numbers = (training.learning_rate, training.momentum, training.weight_decay, training.batch, training.warm_up)
    assert numbers == (0.00261, 0.9, 0.0005, 64, 1000)
    assert (training.warm_up_power, training.optimizer, training.schedule) == (4.0, "sgd", "step")


@pytest.mark.parametrize("name", NAMES)
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
        ("yolov2", {"sizes": 0.4, "whole_jitter": 0.3, "jitter": 0.0, "mosaic": 0.0}),
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
    assert own["activation"] == "mish"  # section 3.4 lists it for the backbone and for the detector
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
        ("training = 3", r"'training' must be a table: a line \[training\]"),
        ("detector_settings = [1]", "'detector_settings' must be a table"),
        ("for = 3", "'for' must be a table"),
        ("[for]\nfcos = 3", r"'for.fcos' must be a table: a line \[for.fcos\]"),
    ],
)
def test_a_mistake_in_a_recipe_is_named_with_its_file(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "mine.toml").write_text(text)
    with pytest.raises(WorkbenchError, match=sentence) as caught:
        recipes.read(tmp_path / "mine.toml")
    assert "mine.toml" in caught.value.sentence


def test_a_recipe_that_an_editor_on_windows_saved_is_read(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_bytes(b"\xef\xbb\xbf[training]\r\nepochs = 3\r\n")
    assert recipes.read(tmp_path / "mine.toml").training.epochs == 3


def test_an_unknown_preset_lists_the_known_ones() -> None:
    with pytest.raises(WorkbenchError, match="quick-cpu"):
        recipes.preset("fast")


def test_the_list_of_presets_and_of_runs_and_heads_of_checkpoints_need_no_torch() -> None:
    code = (
        "import sys; from workbench.training import events, recipes, request, settings;"
        "from workbench.training.checkpoints import checkpoint; from workbench.training.records import runs;"
        "assert recipes.names(); assert 'torch' not in sys.modules"
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


# --- presets for every detector ---


def recipe_for(name: str, detector: str) -> Recipe:
    return preset(name).with_detector(detector)


def multiply_adds(recipe: Recipe) -> float:
    """In billions, roughly: as counted of the whole network (tests/benchmarks), by its side and width."""
    counted, own = COUNTED[recipe.detector], recipe.detector_settings
    return float(counted["multiply_adds"] * (own.input_px / counted["counted_at"] * own.width) ** 2 / 1e9)


@pytest.mark.parametrize("detector", NAMES)
def test_a_detector_that_is_bound_to_a_side_keeps_it_in_every_preset(detector: str) -> None:
    kind = detectors.load_all().get(detector)
    for name in FOR_ALL:
        side = recipe_for(name, detector).detector_settings.input_px
        assert side % kind.multiple == 0
        assert side == kind.settings_class().input_px or not kind.fixed_size


@pytest.mark.parametrize("detector", NAMES)
def test_a_quick_training_computes_little_and_one_of_few_images_not_much_more(detector: str) -> None:
    """YOLOv4-tiny's half a billion takes five minutes; SSD512 is bound to its side, 2.6 times as many pixels."""
    quick, few = (multiply_adds(recipe_for(name, detector)) for name in ("quick-cpu", "small-data"))
    assert quick < (2.5 if detector != "ssd512" else 6.5)
    assert quick <= few < 2 * quick


@pytest.mark.parametrize("detector", NAMES)
def test_fine_tuning_is_of_the_whole_network_slow_and_with_the_backbone_at_rest_first(detector: str) -> None:
    tuned, quick = recipe_for("fine-tune", detector), recipe_for("quick-cpu", detector)
    assert tuned.detector_settings.width == 1
    assert tuned.training.learning_rate < quick.training.learning_rate / 5
    assert 0 < tuned.training.freeze < 0.5
    has_norms = hasattr(tuned.detector_settings, "frozen_norms") and detector not in (
        "ssd300",
        "ssd512",
    )  # VGG has none
    assert getattr(tuned.detector_settings, "frozen_norms", False) == has_norms


@pytest.mark.parametrize("name", FOR_ALL)
def test_a_preset_goes_from_detector_to_detector_and_back_as_if_chosen_at_once(name: str) -> None:
    """Nothing of SSD300's own side and width sticks to the next."""
    back = recipe_for(name, "ssd300").with_detector("yolov3")
    assert back == recipe_for(name, "yolov3")
    assert back.with_detector(preset(name).detector) == preset(name)


def test_what_was_changed_goes_along_where_the_other_detector_has_it_and_it_is_valid_there() -> None:
    """`rules` of YOLOv3 are none of YOLOv2's; SSD has no rules at all."""
    mine = recipe_for("quick-cpu", "yolov3").changed({"rules": "pjreddie", "batch": 4, "input_px": 256, "width": 0.3})
    ssd = mine.with_detector("ssd300")
    assert [one.words for one in differences.differences(ssd)] == [
        "Input px: 300 → 256",
        "Width: 0.25 → 0.3",
        "Batch: 8 → 4",
    ]
    region = mine.with_detector("yolov2")
    assert getattr(region.detector_settings, "rules") == getattr(preset_of("yolov2"), "rules")  # noqa: B009
    assert (region.training.batch, region.detector_settings.width) == (4, 0.3)


def preset_of(detector: str) -> object:
    return recipe_for("quick-cpu", detector).detector_settings


def test_a_changed_side_and_width_wait_behind_a_detector_that_has_its_own() -> None:
    plugins.loaded()
    mine = preset("quick-cpu").changed({"input_px": 256})
    back = mine.with_detector("darknet-cfg").with_detector("yolov3").detector_settings
    assert (back.input_px, back.width) == (256, 0.25)


def test_a_persons_file_may_say_what_other_detectors_take(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("detector = 'yolov3'\n[training]\nbatch = 4\n[for.yolov4]\nbatch = 2\nwidth = 0.5\n")
    other = recipes.read(file).with_detector("yolov4")
    assert (other.training.batch, other.detector_settings.width) == (2, 0.5)
    assert recipes.read(file).with_detector("yolov2").training.batch == 4
    file.write_text("[for.yolov4]\nbatsch = 2\n")
    with pytest.raises(WorkbenchError, match="Did you mean 'batch'"):
        recipes.read(file).with_detector("yolov4")


# --- what was changed ---


def test_a_preset_as_it_is_differs_in_nothing() -> None:
    for name in FOR_ALL:
        for detector in ("yolov4-tiny", "ssd300", "yolov1"):
            assert differences.differences(recipe_for(name, detector)) == ()
    assert differences.sentence(preset("demo"), ()) == ""


def test_differences_name_the_setting_its_value_in_the_preset_and_the_own_one() -> None:
    mine = preset("quick-cpu").changed(
        {"step_at": (0.5,), "threads": 2, "cross_norm": True, "learning_rate": 0.003, "resize": "letterbox"}
    )
    found = differences.differences(mine)
    assert [one.words for one in found] == [
        "Resize: auto → letterbox", "Learning rate: 0.0015 → 0.003", "Cross norm: no → yes",
        "Step at: 0.8, 0.9 → 0.5", "Threads: auto → 2",
    ]  # fmt: skip
    said = differences.sentence(mine, found[:1])
    assert said == "1 setting differs from “Quick, on a processor”: Resize: auto → letterbox."
    assert differences.sentence(mine, found * 2).endswith(" and 4 more.")
    assert mine.changed({one.name: one.before for one in found}) == preset("quick-cpu")


def test_a_recipe_of_a_run_is_compared_with_the_preset_that_it_began_as(tmp_path: Path) -> None:
    recipes.write(preset("quick-cpu").changed({"batch": 4}).with_detector("ssd300"), tmp_path / "settings.toml")
    again = recipes.read(tmp_path / "settings.toml")
    assert [one.words for one in differences.differences(again)] == ["Batch: 8 → 4"]
    own = tmp_path / "mine.toml"
    own.write_text("name = 'mine'\n[training]\nbatch = 4")
    assert differences.differences(recipes.read(own)) == ()
    assert [one.name for one in differences.differences(recipes.read(own).changed({"batch": 5}))] == ["batch"]


def test_a_recipe_without_a_file_differs_in_nothing() -> None:
    assert differences.differences(recipes.default_recipe("yolov3").changed({"batch": 3})) == ()


def test_what_a_preset_says_of_one_detector_s_length_leaves_its_least_steps() -> None:
    few = recipes.preset("small-data")
    for name in ("yolov1", "ssd300", "yolov4"):
        assert few.with_detector(name).training.least_steps == few.training.least_steps == 1200
    assert few.with_detector("yolov1").training.epochs != few.training.epochs
    assert few.changed({"epochs": 7}).with_detector("yolov1").training.least_steps == 0, "who says how long means it"
