"""The sizes that every detector takes or refuses: of its input, and of its anchors."""

from __future__ import annotations

import pytest
import torch

from tests import networks
from tests.contract.test_every_detector import FROM_CFG, PX, TWO, build, images
from workbench import detectors
from workbench.errors import WorkbenchError
from workbench.training import schedule
from workbench.training.settings import TrainingSettings

FAMILY = "detectors"  # see conftest.py: `name` is each of them


def test_an_input_side_that_is_no_multiple_of_its_own_is_refused_with_the_nearest(name: str) -> None:
    """`multiple` is mostly 32, but may be any number."""
    multiple = detectors.load_all().get(name).multiple
    if multiple == 1:
        assert build(name, px=101)
        return
    near = -(-96 // multiple) * multiple
    with pytest.raises(WorkbenchError, match=f"multiple of {multiple}, .*Try {near}\\."):
        build(name, px=near + 1)


def test_it_takes_the_sides_that_training_varies_by(name: str) -> None:
    """Those above 64 px or so; a network that takes one size only sets fixed_size = True."""
    detector = build(name)
    if detector.fixed_size:
        pytest.skip("its input side does not vary")
    varied = TrainingSettings(sizes=1.0, calm_share=0.0)
    sides = {schedule.input_side(varied, step, 1000, PX, detector.side_multiple) for step in range(0, 1000, 10)}
    assert len(sides) > 1
    for side in sides:
        raw = detector(images(px=side))
        assert all(bool(torch.isfinite(term)) for term in detector.loss(raw, TWO).values())
        assert detector.candidates(raw).boxes.shape[0] == 2


def test_anchors_that_are_no_sizes_are_refused(name: str) -> None:
    if name == FROM_CFG:
        pytest.skip("its anchors are the cfg's")
    kind = detectors.load_all().get(name)
    for wrong in (((10.0, 0.0),) * 6, ((10.0, float("nan")),) * 6):
        with pytest.raises(WorkbenchError, match="positive"):
            detectors.build(name, kind.settings_class(width=0.1), 3, wrong)


def test_any_number_of_anchors_serves_all_levels(name: str) -> None:
    if name == FROM_CFG:
        pytest.skip("its anchors are the cfg's")
    kind, anchorless = detectors.load_all().get(name), build(name).anchor_need is None
    for count in (3, 5, 10):
        sizes = tuple((4.0 * (count - i), 6.0) for i in range(count))
        settings = kind.settings_class(input_px=PX, width=0.1)
        if anchorless:  # it takes them, and has no use for them
            with networks.unfilled():
                assert detectors.build(name, settings, 3, sizes).anchor_need is None
            continue
        detector = detectors.build(name, settings, 3, sizes)
        need = detector.anchor_need
        assert need is not None
        assert sorted(anchor for mask in need.masks for anchor in mask) == list(range(count))
        assert detector.loss(detector(images()), TWO)
