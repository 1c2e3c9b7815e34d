"""G1: the program predicts in a fraction of the time that the bare network takes, and finds the same.

One image at a time, the network at its published width: in evaluation mode, as tutorials run it, against Predictor. What
is found in photographs is held to Darknet's in tests/plugins. YOLOv3-tiny, and YOLOv3 and YOLOv4 with
WORKBENCH_FULL_BENCHMARKS=1: the reference reached its 0.45 with those two in bfloat16 only, so that they are held to it
where the processor computes in it (`predict --fast`).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import numpy as np
import pytest
import torch

from tests.inference.small import lively
from workbench import detectors
from workbench.inference.predict import Predictor, has_fast_bfloat16

FULL = os.environ.get("WORKBENCH_FULL_BENCHMARKS") == "1"
PX, LABELS, REPEATS = 416, 80, 15
GOAL = 0.45
LARGE = ("yolov3", "yolov4")


def predictor(name: str) -> Predictor:
    torch.manual_seed(0)
    kind = detectors.load_all().get(name)
    network = detectors.build(name, kind.settings_class(input_px=PX), LABELS)
    made = lively(network.train(), PX)
    fast = name in LARGE
    return Predictor(network, [str(label) for label in range(LABELS)], PX, "stretch", device="cpu",
                     precision="fast" if fast else "exact") if fast else made  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", ("yolov3-tiny", *(LARGE if FULL else ())))
def test_g1_the_program_takes_less_than_half_of_the_bare_networks_time(name: str) -> None:
    ours = predictor(name)
    square = np.random.default_rng(0).integers(0, 255, (1, PX, PX, 3), np.uint8)
    picture = torch.from_numpy(square).permute(0, 3, 1, 2).contiguous()

    def bare() -> tuple[torch.Tensor, ...]:
        with torch.no_grad():
            return ours.detector.candidates(ours.detector(picture.float() / 255)).best(1000)

    times = [(seconds(bare), seconds(lambda: ours.best(square))) for _ in range(REPEATS + 2)][2:]
    slow, quick = (1000 * min(column) for column in zip(*times, strict=True))
    print(f"{name}, {ours.precision}: bare {slow:.0f} ms, the program {quick:.0f} ms: {quick / slow:.2f}")
    (_, scores, _), (_, theirs, _) = ours.best(square), bare()
    if ours.precision == "exact":
        torch.testing.assert_close(scores, theirs, rtol=0, atol=1e-4)
    assert quick <= (GOAL if name not in LARGE or has_fast_bfloat16(ours.device) else 1.0) * slow


def seconds(call: Callable[[], object]) -> float:
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun
