"""What is shown of an assignment is what the loss trains: for every detector, by its masks and by its gradients."""

from __future__ import annotations

import io
import warnings
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.contract.test_every_detector import NAMES, build, images, targets
from workbench.detectors.parts.default_boxes import DefaultBoxHead
from workbench.detectors.parts.detector import Detector, Raw, Targets
from workbench.detectors.parts.explained import Explained, Roles, cells
from workbench.detectors.parts.yolo_head import Rules, YoloHead

PX = 128
SOME = targets(
    [(8, 8, 24, 28, 0), (40, 40, 120, 120, 1), (0, 60, 40, 100, 2), (10, 10, 26, 30, 1), (70, 2, 128, 60, 1)],
    [(8, 8, 40, 40, 0), (60, 60, 128, 128, 2)],
    ignore=((0, 4), (1, 1)),
)


def moved(wanted: Targets, by: float) -> Targets:
    return Targets((wanted.boxes + by).clamp(0, PX), wanted.labels, wanted.ignore)


def some_raw(detector: Detector) -> Raw:
    """Numbers of the outputs' shapes, none of which is special to any loss."""
    with torch.no_grad():
        raw = detector(images(px=PX))
    draw = torch.Generator().manual_seed(2)
    return tuple((torch.rand(level.shape, generator=draw) * 0.8 + 0.1).requires_grad_() for level in raw)


def shown(detector: Detector, raw: Raw | None, wanted: Targets) -> Explained:
    torch.manual_seed(5)  # Faster R-CNN draws
    with torch.no_grad():
        return detector.explained(raw, wanted, (PX, PX))


def trained(detector: Detector, raw: Raw, wanted: Targets, monkeypatch: pytest.MonkeyPatch) -> Roles:
    """The masks that a real call of the loss was computed with."""
    made: list[Roles] = []
    plain = Roles.__init__

    def recording(self: Roles, *args: Any, **names: Any) -> None:
        plain(self, *args, **names)
        made.append(self)

    torch.manual_seed(5)
    with monkeypatch.context() as patch:
        patch.setattr(Roles, "__init__", recording)
        detector.loss(raw, wanted)
    return made[-1]


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
        _, (boxes, scores) = torch.func.jvp(decoded, tuple(level.detach() for level in raw), slopes)
    return (boxes != 0).any(-1), (scores != 0).any(-1)


def assert_same(found: Explained, roles: Roles) -> None:
    for name in ("positive", "ignored", "negative"):
        assert torch.equal(getattr(found, name), getattr(roles, name)), name


def assert_pulled(found: Explained, box: Tensor, presence: Tensor) -> None:
    assert found.ignored is not None
    assert found.negative is not None
    assert torch.equal(box, found.positive)
    assert torch.equal(presence, found.positive | found.negative)
    assert not (presence & found.ignored).any()


@pytest.mark.parametrize("name", NAMES)
def test_what_is_shown_are_the_masks_of_the_loss(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    detector = build(name, px=PX)
    raw = some_raw(detector)
    roles = trained(detector, raw, SOME, monkeypatch)
    assert roles.positive.any()
    assert roles.ignored.any()
    assert roles.negative.any()
    assert_same(shown(detector, raw, SOME), roles)
    with pytest.raises(AssertionError):  # all boxes in other cells
        assert_same(shown(detector, raw, moved(SOME, 40.0)), roles)


@pytest.mark.parametrize("name", NAMES)
def test_gradients_pull_where_it_is_shown_and_nowhere_else(name: str) -> None:
    detector = build(name, px=PX)
    raw = some_raw(detector)
    found = shown(detector, raw, SOME)
    box, presence = pulls(detector, raw, SOME)
    assert_pulled(found, box, presence)
    with pytest.raises(AssertionError):  # by one cell
        assert_pulled(found, box.roll(int(found.layout.anchor.max()) + 1, dims=1), presence)


@pytest.mark.parametrize("name", NAMES)
def test_pairs_are_the_positives_and_those_of_assignment(name: str) -> None:
    detector = build(name, px=PX)
    found, table = shown(detector, None, SOME), detector.assignment(SOME, (PX, PX))
    layout, prior = found.layout, found.prior
    places = (found.image, layout.level[prior], layout.row[prior], layout.column[prior], layout.anchor[prior])
    ours = set(zip(*(one.tolist() for one in (*places, found.box)), strict=True))
    names = ("image", "level", "row", "column", "anchor", "target")
    assert ours == set(zip(*(getattr(table, one).tolist() for one in names), strict=True))
    positive = torch.zeros_like(found.positive)
    positive[found.image, prior] = True
    assert torch.equal(positive, found.positive)
    assert len(layout) == found.positive.shape[1] == len(layout.boxes)
    missing = {(i, m) for i, m in (SOME.labels >= 0).nonzero().tolist()}
    assert set(found.reasons) == missing - {(int(i), int(m)) for i, m in zip(found.image, found.box, strict=True)}


@pytest.mark.parametrize("name", NAMES)
def test_without_outputs_the_same_boxes_have_positives(name: str) -> None:
    """And what is said without them stays true with them."""
    detector = build(name, px=PX)
    raw = some_raw(detector)
    blind, whole = shown(detector, None, SOME), shown(detector, raw, SOME)
    assert bool(blind.note) == (blind.negative is None)
    assert whole.note == ""
    if blind.ignored is not None:
        assert whole.ignored is not None
        assert torch.equal(blind.ignored, whole.ignored)
    cells = [
        {(int(i), *(int(t[p]) for t in (e.layout.level, e.layout.row, e.layout.column)), int(m))
         for i, p, m in zip(e.image, e.prior, e.box, strict=True)}
        for e in (blind, whole)
    ]  # fmt: skip
    assert cells[1] <= cells[0]
    assert cells[0] == cells[1] or detector.samples
    assert blind.reasons == whole.reasons


@pytest.mark.parametrize("name", NAMES)
def test_boxes_lie_on_the_priors_that_answer_for_them(name: str) -> None:
    detector = build(name, px=PX)
    found = shown(detector, None, SOME)
    truth, prior = SOME.boxes[found.image, found.box], found.layout.boxes[found.prior]
    low, high = torch.maximum(truth[:, :2], prior[:, :2]), torch.minimum(truth[:, 2:], prior[:, 2:])
    assert ((high - low) > 0).all()


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
        torch.onnx.export(Moved(), (torch.zeros(1, 3, 4),), io.BytesIO(), dynamo=False, opset_version=17)
