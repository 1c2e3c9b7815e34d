"""Every term of a loss, whose curve the Train page draws by its name, stands in the help's table of terms."""

from __future__ import annotations

import pytest
import torch

from tests import networks
from workbench import detectors
from workbench.core.files import resource
from workbench.detectors.parts.detector import Targets

PX = 64
WANTED = Targets(torch.tensor([[[8.0, 8, 40, 40]]]), torch.zeros(1, 1).long(), torch.zeros(1, 1, dtype=torch.bool))
SHIPPED = [name for name, kind in detectors.load_all() if kind.__module__.startswith("workbench.")]


def explained() -> set[str]:
    """The first column of the table."""
    text = resource("help", "what-the-losses-mean.md").read_text("utf-8")
    rows = text.partition("## The terms")[2].partition("\n## ")[0].splitlines()
    firsts = [row.split("|")[1] for row in rows if row.startswith("|")]
    return {term.strip() for first in firsts for term in first.split(",")}


@pytest.mark.parametrize("name", SHIPPED)
def test_the_help_says_what_each_term_asks(name: str) -> None:
    kind = detectors.load_all().get(name)
    detector = networks.build(name, kind.settings_class(input_px=PX, width=0.1), 3).eval()
    with torch.inference_mode():
        terms = detector.loss(detector(torch.zeros(1, 3, PX, PX)), WANTED)
    assert terms.keys() <= explained()
