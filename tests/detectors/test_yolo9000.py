"""YOLO9000 on a small tree: probabilities by hand, what boxes and pictures teach, and the files a user brings."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from tests.training.toys import CALM, make_snapshot
from workbench import detectors, settings
from workbench.core import images
from workbench.core.project import Label
from workbench.detectors.parts import word_tree
from workbench.detectors.parts.detector import Detector, Targets
from workbench.errors import WorkbenchError
from workbench.inference.predict import Predictor
from workbench.training import recipes
from workbench.training.events import Finished, Started
from workbench.training.request import RunRequest
from workbench.training.run import train

#       0 animal ─┬─ 2 cat
#                 └─ 3 dog ── 5 husky
#       1 artefact ── 4 sports car
TREE = "animal -1\nartefact -1\ncat 0\ndog 0\nsports car 1\nhusky 3\n"
LABELS = ("Dog", "sports car")
OBJECTNESS, NODES = 4, slice(5, 11)


def build(**more: Any) -> Detector:
    torch.manual_seed(0)
    kind = detectors.load_all().get("yolo9000").settings_class
    tree = word_tree.for_labels(TREE, LABELS).to_text()
    made = kind(input_px=64, width=0.05, tree=tree, **more)  # type: ignore[call-arg]
    return detectors.build("yolo9000", made, 2, ((20.0, 20.0),))


def targets(*boxes: tuple[float, float, float, float, int], shows: int | None = None) -> Targets:
    """One image of 64 x 64; boxes as xyxy, label. `shows`: the node of a picture without boxes."""
    rows = torch.tensor([box[:4] for box in boxes]).view(1, -1, 4).float()
    labels = torch.tensor([[int(box[4]) for box in boxes]]).view(1, -1).long()
    pictures = None if shows is None else torch.tensor([shows])
    return Targets(rows, labels, torch.zeros_like(labels, dtype=torch.bool), pictures)


def deltas(wanted: Targets, raw: Tensor | None = None) -> Tensor:
    """Minus the gradient, (row, column, 11), of outputs 0."""
    leaf = (torch.zeros(1, 11, 2, 2) if raw is None else raw).requires_grad_()
    torch.stack(list(build(warm_up_images=0).loss((leaf,), wanted).values())).sum().backward()
    assert leaf.grad is not None
    return -leaf.grad[0].permute(1, 2, 0)


def test_a_labels_score_is_the_product_on_its_way_from_the_root() -> None:
    """At outputs 0: dog is half of half, the sports car has no sibling; objectness one half."""
    found = build().candidates((torch.zeros(1, 11, 2, 2),))
    torch.testing.assert_close(found.scores[0], torch.tensor([[0.125, 0.25]]).expand(4, 2))


def test_siblings_share_a_softmax_and_cousins_do_not() -> None:
    raw = torch.zeros(1, 11, 2, 2)
    raw[0, 5 + 2] = 2.0  # cat: takes from dog, not from the car
    scores = build().candidates((raw,)).scores[0, 0]
    cat = float(torch.tensor(2.0).exp())
    assert scores.tolist() == pytest.approx([0.5 * 0.5 / (1 + cat), 0.25])


def test_rule_14_a_box_teaches_its_label_and_ancestors_against_their_siblings_and_no_descendants() -> None:
    moved = deltas(targets((22, 22, 42, 42, 0)))
    assert moved[1, 1, NODES].tolist() == pytest.approx([0.5, -0.5, -0.5, 0.5, 0.0, 0.0])
    moved[1, 1, NODES] = 0
    assert not moved[..., NODES].any()


def test_rule_14_a_picture_teaches_only_labels_and_only_where_they_are_most_likely() -> None:
    raw = torch.zeros(1, 11, 2, 2)
    raw[0, OBJECTNESS, 0, 1] = 1.0
    moved = deltas(targets(shows=5), raw)
    husky = moved[0, 1, NODES].clone()
    assert husky.tolist() == pytest.approx([0.5, -0.5, -0.5, 0.5, 0.0, 0.0])  # a husky is the only dog here
    moved[0, 1, NODES] = 0
    assert not moved.any()  # no objectness, no coordinates, no other prior


def test_rule_14_probability_counts_beside_objectness() -> None:
    raw = torch.zeros(1, 11, 2, 2)
    raw[0, OBJECTNESS, 0, 1] = 1.0
    raw[0, 5 + 1, 1, 0] = 4.0  # artefact
    assert deltas(targets(shows=4), raw.clone())[1, 0, NODES].any()
    assert deltas(targets(shows=2), raw.clone())[0, 1, NODES].any()


def test_images_with_boxes_beside_pictures_are_taught_as_ever() -> None:
    one = targets((22, 22, 42, 42, 0))
    both = Targets(one.boxes.repeat(2, 1, 1), torch.tensor([[0], [-1]]), one.ignore.repeat(2, 1), torch.tensor([-1, 2]))
    raw = torch.randn(1, 11, 2, 2)
    leaf = raw.repeat(2, 1, 1, 1).requires_grad_()
    torch.stack(list(build(warm_up_images=0).loss((leaf,), both).values())).sum().backward()
    assert leaf.grad is not None
    torch.testing.assert_close(-2 * leaf.grad[0].permute(1, 2, 0), deltas(one, raw.clone()))
    assert not leaf.grad[1, :5].any()
    assert leaf.grad[1, 5:].any()


def test_without_a_tree_labels_are_siblings_as_in_yolov2() -> None:
    kind = detectors.load_all().get("yolo9000").settings_class
    detector = detectors.build("yolo9000", kind(input_px=64, width=0.05), 4)
    scores = detector.candidates((torch.zeros(1, 27, 2, 2),)).scores
    torch.testing.assert_close(scores, torch.full_like(scores, 0.125))


def test_a_tree_survives_its_text() -> None:
    tree = word_tree.for_labels(TREE, LABELS)
    assert word_tree.read(tree.to_text()) == tree
    assert (tree.nodes, tree.path(5)) == ((3, 4), (5, 3, 0))
    assert tree.groups == (0, 0, 1, 1, 2, 3)


@pytest.mark.parametrize(
    ("text", "labels", "sentence"),
    [
        (TREE, ("dog", "horse"), "'horse' is not in the tree"),
        (TREE, ("hussky",), "Did you mean 'husky'"),
        ("animal -1\ndog 1\n", ("dog",), "Line 2 of the tree names 1 as its parent's line, counted from 0"),
        ("animal -1\n\ndog 5\n", ("dog",), "Line 3 of the tree names 5"),
        ("animal -1\ndog\n", ("dog",), "Line 2 of the tree must be a name"),
        ("animal x\n", ("animal",), "Line 1 of the tree must end in its parent"),
    ],
)
def test_what_is_wrong_with_a_tree_is_said(text: str, labels: tuple[str, ...], sentence: str) -> None:
    with pytest.raises(WorkbenchError, match=sentence):
        word_tree.for_labels(text, labels)


# --- joint training ---


def picture(file: Path, level: int) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(cv2.imencode(".png", np.full((40, 60, 3), level, np.uint8))[1].tobytes())


def request(folder: Path, **changes: Any) -> RunRequest:
    """Six images with boxes of dogs and cars, and pictures of huskies and artefacts."""
    snapshot = make_snapshot(folder / "images")
    labels = tuple(Label(i, name, position=i - 1) for i, name in enumerate(LABELS, 1))
    (folder / "small.tree").write_text(TREE)
    for number in range(3):
        picture(folder / "pictures" / "Husky" / f"{number}.png", 80)
        picture(folder / "pictures" / "artefact" / f"{number}.png", 200)
    own = {"tree": str(folder / "small.tree"), "picture_folder": str(folder / "pictures"), "input_px": 64, "width": 0.1}
    recipe = recipes.default_recipe("yolo9000").changed({**settings.to_dict(CALM), **own, "epochs": 3, **changes})
    return RunRequest(folder / "run", snapshot.__class__(labels, *list(vars(snapshot).values())[1:]), recipe)


def test_a_training_learns_from_boxes_and_pictures_and_its_checkpoint_stands_alone(tmp_path: Path) -> None:
    wanted = request(tmp_path)
    events = list(train(wanted))
    started = next(event for event in events if isinstance(event, Started))
    assert isinstance(events[-1], Finished)
    assert started.images == 12
    (tmp_path / "small.tree").unlink()
    opened = Predictor.open(tmp_path / "run" / "last.safetensors", device="cpu")
    assert opened.labels == LABELS
    assert opened.candidates([images.read(wanted.snapshot.files[0])])
    header = json.dumps(opened.header.detector_settings if opened.header else {})
    assert "sports car" in header


def test_pictures_are_never_put_into_a_mosaic_or_blended(tmp_path: Path) -> None:
    """So what they show is what is seen: whole grey pictures stay whole."""
    from workbench.training.batches import augment
    from workbench.training.batches.data import load
    from workbench.training.events import Control

    wanted = request(tmp_path, mosaic=1.0, mixup=1.0, cutmix=1.0, flip=0.0, hue=0.0, saturation=1.0, exposure=1.0)
    own = wanted.recipe.detector_settings.resolved(LABELS)
    loading = load(
        wanted.snapshot, 64, "stretch", ignore_difficult=False, threads=1, scratch=tmp_path, control=Control(),
        pictures=own.pictures(),
    )  # fmt: skip
    loaded: list[Any] = []

    def kept() -> Iterator[object]:
        loaded.append((yield from loading))

    list(kept())
    (data,) = loaded
    assert data.pictures.tolist() == [-1] * 8 + [5, 5, 5, 1, 1, 1]  # folders in the order of their names
    calm = {"scale": 0.0, "aspect": 0.0, "translate": 0.0}
    training = settings.with_values(wanted.recipe.training, calm)
    for step in range(5):
        batch = augment.augmented(data, np.arange(14), training, step, 64, calm=False)
        assert batch.pictures is not None
        assert batch.pictures.tolist() == data.pictures.tolist()
        assert {int(image.min()) for image in batch.images[8:]} == {80, 200}
        assert not (batch.labels[8:] >= 0).any()
        assert (batch.labels[:8] >= 0).any(axis=1).sum() > 4


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"tree": ""}, "need a tree"),
        ({"tree": "/no/such.tree"}, "could not be read"),
        ({"picture_folder": "/no/such/folder"}, "could not be listed"),
    ],
)
def test_what_is_missing_is_said_before_the_start(tmp_path: Path, change: dict[str, str], sentence: str) -> None:
    with pytest.raises(WorkbenchError, match=sentence):
        list(train(request(tmp_path, **change)))


def test_a_folder_that_is_no_node_is_named(tmp_path: Path) -> None:
    wanted = request(tmp_path)
    picture(tmp_path / "pictures" / "unicorn" / "1.png", 9)
    with pytest.raises(WorkbenchError, match="'unicorn'"):
        list(train(wanted))
