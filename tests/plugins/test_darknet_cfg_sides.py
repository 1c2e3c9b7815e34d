"""By which sides a training varies the input of a cfg's network: by multiples of its largest stride."""

from __future__ import annotations

import pytest
import torch

from tests.plugins import cfgs
from workbench import detectors, plugins
from workbench.detectors.parts import darknet_cfg
from workbench.training import schedule
from workbench.training.settings import TrainingSettings

NAME = "darknet-cfg"
HEAD = {"mask": "0", "anchors": "20,24", "classes": 3, "num": 1}


@pytest.mark.parametrize(
    ("text", "stride"),
    [
        (cfgs.everything(64), 8),
        (cfgs.yolov1_tiny(64, {}), 64),
        (cfgs.yolov2_tiny_voc(64, {}), 32),
        (cfgs.yolov3_tiny(64, HEAD, HEAD), 32),
        (cfgs.yolov4_tiny(64, HEAD, HEAD), 32),
        (cfgs.six_halvings(128), 64),
        (cfgs.net(64) + cfgs.route(7) + cfgs.route(-9) + cfgs.pool(), 2),  # refused where the network is built
    ],
)
def test_the_largest_stride_of_a_cfg(text: str, stride: int) -> None:
    assert darknet_cfg.largest_stride(darknet_cfg.read(text)) == stride


def test_a_network_of_six_halvings_takes_all_sides_that_a_training_shows_it() -> None:
    """In steps of 32 its maps differed in size, and the first batch of another side ended the training."""
    plugins.loaded()
    kind = detectors.load_all().get(NAME)
    settings = kind.settings_class(cfg=cfgs.six_halvings(256)).resolved(())  # type: ignore[call-arg]
    network, varied = detectors.build(NAME, settings, 3), TrainingSettings(sizes=0.5, calm_share=0.0)
    sides = {schedule.input_side(varied, step, 5000, 256, network.side_multiple) for step in range(0, 5000, 10)}
    assert sorted(sides) == [256, 320, 384, 448]
    assert schedule.largest_side(varied, 256, kind.chosen_multiple(settings)) == 448
    for side in sides:
        assert [raw.shape[-1] for raw in network(torch.zeros(1, 3, side, side))] == [side // 64, side // 32]
