"""What is shown of an assignment is what gradients pull, and says why a box has no positive.

That it is the masks of the loss, also in plugins: tests/contract/test_every_explanation.py. Gradients are looked at of
those that ship, as others may leave out candidates, which then have none.
"""

from __future__ import annotations

import io
import warnings
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.contract.test_every_detector import NAMES, build, targets
from tests.contract.test_every_explanation import PX, SOME, shown, some_raw
from tests.training.card import CARD, Card, There
from workbench.detectors.parts.default_boxes import DefaultBoxHead
from workbench.detectors.parts.detector import Detector, Raw, Targets
from workbench.detectors.parts.explained import Explained, cells
from workbench.detectors.parts.yolo_head import Rules, YoloHead


def pulls(detector: Detector, raw: Raw, wanted: Targets) -> tuple[Tensor, Tensor]:
    """(B, N) bool each: priors whose box is pulled by the loss, and those whose objectness (or labels) is."""
    torch.manual_seed(5)
    terms = detector.loss(raw, wanted)
    box = terms["proposal box" if "proposal box" in terms else "box"]
    presence = next(terms[name] for name in ("objectness", "proposal", "label") if name in terms)
    return moving(detector, raw, box)[0], moving(detector, raw, presence)[1]


def moving(detector: Detector, raw: Raw, term: Tensor) -> tuple[Tensor, Tensor]:
    """(B, N) bool each: priors whose box, and whose scores, change when the outputs follow the slope of a term."""
    slopes = torch.autograd.grad(term, raw, retain_graph=True, materialize_grads=True)

    def decoded(*outputs: Tensor) -> tuple[Tensor, Tensor]:
        found = detector.candidates(outputs)
        return found.boxes, found.scores

    if detector.name == "faster-rcnn":  # its candidates are the second network's
        scores, boxes = (part.view(len(raw[0]), -1, part.shape[-1]) for part in detector._first(slopes))  # type: ignore[operator]
    else:
        boxes, scores = torch.func.jvp(decoded, tuple(level.detach() for level in raw), slopes)[1]
    return (boxes != 0).any(-1), (scores != 0).any(-1)


def assert_pulled(found: Explained, box: Tensor, presence: Tensor) -> None:
    assert found.ignored is not None
    assert found.negative is not None
    assert torch.equal(box, found.positive)
    assert torch.equal(presence, found.positive | found.negative)
    assert not (presence & found.ignored).any()


@pytest.mark.parametrize("name", NAMES)
def test_gradients_pull_where_it_is_shown_and_nowhere_else(name: str) -> None:
    detector = build(name, px=PX)
    raw = some_raw(detector)
    found = shown(detector, raw, SOME)
    box, presence = pulls(detector, raw, SOME)
    assert_pulled(found, box, presence)
    with pytest.raises(AssertionError):  # by one cell
        assert_pulled(found, box.roll(int(found.layout.anchor.max()) + 1, dims=1), presence)


TWINS = targets([(40, 40, 60, 60, 0), (41, 41, 61, 61, 1)])
REASONS: tuple[tuple[str, dict[str, Any], Targets, str], ...] = (
    ("yolov1", {}, TWINS, "another box has its cell"),
    ("yolov2", {}, TWINS, "another box has its cell and anchor"),
    ("yolov3", {"rules": "pjreddie"}, TWINS, "another box has its cell and anchor"),
    ("ssd300", {}, targets([(40, 40, 41, 60, 0), (40, 40, 41, 60, 1)]), "answers for another box"),
    ("retinanet", {}, targets([(40, 40, 60, 60, 0), (40, 40, 60, 60, 1)]), "answers for another box"),
    ("faster-rcnn", {}, targets([(40, 40, 60, 60, 0), (40, 40, 60, 60, 1)]), "answers for another box"),
    ("fcos", {}, targets([(41, 41, 43, 43, 0)]), "no point lies inside it"),
    ("fcos", {}, targets([(40, 40, 60, 60, 0), (40, 40, 60, 60, 1)]), "a smaller box has all its points"),
    ("fcos", {}, targets([(0, 53, 128, 59, 0)]), "outside the range of every level"),
    ("yolov4", {}, targets([(40, 40, 40.5, 60, 0)]), "smaller than a pixel of the input: 0.5 × 20.0 px"),
    ("fcos", {}, targets([(40, 40, 90, 90, 0)], ignore=((0, 0),)), "it is an ignored box"),
)


@pytest.mark.parametrize(("name", "settings", "wanted", "reason"), REASONS)
def test_boxes_without_a_positive_say_why(name: str, settings: dict[str, Any], wanted: Targets, reason: str) -> None:
    (said,) = shown(build(name, px=PX, **settings), None, wanted).reasons.values()
    assert reason in said


def test_a_box_whose_best_anchor_is_in_no_mask_says_so() -> None:
    head = YoloHead(3, ((10.0, 10.0), (60.0, 60.0)), (32,), ((1,),), (1.0,), Rules("mse", 1.0))
    found = head.explained(None, targets([(40, 40, 50, 50, 0)]), (PX, PX))
    assert list(found.reasons.values()) == ["its best anchor, 10 × 10 px, belongs to no level"]


def test_hard_negatives_are_three_per_positive_and_the_worst() -> None:
    detector = build("ssd300", px=PX)
    raw = some_raw(detector)
    found = shown(detector, raw, SOME)
    assert isinstance(detector.head, DefaultBoxHead)
    assert found.negative is not None
    assert found.ignored is not None
    assert found.negative.sum(1).tolist() == (3 * found.positive.sum(1)).tolist()
    background = -detector.head.split(raw)[0].log_softmax(-1)[..., 0]
    for image in range(2):
        passed_over = ~(found.positive | found.negative | found.ignored)[image]
        assert background[image][found.negative[image]].min() >= background[image][passed_over].max()


def test_a_detector_that_does_not_tell_says_so() -> None:
    class Quiet(Detector):
        title = "Quiet"

    with pytest.raises(Exception, match="Quiet does not tell how its loss treats"):
        Quiet(build("yolov3").settings, 1, ()).explained(None, SOME, (PX, PX))


def test_cells_lie_row_by_row_and_are_made_without_values_and_in_exported_files() -> None:
    grids = ((1, 2), (1, 1))
    fine, coarse = [[0, 0, 8, 10], [8, 0, 16, 10]], [0, 0, 16, 10]
    assert cells(grids, (1, 2), (10, 16)).tolist() == [*fine, coarse, coarse]
    with torch.device("meta"):
        assert cells(grids, (1, 2), (10, 16)).shape == (4, 4)

    class Moved(nn.Module):
        def forward(self, raw: Tensor) -> Tensor:
            rows, columns = raw.shape[1:]
            return raw.view(-1, 1) + cells(((rows, columns),), (1,), (10, 16))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that this is torch's old way: the one that has the fewest operations
        file: Any = io.BytesIO()  # which torch allows here, and does not say
        torch.onnx.export(Moved(), (torch.zeros(1, 3, 4),), file, dynamo=False, opset_version=17)


def test_cells_are_made_where_the_outputs_lie() -> None:
    with Card() as card:
        made = cells(((2, 1),), [3], (64, 32), CARD)
    assert card.found == {}
    assert isinstance(made, There)
    assert torch.equal(made.here, cells(((2, 1),), [3], (64, 32)))
