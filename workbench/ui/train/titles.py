"""How a detector is called on the screen: by its title, which is known once PyTorch is loaded."""

from __future__ import annotations

from workbench.detectors import detectors


def detector_title(detector: str) -> str:
    """The title of a detector; its name if nothing is loaded yet or there is no such detector."""
    return detectors.get(detector).title if detector in detectors.names() else detector
