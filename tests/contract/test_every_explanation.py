"""What "What the trainer sees" shows of every detector is what its loss trains, and what assignment() says."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tests.contract.test_every_detector import build, images, targets
from workbench.detectors.parts.detector import Detector, Raw, Targets
from workbench.detectors.parts.explained import Explained, Roles

FAMILY = "detectors"  # see conftest.py: `name` is each of them
PX = 128
SOME = targets(
    [(8, 8, 24, 28, 0), (40, 40, 120, 120, 1), (0, 60, 40, 100, 2), (10, 10, 26, 30, 1), (70, 2, 128, 60, 1)],
    [(8, 8, 40, 40, 0), (60, 60, 128, 128, 2)],
    ignore=((0, 4), (1, 1)),
)


@pytest.fixture(autouse=True)
def _told(name: str) -> None:
    """A plugin's detector may do without: "What the trainer sees" then says that it does not tell."""
    detector = build(name, px=PX)
    if type(detector).explained is Detector.explained and not hasattr(getattr(detector, "head", None), "explained"):
        pytest.skip("it has no explained()")


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
    assert made, "The loss makes no `explained.Roles`: its masks are to be those that explained() shows."
    return made[-1]


def assert_same(found: Explained, roles: Roles) -> None:
    for name in ("positive", "ignored", "negative"):
        assert torch.equal(getattr(found, name), getattr(roles, name)), name


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


def test_boxes_lie_on_the_priors_that_answer_for_them(name: str) -> None:
    detector = build(name, px=PX)
    found = shown(detector, None, SOME)
    truth, prior = SOME.boxes[found.image, found.box], found.layout.boxes[found.prior]
    low, high = torch.maximum(truth[:, :2], prior[:, :2]), torch.minimum(truth[:, 2:], prior[:, 2:])
    assert ((high - low) > 0).all()
