"""A process that opens files of weights as many programs do, each in a fork of its own (see reading_child)."""

from __future__ import annotations

from pathlib import Path

import torch

from tests.promises import reading_child


def trusting(file: Path) -> tuple[float, str]:
    torch.load(file, weights_only=False)
    return 0.0, "loaded"


if __name__ == "__main__":
    torch.set_num_threads(1)  # a fork has no other threads
    reading_child.run({"trusting": trusting})
