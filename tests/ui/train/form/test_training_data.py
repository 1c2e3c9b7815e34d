"""The line above Start says which anchors a training will have, and what becomes of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import AnchorSet, Split, State
from workbench.detectors import DetectorSettings
from workbench.training import hold_out
from workbench.training.settings import TrainingSettings
from workbench.ui.train.form import training_data
from workbench.ui.train.form.training_data import count_training_images
from workbench.ui.train.work import DetectorChoice

NINE = AnchorSet(tuple((8.0 * n, 8.0 * n) for n in range(1, 10)), 416)


@pytest.fixture
def document(project: Path) -> Iterator[Document]:
    """Three images that are done, and nine anchors that were made for 416 pixels."""
    with Document.open(project) as document:
        document.do(edits.SetState(tuple(image.id for image in document.images()), State.DONE))
        document.do(edits.ChangeSetting("anchors", NINE.to_setting()))
        yield document


def choice(published: int, resize: str = "stretch") -> DetectorChoice:
    return DetectorChoice(
        "tiny", "Tiny", "", "", takes_anchors=published > 0, published_anchors=published, resize=resize
    )


def anchors(document: Document, detector: DetectorChoice | None, px: int = 0, resize: str | None = None) -> str:
    """What is said of anchors."""
    own = DetectorSettings(input_px=px, resize=resize) if px else None
    number, words = count_training_images(document, TrainingSettings(), detector, own)
    assert number == 3
    start, _, told = words.partition("Anchors: ")
    assert start.startswith("3 images to train on, ")
    return told


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (0.1, "3 images to train on, and judged on the same ones, as they are too few."),
        (0.2, "2 images to train on, 1 held out to validate."),
    ],
)
def test_of_three_images_a_tenth_is_none(document: Document, share: float, words: str) -> None:
    training = TrainingSettings(hold_out=share)
    assert count_training_images(document, training)[1].startswith(words)


def test_images_of_the_other_splits_and_states_are_not_counted_as_trained_on(document: Document) -> None:
    first, second, third = (image.id for image in document.images())
    document.do(edits.SetSplit((first,), Split.VALIDATION))
    count, words = count_training_images(document, TrainingSettings(hold_out=0.5))
    assert (count, words.split(".")[0]) == (2, "2 images to train on, 1 to validate")
    document.do(edits.SetSplit((second,), Split.TEST))
    count, words = count_training_images(document, TrainingSettings())
    assert (count, words.split(".")[0]) == (1, "1 image to train on, 1 to validate")
    count, words = count_training_images(document, TrainingSettings(folds=2))
    assert words.startswith("2 images in 2 folds"), "only those of the test split are left out"
    document.do(edits.SetSplit((third,), Split.VALIDATION))
    assert count_training_images(document, TrainingSettings(folds=2))[1].startswith("2 images in 2 folds")
    document.do(edits.SetState((third,), State.UNLABELLED))
    assert count_training_images(document, TrainingSettings()) == (
        0,
        "No image to train on: none is done. Mark images whose boxes are complete as done, or choose other states in"
        " the settings above.",
    )


@pytest.mark.parametrize(
    ("fold", "words"),
    [
        (0, "3 images in 2 folds, each of which judges a training on the others."),
        (1, "1 image to train on, 2 to validate: fold 1 of 2."),
        (2, "2 images to train on, 1 to validate: fold 2 of 2."),
    ],
)
def test_of_a_cross_validation_it_is_said_what_judges(document: Document, fold: int, words: str) -> None:
    ids = document.images().ids
    document.do(edits.SetSplit((int(ids[0]),), Split.VALIDATION))
    number, said = count_training_images(document, TrainingSettings(folds=2, fold=fold))
    assert said.startswith(words)
    assert number == (2 if fold == 2 else 1)


def test_groups_of_images_are_formed_again_only_if_they_or_the_folds_have_changed(
    document: Document, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The form asks at each keystroke: of 20,000 images it took longer than a person types."""
    formed: list[int] = []

    def in_fold(ids: NDArray[np.int64], *more: object) -> NDArray[np.bool_]:
        formed.append(len(ids))
        return hold_out.in_fold(ids, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(training_data, "in_fold", in_fold)
    monkeypatch.setattr(training_data, "_known", {})
    by_name = TrainingSettings(folds=2, fold_by="name")
    for epochs in (10, 20):
        assert count_training_images(document, replace(by_name, epochs=epochs))[1].startswith("3 images in 2 folds")
    assert formed == [3]
    document.do(edits.SetSplit((int(document.images().ids[0]),), Split.TEST))
    assert count_training_images(document, by_name)[1].startswith("2 images in 2 folds")
    count_training_images(document, replace(by_name, fold=2))
    assert formed == [3, 2, 2]


def test_of_groups_that_labels_balance_the_numbers_are_not_exact(document: Document) -> None:
    """The form does not look at boxes."""
    settings = TrainingSettings(folds=2, fold=2, fold_by="balanced-name")
    assert count_training_images(document, settings)[1].startswith("about ")
    assert not count_training_images(document, replace(settings, fold_by="name"))[1].startswith("about ")


def test_a_fold_that_does_not_exist_is_told(document: Document) -> None:
    assert count_training_images(document, TrainingSettings(folds=2, fold=3)) == (
        0, "There is no fold 3 of 2. Folds are 2 to 20, counted from 1.",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("published", "px", "words"),
    [
        (9, 416, "the project's 9, made for 416 px."),
        (9, 320, "the project's 9, made for 416 px, scaled to 320."),
        (9, 0, "the project's 9, made for 416 px."),
        (
            6,
            416,
            "the project's 9, made for 416 px. Tiny was published with 6 anchors, and uses these 9 instead.",
        ),
        (
            1,
            1_024,
            "the project's 9, made for 416 px, scaled to 1,024."
            " Tiny was published with 1 anchor, and uses these 9 instead.",
        ),
        (0, 320, ""),
    ],
    ids=["as made", "scaled", "side not known", "other number", "both", "takes none"],
)
def test_another_side_and_another_number_are_said(document: Document, published: int, px: int, words: str) -> None:
    assert anchors(document, choice(published), px) == words


def test_before_detectors_are_loaded_only_what_the_project_has_is_said(document: Document) -> None:
    assert anchors(document, None) == "the project's 9, made for 416 px."


@pytest.mark.parametrize(
    ("published", "own", "says"),
    [
        ("letterbox", None, True),
        ("darknet letterbox", None, True),
        ("stretch", None, False),
        ("letterbox", "darknet stretch", False),
        ("stretch", "letterbox", True),
    ],
)
def test_sizes_of_images_that_were_resized_otherwise_are_warned_of(
    document: Document, published: str, own: str | None, says: bool
) -> None:
    told = anchors(document, choice(9, published), 416, own)
    assert (
        told
        == "the project's 9, made for 416 px."
        + says * " Tiny learns from letterboxed images, but these sizes are from stretched ones:"
        + says * " choose letterbox on the Anchors page, and use what it finds."
    )


def test_published_anchors_are_called_so(document: Document) -> None:
    document.do(edits.ChangeSetting("anchors", None))
    assert anchors(document, choice(6), 320) == "published."


def test_epochs_and_batch_that_few_images_change_are_said(document: Document) -> None:
    few = TrainingSettings(epochs=300, batch=8, least_steps=1200)
    told = count_training_images(document, few, choice(9))[1]
    assert " Because they are few: 1,600 epochs in batches of 4 (Least steps). Anchors" in told
    assert "Least steps" not in count_training_images(document, TrainingSettings(epochs=300, batch=8), choice(9))[1]


@pytest.mark.parametrize(("tiles", "seen"), [(416, ""), (832, "in tiles of 832 px"), (0, "only as a whole")])
def test_anchors_made_for_other_tiles_are_told(document: Document, tiles: int, seen: str) -> None:
    document.do(edits.ChangeSetting("anchors", replace(NINE, tiles=416).to_setting()))
    told = count_training_images(document, TrainingSettings(tiles=tiles), choice(9))[1].partition("Anchors: ")[2]
    other = f" They were made for tiles of 416 px, but this training sees photographs {seen}: compute them again"
    side = f"{tiles} px" if tiles else "none"
    end = f"{other} on the Anchors page with Tiles {side}." if seen else ""
    assert told == f"the project's 9, made for 416 px in tiles of 416 px.{end}"
